"""What all calls on a table share: arguments checked against one snapshot, warnings, and the facts on the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final

import pandas as pd

from qalypto_research.asked import Names, parse_bytes, pick_columns, pick_every, plain_facts
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.errors import GapWarning, warn_caller
from qalypto_research.history.arguments import pick_exchanges, pick_symbols
from qalypto_research.history.query import TableQuery, last_row_query
from qalypto_research.history.reader import Reader
from qalypto_research.history.reading import read_frame
from qalypto_research.schema.frames import Frame, FrameColumn
from qalypto_research.timerange import DurationLike, TimeLike, Window, parse_limit, parse_zone, resolve_window

_QUIET: Final = dt.timedelta(minutes=1)
"""A market may be quiet for so long: a table that begins within this of a range covers it."""

_SHOWN: Final = 4


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
    every: DurationLike | None = None

    def as_facts(self) -> dict[str, Any]:
        """Return what was given, as plain JSON."""
        return plain_facts({f.name: getattr(self, f.name) for f in fields(self)})


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
def calling(con: Reader, frame: Frame, ask: Ask, *, named: str = "symbols") -> Iterator[Call]:
    """Check `ask` against what `con` knows now, and lend both; `named` is what the call names the symbols by.

    The clock is read once here; everything the call does goes by that moment.

    Raises
    ------
    InputError
        An argument that cannot be used, by name.
    """
    limit, max_bytes, every_ms = parse_limit(ask.limit), parse_bytes(ask.max_bytes, "max_bytes"), pick_every(ask.every)
    zone, columns = parse_zone(ask.tz), pick_columns(ask.columns, frame)
    with con.snapshot() as snapshot:
        window = resolve_window(
            snapshot.moment, start=ask.start, end=ask.end, days=ask.days, hours=ask.hours, minutes=ask.minutes, limit=limit
        )
        known = snapshot.series()
        exchanges = pick_exchanges(ask.exchange, con.exchange, known)
        names = pick_symbols(ask.symbols, exchanges, known, named)
        query = TableQuery(frame.table, snapshot.relation(frame.table), snapshot.arrival(frame.table), columns, exchanges, names)
        there = {(s.exchange, s.symbol) for s in known}
        pairs = tuple((e, s) for e in exchanges for s in names if (e, s) in there)
        yield Call(snapshot, last_row_query(query, every_ms), window, limit, max_bytes, zone, pairs)


def read_table(con: Reader, frame: Frame, ask: Ask) -> pd.DataFrame:
    """Return the rows that `ask` means as `frame`, with its facts; warn where there is less than was asked for."""
    with calling(con, frame, ask) as call:
        warn_of_less(call)
        answer = call.read(call.query, call.window, frame.name, limit=call.limit, tz=call.tz)
        return with_facts(answer, con, call.snapshot, call.window, {"call": frame.name, **ask.as_facts()})


def warn_of_less(call: Call) -> None:
    """Warn where the answer will be short: of series without a row in this table, and of a range that begins before it."""
    warn_of_absent(call)
    warn_of_start(call)


def warn_of_absent(call: Call) -> None:
    """Warn of series that are known here, but not in this table."""
    table = call.query.table
    there = {(s.exchange, s.symbol) for s in call.snapshot.series() if s.table == table.name}
    absent = [pair for pair in call.pairs if pair not in there]
    if absent:
        warn_caller(f"{table.sql_name} has no row of {list_pairs(absent)} here", GapWarning)


def list_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the first few of `pairs` and how many more there are, for people."""
    shown = ", ".join(f"{exchange} {symbol}" for exchange, symbol in pairs[:_SHOWN])
    return shown + (f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else "")


def warn_of_start(call: Call) -> None:
    """Warn where the range begins well before the table does: the answer is then shorter than what was asked for."""
    table, start = call.query.table, call.window.start
    if start is None or not call.snapshot.may_begin_after(table, start + _QUIET):
        return
    # The files reach beyond the clock: where the table begins is said by what is known of it alone.
    answer = call.snapshot.fetch(f"SELECT minOrNull(t.timestamp) AS first FROM {call.query.relation} AS t")
    first = answer.column("first")[0].as_py()
    if first is None:
        warn_caller(f"{table.sql_name} has no row known by {call.snapshot.moment} here", GapWarning)
    else:
        warn_caller(f"{table.sql_name} begins at {pd.Timestamp(first)} here, the range at {start}: nothing is known in between", GapWarning)


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
