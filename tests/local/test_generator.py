"""The generator: candles are exact aggregates of trades, archives go on where they stopped, and arguments are checked.

Expected values are worked out in integers from the Parquet files alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from qalypto_research.archive.manifest import read_manifest
from qalypto_research.errors import ConfigurationError, InputError, RangeError, UnknownNameError
from qalypto_research.local.generator import generate, writing

SAMPLE = Path(__file__).parents[2] / "data_samples"
MINUTE = 60_000
LENGTH = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440}
# What the sample's candles of one exchange contain and its trades lack: see the test of its blemishes.
LOST = ("bitget", pd.Timestamp("2026-03-02 12:34:10"), pd.Timestamp("2026-03-02 12:36:20"))
SMALL = {
    "seed": 3,
    "start": "2026-03-02 07:55",
    "symbols": ["BTCUSDT", "DOTUSDT"],
    "exchanges": ["binance", "bybit"],
    "rate": 3.0,
    "block": "7m",
}


# --- Archives in integers -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """One series in ticks and lots; times in ms."""

    trades: pd.DataFrame  # t, price, lots, quote in the total order, each id once
    candles: pd.DataFrame  # interval, open_ms, open, high, low, close, lots, quote (-1 for NULL), count, final, seen_ms
    ticks_from: int
    ticks_to: int
    lost: tuple[int, int] | None

    def touches_loss(self, start: int, end: int) -> bool:
        return self.lost is not None and start < self.lost[1] and end > self.lost[0]


def digits_of(values: pd.Series) -> int:
    """Return how many decimals the numbers have."""
    return next(k for k in range(9) if (np.rint(values * 10**k) / 10**k == values).all())


def whole(values: pd.Series, digits: int) -> np.ndarray:
    """Return `values` as integers, having checked that nothing is rounded away."""
    integers = np.rint(values.to_numpy() * 10.0**digits).astype(np.int64)
    assert (integers / 10**digits == values.to_numpy()).all()
    return integers


def milliseconds(times: pd.Series) -> np.ndarray:
    return pd.DatetimeIndex(times).as_unit("us").asi8 / 1000


def load(root: Path, ticks: tuple[str, str], lost: tuple[str, pd.Timestamp, pd.Timestamp] | None = None) -> dict[tuple[str, str], Series]:
    trades, candles = pd.read_parquet(root / "trade"), pd.read_parquet(root / "kline")
    span = [int(pd.Timestamp(t).value // 10**6) for t in ticks]
    out = {}
    for key, mine in trades.groupby(["exchange", "symbol"]):
        bars = candles[(candles["exchange"] == key[0]) & (candles["symbol"] == key[1])]
        # All exchanges share ticks and lots, and the rarer decimals show in the larger set.
        tick = digits_of(pd.concat([candles[candles["symbol"] == key[1]]["close"], mine["price"]]))
        lot = digits_of(pd.concat([candles[candles["symbol"] == key[1]]["volume"], mine["amount"]]))
        once = mine.drop_duplicates("trade_id")
        number = pd.to_numeric(once["trade_id"], errors="coerce").fillna(0).astype(np.int64)
        once = once.assign(number=number).sort_values(["timestamp", "number", "trade_id"])
        t = pd.DataFrame({"price": whole(once["price"], tick), "lots": whole(once["amount"], lot)})
        t["t"], t["quote"] = milliseconds(once["timestamp"]).astype(np.int64), t["price"] * t["lots"]
        c = pd.DataFrame({name: whole(bars[name], tick) for name in ("open", "high", "low", "close")})
        c["lots"] = whole(bars["volume"], lot)
        c["quote"] = np.where(bars["quote_volume"].isna(), -1, whole(bars["quote_volume"].fillna(0.0), tick + lot))
        c["count"] = bars["num_trades"].fillna(-1).astype(np.int64).to_numpy()
        c["interval"], c["final"] = bars["interval"].to_numpy(), bars["is_final"].to_numpy()
        c["open_ms"] = milliseconds(bars["timestamp"]).astype(np.int64)
        c["seen_ms"] = milliseconds(bars["_seen"])
        gap = (int(lost[1].value // 10**6), int(lost[2].value // 10**6)) if lost and lost[0] == key[0] else None
        out[key] = Series(t, c, *span, gap)
    return out


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of five blocks of seven minutes, over the start of an hour, of 4h and of a funding period."""
    root = tmp_path_factory.mktemp("small")
    generate(root, hours=0.5, **SMALL)
    return root


