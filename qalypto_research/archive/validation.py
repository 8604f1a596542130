"""Check Parquet footers against the schema before ClickHouse reads a byte.

ClickHouse reads a missing column of a declared type as '' or 0, and a NULL in a column that has none likewise. So every
footer is read first: what is not there, of another type or NULL where nothing may be is an error, never a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qalypto_research.archive.layout import DataFile
from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import HIDDEN, Column, Table


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file's footer says.

    Attributes
    ----------
    rows : int
        Rows in the file.
    first, last : pandas.Timestamp or None
        Bounds of ``timestamp``; None in an empty file, or where the writer left no statistics.
    hidden : frozenset of str
        Which hidden columns the file has a value of in every row.
    """

    rows: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    hidden: frozenset[str]

    def reaches_into(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> bool:
        """Whether the file may hold rows in ``[start, end)``."""
        before = end is not None and self.first is not None and self.first >= end
        after = start is not None and self.last is not None and self.last < start
        return not (before or after)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_utc(unit: str) -> Callable[[pa.DataType], bool]:
    return lambda kind: bool(pa.types.is_timestamp(kind) and kind.unit == unit and kind.tz is not None)


_ACCEPTED: Final[dict[str, tuple[str, Callable[[pa.DataType], bool]]]] = {
    "DateTime64(3, 'UTC')": ("timestamp[ms, tz=UTC]", _is_utc("ms")),
    "DateTime64(6, 'UTC')": ("timestamp[us, tz=UTC]", _is_utc("us")),
    "Float64": ("double", pa.types.is_float64),
    "Int32": ("int32", pa.types.is_int32),
    "Int64": ("int64", pa.types.is_int64),
    "UInt8": ("uint8 or bool", lambda kind: bool(pa.types.is_uint8(kind) or pa.types.is_boolean(kind))),
    "String": ("string", _is_text),
}


def read_footer(file: DataFile, table: Table) -> Footer:
    """Read and check the footer of `file`.

    Raises
    ------
    ArchiveError
        Not a Parquet file, a column missing, of another type, or NULL where the service has none; names both.
    """
    if file.problem:
        raise ArchiveError(file.path, file.problem)
    try:
        return _read_footer(file, table)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ArchiveError(file.path, f"is not a readable Parquet file ({str(error).partition(chr(10))[0]})") from error


def _read_footer(file: DataFile, table: Table) -> Footer:
    metadata = pq.read_metadata(file.path)
    schema = metadata.schema.to_arrow_schema()
    for column in table.columns:
        _check_column(file, schema, column)
    hidden = frozenset(c.name for c in HIDDEN if c.name in schema.names)
    for column in HIDDEN:
        if column.name in hidden:
            _check_column(file, schema, column)
    first, last = _bounds(file, table, metadata)
    return Footer(metadata.num_rows, first, last, hidden - _with_nulls(metadata))


def _with_nulls(metadata: pq.FileMetaData) -> set[str]:
    """Return the columns that have NULLs, or may have, by the statistics."""
    chunks = [metadata.row_group(i).column(j) for i in range(metadata.num_row_groups) for j in range(metadata.num_columns)]
    return {c.path_in_schema for c in chunks if c.statistics is None or not c.statistics.has_null_count or c.statistics.null_count}


def _check_column(file: DataFile, schema: pa.Schema, column: Column) -> None:
    if schema.names.count(column.name) != 1:
        there = "is missing" if column.name not in schema.names else "is there more than once"
        raise ArchiveError(file.path, f"{there}; the table needs {column.clickhouse}", column=column.name)
    kind = schema.field(column.name).type
    wanted, accepts = _ACCEPTED[column.bare_type]
    if not accepts(kind):
        raise ArchiveError(file.path, f"has type {kind}, not {wanted}; write it again with that type", column=column.name)


def _bounds(file: DataFile, table: Table, metadata: pq.FileMetaData) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Return the bounds of ``timestamp`` by the row groups' statistics, having checked their counts of NULL."""
    lowest: list[pd.Timestamp] = []
    highest: list[pd.Timestamp] = []
    whole = True
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            name, statistics = chunk.path_in_schema, chunk.statistics
            required = name in table.column_names and not table.column(name).nullable
            if required:
                known = statistics is not None and statistics.has_null_count
                nulls = statistics.null_count if known else pq.ParquetFile(file.path).read_row_group(i, [name]).column(0).null_count
                if nulls:
                    raise ArchiveError(file.path, f"has {nulls} NULLs in row group {i}; the service has none", column=name)
            if name == "timestamp":
                whole = whole and statistics is not None and statistics.has_min_max
                if whole:
                    lowest.append(pd.Timestamp(statistics.min))
                    highest.append(pd.Timestamp(statistics.max))
    return (min(lowest), max(highest)) if whole and lowest else (None, None)
