"""Whole minutes of trading in integers, from which every candle and every 24-hour figure is put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.execution import Trades
from qalypto_research.local.generator.randomness import Bools, Ints
from qalypto_research.local.generator.settings import MINUTE_MS

NOTHING_HIGH: Final = -1
NOTHING_LOW: Final = np.iinfo(np.int64).max
FIELDS: Final = ("open", "high", "low", "close", "lots", "quote", "count")


@dataclass(frozen=True, slots=True)
class Bars:
    """Aggregates of trades; the last axis is time.

    Without a trade (``count`` 0) all four prices are the last close before, and the sums are 0.

    Attributes
    ----------
    open, high, low, close : array of int
        Prices in ticks.
    lots, quote : array of int
        Sum of sizes in lots, and of price times size in ticks x lots.
    count : array of int
        Number of trades.
    """

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    lots: Ints
    quote: Ints
    count: Ints

    def arrays(self) -> list[Ints]:
        return [getattr(self, name) for name in FIELDS]

    def last(self, n: int) -> Bars:
        return Bars(*(a[..., a.shape[-1] - n :] for a in self.arrays()))

    def row(self, series: int) -> Bars:
        return Bars(*(a[series] for a in self.arrays()))

    def at(self, chosen: Bools | Ints) -> Bars:
        return Bars(*(a[..., chosen] for a in self.arrays()))

    @staticmethod
    def appended(earlier: Bars, later: Bars) -> Bars:
        return Bars(*(np.concatenate(pair, axis=-1) for pair in zip(earlier.arrays(), later.arrays(), strict=True)))

    @staticmethod
    def stacked(rows: list[Bars]) -> Bars:
        return Bars(*(np.stack([getattr(r, name) for r in rows]) for name in FIELDS))


def reduce_ranges(ufunc: np.ufunc, values: Ints, first: Ints, stop: Ints, nothing: int) -> Ints:
    """Reduce values[first:stop] for each pair along the last axis; `nothing` where the range is empty."""
    padded = np.concatenate([values, np.full((*values.shape[:-1], 1), nothing, dtype=np.int64)], axis=-1)
    if not len(first):
        return np.zeros((*values.shape[:-1], 0), dtype=np.int64)
    pairs = np.stack([first, stop], axis=1).ravel()
    out = ufunc.reduceat(padded, pairs, axis=-1)[..., ::2]
    return np.where(first < stop, out, nothing)


def bars_of_trades(trades: Trades, first: Ints, stop: Ints, close_before: int) -> Bars:
    """Aggregate the trades first:stop for each pair; `close_before` is the last price before the first trade of all."""
    prices = np.append(trades.price, close_before)
    high = reduce_ranges(np.maximum, trades.price, first, stop, NOTHING_HIGH)
    low = reduce_ranges(np.minimum, trades.price, first, stop, NOTHING_LOW)
    lots = reduce_ranges(np.add, trades.lots, first, stop, 0)
    quote = reduce_ranges(np.add, trades.price * trades.lots, first, stop, 0)
    # stop - 1 is -1 before the first trade of all, and then picks the appended price.
    close = prices[stop - 1]
    empty = first == stop
    opened = np.where(empty, close, prices[np.minimum(first, len(trades.price))])
    return Bars(opened, np.where(empty, close, high), np.where(empty, close, low), close, lots, quote, stop - first)


def minutes_of_trades(trades: Trades, start_ms: int, n: int, close_before: int) -> Bars:
    """Aggregate trades into the `n` minutes from `start_ms`."""
    edges = np.searchsorted(trades.t, start_ms + MINUTE_MS * np.arange(n + 1, dtype=np.int64))
    return bars_of_trades(trades, edges[:-1], edges[1:], close_before)


def join_minutes(minutes: Bars, first: Ints, stop: Ints) -> Bars:
    """Aggregate minutes first:stop (never empty ranges) as if their trades were aggregated at once.

    Minutes without a trade count for nothing, unless there is no other.
    """
    traded = minutes.count > 0
    high = reduce_ranges(np.maximum, np.where(traded, minutes.high, NOTHING_HIGH), first, stop, NOTHING_HIGH)
    low = reduce_ranges(np.minimum, np.where(traded, minutes.low, NOTHING_LOW), first, stop, NOTHING_LOW)
    n = minutes.count.shape[-1]
    position = np.where(traded, np.arange(n), n - 1)
    first_traded = np.minimum.accumulate(position[..., ::-1], axis=-1)[..., ::-1][..., first]
    lots, quote, count = (reduce_ranges(np.add, a, first, stop, 0) for a in (minutes.lots, minutes.quote, minutes.count))
    close = minutes.close[..., stop - 1]
    empty = count == 0
    opened = np.where(empty, close, np.take_along_axis(minutes.open, first_traded, axis=-1))
    return Bars(opened, np.where(empty, close, high), np.where(empty, close, low), close, lots, quote, count)


def join_two(earlier: Bars, later: Bars) -> Bars:
    """Aggregate two adjoining stretches, one of which may be without a trade (or without length: `count` 0)."""
    a, b = earlier.count > 0, later.count > 0
    both = a & b
    return Bars(
        np.where(a, earlier.open, later.open),
        np.where(both, np.maximum(earlier.high, later.high), np.where(a, earlier.high, later.high)),
        np.where(both, np.minimum(earlier.low, later.low), np.where(a, earlier.low, later.low)),
        np.where(b, later.close, np.where(a, earlier.close, later.close)),
        earlier.lots + later.lots,
        earlier.quote + later.quote,
        earlier.count + later.count,
    )
