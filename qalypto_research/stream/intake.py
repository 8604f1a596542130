"""What one live buffer takes in: the messages of its channels, counted and kept, and what happened meanwhile."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import pandas as pd

from qalypto_research.clock import from_us
from qalypto_research.schema.tables import KLINE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Notice
from qalypto_research.stream.decoding import MESSAGES
from qalypto_research.stream.horizon import Horizon
from qalypto_research.stream.store import Store

KIND_OF: Final = {message: kind for kind, message in MESSAGES.items()}
_CANDLES: Final = MESSAGES[KLINE.name]

RATED_S: Final = 60
"""Over so many seconds rates are taken."""
OTHERS: Final = "(others)"
"""Where exchanges are counted for which there is no room."""
_EVENTS: Final = 1_000
_LONGEST: Final = 1_000
"""Characters of an event: what a server says may be as long as a message."""
_MOST_COUNTED: Final = 400
"""Types and exchanges that are counted apart."""
_NUMBERS: Final = itertools.count(1)
_LAGS: Final = 20_000
"""Candles whose lags are remembered: their rows show the last update alone."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a live buffer.

    Attributes
    ----------
    at : pandas.Timestamp
        When, by the connection's clock, UTC.
    what : str
        Such as "live", "lost", "reconnect", "stale", "bad".
    detail : str
        More of it, for people.
    """

    at_us: int
    what: str
    detail: str

    @property
    def at(self) -> pd.Timestamp:
        return from_us(self.at_us)


class Intake:
    """Takes what comes for one live buffer. One thread hands over; any may look.

    Parameters
    ----------
    channels : sequence of Channel
        What it listens to.
    exchanges : frozenset of str or None
        Those whose messages it keeps; None for all.
    keep_us, max_bytes : int
        How long, in microseconds, and how much.
    now_us : callable
        The connection's clock, microseconds since 1970 UTC.
    pace : callable
        How many seconds the clock goes on in one.

    Attributes
    ----------
    number : int
        Its own, of all in this process.
    given_up : bool
        Whether nobody asks for it any more.
    counts : Counter
        Messages by type and exchange; of more exchanges than there can be the last together, as ``OTHERS``.
    latest_us : dict
        When the last message of each type and exchange arrived, microseconds since 1970 UTC; keys as of `counts`.
    lags : dict of str to deque
        Of the candles of each exchange: when each update arrived, was sent and was produced.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        exchanges: frozenset[str] | None,
        *,
        keep_us: int,
        max_bytes: int,
        now_us: Callable[[], int],
        pace: Callable[[], float],
    ) -> None:
        self.number = next(_NUMBERS)
        self.channels = tuple(channels)
        self.exchanges = exchanges
        self.keep_us = keep_us
        self.now_us = now_us
        self.store = Store(keep_us=keep_us, max_bytes=max_bytes)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.latest_us: dict[tuple[str, str], int] = {}
        self.lags: dict[str, deque[tuple[int, float, float]]] = {}
        self.given_up = False
        self.rates: deque[tuple[float, Counter[tuple[str, str]]]] = deque(maxlen=RATED_S + 1)
        self._events: deque[Event] = deque(maxlen=_EVENTS)
        self._happened = 0
        self._told_bad: set[str] = set()
        self._pace = pace
        self._horizon = Horizon()
        self._seen_s: float | None = None
        self._wakes: tuple[Callable[[], None], ...] = ()
        self._lock = threading.Lock()

    # --- On the thread that hands over -----------------------------------------------------------------------------

    def take(self, message: msgspec.Struct, received_us: int) -> None:
        """Keep a message of data."""
        data = message.data  # type: ignore[attr-defined] # made by msgspec
        exchange = data.exchange
        if self.exchanges is not None and exchange not in self.exchanges:
            return
        kind = type(message)
        key = (KIND_OF[kind], exchange)
        if key not in self.counts and len(self.counts) >= _MOST_COUNTED:
            key = (KIND_OF[kind], OTHERS)
        self.counts[key] += 1
        self.latest_us[key] = received_us
        self.store.put(message, received_us)
        if kind is _CANDLES:
            lags = self.lags.get(key[1]) or self.lags.setdefault(key[1], deque(maxlen=_LAGS))
            lags.append((received_us, data.stamps.websocket_sent, message.producer_received))  # type: ignore[attr-defined]
        for wake in self._wakes:
            wake()

    def note(self, what: str, detail: str) -> None:
        """Remember that something happened. Any thread may."""
        with self._lock:
            self._events.append(Event(self.now_us(), what, detail[:_LONGEST]))
            self._happened += 1
        for wake in self._wakes:
            wake()

    def notice(self, notice: Notice) -> None:
        """Take what the protocol tells."""
        if notice.what != "status":
            self.note(notice.what, notice.detail)

    def beat(self, now_s: float) -> None:
        """Do what is due every second or so: let go of what is too old or too much, and note how many messages there were."""
        passed_s = 0.0 if self._seen_s is None else now_s - self._seen_s
        self._seen_s = now_s
        pace = self._pace()
        go_by_us, jump_us = self._horizon.at(self.now_us(), round(passed_s * pace * 1e6), self.keep_us, pace)
        if jump_us:
            self.note("clock", f"the clock went {abs(jump_us) / 1e6:,.0f} s {'ahead' if jump_us > 0 else 'back'}")
        self.store.tidy(go_by_us)
        # What makes no row is found out as rows are made; the first of each sort is told.
        for sort in self.store.bad.copy().keys() - self._told_bad:
            self._told_bad.add(sort)
            self.note("bad", self.store.wrong.get(sort, sort))
        self.rates.append((now_s, self.counts.copy()))

    # --- From any thread -------------------------------------------------------------------------------------------

    def wake_with(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, quickly and on the thread that hands over, whenever something comes; return what ends that."""
        with self._lock:
            self._wakes = (*self._wakes, wake)

        def end() -> None:
            with self._lock:
                self._wakes = tuple(w for w in self._wakes if w is not wake)

        return end

    def happenings(self) -> tuple[list[Event], int]:
        """Return the last things that happened, and how many there have been in all."""
        with self._lock:
            return list(self._events), self._happened

    def give_up(self) -> None:
        """Have whoever hands over leave off when it suits; safe anywhere."""
        self.given_up = True

    def bound(self, keep_us: int, max_bytes: int) -> None:
        """Keep rows so long and so much from now on."""
        self.keep_us = keep_us
        self.store.bound(keep_us, max_bytes)

    def kinds(self) -> list[str]:
        """Return the types of messages that can come."""
        return [kind for kind in MESSAGES if any(c.kind in ("", kind) for c in self.channels)]
