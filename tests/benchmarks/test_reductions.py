"""`qr.orderbooks` and `qr.klines` against downloading the rows and doing the same in Python."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import clickhouse_connect
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest
from benchmarks.archives import EXCHANGES, SYMBOLS
from benchmarks.measure import interleaved, ratios, report
from clickhouse_connect.driver.client import Client

import qalypto_research as qr

DEPTH = 10

BOOKS = """
    SELECT timestamp, exchange, symbol, bids_json, asks_json, is_snapshot, sequence_id FROM bench.orderbook
    ORDER BY timestamp, exchange, symbol
"""

CANDLES = """
    SELECT timestamp, exchange, symbol, interval, open, high, low, close, volume, quote_volume, num_trades, close_time, is_final
    FROM bench.kline WHERE interval = '1m'
"""

COLUMNS = {
    "orderbook": "timestamp DateTime64(3, 'UTC'), exchange String, symbol String, bids_json String, asks_json String, is_snapshot UInt8, "
    "sequence_id String",
    "kline": "timestamp DateTime64(3, 'UTC'), exchange String, symbol String, interval String, open Float64, high Float64, low Float64, "
    "close Float64, volume Float64, quote_volume Nullable(Float64), num_trades Nullable(Int32), "
    "close_time Nullable(DateTime64(3, 'UTC')), is_final UInt8",
}

NAMES = {
    "exchange": EXCHANGES,
    "symbol": SYMBOLS,
    "interval": ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d"),
}


@pytest.fixture(scope="module")
def client(books_archive: Path, klines_archive: Path) -> Iterator[Client]:
    """Yield a plain client with plain tables over the same files."""
    with clickhouse_connect.get_client(interface="chdb", path=":memory:") as plain:
        plain.command("CREATE DATABASE bench")
        for table, folder in {"orderbook": books_archive, "kline": klines_archive}.items():
            plain.command(f"CREATE TABLE bench.{table} ({COLUMNS[table]}) ENGINE = File(Parquet, '{folder}/{table}/*.parquet')")
        yield plain


def to_contract(df: pd.DataFrame, flag: str) -> pd.DataFrame:
    """Convert index, names and the flag."""
    named = {name: pd.CategoricalDtype(pd.Index(values, dtype="str")) for name, values in NAMES.items() if name in df}
    df = df.astype(named | {flag: bool})
    return df.set_index(pd.DatetimeIndex(df.pop("timestamp")).tz_convert("UTC").as_unit("us").rename("timestamp"))


def assert_same(ours: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert ours.dtypes.equals(expected.dtypes)
    assert ours.index.equals(expected.index)
    assert ours.equals(expected)


def levels(texts: pa.ChunkedArray) -> np.ndarray:
    """Return the first levels of a side, NaN beyond the last."""
    books = [orjson.loads(text)[:DEPTH] for text in texts.to_pylist()]
    wide = np.full((len(books), DEPTH, 2), np.nan)
    counts = np.fromiter(map(len, books), np.int64, len(books))
    numbers = np.fromiter(chain.from_iterable(chain.from_iterable(books)), np.float64, 2 * int(counts.sum()))
    wide[np.arange(DEPTH) < counts[:, None]] = numbers.reshape(-1, 2)
    return wide


def books_in_python(client: Client) -> pd.DataFrame:
    table = client.query_arrow(BOOKS, use_strings=True)
    gc.disable()  # millions of small lists, and none in a cycle: it takes several times as long with the collector
    try:
        sides = {side: levels(table.column(f"{side}s_json")) for side in ("bid", "ask")}
    finally:
        gc.enable()
    data = {name: table.column(name).to_pandas() for name in ("timestamp", "exchange", "symbol")}
    for level in range(DEPTH):
        for side in ("bid", "ask"):
            data |= {f"{side}_{field}_{level}": sides[side][:, level, place].copy() for place, field in enumerate(("price", "size"))}
    data |= {name: table.column(name).to_pandas() for name in ("is_snapshot", "sequence_id")}
    return to_contract(pd.DataFrame(data, copy=False).astype({"sequence_id": "str"}), "is_snapshot")


def candles_in_pandas(client: Client) -> pd.DataFrame:
    df = client.query_arrow(CANDLES, use_strings=True).to_pandas()
    key = ["timestamp", "exchange", "symbol"]
    df = df.sort_values([*key, "is_final", "volume"]).drop_duplicates(key, keep="last")
    df = df[df["is_final"] == 1].astype({"num_trades": "float64", "close_time": "datetime64[us, UTC]"})
    return to_contract(df, "is_final")


def test_order_books_level_by_level(books_archive: Path, client: Client) -> None:
    with qr.connect(books_archive) as con:

        def ours() -> pd.DataFrame:
            return con.orderbooks(list(SYMBOLS), depth=DEPTH, exchange="all", start="2026-03-02")

        assert len(ours()) == 300_000
        assert_same(ours(), books_in_python(client))
        seconds = interleaved(ours=ours, python=lambda: books_in_python(client))
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.orderbooks / query_arrow and orjson", ratios(seconds, "ours", "python"), 0.5)


def test_candles_out_of_ten_updates_each(klines_archive: Path, client: Client) -> None:
    with qr.connect(klines_archive) as con:

        def ours() -> pd.DataFrame:
            return con.klines(list(SYMBOLS), "1m", exchange="all", start="2026-03-02")

        assert len(ours()) == 288_000
        assert_same(ours(), candles_in_pandas(client))
        seconds = interleaved(ours=ours, python=lambda: candles_in_pandas(client))
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.klines / query_arrow and pandas", ratios(seconds, "ours", "python"), 0.6)
