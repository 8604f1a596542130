"""Ranges are half-open, naive times are UTC, and a zone changes only what comes out."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from archives import trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

DAY = "2026-03-02 "


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    times = ["12:00:00.000", "12:00:00.001", "12:00:00.002", "12:00:01", "12:59:59.999", "13:00"]
    write(folder, "trade", [trade(t, trade_id=t) for t in times])
    with qr.connect(folder, at="2026-03-02 14:00") as connection:
        yield connection


def ids(frame):
    return list(frame["trade_id"])


def test_a_row_at_start_is_in_and_a_row_at_end_is_out(con):
    assert ids(con.trades("BTCUSDT", start=DAY + "12:00:01", end=DAY + "13:00")) == ["12:00:01", "12:59:59.999"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("12:00:00.000001", "12:00:00.002", ["12:00:00.001"]),
        ("12:00:00.001", "12:00:00.001001", ["12:00:00.001"]),
        ("12:00:00.000999", "12:00:00.001", []),
        ("12:00:00", "12:00:00.000001", ["12:00:00.000"]),
        ("12:00:00.001000001", "12:00:00.002000001", ["12:00:00.002"]),
        ("12:00:00.000000001", "12:00:00.001000001", ["12:00:00.001"]),
    ],
)
def test_bounds_finer_than_a_millisecond_are_exact(con, start, end, expected):
    assert ids(con.trades("BTCUSDT", start=DAY + start, end=DAY + end)) == expected


START = pd.Timestamp("2026-03-02 12:00:01", tz="UTC")


@pytest.mark.parametrize(
    "start",
    [
        "2026-03-02 12:00:01",
        "2026-03-02T12:00:01Z",
        "2026-03-02T21:00:01+09:00",
        "2026-03-02 07:00:01-05:00",
        dt.datetime(2026, 3, 2, 12, 0, 1),  # noqa: DTZ001 (naive on purpose)
        dt.datetime(2026, 3, 2, 21, 0, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
        np.datetime64("2026-03-02T12:00:01"),
        START,
        START.tz_convert("America/New_York"),
        START.tz_localize(None),
    ],
    ids=repr,
)
def test_naive_times_are_utc_and_zones_are_honoured(con, start):
    assert ids(con.trades("BTCUSDT", start=start, end=DAY + "12:30")) == ["12:00:01"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", ZoneInfo("Asia/Kolkata"), dt.timezone(dt.timedelta(hours=-3))], ids=str)
def test_a_zone_changes_only_how_the_index_is_shown(con, zone):
    options = {"start": DAY + "12:00:01", "end": DAY + "13:00:00.001"}
    plain, shown = con.trades("BTCUSDT", **options), con.trades("BTCUSDT", **options, tz=zone)
    assert str(shown.index.tz) == str(zone)
    assert shown.index.unit == "us"
    pd.testing.assert_frame_equal(shown.tz_convert("UTC"), plain)
    assert len(plain) == 3


def test_a_zone_shows_an_empty_index_too(con):
    frame = con.trades("BTCUSDT", start=DAY + "12:30", end=DAY + "12:31", tz="Asia/Tokyo")
    assert (len(frame), str(frame.index.dtype), frame.index.name) == (0, "datetime64[us, Asia/Tokyo]", "timestamp")


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({"hours": 1.5}, ["12:59:59.999", "13:00"]),
        ({"minutes": 60}, ["13:00"]),
        ({"hours": 1, "end": DAY + "13:00"}, ["12:00:00.000", "12:00:00.001", "12:00:00.002", "12:00:01", "12:59:59.999"]),
        ({"minutes": 1, "start": DAY + "12:00:00.002"}, ["12:00:00.002", "12:00:01"]),
        ({"start": DAY + "12:59"}, ["12:59:59.999", "13:00"]),
        ({"limit": 1}, ["13:00"]),
        ({"limit": 2, "end": DAY + "13:00"}, ["12:00:01", "12:59:59.999"]),
    ],
    ids=str,
)
def test_a_duration_ends_at_now_or_hangs_on_the_bound_given(con, window, expected):
    assert ids(con.trades("BTCUSDT", **window)) == expected


def test_an_hour_that_daylight_saving_skips_is_there_in_utc(con):
    # New York sprang forward on 2026-03-08 at 02:00; naive times do not care.
    frame = con.trades("BTCUSDT", start=pd.Timestamp("2026-03-02 07:00:01", tz="America/New_York"), minutes=1)
    assert ids(frame) == ["12:00:01"]


@pytest.mark.parametrize("call", ["trades", "tickers", "orderbook_tops", "orderbooks", "funding", "klines"])
def test_a_call_without_window_and_limit_shows_how_to_say_one(con, call):
    with pytest.raises(qr.errors.InputError, match="days=7"):
        getattr(con, call)("BTCUSDT")


def test_a_range_that_begins_before_the_table_is_said_to_be_short(con):
    with pytest.warns(qr.errors.GapWarning, match=r"market_data_trade begins at 2026-03-02 12:00:00"):
        con.trades("BTCUSDT", start=DAY + "11:00", end=DAY + "12:30")
