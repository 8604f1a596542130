"""The clock of a connection: what time it is there, and so what may be known.

A ``Reading`` is a small value (moment, wall anchor, speed): handed to another process it still tells the same time.
A ``Clock`` holds the reading a connection goes by now. It stands still until it is started.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from qalypto_research.errors import InputError


def wall_us() -> int:
    """Return wall time in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


def to_us(moment: pd.Timestamp) -> int:
    """Return microseconds since 1970 UTC."""
    return int(moment.value // 1_000)


def from_us(microseconds: int) -> pd.Timestamp:
    """Return the moment `microseconds` after 1970, UTC in microseconds."""
    return pd.Timestamp(microseconds, unit="us", tz="UTC").as_unit("us")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to tell a clock's time from wall time.

    Attributes
    ----------
    moment_us : int
        The clock's time when it was set, microseconds since 1970 UTC.
    anchor_us : int or None
        Wall time at which it began to run from there; None while it stands still.
    speed : float
        Seconds of clock time a second of wall time.
    """

    moment_us: int
    anchor_us: int | None = None
    speed: float = 1.0

    def at(self, wall_us: int) -> int:
        """Return the clock's time at the wall time `wall_us`, both in microseconds since 1970 UTC."""
        if self.anchor_us is None:
            return self.moment_us
        return self.moment_us + round((wall_us - self.anchor_us) * self.speed)


class ServerClock:
    """The clock of a server: it is asked each time, and only tells.

    Parameters
    ----------
    ask : callable
        Returns the server's time.
    """

    running: Final = True

    def __init__(self, ask: Callable[[], pd.Timestamp]) -> None:
        self._ask = ask

    def now(self) -> pd.Timestamp:
        """Return the server's present moment, UTC in microseconds."""
        return self._ask()

    def __repr__(self) -> str:
        return "<ServerClock: the service's own time>"


class Clock:
    """What time it is for a connection.

    Parameters
    ----------
    reading : Reading
        Where it stands, or how it runs.
    wall : callable, optional
        Source of wall time in microseconds since 1970 UTC; tests hand in their own.

    Examples
    --------
    >>> from qalypto_research.clock import Clock, Reading
    >>> clock = Clock(Reading(1_772_456_430_000_000))
    >>> clock.now()
    Timestamp('2026-03-02 13:00:30+0000', tz='UTC')
    """

    def __init__(self, reading: Reading, *, wall: Callable[[], int] = wall_us) -> None:
        if not (math.isfinite(reading.speed) and reading.speed > 0):
            raise InputError("speed", f"{reading.speed!r} must be a number above zero; 1 is true pace")
        self._reading = reading
        self._wall = wall
        self._told: list[Callable[[Reading], None]] = []

    @property
    def reading(self) -> Reading:
        """The value by which another process can tell the same time."""
        return self._reading

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._reading.anchor_us is not None

    def now(self) -> pd.Timestamp:
        """Return the present moment of this clock, UTC in microseconds."""
        return from_us(self.now_us())

    def now_us(self) -> int:
        """Return the present moment of this clock in microseconds since 1970 UTC."""
        return self._reading.at(self._wall())

    def start(self) -> None:
        """Let time pass from where the clock stands. A running clock runs on."""
        if not self.running:
            self.set(replace(self._reading, anchor_us=self._wall()))

    def stop(self) -> None:
        """Halt the clock where it is. A halted clock stays."""
        if self.running:
            self.set(replace(self._reading, moment_us=self.now_us(), anchor_us=None))

    def set(self, reading: Reading) -> None:
        """Go by another reading from now on, as one that another process has handed over."""
        self._reading = reading
        for tell in list(self._told):
            tell(reading)

    def follow(self, tell: Callable[[Reading], None]) -> None:
        """Have `tell` called with each new reading: when the clock is started, stopped or set."""
        self._told.append(tell)

    def __repr__(self) -> str:
        pace = f"running at {self._reading.speed:g}x" if self.running else "standing"
        return f"<Clock {self.now():%Y-%m-%d %H:%M:%S.%f} UTC, {pace}>"
