"""One thread that paints all live charts of the process, twenty times a second at most; there is none where there is no chart."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final, Protocol

RATE: Final = 20.0
"""Frames a second. Jupyter cuts off the output of a kernel that sends more than a thousand messages a second."""
NAME: Final = "qalypto-painter"

_RETRY_S: Final = 1.0
_log = logging.getLogger(__name__)


class Painted(Protocol):
    """A chart, as the painter sees it."""

    spacing_s: float
    """Seconds from one picture to the next, at least."""

    def paint(self) -> None:
        """Show what is new, all of it at once; nothing where nothing is new."""
        ...

    def report(self, error: Exception) -> None:
        """Show that painting failed. It is tried again, a second later."""
        ...


class Painter:
    """Paints charts on a thread of its own, as long as there are any.

    A chart that fails is told, and tried again; whatever it does, the others are painted. What one picture took of a core is spent
    idle before the next, so that never more than half a core goes into painting; what it waited for the interpreter, which a cell
    that computes holds, is not added to its wait.
    """

    def __init__(self, rate: float = RATE) -> None:
        self._period_s = 1.0 / rate
        self._due: dict[Painted, float] = {}
        self._changed = threading.Condition()
        self._painting = threading.RLock()
        self._thread: threading.Thread | None = None

    def add(self, chart: Painted) -> None:
        """Paint a chart from now on."""
        with self._changed:
            self._due.setdefault(chart, 0.0)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, chart: Painted) -> None:
        """Paint a chart no more. When this returns it is not being painted, unless it is itself what calls."""
        with self._changed:
            self._due.pop(chart, None)
            thread = self._thread if not self._due else None
            self._changed.notify()
        if threading.current_thread() is not thread:
            with self._painting:
                pass
            if thread is not None:
                thread.join(timeout=self._period_s)

    def __len__(self) -> int:
        return len(self._due)

    def _run(self) -> None:
        while True:
            begun, used = time.monotonic(), time.thread_time()
            self._paint_ready(begun)
            took, used = time.monotonic() - begun, time.thread_time() - used
            with self._changed:
                if self._due:
                    self._changed.wait(max(self._period_s - took, used))
                if not self._due:
                    if self._thread is threading.current_thread():
                        self._thread = None
                    return

    def _paint_ready(self, now: float) -> None:
        # By itself: a chart that is gone is not held until the next picture.
        with self._changed:
            ready = [chart for chart, due in self._due.items() if due <= now]
        while ready:
            self._paint(ready.pop(0), now)

    def _paint(self, chart: Painted, begun: float) -> None:
        spacing_s = chart.spacing_s
        with self._painting:
            if chart not in self._due:
                return
            try:
                chart.paint()
            except Exception as error:  # noqa: BLE001 - one chart must not end the others, nor itself
                spacing_s = _RETRY_S
                _report(chart, error)
        with self._changed:
            if chart in self._due:
                # Half a period early is on time: pictures would fall behind their rate otherwise.
                self._due[chart] = begun + spacing_s - self._period_s / 2


def _report(chart: Painted, error: Exception) -> None:
    _log.debug("painting failed", exc_info=error)
    try:
        chart.report(error)
    except Exception as failed:  # noqa: BLE001 - nor must a report that fails
        _log.debug("the report failed, too", exc_info=failed)


PAINTER = Painter()
"""The one of this process."""


def _begin_anew() -> None:
    """In a forked process there is no painter, and what it painted belongs to the other's page."""
    PAINTER.__init__()  # type: ignore[misc] # its locks may have been held at that moment


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
