"""Times, durations and windows: one grammar, UTC inside, half-open everywhere."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from qalypto_research.errors import InputError, RangeError

TimeLike: TypeAlias = str | dt.datetime | dt.date | pd.Timestamp | np.datetime64
DurationLike: TypeAlias = str | dt.timedelta | np.timedelta64

_UNIT_US: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "sec": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_LONGEST_US: Final = _UNIT_US["d"] * 365 * 200
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
_GRAMMAR: Final = "write a number and a unit, as '5m', '90s', '6h', '1h30m' or '7d' (m is minute), or give a timedelta"
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII | re.IGNORECASE)
_LOWEST: Final = pd.Timestamp("1970-01-01", tz="UTC").as_unit("us")
_HIGHEST: Final = pd.Timestamp("2200-01-01", tz="UTC").as_unit("us")

_MOST_ROWS: Final = 2**62
"""More than any table has, and a number that SQL can hold."""

WINDOW_EXAMPLES: Final = "say which: days=7, hours=6, minutes=30, start='2026-03-01', end='2026-03-02', or limit=1000"


def parse_duration(value: DurationLike, argument: str) -> dt.timedelta:
    """Return `value` as a positive length of time.

    Parameters
    ----------
    value : str, datetime.timedelta or numpy.timedelta64
        Such as ``"5m"``, ``"5min"``, ``"1h30m"``, ``"7d"``; ``m`` is minute.
    argument : str
        Name to use in the error.

    Raises
    ------
    InputError
        Not a duration, or not longer than zero.
    """
    if isinstance(value, np.timedelta64):
        value = value.astype("timedelta64[us]").item()  # NaT becomes None
    if isinstance(value, dt.timedelta):
        microseconds = round(value / dt.timedelta(microseconds=1))
    elif isinstance(value, str):
        microseconds = _duration_text_us(value, argument)
    else:
        raise InputError(argument, f"{value!r} is not a duration; {_GRAMMAR}")
    if microseconds <= 0:
        raise InputError(argument, f"{value!r} must be longer than zero; {_GRAMMAR}")
    if microseconds > _LONGEST_US:
        raise InputError(argument, f"{value!r} is longer than any data; {_GRAMMAR}")
    return dt.timedelta(microseconds=microseconds)


def _duration_text_us(text: str, argument: str) -> int:
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise InputError(argument, f"{text!r} is not a duration; {_GRAMMAR}")
    total = 0.0
    for number, unit in parts:
        # "1M" is a month to some and a minute to others: it is nobody's guess here.
        if unit == "M" or unit.lower() not in _UNIT_US:
            raise InputError(argument, f"{text!r} has the unknown unit {unit!r}; {_GRAMMAR}")
        total += float(number) * _UNIT_US[unit.lower()]
    return round(min(total, 2 * _LONGEST_US))


def parse_time(value: TimeLike, argument: str) -> pd.Timestamp:
    """Return `value` as UTC, in microseconds. Naive input is UTC; a zone in the input is honoured.

    Nanoseconds are rounded up: for data in whole microseconds that leaves every half-open comparison as it was.

    Parameters
    ----------
    value : str, datetime, date, pandas.Timestamp or numpy.datetime64
        Strings are ISO 8601, as ``"2026-03-02"``, ``"2026-03-02 13:00"``, ``"2026-03-02T13:00:00+09:00"``.
    argument : str
        Name to use in the error.

    Raises
    ------
    InputError
        Not a point in time.
    RangeError
        Before 1970 or after 2199.
    """
    if isinstance(value, str) and not _ISO.fullmatch(value.strip()):
        raise InputError(argument, f"{value!r} is not an ISO 8601 time; write '2026-03-02' or '2026-03-02 13:00' (UTC unless it says so)")
    if not isinstance(value, (str, dt.datetime, dt.date, np.datetime64)):
        raise InputError(argument, f"{value!r} is not a time; give a string, datetime or Timestamp (pd.Timestamp(x, unit='ms') for epochs)")
    try:
        stamp = pd.Timestamp(value.strip().replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, OverflowError) as error:
        raise InputError(argument, f"{value!r} is not a time that exists ({error})") from error
    if pd.isna(stamp):
        raise InputError(argument, "is NaT; leave it out or give a time")
    utc = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    if not _LOWEST <= utc < _HIGHEST:
        raise RangeError(argument, f"{value!r} lies outside 1970 to 2199")
    return utc.ceil("us").as_unit("us") if utc.unit == "ns" else utc.as_unit("us")


def parse_zone(tz: str | dt.tzinfo | None, name: str = "tz") -> dt.tzinfo | str:
    """Return the zone in which to show a frame's index.

    Raises
    ------
    InputError
        No such zone.
    """
    if tz is None:
        return "UTC"
    wrong = InputError(name, f"{tz!r} is not a time zone; write a name as 'Asia/Tokyo', 'America/New_York' or 'UTC'")
    if not tz or not isinstance(tz, (str, dt.tzinfo)):  # pandas would take a number for seconds
        raise wrong
    try:
        pd.Timestamp(0, tz=tz)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise wrong from error
    return tz


def parse_limit(limit: int | None) -> int | None:
    """Return `limit` when it is a whole number above zero, or None.

    Raises
    ------
    InputError
        Anything else.
    """
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1:
        raise InputError("limit", f"{limit!r} must be a whole number of at least 1: the newest rows to return")
    return min(int(limit), _MOST_ROWS)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open range of time ``[start, end)`` in UTC.

    Attributes
    ----------
    start : pandas.Timestamp or None
        First instant inside. None: as far back as there is (only with a row limit).
    end : pandas.Timestamp
        First instant outside, never after the connection's now.
    until : pandas.Timestamp or None
        The end that was asked for, be it after now. None: none was, so whatever is known is inside, also a row whose
        own time is ahead of the clock (an exchange's clock may be).
    relative : bool
        Whether both bounds were derived from now (``days=7``), so that a reader may count whole candles.
    """

    start: pd.Timestamp | None
    end: pd.Timestamp
    until: pd.Timestamp | None = None
    relative: bool = False


