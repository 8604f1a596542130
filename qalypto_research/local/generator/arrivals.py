"""When orders take liquidity: bursts that excite themselves, signs that persist because large orders are split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator import sizes
from qalypto_research.local.generator.randomness import Bools, Floats, Ints, label, smooth_noise

BRANCHING: Final = 0.50
"""Orders that each order excites, on the average."""
FILLS: Final = 2.0
"""Trades an order makes, on the average, near enough for rates."""
_SAME_SIDE: Final = 0.90
_SAME_VENUE: Final = 0.80
_FAST_SHARE: Final = 0.55
_FAST_MS: Final = 60.0
_SLOW_MS: Final = 4_000.0
_LEAN: Final = 0.55
_LEAN_MS: Final = 120_000


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
    size : array of int
        Size in millionths of the mean.
    """

    t: Ints
    venue: Ints
    buy: Bools
    size: Ints

    @classmethod
    def none(cls) -> Orders:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.int64))

    def where(self, chosen: Bools | Ints) -> Orders:
        return Orders(self.t[chosen], self.venue[chosen], self.buy[chosen], self.size[chosen])

    @staticmethod
    def joined(parts: list[Orders]) -> Orders:
        return Orders(*(np.concatenate([getattr(p, name) for p in parts]) for name in Orders.__slots__))


def lean(seed: int, symbol: str, t_ms: Ints) -> Floats:
    """Return the expected sign of orders in `symbol` that nothing excited, from -1 to 1: who splits a large order leans for a while."""
    return np.tanh(_LEAN * smooth_noise(seed, label("lean", symbol), t_ms, _LEAN_MS))


def arrive(
    carried: Orders,
    start_ms: int,
    orders_a_second: Floats,
    shares: Floats,
    *,
    leaning: Callable[[Ints], Floats],
    draws: np.random.Generator,
) -> tuple[Orders, Orders]:
    """Draw the orders of one block.

    A first generation arrives at random, on the side that is leant to at the time; each order then excites some more, on
    the same side and exchange more often than not, most within a fraction of a second. A cluster belongs whole to the block
    of its first order: what of it falls beyond the block is carried over, so that no burst is cut at a boundary.

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
    leaning : callable
        Gives the expected sign of unexcited orders at UTC times in ms.
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
    buy = draws.random(len(t)) < 0.5 + 0.5 * leaning(t)
    generation = Orders(t, np.searchsorted(bounds, draws.random(len(t)), side="right"), buy, sizes.draw(len(t), draws))
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
    return Orders(own.t + delay.astype(np.int64), venue, own.buy ^ (draws.random(n) >= _SAME_SIDE), sizes.draw(n, draws))
