"""One series, an exchange's market in one symbol, and its hashed noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qalypto_research.local.generator.instruments import INSTRUMENTS, VENUES, Instrument, Venue
from qalypto_research.local.generator.randomness import label


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an archive.

    Attributes
    ----------
    seed : int
        Seed of the archive.
    exchange, symbol : str
        Names.
    """

    seed: int
    exchange: str
    symbol: str

    @property
    def instrument(self) -> Instrument:
        return INSTRUMENTS[self.symbol]

    @property
    def venue(self) -> Venue:
        return VENUES[self.exchange]

    @property
    def best_quote(self) -> float:
        """Median size at the best price in quote currency: exchanges differ in it less than in what they trade."""
        return self.instrument.best_quote * math.sqrt(self.venue.share / max(v.share for v in VENUES.values()))

    @property
    def key(self) -> int:
        """A number that is the series' own."""
        return label(self.exchange, self.symbol)

    @property
    def ticks_per_unit(self) -> int:
        return int(10**self.instrument.tick_digits)

    @property
    def lots_per_unit(self) -> int:
        return int(10**self.instrument.lot_digits)

    def salt(self, purpose: str) -> int:
        """Return a number for hashed noise of one purpose, the series' own."""
        return label(self.exchange, self.symbol, purpose)
