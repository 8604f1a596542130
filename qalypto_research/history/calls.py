"""What all calls on a table share: their arguments checked against one snapshot, and the facts on the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.history.arguments import Names, parse_bytes, pick_columns, pick_exchanges, pick_symbols
from qalypto_research.history.query import TableQuery
from qalypto_research.history.reader import Reader
from qalypto_research.history.reading import read_frame
from qalypto_research.schema.frames import Frame, FrameColumn
from qalypto_research.timerange import TimeLike, Window, parse_limit, parse_zone, resolve_window


@dataclass(frozen=True, slots=True)
class Ask:
    """The arguments every call on a table takes, as the user gave them."""

    symbols: Names
    exchange: Names | None
    start: TimeLike | None
    end: TimeLike | None
    days: float | None
    hours: float | None
    minutes: float | None
    columns: Names | None
    limit: int | None
    tz: str | dt.tzinfo | None
    max_bytes: str | int

    def as_facts(self) -> dict[str, Any]:
        """Return what was given, as plain JSON."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) is not None}


@dataclass(frozen=True, slots=True)
class Call:
    """A call's arguments, checked, and the snapshot that answers it.

    Attributes
    ----------
    query : TableQuery
        Table, columns and names.
    window : Window
        The range, not yet fitted to candles.
    pairs : tuple of (exchange, symbol)
        The series asked for that exist.
    """

    snapshot: Snapshot
    query: TableQuery
    window: Window
    limit: int | None
    max_bytes: int
    tz: Any
    pairs: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> tuple[FrameColumn, ...]:
        """Columns of the answer."""
        return self.query.columns

    def read(self, query: TableQuery, window: Window, label: str, *, limit: int | None, tz: Any = "UTC") -> pd.DataFrame:
        """Return the rows of `query` in `window`, at most the newest `limit`."""
        return read_frame(self.snapshot, query, window, limit=limit, max_bytes=self.max_bytes, tz=tz, label=label)


@contextmanager
def calling(con: Reader, frame: Frame, ask: Ask) -> Iterator[Call]:
    """Check `ask` against what `con` knows now, and lend both.

    The clock is read once here; everything the call does goes by that moment.

    Raises
    ------
    InputError
        An argument that cannot be used, by name.
    """
    limit, max_bytes = parse_limit(ask.limit), parse_bytes(ask.max_bytes, "max_bytes")
    zone, columns = parse_zone(ask.tz), pick_columns(ask.columns, frame)
    with con.snapshot() as snapshot:
        window = resolve_window(
            snapshot.moment, start=ask.start, end=ask.end, days=ask.days, hours=ask.hours, minutes=ask.minutes, limit=limit
        )
        known = snapshot.series()
        exchanges = pick_exchanges(ask.exchange, con.exchange, known)
        names = pick_symbols(ask.symbols, exchanges, known)
        query = TableQuery(frame.table, snapshot.relation(frame.table), snapshot.arrival(frame.table), columns, exchanges, names)
        there = {(s.exchange, s.symbol) for s in known}
        pairs = tuple((e, s) for e in exchanges for s in names if (e, s) in there)
        yield Call(snapshot, query, window, limit, max_bytes, zone, pairs)


def with_facts(frame: pd.DataFrame, con: Reader, snapshot: Snapshot, window: Window | None, asked: Mapping[str, Any]) -> pd.DataFrame:
    """Attach to `frame` what was asked and how it was answered, as plain JSON."""
    bounds = None if window is None else [None if window.start is None else window.start.isoformat(), window.end.isoformat()]
    frame.attrs["qalypto"] = {
        "asked": dict(asked),
        "source": con.source,
        "synthetic": con.synthetic,
        "window": bounds,
        "clock": snapshot.moment.isoformat(),
        "query_ids": list(snapshot.query_ids),
    }
    return frame


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (dt.date, pd.Timestamp)):
        return value.isoformat()
    if hasattr(value, "__iter__"):
        return [_plain(v) for v in value]
    return str(value)
