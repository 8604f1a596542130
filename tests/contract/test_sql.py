"""Answers of ``qr.sql``: rows and columns as selected, dtypes by the contract."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import kline, ticker, trade, utc, write

import qalypto_research as qr

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sql")
    write(folder, "trade", [trade("12:00", 1.5, trade_id="7"), trade("12:01", 2.5, side="sell", symbol="UNIUSDT")])
    write(folder, "ticker", [ticker(f"12:0{m}", 10.0 + m, exchange=e) for m in range(3) for e in ("binance", "okx")])
    write(folder, "kline", [kline("11:00", 42.0, interval="1h", num_trades=None, close_time=None)])
    with qr.connect(folder, at="2026-03-02 12:30") as connection:
        yield connection


def test_a_table_has_the_dtypes_of_the_contract_and_a_plain_index(con):
    frame = con.sql("SELECT * FROM market_data_trade ORDER BY timestamp")
    assert frame.dtypes.map(str).to_dict() == {
        "timestamp": "datetime64[us, UTC]",
        "exchange": "category",
        "symbol": "category",
        "price": "float64",
        "amount": "float64",
        "side": "category",
        "trade_id": "str",
        "is_liquidation": "uint8",
    }
    assert type(frame.index) is pd.RangeIndex
    assert list(frame["timestamp"]) == [utc("12:00"), utc("12:01")]
    assert list(frame["symbol"].cat.categories)[-2:] == ["AVAXUSDT", "UNIUSDT"]


def test_an_empty_answer_has_the_columns_and_dtypes_of_a_full_one(con):
    full = con.sql("SELECT *, toDate(timestamp) AS day, 1 = 1 AS flag FROM market_data_trade WHERE symbol = 'BTCUSDT'")
    empty = con.sql("SELECT *, toDate(timestamp) AS day, 1 = 1 AS flag FROM market_data_trade WHERE symbol = 'none'")
    assert (len(full), len(empty)) == (1, 0)
    assert list(empty.dtypes.items()) == list(full.dtypes.items())


@pytest.mark.parametrize(
    ("expression", "dtype", "value"),
    [
        ("toInt64(9007199254740993)", "int64", 9007199254740993),
        ("toUInt64(18446744073709551615)", "uint64", 18446744073709551615),
        ("toFloat32(0.5)", "float32", 0.5),
        ("'x'", "str", "x"),
        ("toDateTime('2026-03-02 12:00:00', 'UTC')", "datetime64[us, UTC]", utc("12:00")),
        ("toDateTime('2026-03-02 21:00:00', 'Asia/Tokyo')", "datetime64[us, UTC]", utc("12:00")),
        ("toDateTime('2026-03-02 12:00:00')", "datetime64[us, UTC]", utc("12:00")),
        ("toDateTime64('2026-03-02 12:00:00.123456', 6, 'UTC')", "datetime64[us, UTC]", utc("12:00:00.123456")),
        ("toDateTime64('2026-03-02 12:00:00.123456789', 9, 'UTC')", "datetime64[us, UTC]", utc("12:00:00.123456")),
        ("toDate('2026-03-02')", "datetime64[us, UTC]", utc("00:00")),
        ("toLowCardinality('x')", "str", "x"),
        ("CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')", "str", "b"),
    ],
)
def test_types_of_clickhouse_become_those_of_the_contract(con, expression, dtype, value):
    frame = con.sql(f"SELECT {expression} AS x")
    assert (str(frame["x"].dtype), frame["x"].item()) == (dtype, value)


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [("toNullable(toInt32(1))", "float64"), ("toNullable(toInt64(9007199254740993))", "Int64"), ("toNullable(1.5)", "float64")],
)
def test_null_is_missing_without_a_digit_lost(con, expression, dtype):
    frame = con.sql(f"SELECT if(number = 0, NULL, {expression}) AS x FROM numbers(2) ORDER BY number")
    assert str(frame["x"].dtype) == dtype
    assert list(frame["x"].isna()) == [True, False]
    assert frame["x"].iloc[1] in {1, 9007199254740993, 1.5}


def test_null_times_and_texts_are_missing(con):
    frame = con.sql("SELECT close_time, num_trades, nullIf('a', 'a') AS text FROM market_data_kline")
    assert frame.isna().to_numpy().all()
    assert frame.dtypes.map(str).to_list()[:1] == ["datetime64[us, UTC]"]


def test_values_are_bound_never_pasted(con):
    asked = "' OR 1 = 1 --"
    assert con.sql("SELECT count() AS n FROM market_data_trade WHERE symbol = {s:String}", {"s": asked})["n"].item() == 0
    assert con.sql("SELECT {s:String} AS text", {"s": asked})["text"].item() == asked


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (pd.Timestamp("2026-03-02 21:00:00.001", tz="Asia/Tokyo"), "DateTime64(3, 'UTC')", utc("12:00:00.001")),
        (pd.Timestamp("2026-03-02 12:00").to_pydatetime(), "DateTime64(3, 'UTC')", utc("12:00")),
        (np.datetime64("2026-03-02T12:00:00"), "DateTime('UTC')", utc("12:00")),
        (np.float64(0.1), "Float64", 0.1),
        (2**53 + 1, "Int64", 2**53 + 1),
    ],
)
def test_times_and_numbers_are_bound_exactly(con, value, kind, expected):
    assert con.sql(f"SELECT {{v:{kind}}} AS x", {"v": value})["x"].item() == expected


def test_a_list_is_bound_as_an_array(con):
    query = "SELECT count() AS n FROM market_data_ticker WHERE exchange IN {names:Array(String)}"
    assert con.sql(query, {"names": ["okx", "nobody"]})["n"].item() == 3


def test_now_is_the_clock_to_the_microsecond(con):
    assert con.sql("SELECT {now} AS x")["x"].item() == utc("12:30")


# The three queries of the vendor's documentation, its now() written {now}.
RECENT = """
    SELECT
    timestamp,
    exchange,
    symbol,
    price,
    amount,
    side
    FROM market_data.market_data_trade
    WHERE timestamp >= {now} - INTERVAL 1 HOUR
    ORDER BY timestamp DESC
    LIMIT 100
    FORMAT TabSeparated
