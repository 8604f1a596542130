"""The packaged sample: its size, its coverage, its blemishes, and that it can be made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qalypto_research.errors import ConfigurationError
from qalypto_research.local.generator import generate_sample

ROOT = Path(__file__).parents[2] / "data_samples"
TABLES = ("trade", "ticker", "kline", "orderbook")
EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["ADAUSDT", "AVAXUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "DOTUSDT", "ETHUSDT", "LINKUSDT", "SOLUSDT", "XRPUSDT"]
START, END = pd.Timestamp("2026-03-02 12:00", tz="UTC"), pd.Timestamp("2026-03-02 14:00", tz="UTC")
CLOCK = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")
DAYS = {"1m": 1, "5m": 3, "15m": 3, "30m": 3, "1h": 30, "4h": 60, "12h": 60, "1d": 60}
LENGTH = {i: pd.Timedelta(minutes=n) for i, n in zip(DAYS, (1, 5, 15, 30, 60, 240, 720, 1440), strict=True)}
# The connection to one exchange was lost for these minutes: no row of it was seen.
LOST = ("bitget", pd.Timestamp("2026-03-02 12:34:10", tz="UTC"), pd.Timestamp("2026-03-02 12:36:20", tz="UTC"))


def files_of(root: Path) -> dict[str, Path]:
    return {str(p.relative_to(root)): p for p in sorted(root.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(ROOT / name) for name in TABLES}


@pytest.fixture(scope="module")
def finals(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Finished candles, each once."""
    candles = tables["kline"]
    return candles[candles["is_final"] == 1].drop_duplicates(["exchange", "symbol", "interval", "timestamp"])


def test_it_is_small():
    sizes = [p.stat().st_size for p in ROOT.rglob("*") if p.is_file()]
    assert sum(sizes) < 10_000_000
    assert max(sizes) < 3_000_000


