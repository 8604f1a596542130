"""Recorded order books: tops as stored; nothing is rebuilt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

SERIES = [
    ("binance_spot_20240808", "binance", "ETHUSDT"),
    ("bybit_linear_20210417", "bybit", "ADAUSDT"),
    ("bybit_linear_20210417", "bybit", "DOTUSDT"),
    ("bybit_linear_xrp_book_20241201", "bybit", "XRPUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "DASHUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "UNIUSDT"),
]
TOP20 = {"binance_spot_20240808": "orderbook_top20_1s"}
NAMES = {"bid_price": "bids_price_0", "ask_price": "asks_price_0", "bid_size": "bids_size_0", "ask_size": "asks_size_0"}

each_series = pytest.mark.parametrize(("name", "exchange", "symbol"), SERIES, ids=[f"{n}-{s}" for n, _, s in SERIES])


def check_against(tops, stored, truth):
    expected = stored.sort_values("timestamp", kind="stable")
    assert len(tops) == truth["rows"] == len(expected)
    assert (tops.index[0], tops.index[-1]) == (pd.Timestamp(truth["first_ts"]), pd.Timestamp(truth["last_ts"]))
    assert tops["is_snapshot"].sum() == truth["snapshots"]
    assert list(tops.index) == list(expected["timestamp"])
    for column, source in NAMES.items():
        np.testing.assert_array_equal(tops[column].to_numpy(), expected[source].to_numpy(), err_msg=column)
    assert list(tops["sequence_id"]) == list(expected["sequence_id"])
    assert list(tops["is_snapshot"]) == list(expected["is_snapshot"] == 1)


@each_series
def test_messages_as_received_come_out_as_stored(case, name, exchange, symbol):
    one = case(name)
    stored = one.stored("market_data_orderbook")
    tops = one.con.orderbook_tops(symbol, limit=5_000)
    check_against(tops, stored[stored["symbol"] == symbol], one.truths("market_data_orderbook")[f"{exchange}/{symbol}"])


@each_series
def test_updates_have_no_top_and_the_snapshot_has_one(case, name, exchange, symbol):
    tops = case(name).con.orderbook_tops(symbol, limit=5_000)
    updates = tops[~tops["is_snapshot"]]
    assert updates[list(NAMES)].isna().to_numpy().all()
    assert tops.loc[tops["is_snapshot"], list(NAMES)].notna().to_numpy().all()
    assert len(updates) == len(tops) - 1


@each_series
def test_messages_of_one_side_are_there_as_json(case, name, exchange, symbol):
    one = case(name)
    query = "SELECT countIf(bids_json = '[]' OR asks_json = '[]') AS n FROM market_data_orderbook WHERE symbol = {s:String}"
    truth = one.truths("market_data_orderbook")[f"{exchange}/{symbol}"]
    assert one.con.sql(query, {"s": symbol})["n"].item() == truth["one_sided_messages"]


@each_series
def test_books_of_twenty_levels_have_the_tops_known_of_them(case, as_books, name, exchange, symbol):
    one = case(name)
    file = TOP20.get(name, "orderbook_top20")
    truth = one.truths(file)[f"{exchange}/{symbol}"]
    tops = as_books(name, f"{file}.parquet").orderbook_tops(symbol, limit=5_000)
    stored = one.stored(file)
    check_against(tops, stored[stored["symbol"] == symbol], truth)
    last = tops.iloc[-1]
    assert (last["bid_price"], last["bid_size"]) == (truth["final_best_bid"], truth["final_best_bid_size"])
    assert (last["ask_price"], last["ask_size"]) == (truth["final_best_ask"], truth["final_best_ask_size"])
    assert (tops["bid_price"] >= tops["ask_price"]).sum() == truth["crossed_or_locked_count"]
    assert tops["is_snapshot"].all()
