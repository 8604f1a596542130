"""Arrow into frames: dictionaries, nulls, growth and ownership."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qalypto_research.engine.frames import FrameBuilder
from qalypto_research.schema.frames import KLINES, SPREADS, TICKERS, TRADES

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]


def times(count, start=0, unit="ms", tz="UTC"):
    return pa.array(range(start, start + count), pa.timestamp(unit, tz))


def named(codes, names):
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8() if len(names) < 120 else pa.int16()), pa.array(names))


def columns(frame, *names):
    return [c for c in frame.columns if c.name in names]


def build(cols, *tables, capacity=0):
    builder = FrameBuilder(cols, capacity)
    for table in tables:
        builder.append(table)
    return builder.finish()


def test_the_blank_that_clickhouse_puts_into_every_dictionary_is_no_category():
    table = pa.table({"timestamp": times(2), "symbol": named([1, 2], ["", "ETHUSDT", "BTCUSDT"])})
    symbols = build(columns(TRADES, "symbol"), table)["symbol"]
    assert list(symbols) == ["ETHUSDT", "BTCUSDT"]
    assert list(symbols.cat.categories) == SYMBOLS


def test_a_blank_that_is_there_is_kept():
    table = pa.table({"timestamp": times(2), "symbol": named([0, 1], ["", "BTCUSDT"])})
    symbols = build(columns(TRADES, "symbol"), table)["symbol"]
    assert list(symbols) == ["", "BTCUSDT"]
    assert list(symbols.cat.categories) == [*SYMBOLS, ""]


def test_chunks_and_tables_with_dictionaries_of_their_own_agree():
    chunks = pa.chunked_array([named([0, 1], ["ZZZ", "BTCUSDT"]), named([1, 0], ["ETHUSDT", "AAA"])])
    first = pa.table({"timestamp": times(4), "symbol": chunks})
    second = pa.table({"timestamp": times(2, 4), "symbol": named([0, 1], ["AAA", "MMM"])})
    symbols = build(columns(TRADES, "symbol"), first, second)["symbol"]
    assert list(symbols) == ["ZZZ", "BTCUSDT", "AAA", "ETHUSDT", "AAA", "MMM"]
    assert list(symbols.cat.categories) == [*SYMBOLS, "AAA", "MMM", "ZZZ"]


@pytest.mark.parametrize("count", [118, 130, 300, 30_000])
def test_any_number_of_names_beyond_the_documented_is_held(count):
    names = [f"N{i:06d}" for i in range(count)]
    table = pa.table(
        {"timestamp": times(count), "symbol": pa.DictionaryArray.from_arrays(pa.array(range(count), pa.int32()), pa.array(names))}
    )
    symbols = build(columns(TRADES, "symbol"), table)["symbol"]
    assert list(symbols) == names
    assert not symbols.isna().any()


def test_null_is_missing_and_nan_stays():
    table = pa.table(
        {
            "timestamp": times(3),
            "open": pa.array([1.5, math.nan, None]),
            "num_trades": pa.array([7, None, -1], pa.int32()),
            "close_time": pa.array([5, None, 6], pa.timestamp("ms", "Etc/UTC")),
            "is_final": pa.array([1, 0, 1], pa.uint8()),
        }
    )
    frame = build(columns(KLINES, "open", "num_trades", "close_time", "is_final"), table)
    np.testing.assert_array_equal(frame["open"], [1.5, math.nan, math.nan])
    np.testing.assert_array_equal(frame["num_trades"], [7.0, math.nan, -1.0])
    assert list(frame["close_time"].isna()) == [False, True, False]
    assert frame["close_time"].iloc[2] == pd.Timestamp("1970-01-01 00:00:00.006", tz="UTC")
    assert list(frame["is_final"]) == [True, False, True]
    assert frame.dtypes.map(str).to_dict() == {
        "open": "float64",
        "num_trades": "float64",
        "close_time": "datetime64[us, UTC]",
        "is_final": "bool",
    }


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_times_of_any_unit_are_microseconds(unit):
    frame = build(columns(TRADES, "price"), pa.table({"timestamp": times(2, 5, unit), "price": [1.0, 2.0]}))
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert [t.value // 1_000 for t in frame.index] == [n * {"s": 10**6, "ms": 10**3, "us": 1}[unit] for n in (5, 6)]


@pytest.mark.parametrize("capacity", [0, 1, 7, 10, 1_000])
def test_more_rows_than_expected_and_fewer_are_right(capacity):
    cols = columns(TICKERS, "symbol", "last_price", "next_funding_time")
    tables = [
        pa.table(
            {
                "timestamp": times(n, s),
                "symbol": named([0] * n, ["BTCUSDT"]),
                "last_price": np.arange(s, s + n, dtype=float),
                "next_funding_time": times(n, s),
            }
        )
        for s, n in ((0, 4), (4, 0), (4, 5), (9, 1))
    ]
    frame = build(cols, *tables, capacity=capacity)
    assert frame["last_price"].tolist() == [float(n) for n in range(10)]
    assert [t.value // 10**6 for t in frame.index] == list(range(10))
    assert [t.value // 10**6 for t in frame["next_funding_time"]] == list(range(10))


@pytest.mark.parametrize("beyond", ["bitmex", "zeta"])
def test_a_name_that_is_not_there_is_nan_beside_names_beyond_the_documented(beyond):
    """Nobody asks, then a venue that comes before or after another one unknown: codes are set anew at the end."""
    cols = columns(SPREADS, "bid_exchange", "exchanges")
    tables = [
        pa.table({"timestamp": times(3), "bid_exchange": named([1, None, 2], ["", "okx", "kraken"]), "exchanges": pa.array([2, 0, 1])}),
        pa.table({"timestamp": times(2, 3), "bid_exchange": named([None, 0], [beyond]), "exchanges": pa.array([7, 8])}),
    ]
    frame = build(cols, *tables)
    assert [x if isinstance(x, str) else None for x in frame["bid_exchange"]] == ["okx", None, "kraken", None, beyond]
    assert list(frame["bid_exchange"].cat.categories) == ["binance", "bitget", "bybit", "okx", *sorted(["kraken", beyond])]
    assert frame["exchanges"].tolist() == [2, 0, 1, 7, 8]
    assert frame["exchanges"].dtype == np.int64


def test_nothing_appended_is_an_empty_frame():
    frame = FrameBuilder(TRADES.columns, 5).finish()
    assert len(frame) == 0
    assert frame.dtypes.map(str).to_dict() == {
        "exchange": "category",
        "symbol": "category",
        "price": "float64",
        "amount": "float64",
        "side": "category",
        "trade_id": "str",
        "is_liquidation": "bool",
    }
