"""The answer to a user's own SELECT as a frame: its columns as selected, their dtypes by the contract."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from qalypto_research.engine.arrow import NAT, own_texts
from qalypto_research.schema.frames import VOCABULARY, category
from qalypto_research.schema.tables import bare_type

_ENUM_NAME: Final = re.compile(r"'((?:[^'\\]|\\.)*)' = (-?\d+)")

_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}

_WIDE: Final = ("Int128", "Int256", "UInt128", "UInt256")

_EXACT_IN_FLOAT: Final = 32
"""Integers of so many bits are exact as float64, in which a NULL can be NaN."""


def to_answer(table: pa.Table, types: Sequence[str]) -> pd.DataFrame:
    """Return `table` as a frame, rows and columns in their order.

    Times and dates become ``datetime64[us, UTC]`` (a time without a zone is the engine's, which is UTC); text and enums
    ``str``, and a category where the column is called exchange, symbol, side or interval; floats and integers keep
    their type. Integers with NULL become float64 up to 32 bits, beyond that pandas' nullable ``Int64`` or ``UInt64``,
    so that none loses a digit; those wider than 64 bits are Python's. Everything else is as Arrow gives it.

    Parameters
    ----------
    table : pyarrow.Table
        The answer.
    types : sequence of str
        ClickHouse's type of each column: Arrow shows a DateTime and an Enum as bare numbers.

    Raises
    ------
    QueryError
        A text is not UTF-8.
    """
    columns = [_column(name, table.column(i), bare_type(types[i])) for i, name in enumerate(table.column_names)]
    frame = pd.concat(columns, axis=1)
    frame.columns = pd.Index(table.column_names)
    return frame


def _column(name: str, chunks: pa.ChunkedArray, clickhouse: str) -> pd.Series[Any]:
    if pa.types.is_dictionary(chunks.type):
        chunks = chunks.cast(chunks.type.value_type)
    if clickhouse.startswith(("DateTime", "Date")):
        return pd.Series(_times(chunks))
    if clickhouse.startswith("Enum"):
        names = {int(number): _unescaped(text) for text, number in _ENUM_NAME.findall(clickhouse)}
        chunks = pa.chunked_array([pa.array([names.get(v) for v in chunks.to_pylist()], pa.large_string())])
    kind = chunks.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(name, chunks)
    if pa.types.is_integer(kind) and chunks.null_count:
        if kind.bit_width <= _EXACT_IN_FLOAT:
            return pd.Series(np.array(chunks.cast(pa.float64()).to_numpy()))
        return pd.Series(chunks.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pd.Series(np.array(chunks.to_numpy()))
    wide = clickhouse in _WIDE
    values = _whole_numbers(chunks, signed=clickhouse.startswith("I")) if wide else chunks.to_pandas()
    return pd.Series(values, dtype=object if wide else None)


def _whole_numbers(chunks: pa.ChunkedArray, *, signed: bool) -> list[int | None]:
    """Return integers too wide for Arrow, which has their bytes."""
    return [None if v is None else int.from_bytes(v, "little", signed=signed) for v in chunks.to_pylist()]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)


def _texts(name: str, chunks: pa.ChunkedArray) -> pd.Series[Any]:
    texts = pd.Series(pd.array(own_texts(name, chunks), dtype="str"))
    kind = next((k for k in VOCABULARY if k == name), None)
    return texts if kind is None else texts.astype(category(kind, texts.dropna().unique()))


def _times(chunks: pa.ChunkedArray) -> pd.DatetimeIndex:
    if pa.types.is_uint32(chunks.type):  # DateTime: seconds since 1970 UTC
        chunks = chunks.cast(pa.int64()).cast(pa.timestamp("s"))
    elif pa.types.is_date(chunks.type):
        chunks = chunks.cast(pa.timestamp("s"))
    exact = chunks.cast(pa.timestamp("us", chunks.type.tz), safe=False)
    microseconds = exact.cast(pa.int64()).fill_null(NAT).to_numpy()
    return pd.DatetimeIndex(np.array(microseconds).view("datetime64[us]")).tz_localize("UTC")
