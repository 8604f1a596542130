"""A progress bar for what takes over a second, and nothing for what does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

PATIENCE_S: Final = 1.0


class Progress:
    """Rows done of rows to do, shown once a second has gone by.

    In notebooks and terminals only: a log or a pipe gets nothing.

    Parameters
    ----------
    label : str
        What is being read.
    total : int or None
        Rows to do, where known.
    """

    def __init__(self, label: str, total: int | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._total = total
        self._monotonic = monotonic
        self._since = monotonic()
        self._done = 0
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def reach(self, done: int, total: int | None = None) -> None:
        """Say that `done` rows are done, of `total` where that has become known."""
        self._done = done
        self._total = total or self._total
        if self._bar is None:
            if self._monotonic() - self._since < PATIENCE_S:
                return
            from tqdm.auto import tqdm  # noqa: PLC0415 - loads widgets in a notebook: only when a bar is due

            self._bar = tqdm(total=self._total, desc=self._label, unit=" rows", unit_scale=True, leave=False, disable=None)
        if self._total and self._bar.total != self._total:
            self._bar.total = self._total
        self._bar.update(done - self._bar.n)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
