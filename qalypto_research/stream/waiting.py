"""Waiting for a live buffer: for so many rows, for so long, or for one batch after another."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from typing import Any, Final, Self

import nest_asyncio2
import numpy as np

from qalypto_research.errors import InputError, StreamError, UnknownNameError, WaitTimeoutError
from qalypto_research.stream.hub import FINAL
from qalypto_research.stream.news import MOST_BEHIND, SPACING_S, Batch, end_of, read_news
from qalypto_research.stream.question import Live
from qalypto_research.stream.rows import FRAMES

_LOOK_S: Final = 0.1


def check_seconds(value: object, argument: str) -> float:
    """Return a number of seconds above zero, infinity for None.

    Raises
    ------
    InputError
        Anything else.
    """
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or not value > 0:
        raise InputError(argument, f"{value!r} must be a number of seconds above zero")
    return float(value)


def wait_for_rows(live: Live, rows: int, timeout: float | None, table: str | None) -> None:
    """Return once so many rows are kept.

    Raises
    ------
    InputError
        An argument that cannot be used.
    StreamError
        The stream has ended or failed before.
    WaitTimeoutError
        They did not come in time.
    """
    if isinstance(rows, bool) or not hasattr(rows, "__index__") or rows < 1:
        raise InputError("rows", f"{rows!r} must be a whole number of at least 1")
    kinds = live.intake.kinds()
    if table is not None and table not in kinds:
        raise UnknownNameError("table", table, kinds, "that type is not listened to" if table in FRAMES else "")
    limit_s = check_seconds(timeout, "timeout")
    until_s = time.monotonic() + limit_s
    changed = threading.Event()
    leave = live.intake.wake_with(changed.set)
    try:
        while (there := live.intake.store.count(table)) < rows:
            found = f"{there:,} of {rows:,} {'row' if table is None else table}s"
            if live.state in FINAL:
                raise StreamError(f"the stream is {live.state}{f' ({live.reason})' if live.reason else ''} with {found}")
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                why = f"; the stream is {live.state}{f' ({live.reason})' if live.reason else ''}"
                raise WaitTimeoutError(f"{found} came in {limit_s:g} s{why}")
            # Looked at now and then as well: the end of a thread is no message.
            changed.wait(min(left_s, _LOOK_S))
            changed.clear()
    finally:
        leave()


async def batches(live: Live) -> AsyncIterator[Batch]:
    """Yield what is new from now on, batch after batch, up to the end of the stream.

    Raises
    ------
    StreamError
        It has failed.
    """
    cursor = end_of(live.intake)
    with _Wakes(live) as wakes:
        while True:
            ended = live.state in FINAL
            batch = read_news(live.intake, cursor, most=MOST_BEHIND)
            cursor = batch.cursor
            if len(batch):
                yield batch
                await asyncio.sleep(SPACING_S)
            elif ended:
                check_not_failed(live)
                return
            else:
                await wakes.wait(_LOOK_S)


async def pass_time(live: Live, seconds: float | None) -> None:
    """Return after so many seconds, or when the stream has ended.

    Raises
    ------
    InputError
        `seconds` is no number above zero.
    StreamError
        The stream has failed.
    """
    until_s = time.monotonic() + check_seconds(seconds, "seconds")
    with _Wakes(live) as wakes:
        while live.state not in FINAL and (left_s := until_s - time.monotonic()) > 0:
            await wakes.wait(min(left_s, _LOOK_S))
            await asyncio.sleep(min(left_s, SPACING_S))
    check_not_failed(live)


def pass_time_in_cell(live: Live, seconds: float | None) -> None:
    """As `pass_time`, for code that cannot await: where a loop runs, as in a notebook, it goes on meanwhile."""
    check_seconds(seconds, "seconds")
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(pass_time(live, seconds))
        return
    # Here alone, and not before: it changes how the loop of this process runs.
    try:
        nest_asyncio2.apply(loop)
    except ValueError:
        raise StreamError(f"a loop of the kind {type(loop).__name__} cannot wait inside a cell; write: await live.arun()") from None
    task = loop.create_task(pass_time(live, seconds))
    try:
        with _serving(loop):
            loop.run_until_complete(task)
    finally:
        task.cancel()


@contextmanager
def _serving(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have a loop that runs within itself do what belongs to the context of the cell that waits, too, in a copy of it.

    A kernel hands the messages of widgets over in that context. It is entered already, and what cannot enter it again would
    be put off up to the end of the wait.
    """
    call_soon = loop.call_soon

    def soon(callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        return call_soon(callback, *args, context=context.copy() if context is not None and _is_entered(context) else context)

    loop.call_soon = soon  # type: ignore[method-assign, assignment] # of this loop, up to the end of the wait
    try:
        yield
    finally:
        del loop.call_soon


def _is_entered(context: Context) -> bool:
    try:
        context.run(int)
    except RuntimeError:
        return True
    return False


def check_not_failed(live: Live) -> None:
    """Raise where the stream has failed.

    Raises
    ------
    StreamError
        It has; says why.
    """
    if live.state == "failed":
        raise StreamError(f"the stream has failed: {live.reason}")


class _Wakes:
    """Wakes a coroutine when something comes or happens."""

    def __init__(self, live: Live) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._woken = False
        self._intake = live.intake

    def __enter__(self) -> Self:
        self._leave = self._intake.wake_with(self._wake)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    async def wait(self, seconds: float) -> None:
        """Return when something has come since the last time, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()
        self._woken = False

    def _wake(self) -> None:
        # Once until it has been looked at: each call costs a byte through a socket.
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._changed.set)