"""
CANDLES = """-- Get OHLCV data for backtesting
SELECT
 timestamp,
 exchange,
 symbol,
 interval,
 open,
 high,
 low,
 close,
 volume
FROM market_data.market_data_kline
WHERE symbol IN ('BTCUSDT', 'ETHUSDT', 'SOLUSDT')
 AND interval = '1h'
 AND exchange = 'binance'
 AND is_final = 1 -- only finalized candles (no live updates)
 AND timestamp >= {now} - INTERVAL 7 DAY
ORDER BY timestamp ASC"""
COMPARISON = """-- Cross-exchange price comparison
SELECT
 exchange,
 avg(last_price) as avg_price,
 max(last_price) as max_price,
 min(last_price) as min_price,
 count() as updates
FROM market_data.market_data_ticker
WHERE symbol IN ('BTCUSDT', 'ETHUSDT')
 AND timestamp >= {now} - INTERVAL 5 MINUTE
GROUP BY exchange, symbol
ORDER BY avg_price DESC"""


def test_the_documented_query_of_recent_trades_runs(con):
    with pytest.warns(qr.errors.FormatDroppedWarning, match="TabSeparated"):
        frame = con.sql(RECENT)
    assert list(frame["price"]) == [2.5, 1.5]


def test_the_documented_query_of_candles_runs(con):
    assert list(con.sql(CANDLES)["close"]) == [42.0]


def test_the_documented_comparison_of_exchanges_runs(con):
    assert con.sql(COMPARISON).empty
    wider = con.sql(COMPARISON.replace("5 MINUTE", "30 MINUTE").replace("ORDER BY avg_price", "ORDER BY exchange"))
    assert wider.to_dict("list") == {
        "exchange": ["okx", "binance"],
        "avg_price": [11.0, 11.0],
        "max_price": [12.0, 12.0],
        "min_price": [10.0, 10.0],
        "updates": [3, 3],
    }


@pytest.mark.embedded
def test_wall_time_in_a_query_is_warned_of(con):
    with pytest.warns(qr.errors.WallClockWarning, match=r"\{now\}"):
        con.sql("SELECT now() AS x")
