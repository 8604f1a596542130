"""Recorded order books level by level: what json reads out of the same file."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

CASES = {
    "binance_spot_20240808": ["ETHUSDT"],
    "bybit_linear_20210417": ["ADAUSDT", "DOTUSDT"],
    "bybit_linear_xrp_book_20241201": ["XRPUSDT"],
    "extra_bitget_mix_20220407": ["DASHUSDT", "UNIUSDT"],
}
TOP20 = {"binance_spot_20240808": "orderbook_top20_1s"}


def as_wide(stored, side, depth):
    wide = np.full((len(stored), 2 * depth), np.nan)
    for row, text in enumerate(stored[f"{side}s_json"]):
        numbers = [float(number) for level in json.loads(text)[:depth] for number in level]
        wide[row, : len(numbers)] = numbers
    return wide


def check(frame, stored, depth):
    expected = stored.sort_values(["timestamp", "exchange", "symbol"], kind="stable")
    assert list(frame.index) == list(expected["timestamp"])
    for column in ("exchange", "symbol", "sequence_id"):
        assert list(frame[column]) == list(expected[column])
    assert list(frame["is_snapshot"]) == list(expected["is_snapshot"] == 1)
    for side in ("bid", "ask"):
        names = [f"{side}_{field}_{level}" for level in range(depth) for field in ("price", "size")]
        np.testing.assert_array_equal(frame[names].to_numpy(), as_wide(expected, side, depth))


@pytest.mark.parametrize("depth", [1, 10, 200])
@pytest.mark.parametrize("name", CASES)
def test_messages_as_received_come_out_level_by_level(case, name, depth):
    one = case(name)
    check(one.con.orderbooks(CASES[name], depth=depth, limit=5_000), one.stored("market_data_orderbook"), depth)


@pytest.mark.parametrize("name", CASES)
def test_books_of_twenty_levels_come_out_level_by_level(case, as_books, name):
    file = TOP20.get(name, "orderbook_top20")
    con = as_books(name, f"{file}.parquet")
    check(con.orderbooks(CASES[name], depth=25, limit=5_000), case(name).stored(file), 25)


@pytest.mark.parametrize("name", CASES)
def test_the_first_level_is_the_top_where_a_top_is_stored(case, as_books, name):
    con = as_books(name, f"{TOP20.get(name, 'orderbook_top20')}.parquet")
    books, tops = con.orderbooks(CASES[name], depth=1, limit=5_000), con.orderbook_tops(CASES[name], limit=5_000)
    for field in ("bid_price", "bid_size", "ask_price", "ask_size"):
        np.testing.assert_array_equal(books[f"{field}_0"].to_numpy(), tops[field].to_numpy())


@pytest.mark.parametrize("every", ["200ms", "1s", "10s"])
@pytest.mark.parametrize("name", CASES)
def test_the_last_book_of_each_bucket(case, name, every):
    one = case(name)
    stored = one.stored("market_data_orderbook").sort_values("timestamp", kind="stable")
    last = stored.groupby([stored["timestamp"].dt.floor(every), "exchange", "symbol"]).tail(1)
    check(one.con.orderbooks(CASES[name], depth=3, every=every, limit=5_000), last, 3)


@pytest.mark.parametrize("every", ["100ms", "1s", "1min"])
def test_the_last_ticker_of_each_bucket(case, every):
    one = case("binance_spot_20240808")
    stored = one.stored("market_data_ticker").sort_values("timestamp", kind="stable")
    last = stored.groupby(stored["timestamp"].dt.floor(every)).tail(1)
    frame = one.con.tickers("ETHUSDT", every=every, limit=20_000)
    assert list(frame.index) == list(last["timestamp"])
    for column in ("last_price", "bid_price", "ask_size", "funding_rate"):
        np.testing.assert_array_equal(frame[column].to_numpy(), last[column].to_numpy(float), err_msg=column)


def test_buckets_shown_cover_the_recording(case):
    frame = case("binance_spot_20240808").con.tickers("ETHUSDT", every="1s", limit=20_000)
    assert frame.index.floor("1s").is_unique
    assert frame.index[-1] - frame.index[0] <= pd.Timedelta(minutes=2)