def resolve_window(
    now: pd.Timestamp,
    *,
    start: TimeLike | None,
    end: TimeLike | None,
    days: float | None,
    hours: float | None,
    minutes: float | None,
    limit: int | None,
) -> Window:
    """Return the window that a call's arguments mean at `now`.

    One duration at most, with at most one of `start` and `end`. A duration alone ends at `now`, with `start` it runs
    from there, with `end` up to there. The window's `end` is never beyond `now`.

    Raises
    ------
    InputError
        Two durations, a duration with both bounds, no window and no limit, a duration that is no positive number.
    RangeError
        `start` at or after `end`, or after `now`.
    """
    length = _one_duration(days=days, hours=hours, minutes=minutes)
    first = None if start is None else parse_time(start, "start")
    last = None if end is None else parse_time(end, "end")
    if length is not None and first is not None and last is not None:
        raise InputError("start", "start, end and a duration together are one too many; leave one out")
    if length is None and first is None and limit is None:
        missing = "end alone does not say where to begin" if last is not None else "no window"
        raise InputError("start", f"{missing}; {WINDOW_EXAMPLES}")
    relative = length is not None and first is None and last is None
    if length is not None and first is not None:
        last = first + length
    bounded = now if last is None else last
    if length is not None and first is None:
        first = bounded - length
    if first is not None and last is not None and first >= last:
        raise RangeError("start", f"{first} is not before end={last}; ranges include start and exclude end")
    if first is not None and first > now:
        raise RangeError("start", f"{first} is after this connection's now, {now}: nothing is known there yet")
    return Window(first, min(bounded, now), last, relative)


def _one_duration(**given: float | None) -> dt.timedelta | None:
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        raise InputError(next(iter(named)), f"{' and '.join(named)} were both given; give one duration")
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise InputError(name, f"{value!r} must be a number, as {name}=7")
        unit = _UNIT_US[name[0]]
        if not 0.5 / unit < value < _LONGEST_US / unit:  # NaN is neither
            raise InputError(name, f"{value!r} must be above zero and shorter than 200 years")
        return dt.timedelta(microseconds=round(float(value) * unit))
    return None
