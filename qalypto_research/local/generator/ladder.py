"""The standing book: levels and sizes that belong to a price and stay there until they are refreshed, less what was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Bools, Floats, Ints, noise_bits, noise_normal, noise_uniform
from qalypto_research.local.generator.series import Series

WALKED: Final = 12
"""Levels that orders may use up between two refreshes; a book shows those behind them."""
SHOWN: Final = 20
"""Levels of a book."""
_PLACES: Final = WALKED + SHOWN
_LEVEL_LIFE_MS: Final = 45_000
_PLACE_LIFE_MS: Final = 600_000
_POWERS: Final = 10.0 ** np.arange(16)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How sizes go from the best price into the book.

    Attributes
    ----------
    near, far : float
        Median size just behind the best price and far from it, relative to that at the best price.
    levels : float
        Levels in which the first turns into the second.
    small, large : float
        Spread of log sizes below and above the median.
    """

    near: float
    far: float
    levels: float
    small: float
    large: float


# Where the tick is fine, most stands at the best price and next to nothing just behind it; where it is coarse, each tick is
# a place to queue at, and more stands farther out.
_FINE: Final = _Shape(near=0.05, far=0.25, levels=4.0, small=2.6, large=0.80)
_COARSE: Final = _Shape(near=0.80, far=2.20, levels=7.0, small=0.95, large=0.75)
_BEST_SMALL: Final = 1.10
_BEST_LARGE: Final = 1.25
_FINE_OCCUPANCY: Final = 0.6


@dataclass(frozen=True, slots=True)
class Side:
    """One side of one series' book.

    Attributes
    ----------
    series : Series
        Which one.
    name : str
        ``bids`` or ``asks``.
    """

    series: Series
    name: str

    @property
    def direction(self) -> int:
        """Which way the levels go from the best price."""
        return 1 if self.name == "asks" else -1

    def _salt(self, purpose: str) -> int:
        return self.series.salt(f"{self.name} {purpose}")

    def best(self, tick: Ints, since: Ints) -> Ints:
        """Return what stood in lots at best prices `tick` when they were last refreshed, at `since` (UTC ms)."""
        noise = noise_normal(self.series.seed, self._salt("best"), tick, since)
        return self._lots(np.exp(np.where(noise < 0.0, _BEST_SMALL, _BEST_LARGE) * noise))

    def ladder(self, tick: Ints, since: Ints, n: int) -> tuple[Ints, Ints]:
        """Return prices in ticks and sizes in lots, each (rows, n), of the levels from the best prices `tick` on, at `since`."""
        levels = self._places(tick, since, n)
        shape = _FINE if self.series.instrument.occupancy < _FINE_OCCUPANCY else _COARSE
        phase = (noise_bits(self.series.seed, self._salt("phase"), levels) % np.uint64(_LEVEL_LIFE_MS)).astype(np.int64)
        noise = noise_normal(self.series.seed, self._salt("size"), levels, (since[:, None] + phase) // _LEVEL_LIFE_MS)
        depth = np.arange(n) / shape.levels
        median = shape.far - (shape.far - shape.near) * np.exp(-depth)
        lots = self._lots(median * np.exp(np.where(noise < 0.0, shape.small, shape.large) * noise))
        lots[:, 0] = self.best(tick, since)
        return levels, lots

    def remaining(self, tick: Ints, since: Ints, taken: Ints, n: int) -> tuple[Ints, Ints]:
        """Return prices and sizes, each (rows, n), of the first levels left after `taken` lots, `WALKED` levels at most."""
        ticks, lots = tick[:, None], self.best(tick, since)[:, None] - taken[:, None]
        walked = np.flatnonzero(lots[:, 0] <= 0) if n == 1 else np.arange(len(tick))
        if not len(walked):
            return ticks, lots
        levels, sizes = self.ladder(tick[walked], since[walked], WALKED + n)
        up_to = np.cumsum(sizes, axis=1)
        gone = np.minimum(taken[walked], up_to[:, WALKED - 1] - 1)
        first = (up_to <= gone[:, None]).sum(axis=1)
        where = first[:, None] + np.arange(n)
        left = np.take_along_axis(sizes, where, axis=1)
        left[:, 0] = np.take_along_axis(up_to, first[:, None], axis=1)[:, 0] - gone
        if n > 1:
            return np.take_along_axis(levels, where, axis=1), left
        ticks = ticks.copy()
        ticks[walked], lots[walked] = np.take_along_axis(levels, where, axis=1), left
        return ticks, lots

    def _places(self, tick: Ints, since: Ints, n: int) -> Ints:
        """Return the prices in ticks, (rows, n), of the occupied levels from `tick` away from the other side."""
        seed, occupancy = self.series.seed, self.series.instrument.occupancy
        reach = int(np.ceil(_PLACES / occupancy * 1.4)) + 12
        ticks = tick[:, None] + self.direction * np.arange(reach, dtype=np.int64)
        phase = (noise_bits(seed, self._salt("coming"), ticks) % np.uint64(_PLACE_LIFE_MS)).astype(np.int64)
        occupied: Bools = noise_uniform(seed, self._salt("place"), ticks, (since[:, None] + phase) // _PLACE_LIFE_MS) < occupancy
        occupied[:, 0] = True
        # The farthest are taken to be occupied, so that there always are enough.
        occupied[:, reach - _PLACES :] = True
        chosen = np.argsort(~occupied, axis=1, kind="stable")[:, :n]
        levels: Ints = np.take_along_axis(ticks, chosen, axis=1)
        return levels

    def _lots(self, relative: Floats) -> Ints:
        """Return sizes in lots, given relative to the ordinary one at the best price; two leading digits, as people like them."""
        series = self.series
        lots = np.maximum(np.rint(relative * (series.best_quote / series.instrument.price * series.lots_per_unit)), 1.0)
        unit = np.maximum(_POWERS[np.searchsorted(_POWERS, lots, side="right") - 1] / 10.0, 1.0)
        rounded: Ints = (np.rint(lots / unit) * unit).astype(np.int64)
        return rounded
