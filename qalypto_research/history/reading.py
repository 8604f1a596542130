"""Read a table into a frame in bounded memory: count first where it is much, then slice by slice of time.

An answer that ClickHouse sorts and encodes whole takes several times the frame's memory. The total order begins with
the timestamp, so slices of time laid end to end are in order; each is small, and the frame is all that grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from qalypto_research.clock import from_us
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
    most = snapshot.rows_at_most(query.table, span.start, span.end)
    most = most if limit is None else min(most, limit)
    if most <= _slice_rows(per_row) and most * per_row <= max_bytes:
        statement, parameters = query.select(span, newest=limit)
        table = snapshot.fetch(statement, parameters, label=label)
        builder = FrameBuilder(query.columns, table.num_rows)
        builder.append(table)
        return builder.finish(tz)
    slices, rows = _slices(snapshot, query, span, limit)
    if rows * per_row > max_bytes:
        raise too_large(rows, per_row, max_bytes)
    builder = FrameBuilder(query.columns, rows)
    with Progress(label, rows) as progress:
        for part in slices:
            builder.append(snapshot.fetch(*query.select(part)))
            progress.reach(builder.rows)
    return builder.finish(tz, newest=limit)


def read_slices(snapshot: Snapshot, query: TableQuery, window: Window, *, label: str) -> Iterator[pa.Table]:
    """Yield the rows of `query` in `window`, slice by slice of time, each as ClickHouse sent it.

    Raises
    ------
    QueryError
        ClickHouse refused or broke off.
    """
    span = Span(window.start, window.until)
    if snapshot.rows_at_most(query.table, span.start, span.end) <= _slice_rows(bytes_per_row(query.columns)):
        yield snapshot.fetch(*query.select(span), label=label)
        return
    slices, _ = _slices(snapshot, query, span, None)
    with Progress(label, len(slices)) as progress:
        for done, part in enumerate(slices, 1):
            yield snapshot.fetch(*query.select(part))
            progress.reach(done)


def _slice_rows(per_row: int) -> int:
    return max(1, min(SLICE_ROWS, SLICE_BYTES // per_row))


def _slices(snapshot: Snapshot, query: TableQuery, span: Span, limit: int | None) -> tuple[list[Span], int]:
    """Return consecutive slices of `span`, and the rows of the answer in them.

    The rows they come from are read in one piece, so it is these that a slice has about ``SLICE_ROWS`` of, and no
    bucket of time is cut. With a `limit` only as many slices as hold the newest rows.
    """
    start = span.start or snapshot.first_timestamp(query.table)
    end = span.end or snapshot.moment
    width_ms = max(1, int((end - start) / pd.Timedelta(milliseconds=1)) // _STRETCHES) if start is not None and start < end else 60_000
    statement, parameters = query.count_by(span, -(-width_ms // query.grid_ms) * query.grid_ms)
    counts = snapshot.fetch(statement, parameters, label="counting")
    starts, rows, read = (counts.column(name).to_pylist() for name in ("start_ms", "rows", "read"))
    total = sum(rows)
    if limit is not None:
        while len(rows) > 1 and total - rows[0] >= limit:
            total -= rows[0]
            starts, rows, read = starts[1:], rows[1:], read[1:]
        total = min(total, limit)
    return _cut(starts, read, span, _slice_rows(bytes_per_row(query.columns)), narrowed=limit is not None), total


def _cut(starts: list[int], read: list[int], span: Span, most: int, *, narrowed: bool) -> list[Span]:
    bounds = []
    held = 0
    for start, count in zip(starts, read, strict=True):
        if held and held + count > most:
            bounds.append(from_us(start * 1_000))
            held = 0
        held += count
    first = span.start
    if narrowed and starts:
        begin = from_us(starts[0] * 1_000)
        first = begin if first is None else max(first, begin)
    edges = [first, *bounds, span.end]
    return [Span(a, b) for a, b in pairwise(edges)]


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
