"""Read a table into a frame in bounded memory: count first where it is much, then slice by slice of time.

An answer that ClickHouse sorts and encodes whole takes several times the frame's memory. The total order begins with
the timestamp, so slices of time laid end to end are in order; each is small, and the frame is all that grows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from qalypto_research.clock import from_us, to_us
from qalypto_research.engine.frames import FrameBuilder
from qalypto_research.engine.progress import Progress
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.errors import ResultTooLargeError
from qalypto_research.history.query import Span, TableQuery
from qalypto_research.schema.frames import bytes_per_row
from qalypto_research.timerange import Window

SLICE_ROWS: Final = 1_000_000
"""Rows read by one statement: few enough to be small beside the frame, enough for its cost to vanish."""

SLICE_BYTES: Final = 150_000_000
"""And no more rows than take so much room as a frame: order books are wide."""

_SIZES: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "B"))

_STRETCHES: Final = 1_000
"""How finely rows are counted over a window to find slices of about equal size."""

_MOST_BY_FILES: Final = 32
"""A statement has a price of its own: more slices than this are better cut by counting."""

_US: Final = dt.timedelta(microseconds=1)
_LOOKBACKS: Final = (dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=30))
"""Where the newest rows of a long table are looked for before all of it is."""

_FOREVER_MS: Final = 2**53


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read an answer slice by slice.

    Attributes
    ----------
    slices : tuple of Span
        Consecutive.
    rows : int
        Rows of the answer, or a bound of them.
    surplus : int
        Rows that come first in the slices and are not of the answer, where a limit keeps the newest.
    """

    slices: tuple[Span, ...]
    rows: int
    surplus: int


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A range of milliseconds since 1970, the rows of the answer in it, and the rows of the table read for them."""

    start_ms: int
    end_ms: int
    rows: int
    read: int

    def too_much(self, slice_rows: int, grain_ms: int) -> bool:
        return self.read > slice_rows and self.end_ms - self.start_ms > grain_ms


def read_frame(
    snapshot: Snapshot, query: TableQuery, window: Window, *, limit: int | None, max_bytes: int, tz: Any, label: str
) -> pd.DataFrame:
    """Return the rows of `query` in `window` as a frame, having made sure that it is not too large.

    Raises
    ------
    ResultTooLargeError
        The frame would take more than `max_bytes`.
    QueryError
        ClickHouse refused or broke off.
    """
    span = Span(window.start, window.until)
    per_row = bytes_per_row(query.columns)
    read = snapshot.rows_at_most(query.table, span.start, span.end)
    if limit is not None and span.start is None and read > slice_rows(per_row):
        for recent in looks_back(query, window, snapshot.moment):
            newest = read_frame(snapshot, query, recent, limit=limit, max_bytes=max_bytes, tz=tz, label=label)
            if len(newest) == limit:
                return newest
    most = read if limit is None else min(read, limit)
    if (read if query.reduces else most) <= slice_rows(per_row) and most * per_row <= max_bytes:
        statement, parameters = query.select(span, newest=limit)
        table = snapshot.fetch(statement, parameters, label=label)
        builder = FrameBuilder(query.columns, table.num_rows)
        builder.append(table)
        return builder.finish(tz)
    # To tell rows of the answer apart is dear where they are not the table's: what the files say may do.
    plan = _plan_by_files(snapshot, query, span, slice_rows(per_row)) if query.reduces and limit is None else None
    if plan is None or plan.rows * per_row > max_bytes:
        plan = plan_slices(snapshot, query, span, limit=limit, most=slice_rows(per_row), label="counting")
    if plan.rows * per_row > max_bytes:
        raise too_large(plan.rows, per_row, max_bytes)
    builder = FrameBuilder(query.columns, plan.rows)
    surplus = plan.surplus
    with Progress(label, plan.rows) as progress:
        for part in plan.slices:
            table, surplus = without_first(snapshot.fetch(*query.select(part)), surplus)
            builder.append(table)
            progress.reach(builder.rows)
    return builder.finish(tz)


def looks_back(query: TableQuery, window: Window, moment: pd.Timestamp) -> Iterator[Window]:
    """Yield `window` from ever longer before its end; no bucket is cut."""
    for lookback in _LOOKBACKS:
        start_ms = (to_us(window.until or moment) - lookback // _US) // (1_000 * query.grain_ms) * query.grain_ms
        yield replace(window, start=from_us(max(0, start_ms) * 1_000))


def without_first(table: pa.Table, surplus: int) -> tuple[pa.Table, int]:
    """Return `table` without its first `surplus` rows, and how many are still to be left out of the next."""
    left_out = min(surplus, table.num_rows)
    return table.slice(left_out), surplus - left_out


def read_slices(snapshot: Snapshot, query: TableQuery, window: Window, *, label: str) -> Iterator[pa.Table]:
    """Yield the rows of `query` in `window`, slice by slice of time, each as ClickHouse sent it.

    Raises
    ------
    QueryError
        ClickHouse refused or broke off.
    """
    span = Span(window.start, window.until)
    most = slice_rows(bytes_per_row(query.columns))
    if snapshot.rows_at_most(query.table, span.start, span.end) <= most:
        yield snapshot.fetch(*query.select(span), label=label)
        return
    plan = plan_slices(snapshot, query, span, limit=None, most=most)
    with Progress(label, len(plan.slices)) as progress:
        for done, part in enumerate(plan.slices, 1):
            yield snapshot.fetch(*query.select(part))
            progress.reach(done)


def spans_to_read(snapshot: Snapshot, query: TableQuery, window: Window) -> tuple[Span, ...]:
    """Return consecutive spans of `window`, each small enough for one statement; by what the files say, or by counting."""
    span = Span(window.start, window.until)
    if snapshot.rows_at_most(query.table, span.start, span.end) <= SLICE_ROWS:
        return (span,)
    plan = _plan_by_files(snapshot, query, span, SLICE_ROWS) or plan_slices(snapshot, query, span, limit=None, most=SLICE_ROWS)
    return plan.slices


def slice_rows(per_row: int) -> int:
    """Return how many rows of so many bytes a slice may read."""
    return max(1, min(SLICE_ROWS, SLICE_BYTES // per_row))


def _plan_by_files(snapshot: Snapshot, query: TableQuery, span: Span, most: int) -> Plan | None:
    """Return slices and a bound of the rows by what is known without reading; None where that would make many slices."""
    start = span.start or snapshot.first_timestamp(query.table)
    if start is None or span.end is None or start >= span.end:
        return None
    slices: list[Span] = []
    rows = 0
    left = [(-(-to_us(start) // 1_000), -(-to_us(span.end) // 1_000))]
    while left:
        first, last = left.pop()
        part = Span(from_us(first * 1_000), from_us(last * 1_000))
        read = snapshot.rows_at_most(query.table, part.start, part.end)
        if read <= most:
            slices += [part] if read else []
            rows += query.most_rows(read, last - first)
            continue
        middle = (first + last) // 2 // query.grain_ms * query.grain_ms
        if middle <= first or len(left) + len(slices) > _MOST_BY_FILES:
            return None
        left += [(middle, last), (first, middle)]
    return Plan(tuple(slices), rows, 0)


def plan_slices(snapshot: Snapshot, query: TableQuery, span: Span, *, limit: int | None, most: int, label: str | None = None) -> Plan:
    """Count, and return consecutive slices of `span` that each read about `most` rows of the table; no bucket of time is cut.

    With a `limit` only as many slices as hold the newest rows.
    """
    # Nothing lies before the table: a range that begins long before it is not counted in long stretches.
    known = [t for t in (span.start, snapshot.first_timestamp(query.table)) if t is not None]
    end = span.end or snapshot.moment
    length_ms = int((end - max(known)) / pd.Timedelta(milliseconds=1)) if known else 60_000 * _STRETCHES
    stretches = _newest(_counted(snapshot, query, span, length_ms, label), limit)
    # Rows may lie so close together that one stretch holds many slices.
    while any(s.too_much(most, query.grain_ms) for s in stretches):
        finer: list[_Stretch] = []
        for s in stretches:
            too_much = s.too_much(most, query.grain_ms)
            inner = Span(from_us(s.start_ms * 1_000), from_us(s.end_ms * 1_000))
            finer += _counted(snapshot, query, inner, s.end_ms - s.start_ms, None) if too_much else [s]
        stretches = _newest(finer, limit)
    held = sum(s.rows for s in stretches)
    rows = held if limit is None else min(held, limit)
    return Plan(_cut(stretches, span, most, narrowed=limit is not None), rows, held - rows)


def _counted(snapshot: Snapshot, query: TableQuery, span: Span, length_ms: int, label: str | None) -> list[_Stretch]:
    """Count the rows in `span`, which is about so long, by stretches that may be told apart in the answer."""
    width_ms = max(1, -(-length_ms // (_STRETCHES * query.grain_ms))) * query.grain_ms
    statement, parameters = query.count_by(span, width_ms)
    counts = snapshot.fetch(statement, parameters, label=label)
    columns = (counts.column(name).to_pylist() for name in ("start_ms", "rows", "read"))
    # Stretches lie on a grid of their own: the first and the last may reach beyond the span.
    first = 0 if span.start is None else -(-to_us(span.start) // 1_000)
    last = _FOREVER_MS if span.end is None else -(-to_us(span.end) // 1_000)
    return [_Stretch(max(start, first), min(start + width_ms, last), rows, read) for start, rows, read in zip(*columns, strict=True)]


def _newest(stretches: list[_Stretch], limit: int | None) -> list[_Stretch]:
    """Return the last of `stretches`, as many as hold `limit` rows."""
    if limit is None:
        return stretches
    first, held = len(stretches), 0
    while first and held < limit:
        first -= 1
        held += stretches[first].rows
    return stretches[first:]


def _cut(stretches: list[_Stretch], span: Span, slice_rows: int, *, narrowed: bool) -> tuple[Span, ...]:
    bounds = []
    held = 0
    for stretch in stretches:
        if held and held + stretch.read > slice_rows:
            bounds.append(from_us(stretch.start_ms * 1_000))
            held = 0
        held += stretch.read
    first = from_us(stretches[0].start_ms * 1_000) if narrowed and stretches else span.start
    edges = [first, *bounds, span.end]
    return tuple(Span(a, b) for a, b in pairwise(edges))


def too_large(rows: int, per_row: int, max_bytes: int, *, at_least: bool = False) -> ResultTooLargeError:
    """Return the error for a frame of `rows` rows, or with `at_least` of so many or more."""
    estimated = rows * per_row
    size, unit = next((s, u) for s, u in _SIZES if estimated >= s)
    return ResultTooLargeError(
        f"max_bytes: the answer has {'at least ' if at_least else ''}{rows:,} rows, about {estimated / size:,.1f} {unit} as a frame, "
        f"over the {max_bytes / size:,.3g} {unit} allowed; "
        "ask for a shorter window, fewer symbols or exchanges, fewer columns (columns=[...]), or the newest rows (limit=...), "
        f"or allow it: max_bytes='{-(-estimated // size)}{unit}'",
        rows=rows,
        estimated_bytes=estimated,
        max_bytes=max_bytes,
    )
