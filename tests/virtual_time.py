"""An event loop whose time is the test's: it never waits, it moves on to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Where others would wait for time to pass, lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen again"
            self.passed += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Tells virtual time: seconds since it was made. What others do on a thread is done at once: it takes no time."""

    def __init__(self) -> None:
        self._passing = _Selector()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.passed

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits for it has it
            done.set_exception(error)
        return done


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end what would take its time elsewhere."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def wall_us(start_us: int) -> Any:
    """Return a source of wall time for a clock: that of the running loop, `start_us` at its beginning."""
    return lambda: start_us + round(asyncio.get_running_loop().time() * 1e6)
