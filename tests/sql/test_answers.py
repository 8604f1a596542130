"""Answers of `qr.sql`: ClickHouse's types as a frame, and its errors in our words."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr


def utc(text):
    return pd.Timestamp(text, tz="UTC")


TIME = "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("expression", "dtype", "expected"),
    [
        ("toDateTime(0)", TIME, utc("1970-01-01")),
        ("toDateTime(4294967295)", TIME, utc("2106-02-07 06:28:15")),
        ("toDateTime64('1905-01-01', 0, 'UTC')", TIME, utc("1905-01-01")),
        ("toDateTime64('2290-01-01 00:00:00.5', 1, 'UTC')", TIME, utc("2290-01-01 00:00:00.5")),
        ("toDateTime64('2026-03-02 12:00:00.123', 3, 'America/New_York')", TIME, utc("2026-03-02 17:00:00.123")),
        ("toDate32('2290-03-02')", TIME, utc("2290-03-02")),
        ("CAST('a', 'Enum8(\\'a\\' = 1, \\'b\\' = -2)')", "str", "a"),
        ("CAST('it\\'s, ok = 1', 'Enum16(\\'it\\\\\\'s, ok = 1\\' = -300)')", "str", "it's, ok = 1"),
        ("CAST('a\\\\b', 'Enum8(\\'a\\\\\\\\b\\' = 1)')", "str", "a\\b"),
        ("toLowCardinality(toNullable('x'))", "str", "x"),
        ("CAST('x', 'LowCardinality(FixedString(2))')", "object", b"x\0"),
        ("toFixedString('ab', 4)", "object", b"ab\0\0"),
        ("9007199254740993 :: Nullable(Int64)", "int64", 9007199254740993),
        ("18446744073709551615", "uint64", 18446744073709551615),
        ("toInt128('-170141183460469231731687303715884105728')", "object", -(2**127)),
        ("toUInt128('340282366920938463463374607431768211455')", "object", 2**128 - 1),
        ("toInt256('-5')", "object", -5),
        ("toUInt256('5')", "object", 5),
        ("CAST(NULL, 'Nullable(Int128)')", "object", None),
        ("toDecimal64('1.25', 2)", "object", decimal.Decimal("1.25")),
        ("toDecimal256('1.25', 40)", "object", decimal.Decimal("1.25")),
        ("toUUID('00000000-0000-0000-0000-000000000005')", "object", uuid.UUID(int=5)),
        ("toIPv4('1.2.3.4')", "uint32", 16909060),
        ("true", "bool", True),
        ("CAST(NULL, 'Nullable(Bool)')", "object", None),
        ("(1, 'a')", "object", {"1": 1, "2": "a"}),
        ("map('a', 1)", "object", [("a", 1)]),
        ("NULL", "object", None),
        ("toFloat32(0.5)", "float32", 0.5),
        ("nan", "float64", None),
        ("CAST(NULL, 'Nullable(Enum8(\\'a\\' = 1))')", "str", None),
        ("CAST(NULL, 'Nullable(Date)')", TIME, None),
        ("CAST(NULL, 'Nullable(DateTime)')", TIME, None),
        ("CAST('12:30:00', 'Time')", "object", dt.time(12, 30)),
    ],
)
def test_a_type_of_clickhouse_becomes_that_of_the_frame(con, expression, dtype, expected):
    (column,) = (con.sql(f"SELECT {expression} AS x")["x"],)
    assert str(column.dtype) == dtype
    assert pd.isna(column[0]) if expected is None else column[0] == expected


@pytest.mark.parametrize(
    ("expression", "expected"), [("[1, 2]", [1, 2]), ("['a', '']", ["a", ""]), ("emptyArrayString()", []), ("[[1], [2, 3]]", [[1], [2, 3]])]
)
def test_arrays_are_arrays(value, expression, expected):
    assert [list(v) if isinstance(v, np.ndarray) else v for v in value(f"SELECT {expression} AS x")] == expected


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ("[toInt8(-1), NULL]", "float64", [-1.0, None]),
        ("[toUInt32(4294967295), NULL]", "float64", [4294967295.0, None]),
        ("[9223372036854775807 :: Int64, NULL]", "Int64", [9223372036854775807, None]),
        ("[18446744073709551615, NULL]", "UInt64", [18446744073709551615, None]),
        ("[0.5, NULL]", "float64", [0.5, None]),
        ("['', NULL]", "str", ["", None]),
    ],
)
def test_null_costs_no_digit(con, values, dtype, expected):
    column = con.sql(f"SELECT arrayJoin({values}) AS x")["x"]
    assert str(column.dtype) == dtype
    assert [None if pd.isna(v) else v for v in column] == expected


def test_columns_of_one_name_both_come(con):
    frame = con.sql("SELECT price, price, 1, 1 FROM market_data_trade LIMIT 3")
    assert list(frame.columns) == ["price", "price", "1", "1"]
    assert frame.shape == (3, 4)


def test_names_are_categories_and_what_is_called_so_but_is_no_text_is_not(con):
    frame = con.sql("SELECT 'zeta' AS exchange, 5 AS symbol, CAST(NULL, 'Nullable(String)') AS side, '7m' AS interval")
    assert frame.dtypes.map(str).to_dict() == {"exchange": "category", "symbol": "uint8", "side": "category", "interval": "category"}
    assert list(frame["exchange"].cat.categories) == ["binance", "bitget", "bybit", "okx", "zeta"]
    assert list(frame["side"].cat.categories) == ["buy", "sell"]


def test_rows_of_totals_and_of_rollups_are_as_clickhouse_gives_them(con):
    frame = con.sql("SELECT symbol, count() AS n FROM market_data_trade GROUP BY ROLLUP(symbol) ORDER BY n DESC")
    assert len(frame) == 11
    assert frame["n"].iloc[1:].sum() == frame["n"].iloc[0]


def test_an_answer_is_the_users_own(con):
    frame = con.sql("SELECT number AS a, toString(number) AS b, toDateTime(number) AS c FROM numbers(3)")
    frame.loc[0, "a"] = 7
    frame.loc[0, "b"] = "x"
    frame.loc[0, "c"] = utc("2026-03-02")
    assert frame["a"].tolist() == [7, 1, 2]


def test_bytes_that_are_no_text_are_an_error_with_the_way_out(con):
    with pytest.raises(qr.errors.QueryError, match=r"column 'x' .*UTF-8; select hex\(x\) or base64Encode\(x\)"):
        con.sql("SELECT unhex('ff') AS x")
    assert con.sql("SELECT hex(unhex('ff')) AS x")["x"].tolist() == ["FF"]


# --- Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("SELECT 1 +", 62, "Syntax error: at the end of the query"),
        ("SELECT a b c FROM x", 62, "Syntax error: at 'c FROM x'"),
        ("SELECT (1", 62, "unmatched parentheses"),
        ("SELECT /* abc", 62, "comment is not closed"),
        ("SELECT $$abc", 62, r"at '\$\$abc'"),
        ("SELECT nope FROM market_data_trade", 47, "Unknown expression identifier `nope`"),
        ("SELECT nope()", 46, "nope"),
        ("SELECT * FROM nope", 60, "nope"),
        ("SELECT throwIf(1)", 395, "throwIf"),
        ("SELECT 1 AS a, 2 AS a", 179, "Multiple expressions"),
        ("SELECT toInt8('x')", 6, "Cannot parse string 'x' as Int8"),
        ("SELECT 1 SETTINGS readonly = 0", 164, "Cannot modify 'readonly' setting.*qr.sql reads only"),
        ("SELECT 1 SETTINGS nope = 1", 115, "nope"),
    ],
)
def test_an_error_of_clickhouse_is_short_and_says_code_and_query(con, query, code, said):
    with pytest.raises(qr.errors.QueryError, match=said) as caught:
        con.sql(query)
    error = caught.value
    message = str(error)
    assert error.code == code
    assert message.endswith(f" [code {code}] [query {error.query_id}]")
    assert len(error.query_id) == 32
    assert len(message) < 500
    assert not [noise for noise in ("DB::Exception", "ArrowStream", "version", "DESCRIBE", "In scope", "Stack trace") if noise in message]
    assert error.__cause__ is not None


@pytest.mark.parametrize("rows", [10, 3_000_000])
def test_what_a_failed_query_had_answered_so_far_is_not_the_next_answer(con, rows):
    """A handle of the embedded engine gives what was left in it to the next statement."""
    for attempt in range(3):
        with pytest.raises(qr.errors.QueryError):
            con.sql(f"SELECT number AS stale, throwIf(number = {rows - 1}) AS t FROM numbers({rows + 1})")
        frame = con.sql(f"SELECT {attempt} AS fresh")
        assert frame.to_dict("list") == {"fresh": [attempt]}
