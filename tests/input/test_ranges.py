"""Ranges, limits, sizes and zones that cannot be meant."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr
from qalypto_research.asked import pick_every

CALLS = ("klines", "trades", "tickers", "orderbook_tops", "orderbooks", "funding", "spreads", "flow")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("window", "argument", "said"),
    [
        ({}, "start", "days=7"),
        ({"end": "2026-03-02"}, "start", "end alone"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "start", "is not before end=2026-03-01"),
        ({"start": "2026-03-02", "end": "2026-03-02"}, "start", "ranges include start and exclude end"),
        ({"start": "2026-03-02 13:00:31"}, "start", "is after this connection's now, 2026-03-02 13:00:30"),
        ({"start": "2027-01-01", "end": "2027-01-02"}, "start", "is after this connection's now"),
        ({"days": 1, "hours": 1}, "days", "days and hours were both given"),
        ({"hours": 1, "minutes": 0}, "hours", "one duration"),
        ({"days": 1, "start": "2026-03-01", "end": "2026-03-02"}, "start", "one too many"),
        ({"limit": 5, "days": 1, "minutes": 1}, "days", "one duration"),
    ],
)
def test_a_range_that_contradicts_itself_is_refused(con, refused, call, window, argument, said):
    refused(lambda: getattr(con, call)("BTCUSDT", **window), argument, said)


@pytest.mark.parametrize(
    "value", [0, -1, -0.5, math.nan, math.inf, -math.inf, 1e-12, 1e12, 10**400, True, "5", "5m", np.float64("nan"), [1], dt.timedelta(1)]
)
@pytest.mark.parametrize("name", ["days", "hours", "minutes"])
def test_a_duration_is_a_number_above_zero(con, refused, name, value):
    refused(lambda: con.trades("BTCUSDT", **{name: value}), name)


@pytest.mark.parametrize("value", [2, 2.0, np.int64(2), np.float32(2)])
def test_a_duration_is_any_kind_of_number(con, value):
    assert len(con.klines("BTCUSDT", "1h", hours=value)) == 2


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("now", "2026-03-02 13:00"),
        ("03/02/2026", "ISO 8601"),
        ("2026-02-30", "not a time that exists"),
        ("2026-03-02 25:00", "not a time that exists"),
        ("20260302", "ISO 8601"),
        ("2026-03", "ISO 8601"),
        ("yesterday", "ISO 8601"),
        ("1772452800", "ISO 8601"),
        ("٢٠٢٦-03-02", "ISO 8601"),
        (1_772_452_800, "pd.Timestamp"),
        (1_772_452_800_000.0, "pd.Timestamp"),
        (math.nan, "is not a time"),
        (True, "is not a time"),
        (pd.NaT, "NaT"),
        (np.datetime64("NaT"), "NaT"),
        (dt.timedelta(1), "is not a time"),
        (dt.time(12), "is not a time"),
        ([], "is not a time"),
        ("1969-12-31 23:59:59", "1970"),
        (dt.date(1200, 1, 1), "1970"),
        ("2200-01-01", "2199"),
        (dt.datetime(9999, 12, 31, tzinfo=dt.UTC), "2199"),
    ],
)
def test_what_is_no_time_is_refused_with_how_to_write_one(con, refused, name, value, said):
    window = {"start": value} if name == "start" else {"start": "2026-03-01", "end": value}
    refused(lambda: con.trades("BTCUSDT", **window), name, said)


def test_an_end_beyond_now_reads_up_to_now(con):
    frame = con.trades("BTCUSDT", start="2026-03-02 13:00", end="2199-01-01")
    assert frame.equals(con.trades("BTCUSDT", start="2026-03-02 13:00"))
    assert frame.attrs["qalypto"]["window"] == ["2026-03-02T13:00:00+00:00", "2026-03-02T13:00:30+00:00"]


def test_a_range_that_begins_now_is_empty(con):
    assert len(con.trades("BTCUSDT", start="2026-03-02 13:00:30")) == 0


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        # 2026-03-08 02:30 does not exist in New York: read with the offset before the change.
        (dt.datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK), "2026-03-08T07:30:00+00:00"),
        # 2025-11-02 01:30 exists twice; fold tells which.
        (dt.datetime(2025, 11, 2, 1, 30, tzinfo=NEW_YORK), "2025-11-02T05:30:00+00:00"),
        (dt.datetime(2025, 11, 2, 1, 30, fold=1, tzinfo=NEW_YORK), "2025-11-02T06:30:00+00:00"),
        (pd.Timestamp("2025-11-02 05:30", tz="UTC").tz_convert(NEW_YORK), "2025-11-02T05:30:00+00:00"),
        (pd.Timestamp("2025-11-02 06:30", tz="UTC").tz_convert(NEW_YORK), "2025-11-02T06:30:00+00:00"),
        ("2025-11-02 01:30-04:00", "2025-11-02T05:30:00+00:00"),
        ("2025-11-02T01:30:00-0500", "2025-11-02T06:30:00+00:00"),
        # Naive is UTC, also in the hour that the zone of the host may skip.
        ("2026-03-08 02:30", "2026-03-08T02:30:00+00:00"),
        (dt.datetime(2026, 3, 8, 2, 30), "2026-03-08T02:30:00+00:00"),  # noqa: DTZ001 - naive on purpose
        (np.datetime64("2026-03-08T02:30"), "2026-03-08T02:30:00+00:00"),
        (dt.date(2026, 3, 8), "2026-03-08T00:00:00+00:00"),
    ],
)
def test_hours_of_daylight_saving_mean_one_moment(start, utc):
    with qr.connect("sample", at="2026-03-20") as con:
        frame = con.klines("BTCUSDT", "1d", start=start, gaps="ignore")
    assert frame.attrs["qalypto"]["window"][0] == utc


@pytest.mark.parametrize("limit", [0, -1, True, False, 1.5, 2.0, "5", math.nan, [5], np.float64(3)])
def test_a_limit_is_a_whole_number_of_at_least_one(con, refused, limit):
    refused(lambda: con.trades("BTCUSDT", hours=1, limit=limit), "limit", "at least 1")


@pytest.mark.parametrize(("limit", "rows"), [(1, 1), (np.int32(3), 3), (10**30, 4)])
def test_a_limit_gives_the_newest_rows_and_may_be_larger_than_any_table(con, limit, rows):
    frame = con.klines("BTCUSDT", "1h", hours=4, limit=limit)
    assert [t.hour for t in frame.index] == [9, 10, 11, 12][-rows:]


@pytest.mark.parametrize(
    "size", [0, -1, 0.5, 2e9, True, None, "", "2", "GB", "2 GBs", "-1GB", "0GB", "1,5GB", "2XB", "1e3B", [1], "2GB; DROP"]
)
def test_what_is_no_size_is_refused(con, refused, size):
    refused(lambda: con.trades("BTCUSDT", hours=1, max_bytes=size), "max_bytes")


@pytest.mark.parametrize("size", ["100B", "1kB", "0.001MiB", 100])
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_over_max_bytes_is_refused_with_smaller_ways(con, call, size):
    with pytest.raises(qr.errors.ResultTooLargeError, match=r"^max_bytes: .*shorter window.*columns=.*limit=") as caught:
        getattr(con, call)("BTCUSDT", start="2026-03-02 12:00", max_bytes=size, **({"interval": "1m"} if call == "klines" else {}))
    assert caught.value.rows > 0
    assert caught.value.estimated_bytes > caught.value.max_bytes


@pytest.mark.parametrize(
    "tz", ["Mars/Olympus", "", " ", "UTC+25", 5, 0, True, 1.5, b"UTC", ["UTC"], dt.timedelta(0), "../../etc/passwd", "a\0b", "x" * 5000]
)
def test_what_is_no_zone_is_refused(con, refused, tz):
    refused(lambda: con.trades("BTCUSDT", hours=1, tz=tz), "tz", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("tz", "hour"), [("Asia/Tokyo", 18), (ZoneInfo("America/New_York"), 4), (dt.timezone(dt.timedelta(hours=-3)), 6), ("UTC", 9), (None, 9)]
)
def test_a_zone_is_a_name_or_a_tzinfo(con, tz, hour):
    assert con.klines("BTCUSDT", "1h", hours=4, tz=tz).index[0].hour == hour


@pytest.mark.parametrize(
    ("asked", "milliseconds"), [(None, None), ("1s", 1_000), ("250ms", 250), ("1m", 60_000), (pd.Timedelta("1h"), 3_600_000)]
)
def test_every_is_whole_milliseconds(asked, milliseconds):
    assert pick_every(asked) == milliseconds


@pytest.mark.parametrize("asked", ["1500us", "1.0005s", "0s", "-1s", "1M", "", 5, True])
def test_every_that_cannot_be_used_is_refused(asked):
    with pytest.raises(qr.errors.InputError, match=r"^every: "):
        pick_every(asked)


@pytest.mark.parametrize("every", [None, "1500us", "0s", 5, "", "1M"])
def test_a_bucket_that_cannot_be_used_is_refused(con, refused, every):
    refused(lambda: con.spreads("BTCUSDT", every, hours=1), "every")


@pytest.mark.parametrize(
    ("window", "argument"),
    [
        ({"start": "2026-03-02", "end": "2026-03-01"}, "start"),
        ({"start": "2026-03-02 13:00:31"}, "start"),
        ({"days": 1, "minutes": 5}, "days"),
        ({"minutes": 0}, "minutes"),
        ({"start": "2026-03-01", "end": "2026-03-02", "hours": 1}, "start"),
        ({"end": "03/02/2026"}, "end"),
    ],
)
def test_a_comparison_over_a_range_that_contradicts_itself_is_refused(con, refused, window, argument):
    refused(lambda: con.compare("BTCUSDT", **window), argument)