def test_it_says_that_it_is_synthetic():
    manifest = json.loads((ROOT / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert "synthetic" in manifest["source"].lower()
    assert pd.Timestamp(manifest["clock"]) == CLOCK
    readme = (ROOT / "README.md").read_text()
    assert "synthetic" in readme
    assert "qalypto generate data_samples --sample" in readme


def test_its_readme_counts_rightly():
    readme = (ROOT / "README.md").read_text()
    for name in TABLES:
        files = list((ROOT / name).rglob("*.parquet"))
        rows, size = sum(pq.read_metadata(p).num_rows for p in files), sum(p.stat().st_size for p in files)
        assert f"| {name} | {rows:,} | {size:,} |" in readme


def test_it_can_be_made_again(tmp_path):
    generate_sample(tmp_path)
    ours, again = files_of(ROOT), files_of(tmp_path)
    assert list(ours) == list(again)
    for name, path in ours.items():
        assert pq.read_table(again[name]).equals(pq.read_table(path)), name
        # The bytes depend on the writer, which the footer names.
        if pq.read_metadata(path).created_by == pq.read_metadata(again[name]).created_by:
            assert again[name].read_bytes() == path.read_bytes(), name
    assert (tmp_path / "manifest.json").read_bytes() == (ROOT / "manifest.json").read_bytes()


def test_it_never_replaces_another_archive(tmp_path):
    (tmp_path / "trade").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "trade" / "mine.parquet")
    with pytest.raises(ConfigurationError, match=r"mine\.parquet"):
        generate_sample(tmp_path)
    assert [p.name for p in tmp_path.rglob("*.parquet")] == ["mine.parquet"]


@pytest.mark.parametrize("table", TABLES)
def test_every_series_is_there(tables, table):
    found = tables[table].groupby(["exchange", "symbol"]).size()
    assert found.index.tolist() == [(e, s) for e in EXCHANGES for s in SYMBOLS]
    if table != "kline":
        within = tables[table]["timestamp"]
        assert within.min() >= START
        assert within.max() < END


def test_trades_are_many_and_not_too_many(tables):
    assert 50_000 < len(tables["trade"]) <= 250_000
    counts = tables["trade"].groupby("symbol").size().sort_values()
    assert set(counts.index[-2:]) == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize("interval", DAYS)
def test_candles_cover_their_days_at_the_clock(finals, interval):
    """So many days back from the sample's clock are whole, on every series but for the outage."""
    length = LENGTH[interval]
    end = CLOCK.floor(length)
    wanted = pd.date_range(end - pd.Timedelta(days=DAYS[interval]), end, freq=length, inclusive="left")
    assert len(wanted) == DAYS[interval] * pd.Timedelta(days=1) // length
    mine = finals[(finals["interval"] == interval) & (finals["_seen"] <= CLOCK)]
    for (exchange, _), candles in mine.groupby(["exchange", "symbol"]):
        missing = wanted.difference(pd.DatetimeIndex(candles["timestamp"]))
        ends = missing + length
        assert len(missing) == 0 or (exchange == LOST[0] and ((ends > LOST[1]) & (ends < LOST[2])).all())


def test_candles_end_with_the_ticks(finals):
    assert (finals["timestamp"] + finals["interval"].map(LENGTH) <= END).all()
    last = finals.groupby(["interval", "exchange", "symbol"])["timestamp"].max()
    for interval, length in LENGTH.items():
        assert (last[interval] == END.floor(length) - length).all()


def test_every_row_says_when_it_was_seen(tables):
    numbers = []
    for name, rows in tables.items():
        event = rows["timestamp"]
        if name == "kline":
            event = event.where(rows["is_final"] == 0, event + rows["interval"].map(LENGTH))
        assert (rows["_seen"] > event).all(), name
        numbers.append(rows[["_seen", "_seq"]])
    arrivals = pd.concat(numbers).sort_values("_seq")
    assert arrivals["_seq"].is_unique
    assert arrivals["_seen"].is_monotonic_increasing


def test_latency_is_as_documented(tables):
    trades = tables["trade"]
    delay = (trades["_seen"] - trades["timestamp"]) / pd.Timedelta(milliseconds=1)
    assert 130 < delay.median() < 230
    assert 300 < delay.quantile(0.95) < 500
    by_exchange = delay.groupby(trades["exchange"]).median()
    assert by_exchange.idxmax() == "okx"


def test_exchanges_lack_the_fields_they_lack(tables):
    def lacking(table: str, column: str) -> set[str]:
        null = tables[table][column].isna().groupby(tables[table]["exchange"]).agg(["all", "any"])
        assert (null["all"] == null["any"]).all(), column
        return set(null.index[null["all"]])

    assert lacking("kline", "num_trades") == {"bitget", "bybit", "okx"}
    assert lacking("kline", "close_time") == {"bitget", "okx"}
    assert lacking("kline", "quote_volume") == {"bitget"}
    assert lacking("ticker", "quote_volume_24h") == {"okx"}
    assert lacking("ticker", "open_24h") == {"bybit"}
    assert lacking("ticker", "open_interest_value") == {"bybit"}
    assert lacking("ticker", "bid_size") == lacking("ticker", "ask_size") == {"bitget"}
    assert lacking("ticker", "funding_rate") == set()


def test_the_documented_comparison_has_rows_everywhere(tables):
    tickers = tables["ticker"]
    recent = tickers[(tickers["timestamp"] >= CLOCK - pd.Timedelta(minutes=5)) & (tickers["_seen"] <= CLOCK)]
    found = recent[recent["symbol"].isin(["BTCUSDT", "ETHUSDT"])].groupby(["exchange", "symbol"]).size()
    assert len(found) == 8
    assert found.min() >= 30


def test_tickers_agree_with_trades_and_with_themselves(tables):
    tickers = tables["ticker"].sort_values("timestamp")
    trades = tables["trade"][["timestamp", "exchange", "symbol", "price", "trade_id"]]
    order = pd.to_numeric(trades["trade_id"], errors="coerce").fillna(0)
    trades = trades.assign(number=order).sort_values(["timestamp", "number", "trade_id"]).drop(columns=["number", "trade_id"])
    joined = pd.merge_asof(tickers, trades, on="timestamp", by=["exchange", "symbol"])
    after_loss = (joined["exchange"] == LOST[0]) & joined["timestamp"].between(LOST[1] - pd.Timedelta("1s"), LOST[2] + pd.Timedelta("5min"))
    checked = joined[joined["price"].notna() & ~after_loss]
    assert len(checked) > 0.95 * len(tickers)
    assert (checked["last_price"] == checked["price"]).all()
    assert (tickers["bid_price"] < tickers["ask_price"]).all()
    assert (tickers["low_24h"] <= tickers["last_price"]).all()
    assert (tickers["last_price"] <= tickers["high_24h"]).all()
    assert (tickers["mark_price"] / tickers["last_price"] - 1).abs().max() < 0.01
    assert (tickers["index_price"] / tickers["last_price"] - 1).abs().max() < 0.01
    until = tickers["next_funding_time"] - tickers["timestamp"]
    assert (tickers["next_funding_time"] == tickers["next_funding_time"].dt.floor("8h")).all()
    assert until.between(pd.Timedelta(0), pd.Timedelta(hours=8), inclusive="right").all()
    assert tickers["funding_rate"].abs().max() < 0.003
    assert tickers["open_interest"].min() > 0


def test_the_last_day_of_a_ticker_is_that_of_the_candles(tables, finals):
    """The 1439 whole minutes before the running one, and the trades of that one."""
    exchange, symbol, digits = "binance", "BTCUSDT", 3

    def mine(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows["exchange"] == exchange) & (rows["symbol"] == symbol)].sort_values("timestamp")

    trades = mine(tables["trade"])
    candles = mine(finals[finals["interval"] == "1m"]).set_index("timestamp")
    for ticker in mine(tables["ticker"]).iloc[::40].itertuples():
        minute = ticker.timestamp.floor("min")
        day = candles.loc[minute - pd.Timedelta(minutes=1439) : minute - pd.Timedelta("1ns")]
        assert len(day) == 1439
        running = trades[(trades["timestamp"] >= minute) & (trades["timestamp"] <= ticker.timestamp)]
        assert ticker.high_24h == max(day["high"].max(), running["price"].max() if len(running) else 0.0)
        assert ticker.open_24h == day["open"].iloc[0]
        lots = np.rint(day["volume"] * 10**digits).sum() + np.rint(running["amount"] * 10**digits).sum()
        assert ticker.volume_24h == lots / 10**digits


