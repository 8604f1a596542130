"""Long answers in parts: frames of so many rows, one after another, in bounded memory."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from qalypto_research.asked import Names, pick_interval
from qalypto_research.engine.frames import FrameBuilder
from qalypto_research.errors import ClosedError, InputError, UnknownNameError
from qalypto_research.history.calls import Ask, Call, calling, warn_of_absent, warn_of_start, with_facts
from qalypto_research.history.candles import whole_candles
from qalypto_research.history.query import Span, TableQuery
from qalypto_research.history.reader import Reader
from qalypto_research.history.reading import Plan, plan_slices, without_first
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES, Frame
from qalypto_research.timerange import TimeLike, Window

SLICE_ROWS: Final = 100_000
"""Rows read by one statement: the engine's memory for sorting and encoding them is what an iteration takes most of."""

_FRAMES: Final[Mapping[str, Frame]] = {frame.name: frame for frame in (TRADES, TICKERS, ORDERBOOK_TOPS, KLINES)}


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far an iteration has come.

    Attributes
    ----------
    waiting : tuple of pyarrow.Table
        Rows read and not given out yet.
    slices : int
        Slices read so far.
    surplus : int
        Rows still to be left out before the first that is given out.
    given : int
        Frames given out.
    """

    waiting: tuple[pa.Table, ...]
    slices: int
    surplus: int
    given: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read, and in frames of how many rows."""

    call: Call
    query: TableQuery
    window: Window
    plan: Plan
    rows: int
    asked: Mapping[str, Any]


class Batches(Iterator[pd.DataFrame]):
    """An answer as an iterator of frames, made by ``qr.batches``. Also a context manager.

    All frames are answered by one moment and one state of the files, which it holds until it is exhausted, closed or
    no longer used. A call that was interrupted, or failed, can be made again: it goes on where it was.
    """

    def __init__(self, con: Reader, reading: _Reading, held: ExitStack) -> None:
        self._con = con
        self._reading = reading
        self._progress = _Progress((), 0, reading.plan.surplus, 0)
        # Not at exit: the engine goes then anyway.
        self._let_go = weakref.finalize(self, held.close)
        self._let_go.atexit = False

    def close(self) -> None:
        """Let go of the files: there are no more frames. Closing twice is fine."""
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pd.DataFrame:
        if not self._let_go.alive:
            raise StopIteration
        if self._con.closed:
            raise ClosedError("this connection was closed before its batches were at an end; call qr.connect() and qr.batches() again")
        reading, done = self._reading, self._progress
        left = reading.plan.rows - done.given * reading.rows
        if left <= 0 and done.given:
            self.close()
            raise StopIteration
        wanted = min(reading.rows, left)
        while sum(part.num_rows for part in self._progress.waiting) < wanted:
            self._progress = self._read_on()
        frame, rest = self._taken(wanted)
        done = self._progress
        self._progress = _Progress(rest, done.slices, done.surplus, done.given + 1)
        return frame

    def _read_on(self) -> _Progress:
        """Read one slice more. The progress changes in one step and afterwards, so that an interrupt leaves it whole."""
        reading, done = self._reading, self._progress
        table = reading.call.snapshot.fetch(*reading.query.select(reading.plan.slices[done.slices]))
        kept, surplus = without_first(table, done.surplus)
        waiting = (*done.waiting, kept) if kept.num_rows else done.waiting
        return _Progress(waiting, done.slices + 1, surplus, done.given)

    def _taken(self, wanted: int) -> tuple[pd.DataFrame, tuple[pa.Table, ...]]:
        """Return a frame of the first rows that wait, and the others."""
        reading, waiting = self._reading, list(self._progress.waiting)
        builder = FrameBuilder(reading.query.columns, wanted)
        while builder.rows < wanted:
            missing = wanted - builder.rows
            builder.append(waiting[0].slice(0, missing))
            waiting[:1] = [waiting[0].slice(missing)] if waiting[0].num_rows > missing else []
        snapshot = reading.call.snapshot
        frame = with_facts(builder.finish(reading.call.tz), self._con, snapshot, reading.window, reading.asked)
        snapshot.query_ids.clear()  # each frame names the statements that were new for it
        return frame, tuple(waiting)


def batches(
    con: Reader,
    table: str,
    symbols: Names,
    *,
    rows: int = 500_000,
    interval: str | None = None,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
) -> Batches:
    """Return the answer of another call in parts: an iterator of frames, in bounded memory however long it is.

    Arguments are checked, rows counted and warnings given here, not at the first frame. All frames are answered by the
    moment of this call and by the files there are now. Source table: that of the call named.

    Parameters
    ----------
    table : str
        The call: "trades", "tickers", "orderbook_tops" or "klines". Of candles the final ones. Missing candles are not
        looked for: ``qr.klines`` is what reports them.
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    rows : int
        Rows of each frame but the last, which has what is left.
    interval : str, optional
        Of candles, as ``qr.klines`` takes it; "1h" by default. The other tables have none.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols, exchanges and frames together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.

    Returns
    -------
    iterator of pandas.DataFrame
        Frames as the call named gives them, its rows in its order: ``qr.concat`` of all of them is its answer. An empty
        answer is one empty frame, with all columns and dtypes. It has ``close()`` and works in a ``with`` statement;
        exhausted, closed or no longer used it lets go of the files. After an interrupt (Ctrl-C) it can go on.

    Raises
    ------
    UnknownNameError
        A table, symbol, exchange, interval or column that is not there.
    RangeError
        A range that contradicts itself, starts after now, or is shorter than one candle.
    InputError
        Any other argument that cannot be used, or no range at all.
    ClosedError
        At a frame: the connection was closed in between.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> [len(part) for part in con.batches("trades", "BTCUSDT", limit=2500, rows=1000)]
    [1000, 1000, 500]
    >>> con.close()
    """
    frame = _pick_frame(table)
    if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 1:
        raise InputError("rows", f"{rows!r} must be a whole number of at least 1: the rows of a frame")
    if interval is not None and frame is not KLINES:
        raise InputError("interval", f"belongs to klines; {frame.name} have none")
    name = pick_interval("1h" if interval is None else interval)
    ask = Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, "2GB")
    with ExitStack() as stack:
        call = stack.enter_context(calling(con, frame, ask))
        warn_of_absent(call)
        query, window = call.query, call.window
        if frame is KLINES:
            query, window = whole_candles(call, name)
        else:
            warn_of_start(call)
        plan = plan_slices(call.snapshot, query, Span(window.start, window.until), limit=call.limit, most=SLICE_ROWS)
        own = {"call": "batches", "table": frame.name, "rows": int(rows)} | ({"interval": name} if frame is KLINES else {})
        asked = own | {key: value for key, value in ask.as_facts().items() if key != "max_bytes"}
        # From here on the iterator holds the snapshot.
        return Batches(con, _Reading(call, query, window, plan, int(rows), asked), stack.pop_all())


def _pick_frame(table: str) -> Frame:
    if not isinstance(table, str) or table not in _FRAMES:
        raise UnknownNameError("table", table, _FRAMES)
    return _FRAMES[table]
