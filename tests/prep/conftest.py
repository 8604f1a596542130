"""Frames as history and live give them, made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
INTERVALS = ["1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d"]


def named(values, names):
    return pd.Categorical(values, categories=pd.Index(names, dtype="str"))


def over(times, columns):
    """Return a frame over UTC times in microseconds."""
    index = pd.DatetimeIndex(pd.to_datetime(list(times), utc=True, format="ISO8601")).as_unit("us").rename("timestamp")
    return pd.DataFrame(columns, index=index)


@pytest.fixture
def candles():
    """Return a function that makes candles of one series from their opens and closes."""

    def make(times, closes, *, interval="1h", exchange="binance", symbol="BTCUSDT", volume=1.0, final=True):
        closes = np.asarray(closes, "float64")
        n = len(closes)
        return over(
            times,
            {
                "exchange": named([exchange] * n, EXCHANGES),
                "symbol": named([symbol] * n, SYMBOLS),
                "interval": named([interval] * n, INTERVALS),
                "open": closes - 1.0,
                "high": closes + 2.0,
                "low": closes - 3.0,
                "close": closes,
                "volume": np.full(n, volume) if np.isscalar(volume) else np.asarray(volume, "float64"),
                "quote_volume": closes * volume,
                "num_trades": np.full(n, 10.0),
                "close_time": pd.Series(pd.NaT, index=range(n), dtype="datetime64[us, UTC]").array,
                "is_final": np.full(n, final),
            },
        )

    return make


@pytest.fixture
def minutes():
    """Return a function that makes bars of a minute as `qr.bars` gives them, from their closes on, known `lag` after their end."""

    def make(closes, *, lag="0s", symbol="BTCUSDT"):
        closes = np.asarray(closes, "float64")
        n = len(closes)
        opens = pd.date_range("2026-03-02 12:00", periods=n, freq="1min", tz="UTC")
        return over(
            opens,
            {
                "exchange": named(["binance"] * n, EXCHANGES),
                "symbol": named([symbol] * n, SYMBOLS),
                "open": closes - 1.0,
                "high": closes + 2.0,
                "low": closes - 3.0,
                "close": closes,
                "volume": 4.0,
                "quote_volume": 4.0 * closes,
                "vwap": closes,
                "num_trades": np.full(n, 10),
                "buy_volume": 3.0,
                "sell_volume": 1.0,
                "first_time": (opens + pd.Timedelta("2s")).as_unit("us").array,
                "last_time": (opens + pd.Timedelta("57s")).as_unit("us").array,
                "is_final": True,
                "available_at": (opens + pd.Timedelta("1min") + pd.Timedelta(lag)).as_unit("us").array,
            },
        )

    return make


@pytest.fixture
def walk(candles):
    """Return a function that makes n candles of a minute that walk at random, from a Monday on."""

    def make(n, seed=1, **options):
        steps = np.random.default_rng(seed).normal(0, 1, n)
        return candles(pd.date_range("2026-03-02", periods=n, freq="1min", tz="UTC"), 1_000 + np.cumsum(steps), interval="1m", **options)

    return make


@pytest.fixture
def quotes():
    """Return a function that makes tickers of one series."""

    def make(times, bids, *, exchange="binance", symbol="BTCUSDT", spread=1.0):
        bids = np.asarray(bids, "float64")
        n = len(bids)
        columns = {"exchange": named([exchange] * n, EXCHANGES), "symbol": named([symbol] * n, SYMBOLS)}
        return over(times, {**columns, "last_price": bids, "bid_price": bids, "ask_price": bids + spread})

    return make