@pytest.fixture(scope="module", params=["sample", "small"])
def series(request: pytest.FixtureRequest, small: Path) -> dict[tuple[str, str], Series]:
    if request.param == "sample":
        return load(SAMPLE, ("2026-03-02 12:00", "2026-03-02 14:00"), LOST)
    return load(small, ("2026-03-02 07:55", "2026-03-02 08:30"))


def aggregate(trades: pd.DataFrame) -> dict[str, int]:
    price = trades["price"].to_numpy()
    return {
        "open": price[0], "high": price.max(), "low": price.min(), "close": price[-1],
        "lots": trades["lots"].sum(), "quote": trades["quote"].sum(), "count": len(trades),
    }  # fmt: skip


def agrees(candle: pd.Series, expected: dict[str, int]) -> bool:
    """Whether a candle has the expected integers, NULLs aside."""
    return all(candle[name] == value or (name in ("quote", "count") and candle[name] == -1) for name, value in expected.items())


# --- Candles --------------------------------------------------------------------------------------------------------


def test_finished_candles_are_their_trades(series):
    """Every finished candle within the ticks is the aggregate of its trades, to the last tick and lot."""
    checked = empty = 0
    for one in series.values():
        t = one.trades["t"].to_numpy()
        finished = one.candles[(one.candles["final"] == 1) & (one.candles["open_ms"] >= one.ticks_from)]
        for candle in finished.to_dict("records"):
            end = candle["open_ms"] + LENGTH[candle["interval"]] * MINUTE
            assert end <= one.ticks_to
            if one.touches_loss(candle["open_ms"], end):
                continue
            first, stop = np.searchsorted(t, [candle["open_ms"], end])
            if first < stop:
                assert agrees(candle, aggregate(one.trades.iloc[first:stop])), candle
                checked += 1
            else:
                assert candle["open"] == candle["high"] == candle["low"] == candle["close"]
                assert (candle["lots"], max(candle["quote"], 0), max(candle["count"], 0)) == (0, 0, 0)
                # The close is the one before; in an outage that trade may be lost.
                if first > 0 and one.lost is None:
                    assert candle["close"] == one.trades["price"].iloc[first - 1]
                empty += 1
    assert checked > 150
    assert empty > 0


def test_updates_of_forming_candles_show_what_had_happened(series):
    """Each update is the aggregate of the trades from its open up to one moment before it was seen, and not long before.

    A volume says how many trades are in it, because every trade has one; all else must then fit those trades.
    """
    checked = 0
    for one in series.values():
        t, lots = one.trades["t"].to_numpy(), np.append(0, one.trades["lots"].to_numpy().cumsum())
        running = one.candles[(one.candles["final"] == 0) & (one.candles["open_ms"] >= one.ticks_from)]
        for update in running.to_dict("records"):
            if one.touches_loss(update["open_ms"], update["seen_ms"]):
                continue
            first = np.searchsorted(t, update["open_ms"])
            stop = np.searchsorted(lots, lots[first] + update["lots"])
            assert lots[stop] == lots[first] + update["lots"]
            if stop > first:
                assert agrees(update, aggregate(one.trades.iloc[first:stop])), update
                assert t[stop - 1] < update["seen_ms"]
            if stop < len(t):
                assert stop == 0 or t[stop - 1] < t[stop] or stop == first
                assert t[stop] > update["seen_ms"] - 5_000, "the update knows less than it should"
            assert update["seen_ms"] > update["open_ms"]
            checked += 1
    assert checked > 500


