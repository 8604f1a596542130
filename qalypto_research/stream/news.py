"""What is new in a live buffer: rows beyond a cursor, one batch after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from qalypto_research.errors import InputError
from qalypto_research.schema.frames import Frame, empty_frame
from qalypto_research.schema.frames import live as live_frame
from qalypto_research.schema.tables import TABLES
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.question import Live
from qalypto_research.stream.rows import FRAMES

SPACING_S: Final = 0.05
"""Rows that come closer together are handed over together."""
MOST_BEHIND: Final = 100_000
"""Rows of a table that wait for a callback or an iterator; of more the oldest are left out, and counted."""


@dataclass(frozen=True, slots=True, repr=False)
class Cursor:
    """How far a live buffer has been read. Made by ``live.since``, and good for the same buffer alone."""

    owner: int
    marks: Mapping[int, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Cursor behind {sum(self.marks.values()):,} rows and updates>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """What is new in a live buffer, under the frame contract. Made by ``live.since`` and by ``async for batch in live``.

    Attributes
    ----------
    trades, tickers, klines, orderbook_tops : pandas.DataFrame
        The new rows, of all exchanges that the buffer keeps, running candles included; of a candle its latest update.
        Columns as ``live.trades`` and so on have them; empty where the table is not listened to.
    cursor : Cursor
        For the next ``live.since``.
    missed : int
        Rows that were let go of before they were read.
    """

    trades: pd.DataFrame
    tickers: pd.DataFrame
    klines: pd.DataFrame
    orderbook_tops: pd.DataFrame
    cursor: Cursor
    missed: int = 0

    def __len__(self) -> int:
        return sum(map(len, (self.trades, self.tickers, self.klines, self.orderbook_tops)))

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, frame.name)):,} {frame.name}" for frame in FRAMES.values())
        return f"<Batch: {counts}{f'; {self.missed:,} missed' if self.missed else ''}>"


def since(live: Live, cursor: Cursor | None = None) -> Batch:
    """Return what has come since a cursor was taken, and the cursor for the next time.

    Parameters
    ----------
    cursor : Cursor, optional
        ``batch.cursor`` of the batch before. Without one, all that is kept.

    Returns
    -------
    Batch
        ``trades``, ``tickers``, ``klines``, ``orderbook_tops``: DataFrames; ``cursor``; ``missed``: how many rows the
        buffer let go of before they were read.

    Raises
    ------
    InputError
        No cursor, or one of another buffer.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("ticker") as live:
    ...     first = live.wait(rows=1).since()
    ...     more = live.since(first.cursor)
    >>> len(first) > 0
    True
    """
    if cursor is not None and not isinstance(cursor, Cursor):
        raise InputError("cursor", f"{cursor!r} is no cursor; give batch.cursor of the batch before")
    if cursor is not None and cursor.owner != live.intake.number:
        raise InputError("cursor", "is of another buffer; begin anew with live.since()")
    return read_news(live.intake, cursor)


def read_news(intake: Intake, cursor: Cursor | None, kinds: Sequence[str] | None = None, most: int | None = None) -> Batch:
    """Return what is new beyond a cursor: of the types `kinds`, and of each the newest `most` rows."""
    marks = {} if cursor is None else cursor.marks
    frames: dict[str, pd.DataFrame] = {}
    behind: dict[int, int] = {}
    missed = 0
    for kind in intake.kinds() if kinds is None else kinds:
        frame, reached, lost = intake.store.since(TABLES[kind], marks)
        over = 0 if most is None else max(len(frame) - most, 0)
        frames[FRAMES[kind].name] = frame.iloc[over:].copy() if over else frame
        behind |= reached
        missed += over + (lost if cursor is not None else 0)
    for frame_kind in FRAMES.values():
        frames.setdefault(frame_kind.name, _nothing(frame_kind))
    return Batch(**frames, cursor=Cursor(intake.number, behind), missed=missed)


def end_of(intake: Intake) -> Cursor:
    """Return the cursor behind all that has come so far."""
    return Cursor(intake.number, intake.store.marks())


def _nothing(frame: Frame) -> pd.DataFrame:
    return empty_frame(live_frame(frame).columns)
