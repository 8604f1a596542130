"""Bars as arrays, held by a backtest in NumPy that is reckoned by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

to_numpy = qr.prep.to_numpy

HOURS = [f"2026-03-02 {hour:02}:00" for hour in range(8)]
CLOSES = [100, 103, 101, 106, 108, 104, 104, 104]
# Opens, each a unit below its close: 99, 102, 100, 105, 107, 103, 103, 103.


@pytest.fixture
def hours(candles):
    return candles(HOURS, CLOSES, volume=[1, 2, 3, 4, 5, 6, 7, 8])


def test_a_backtest_by_the_docstring(hours):
    """Two units are held while the last change was up; a flat close changes nothing."""
    bars = to_numpy(hours)
    position = np.array([0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    change = np.append(0.0, np.diff(bars["close"]))
    assert (np.where(change > 0, 2.0, 0.0) == position).all()
    earned = position[:-2] * np.diff(bars["open"])[1:]
    # Decided at 01:00, held from 100 to 105; decided at 03:00, held from 107 to 103 and from 103 to 103.
    assert earned.tolist() == [0.0, 10.0, 0.0, -8.0, 0.0, 0.0]
    assert earned.sum() == 2.0
    # The trap that the docstring names: what is decided on a close has not earned the way to it.
    assert (position[1:] * np.diff(bars["close"])).sum() == 20.0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_the_arrays(hours, zone):
    hours = hours.tz_convert(zone)
    hours["slope"] = hours["close"].diff()
    hours["up"] = hours["slope"] > 0
    before = hours.copy()
    bars = to_numpy(hours, columns=["slope", "up", "num_trades"])
    names = ["timestamp", "available_at", "open", "high", "low", "close", "volume", "slope", "up", "num_trades"]
    assert list(bars) == names
    assert bars["timestamp"].dtype == bars["available_at"].dtype == np.dtype("datetime64[us]")
    assert bars["timestamp"][1] == np.datetime64("2026-03-02T01:00:00")
    assert bars["available_at"][1] == np.datetime64("2026-03-02T02:00:00")
    assert bars["open"].tolist() == [99.0, 102.0, 100.0, 105.0, 107.0, 103.0, 103.0, 103.0]
    assert bars["high"][0] == 102.0
    assert bars["low"][0] == 97.0
    assert bars["volume"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert np.isnan(bars["slope"][0])
    assert bars["up"].dtype == bool
    for name, array in bars.items():
        assert array.flags.c_contiguous, name
        assert array.flags.writeable, name
        array[:] = array[::-1].copy()
    pd.testing.assert_frame_equal(hours, before)
    assert hours.index[0] == pd.Timestamp("2026-03-02 00:00", tz="UTC")  # the copy would share a changed index


def test_bars_that_are_not_of_time_are_known_after_their_last_trade(hours):
    ticks = hours.drop(columns="interval").shift(1, freq="123ms")
    ticks["first_time"] = ticks.index
    with pytest.raises(qr.errors.InputError, match="length: must be said where the bars have neither 'interval' nor 'last_time'"):
        to_numpy(ticks)
    ticks["last_time"] = ticks.index + pd.Timedelta("7min")
    assert to_numpy(ticks)["available_at"][0] == np.datetime64("2026-03-02T00:07:00.123")
    ticks.index = hours.index
    assert to_numpy(ticks, length="1h")["available_at"][0] == np.datetime64("2026-03-02T01:00:00")


def test_an_array_is_not_replaced(hours):
    hours["timestamp"] = 1.0
    with pytest.raises(qr.errors.InputError, match="one of the arrays already"):
        to_numpy(hours, columns="timestamp")