def test_updates_of_candles_begun_before_the_ticks_join_both(series):
    """The day's candle is the finer finished candles up to the ticks, and the trades since."""
    checked = 0
    for one in series.values():
        t, lots = one.trades["t"].to_numpy(), np.append(0, one.trades["lots"].to_numpy().cumsum())
        running = one.candles[(one.candles["final"] == 0) & (one.candles["interval"] == "1d")]
        minutes = one.candles[(one.candles["interval"] == "1m") & (one.candles["final"] == 1)].sort_values("open_ms")
        for update in running.iloc[::7].to_dict("records"):
            if one.touches_loss(update["open_ms"], update["seen_ms"]):
                continue
            earlier = minutes[(minutes["open_ms"] >= update["open_ms"]) & (minutes["open_ms"] < one.ticks_from)]
            assert len(earlier) * MINUTE == one.ticks_from - update["open_ms"]
            earlier = earlier[earlier["lots"] > 0]
            stop = np.searchsorted(lots, update["lots"] - earlier["lots"].sum())
            since = one.trades.iloc[:stop]
            assert lots[stop] == update["lots"] - earlier["lots"].sum()
            assert update["open"] == earlier["open"].iloc[0]
            assert update["high"] == max(earlier["high"].max(), since["price"].max() if stop else 0)
            assert update["low"] == min(earlier["low"].min(), since["price"].min() if stop else update["low"])
            assert update["close"] == (since["price"].iloc[-1] if stop else earlier["close"].iloc[-1])
            assert stop == 0 or t[stop - 1] < update["seen_ms"]
            checked += 1
    assert checked > 10


