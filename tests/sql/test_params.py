"""Bound values of `qr.sql`, of every kind."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedEngine

TOKYO = ZoneInfo("Asia/Tokyo")


def utc(text):
    return pd.Timestamp(text, tz="UTC")


@settings(max_examples=50)
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_any_text_comes_back_as_it_was(con, text):
    assert con.sql("SELECT {a:String} AS a", {"a": text})["a"].tolist() == [text]


@settings(max_examples=30)
@given(texts=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), max_size=4))
def test_any_list_of_text_comes_back_as_it_was(con, texts):
    assert list(con.sql("SELECT {a:Array(String)} AS a", {"a": texts})["a"][0]) == texts


@pytest.mark.parametrize(
    ("kind", "given_", "expected"),
    [
        (
            "String",
            "it's \"x\" \\ ; -- {b:String} \n\t'; DROP TABLE market_data_trade",
            "it's \"x\" \\ ; -- {b:String} \n\t'; DROP TABLE market_data_trade",
        ),
        ("String", "", ""),
        ("Nullable(String)", None, None),
        ("Nullable(Float64)", None, None),
        ("Nullable(Float64)", pd.NA, None),
        ("Nullable(DateTime64(3, 'UTC'))", pd.NaT, None),
        ("Nullable(DateTime64(3, 'UTC'))", np.datetime64("NaT"), None),
        ("UInt8", True, 1),
        ("UInt8", np.False_, 0),
        ("Bool", True, True),
        ("Int64", -(2**63), -(2**63)),
        ("UInt64", 2**64 - 1, 2**64 - 1),
        ("Int64", np.int64(2**53 + 1), 2**53 + 1),
        ("Float64", np.float64(0.1), 0.1),
        ("Float64", 1e-300, 1e-300),
        ("Float64", math.inf, math.inf),
        ("Float64", np.float32(0.5), 0.5),
        ("Decimal(38, 20)", "0.10000000000000000001", decimal.Decimal("0.10000000000000000001")),
        ("DateTime64(3, 'UTC')", dt.datetime(2026, 3, 2, 12), utc("2026-03-02 12:00")),  # noqa: DTZ001 - naive is UTC
        ("DateTime64(3, 'UTC')", dt.datetime(2026, 3, 2, 12, tzinfo=TOKYO), utc("2026-03-02 03:00")),
        ("DateTime64(6, 'UTC')", pd.Timestamp("2026-03-02 12:00:00.000001", tz="Asia/Tokyo"), utc("2026-03-02 03:00:00.000001")),
        ("DateTime64(3)", np.datetime64("2026-03-02T12:00"), utc("2026-03-02 12:00")),
        ("DateTime", utc("2026-03-02 12:00"), utc("2026-03-02 12:00")),
        ("Date", dt.date(2026, 3, 2), utc("2026-03-02")),
        ("Date32", dt.date(1930, 3, 2), utc("1930-03-02")),
        ("Enum8('x' = 1)", "x", "x"),
    ],
)
def test_a_value_comes_back_as_it_was(value, kind, given_, expected):
    found = value(f"SELECT {{a:{kind}}} AS a", {"a": given_})
    assert pd.isna(found) if expected is None else found == expected


@pytest.mark.parametrize(
    ("kind", "given_", "expected"),
    [
        ("Array(String)", ["it's", "\\", ""], ["it's", "\\", ""]),
        ("Array(String)", (), []),
        ("Array(Int64)", {5}, [5]),
        ("Array(Float64)", np.array([1.5, -2.0]), [1.5, -2.0]),
        ("Array(Int64)", pd.Series([1, 2]), [1, 2]),
        ("Array(String)", pd.Index(["a"]), ["a"]),
        ("Array(UInt8)", [True, False], [1, 0]),
        ("Array(Nullable(String))", ["x", None], ["x", None]),
        ("Array(DateTime64(3, 'UTC'))", [dt.datetime(2026, 3, 2, tzinfo=TOKYO)], [np.datetime64("2026-03-01T15:00")]),
    ],
)
def test_a_collection_is_bound_as_an_array(value, kind, given_, expected):
    assert list(value(f"SELECT {{a:{kind}}} AS a", {"a": given_})) == expected


def test_lists_and_times_filter_rows(con):
    query = (
        "SELECT DISTINCT symbol FROM market_data_trade "
        "WHERE symbol IN {names:Array(String)} AND timestamp >= {since:DateTime64(3, 'UTC')} ORDER BY symbol"
    )
    frame = con.sql(query, {"names": ["ETHUSDT", "BTCUSDT", "x' OR '1'='1"], "since": pd.Timestamp("2026-03-02 21:30", tz=TOKYO)})
    assert list(frame["symbol"]) == ["BTCUSDT", "ETHUSDT"]


def test_a_value_that_looks_like_a_slot_is_a_value(con):
    frame = con.sql("SELECT {a:String} AS x, {b:String} AS y", MappingProxyType({"a": "{b:String}", "b": "{a:String} {now}"}))
    assert frame.iloc[0].tolist() == ["{b:String}", "{a:String} {now}"]


@pytest.mark.parametrize("text", ["1) UNION ALL SELECT 2 --", "x", "1; DROP TABLE t", ""])
def test_text_in_the_place_of_a_number_is_an_error_not_sql(con, text):
    with pytest.raises(qr.errors.QueryError, match=r"cannot be parsed|Cannot|expected|Attempt"):
        con.sql("SELECT {a:Int64} AS a", {"a": text})


@pytest.mark.parametrize(
    ("query", "params", "said"),
    [
        ("SELECT {a:String}", None, r"'a' is used in the query and not given"),
        ("SELECT {a:String}", {"A": 1}, r"'a' is used in the query and not given"),
        ("SELECT 1", {"a": 1}, r"'a' is not used in the query; write \{a:Type\}"),
        ("SELECT '{a:String}'", {"a": 1}, r"'a' is not used"),
        ("SELECT {a:String}", {"a": "", "b": 1}, r"'b' is not used"),
        ("SELECT 1", {1: 1, "b": 2}, r"1 is not used"),
        ("SELECT {now}", {"now": 1}, r"'now' is the connection's clock and cannot be given"),
        ("SELECT 1", {"now": 1}, r"'now' is the connection's clock"),
        ("SELECT {a:String}", {"a": None}, r"'a' is None.*write \{a:Nullable\(String\)\}"),
        ("SELECT {a:Float64}", {"a": pd.NaT}, r"'a' is None.*Nullable\(Float64\)"),
        *[
            ("SELECT {a:String}", {"a": odd}, rf"'a' is a {type(odd).__name__}")
            for odd in (object(), {"x": 1}, b"x", uuid.UUID(int=1), 1j, dt.timedelta(1))
        ],
        ("SELECT {a:Array(String)}", {"a": [object()]}, r"'a' is a object"),
        *[("SELECT {a:String}", odd, "is not a mapping") for odd in ([1], "a", 5, [("a", 1)], 0, "")],
    ],
)
def test_params_that_do_not_fit_are_refused_and_never_sent(con, monkeypatch, query, params, said):
    sent = []
    monkeypatch.setattr(EmbeddedEngine, "execute", lambda _, sql, *__: sent.append(sql))
    with pytest.raises(qr.errors.InputError, match=f"^params: .*{said}") as caught:
        con.sql(query, params)
    assert caught.value.argument == "params"
    assert sent == []


def test_a_slot_without_a_type_is_refused_with_how_to_write_it(con):
    with pytest.raises(qr.errors.InputError, match=r"^query: \{a\} has no type; write \{a:String\}"):
        con.sql("SELECT {a}", {"a": 1})


def test_one_value_may_be_used_twice(value):
    assert value("SELECT {a:Int8} + {a:Int8} AS s", {"a": 4}) == 8
