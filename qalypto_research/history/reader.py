"""What the history calls need of a connection."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from qalypto_research.engine.snapshot import Snapshot


class Reader(Protocol):
    """A connection, as the history calls see it."""

    @property
    def exchange(self) -> str | None:
        """Exchange of calls that name none; None for binance, or the only one there is."""
        ...

    @property
    def source(self) -> str:
        """Where the rows come from, for people."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the rows."""
        ...

    @property
    def clocked(self) -> bool:
        """Whether the connection's now is its own clock's, not wall time."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read the clock once and lend what is known then."""
        ...
