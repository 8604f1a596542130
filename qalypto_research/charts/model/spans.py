"""Stretches of time, and lines that stop at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.charts.model.checking import Flags, Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Stretches of time.

    Attributes
    ----------
    begin_us, end_us : numpy.ndarray of int64
        From (inclusive) and to (exclusive), microseconds since 1970 UTC, ascending.
    """

    begin_us: Times
    end_us: Times

    def __len__(self) -> int:
        return len(self.begin_us)


NONE: Final = Spans(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line over time. A NaN value is where it is interrupted.

    Attributes
    ----------
    name : str
        As the key shows it.
    time_us : numpy.ndarray of int64
        Microseconds since 1970 UTC, ascending.
    value : numpy.ndarray of float64
    """

    name: str
    time_us: Times
    value: Floats


def marked(begin_us: Times, end_us: Times, flags: Flags) -> Spans:
    """Return the stretches of what is flagged; neighbours without time between them are one."""
    if not flags.any():
        return NONE
    begins, ends = begin_us[flags], end_us[flags]
    apart = begins[1:] > ends[:-1]
    return Spans(begins[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])])


def interrupted(time_us: Times, value: Floats, holes: Spans) -> tuple[Times, Floats]:
    """Return a line with a NaN in each hole that it would cross."""
    if not len(holes) or not len(time_us):
        return time_us, value
    after = np.searchsorted(time_us, holes.begin_us, side="right")
    inside = (after > 0) & (after < len(time_us))
    crossed = inside & (time_us[np.minimum(after, len(time_us) - 1)] >= holes.end_us)
    places, times = after[crossed], holes.begin_us[crossed]
    return np.insert(time_us, places, times), np.insert(value, places, np.nan)


def silences(time_us: Times, longest_us: int, until_us: int) -> Spans:
    """Return where a series says nothing for longer than `longest_us`: from that long after a row to the next one, or to `until_us`."""
    if not len(time_us):
        return NONE
    following = np.append(time_us[1:], until_us)
    silent = following - time_us > longest_us
    return Spans(time_us[silent] + longest_us, following[silent])


def held(time_us: Times, value: Floats, longest_us: int, until_us: int) -> tuple[Times, Floats]:
    """Return a line of steps: each value holds until the next row, yet no longer than `longest_us`, then is NaN.

    A row that says NaN ends what was said before.
    """
    gone = silences(time_us, longest_us, until_us)
    ends = until_us if len(time_us) and time_us[-1] + longest_us >= until_us else None
    times, values = np.concatenate([time_us, gone.begin_us]), np.concatenate([value, np.full(len(gone), np.nan)])
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    if ends is not None and ends > times[-1]:
        times, values = np.append(times, ends), np.append(values, values[-1])
    return times, values
