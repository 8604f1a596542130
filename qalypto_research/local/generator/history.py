"""Minutes before the ticks: one price path a symbol, drawn backwards from where the ticks start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qalypto_research.local.generator import volatility
from qalypto_research.local.generator.instruments import COMMON_VOLATILITY, Instrument
from qalypto_research.local.generator.minutes import Bars
from qalypto_research.local.generator.quotes import premium
from qalypto_research.local.generator.randomness import Bools, Floats, Ints, rng
from qalypto_research.local.generator.settings import MINUTE_MS, Settings

_MINUTES_A_DAY: Final = 1440.0
# Extremes reach less far than those of a Brownian path, as recorded ones.
_WITHIN: Final = 0.88
_VWAP_INSIDE: Final = 0.35
_BURSTS: Final = 12.0
# Large moves come with large volumes.
_MOVED: Final = 0.22
_USUAL: Final = 0.9


@dataclass(frozen=True, slots=True)
class BasePath:
    """The efficient price of each minute before the ticks.

    Attributes
    ----------
    start_ms : int
        Open of the first minute, UTC ms.
    log_close : array, (symbols, 1 + minutes)
        Log price at the start of the first minute and at the end of each.
    sigma : array, (symbols, minutes)
        Standard deviation of each minute's return.
    activity : array, (symbols, minutes)
        Relative trading activity.
    """

    start_ms: int
    log_close: Floats
    sigma: Floats
    activity: Floats


def base_path(settings: Settings, factors: volatility.Factors, minutes: int) -> BasePath:
    """Draw the last `minutes` before the ticks.

    Volatility runs backwards in time from its state at the start of the ticks, which it may, because an autoregression
    looks the same both ways; prices end at the starting ones.
    """
    draws = rng(settings.seed, "history")
    end = settings.start_ms
    backwards = end - MINUTE_MS * (1 + np.arange(minutes, dtype=np.int64))
    _, vol = volatility.advance(factors, backwards, 60.0, draws)
    scale = 1.0 / np.sqrt(_MINUTES_A_DAY)
    common = COMMON_VOLATILITY * (vol.common * scale * draws.normal(size=minutes) + vol.jumps[:, 0])
    n = len(settings.symbols)
    log_close, sigma = np.empty((n, minutes + 1)), np.empty((n, minutes))
    for i, instrument in enumerate(settings.instruments):
        own = instrument.own_volatility * (vol.own[:, i] * scale * draws.normal(size=minutes) + vol.jumps[:, 1 + i])
        returns = (instrument.beta * common + own)[::-1]
        log_close[i, 0] = 0.0
        np.cumsum(returns, out=log_close[i, 1:])
        log_close[i] += np.log(instrument.price) - log_close[i, -1]
        sigma[i] = np.hypot(instrument.beta * COMMON_VOLATILITY * vol.common, instrument.own_volatility * vol.own[:, i])[::-1] * scale
    return BasePath(end - MINUTE_MS * minutes, log_close, sigma, vol.activity.T[:, ::-1])


def venue_minutes(settings: Settings, path: BasePath, symbol: int, venue: int) -> Bars:
    """Return the minutes of one series along `path`."""
    series = settings.series(venue, symbol)
    draws = rng(settings.seed, "history", series.key)
    rate = settings.trades_a_second[symbol] * settings.venue_shares[venue] * 60.0
    # Bursts: more spread than independent arrivals would have.
    count = draws.poisson(rate * path.activity[symbol] * draws.gamma(_BURSTS, 1.0 / _BURSTS, path.activity.shape[1]))
    t = path.start_ms + MINUTE_MS * np.arange(path.log_close.shape[1], dtype=np.int64)
    level = path.log_close[symbol] + premium(series, t)
    opened, high, low, close = _prices(level, path.sigma[symbol], series.ticks_per_unit, count, draws)
    surprise = np.abs(np.diff(path.log_close[symbol])) / path.sigma[symbol]
    lots = _lots(series.instrument, settings.trade_quote(symbol) * np.exp(_MOVED * (np.minimum(surprise, 4.0) - _USUAL)), count, draws)
    inside = np.floor((high - low) * (0.5 + _VWAP_INSIDE * draws.uniform(-1.0, 1.0, len(count)))).astype(np.int64)
    return Bars(opened, high, low, close, lots, lots * (low + inside), count)


def _prices(level: Floats, sigma: Floats, scale: int, count: Ints, draws: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Return open, high, low, close in ticks; the extremes are those of a Brownian bridge between the ends."""
    n = len(sigma)
    half = draws.integers(-1, 2, size=(2, n))
    close = np.rint(np.exp(level[1:]) * scale).astype(np.int64) + half[0]
    close, before = _carried(close, int(np.rint(np.exp(level[0]) * scale)), count > 0)
    opened = before + half[1]
    move = np.log(close / opened)
    reach = _WITHIN * 0.5 * (np.abs(move) + np.sqrt(move**2 - 2.0 * sigma**2 * np.log(draws.random((2, n)) + 1e-300)))
    # With few trades the extremes between them are not all hit.
    reach *= np.minimum(1.0, count / 8.0)
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    high = np.maximum(top, np.rint(bottom * np.exp(reach[0])).astype(np.int64))
    low = np.minimum(bottom, np.rint(top * np.exp(-reach[1])).astype(np.int64))
    few = count <= 2
    high, low = np.where(few, top, high), np.where(few, bottom, low)
    single = count <= 1
    return tuple(np.where(count == 0, before, np.where(single, close, a)) for a in (opened, high, low, close))  # type: ignore[return-value]


def _carried(close: Ints, before_all: int, traded: Bools) -> tuple[Ints, Ints]:
    """Return each minute's close, that of an empty one carried on, and the close before it."""
    whole = np.append(before_all, close)
    position = np.maximum.accumulate(np.append(0, np.where(traded, 1 + np.arange(len(close)), 0)))
    carried = whole[position]
    return carried[1:], carried[:-1]


def _lots(instrument: Instrument, mean_quote: Floats, count: Ints, draws: np.random.Generator) -> Ints:
    """Return volumes in lots: the more trades, the nearer to their expected sum, with a heavy right tail."""
    spread = np.hypot(0.25, 1.5 / np.sqrt(1.0 + count / 4.0))
    quote = count * mean_quote * np.exp(spread * draws.normal(size=len(count)) - 0.5 * spread**2)
    lots: Ints = np.maximum(np.rint(quote / instrument.price * 10.0**instrument.lot_digits).astype(np.int64), count)
    return lots