@pytest.mark.parametrize(("fine", "coarse"), list(pairwise(LENGTH)))
def test_coarse_candles_are_aggregates_of_finer_ones(series, fine, coarse):
    """Also before the ticks, and across their start. Candles without a trade count for nothing."""
    checked = 0
    for one in series.values():
        final = one.candles[one.candles["final"] == 1].drop_duplicates(["interval", "open_ms"]).sort_values("open_ms")
        finer = final[final["interval"] == fine]
        length = LENGTH[coarse] * MINUTE
        groups = finer.groupby(finer["open_ms"] // length * length)
        whole_ones = groups.size()[lambda n: n == LENGTH[coarse] // LENGTH[fine]].index
        traded = finer[finer["lots"] > 0].groupby(finer["open_ms"] // length * length)
        expected = traded.agg({"open": "first", "high": "max", "low": "min", "close": "last", "lots": "sum", "quote": "sum"})
        given = final[final["interval"] == coarse].set_index("open_ms")
        common = expected.index.intersection(given.index).intersection(whole_ones)
        if (given["quote"] == -1).all():
            expected = expected.drop(columns="quote")
        pd.testing.assert_frame_equal(given.loc[common, expected.columns], expected.loc[common], check_names=False)
        checked += len(common)
    assert checked > 40


def test_finished_candles_are_seen_soon_after_their_end(series):
    for one in series.values():
        finished = one.candles[one.candles["final"] == 1].drop_duplicates(["interval", "open_ms"])
        end = finished["open_ms"] + finished["interval"].map(LENGTH) * MINUTE
        delay = finished["seen_ms"] - end
        assert delay.min() > 10
        assert delay.median() < 500
        last_update = one.candles[one.candles["final"] == 0].groupby(["interval", "open_ms"])["seen_ms"].max()
        own = finished.set_index(["interval", "open_ms"])["seen_ms"]
        both = own.index.intersection(last_update.index)
        assert (last_update[both] <= own[both]).all()


def test_candles_still_forming_have_no_final_row(series):
    for one in series.values():
        final = one.candles[one.candles["final"] == 1]
        assert (final["open_ms"] + final["interval"].map(LENGTH) * MINUTE <= one.ticks_to).all()
        forming = one.candles[one.candles["open_ms"] + one.candles["interval"].map(LENGTH) * MINUTE > one.ticks_to]
        assert "1d" in set(forming["interval"])


# --- Going on -------------------------------------------------------------------------------------------------------


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


def test_two_steps_give_what_one_gives(small, tmp_path):
    first = generate(tmp_path, hours=0.2, **SMALL)
    assert first.blocks == 2
    # What is not given is taken from the folder.
    second = generate(tmp_path, end="2026-03-02 08:30")
    assert second.blocks == 3
    assert second.end == pd.Timestamp("2026-03-02 08:30", tz="UTC")
    assert contents(tmp_path) == contents(small)
    again = generate(tmp_path, hours=0.1)
    assert (again.blocks, sum(again.rows.values())) == (0, 0)
    assert contents(tmp_path) == contents(small)


@pytest.mark.parametrize("stop_at", [0, 1, 2, 4, 7, 11])
def test_an_interrupted_run_goes_on(small, tmp_path, monkeypatch, stop_at):
    """Wherever writing is broken off, half a file lies about, and the next run makes the archive whole."""
    real, written = writing.write_rows, []

    def break_off(root, table, rows, name):
        if len(written) == stop_at:
            (root / table.name).mkdir(parents=True, exist_ok=True)
            (root / table.name / f".{name}.parquet.partial").write_bytes(b"PAR1 half")
            raise KeyboardInterrupt
        written.append(name)
        return real(root, table, rows, name)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_rows", break_off)
        with pytest.raises(KeyboardInterrupt):
            generate(tmp_path, hours=0.5, **SMALL)
    generate(tmp_path, hours=0.5, **SMALL)
    assert contents(tmp_path) == contents(small)


def test_progress_is_told_block_by_block(tmp_path):
    told = []
    generate(tmp_path, hours=0.3, tables="trade", progress=lambda *n: told.append(n), **SMALL)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_no_reader_takes_the_state_for_data(small):
    assert {p.suffix for table in ("trade", "ticker", "kline", "orderbook") for p in (small / table).rglob("*")} == {".parquet"}
    manifest = read_manifest(small)
    assert manifest.synthetic
    assert "synthetic" in manifest.source.lower()
    assert manifest.clock is None


@pytest.mark.parametrize(
    "other",
    [{"seed": 4}, {"rate": 7.0}, {"block": "5m"}, {"start": "2026-03-02 07:54"}, {"symbols": "BTCUSDT"}, {"tables": "trade"}],
)
def test_other_settings_are_refused(small, other):
    before = contents(small)
    with pytest.raises(ConfigurationError, match=next(iter(other))):
        generate(small, hours=1, **(SMALL | other))
    assert contents(small) == before


def test_a_foreign_archive_is_left_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"source": "mine", "synthetic": false, "schema_version": 1}')
    with pytest.raises(ConfigurationError, match="did not begin"):
        generate(folder, hours=1, **SMALL)
    assert [p.name for p in folder.rglob("*")] == ["manifest.json"]


@pytest.mark.parametrize("name", ["generator.json", "generator_state.npz"])
def test_a_broken_state_is_an_error(tmp_path, name):
    generate(tmp_path, hours=0.1, tables="trade", **SMALL)
    (tmp_path / name).write_bytes(b"\x00 broken")
    with pytest.raises(ConfigurationError, match=name):
        generate(tmp_path, hours=0.5, tables="trade", **SMALL)


# --- Rows -----------------------------------------------------------------------------------------------------------


def test_the_host_does_not_matter(tmp_path):
    """Hash seed and time zone of the process leave no mark."""
    code = (
        "import hashlib, sys; from pathlib import Path; from qalypto_research.local.generator import generate;"
        "root = Path(sys.argv[1]); generate(root, seed=3, hours=0.1, block='6m', rate=20.0);"
        "print(hashlib.sha256(b''.join(p.read_bytes() for p in sorted(root.rglob('*.parquet')))).hexdigest())"
    )
    found = set()
    for zone, hashing in (("UTC", "1"), ("Asia/Tokyo", "2")):
        env = {**os.environ, "TZ": zone, "PYTHONHASHSEED": hashing, "PYTHONPATH": str(SAMPLE.parent)}
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path / hashing)], env=env, capture_output=True, text=True, check=True)
        found.add(run.stdout)
    assert len(found) == 1


def test_another_seed_is_another_market(small, tmp_path):
    generate(tmp_path, hours=0.5, **(SMALL | {"seed": 4}))
    ours, theirs = (pd.read_parquet(root / "trade") for root in (small, tmp_path))
    common = ours.merge(theirs, on=["timestamp", "exchange", "symbol", "price"])
    assert len(common) < 0.05 * len(ours)


