"""The efficient price of each symbol: a common factor, the symbol's own news, and what the flow of orders reveals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator.arrivals import FILLS, Orders, lean
from qalypto_research.local.generator.instruments import COMMON_VOLATILITY
from qalypto_research.local.generator.randomness import Floats
from qalypto_research.local.generator.settings import STEP_MS, Settings
from qalypto_research.local.generator.sizes import UNIT
from qalypto_research.local.generator.volatility import VolatilityPath

TAIL: Final = 20
"""Steps of the past that slower exchanges may still look at."""
_FLOW_SHARE: Final = 0.30
# Signs persist within bursts, so a burst moves the price further than independent orders would.
_FLOW_PERSISTENCE: Final = 3.0
_STEPS_A_DAY: Final = 86_400_000 / STEP_MS
_STEPS_A_SECOND: Final = 1000 // STEP_MS


@dataclass(frozen=True, slots=True)
class PricePath:
    """Log efficient price on the grid of steps.

    Attributes
    ----------
    log_price : array, (symbols, TAIL + steps)
        The last `TAIL` steps before the block, then the block's.
    """

    log_price: Floats

    @property
    def tail(self) -> Floats:
        return self.log_price[:, -TAIL:].copy()


def starting_tail(settings: Settings) -> Floats:
    """Return the past of a market that stood still at its starting prices."""
    tail: Floats = np.log(np.repeat([[i.price] for i in settings.instruments], TAIL, axis=1))
    return tail


def advance(settings: Settings, tail: Floats, vol: VolatilityPath, flow: Floats, draws: np.random.Generator) -> PricePath:
    """Move the efficient prices on over one block.

    Parameters
    ----------
    settings : Settings
        Of the archive.
    tail : array, (symbols, TAIL)
        Log prices of the last steps.
    vol : VolatilityPath
        Each second of the block.
    flow : array, (symbols, steps)
        Signed order flow of each step, in orders.
    draws : numpy.random.Generator
        Source of randomness.
    """
    steps = flow.shape[1]
    news = np.sqrt(1.0 - _FLOW_SHARE) / np.sqrt(_STEPS_A_DAY)
    common = COMMON_VOLATILITY * (np.repeat(vol.common, _STEPS_A_SECOND) * draws.normal(size=steps) * news)
    common[::_STEPS_A_SECOND] += COMMON_VOLATILITY * vol.jumps[:, 0]
    log_price = np.empty((len(settings.symbols), TAIL + steps))
    for i, instrument in enumerate(settings.instruments):
        own = np.repeat(vol.own[:, i], _STEPS_A_SECOND) * draws.normal(size=steps) * news
        own[::_STEPS_A_SECOND] += vol.jumps[:, 1 + i]
        returns = instrument.beta * common + instrument.own_volatility * own
        # What is done in one step is known in the next.
        returns[1:] += impact_of_one_order(settings, i) * flow[i, :-1]
        log_price[i, :TAIL] = tail[i]
        log_price[i, TAIL:] = tail[i, -1] + np.cumsum(returns)
    return PricePath(log_price)


def impact_of_one_order(settings: Settings, symbol: int) -> float:
    """Return the log-price impact of one order of ordinary size on the leading exchange."""
    instrument = settings.instruments[symbol]
    daily = float(np.hypot(instrument.beta * COMMON_VOLATILITY, instrument.own_volatility))
    orders_a_day = settings.trades_a_second[symbol] * 86_400.0 / FILLS
    return daily * float(np.sqrt(_FLOW_SHARE / orders_a_day)) / _FLOW_PERSISTENCE


def signed_flow(settings: Settings, symbol: str, orders: Orders, start_ms: int, steps: int) -> Floats:
    """Return the signed flow of one symbol's orders in each step: weighted by the root of their size and by how much each exchange leads.

    What everyone expects of their signs is in the price already, so it moves by the rest alone.
    """
    weights: Floats = np.array([v.leadership for v in settings.venues])[orders.venue]
    sign = np.where(orders.buy, 1.0, -1.0) - lean(settings.seed, symbol, orders.t)
    weights = weights * sign * np.sqrt(orders.size / UNIT)
    return np.bincount((orders.t - start_ms) // STEP_MS, weights=weights, minlength=steps).astype(np.float64)
