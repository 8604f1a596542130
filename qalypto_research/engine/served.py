"""Hold a server's tables against the schema: a column that differs is named before it can mislead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from qalypto_research.errors import SchemaError
from qalypto_research.schema.frames import FUNDING, KLINES, ORDERBOOK_TOPS, SPREADS, TICKERS, TRADES
from qalypto_research.schema.tables import TABLES, Column, Kind, bare_type

_INTEGER: Final = re.compile(r"U?Int(?:8|16|32|64)")
_MAY_BE_NULL: Final = ("number", "text")
"""Kinds whose values in a frame can be missing."""

_TIME: Final = re.compile(r"DateTime64\(3(?:, '[^']+')?\)")
_STATEMENT: Final = (
    "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() "
    "AND table IN {tables:Array(String)} ORDER BY table, position"
)

_KINDS: Final[dict[str, Kind]] = {
    c.name: c.kind for frame in (TRADES, TICKERS, KLINES, ORDERBOOK_TOPS, FUNDING, SPREADS) for c in frame.columns
}


def fits_names(answer: pa.Schema) -> bool:
    """Return whether each column of an answer is of the kind that a column of its name has in frames."""
    return all(_is(_KINDS.get(field.name, "time"), field.type) for field in answer if field.name in _KINDS or field.name == "timestamp")


def _is(kind: Kind, found: pa.DataType) -> bool:
    types = pa.types
    if kind == "time":
        fits = types.is_timestamp(found)
    elif kind == "number":
        fits = types.is_float64(found) or types.is_integer(found)
    elif kind in ("count", "flag"):
        fits = types.is_integer(found) or types.is_boolean(found)
    else:
        fits = not types.is_primitive(found)
    return bool(fits)


def check_columns(execute: Callable[[str, Mapping[str, Any], None], tuple[pa.Table, str]]) -> None:
    """Make sure that a server has the documented tables. Columns beyond them are fine.

    Raises
    ------
    SchemaError
        A table or a column is missing, or of a type that would be read wrongly; names each.
    """
    answer, _ = execute(_STATEMENT, {"tables": [t.sql_name for t in TABLES.values()]}, None)
    columns = [answer.column(name).to_pylist() for name in ("table", "name", "type")]
    there = {(table, name): kind for table, name, kind in zip(*columns, strict=True)}
    wrong: dict[str, str] = {}
    for table in TABLES.values():
        if not any(name == table.sql_name for name, _ in there):
            wrong[table.sql_name] = "is not there"
            continue
        for column in table.columns:
            kind = there.get((table.sql_name, column.name))
            if kind is None:
                wrong[f"{table.sql_name}.{column.name}"] = f"is missing; it should be {column.clickhouse}"
            elif not _fits(column, kind):
                wrong[f"{table.sql_name}.{column.name}"] = f"is {kind}, not {column.clickhouse}"
    if wrong:
        listed = "; ".join(f"{name} {what}" for name, what in wrong.items())
        raise SchemaError(
            f"the service's tables are not the documented ones: {listed}. Update qalypto_research, or ask the service", columns=wrong
        )


def _fits(column: Column, kind: str) -> bool:
    bare, wanted = bare_type(kind), column.bare_type
    if "Nullable(" in kind and not column.nullable and column.kind not in _MAY_BE_NULL:
        return False
    if wanted.startswith("DateTime64"):
        return _TIME.fullmatch(bare) is not None
    if wanted == "Int32":
        return _INTEGER.fullmatch(bare) is not None
    return bare == wanted or (wanted == "UInt8" and bare == "Bool")
