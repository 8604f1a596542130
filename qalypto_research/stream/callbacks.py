"""Callbacks: each on a thread of its own, so that one that is slow or fails holds up neither the stream nor another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from qalypto_research.stream.intake import Event, Intake
from qalypto_research.stream.news import MOST_BEHIND, SPACING_S, end_of, read_news
from qalypto_research.stream.rows import FRAMES

SLOW_S: Final = 1.0
_SAID: Final = 100

_log: Final = logging.getLogger(__name__)


class Caller:
    """Calls a function with what comes.

    Parameters
    ----------
    intake : Intake
        What is listened to.
    what : str
        A type of messages: the function is given a frame of the new rows. Else what happens: it is given the ``Event``.
    function : callable
        The user's.

    Attributes
    ----------
    errors, missed : int
        How often it failed, and how many rows or events it was too slow for.
    """

    def __init__(self, intake: Intake, what: str, function: Callable[[Any], object]) -> None:
        self.what = what
        self.errors = 0
        self.missed = 0
        self._intake = intake
        self._function = function
        self._name = getattr(function, "__qualname__", repr(function))
        self._said: set[str] = set()
        self._cursor = end_of(intake)
        _, self._happened = intake.happenings()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qalypto-callback", daemon=True)
        self._leave = intake.wake_with(self._wake.set)
        self._thread.start()

    def is_before(self, what: str, function: Callable[[Any], object]) -> bool:
        """Whether this calls, for the same, what `function` was before its cell was run again: a function of a module and its name."""
        return self.what == what and _identity(self._function) == _identity(function)

    def stop(self) -> None:
        """Call no more, and return once no call runs. Stopping twice is fine, also from within a call."""
        self._leave()
        self._stopped.set()
        self._wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(SLOW_S)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._stopped.is_set():
                return
            self._wake.clear()
            try:
                found = self._rows() if self.what in FRAMES else self._events()
            except Exception as error:  # noqa: BLE001 - what could not be read this time may be the next
                found = []
                self._say(f"{self._name} was not called: {error!r}", error)
            for news in found:
                if not self._stopped.is_set():
                    self._call(news)
            self._stopped.wait(SPACING_S)

    def _rows(self) -> list[Any]:
        batch = read_news(self._intake, self._cursor, [self.what], MOST_BEHIND)
        self._cursor = batch.cursor
        self._miss(batch.missed)
        frame = getattr(batch, FRAMES[self.what].name)
        return [frame] if len(frame) else []

    def _events(self) -> list[Event]:
        events, happened = self._intake.happenings()
        new = happened - self._happened
        self._happened = happened
        self._miss(max(new - len(events), 0))
        return [event for event in events[max(len(events) - new, 0) :] if event.what == self.what]

    def _call(self, news: Any) -> None:
        begun_s = time.monotonic()
        try:
            self._function(news)
        except BaseException as error:  # noqa: BLE001 - it is the user's: whatever it raises stops nothing else
            self.errors += 1
            self._say(f"{self._name} failed: {error!r}", error)
        if time.monotonic() - begun_s > SLOW_S:
            self._say(f"{self._name} takes longer than {SLOW_S:g} s", None)

    def _miss(self, count: int) -> None:
        if count:
            self.missed += count
            self._say(f"{self._name} is too slow: rows or events were left out, see live.health()", None)

    def _say(self, text: str, error: BaseException | None) -> None:
        """Say something once: it may be the same with each call."""
        if text not in self._said and len(self._said) < _SAID:
            self._said.add(text)
            self._intake.note("callback", text)
            _log.warning("callback of %r: %s", self.what, text, exc_info=error)


def _identity(function: Callable[[Any], object]) -> object:
    """Return what stays the same where a cell defines a function anew; of what has no name of its own, itself."""
    named = isinstance(function, FunctionType) and function.__qualname__.isidentifier()
    return (function.__module__, function.__qualname__) if named else id(function)