def test_trades_do_not_depend_on_the_tables_asked_for(small, tmp_path):
    generate(tmp_path, hours=0.5, tables="trade", **SMALL)
    columns = ["timestamp", "exchange", "symbol", "price", "amount", "side", "trade_id", "_seen"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "trade")[columns], pd.read_parquet(small / "trade")[columns])
    assert {p.parent.name for p in tmp_path.rglob("*.parquet")} == {"trade"}


@pytest.mark.parametrize("table", ["trade", "ticker", "kline", "orderbook"])
def test_arrival_has_one_order(small, table):
    rows = pd.read_parquet(small / table)
    everything = pd.concat([pd.read_parquet(small / t)[["_seen", "_seq"]] for t in ("trade", "ticker", "kline", "orderbook")])
    assert everything["_seq"].is_unique
    event = rows["timestamp"]
    assert (rows["_seen"] > event).all()
    # A series never overtakes itself.
    for _, mine in rows.groupby(["exchange", "symbol"]):
        if table != "kline":
            assert mine.sort_values("timestamp", kind="stable")["_seen"].is_monotonic_increasing


def test_books_and_tickers_show_one_quote(tmp_path):
    """Within the step of a quote the book's best prices are the ticker's, unless there was a trade."""
    generate(tmp_path, hours=0.2, symbols="ETHUSDT", rate=20.0, block="12m", tables=("trade", "ticker", "orderbook"))
    books = pd.read_parquet(tmp_path / "orderbook").sort_values("timestamp")
    tickers, trades = (pd.read_parquet(tmp_path / table) for table in ("ticker", "trade"))
    steps = [rows.assign(step=rows["timestamp"].dt.floor("100ms")) for rows in (books, tickers, trades)]
    both = steps[0].merge(steps[1], on=["exchange", "step"])
    traded = both.merge(steps[2][["exchange", "step"]].drop_duplicates(), on=["exchange", "step"], how="left", indicator=True)
    still = both[(traded["_merge"] == "left_only").to_numpy()]
    assert len(still) > 500
    for side, one in (("bids", "bid"), ("asks", "ask")):
        assert (still[f"{side}_price_0"] == still[f"{one}_price"]).all()
        sized = still[still[f"{one}_size"].notna()]
        assert (sized[f"{side}_size_0"] == sized[f"{one}_size"]).all()
    # Five a second on each exchange.
    assert len(books) == 4 * 5 * 12 * 60
    assert len(json.loads(books["bids_json"].iloc[0])) == 20


