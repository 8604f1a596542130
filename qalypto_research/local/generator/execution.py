"""Executions: orders use up the standing book level by level; each exchange numbers the trades in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qalypto_research.local.generator import sizes
from qalypto_research.local.generator.arrivals import Orders
from qalypto_research.local.generator.ladder import WALKED, Side
from qalypto_research.local.generator.quotes import Quotes
from qalypto_research.local.generator.randomness import Bits, Bools, Floats, Ints, noise_bits
from qalypto_research.local.generator.series import Series

_UUID_VENUES: Final = ("bybit",)
_FIRST_ID: Final = {"binance": 3_198_000_000, "bitget": 1_412_700_000_000_000_000, "okx": 1_060_000_000}
_LIQUIDATIONS: Final = 0.0006
_FORCED: Final = 4.0
# Part of the takers who ask for more than they see at the best price, where the next tick costs next to nothing.
_HASTE: Final = 0.25
# Mean size at the best price relative to the median.
_LARGER: Final = 1.7
# Resting orders that an order of the mean size meets beside the first.
_RESTING: Final = 1.3
_MOST_RESTING: Final = 40
_ROUND: Final = 0.4
# Most resting orders are small against the largest one met.
_UNEVEN: Final = 5
_HEX: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# Where the 32 hex digits of a UUID stand among its 36 characters.
_UUID_DIGITS: Final = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from one side of a book since it was last refreshed.

    Attributes
    ----------
    t : array of int
        Times of the orders that took it, UTC ms.
    since : array of int
        When what they met was refreshed, UTC ms.
    total : array of int
        Lots taken since then, with the order's own.
    """

    t: Ints
    since: Ints
    total: Ints

    def at(self, moments: Ints, since: Ints) -> Ints:
        """Return the lots taken up to and with each moment of what was refreshed at `since`."""
        last = np.searchsorted(self.t, moments, side="right") - 1
        if not len(self.t):
            return np.zeros(len(moments), dtype=np.int64)
        return np.where((last >= 0) & (self.since[last] == since), self.total[last], 0)


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades of one series in their total order: by time, then by id.

    Attributes
    ----------
    t : array of int
        Time, UTC ms.
    price, lots : array of int
        Price in ticks, size in lots.
    buy, liquidation : array of bool
        Side of the aggressor; whether forced.
    first_number : int
        Running number of the first trade of the block in its series.
    taken : dict of str to Taken
        What they took, by side of the book.
    """

    t: Ints
    price: Ints
    lots: Ints
    buy: Bools
    liquidation: Bools
    first_number: int
    taken: dict[str, Taken]


def execute(
    series: Series, orders: Orders, quotes: Quotes, heat: Floats, mean_quote: float, *, first_number: int, draws: np.random.Generator
) -> Trades:
    """Turn the orders of one series into trades.

    Parameters
    ----------
    series : Series
        Which one.
    orders : Orders
        In order of time, all on this exchange.
    quotes : Quotes
        The exchange's best prices.
    heat : array, (seconds,)
        Relative volatility; liquidations come with it.
    mean_quote : float
        Mean size of an order, as far as it is done, in quote currency.
    first_number : int
        Running number of the first trade.
    draws : numpy.random.Generator
        Source of randomness.
    """
    instrument, n = series.instrument, len(orders.t)
    forced = draws.random(n) < np.minimum(_LIQUIDATIONS * heat[(orders.t - quotes.start_ms) // 1000] ** 3, 0.05)
    tick_bp = 1e4 / (instrument.price * series.ticks_per_unit)
    patience = 1.0 - _HASTE / (1.0 + tick_bp)
    asked = sizes.mean_asked(mean_quote, _LARGER * series.best_quote, patience)
    quote = orders.size / sizes.UNIT * asked * np.where(forced, _FORCED, 1.0)
    lots = sizes.to_lots(quote, instrument.price, instrument.lot_digits, draws)
    modest = ~forced & (draws.random(n) < patience)
    walks, taken = [], {}
    for name, chosen in (("bids", ~orders.buy), ("asks", orders.buy)):
        mine = np.flatnonzero(chosen)
        walk = _use_up(Side(series, name), quotes, orders.t[mine], lots[mine], modest[mine])
        lots[mine] = walk.lots
        walks.append((mine, walk))
        taken[name] = Taken(orders.t[mine], walk.since, walk.total)
    inner = [np.stack([mine[of], offset]) for mine, walk in walks for of, offset in [walk.edges()]]
    order, offset, fills = _fills(lots, np.concatenate(inner, axis=1), _RESTING * np.sqrt(orders.size / sizes.UNIT), draws)
    price = np.empty(len(fills), dtype=np.int64)
    for mine, walk in walks:
        row = np.full(n, -1)
        row[mine] = np.arange(len(mine))
        here = np.flatnonzero(row[order] >= 0)
        price[here] = walk.price_at(row[order[here]], offset[here])
    return Trades(orders.t[order], price, fills, orders.buy[order], forced[order], first_number, taken)


@dataclass(frozen=True, slots=True)
class _Walk:
    """How the orders of one side went through the book, (orders,) each.

    Attributes
    ----------
    best : array of int
        Best price in ticks as it was refreshed.
    since : array of int
        When that was, UTC ms.
    lots, total : array of int
        What each took, and all since the refreshing together.
    row : array of int
        Row of the ladder the order met, -1 where the best price was enough.
    ladder, up_to : array of int, (rows, levels)
        Prices in ticks, and lots up to and with each level.
    """

    best: Ints
    since: Ints
    lots: Ints
    total: Ints
    row: Ints
    ladder: Ints
    up_to: Ints

    def edges(self) -> tuple[Ints, Ints]:
        """Return the orders that went from one level to another, and how many lots into the order that was."""
        deep = np.flatnonzero(self.row >= 0)
        into = self.up_to[self.row[deep]] - (self.total - self.lots)[deep, None]
        which, level = np.nonzero((into > 0) & (into < self.lots[deep, None]))
        return deep[which], into[which, level]

    def price_at(self, order: Ints, offset: Ints) -> Ints:
        """Return the price of the lot that comes `offset` lots after the first of each order."""
        price, row = self.best[order], self.row[order]
        deep = np.flatnonzero(row >= 0)
        position = (self.total - self.lots)[order[deep]] + offset[deep]
        level = np.minimum((self.up_to[row[deep]] <= position[:, None]).sum(axis=1), WALKED - 1)
        price[deep] = self.ladder[row[deep], level]
        return price


def _use_up(side: Side, quotes: Quotes, t: Ints, lots: Ints, modest: Bools) -> _Walk:
    """Let orders take what stands on one side, one after another; what is behind is met when nothing is left in front."""
    step = quotes.step_of(t)
    best, since = quotes.side(side.name, step)
    first = np.append(True, since[1:] != since[:-1])[: len(t)]
    group = np.cumsum(first) - 1
    there = side.best(best[first], since[first])[group]
    lots = np.where(modest, np.minimum(lots, there), lots)
    total = np.cumsum(lots)
    total -= (total - lots)[first][group]
    # One ladder for all orders that met the same book and did not all find room at its best price.
    walked = np.flatnonzero(np.bincount(group, weights=total > there, minlength=group.max(initial=-1) + 1) > 0)
    heads = np.flatnonzero(first)[walked]
    ladder, size = side.ladder(best[heads], since[heads], WALKED)
    up_to = np.cumsum(size, axis=1)
    row_of_group = np.full(group.max(initial=-1) + 1, -1)
    row_of_group[walked] = np.arange(len(walked))
    row = row_of_group[group]
    # The last lot of the last level is there again whenever it is taken; all else that is asked beyond it is left undone.
    deep = np.flatnonzero(row >= 0)
    end = up_to[row[deep], -1] - 1
    begin = np.minimum(total[deep] - lots[deep], end)
    lots[deep] = np.maximum(np.minimum(total[deep], end) - begin, 1)
    total[deep] = begin + lots[deep]
    return _Walk(best, since, lots, total, row, ladder, up_to)


def _fills(lots: Ints, edges: Ints, resting: Floats, draws: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Split orders of `lots` into trades, at the `edges` between levels and wherever one resting order ended and the next began.

    Returns for each trade its order, how many lots of it came before, and its own lots. All orders are laid end to end, so
    that one sort does for them all.
    """
    starts = np.cumsum(lots) - lots
    of = np.repeat(np.arange(len(lots)), np.minimum(draws.poisson(resting), _MOST_RESTING))
    into = np.maximum(draws.random(len(of)) ** _UNEVEN * lots[of], 1.0)
    into = np.where(draws.random(len(of)) < _ROUND, sizes.rounded(into), into).astype(np.int64)
    inside = into < lots[of]
    points = np.sort(np.concatenate([starts, starts[of[inside]] + into[inside], starts[edges[0]] + edges[1]]))
    points = points[np.diff(points, prepend=-1) > 0]
    order = np.searchsorted(starts, points, side="right") - 1
    return order, points - starts[order], np.diff(points, append=lots.sum())


