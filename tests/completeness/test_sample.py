"""Coverage of the packaged sample: its blemishes, by literals and by pandas over the same Parquet."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

import qalypto_research as qr

NOW = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440}


@pytest.fixture(scope="module")
def there():
    with qr.connect("sample") as con:
        return con.coverage()


@pytest.fixture(scope="module")
def stored(request):
    """Return a function that reads what was seen of a table by now, with pyarrow alone."""
    root = request.config.rootpath

    def read(table):
        files = sorted((root / "data_samples" / table).glob("*.parquet"))
        frame = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files], ignore_index=True)
        return frame[frame["_seen"] <= NOW]

    return read


def of(frame, table):
    """Return the rows of one table."""
    return frame[frame["table"] == table]


def by_series(frame, names, column):
    """Return a column by series, as plain text keys."""
    return {
        tuple(key): value for *key, value in frame[[*names, column]].astype(dict.fromkeys(names, "str")).itertuples(index=False, name=None)
    }


@pytest.mark.parametrize("table", ["trade", "ticker", "kline", "orderbook"])
def test_rows_first_and_last(there, stored, table):
    names = ["exchange", "symbol", "interval"] if table == "kline" else ["exchange", "symbol"]
    grouped = stored(table).groupby(names)["timestamp"].agg(["size", "min", "max"])
    mine = of(there.series, table)
    for ours, theirs in (("rows", "size"), ("first", "min"), ("last", "max")):
        assert by_series(mine, names, ours) == grouped[theirs].to_dict(), ours


def test_repeats(there, stored):
    trades = stored("trade")
    repeated = trades[trades["trade_id"] != ""].duplicated(["exchange", "symbol", "trade_id"]).sum()
    candles = stored("kline")
    finals = candles[candles["is_final"] == 1].duplicated(["exchange", "symbol", "interval", "timestamp"]).sum()
    assert (repeated, finals) == (1, 1)
    repeats = there.series[there.series["duplicated"] > 0]
    assert repeats[["table", "exchange", "symbol", "duplicated"]].to_numpy().tolist() == [
        ["trade", "okx", "XRPUSDT", 1],
        ["kline", "bybit", "ETHUSDT", 1],
    ]
    assert repeats["interval"].tolist()[1:] == ["15m"]


def test_candles(there, stored):
    """Expected, missing and without trades, by reindexing each series on its own grid."""
    candles = stored("kline")
    minutes = candles["interval"].map(MINUTES)
    candles = candles[candles["timestamp"] + pd.to_timedelta(minutes, "min") <= NOW]
    names = ["exchange", "symbol", "interval"]
    expected, missing, empty = {}, {}, {}
    for key, part in candles.groupby(names):
        step = pd.Timedelta(minutes=MINUTES[key[2]])
        grid = pd.date_range(part["timestamp"].min(), NOW - step, freq=step)
        volume = part[part["is_final"] == 1].groupby("timestamp")["volume"].max().reindex(grid)
        expected[key], missing[key], empty[key] = len(grid), volume.isna().sum(), (volume == 0).sum()
    mine = of(there.series, "kline")
    assert by_series(mine, names, "expected") == expected
    assert by_series(mine, names, "missing") == missing
    assert by_series(mine, names, "zero_volume") == empty
    assert (sum(missing.values()), sum(empty.values())) == (30, 102)


def test_holes_of_candles(there):
    holes = of(there.holes, "kline")
    lost = holes[holes["cause"] != "present without trades"]
    assert set(lost["exchange"]) == {"bitget"}
    tally = lost.groupby(["interval", "cause", "from", "to"], observed=True)["bars"].agg(["size", "sum"])
    assert tally.to_records().tolist() == [
        ("1m", "never finalised", utc_ns("12:34"), utc_ns("12:35"), 2, 2.0),
        ("1m", "rows missing", utc_ns("12:34"), utc_ns("12:36"), 8, 16.0),
        ("1m", "rows missing", utc_ns("12:35"), utc_ns("12:36"), 2, 2.0),
        ("5m", "never finalised", utc_ns("12:30"), utc_ns("12:35"), 10, 10.0),
    ]
    running = lost[(lost["interval"] == "1m") & (lost["cause"] == "never finalised")]
    assert running["symbol"].tolist() == ["BTCUSDT", "ETHUSDT"]


def utc_ns(time):
    return pd.Timestamp(f"2026-03-02 {time}", tz="UTC")


def test_bars_of_the_holes_add_up(there):
    sums = there.holes.groupby("cause")["bars"].sum()
    assert sums["rows missing"] + sums["never finalised"] == there.series["missing"].sum()
    assert sums["present without trades"] == there.series["zero_volume"].sum()


@pytest.mark.parametrize("table", ["trade", "ticker", "orderbook"])
def test_the_outage(there, stored, table):
    """All of bitget is silent for over two minutes, and nothing else is."""
    holes = of(there.holes, table)
    assert set(holes["cause"]) == {"silence, all of bitget"}
    rows = stored(table)
    rows = rows[rows["exchange"] == "bitget"]
    expected = {}
    for symbol, part in rows.groupby("symbol"):
        when = part["timestamp"].sort_values(ignore_index=True)
        at = when.diff().argmax()
        expected[symbol] = (when[at - 1], when[at])
    assert {s: (a, b) for s, a, b in zip(holes["symbol"], holes["from"], holes["to"], strict=True)} == expected
    assert len(expected) == 10


def test_when_the_outage_was(there):
    silent = there.holes[there.holes["cause"] == "silence, all of bitget"]
    assert (silent["from"].max(), silent["to"].min()) == (
        pd.Timestamp("2026-03-02 12:34:09.768", tz="UTC"),
        pd.Timestamp("2026-03-02 12:36:19.894", tz="UTC"),
    )