def test_trades_use_up_the_book_shown_before_them(tmp_path):
    """Within the step of a quote, trades take the levels of the book one after another, and tickers show what they left."""
    symbols = {"BTCUSDT": 3, "DOTUSDT": 1, "LINKUSDT": 2}
    made = {"symbols": list(symbols), "exchanges": ["binance", "bybit"], "tables": ("trade", "ticker", "orderbook")}
    generate(tmp_path, seed=5, hours=0.1, rate=60.0, block="6m", **made)
    rows = {t: pd.read_parquet(tmp_path / t).sort_values(["_seq"]) for t in ("trade", "ticker", "orderbook")}
    rows = {t: r.assign(t=milliseconds(r["timestamp"]).astype(np.int64)) for t, r in rows.items()}
    walked = taken = shown = unsure = 0
    for key, trades in rows["trade"].groupby(["exchange", "symbol"]):
        scale = 10 ** symbols[key[1]]
        books, tickers = (rows[t][(rows[t]["exchange"] == key[0]) & (rows[t]["symbol"] == key[1])] for t in ("orderbook", "ticker"))
        ids = pd.to_numeric(trades["trade_id"], errors="coerce").fillna(0)
        ordered = trades.assign(n=ids).sort_values(["t", "n", "trade_id"])
        of_step, tickers_of_step = (dict(list(r.groupby(r["t"] // 100))) for r in (ordered, tickers))
        for book in books.itertuples():
            after = of_step.get(book.t // 100, ordered.iloc[:0])
            after = after[after["t"] > book.t]
            told = tickers_of_step.get(book.t // 100, tickers.iloc[:0])
            told = told[told["t"] > book.t]
            if not len(after):
                continue
            left = {
                "buy": [[p, round(q * scale)] for p, q in json.loads(book.asks_json)],
                "sell": [[p, round(q * scale)] for p, q in json.loads(book.bids_json)],
            }
            events = sorted([(r.t, 0, r) for r in after.itertuples()] + [(r.t, 1, r) for r in told.itertuples()], key=lambda e: e[:2])
            for _, kind, row in events:
                if kind == 0:
                    level, lots = left[row.side][0], round(row.amount * scale)
                    assert row.price == level[0]
                    assert lots <= level[1]
                    taken += 1
                    level[1] -= lots
                    if level[1] == 0:
                        left[row.side].pop(0)
                        walked += 1
                        # Behind so many levels as an order may walk, a single lot stands again at once.
                        if lots == 1:
                            unsure += 1
                            break
                else:
                    assert (row.bid_price, row.ask_price) == (left["sell"][0][0], left["buy"][0][0])
                    if not np.isnan(row.bid_size):
                        assert (round(row.bid_size * scale), round(row.ask_size * scale)) == (left["sell"][0][1], left["buy"][0][1])
                    shown += 1
    assert taken > 2_000
    assert walked > 200
    assert shown > 50
    assert unsure < 0.03 * taken


def test_turnover_does_not_depend_on_the_number_of_trades(tmp_path):
    """Ten times the trades are a tenth the size; in the candles before the ticks as well."""
    turnover = {}
    for rate in (10.0, 100.0):
        root = tmp_path / str(rate)
        generate(root, seed=2, hours=2, rate=rate, block="1h", tables=("trade", "kline"), symbols=["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        trades, candles = pd.read_parquet(root / "trade"), pd.read_parquet(root / "kline", filters=[("interval", "==", "1d")])
        final = candles[(candles["is_final"] == 1) & (candles["exchange"] == "binance")]
        days = (final["close"] * final["volume"]).groupby(final["symbol"]).mean()
        ticks = (trades["price"] * trades["amount"]).groupby(trades["symbol"]).sum()
        turnover[rate] = len(trades), ticks, days
    (few, ticks, days), (many, ticks_of_many, days_of_many) = turnover.values()
    assert 7 < many / few < 13
    assert (ticks_of_many / ticks).between(0.6, 1.6).all()
    assert (days_of_many / days).between(0.8, 1.25).all()


def test_asked_for_trades_come_about(tmp_path):
    made = generate(tmp_path, hours=2, trades=200_000, tables="trade", symbols=["BTCUSDT", "SOLUSDT"])
    assert made.rows["trade"] == pytest.approx(200_000, rel=0.25)
    rows = sum(pq.read_metadata(p).num_rows for p in tmp_path.rglob("*.parquet"))
    assert rows == made.rows["trade"]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"seed": -1}, InputError, "seed"),
        ({"seed": True}, InputError, "seed"),
        ({"start": "2026-03-02 12:00:30"}, InputError, "whole minute"),
        ({"start": "soon"}, InputError, "start"),
        ({"end": "2026-03-02 11:00"}, RangeError, "end"),
        ({"end": "2026-03-02 13:00", "hours": 1}, InputError, "not both"),
        ({"hours": 0}, InputError, "hours"),
        ({"hours": float("nan")}, InputError, "hours"),
        ({"rate": -1.0}, InputError, "rate"),
        ({"rate": float("inf")}, InputError, "rate"),
        ({"rate": 1.0, "trades": 5}, InputError, "not both"),
        ({"trades": 0}, InputError, "trades"),
        ({"rate": 100_000.0}, InputError, "shorter"),
        ({"block": "90s"}, InputError, "block"),
        ({"block": "2d"}, InputError, "block"),
        ({"symbols": "BTCUSD"}, UnknownNameError, "BTCUSDT"),
        ({"symbols": []}, InputError, "symbols"),
        ({"exchanges": ["okx", "kraken"]}, UnknownNameError, "kraken"),
        ({"tables": "trades"}, UnknownNameError, "did you mean 'trade'"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, given, error, says):
    with pytest.raises(error, match=says):
        generate(tmp_path / "new", **given)
    assert not (tmp_path / "new").exists()