def trade_ids(series: Series, trades: Trades) -> pa.Array:
    """Return the ids of `trades`: running numbers, on bybit UUIDs that ascend within a millisecond."""
    number = trades.first_number + np.arange(len(trades.t), dtype=np.int64)
    if series.exchange in _UUID_VENUES:
        high, low = (noise_bits(series.seed, series.salt(half), number) for half in ("high half of id", "low half of id"))
        return _uuids(high, low, trades.t)
    offset = int(noise_bits(series.seed, series.salt("first id")) % np.uint64(900_000_000))
    return pc.cast(pa.array(_FIRST_ID[series.exchange] + offset + number), pa.string())


def _uuids(high: Bits, low: Bits, t: Ints) -> pa.Array:
    # Version 4, variant 1. Ids that are no numbers order trades of one millisecond by spelling, so they are dealt in that order.
    high = (high & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x4000)
    low = (low & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
    order = np.lexsort((low, high, t))
    raw = np.stack([high[order], low[order]], axis=1).astype(">u8").view(np.uint8).reshape(len(t), 16)
    text = np.full((len(t), 36), ord("-"), dtype=np.uint8)
    digits = np.empty((len(t), 32), dtype=np.uint8)
    digits[:, 0::2], digits[:, 1::2] = _HEX[raw >> 4], _HEX[raw & 15]
    text[:, _UUID_DIGITS] = digits
    offsets = np.arange(0, 36 * (len(t) + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(len(t), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
