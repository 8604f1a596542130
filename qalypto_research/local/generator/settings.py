"""What one generated archive is made of: everything that decides its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from qalypto_research.local.generator.instruments import INSTRUMENTS, VENUES, Instrument, Venue
from qalypto_research.local.generator.randomness import Floats
from qalypto_research.local.generator.series import Series

BUSY: Final = ("BTCUSDT", "ETHUSDT")
STEP_MS: Final = 100
"""Resolution of the efficient price and of the quotes."""
MINUTE_MS: Final = 60_000
HISTORY_DAYS: Final = {"1m": 1, "5m": 3, "15m": 3, "30m": 3, "1h": 30, "4h": 60, "12h": 60, "1d": 60}
"""Days of finished candles before the ticks."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a series is looked at, in ms.

    Attributes
    ----------
    ticker, book : int
        Between two rows of a series.
    minute_candle, longer_candle : int
        Between two updates of a forming 1m candle, and of a longer one; the second is a multiple of the first.
    book_updates : int
        Changes of a book after which it is looked at sooner; 0 for never.
    """

    ticker: int
    book: int
    minute_candle: int
    longer_candle: int
    book_updates: int = 0


FULL_RATE: Final = Cadence(ticker=1_000, book=200, minute_candle=5_000, longer_candle=10_000, book_updates=100)
"""The service's own for books: every 0.2 s, or 100 updates."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides the rows of a generated archive; how far it has got is not part of it.

    Attributes
    ----------
    seed : int
        Seed of all randomness.
    start_ms : int
        First moment of ticks, UTC ms, a whole minute.
    block_ms : int
        Length of a block, a whole number of minutes.
    exchanges, symbols, tables : tuple of str
        Sorted by name.
    rate : float
        Trades a second over all series, on the average of a weekday.
    busy, other : Cadence
        Sampling of BTCUSDT and ETHUSDT, and of the others.
    """

    seed: int
    start_ms: int
    block_ms: int
    exchanges: tuple[str, ...]
    symbols: tuple[str, ...]
    tables: tuple[str, ...]
    rate: float
    busy: Cadence = FULL_RATE
    other: Cadence = FULL_RATE

    @property
    def instruments(self) -> list[Instrument]:
        return [INSTRUMENTS[name] for name in self.symbols]

    @property
    def venues(self) -> list[Venue]:
        return [VENUES[name] for name in self.exchanges]

    @property
    def venue_shares(self) -> Floats:
        shares: Floats = np.array([v.share for v in self.venues])
        shares /= shares.sum()
        return shares

    @property
    def trades_a_second(self) -> Floats:
        """Trades a second in each symbol, over all exchanges, on the average of a weekday."""
        shares: Floats = np.array([i.share for i in self.instruments])
        shares *= self.rate / shares.sum()
        return shares

    def trade_quote(self, symbol: int) -> float:
        """Return the mean trade in quote currency, the same everywhere: what is turned over does not depend on the number of trades.

        With very few trades it does: none is larger than what ordinarily stands at the best price.
        """
        instrument = self.instruments[symbol]
        return float(min(instrument.turnover / (60.0 * self.trades_a_second[symbol]), instrument.best_quote))

    def series(self, venue: int, symbol: int) -> Series:
        return Series(self.seed, self.exchanges[venue], self.symbols[symbol])

    def cadence(self, symbol: str) -> Cadence:
        return self.busy if symbol in BUSY else self.other

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
