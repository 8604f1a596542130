"""An event loop whose time is the test's: it never waits, it moves on to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Where others would wait for time to pass, lets it pass; what comes from a thread is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.passed += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Tells virtual time: seconds since it was made."""

    def __init__(self) -> None:
        self._passing = _Selector()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.passed


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end what would take its time elsewhere."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def wall_us(start_us: int) -> Any:
    """Return a source of wall time for a clock: that of the running loop, `start_us` at its beginning."""
    return lambda: start_us + round(asyncio.get_running_loop().time() * 1e6)
