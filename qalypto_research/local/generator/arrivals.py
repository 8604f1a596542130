"""When orders take liquidity: bursts that excite themselves, signs that persist because large orders are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Bools, Floats, Ints

BRANCHING: Final = 0.62
"""Orders that each order excites, on the average."""
FILLS: Final = 1.0 / 0.72
"""Trades an order makes, on the average."""
_SAME_SIDE: Final = 0.86
_SAME_VENUE: Final = 0.80
_FAST_SHARE: Final = 0.55
_FAST_MS: Final = 60.0
_SLOW_MS: Final = 4_000.0


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders that take liquidity in one symbol, on all exchanges.

    Attributes
    ----------
    t : array of int
        Time, UTC ms.
    venue : array of int
        Position of the exchange.
    buy : array of bool
        Side of the aggressor.
    """

    t: Ints
    venue: Ints
    buy: Bools

    @classmethod
    def none(cls) -> Orders:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_))

    def where(self, chosen: Bools | Ints) -> Orders:
        return Orders(self.t[chosen], self.venue[chosen], self.buy[chosen])

    @staticmethod
    def joined(parts: list[Orders]) -> Orders:
        return Orders(
            np.concatenate([p.t for p in parts]), np.concatenate([p.venue for p in parts]), np.concatenate([p.buy for p in parts])
        )


def arrive(carried: Orders, start_ms: int, orders_a_second: Floats, shares: Floats, draws: np.random.Generator) -> tuple[Orders, Orders]:
    """Draw the orders of one block.

    A first generation arrives at random; each order then excites some more, on the same side and exchange more often than
    not, most within a fraction of a second. A cluster belongs whole to the block of its first order: what of it falls
    beyond the block is carried over, so that no burst is cut at a boundary.

    Parameters
    ----------
    carried : Orders
        What earlier blocks left over.
    start_ms : int
        Start of the block, UTC ms.
    orders_a_second : array, (seconds,)
        Expected number of orders in each second of the block, excited ones included.
    shares : array, (exchanges,)
        Part of the orders each exchange gets; sums to 1.
    draws : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    orders, carried : Orders
        Those within the block in order of time, and those beyond it.
    """
    counts = draws.poisson(orders_a_second * (1.0 - BRANCHING))
    t = start_ms + np.repeat(np.arange(len(counts)), counts) * 1000 + draws.integers(0, 1000, counts.sum())
    bounds = np.cumsum(shares)[:-1]
    generation = Orders(t, np.searchsorted(bounds, draws.random(len(t)), side="right"), draws.random(len(t)) < 0.5)
    parts = [carried, generation]
    while len(generation.t):
        generation = _excited(generation, bounds, draws)
        parts.append(generation)
    everything = Orders.joined(parts)
    everything = everything.where(np.argsort(everything.t, kind="stable"))
    inside = everything.t < start_ms + 1000 * len(counts)
    return everything.where(inside), everything.where(~inside)


def _excited(parents: Orders, bounds: Floats, draws: np.random.Generator) -> Orders:
    children = draws.poisson(BRANCHING, len(parents.t))
    own = parents.where(np.repeat(np.arange(len(parents.t)), children))
    n = len(own.t)
    delay = draws.exponential(np.where(draws.random(n) < _FAST_SHARE, _FAST_MS, _SLOW_MS))
    elsewhere = draws.random(n) >= _SAME_VENUE
    venue = np.where(elsewhere, np.searchsorted(bounds, draws.random(n), side="right"), own.venue)
    return Orders(own.t + delay.astype(np.int64), venue, own.buy ^ (draws.random(n) >= _SAME_SIDE))
