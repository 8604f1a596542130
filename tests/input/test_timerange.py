"""Durations, times and windows for any input, by another road: datetime and zoneinfo alone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qalypto_research.errors import InputError, RangeError
from qalypto_research.timerange import parse_duration, parse_time, parse_zone, resolve_window

NOW = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Asia/Tokyo", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]
)

moments = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2199, 12, 30))  # noqa: DTZ001 - zones are added by each test


# --- Durations ------------------------------------------------------------------------------------------------------


@given(number=st.integers(1, 9_999), unit=st.sampled_from(sorted(SECONDS)), space=st.sampled_from(["", " ", "  "]))
def test_a_number_and_a_unit_are_that_long(number, unit, space):
    expected = dt.timedelta(seconds=number) * SECONDS[unit] if unit != "ms" else dt.timedelta(milliseconds=number)
    assert parse_duration(f"{number}{space}{unit}", "every") == expected


@given(days=st.integers(0, 400), hours=st.integers(0, 50), minutes=st.integers(0, 99), seconds=st.integers(0, 99))
def test_parts_add_up(days, hours, minutes, seconds):
    expected = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assume(expected)
    assert parse_duration(f"{days}d{hours}h{minutes}m{seconds}s", "every") == expected
    assert parse_duration(f"{days}d {hours}h {minutes}min {seconds}sec", "every") == expected


@given(length=st.timedeltas(dt.timedelta(microseconds=1), dt.timedelta(days=70_000)))
def test_a_timedelta_of_any_kind_is_taken_as_it_is(length):
    assert parse_duration(length, "every") == length
    assert parse_duration(pd.Timedelta(length), "every") == length
    assert parse_duration(np.timedelta64(length), "every") == length


@pytest.mark.parametrize("text", ["5m", "5M", "5min", "5MIN", "5 Min"])
def test_m_is_minute_everywhere_and_a_capital_is_refused(text):
    if "M" in text and "I" not in text and "i" not in text:
        with pytest.raises(InputError, match="m is minute"):
            parse_duration(text, "every")
    else:
        assert parse_duration(text, "every") == dt.timedelta(minutes=5)


@given(text=st.text(max_size=12))
def test_any_text_is_a_duration_above_zero_or_refused_by_name(text):
    try:
        assert parse_duration(text, "every") > dt.timedelta(0)
    except InputError as error:
        assert str(error).startswith("every: ")  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "m",
        "m5",
        "-5m",
        "+5m",
        "5x",
        "5m3",
        "1e3s",
        "0s",
        "0.0001ms",
        "5m; DROP",
        "5 m m",
        "\u0665m",
        "300y",
        "99999999999d",
        5,
        5.0,
        None,
        True,
    ],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(InputError, match=r"^every: "):
        parse_duration(value, "every")


@pytest.mark.parametrize(
    "value",
    [
        dt.timedelta(0),
        dt.timedelta(seconds=-1),
        pd.NaT,
        np.timedelta64("NaT"),
        pd.Timedelta(-1),
        dt.timedelta.max,
        np.timedelta64(300, "Y"),
    ],
)
def test_a_timedelta_of_no_length_or_of_centuries_is_refused(value):
    with pytest.raises(InputError, match=r"^every: "):
        parse_duration(value, "every")


# --- Times ----------------------------------------------------------------------------------------------------------


def microseconds(moment):
    """Return microseconds since 1970, by integer arithmetic of datetime."""
    return (moment.astimezone(dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)


@given(moment=moments)
def test_a_naive_time_is_utc(moment):
    expected = microseconds(moment.replace(tzinfo=dt.UTC))
    for value in (moment, moment.isoformat(), moment.isoformat(" "), pd.Timestamp(moment), np.datetime64(moment, "us")):
        parsed = parse_time(value, "start")
        assert (parsed.value // 1_000, str(parsed.tz), parsed.unit) == (expected, "UTC", "us")


@given(moment=moments, zone=ZONES, fold=st.sampled_from([0, 1]))
def test_a_zone_is_honoured(moment, zone, fold):
    there = moment.replace(tzinfo=ZoneInfo(zone), fold=fold)
    assert parse_time(there, "start").value // 1_000 == microseconds(there)


@given(moment=moments, minutes=st.integers(-14 * 60, 14 * 60))
def test_an_offset_in_text_is_honoured(moment, minutes):
    there = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    assert parse_time(there.isoformat(), "start").value // 1_000 == microseconds(there)


@given(nanoseconds=st.integers(0, 4 * 10**18))
def test_nanoseconds_are_rounded_up_to_a_microsecond(nanoseconds):
    parsed = parse_time(pd.Timestamp(nanoseconds, unit="ns"), "start")
    assert parsed.value == -(-nanoseconds // 1_000) * 1_000
    assert parsed.unit == "us"


@given(text=st.text(alphabet="0123456789-: TZ+.,", max_size=30) | st.text(max_size=12))
def test_any_text_is_a_time_or_refused_by_name(text):
    try:
        assert EPOCH <= parse_time(text, "at") < dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
    except InputError as error:
        assert str(error).startswith("at: ")  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    ("text", "fits"),
    [("1970-01-01", True), ("1969-12-31 23:59:59.999999", False), ("2199-12-31 23:59:59.999999", True), ("2200-01-01", False)],
)
def test_times_lie_between_1970_and_2199(text, fits):
    if fits:
        assert parse_time(text, "at").strftime("%Y") in {"1970", "2199"}
    else:
        with pytest.raises(RangeError, match=r"^at: .*1970 to 2199"):
            parse_time(text, "at")


@given(tz=st.text(max_size=20))
def test_any_text_is_a_zone_or_refused_by_name(tz):
    try:
        pd.Timestamp("2026-03-02", tz=parse_zone(tz))
    except InputError as error:
        assert str(error).startswith("tz: ")  # noqa: PT017 - both outcomes are right


# --- Windows --------------------------------------------------------------------------------------------------------


def resolve(**given_):
    return resolve_window(NOW, **dict.fromkeys(("start", "end", "days", "hours", "minutes", "limit")) | given_)


@given(minutes=st.floats(0.001, 60 * 24 * 365))
def test_a_duration_alone_ends_now(minutes):
    window = resolve(minutes=minutes)
    assert window.end == NOW
    assert window.relative
    assert abs((NOW - window.start).total_seconds() - minutes * 60) < 1e-5


@given(start=moments, minutes=st.integers(1, 60 * 24 * 365 * 20))
def test_a_duration_runs_from_start_and_never_beyond_now(start, minutes):
    first = start.replace(tzinfo=dt.UTC)
    if first > NOW:
        with pytest.raises(RangeError, match=r"^start: .*after this connection's now"):
            resolve(start=first, minutes=minutes)
        return
    window = resolve(start=first, minutes=minutes)
    assert window.start == first
    assert window.end == min(first + dt.timedelta(minutes=minutes), NOW)
    assert not window.relative


@given(end=moments, hours=st.integers(1, 24 * 365))
def test_a_duration_runs_back_from_end(end, hours):
    last = end.replace(tzinfo=dt.UTC)
    first = last - dt.timedelta(hours=hours)
    if first > NOW:
        with pytest.raises(RangeError):
            resolve(end=last, hours=hours)
        return
    window = resolve(end=last, hours=hours)
    assert (window.start, window.end) == (first, min(last, NOW))


@given(a=moments, b=moments)
def test_two_bounds_are_a_half_open_range_or_refused(a, b):
    first, last = a.replace(tzinfo=dt.UTC), b.replace(tzinfo=dt.UTC)
    if first >= last or first > NOW:
        with pytest.raises(RangeError, match=r"^start: "):
            resolve(start=first, end=last)
        return
    window = resolve(start=first, end=last)
    assert (window.start, window.end) == (first, min(last, NOW))
    assert window.start <= window.end <= NOW


def test_a_limit_alone_reaches_back_to_the_beginning():
    window = resolve(limit=5)
    assert (window.start, window.end) == (None, NOW)


def test_a_limit_before_an_end_is_a_range():
    window = resolve(limit=5, end="2026-03-01")
    assert (window.start, window.end) == (None, pd.Timestamp("2026-03-01", tz="UTC"))
