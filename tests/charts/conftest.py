"""Frames written out by hand, and the sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr


@pytest.fixture(scope="module")
def sample():
    """Yield a connection to the sample."""
    with qr.connect("sample") as con:
        yield con


@pytest.fixture
def bars():
    """Return a function that makes minute bars from 12:00: opens, and each bar's close one higher, or lower where `falling`."""

    def make(count=6, *, without=(), falling=(), start="2026-03-02 12:00", freq="min"):
        index = pd.date_range(start, periods=count, freq=freq, tz="UTC", name="timestamp")
        opens = 100.0 + np.arange(count)
        closes = np.where(np.isin(np.arange(count), falling), opens - 1, opens + 1)
        frame = pd.DataFrame(
            {
                "open": opens,
                "high": np.maximum(opens, closes) + 0.5,
                "low": np.minimum(opens, closes) - 0.25,
                "close": closes,
                "volume": 10.0 + np.arange(count),
            },
            index=index,
        )
        return frame.drop(frame.index[list(without)])

    return make


@pytest.fixture
def klines(bars):
    """Return a function that makes minute candles of BTCUSDT on binance; the last one is not over."""

    def make(count=6, **options):
        frame = bars(count, **options)
        frame.insert(0, "exchange", pd.Categorical(["binance"] * len(frame)))
        frame.insert(1, "symbol", pd.Categorical(["BTCUSDT"] * len(frame)))
        frame.insert(2, "interval", pd.Categorical(["1m"] * len(frame)))
        frame["is_final"] = [True] * (len(frame) - 1) + [False] if len(frame) else []
        return frame

    return make
