"""Rows that have arrived as frames under the contract: in order, names as categories, nothing shared with the buffers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from qalypto_research.schema.frames import TIME_DTYPE, Frame, FrameColumn, category, dtype_of
from qalypto_research.schema.tables import Kind
from qalypto_research.stream.columns import Array, View
from qalypto_research.stream.ordering import Part, column_of, in_order, order_of, texts_of
from qalypto_research.stream.rows import TIME, Codes

_documented: Final = cache(category)


class _Gathered:
    """Rows of several parts, each of which is in order, in the order of all: each column is copied once, but for what is mixed.

    Most often the parts are all that a buffer holds and the few messages that came last, so that most rows stand before all of
    the others.
    """

    def __init__(self, parts: Sequence[Part], codes: dict[Kind, Codes]) -> None:
        first, others = parts[0], parts[1:]
        settled = first.times_before(min(part.first_time() for part in others)) if others else len(first)
        self._settled = [Part(first.view, first.rows[:settled])]
        self._mixed = [Part(first.view, first.rows[settled:]), *others]
        self._order = order_of(self._mixed, codes) if others else None

    def column(self, name: str) -> Array:
        if self._order is None:
            return column_of(self._settled, name)
        found = column_of([*self._settled, *self._mixed], name)
        mixed = found[len(self._settled[0]) :]
        mixed[:] = mixed[self._order]
        return found

    def texts(self, name: str) -> pa.ChunkedArray:
        settled = texts_of(self._settled, name)
        if self._order is None:
            return settled
        mixed = texts_of(self._mixed, name).take(pa.array(self._order))
        return pa.chunked_array([*settled.chunks, *mixed.chunks], pa.large_string())


def to_frame(frame: Frame, views: Sequence[View], codes: dict[Kind, Codes], chosen: Sequence[Array | None]) -> pd.DataFrame:
    """Return rows as a frame.

    Parameters
    ----------
    frame : Frame
        Which: with what live frames have beside the columns of history.
    views : sequence of View
        The rows, those of each buffer in the order of their arrival.
    codes : dict of str to Codes
        By which names stand in them.
    chosen : sequence of array or None
        Of each view, the positions of the rows to take, ascending; None for all.
    """
    parts = [in_order(view, rows, codes) for view, rows in zip(views, chosen, strict=True)]
    parts = [part for part in parts if len(part)]
    if not parts:
        index = pd.DatetimeIndex([], dtype=TIME_DTYPE, name="timestamp")
        return pd.DataFrame({c.name: pd.array([], dtype=dtype_of(c.kind)) for c in frame.columns}, index=index)
    gathered = _Gathered(parts, codes)
    index = pd.DatetimeIndex(gathered.column(TIME), dtype=TIME_DTYPE, copy=False, name="timestamp")
    data = {c.name: _column(c, gathered, codes, len(index)) for c in frame.columns}
    return pd.DataFrame(data, index=index, copy=False)


def _column(column: FrameColumn, gathered: _Gathered, codes: dict[Kind, Codes], count: int) -> Any:
    if column.kind == "text":
        return pd.array(gathered.texts(column.name), dtype="str")
    if column.kind == "origin":
        return pd.Categorical.from_codes(np.zeros(count, np.int8), dtype=_documented("origin"))
    values = gathered.column(column.name)
    if column.kind == "time":
        return pd.DatetimeIndex(values, dtype=TIME_DTYPE, copy=False).array
    if column.kind in codes:
        return _categorical(column.kind, values, codes[column.kind])
    return values


def _categorical(kind: Kind, values: Array, codes: Codes) -> pd.Categorical:
    """Return names as a category: the documented ones whole, and those beyond them that are there."""
    names = list(codes)
    known = len(_documented(kind).categories)
    beyond = [names[code] for code in np.unique(values) if code >= known] if len(names) > known else []
    if not beyond:
        return pd.Categorical.from_codes(values, dtype=_documented(kind), validate=False)
    dtype = category(kind, beyond)
    place = {name: i for i, name in enumerate(dtype.categories)}
    return pd.Categorical.from_codes(np.array([place.get(name, -1) for name in names], np.int32)[values], dtype=dtype, validate=False)
