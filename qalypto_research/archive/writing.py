"""Write archive files: Parquet with the service's columns and types, complete or not there at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from qalypto_research.schema.tables import HIDDEN, Column, Table

_ARROW_TYPES: Final[dict[str, pa.DataType]] = {
    "DateTime64(3, 'UTC')": pa.timestamp("ms", tz="UTC"),
    "DateTime64(6, 'UTC')": pa.timestamp("us", tz="UTC"),
    "Float64": pa.float64(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "String": pa.string(),
}

ArrayLike: TypeAlias = npt.NDArray[Any] | pa.Array | pa.ChunkedArray


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type in which `column` is written."""
    return _ARROW_TYPES[column.bare_type]


def write_rows(root: Path, table: Table, rows: Mapping[str, ArrayLike], name: str, *, level: int | None = None) -> Path:
    """Write `rows` as ``<root>/<table>/<name>.parquet``.

    The file appears under its name only when it is whole, so that a reader never meets half of one.

    Parameters
    ----------
    root : pathlib.Path
        The archive.
    table : Table
        Which table the rows belong to.
    rows : mapping of str to array
        Every column of the table, and any of the hidden ones. Times as ``datetime64`` or as integers in the column's
        unit (ms, us for ``_seen``) since 1970 UTC; NaN in a nullable number is written as NULL.
    name : str
        File name without the ending; sub-folders may be part of it.
    level : int, optional
        Zstandard level for files that travel; by default lz4, which reads fastest.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    columns = [c for c in (*table.columns, *HIDDEN) if c.name in rows]
    missing = set(table.column_names) - set(rows)
    unknown = set(rows) - {c.name for c in columns}
    if missing or unknown:
        raise ValueError(f"{table.name}: columns missing {sorted(missing)}, unknown {sorted(unknown)}")
    data = pa.table(
        [_to_arrow(rows[c.name], c) for c in columns],
        schema=pa.schema([pa.field(c.name, arrow_type(c), nullable=c.nullable) for c in columns]),
    )
    path = root / table.name / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(data, partial, **_layout(columns, level))
    partial.replace(path)
    return path


def _to_arrow(values: ArrayLike, column: Column) -> pa.Array | pa.ChunkedArray:
    wanted = arrow_type(column)
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "M":
            values = values.astype(f"datetime64[{wanted.unit}]")
        array = pa.array(values, from_pandas=column.nullable)
        # Integers are read as the column's unit; a plain cast would refuse them for a zoned timestamp.
        if pa.types.is_integer(array.type) and pa.types.is_timestamp(wanted):
            return array.cast(pa.int64()).cast(wanted)
        return array.cast(wanted)
    return values.cast(wanted)


def _layout(columns: list[Column], level: int | None) -> dict[str, Any]:
    """Return the Parquet settings: dictionaries for names, deltas for times, and for numbers what suits the codec.

    Split bytes help lz4. Zstandard finds repeated prices and sizes by itself, and splitting hides them from it.
    """
    names = [c.name for c in columns if c.kind in ("exchange", "symbol", "side", "interval")]
    encodings = {}
    for c in columns:
        if c.name in names:
            continue
        kind = arrow_type(c)
        if pa.types.is_floating(kind) and level is None:
            encodings[c.name] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_timestamp(kind) or kind == pa.int64():
            encodings[c.name] = "DELTA_BINARY_PACKED"
    codec: dict[str, Any] = {"compression": "lz4"} if level is None else {"compression": "zstd", "compression_level": level}
    return {"use_dictionary": names, "column_encoding": encodings, "row_group_size": 1 << 17, **codec}
