"""The sample goes on after its end, and may be brought up to now; other archives end."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from archives import trade, utc, write

import qalypto_research as qr
from qalypto_research.archive.sample import sample_root
from qalypto_research.errors import ConfigurationError, InputError
from qalypto_research.local import stage
from qalypto_research.local.generator.growth import Growth
from qalypto_research.local.stage import Play, set_up
from qalypto_research.local.testing import StandIn

END = "2026-03-02 14:00"
HALF_HOUR_US = 1_800_000_000


def us(when):
    return utc(when).value // 1000


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Return a folder with the sample's next hour, and up to when it says that all is there."""
    folder = tmp_path_factory.mktemp("grown")
    growth = Growth(folder)
    told = []
    end = growth.reach(us(END) + HALF_HOUR_US, us("18:00"), told.append)
    growth.close()
    return folder, end, told


def test_blocks_come_until_there_is_something_and_no_more(grown):
    folder, end, told = grown
    assert end == us("15:00")
    assert told == [us("14:30"), us("15:00")]
    for table in ("trade", "ticker", "kline", "orderbook"):
        assert len(list((folder / table).glob("*.parquet"))) >= 2


def read(root, table):
    return pd.concat([pq.read_table(path).to_pandas() for path in sorted((root / table).rglob("*.parquet"))], ignore_index=True)


def test_it_goes_on_where_the_sample_ends_without_a_seam(grown):
    folder, _, _ = grown
    before, after = read(sample_root(), "trade"), read(folder, "trade")
    assert before["timestamp"].max() < utc(END) <= after["timestamp"].min()
    assert after["_seq"].min() > before["_seq"].max()
    for series in [("binance", "BTCUSDT"), ("okx", "ETHUSDT")]:
        last, first = (
            t[(t["exchange"] == series[0]) & (t["symbol"] == series[1])].sort_values(["timestamp", "_seq"]) for t in (before, after)
        )
        last, first = last.iloc[-1], first.iloc[0]
        assert abs(np.log(first["price"] / last["price"])) < 0.001
        assert int(first["trade_id"]) == int(last["trade_id"]) + 1
    candles = read(folder, "kline")
    whole = candles[(candles["is_final"] == 1) & (candles["interval"] == "1h") & (candles["symbol"] == "BTCUSDT")]
    assert set(whole["timestamp"]) == {utc("14:00")}


def test_a_candle_across_the_seam_is_that_of_its_trades(grown):
    folder, _, _ = grown
    candles, trades = read(folder, "kline"), read(folder, "trade")
    candle = (
        candles.query("is_final == 1 and interval == '30m' and symbol == 'BTCUSDT' and exchange == 'binance'")
        .set_index("timestamp")
        .loc[utc(END)]
    )
    inside = trades.query("symbol == 'BTCUSDT' and exchange == 'binance'")
    inside = inside[(inside["timestamp"] >= utc(END)) & (inside["timestamp"] < utc("14:30"))]
    assert candle["high"] == inside["price"].max()
    assert candle["volume"] == pytest.approx(inside["amount"].sum(), abs=1e-9)


def test_what_cannot_be_written_says_why(tmp_path):
    (tmp_path / "folder").write_text("a file")
    growth = Growth(tmp_path / "folder" / "inside")
    with pytest.raises(ConfigurationError, match=r"the sample cannot go on in .*NotADirectoryError"):
        growth.reach(us(END), us("14:01"))
    growth.close()


def test_closing_ends_its_process_and_whoever_waits(tmp_path):
    growth = Growth(tmp_path)
    growth.reach(us("13:55"), us("13:56"))  # the next block is begun early
    process = growth._writer
    while process is None:
        process = growth._writer
    growth.close()
    assert process.returncode is not None
    assert growth.reach(us(END), us("14:01")) is None


# --- As it is played -----------------------------------------------------------------------------------------------


async def heard_until(client, when):
    """Return what a client hears up to a message that happened after `when`."""
    until = utc(when).value // 1_000_000
    found = []
    async for text in client.rest():
        message = json.loads(text)
        if "data" not in message:
            continue
        found.append(message)
        if message["data"]["_timestamps"]["exchange_event_time"] > until:
            break
    return found


