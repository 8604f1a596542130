"""Overlays of candles: moving averages, the volume-weighted average price, and series of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import MOST, Floats, Times, pick_times
from qalypto_research.charts.model.spans import Line, Spans, interrupted
from qalypto_research.charts.model.ticks import DAY_US
from qalypto_research.errors import InputError

Overlay: TypeAlias = "str | pd.Series[Any]"
Overlays: TypeAlias = "Overlay | Iterable[Overlay] | Mapping[str, Overlay]"

_AVERAGE: Final = re.compile(r"(sma|ema):([1-9][0-9]{0,5})")
_KINDS: Final = "write 'sma:20', 'ema:50', 'vwap', or give a Series of numbers over time"


def pick_overlays(asked: Any) -> list[tuple[str, str | pd.Series[Any]]]:
    """Return overlays and their names.

    Raises
    ------
    InputError
        Not a known average, and no Series.
    """
    if isinstance(asked, (str, pd.Series)):
        asked = [asked]
    if isinstance(asked, pd.DataFrame) or not isinstance(asked, Iterable):
        raise InputError("overlays", f"is a {type(asked).__name__}; {_KINDS}, or a list of them")
    named = asked.items() if isinstance(asked, Mapping) else ((None, one) for one in asked)
    return [_named(name, one, place) for place, (name, one) in enumerate(named, 1)]


def _named(name: object, one: object, place: int) -> tuple[str, str | pd.Series[Any]]:
    if isinstance(one, str):
        spelled = one.strip().lower()
        found = _AVERAGE.fullmatch(spelled)
        if spelled != "vwap" and not found:
            raise InputError("overlays", f"{one!r} is not known; {_KINDS}")
        usual = f"{found[1].upper()} {found[2]}" if found else "VWAP"
        return str(name or usual), spelled
    if not isinstance(one, pd.Series):
        raise InputError("overlays", f"holds a {type(one).__name__}; {_KINDS}")
    usual = f"series {place}" if one.name is None else str(one.name)
    return str(name or usual), one


def runs_of(begin_us: Times, end_us: Times) -> npt.NDArray[np.int64]:
    """Return for each candle the number of the run it belongs to: a run ends where a candle is missing."""
    return np.concatenate([[0], np.cumsum(begin_us[1:] != end_us[:-1])]) if len(begin_us) else np.empty(0, np.int64)


def average(kind: str, close: Floats, runs: npt.NDArray[np.int64]) -> Floats:
    """Return the average "sma:n" or "ema:n" of closes: NaN until n candles without a hole are there."""
    name, _, length = kind.partition(":")
    grouped = pd.Series(close).groupby(runs)
    n = int(length)
    found = grouped.rolling(n).mean() if name == "sma" else grouped.ewm(span=n, adjust=False, min_periods=n).mean()
    return np.asarray(found, dtype=np.float64)


def vwap(turnover: Floats, volume: Floats, begin_us: Times, runs: npt.NDArray[np.int64]) -> Floats:
    """Return the volume-weighted average price since midnight UTC, or since the last hole; NaN before the first trade."""
    days = begin_us // DAY_US
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(days) != 0) | (np.diff(runs) != 0)])) if len(runs) else np.empty(0, np.int64)
    part = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(runs))))
    total = pd.DataFrame({"turnover": turnover, "volume": volume}).groupby(part).cumsum(skipna=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (total["turnover"] / total["volume"]).to_numpy(dtype="float64", copy=True)
    found[~np.isfinite(found)] = np.nan
    return found


def series_line(name: str, series: pd.Series[Any], begin_us: Times, middle_us: Times, holes: Spans) -> Line:
    """Return a user's series as a line.

    Where all its times are opens of candles it stands at the middles of these candles, as their averages do; else at its
    own times.

    Raises
    ------
    InputError
        Not numbers over ascending times.
    """
    argument = f"overlays, {name!r}"
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_complex_dtype(series.dtype):
        raise InputError(argument, f"holds {series.dtype} where numbers belong")
    times = pick_times(series, argument)
    values = series.to_numpy(dtype="float64", na_value=np.nan).copy()
    values[~(np.abs(values) <= MOST)] = np.nan
    place = np.searchsorted(begin_us, times)
    known = len(begin_us) > 0 and bool((begin_us[np.minimum(place, len(begin_us) - 1)] == times).all())
    return Line(name, *interrupted(middle_us[place] if known else times, values, holes))
