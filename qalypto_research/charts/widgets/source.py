"""Where the candles of a live chart come from, as the chart sees it: a few calls, which any thread may make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from qalypto_research.errors import QalyptoError


@dataclass(frozen=True, slots=True)
class Pick:
    """Which candles a chart shows."""

    symbol: str
    interval: str
    exchange: str

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval} on {self.exchange}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a chart can be switched to."""

    symbols: tuple[str, ...]
    intervals: tuple[str, ...]
    exchanges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How the stream is doing.

    Attributes
    ----------
    state, reason : str
        Of its connection, as a live buffer says it; "stopped" ends a chart.
    now : float
        What time it is there, seconds since 1970 UTC.
    """

    state: str
    reason: str
    now: float


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """Candles that have changed.

    Attributes
    ----------
    klines : pandas.DataFrame
        One row a candle, its latest update, as ``live.klines(final=False)`` has them.
    mark : object
        For the next time.
    """

    klines: pd.DataFrame
    mark: object


class Source(Protocol):
    """A live buffer, as a chart sees it."""

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the candles, and no market."""
        ...

    def pick(self, pick: Pick) -> Pick:
        """Return a choice as it is spelled here.

        Raises
        ------
        InputError
            There are no such candles.
        """
        ...

    def choices(self) -> Choices:
        """Return what can be chosen."""
        ...

    def mark(self) -> object:
        """Return the mark behind all that has come so far."""
        ...

    def klines(self, pick: Pick) -> tuple[pd.DataFrame, str]:
        """Return the candles to begin with, ascending; and what is to be said of them, mostly nothing."""
        ...

    def news(self, pick: Pick, mark: object) -> News | None:
        """Return what has changed since a mark; None where nothing has."""
        ...

    def status(self) -> Status:
        """Return how the stream is doing."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """How the stream does in numbers.

    Attributes
    ----------
    series : pandas.DataFrame
        A row a type of messages and exchange: type, exchange, rate (messages a second), age (seconds), end_to_end_p50 and
        end_to_end_p95 (ms), clock_offset (bool).
    totals : dict
        Of all together, such as ``dropped``, ``bad`` and ``reconnects``.
    """

    series: pd.DataFrame
    totals: dict[str, float]


class BoardSource(Source, Protocol):
    """A live buffer, as a dashboard sees it.

    What raises an `InputError` because it is not listened to is said in its place.
    """

    def exchanges(self) -> tuple[str, ...]:
        """Return those that quotes are shown of."""
        ...

    def came(self, symbol: str, *kinds: str) -> object:
        """Return what is equal to before where no message of these types has come."""
        ...

    def quotes(self, symbol: str) -> pd.DataFrame:
        """Return what is known last of each exchange, as ``live.last`` has it."""
        ...

    def book(self, pick: Pick, depth: int) -> pd.DataFrame:
        """Return the newest whole book, as ``live.orderbooks`` has it; no row where there is none."""
        ...

    def trades(self, pick: Pick, mark: object, most: int) -> tuple[pd.DataFrame, object]:
        """Return the trades beyond a mark, without one the newest `most`; and the mark for the next time."""
        ...

    def condition(self) -> Condition:
        """Return how the stream does."""
        ...

    def events(self) -> pd.DataFrame:
        """Return what happened: index ``at``, what, detail."""
        ...


def in_words(error: Exception) -> str:
    """Return what failed, as a chart says it."""
    return str(error) if isinstance(error, QalyptoError) else f"{type(error).__name__}: {error}"
