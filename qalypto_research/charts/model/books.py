"""Order books: the cumulative depth of one, and how much there was over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import (
    Floats,
    Times,
    base_of,
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
from qalypto_research.charts.model.quotes import longest_wait
from qalypto_research.charts.model.spans import held
from qalypto_research.errors import InputError
from qalypto_research.timerange import TimeLike, parse_time

_SOURCE: Final = "qr.orderbooks"
_FIRST: Final = ("bid_price_0", "bid_size_0", "ask_price_0", "ask_size_0")


@dataclass(frozen=True, slots=True, eq=False)
class BookDepth:
    """One book.

    Attributes
    ----------
    title, base : str
        Of the whole; the currency of the sizes, empty where it is not known.
    synthetic : bool
    decimals : int
    time_us : int or None
        When it stood so, microseconds since 1970 UTC; None: there is no book.
    bid_price, bid_depth, ask_price, ask_depth : numpy.ndarray of float64
        Best level first, and how much can be had from the best level to this one.
    updates : int
        Rows of the frame that are no whole books.
    without_size : int
        Levels left out: their size is infinite, below zero or NaN.
    """

    title: str
    base: str
    synthetic: bool
    decimals: int
    time_us: int | None
    bid_price: Floats
    bid_depth: Floats
    ask_price: Floats
    ask_depth: Floats
    updates: int
    without_size: int


@dataclass(frozen=True, slots=True, eq=False)
class DepthOverTime:
    """How much the books held, over time.

    Attributes
    ----------
    title, base : str
    synthetic : bool
    levels : tuple of int
        How many levels of a side are counted together, ascending.
    time_us : numpy.ndarray of int64
        Microseconds since 1970 UTC; values hold until the next.
    mid : numpy.ndarray of float64
    bid, ask : numpy.ndarray of float64
        A row for each of `levels`, a column a time; NaN where there had been no book for too long.
    updates : int
        Rows of the frame that are no whole books.
    without_size : int
        Levels left out, of all books.
    """

    title: str
    base: str
    synthetic: bool
    levels: tuple[int, ...]
    time_us: Times
    mid: Floats
    bid: npt.NDArray[np.float64]
    ask: npt.NDArray[np.float64]
    updates: int
    without_size: int


def build_book(df: pd.DataFrame, *, at: TimeLike | None = None, title: str | None = None) -> BookDepth:
    """Return the newest whole book of `df`, or the newest at `at`.

    Raises
    ------
    InputError
        The frame is not one of books of one series, or has no whole book by then.
    """
    name, base, rows, updates = _whole_books(df)
    times = pick_times(rows)
    place = len(rows) - 1
    if at is not None:
        moment = parse_time(at, "at")
        place = int(np.searchsorted(times, moment.as_unit("us").asm8.astype("int64"), side="right")) - 1
        if place < 0 and len(rows):
            raise InputError("at", f"{at!r} is before the first whole book, {rows.index[0]}")
    row = rows.iloc[[place]] if len(rows) else rows
    depth = _depth_of(rows)
    sides, without = {}, 0
    for side in ("bid", "ask"):
        prices, sizes = (values.ravel() for values in _levels(row, side, depth))
        there = ~np.isnan(prices) & ~np.isnan(sizes)
        without += int((~np.isnan(prices) & np.isnan(sizes)).sum())
        order = np.argsort(-prices[there] if side == "bid" else prices[there], kind="stable")
        sides[side] = (prices[there][order], np.cumsum(sizes[there][order]))
    return BookDepth(
        title=pick_title(title, *name),
        base=base,
        synthetic=is_synthetic(df),
        decimals=decimals_of(np.concatenate([sides["bid"][0], sides["ask"][0]])),
        time_us=int(times[place]) if len(rows) else None,
        bid_price=sides["bid"][0],
        bid_depth=sides["bid"][1],
        ask_price=sides["ask"][0],
        ask_depth=sides["ask"][1],
        updates=updates,
        without_size=without,
    )


def build_depth(df: pd.DataFrame, *, title: str | None = None) -> DepthOverTime:
    """Return how much the whole books of `df` held over time: at the best level, in the better half, and in all.

    Raises
    ------
    InputError
        The frame is not one of books of one series, or holds updates alone.
    """
    name, base, rows, updates = _whole_books(df)
    times, depth = pick_times(rows), _depth_of(rows)
    levels = tuple(sorted({1, -(-depth // 2), depth}))
    longest, end = longest_wait(times), int(times[-1]) if len(times) else 0
    found: dict[str, list[Floats]] = {"bid": [], "ask": []}
    time_us, without = times, 0
    for side, lines in found.items():
        prices, sizes = _levels(rows, side, depth)
        without += int((~np.isnan(prices) & np.isnan(sizes)).sum())
        empty = np.isnan(sizes).all(axis=0)
        for count in levels:
            total = np.where(empty, np.nan, np.nansum(sizes[:count], axis=0))
            time_us, line = held(times, total, longest, end)
            lines.append(line)
    mid = (pick_numbers(rows, "bid_price_0") + pick_numbers(rows, "ask_price_0")) / 2
    return DepthOverTime(
        title=pick_title(title, *name),
        base=base,
        synthetic=is_synthetic(df),
        levels=levels,
        time_us=time_us,
        mid=held(times, mid, longest, end)[1],
        bid=np.array(found["bid"]),
        ask=np.array(found["ask"]),
        updates=updates,
        without_size=without,
    )


def _whole_books(df: pd.DataFrame) -> tuple[tuple[str, str], str, pd.DataFrame, int]:
    """Return names, base currency, the rows that are whole books, and how many are not: an update tells of a few levels only."""
    frame = pick_frame(df, _FIRST, _SOURCE)
    exchange, symbol = pick_one(frame, "exchange"), pick_one(frame, "symbol")
    pick_times(frame)
    whole = pick_flags(frame, "is_snapshot", default=True)
    if len(frame) and not whole.any():
        raise InputError(
            "df", f"holds {len(frame):,} updates and no whole book (is_snapshot); depth is that of a whole one: ask for more time"
        )
    return (symbol, exchange), base_of(symbol), frame[whole], int((~whole).sum())


def _levels(df: pd.DataFrame, side: str, depth: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return prices and sizes of a side: a row a level, best first, a column a book."""
    prices = np.array([pick_numbers(df, f"{side}_price_{n}") for n in range(depth)])
    sizes = np.array([pick_amounts(df, f"{side}_size_{n}") for n in range(depth)])
    return prices.reshape(depth, len(df)), sizes.reshape(depth, len(df))


def _depth_of(df: pd.DataFrame) -> int:
    depth = 0
    while all(f"{side}_{what}_{depth}" in df.columns for side in ("bid", "ask") for what in ("price", "size")):
        depth += 1
    return depth
