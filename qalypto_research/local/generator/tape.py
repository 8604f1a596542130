"""What happened in one series over one block: all its tables are read off this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qalypto_research.local.generator.execution import Trades
from qalypto_research.local.generator.ladder import Side
from qalypto_research.local.generator.latency import Delay
from qalypto_research.local.generator.minutes import Bars, bars_of_trades
from qalypto_research.local.generator.quotes import Quotes
from qalypto_research.local.generator.randomness import Floats, Ints
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import MINUTE_MS, STEP_MS


@dataclass(frozen=True, slots=True)
class Tape:
    """One series over one block.

    Attributes
    ----------
    log_price : array, (steps,)
        Efficient log price.
    quotes : Quotes
        Best prices.
    trades : Trades
        All trades.
    minutes : Bars
        The day before the block, then the block.
    delay : Delay
        Of the exchange.
    """

    log_price: Floats
    quotes: Quotes
    trades: Trades
    minutes: Bars
    delay: Delay

    @property
    def start_ms(self) -> int:
        return self.quotes.start_ms

    @property
    def end_ms(self) -> int:
        return self.quotes.start_ms + len(self.quotes.bid) * STEP_MS

    @property
    def block_minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS

    def standing(self, series: Series, side: str, at: Ints, n: int) -> tuple[Ints, Ints]:
        """Return prices in ticks and sizes in lots, each (moments, n), of what stands on a side after the trades up to `at`."""
        best, since = self.quotes.side(side, self.quotes.step_of(at))
        return Side(series, side).remaining(best, since, self.trades.taken[side].at(at, since), n)

    def minute_up_to(self, moments: Ints) -> Bars:
        """Return what happened in the running minute up to and with each moment."""
        before = self.minutes.count.shape[-1] - self.block_minutes
        first = np.searchsorted(self.trades.t, moments // MINUTE_MS * MINUTE_MS)
        stop = np.searchsorted(self.trades.t, moments, side="right")
        return bars_of_trades(self.trades, first, stop, int(self.minutes.close[before - 1]))
