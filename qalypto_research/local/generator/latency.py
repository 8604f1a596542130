"""When rows are seen: each exchange's delay moves slowly, and one series never overtakes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.instruments import Venue
from qalypto_research.local.generator.randomness import Floats, Ints, autoregress, label, noise_uniform, smooth_noise
from qalypto_research.local.generator.series import Series

# P95 / P50 of the delay is about 2.2, as documented for the service.
_SPREAD: Final = 0.48
_KEEP: Final = 0.80
_JITTER_US: Final = 9_000.0
_CANDLE_US: Final = 35_000.0
_CANDLE_JITTER_US: Final = 8_000.0
_CANDLE_PERIOD_MS: Final = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Delay:
    """Delay of one exchange over a block.

    Attributes
    ----------
    start_ms : int
        Start of the block.
    knots : array, (seconds + 1,)
        Delay in us at each full second, linear between.
    """

    start_ms: int
    knots: Floats

    def seen(self, t_ms: Ints, salt: int, floor_us: int) -> Ints:
        """Return when events of one series at `t_ms` (ascending) are seen, in us, none before `floor_us` or the one ahead of it."""
        at = (t_ms - self.start_ms) / 1000.0
        delay = np.interp(at, np.arange(len(self.knots)), self.knots)
        jitter = _JITTER_US * noise_uniform(salt, t_ms, np.arange(len(t_ms), dtype=np.int64))
        seen = t_ms * 1000 + (delay + jitter).astype(np.int64)
        if len(seen):
            seen[0] = max(seen[0], floor_us)
        return np.maximum.accumulate(seen)


def advance(levels: Floats, venues: list[Venue], start_ms: int, seconds: int, draws: np.random.Generator) -> tuple[Floats, list[Delay]]:
    """Move the delays of all exchanges on over one block; `levels` are their standard-normal states at its start."""
    shocks = draws.normal(size=(seconds, len(venues))) * np.sqrt(1.0 - _KEEP**2)
    path = np.concatenate([levels[None, :], autoregress(levels, shocks, np.array(_KEEP))])
    knots = np.array([v.latency_ms for v in venues]) * 1000.0 * np.exp(_SPREAD * path)
    return path[-1], [Delay(start_ms, knots[:, i]) for i in range(len(venues))]


def past_candle_delay_us(series: Series, interval: str, end_ms: Ints) -> Ints:
    """Return how long after its end each candle of the past was seen: the exchange's slowly moving delay and a little more."""
    slow = np.exp(0.6 * _SPREAD * smooth_noise(series.seed, label(series.exchange), end_ms, _CANDLE_PERIOD_MS))
    jitter = _CANDLE_JITTER_US * noise_uniform(series.seed, series.salt(interval), end_ms)
    whole_ms: Ints = ((series.venue.latency_ms * 1000.0 * slow + _CANDLE_US + jitter) // 1000.0).astype(np.int64) * 1000
    return whole_ms


def closing_us(series: Series, end_ms: Ints) -> Ints:
    """Return what an exchange takes to close its candles, beside the delay of the way."""
    return (_CANDLE_US * (0.3 + noise_uniform(series.seed, series.salt("closing"), end_ms))).astype(np.int64)
