"""Recorded funding: the perpetuals of one case have it, spot has none."""

from __future__ import annotations

import numpy as np
import pandas as pd

NUMBERS = ["funding_rate", "mark_price", "index_price", "open_interest", "open_interest_value"]


def test_the_changes_of_recorded_perpetuals(case):
    one = case("extra_bitget_mix_20220407")
    stored = one.stored("market_data_ticker").sort_values(["timestamp", "symbol"], kind="stable")
    said = stored[stored["funding_rate"].notna() | stored["next_funding_time"].notna()]
    before = said.groupby("symbol")[["funding_rate", "next_funding_time"]].shift()
    assert said[["funding_rate", "next_funding_time"]].notna().to_numpy().all()
    changed = (said["funding_rate"] != before["funding_rate"]) | (said["next_funding_time"] != before["next_funding_time"])
    expected = said[changed]
    frame = one.con.funding(["DASHUSDT", "UNIUSDT"], limit=1_000)
    assert list(frame.index) == list(expected["timestamp"])
    assert list(frame["symbol"]) == list(expected["symbol"])
    assert list(frame["next_funding_time"]) == list(expected["next_funding_time"])
    for column in NUMBERS:
        np.testing.assert_array_equal(frame[column].to_numpy(), expected[column].to_numpy(float), err_msg=column)


def test_what_is_known_of_recorded_perpetuals(case):
    one = case("extra_bitget_mix_20220407")
    for symbol in ("DASHUSDT", "UNIUSDT"):
        truth = one.truths("market_data_ticker")[f"bitget/{symbol}"]
        first = one.con.funding(symbol, limit=1_000).iloc[0]
        assert (first["funding_rate"], first["mark_price"]) == (truth["funding_rate"]["first"], truth["mark_price"]["first"])
        assert first["next_funding_time"] == pd.Timestamp(truth["next_funding_times"][0])


def test_spot_has_no_funding(case):
    frame = case("binance_spot_20240808").con.funding("ETHUSDT", limit=10)
    assert len(frame) == 0
    assert list(frame.columns)[2:4] == ["funding_rate", "next_funding_time"]
