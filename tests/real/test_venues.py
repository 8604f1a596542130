"""Recorded tickers: spreads and comparisons against pandas on the same files, batches against the single call."""

from __future__ import annotations

import pandas as pd
import pytest
from by_pandas import compared_by_pandas, spreads_by_pandas, stored_tickers

import qalypto_research as qr

CASES = {
    "binance_spot_20240808": ["ETHUSDT"],
    "binance_spot_btc_20210108": ["BTCUSDT"],
    "extra_bitget_mix_20220407": ["DASHUSDT", "UNIUSDT"],
}


@pytest.fixture(params=CASES)
def one(request, case):
    return case(request.param), CASES[request.param]


@pytest.mark.parametrize(("every", "every_ms"), [("100ms", 100), ("1s", 1_000), ("10s", 10_000)])
def test_spreads_are_what_pandas_computes(one, recorded, every, every_ms):
    opened, symbols = one
    rows = stored_tickers(recorded / opened.name)
    frame = opened.con.spreads(symbols, every, limit=100_000)
    over = opened.con.clock.now().floor(f"{every_ms}ms")
    pd.testing.assert_frame_equal(frame, spreads_by_pandas(rows, every_ms, end=over), rtol=1e-13)
    assert len(frame) > 2
    assert set(frame["exchanges"]) == {1}


def test_a_comparison_is_what_pandas_computes(one, recorded):
    opened, symbols = one
    rows = stored_tickers(recorded / opened.name)
    frame = opened.con.compare(symbols, start=rows["timestamp"].iloc[0])
    pd.testing.assert_frame_equal(frame, compared_by_pandas(rows), rtol=1e-12)
    assert frame["updates"].sum() == len(rows)


@pytest.mark.parametrize("call", ["trades", "tickers"])
def test_batches_are_the_single_answer(one, call):
    opened, symbols = one
    found = list(opened.con.batches(call, symbols, limit=100_000, rows=97))
    pd.testing.assert_frame_equal(qr.concat(found), getattr(opened.con, call)(symbols, limit=100_000))
    assert {len(f) for f in found[:-1]} <= {97}
