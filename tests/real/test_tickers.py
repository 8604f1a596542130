"""Recorded tickers: what is known of them comes out of the frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

SERIES = [
    ("binance_spot_20240808", "binance", "ETHUSDT"),
    ("binance_spot_btc_20210108", "binance", "BTCUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "DASHUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "UNIUSDT"),
]

NUMBERS = [
    "last_price", "bid_price", "ask_price", "bid_size", "ask_size", "high_24h", "low_24h", "volume_24h", "quote_volume_24h",
    "open_24h", "funding_rate", "mark_price", "index_price", "open_interest", "open_interest_value",
]  # fmt: skip


@pytest.fixture(params=SERIES, ids=lambda s: f"{s[0]}-{s[2]}")
def series(request, case):
    """Return the frame of one series, what is known of it, and its rows in the file's order."""
    name, exchange, symbol = request.param
    one = case(name)
    stored = one.stored("market_data_ticker")
    stored = stored[stored["symbol"] == symbol]
    return one.con.tickers(symbol, limit=20_000), one.truths("market_data_ticker")[f"{exchange}/{symbol}"], stored


def test_rows_and_bounds(series):
    frame, truth, _ = series
    assert len(frame) == truth["rows"]
    assert (frame.index[0], frame.index[-1]) == (pd.Timestamp(truth["first_ts"]), pd.Timestamp(truth["last_ts"]))
    assert (frame["last_price"].iloc[0], frame["last_price"].iloc[-1]) == (truth["first_last_price"], truth["last_last_price"])
    assert (frame["bid_price"].iloc[-1], frame["ask_price"].iloc[-1]) == (truth["last_bid"], truth["last_ask"])


def test_nulls(series):
    frame, truth, _ = series
    counted = frame.isna().sum()
    assert counted[counted > 0].to_dict() == truth["nulls"]


def test_spreads(series):
    frame, truth, _ = series
    spread = frame["ask_price"] - frame["bid_price"]
    assert spread.mean() == pytest.approx(truth["mean_spread"], rel=1e-12)
    assert spread.max() == pytest.approx(truth["max_spread"], rel=1e-12)
    assert (spread < 0).sum() == len(truth["crossed_rows"])
    assert (spread == 0).sum() == truth["locked_rows"]
    outside = (frame["last_price"] < frame["bid_price"]) | (frame["last_price"] > frame["ask_price"])
    assert outside.sum() == truth["last_outside_bid_ask"]


def test_the_whole_frame_is_the_file_sorted_by_time(series):
    frame, _, stored = series
    expected = stored.sort_values("timestamp", kind="stable")
    assert list(frame.index) == list(expected["timestamp"])
    for column in NUMBERS:
        np.testing.assert_array_equal(frame[column].to_numpy(), expected[column].to_numpy(float), err_msg=column)


@pytest.mark.parametrize("column", ["funding_rate", "open_interest", "mark_price", "index_price"])
@pytest.mark.parametrize("symbol", ["DASHUSDT", "UNIUSDT"])
def test_figures_of_the_perpetuals(case, symbol, column):
    one = case("extra_bitget_mix_20220407")
    values = one.con.tickers(symbol, limit=1_000)[column]
    truth = one.truths("market_data_ticker")[f"bitget/{symbol}"]
    shown = {"first": values.iloc[0], "last": values.iloc[-1], "min": values.min(), "max": values.max()}
    assert shown == truth[column]
    times = one.con.tickers(symbol, limit=1_000)["next_funding_time"]
    assert sorted(set(times)) == [pd.Timestamp(t) for t in truth["next_funding_times"]]