@pytest.mark.slow
def test_stream_and_history_go_on_past_the_end_of_the_sample(listen):
    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("trade:btcusdt")
            return await heard_until(client, "14:31")

    with StandIn("sample", at="2026-03-02 13:59:30", speed=0, http=True) as standin:
        messages = asyncio.run(work(standin))
        with qr.connect(standin.url, username=standin.username, password=standin.password) as con:
            known = con.trades("BTCUSDT", exchange="all", start="2026-03-02 13:59:31", end="2026-03-02 14:31")
    told = [m for m in messages if utc("13:59:31") <= utc(m["data"]["timestamp"]) < utc("14:31")]
    assert len(told) > 1000
    assert sorted(m["data"]["trade_id"] for m in told) == sorted(known["trade_id"])


def test_another_archive_ends(tmp_path, listen):
    write(tmp_path, "trade", [trade(f"13:59:{s}", trade_id=str(s)) for s in range(50, 60)])

    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("trade")
            count = len(await client.all())
            return count, client.socket.close_code, client.socket.close_reason

    with StandIn(tmp_path, at="2026-03-02 13:59:51", speed=0, http=True) as standin:
        assert asyncio.run(work(standin)) == (8, 1000, "replay finished")


def test_a_speed_that_no_block_keeps_up_with_is_refused():
    with pytest.raises(ConfigurationError, match=r"speed: 601 is more than the sample can be gone on with \(600\)"):
        StandIn("sample", speed=601)


# --- Up to now -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("now", "days", "begins"), [("2026-11-25 14:20:00", 268, "2026-11-25 12:00"), ("2026-11-25 13:59:59", 267, "2026-11-24 12:00")]
)
def test_at_speed_one_the_sample_is_moved_by_whole_days_to_just_before_now(monkeypatch, now, days, begins):
    monkeypatch.setattr(stage, "_wall_us", lambda: us(now))
    written = []
    monkeypatch.setattr(stage.Growth, "reach", lambda _, after, until: written.append((after, until)))
    told = []
    with set_up(Play((sample_root(),), speed=1), told.append) as play:
        assert play.synthetic
        assert play.clock.running
        assert play.clock.reading.anchor_us == play.clock.reading.moment_us == us(now)
        trades = read(next(iter(play.engine._builder.roots)), "trade")
    shift = pd.Timedelta(days=days)
    original = read(sample_root(), "trade")
    assert trades["timestamp"].min() == original["timestamp"].min() + shift >= utc(begins)
    assert trades["timestamp"].max() == original["timestamp"].max() + shift <= utc(now)
    assert (trades["_seen"].to_numpy() - original["_seen"].to_numpy() == shift.to_timedelta64()).all()
    assert trades.drop(columns=["timestamp", "_seen"]).equals(original.drop(columns=["timestamp", "_seen"]))
    blocks = -(-(us(now) - us(END) - days * 86_400_000_000) // HALF_HOUR_US)
    assert len(written) == len(told) == blocks


def test_every_time_moves_and_missing_ones_stay_missing(monkeypatch):
    monkeypatch.setattr(stage, "_wall_us", lambda: us("2026-03-05 14:00:00"))
    shift = pd.Timedelta(days=3)
    with set_up(Play((sample_root(),), speed=1), lambda _: None) as play:
        folder = next(iter(play.engine._builder.roots))
        for table, columns in (("kline", ["timestamp", "close_time", "_seen"]), ("ticker", ["timestamp", "next_funding_time", "_seen"])):
            moved, original = read(folder, table), read(sample_root(), table)
            for column in columns:
                assert (moved[column] - original[column]).dropna().unique().tolist() == [shift]
                assert moved[column].isna().equals(original[column].isna())


@pytest.mark.parametrize("speed", [-1, float("nan")])
def test_a_speed_is_no_less_than_nothing(speed):
    with pytest.raises(InputError, match=r"speed: .* must be 0"):
        Play((sample_root(),), speed=speed)
