"""Which pages show a chart, and whether they are still there: what nobody takes, a Jupyter server would keep."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

UNHEARD_S: Final = 300.0
"""A page says every few seconds that it is there. After so long without a word it is taken for gone."""
HELD_S: Final = 3_600.0
"""So, too, after this long in which a cell kept the kernel from hearing."""


class FreeTime:
    """Seconds in which the kernel could hear: they stand still while a cell runs, whose end all messages wait for.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._held_s = 0.0
        self._since_s: float | None = None
        self._shell: Any = None

    @property
    def held(self) -> bool:
        """Whether a cell runs."""
        return self._since_s is not None

    def begin(self) -> None:
        """Take note that a cell begins."""
        with self._lock:
            if self._since_s is None:
                self._since_s = self.clock()

    def end(self) -> None:
        """Take note that it is over."""
        with self._lock:
            if self._since_s is not None:
                self._held_s += self.clock() - self._since_s
                self._since_s = None

    def now(self) -> float:
        """Return the seconds so far."""
        with self._lock:
            now = self.clock()
            return now - self._held_s - (0.0 if self._since_s is None else now - self._since_s)

    def attend(self) -> None:
        """Be told of the cells of this process's notebook, if it has one, and see whether one runs now."""
        shell = running_shell()
        if shell is None or shell is self._shell:
            return
        self._shell = shell
        shell.events.register("pre_execute", self.begin)
        shell.events.register("post_execute", self.end)
        # A button, a task or a thread calls between cells, too, and of those no end is told. While a cell's code runs, and only
        # then, the display hook has its result.
        if getattr(shell.displayhook, "exec_result", None) is not None:
            self.begin()


def running_shell() -> Any:
    """Return the IPython that runs here; None where none does."""
    there = sys.modules.get("IPython")
    return None if there is None else there.get_ipython()


FREE_TIME: Final = FreeTime()
"""That of this process."""


class Hearing:
    """The pages of one chart, as far as they have been heard of."""

    def __init__(self, free: FreeTime = FREE_TIME) -> None:
        self._free = free
        # The first has yet to come.
        self._pages = {"": (free.now(), free.clock())}

    def hear(self, page: str) -> bool:
        """Take note that a page is there; return whether it was not heard of before."""
        self._pages.pop("", None)
        new = page not in self._pages
        self._pages[page] = (self._free.now(), self._free.clock())
        return new

    def leave(self, page: str) -> None:
        """Take note that a page shows it no more."""
        self._pages.pop(page, None)

    @property
    def pages(self) -> list[str]:
        """Those that are there, or were and have not been silent for too long."""
        return [page for page, heard in list(self._pages.items()) if page and self._lately(*heard)]

    @property
    def shown(self) -> bool:
        """Whether a page is there."""
        return bool(self.pages)

    @property
    def expected(self) -> bool:
        """Whether it is shown, or may be soon, as it was just made."""
        return any(self._lately(*heard) for heard in list(self._pages.values()))

    def _lately(self, free_s: float, all_s: float) -> bool:
        return self._free.now() - free_s <= UNHEARD_S and self._free.clock() - all_s <= HELD_S
