"""What batches cannot use is refused with the call, before the first frame is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("trade", "did you mean 'trades'?"),
        ("market_data_trade", "allowed: trades, tickers, orderbook_tops, klines"),
        ("spreads", "allowed: trades"),
        (None, "allowed"),
        (["trades"], "allowed"),
        ("trades'", "did you mean 'trades'?"),
    ],
)
def test_a_table_is_the_name_of_a_call(con, refused, table, said):
    refused(lambda: con.batches(table, "BTCUSDT", hours=1), "table", said)


@pytest.mark.parametrize("rows", [0, -1, 1.5, 2.0, "5", None, True, math.nan, [5]])
def test_rows_are_a_whole_number_of_at_least_one(con, refused, rows):
    refused(lambda: con.batches("trades", "BTCUSDT", hours=1, rows=rows), "rows", "at least 1")


def test_rows_are_any_kind_of_whole_number(con):
    assert [len(f) for f in con.batches("trades", "BTCUSDT", limit=5, rows=np.int32(3))] == [3, 2]


@pytest.mark.parametrize("table", ["trades", "tickers", "orderbook_tops"])
def test_only_klines_have_an_interval(con, refused, table):
    refused(lambda: con.batches(table, "BTCUSDT", hours=1, interval="1m"), "interval", "belongs to klines")


@pytest.mark.parametrize("table", ["trades", "tickers", "orderbook_tops", "klines"])
@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"symbols": "BTC/USDT"}, "symbols"),
        ({"exchange": "binanse"}, "exchange"),
        ({"columns": "symbl"}, "columns"),
        ({"hours": None}, "start"),
        ({"days": 1}, "days"),
        ({"limit": 0}, "limit"),
        ({"tz": "Mars/Olympus"}, "tz"),
    ],
    ids=str,
)
def test_what_the_single_call_refuses_is_refused(con, refused, table, wrong, argument):
    refused(lambda: con.batches(**({"table": table, "symbols": "BTCUSDT", "hours": 1} | wrong)), argument)


def test_an_interval_that_is_not_there_is_refused(con, refused):
    refused(lambda: con.batches("klines", "BTCUSDT", hours=1, interval="2h"), "interval")
    refused(lambda: con.batches("klines", "BTCUSDT", minutes=30, interval="1h"), "interval", "shorter than one candle")
