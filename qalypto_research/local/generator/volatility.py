"""Volatility that clusters on several horizons, and the trading activity that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator import rhythm
from qalypto_research.local.generator.randomness import Floats, Ints, autoregress, label, rng

# Half-lives in seconds of the parts of log volatility, and their standard deviations.
HALF_LIVES: Final = np.array([12.0, 120.0, 900.0, 5_400.0, 43_200.0, 400_000.0])
DEVIATIONS: Final = np.array([0.25, 0.28, 0.36, 0.34, 0.30, 0.30])
# The symbol's own parts, beside its share in the common ones.
OWN: Final = 0.6
COMMON_SHARE: Final = 0.6
# Only the parts that pass within hours move activity, so that counts over some hours stay near their expectation.
PASSING: Final = slice(0, 3)
_JUMPS_A_DAY: Final = 6.0
_JUMP_SIZE: Final = 0.045
# A jump is followed by minutes of higher volatility.
_JUMP_KICK: Final = np.array([1.0, 0.6, 0.35, 0.1, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Factors:
    """State of log volatility: column 0 is the common factor, then one for each symbol; rows are the horizons."""

    level: Floats

    @classmethod
    def stationary(cls, seed: int, symbols: tuple[str, ...]) -> Factors:
        """Draw the state at the start from its long-run distribution."""
        columns = [rng(seed, "volatility start", label(name)).normal(size=len(DEVIATIONS)) for name in ("", *symbols)]
        return cls(np.stack(columns, axis=1) * DEVIATIONS[:, None])


@dataclass(frozen=True, slots=True)
class VolatilityPath:
    """Volatility and activity on an even grid of times.

    Attributes
    ----------
    common : array, (times,)
        Volatility of the common factor relative to its mean.
    own : array, (times, symbols)
        The same of the symbols' own returns.
    activity : array, (times, symbols)
        Trading activity relative to the average of a weekday.
    jumps : array, (times, 1 + symbols)
        Sizes of jumps in units of a day's volatility; mostly zero.
    """

    common: Floats
    own: Floats
    activity: Floats
    jumps: Floats


def advance(factors: Factors, t_ms: Ints, step_s: float, draws: np.random.Generator) -> tuple[Factors, VolatilityPath]:
    """Move volatility on over the times `t_ms` (UTC ms, `step_s` apart)."""
    n, width = len(t_ms), factors.level.shape[1]
    keep = (0.5 ** (step_s / HALF_LIVES))[:, None]
    shocks = draws.normal(size=(n, len(HALF_LIVES), width))
    shocks *= DEVIATIONS[:, None] * np.sqrt(1.0 - keep**2)
    struck = draws.random(size=(n, width)) < _JUMPS_A_DAY * step_s / 86_400.0
    jumps = np.where(struck, draws.normal(size=(n, width)) * _JUMP_SIZE, 0.0)
    # A kick has partly faded by the end of its step.
    shocks += struck[:, None, :] * (_JUMP_KICK[:, None] * np.sqrt(keep))[None]
    levels = autoregress(factors.level, shocks, keep)
    return Factors(levels[-1]), _read(levels, jumps, t_ms)


def _read(levels: Floats, jumps: Floats, t_ms: Ints) -> VolatilityPath:
    """Turn log-volatility levels (times, horizons, 1 + symbols) into relative volatility and activity."""
    daily = rhythm.volatility(t_ms)
    spread = float(np.sum(DEVIATIONS**2))
    total = levels.sum(axis=1)
    common = daily * np.exp(total[:, 0] - spread)
    mixed = COMMON_SHARE * total[:, :1] + OWN * total[:, 1:]
    own = daily[:, None] * np.exp(mixed - spread * (COMMON_SHARE**2 + OWN**2))
    passing = levels[:, PASSING, :].sum(axis=1)
    heat = 0.8 * (COMMON_SHARE * passing[:, :1] + OWN * passing[:, 1:])
    mean = 0.5 * 0.64 * (COMMON_SHARE**2 + OWN**2) * float(np.sum(DEVIATIONS[PASSING] ** 2))
    activity = rhythm.activity(t_ms)[:, None] * np.exp(heat - mean)
    return VolatilityPath(common, own, activity, jumps)
