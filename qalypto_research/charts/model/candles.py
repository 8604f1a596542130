"""Candles with volume and overlays, and what is missing between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.charts.model.averages import Overlays, average, pick_overlays, runs_of, series_line, vwap
from qalypto_research.charts.model.checking import (
    Flags,
    Floats,
    Times,
    base_of,
    infinite_in,
    is_synthetic,
    pick_amounts,
    pick_flags,
    pick_frame,
    pick_numbers,
    pick_one,
    pick_times,
    pick_title,
)
from qalypto_research.charts.model.numbers import decimals_of
from qalypto_research.charts.model.spans import NONE, Line, Spans, interrupted, marked
from qalypto_research.errors import InputError
from qalypto_research.schema.prices import possible
from qalypto_research.schema.vocabulary import INTERVAL_MS

_PRICES: Final = ("open", "high", "low", "close")
_MINUTE_US: Final = 60_000_000
_SOURCE: Final = "qr.klines"


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """What a chart of candles shows.

    Attributes
    ----------
    title, base : str
        Of the whole; the currency of the volume, empty where it is not known.
    synthetic : bool
        Whether the frame says that no market made it.
    decimals : int
        With which prices are quoted.
    begin_us, end_us : numpy.ndarray of int64
        Time of each candle, from (inclusive) and to (exclusive), microseconds since 1970 UTC, ascending.
    open, high, low, close : numpy.ndarray of float64
        Prices, none of them NaN, and all of them possible.
    volume : numpy.ndarray of float64 or None
        NaN where there is none that can be (an infinite one, one below zero); None: the frame has no such column.
    forming : numpy.ndarray of bool
        Candles that are not over.
    holes : Spans
        Time in which candles are missing or have no prices, between the first row and the last.
    missing : float
        How many candles fit into the holes.
    backfilled : Spans
        Candles that came later than their time.
    overlays : tuple of Line
    impossible : Spans
        Rows whose prices no market can have; see `schema.prices.possible`. They are among neither candles nor holes.
    contradictions : int
        How many rows these are.
    """

    title: str
    base: str
    synthetic: bool
    decimals: int
    begin_us: Times
    end_us: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats | None
    forming: Flags
    holes: Spans
    missing: int
    backfilled: Spans
    overlays: tuple[Line, ...]
    impossible: Spans = NONE
    contradictions: int = 0

    def __len__(self) -> int:
        return len(self.begin_us)

    @property
    def rising(self) -> Flags:
        """Candles that close at or above their open."""
        return self.close >= self.open

    @property
    def middle_us(self) -> Times:
        return self.begin_us + (self.end_us - self.begin_us) // 2


def build_candles(df: pd.DataFrame, *, overlays: Overlays = (), title: str | None = None) -> Candles:
    """Return what a chart of `df` shows.

    Raises
    ------
    InputError
        The frame is not one of candles of one series, or an overlay cannot be had of it.
    """
    frame = pick_frame(df, _PRICES, _SOURCE)
    asked = pick_overlays(overlays)
    exchange, symbol, interval = (pick_one(frame, name) for name in ("exchange", "symbol", "interval"))
    times = pick_times(frame, distinct=True)
    prices = {name: pick_numbers(frame, name) for name in _PRICES}
    ends, regular = _ends(times, interval)
    good = possible(*prices.values())
    priced = np.logical_and.reduce([~np.isnan(values) for values in prices.values()])
    wrong = (priced & ~good) | np.logical_or.reduce([infinite_in(frame, name) for name in _PRICES])
    begin_us, end_us = times[good], ends[good]
    holes, breaks = (_holes(times, ends, there) if regular else marked(times, ends, ~there) for there in (good | wrong, good))
    lengths = ends - times
    volume = pick_amounts(frame, "volume")[good] if "volume" in frame.columns else None
    rows = frame if good.all() else frame[good]
    later = np.asarray(rows["origin"] == "backfill") if "origin" in rows.columns else np.zeros(len(rows), dtype=bool)
    return Candles(
        title=pick_title(title, symbol, exchange, interval),
        base=base_of(symbol),
        synthetic=is_synthetic(frame),
        decimals=decimals_of(prices["close"][good]),
        begin_us=begin_us,
        end_us=end_us,
        **{name: values[good] for name, values in prices.items()},
        volume=volume,
        forming=~pick_flags(rows, "is_final", default=True),
        holes=holes,
        missing=int((holes.end_us - holes.begin_us).sum() // lengths[0]) if regular and len(times) else int((~good & ~wrong).sum()),
        backfilled=marked(begin_us, end_us, later),
        overlays=tuple(_line(name, one, rows, Spans(begin_us, end_us), breaks) for name, one in asked),
        impossible=marked(times, ends, wrong),
        contradictions=int(wrong.sum()),
    )


def _ends(times: Times, interval: str) -> tuple[Times, bool]:
    """Return when each candle is over, and whether all are of one length.

    The length is the interval's where the frame names one; else the smallest step, if it is that of most rows (one row
    alone is shown as a minute). Other bars, as those of equal volume, last until the next one begins.
    """
    steps = np.diff(times)
    length = INTERVAL_MS.get(interval, 0) * 1_000
    if length:
        close = np.flatnonzero(steps < length)
        if close.size:
            at = pd.Timestamp(int(times[close[0]]), unit="us", tz="UTC")
            raise InputError("df", f"says interval {interval!r}, yet after {at} the next row comes sooner; give candles of one interval")
        return times + length, True
    if not steps.size:
        return times + _MINUTE_US, True
    smallest = int(steps.min())
    if (steps == smallest).mean() >= 0.5 and not (steps % smallest).any():
        return times + smallest, True
    return times + np.append(steps, int(np.median(steps))), False


def _holes(times: Times, ends: Times, good: Flags) -> Spans:
    """Return the time from the first row to the end of the last one that no candle with prices covers."""
    if not len(times):
        return marked(times, ends, good)
    begins = np.concatenate([times[:1], ends[good]])
    until = np.concatenate([times[good], ends[-1:]])
    empty = until > begins
    return Spans(begins[empty], until[empty])


def _line(name: str, one: str | pd.Series[Any], rows: pd.DataFrame, taken: Spans, holes: Spans) -> Line:
    """Return an overlay of the candles in `rows`, whose times are `taken`."""
    begin_us, end_us = taken.begin_us, taken.end_us
    middle_us = begin_us + (end_us - begin_us) // 2
    if not isinstance(one, str):
        return series_line(name, one, begin_us, middle_us, holes)
    runs = runs_of(begin_us, end_us)
    if one != "vwap":
        return Line(name, *interrupted(middle_us, average(one, pick_numbers(rows, "close"), runs), holes))
    if "volume" not in rows.columns:
        raise InputError("overlays", "'vwap' needs the column 'volume', which df does not have")
    volume = pick_amounts(rows, "volume")
    values = vwap(_turnover(rows, volume), volume, begin_us, runs)
    # A new day begins a new line.
    days = np.flatnonzero(np.diff(begin_us // (1_440 * _MINUTE_US)))
    edges = Spans(middle_us[days] + 1, middle_us[days + 1])
    return Line(name, *interrupted(*interrupted(middle_us, values, edges), holes))


def _turnover(rows: pd.DataFrame, volume: Floats) -> Floats:
    """Return what was traded in quote currency: as the frame has it, else by the bar's own average, else by its typical price."""
    typical = (pick_numbers(rows, "high") + pick_numbers(rows, "low") + pick_numbers(rows, "close")) / 3
    found = typical * volume
    if "vwap" in rows.columns:
        own = pick_numbers(rows, "vwap") * volume
        found = np.where(np.isnan(own), found, own)
    if "quote_volume" in rows.columns:
        own = pick_amounts(rows, "quote_volume")
        found = np.where(np.isnan(own), found, own)
    return found