def test_books_are_books(tables):
    books = tables["orderbook"]
    assert (books["is_snapshot"] == 1).all()
    for side, sign in (("bids", -1), ("asks", 1)):
        levels = np.array([json.loads(text) for text in books[f"{side}_json"]])
        assert levels.shape == (len(books), 20, 2)
        assert (np.diff(levels[:, :, 0], axis=1) * sign > 0).all()
        assert (levels[:, :, 1] > 0).all()
        assert (levels[:, 0, 0] == books[f"{side}_price_0"]).all()
        assert (levels[:, 0, 1] == books[f"{side}_size_0"]).all()
    assert (books["bids_price_0"] < books["asks_price_0"]).all()
    for _, mine in books.groupby(["exchange", "symbol"]):
        assert mine.sort_values("timestamp")["sequence_id"].astype(np.int64).is_monotonic_increasing


def test_ids_are_each_exchange_s_own(tables):
    trades = tables["trade"].sort_values("timestamp", kind="stable")
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert trades[trades["exchange"] == "bybit"]["trade_id"].str.fullmatch(uuid).all()
    numeric = trades[trades["exchange"] != "bybit"]
    for _, mine in numeric.assign(number=numeric["trade_id"].astype(np.int64)).groupby(["exchange", "symbol"]):
        assert mine.sort_values(["timestamp", "number"])["number"].is_monotonic_increasing


def test_the_blemishes_are_there(tables):
    """An outage, a repeated trade, a repeated finished candle and a late trade: no more, and nowhere else."""
    trades, candles = tables["trade"], tables["kline"]
    lost_exchange, lost_from, lost_to = LOST
    for rows in tables.values():
        seen = rows.loc[rows["exchange"] == lost_exchange, "_seen"]
        assert not ((seen >= lost_from) & (seen < lost_to)).any()
    repeated = trades[trades.duplicated(["exchange", "symbol", "trade_id"], keep=False)]
    assert len(repeated) == 2
    assert repeated["exchange"].unique().tolist() == ["okx"]
    assert len(repeated.drop(columns=["_seen", "_seq"]).drop_duplicates()) == 1
    finished = candles[candles["is_final"] == 1]
    assert finished.duplicated(["exchange", "symbol", "interval", "timestamp"]).sum() == 1
    delay = trades["_seen"] - trades["timestamp"]
    late = trades[delay > pd.Timedelta(seconds=30)]
    assert late["exchange"].tolist() == ["binance"]


def test_no_hour_of_bitcoin_is_missing(finals):
    hours = finals[(finals["symbol"] == "BTCUSDT") & (finals["interval"] == "1h")]
    for _, mine in hours.groupby("exchange"):
        opens = mine["timestamp"].sort_values()
        assert (opens.diff().dropna() == pd.Timedelta(hours=1)).all()
        assert len(opens) == 722
