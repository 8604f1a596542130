"""Arrow from ClickHouse into frames under the contract, block by block into arrays of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from qalypto_research.engine.arrow import NAT, not_utf8, own_texts
from qalypto_research.schema.frames import VOCABULARY, FrameColumn, category

_PER_MICROSECOND: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_NULL: Final = -1
"""Code of a category that is not there."""
_STORED: Final = {"time": np.int64, "number": np.float64, "count": np.int64, "flag": np.bool_}


class FrameBuilder:
    """Takes Arrow tables one after another and makes one frame of them.

    Values are copied into arrays that belong to the frame: no table is kept, and the peak is little more than the
    frame and one table.

    Parameters
    ----------
    columns : sequence of FrameColumn
        Columns of the frame. Tables have them by these names, after ``timestamp``.
    capacity : int
        Rows expected; more are taken too.
    """

    def __init__(self, columns: Sequence[FrameColumn], capacity: int) -> None:
        self._columns = tuple(columns)
        self._rows = 0
        self._capacity = capacity
        self._index = np.empty(capacity, np.int64)
        self._arrays: dict[str, npt.NDArray[Any]] = {
            c.name: np.empty(capacity, _STORED.get(c.kind, np.int16)) for c in self._columns if c.kind != "text"
        }
        self._texts: dict[str, list[pa.Array]] = {c.name: [] for c in self._columns if c.kind == "text"}
        self._codes: dict[str, dict[str, int]] = {
            c.name: {name: i for i, name in enumerate(VOCABULARY[c.kind])} for c in self._columns if c.kind in VOCABULARY
        }

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        return self._rows

    def append(self, table: pa.Table) -> None:
        """Copy the rows of `table` behind those taken so far."""
        start, self._rows = self._rows, self._rows + table.num_rows
        self._reserve(self._rows)
        _fill(self._index, start, table.column("timestamp"), _microseconds)
        for column in self._columns:
            chunks = table.column(column.name)
            if column.kind == "text":
                self._texts[column.name].append(own_texts(column.name, chunks))
            elif column.kind in VOCABULARY:
                codes = self._codes[column.name]
                _fill(self._arrays[column.name], start, chunks, lambda chunk, c=column, codes=codes: _recode(c.name, chunk, codes))
            else:
                convert = {"time": _microseconds, "number": _numbers, "count": _numbers, "flag": _flags}[column.kind]
                _fill(self._arrays[column.name], start, chunks, convert)

    def finish(self, tz: Any = "UTC") -> pd.DataFrame:
        """Return the frame, its index in the zone `tz`."""
        index = pd.DatetimeIndex(self._taken(self._index).view("datetime64[us]"), name="timestamp").tz_localize("UTC")
        data = {c.name: self._finished(c) for c in self._columns}
        return pd.DataFrame(data, index=index if tz == "UTC" else index.tz_convert(tz), copy=False)

    def _reserve(self, rows: int) -> None:
        if rows <= self._capacity:
            return
        self._capacity = max(rows, self._capacity * 3 // 2)
        self._index = np.resize(self._index, self._capacity)
        self._arrays = {name: np.resize(array, self._capacity) for name, array in self._arrays.items()}

    def _taken(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        part = array[: self._rows]
        # A frame must not hold on to much more than it shows.
        return part if part.size > 0.9 * array.size else part.copy()

    def _finished(self, column: FrameColumn) -> Any:
        if column.kind == "text":
            return _text_array(pa.chunked_array(self._texts[column.name], pa.large_string()))
        values = self._taken(self._arrays[column.name])
        if column.kind == "time":
            return pd.DatetimeIndex(values.view("datetime64[us]")).tz_localize("UTC").array
        if column.kind in VOCABULARY:
            return _categorical(column, values, self._codes[column.name])
        return values


def _fill(target: npt.NDArray[Any], start: int, chunks: pa.ChunkedArray, convert: Any) -> None:
    for chunk in chunks.chunks:
        target[start : start + len(chunk)] = convert(chunk)
        start += len(chunk)


def _microseconds(chunk: pa.Array) -> npt.NDArray[np.int64]:
    raw = chunk.view(pa.int64())
    factor = _PER_MICROSECOND[chunk.type.unit]
    if not chunk.null_count:
        return np.asarray(raw.to_numpy() * factor)
    missing = chunk.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, NAT, raw.fill_null(0).to_numpy(zero_copy_only=False) * factor)


def _numbers(chunk: pa.Array) -> npt.NDArray[Any]:
    if chunk.null_count and not pa.types.is_floating(chunk.type):
        chunk = chunk.cast(pa.float64())
    return np.asarray(chunk.to_numpy(zero_copy_only=False))


def _flags(chunk: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(chunk.to_numpy(zero_copy_only=False) != 0)


def _recode(name: str, chunk: pa.Array, codes: dict[str, int]) -> npt.NDArray[np.int16]:
    """Return the frame's codes for a chunk's own, -1 for NULL; names not met before get the next code."""
    if not pa.types.is_dictionary(chunk.type):  # A server that lets no setting be changed sends plain text.
        chunk = chunk.cast(pa.large_string()).dictionary_encode()
    try:
        names = chunk.dictionary.to_pylist()
    except UnicodeDecodeError as error:
        raise not_utf8(name) from error
    indices = chunk.indices
    if chunk.null_count:
        indices = indices.cast(pa.int64()).fill_null(len(names))
    indices = indices.to_numpy(zero_copy_only=False)
    # ClickHouse puts a blank into every dictionary: only names in use may become categories.
    used = np.bincount(indices, minlength=len(names)) > 0
    lookup = np.full(len(names) + 1, _NULL, np.int16)
    for i, value in enumerate(names):
        if used[i] and value is not None:
            lookup[i] = codes.setdefault(value, len(codes))
    return np.asarray(lookup[indices])


def _categorical(column: FrameColumn, values: npt.NDArray[np.int16], codes: dict[str, int]) -> pd.Categorical:
    dtype = category(column.kind, codes)
    position = {name: i for i, name in enumerate(dtype.categories)}
    order = np.fromiter((position[name] for name in codes), np.int16, len(codes))
    # NULL, which is -1, takes the last place, and stays what it is.
    final = values if np.array_equal(order, np.arange(len(codes))) else np.append(order, np.int16(_NULL))[values]
    return pd.Categorical.from_codes(final, dtype=dtype, validate=False)


def _text_array(chunks: pa.ChunkedArray) -> Any:
    return pd.array(chunks, dtype="str") if chunks.num_chunks else pd.array([], dtype="str")
