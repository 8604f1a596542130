"""A question to a live buffer, and the buffer as the calls on it see it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from qalypto_research.asked import Names
from qalypto_research.stream.intake import Intake
from qalypto_research.timerange import DurationLike


class Live(Protocol):
    """A live buffer, as the calls on it see it."""

    @property
    def intake(self) -> Intake:
        """What it takes in."""
        ...

    @property
    def exchange(self) -> Names | None:
        """Exchanges of calls that name none; None where one is to be named."""
        ...

    @property
    def state(self) -> str:
        """What its connection is doing."""
        ...

    @property
    def reason(self) -> str:
        """Why it waits, or has ended."""
        ...

    @property
    def refused(self) -> dict[str, str]:
        """Its channels that cannot be had, and why."""
        ...

    @property
    def source(self) -> str:
        """Where the rows come from, for people."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """The arguments that every call on a table takes, as the user gave them."""

    symbols: Names | None = None
    exchange: Names | None = None
    last: DurationLike | None = None
    max_age: DurationLike | None = None
    columns: Names | None = None
    limit: int | None = None
    tz: str | dt.tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows are meant: by name as in messages, None for all, and from which time on."""

    symbols: tuple[str, ...] | None
    exchanges: tuple[str, ...] | None
    now_us: int
    since_us: int | None
