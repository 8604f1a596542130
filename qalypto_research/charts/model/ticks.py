"""Where the times of an axis stand and what they say, in any zone. No locale has a say in it."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np
import pandas as pd

from qalypto_research.charts.model.checking import Times

_MS: Final = 1_000
_S: Final = 1_000_000
_MIN: Final = 60 * _S
_H: Final = 60 * _MIN
DAY_US: Final = 24 * _H

_STEPS: Final = (
    *(n * _MS for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * _MIN for n in (1, 2, 5, 10, 15, 30)),
    *(n * _H for n in (1, 2, 3, 6, 12)),
    *(n * DAY_US for n in (1, 2, 7)),
)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)
_MONTH_US: Final = 30 * DAY_US
_CALENDAR: Final = (-1_900 * 12, 8_000 * 12)
"""Months since 1970 that can be marked, the years 70 to 9970: beyond year 9999 zones have no times."""
_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONDAY: Final = 4 * DAY_US  # 1970 began on a Thursday


def time_ticks(begin_us: int, end_us: int, width: float, zone: dt.tzinfo) -> tuple[Times, list[str]]:
    """Return times to mark, whole ones of the zone's own day, and their labels.

    Where a day (or, for longer steps, a year) begins, the label says which.

    Parameters
    ----------
    begin_us, end_us : int
        The axis from here to there (both inclusive), microseconds since 1970 UTC.
    width : float
        Of the axis, in characters of its labels: there are no more labels than fit.
    zone : tzinfo
        Whose wall clock counts.

    Returns
    -------
    tuple of numpy.ndarray of int64, list of str
        Microseconds since 1970 UTC, ascending, and what to write there.
    """
    span = max(end_us - begin_us, 1)
    for step in _STEPS:
        if span / step * _room(step) <= width:
            local = _grid(begin_us, end_us, step, zone)
            return _labelled(local, begin_us, end_us, zone, step)
    for months in _MONTHS[:-1]:
        if span / (months * _MONTH_US) * _room(_MONTH_US) <= width:
            return _labelled(_months(begin_us, end_us, months), begin_us, end_us, zone, months * _MONTH_US)
    return _labelled(_months(begin_us, end_us, _MONTHS[-1]), begin_us, end_us, zone, _MONTHS[-1] * _MONTH_US)


def _room(step: int) -> float:
    """Return how many characters apart labels of such a step must stand: their own and a gap."""
    return 5.5 + (12 if step < _S else 8 if step < _MIN else 6)


def _grid(begin_us: int, end_us: int, step: int, zone: dt.tzinfo) -> pd.DatetimeIndex:
    """Return the multiples of `step` on the wall clock, from the earliest to the latest time it shows in the range."""
    offset = _MONDAY if step == 7 * DAY_US else 0
    first, last = (_wall(us, zone) for us in (begin_us, end_us))
    # A wall clock that is put back shows later times than at the end, one put forward earlier ones than at the begin.
    span = end_us - begin_us
    first, last = (min(first, last - span) - offset) // step, (max(last, first + span) - offset) // step
    return pd.DatetimeIndex((np.arange(first, last + 1) * step + offset).astype("datetime64[us]"))


def _months(begin_us: int, end_us: int, months: int) -> pd.DatetimeIndex:
    first, last = (int(np.datetime64(us, "us").astype("datetime64[M]").astype(np.int64)) for us in (begin_us, end_us))
    first, last = (int(np.clip(month, *_CALENDAR)) for month in (first, last + 1))
    places = np.arange(first // months, last // months + 1) * months
    return pd.DatetimeIndex(places.astype("datetime64[M]").astype("datetime64[us]"))


def _wall(us: int, zone: dt.tzinfo) -> int:
    return int(pd.Timestamp(us, unit="us", tz="UTC").tz_convert(zone).tz_localize(None).as_unit("us").asm8.astype(np.int64))


def _labelled(local: pd.DatetimeIndex, begin_us: int, end_us: int, zone: dt.tzinfo, step: int) -> tuple[Times, list[str]]:
    """Return those of the wall times that exist in the range, a repeated one twice, and their labels."""
    both = [local.tz_localize(zone, ambiguous=np.full(len(local), first), nonexistent="NaT") for first in (True, False)]
    found = np.unique(np.concatenate([part[part.notna()].as_unit("us").asi8 for part in both]))
    found = found[(found >= begin_us) & (found <= end_us)]
    return found, time_labels(found, step, zone)


def time_labels(times: Times, step: int, zone: dt.tzinfo) -> list[str]:
    """Return what to write at times that stand `step` microseconds apart."""
    labels, before = [], ""
    for t in pd.to_datetime(times, unit="us", utc=True).tz_convert(zone):
        year, day = f"{t.year}", f"{t.day} {_NAMES[t.month - 1]}"
        if step < DAY_US:
            label, context = _time_of_day(t, step), f"{day} {year}"
            begins = day if before.endswith(year) else context
        elif step < _MONTH_US:
            label, context, begins = day, year, f"{day} {year}"
        elif step < 12 * _MONTH_US:
            label, context, begins = _NAMES[t.month - 1], year, year
        else:
            label, context, begins = year, year, year
        labels.append(begins if before and before != context else label)
        before = context
    return labels


def _time_of_day(t: pd.Timestamp, step: int) -> str:
    seconds = f":{t.second:02}" if step < _MIN else ""
    return f"{t.hour:02}:{t.minute:02}{seconds}" + (f".{t.microsecond // 1_000:03}" if step < _S else "")


def context_text(begin_us: int, end_us: int, times: Times, zone: dt.tzinfo) -> str:
    """Return what the labels of an axis leave out: the day it begins with, or its year, and the zone."""
    t = pd.Timestamp(int(times[0]) if len(times) else begin_us, unit="us", tz="UTC").tz_convert(zone)
    step = int(np.diff(times).min()) if len(times) > 1 else end_us - begin_us
    if step < 23 * _H:
        return f"{t.day} {_NAMES[t.month - 1]} {t.year}, {zone_text(zone)}"
    return f"{t.year}, {zone_text(zone)}" if step < 350 * DAY_US else zone_text(zone)


def time_text(us: int, zone: dt.tzinfo, *, to: str = "s") -> str:
    """Return a moment in words: "2 Mar 2026 13:00:30"; with ``to="m"`` without seconds, with ``to="ms"`` with milliseconds."""
    t = pd.Timestamp(us, unit="us", tz="UTC").tz_convert(zone)
    rest = {"m": "", "s": f":{t.second:02}", "ms": f":{t.second:02}.{t.microsecond // 1_000:03}"}[to]
    return f"{t.day} {_NAMES[t.month - 1]} {t.year} {t.hour:02}:{t.minute:02}{rest}"


def zone_text(zone: dt.tzinfo) -> str:
    """Return the name of a zone, as to write beside an axis: "UTC", "Tokyo", "New York"."""
    return str(getattr(zone, "key", None) or zone).rpartition("/")[2].replace("_", " ")


def length_text(us: float) -> str:
    """Return a length of time in words, as "2.5 s", "3 min", "5 h", "12 d"."""
    for unit, name in ((DAY_US, "d"), (_H, "h"), (_MIN, "min"), (_S, "s")):
        if abs(us) >= (2 * unit if unit > _MIN else unit):
            return f"{us / unit:.3g} {name}"
    return f"{us / _MS:.3g} ms"
