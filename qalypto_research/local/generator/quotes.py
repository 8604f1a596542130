"""Best bid and offer of each exchange: the efficient price, seen late, with a premium and a spread in ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.efficient import TAIL
from qalypto_research.local.generator.instruments import Instrument
from qalypto_research.local.generator.randomness import Bools, Floats, Ints, noise_normal, noise_uniform, smooth_noise
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import STEP_MS

# A move matters from so many standard deviations of a second on, and from so many ticks on.
_MATTERS: Final = 1.7
_MATTERS_TICKS: Final = 1.2
_WIDTH_MS: Final = 10_000
_ANEW: Final = 0.012
_OFF: Final = 0.25
_REFRESH: Final = 0.07
_SPREAD_STEPS: Final = 7
_WIDE: Final = 0.04
_WIDE_BP: Final = 0.12
_LAG_PERIOD_MS: Final = 3_000
_QUICK_PREMIUM_MS: Final = 180_000
_SLOW_PREMIUM_MS: Final = 1_500_000


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best prices of one series as they are refreshed, constant within each step of the block.

    Attributes
    ----------
    start_ms : int
        Start of the first step.
    bid, ask : array of int, (steps,)
        Prices in ticks.
    bid_since, ask_since : array of int, (steps,)
        Step at which what stands there was last refreshed.
    """

    start_ms: int
    bid: Ints
    ask: Ints
    bid_since: Ints
    ask_since: Ints

    def step_of(self, t_ms: Ints) -> Ints:
        return (t_ms - self.start_ms) // STEP_MS

    def side(self, name: str, step: Ints) -> tuple[Ints, Ints]:
        """Return the best price in ticks of ``bids`` or ``asks`` at each step, and when (UTC ms) it was last refreshed."""
        price, since = (self.ask, self.ask_since) if name == "asks" else (self.bid, self.bid_since)
        return price[step], self.start_ms + STEP_MS * since[step]


def premium(series: Series, t_ms: Ints) -> Floats:
    """Return the exchange's relative premium to the efficient price, slow and reverting to nothing."""
    quick = smooth_noise(series.seed, series.salt("quick premium"), t_ms, _QUICK_PREMIUM_MS)
    slow = smooth_noise(series.seed, series.salt("slow premium"), t_ms, _SLOW_PREMIUM_MS)
    return series.venue.basis_bp * 1e-4 * (0.6 * quick + 0.8 * slow)


def firm(instrument: Instrument, log_price: Floats, sigma: Floats) -> Floats:
    """Return the price that quotes follow: the efficient one as it was when it had last gone far enough to matter.

    It has to cross a whole one of bands half as wide as a move that matters; this depends on how much the price moves in a
    second, (seconds,), and on the tick. All exchanges follow the same, so that none moves ahead by chance.
    """
    tick = 1.0 / (instrument.price * 10**instrument.tick_digits)
    width = np.repeat(np.maximum(_MATTERS * sigma[:: _WIDTH_MS // 1000], _MATTERS_TICKS * tick), _WIDTH_MS // STEP_MS)
    width = np.append(np.full(TAIL, width[0]), width[: len(log_price) - TAIL])
    band = np.floor(log_price * (2.0 / width)).astype(np.int64)
    step = np.arange(len(log_price))
    settled = np.maximum.accumulate(np.where(band % 2 == 0, step, 0))
    came = np.append(True, band[settled[1:]] != band[settled[:-1]])
    held: Floats = log_price[np.maximum.accumulate(np.where(came, step, 0))]
    return held


def quote(series: Series, followed: Floats, volatility: Floats, sigma: Floats, start_ms: int) -> Quotes:
    """Quote one series over a block.

    Parameters
    ----------
    series : Series
        Which one.
    followed : array, (TAIL + steps,)
        Log price that quotes follow.
    volatility, sigma : array, (seconds,)
        Relative volatility, with which spreads widen, and the standard deviation of each second's return.
    start_ms : int
        Start of the block, UTC ms.
    """
    seed, steps = series.seed, len(followed) - TAIL
    t = start_ms + STEP_MS * np.arange(steps, dtype=np.int64)
    lag = series.venue.lag_ms * np.clip(1.0 + 0.3 * smooth_noise(seed, series.salt("lag"), t, _LAG_PERIOD_MS), 0.4, 2.0)
    seen = followed[TAIL + np.arange(steps) - np.rint(lag / STEP_MS).astype(np.int64)]
    # Who quotes is a little off, and a little anew each time; now and then for no reason but that.
    anew = noise_uniform(seed, series.salt("anew"), t) < _ANEW
    anew[0] = True
    anew[1:] |= seen[1:] != seen[:-1]
    when = t[anew]
    off = premium(series, when) + _OFF * sigma[(when - start_ms) // 1000] * noise_normal(seed, series.salt("off"), when)
    mid = np.exp(seen + off[np.cumsum(anew) - 1]) * series.ticks_per_unit
    spread = _spread(series, volatility, start_ms, steps)
    bid = np.floor(mid - 0.5 * spread + 0.5).astype(np.int64)
    ask = bid + spread
    refreshed = noise_uniform(seed, series.salt("refresh"), t) < _REFRESH
    return Quotes(start_ms, bid, ask, _since(bid, refreshed), _since(ask, refreshed))


def _spread(series: Series, volatility: Floats, start_ms: int, steps: int) -> Ints:
    """Return the spread in ticks at each step: the smallest, but for moments in which it is wider."""
    seed, tick_bp = series.seed, 1e4 / (series.instrument.price * series.ticks_per_unit)
    step = start_ms // STEP_MS + np.arange(steps)
    slot, first = step // _SPREAD_STEPS, start_ms // STEP_MS // _SPREAD_STEPS
    slots = np.arange(first, slot[-1] + 1)
    heat = volatility[np.clip((slots * _SPREAD_STEPS * STEP_MS - start_ms) // 1000, 0, len(volatility) - 1)]
    chance = np.minimum((_WIDE + series.venue.loose) / (1.0 + 2.0 * tick_bp) * heat, 0.6)
    more = np.floor(-np.log(noise_uniform(seed, series.salt("spread"), slots)) * heat * _WIDE_BP / tick_bp).astype(np.int64)
    spread: Ints = 1 + np.where(noise_uniform(seed, series.salt("wide"), slots) < chance, 1 + more, 0)
    return spread[slot - first]


def _since(price: Ints, refreshed: Bools) -> Ints:
    """Return for each step the one at which what stands at the best `price` was refreshed: whenever that moves, and now and then."""
    anew = refreshed.copy()
    anew[0] = True
    anew[1:] |= price[1:] != price[:-1]
    return np.maximum.accumulate(np.where(anew, np.arange(len(price)), 0))
