"""Best bid and offer of each exchange: the efficient price, seen late, with a premium and a spread in ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.efficient import TAIL
from qalypto_research.local.generator.randomness import Floats, Ints, noise_normal, noise_uniform, smooth_noise
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import STEP_MS

_JITTER_BP: Final = 0.08
_JITTER_MS: Final = 400
_SPREAD_MS: Final = 700
_SPREAD_BP: Final = 0.04
_LAG_PERIOD_MS: Final = 3_000
_QUICK_PREMIUM_MS: Final = 180_000
_SLOW_PREMIUM_MS: Final = 1_500_000


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best prices of one series, constant within each step of the block.

    Attributes
    ----------
    start_ms : int
        Start of the first step.
    bid, ask : array of int, (steps,)
        Prices in ticks.
    """

    start_ms: int
    bid: Ints
    ask: Ints

    def step_of(self, t_ms: Ints) -> Ints:
        return (t_ms - self.start_ms) // STEP_MS


def premium(series: Series, t_ms: Ints) -> Floats:
    """Return the exchange's relative premium to the efficient price, slow and reverting to nothing."""
    quick = smooth_noise(series.seed, series.salt("quick premium"), t_ms, _QUICK_PREMIUM_MS)
    slow = smooth_noise(series.seed, series.salt("slow premium"), t_ms, _SLOW_PREMIUM_MS)
    return series.venue.basis_bp * 1e-4 * (0.6 * quick + 0.8 * slow)


def quote(series: Series, log_price: Floats, volatility: Floats, start_ms: int) -> Quotes:
    """Quote one series over a block.

    Parameters
    ----------
    series : Series
        Which one.
    log_price : array, (TAIL + steps,)
        Log efficient price.
    volatility : array, (seconds,)
        Relative volatility; spreads widen with it.
    start_ms : int
        Start of the block, UTC ms.
    """
    seed, steps = series.seed, len(log_price) - TAIL
    t = start_ms + STEP_MS * np.arange(steps, dtype=np.int64)
    lag = series.venue.lag_ms * np.clip(1.0 + 0.3 * smooth_noise(seed, series.salt("lag"), t, _LAG_PERIOD_MS), 0.4, 2.0)
    where = TAIL + np.arange(steps) - lag / STEP_MS
    before = np.floor(where).astype(np.int64)
    part = where - before
    after = np.minimum(before + 1, TAIL + steps - 1)
    seen = (1.0 - part) * log_price[before] + part * log_price[after]
    jitter = _JITTER_BP * 1e-4 * noise_normal(seed, series.salt("jitter"), t // _JITTER_MS)
    mid = np.exp(seen + premium(series, t) + jitter) * series.ticks_per_unit
    tick_bp = 1e4 / (series.instrument.price * series.ticks_per_unit)
    heat = np.repeat(volatility, 1000 // STEP_MS)
    wish = (_SPREAD_BP + series.venue.spread_bp) * heat * -np.log(noise_uniform(seed, series.salt("spread"), t // _SPREAD_MS))
    spread = 1 + np.floor(wish / tick_bp).astype(np.int64)
    bid = np.floor(mid - 0.5 * spread + 0.5).astype(np.int64)
    return Quotes(start_ms, bid, bid + spread)
