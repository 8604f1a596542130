"""The checks of `report`, each on the rows of one series."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.clock import from_us
from qalypto_research.prep.books import LEVEL
from qalypto_research.prep.candles import past_grid
from qalypto_research.prep.checks import numbers
from qalypto_research.prep.meaning import PRICES, bar_step
from qalypto_research.prep.rows import Places
from qalypto_research.prep.series import repeated_ids
from qalypto_research.schema.frames import runs

Mask = npt.NDArray[np.bool_]

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_SIDES: Final = (("bid_price", "ask_price", "bid_size", "ask_size"), ("bid_price_0", "ask_price_0", "bid_size_0", "ask_size_0"))
_PRICE_NAMES: Final = (*PRICES, "price", "last_price", "bid_price", "ask_price", "bid_price_0", "ask_price_0", "mark_price", "index_price")
_OF_JUMPS: Final = ("close", "price", "last_price")
_STRETCHES: Final = 10
_FEWEST_STRETCHES: Final = 5
_FEWEST_ROWS: Final = 20
"""Stretches of time in which the least delay is looked for, how many of them must tell it, and rows that each must have."""

_CLEAR: Final = 4
"""A line that goes up or down by so many times what it is off is no chance."""

_MAD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What counts as too long (microseconds), and as too far (robust standard deviations)."""

    silence: int
    stale: int
    drift: int
    outlier: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in a series; first and last in microseconds since 1970."""

    check: str
    column: str
    count: int
    first: int
    last: int
    example: str


def inspect(part: pd.DataFrame, times: Places, bounds: Bounds) -> Iterator[tuple[str, list[Finding]]]:
    """Yield each check that the columns of `part` allow, and what it found; `times` are those of its rows."""
    back = np.concatenate(([False], np.diff(times) < 0))
    worst = int(np.diff(times).argmin()) if back.any() else 0
    yield "order", _rows("order", "", back, times, lambda: f"{_at(times[worst + 1])} after {_at(times[worst])}")
    order = np.argsort(times, kind="stable")
    part, times = part.iloc[order], times[order]
    step = bar_step(part) if "close" in part.columns else None
    yield "duplicates", _duplicates(part, times, candles=step is not None)
    if step is not None:
        yield "gaps", _missing_candles(times, step)
        yield "off_grid", _rows("off_grid", "", past_grid(times, step) != 0, times)
    else:
        yield "gaps", _silences(times, bounds.silence)
    yield "missing", [f for name in _told(part) for f in _missing(part, name, times)]
    priced = [name for name in _PRICE_NAMES if name in part.columns]
    prices = [name for name in priced if _is_number(part[name])]
    if priced:
        yield "not_numbers", [f for name in priced for f in _not_numbers(part[name], times)]
    if prices and prices == priced:
        yield "not_positive", [f for name in prices for f in _rows("not_positive", name, numbers(part, name) <= 0, times)]
    if set(PRICES) <= set(prices):
        yield "ohlc", _ohlc(part, times)
    jumping = next((name for name in _OF_JUMPS if name in prices), None)
    if jumping is not None:
        yield "outliers", _jumps(numbers(part, jumping), jumping, times, bounds.outlier)
    yield from _quotes(part, times, bounds.stale)
    yield from _clocks(part, times, bounds.drift)
    yield from _marks(part, times)


def _quotes(part: pd.DataFrame, times: Places, stale: int) -> Iterator[tuple[str, list[Finding]]]:
    """Yield the checks of frames with a best bid and ask."""
    names = next(([n for n in names if n in part.columns] for names in _SIDES if set(names[:2]) <= set(part.columns)), None)
    if names is None or not all(_is_number(part[name]) for name in names):
        return
    whole = _whole(part)
    part, times = part[whole], times[whole]
    quoted = [numbers(part, name) for name in names]
    bid, ask = quoted[:2]
    crossed = bid >= ask
    apart = np.where(crossed, bid - ask, -np.inf)
    yield (
        "crossed",
        _rows(
            "crossed",
            names[0],
            crossed,
            times,
            lambda: f"{_at(times[apart.argmax()])}: {bid[apart.argmax()]:g} at or above {ask[apart.argmax()]:g}",
        ),
    )
    same = np.all([values[1:] == values[:-1] for values in quoted], axis=0)
    still = [(a, b) for a, b in runs(same) if times[b] - times[a] >= stale]
    yield "stale", _spans("stale", names[0], still, times)


def _clocks(part: pd.DataFrame, times: Places, bound: int) -> Iterator[tuple[str, list[Finding]]]:
    """Yield the checks of frames whose rows say when they arrived."""
    for name in ("received", "producer_received"):
        if name not in part.columns or not isinstance(part[name].dtype, pd.DatetimeTZDtype):
            continue
        late = pd.DatetimeIndex(part[name]).as_unit("us").asi8 - times
        known = part[name].notna().to_numpy()
        early = known & (late < 0)
        middle = float(np.median(late[known])) / 1e6 if known.any() else 0.0
        worst = float(late[early].min()) / 1e6 if early.any() else 0.0
        yield (
            "clock",
            _rows("clock", name, early, times, lambda m=middle, w=worst: f"median {m:.3f} s, earliest {w:.3f} s after it happened"),
        )
        # What was fetched afterwards arrived late for that reason.
        prompt = known & (part["origin"] == "live").to_numpy("bool") if "origin" in part.columns else known
        line = _line_of_least(times[prompt], late[prompt])
        if line is not None:
            first, last, off = line
            drifts = abs(last - first) > max(bound, _CLEAR * off)
            said = f"{first / 1e6:.3f} s after it happened at first, {last / 1e6:.3f} s at last"
            yield "clock_drift", _rows("clock_drift", name, prompt & drifts, times, lambda said=said: said)


def _line_of_least(times: Places, late: Places) -> tuple[float, float, float] | None:
    """Return where the least delay lies at first and at last, and how far off it lies in between; None where that cannot be told.

    What comes the fastest way is late by that way and by how far the clocks are apart; all else waited somewhere. Through
    the least of each stretch of time goes the line whose slope is the median of all pairs (Theil and Sen), which a
    stretch in which all waited does not move.
    """
    if not len(times) or times[0] == times[-1]:
        return None
    stretch = np.minimum((times - times[0]) * _STRETCHES // (times[-1] - times[0]), _STRETCHES - 1)
    told = np.flatnonzero(np.bincount(stretch, minlength=_STRETCHES) >= _FEWEST_ROWS)
    if len(told) < _FEWEST_STRETCHES:
        return None
    least = np.array([late[stretch == number].min() for number in told])
    one, other = np.triu_indices(len(told), 1)
    slope = float(np.median((least[other] - least[one]) / (told[other] - told[one])))
    level = float(np.median(least - slope * told))
    return level + slope * told[0], level + slope * told[-1], float(np.median(np.abs(least - level - slope * told)))


def _marks(part: pd.DataFrame, times: Places) -> Iterator[tuple[str, list[Finding]]]:
    """Yield the checks of single columns that say something of their row."""
    if "volume" in part.columns and "interval" in part.columns and _is_number(part["volume"]):
        none = numbers(part, "volume") == 0
        silent = runs(none)
        longest = max(silent, key=lambda run: run[1] - run[0], default=(0, 0))
        example = f"{_at(times[longest[0]])} to {_at(times[longest[1] - 1])}: {longest[1] - longest[0]} candles" if silent else ""
        yield "zero_volume", _rows("zero_volume", "volume", none, times, lambda: example)
    for check, name, wrong in (("running", "is_final", False), ("incomplete", "complete", False), ("filled", "filled", True)):
        if name in part.columns:
            yield check, _rows(check, name, (part[name] == wrong).to_numpy("bool", na_value=False), times)


def _duplicates(part: pd.DataFrame, times: Places, *, candles: bool) -> list[Finding]:
    if candles:
        return _rows("duplicates", "", np.concatenate(([False], np.diff(times) == 0)), times)
    if "trade_id" in part.columns:
        ids = part["trade_id"]
        twice = repeated_ids(ids)
        return _rows("duplicates", "trade_id", twice, times, lambda: f"{_at(times[twice.argmax()])}: {ids.iloc[int(twice.argmax())]}")
    same = np.concatenate(([False], np.diff(times) == 0))
    rows = np.flatnonzero(same | np.concatenate((same[1:], [False])))
    alike = part.iloc[rows].set_axis(range(part.shape[1]), axis=1)  # since a column may bear the name of the index
    twice = np.zeros(len(part), "bool")
    twice[rows] = alike.set_axis(times[rows]).reset_index().duplicated().to_numpy()
    return _rows("duplicates", "", twice, times)


def _missing(part: pd.DataFrame, name: Hashable, times: Places) -> list[Finding]:
    missing = part[name].isna().to_numpy("bool")
    every = bool(missing.all())
    if LEVEL.fullmatch(str(name)):  # an update names the levels that change, and may be of one side
        missing = missing & _whole(part)
    return _rows("missing", str(name), missing, times, (lambda: "every row") if every else None)


def _not_numbers(column: pd.Series, times: Places) -> list[Finding]:
    name = str(column.name)
    if _is_number(column):
        return _rows("not_numbers", name, np.isinf(column.to_numpy("float64", na_value=np.nan)), times)
    return _rows("not_numbers", name, np.ones(len(column), "bool"), times, lambda: f"of {column.dtype}, as {column.iloc[0]!r}")


def _missing_candles(times: Places, step: int) -> list[Finding]:
    there = np.unique(times - past_grid(times, step))
    wide = np.flatnonzero(np.diff(there) > step)
    if not len(wide):
        return []
    starts, ends = there[wide] + step, there[wide + 1]
    longest = int((ends - starts).argmax())
    example = f"{_at(starts[longest])} to {_at(ends[longest])}: {(ends[longest] - starts[longest]) // step} candles"
    return [Finding("gaps", "", int((ends - starts).sum() // step), int(starts[0]), int(ends[-1] - step), example)]


def _silences(times: Places, silence: int) -> list[Finding]:
    wide = np.flatnonzero(np.diff(times) > silence)
    return _spans("gaps", "", [(int(i), int(i) + 1) for i in wide], times)


def _ohlc(part: pd.DataFrame, times: Places) -> list[Finding]:
    first, high, low, last = (numbers(part, name) for name in PRICES)
    too_low, too_high = high < np.fmax(np.fmax(first, last), low), low > np.fmin(first, last)
    return [*_rows("ohlc", "high", too_low, times), *_rows("ohlc", "low", too_high, times)]


def _jumps(prices: npt.NDArray[np.float64], name: str, times: Places, bound: float) -> list[Finding]:
    usable = np.where((prices > 0) & np.isfinite(prices), prices, np.nan)
    returns = np.concatenate(([np.nan], np.diff(np.log(usable))))
    moved = np.abs(returns[np.isfinite(returns) & (returns != 0)])
    if not len(moved):
        return []
    sizes = np.nan_to_num(np.abs(returns) / (_MAD * float(np.median(moved))))
    worst = int(sizes.argmax())
    return _rows(
        "outliers",
        name,
        sizes > bound,
        times,
        lambda: f"{_at(times[worst])}: {prices[worst - 1]:g} to {prices[worst]:g}, {sizes[worst]:.0f} deviations",
    )


def _told(part: pd.DataFrame) -> list[Hashable]:
    """Return the columns of numbers and flags in which none is a lack: not the deeper levels of a book, which end where it does."""
    levels = {name: LEVEL.fullmatch(str(name)) for name in part.columns if pd.api.types.is_numeric_dtype(part[name].dtype)}
    return [name for name, level in levels.items() if level is None or int(level[3]) == 0]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _whole(part: pd.DataFrame) -> Mask:
    """Return which rows are no updates of books, whose first level is no best one."""
    return part["is_snapshot"].to_numpy("bool", na_value=False) if "is_snapshot" in part.columns else np.ones(len(part), "bool")


def _rows(check: str, column: str, wrong: npt.NDArray[np.bool_], times: Places, example: object = None) -> list[Finding]:
    """Return the finding that rows are wrong, if any is; by default the first is its example."""
    if not wrong.any():
        return []
    places = np.flatnonzero(wrong)
    said = example() if callable(example) else _at(times[places[0]])
    return [Finding(check, column, len(places), int(times[places].min()), int(times[places].max()), said)]


def _spans(check: str, column: str, spans: list[tuple[int, int]], times: Places) -> list[Finding]:
    """Return the finding of stretches between rows, the longest as its example."""
    if not spans:
        return []
    a, b = max(spans, key=lambda span: times[span[1]] - times[span[0]])
    example = f"{_at(times[a])} to {_at(times[b])}: {(times[b] - times[a]) / 1e6:g} s"
    return [Finding(check, column, len(spans), int(times[spans[0][0]]), int(times[spans[-1][1]]), example)]


def _at(microseconds: np.integer) -> str:
    return f"{from_us(int(microseconds)):{_TIME}}"
