"""One connection to a stream, shared by all who listen to it."""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from qalypto_research.config import StreamAccess
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Limits, Notice, State
from qalypto_research.stream.channels import covered
from qalypto_research.stream.decoding import MESSAGES
from qalypto_research.stream.protocol import Protocol as Machine
from qalypto_research.stream.transport import Transport

FINAL: Final = ("finished", "failed", "stopped")
"""States from which a connection does not come back."""

_ROUTES: Final = 10_000
_CANDLES: Final = MESSAGES["kline"]
_WRONG: Final = 200


class Listener(Protocol):
    """Who listens. All is called on the connection's thread, and must be quick."""

    @property
    def channels(self) -> Sequence[Channel]:
        """What is to come."""

    @property
    def given_up(self) -> bool:
        """Whether nothing is to come any more."""

    def take(self, message: msgspec.Struct, received_us: int) -> None:
        """Take a message of data that arrived at a moment, microseconds since 1970 UTC."""

    def notice(self, notice: Notice) -> None:
        """Take what the protocol tells."""

    def note(self, what: str, detail: str) -> None:
        """Take what else happened."""

    def beat(self, now_s: float) -> None:
        """Do what is due every second."""


class Hub:
    """Keeps one connection up, and hands each message to those who asked for its channel.

    The first to join opens it, and the last to leave closes it.

    Parameters
    ----------
    access : StreamAccess
        The way to the stream.
    now_us : callable
        What tells when a message arrived, microseconds since 1970 UTC.
    limits : Limits, optional
        How long what is waited for.

    Attributes
    ----------
    bad : Counter
        Messages that could not be read, by what they were; `wrong` has an example of each.
    """

    def __init__(self, access: StreamAccess, now_us: Callable[[], int], limits: Limits | None = None) -> None:
        self.bad: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}
        self._now_us = now_us
        self._machine = Machine(jitter=random.random, limits=limits)
        self._transport = Transport(access, self._machine, data=self._take, notice=self._notice, bad=self._note_bad, beat=self._beat)
        self._listeners: tuple[Listener, ...] = ()
        self._routes: dict[object, tuple[Listener, ...]] = {}
        self._changing = threading.Lock()
        self._closing = False
        self._live_s: float | None = None
        self._asking = threading.Lock()
        self._answered = threading.Event()
        self._answer: dict[str, Any] | None = None

    # --- What there is ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the connection is doing."""
        return self._machine.state

    @property
    def reason(self) -> str:
        """Why it waits, or has ended."""
        return self._machine.reason

    @property
    def refused(self) -> dict[str, str]:
        """The channels that cannot be had, and why."""
        return dict(self._machine.refused)

    def state_of(self, channels: Sequence[str]) -> State:
        """Return what the connection is doing for one of those who share it, who wants these channels."""
        refused = self._machine.refused
        if all(text in refused for text in channels):
            return "failed"
        # It has failed for want of what the others asked for, and is about to begin anew with what this one does.
        return "connecting" if self.state == "failed" and self._machine.without_any else self.state

    def confirmed(self, channels: Sequence[Channel]) -> bool:
        """Whether the server sends all that comes by `channels`, but for those that cannot be had."""
        there = [Channel.parse(text) for text in self._machine.confirmed]
        return all(covered(channel, there) for channel in channels if channel.text not in self._machine.refused)

    @property
    def reconnects(self) -> int:
        """How often it came to live again."""
        return self._machine.reconnects

    @property
    def unknown(self) -> int:
        """How many messages were of types that are not known."""
        return self._machine.unknown

    @property
    def messages(self) -> int:
        """Messages received, of whatever kind."""
        return self._transport.messages

    @property
    def bytes(self) -> int:
        """Bytes of the messages received."""
        return self._transport.bytes

    @property
    def uptime_s(self) -> float:
        """For how many seconds it has been live; 0 where it is not."""
        since_s = self._live_s
        return 0.0 if since_s is None or self.state != "live" else time.monotonic() - since_s

    # --- Who listens -----------------------------------------------------------------------------------------------

    def join(self, listener: Listener) -> bool:
        """Hand messages to one more from now on; return False, and do nothing, where the last has left."""
        with self._changing:
            if self._closing:
                return False
            first = not self._listeners
            self._change((*self._listeners, listener))
            if first:
                self._transport.start(self._wanted())
            else:
                self._transport.want(self._wanted())
                if self.state == "live":
                    listener.note("live", "on the connection that is there")
            return True

    def leave(self, listener: Listener) -> None:
        """Hand nothing to one any more; after the last close the connection. Leaving twice is fine."""
        with self._changing:
            last = self._without(listener)
        if last:
            self.stop()  # waits for the connection's thread: whoever joins or leaves meanwhile does not

    def stop(self) -> None:
        """Close the connection. Stopping twice is fine."""
        self._transport.stop()

    def status(self, timeout_s: float) -> dict[str, Any] | None:
        """Ask the server what it knows of the connection; return its answer, None where none came in time."""
        until_s = time.monotonic() + timeout_s
        if not self._asking.acquire(timeout=timeout_s):
            return None
        try:
            self._answered.clear()
            self._transport.ask_status()
            return self._answer if self._answered.wait(max(until_s - time.monotonic(), 0.0)) else None
        finally:
            self._asking.release()

    def _without(self, listener: Listener) -> bool:
        """Hand nothing to one any more; return whether it was the last."""
        if listener not in self._listeners:
            return False
        self._change(tuple(one for one in self._listeners if one is not listener))
        if self._listeners:
            self._transport.want(self._wanted())
        else:
            self._closing = True
        return self._closing

    def _change(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners
        self._routes = {}

    def _wanted(self) -> list[Channel]:
        return [channel for listener in self._listeners for channel in listener.channels]

    # --- On the connection's thread --------------------------------------------------------------------------------

    def _take(self, message: msgspec.Struct) -> None:
        data = message.data  # type: ignore[attr-defined] # made by msgspec
        key = (type(message), data.symbol, data.interval) if type(message) is _CANDLES else (type(message), data.symbol)
        routes = self._routes
        listeners = routes.get(key)
        if listeners is None:
            listeners = self._route(routes, key)
        received_us = self._now_us()
        failed: Exception | None = None
        for listener in listeners:
            try:
                listener.take(message, received_us)
            except Exception as error:  # noqa: BLE001 - the others are to have it all the same; then it is told as bad
                failed = error
        if failed is not None:
            raise failed

    def _route(self, routes: dict[object, tuple[Listener, ...]], key: tuple[Any, ...]) -> tuple[Listener, ...]:
        """Return who asked for such messages, and remember it."""
        kind, symbol, *interval = key
        channel = Channel(str(kind.__struct_config__.tag), symbol, *interval)
        if len(routes) >= _ROUTES:
            routes.clear()
        routes[key] = tuple(one for one in self._listeners if any(wanted.covers(channel) for wanted in one.channels))
        return routes[key]

    def _notice(self, notice: Notice) -> None:
        if notice.what in ("live", "reconnect"):
            self._live_s = time.monotonic()
        if notice.what == "status":
            self._answer = notice.content
            self._answered.set()
        about = [Channel.parse(text) for text in notice.channels]
        for listener in self._listeners:
            if not about or any(channel.covers(wanted) for channel in about for wanted in listener.channels):
                listener.notice(notice)

    def _note_bad(self, wrong: str) -> None:
        """Count a message that cannot be read; the first of each sort is told."""
        sort = wrong.partition(":")[0]
        self.bad[sort] += 1
        self.wrong[sort] = wrong[:_WRONG]
        if self.bad[sort] == 1:
            for listener in self._listeners:
                listener.note("bad", wrong[:_WRONG])

    def _beat(self, now_s: float) -> None:
        for listener in self._listeners:
            listener.beat(now_s)
        # Not waited for: whoever is changing something may wait for this thread.
        if any(listener.given_up for listener in self._listeners) and self._changing.acquire(blocking=False):
            try:
                for listener in [one for one in self._listeners if one.given_up]:
                    if self._without(listener):
                        self.stop()
            finally:
                self._changing.release()


_hubs: Final[dict[object, Hub]] = {}
_all: Final[weakref.WeakSet[Hub]] = weakref.WeakSet()
"""Those that were replaced, too."""
_lock = threading.Lock()


def join_hub(access: StreamAccess, now_us: Callable[[], int], listener: Listener) -> Hub:
    """Have `listener` get what comes by `access`: over the connection that is there for this account, or a new one."""
    # With the token: one that was mended is not to wait for what goes on trying with the one before.
    token = tuple((name, value.get_secret_value()) for name, value in sorted(access.headers.items()))
    key = (access.url, access.username, access.client_id, token)
    with _lock:
        hub = _hubs.get(key)
        if hub is None or hub.state in FINAL or not hub.join(listener):
            hub = _hubs[key] = Hub(access, now_us)
            _all.add(hub)
            hub.join(listener)
        return hub


def leave_hub(hub: Hub, listener: Listener) -> None:
    """Have `listener` get nothing any more; the last to leave closes the connection."""
    hub.leave(listener)
    with _lock:
        for key in [key for key, one in _hubs.items() if one.state in FINAL]:
            del _hubs[key]


def _end() -> None:
    """Close all connections: their threads would else be cut off in the middle of something."""
    for hub in list(_all):
        hub.stop()


def _begin_anew() -> None:
    """Forget what a forked process has none of the threads of."""
    global _lock  # noqa: PLW0603 - it may have been held at that moment
    _hubs.clear()
    _all.clear()
    _lock = threading.Lock()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
