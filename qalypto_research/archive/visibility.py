"""SQL of an archive's tables: files below, the clock's guard above them.

Every read goes through a parameterised view ``<table>_at(moment = ...)`` that shows a row iff it was seen at or before
that moment. Nothing above the engine can leave the guard out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from qalypto_research.schema.tables import HIDDEN, Table

RECORDED: Final = ("_seen", "_seq")
"""Order of arrival as an archive records it."""

ARRIVAL: Final = (*RECORDED, "_path", "_row_number")
"""Order of arrival: as recorded, and where nothing was recorded by place in the files."""


def file_table_ddl(name: str, table: Table, pattern: str) -> str:
    """Return DDL for a table over the Parquet files that match `pattern`.

    Hidden columns are nullable: a file without them reads as NULL there, while every other column was found in every
    footer before.
    """
    columns = ", ".join(f"`{c.name}` {c.clickhouse}" for c in (*table.columns, *HIDDEN))
    return f"CREATE TABLE {name} ({columns}) ENGINE = File(Parquet, '{pattern}')"


def empty_table_ddl(name: str, table: Table) -> str:
    """Return DDL for what stands in for the files of a table the archive does not have."""
    columns = ", ".join(f"`{c.name}` {c.clickhouse}" for c in (*table.columns, *HIDDEN))
    return f"CREATE TABLE {name} ({columns}, _path String, _row_number Nullable(UInt64)) ENGINE = Memory"


def guarded_view_ddl(name: str, table: Table, sources: list[str], left_out: Iterable[str] = ()) -> str:
    """Return DDL for the view that shows of `sources` what had been seen at its parameter ``moment``.

    It has the service's columns and those that an archive may carry beside them, ``_seen`` filled in where it was not
    recorded, and the place in the files. Files at the paths `left_out` are not read: a condition on the path alone is
    settled before a file is opened.
    """
    # In hexadecimal: no name can break out of its quotes.
    paths = ", ".join(f"unhex('{os.fsencode(path).hex()}')" for path in left_out)
    others = f"_path NOT IN ({paths}) AND " if paths else ""
    columns = ", ".join(f"`{c}`" for c in table.column_names)
    selects = [
        f"SELECT {columns}, {seen_sql(table)} AS _seen, t._seq AS _seq, t._producer_received AS _producer_received, _path, _row_number "
        f"FROM {source} AS t WHERE {others}{seen_sql(table)} <= {{moment:DateTime64(6, 'UTC')}}"
        for source in sources
    ]
    return f"CREATE VIEW {name} AS {' UNION ALL '.join(selects)}"


def seen_sql(table: Table) -> str:
    """Return SQL for the moment the row ``t`` was seen; NULL is never."""
    return f"coalesce(t._seen, {table.seen_without_record})"


def public_select(table: Table, guarded: str, moment_sql: str) -> str:
    """Return the SELECT of a view that a user's SQL reads: the service's columns alone, as known at `moment_sql`."""
    columns = ", ".join(f"`{c}`" for c in table.column_names)
    return f"SELECT {columns} FROM {guarded}(moment = {moment_sql})"


def moment_sql(microseconds: str) -> str:
    """Return SQL for the moment so many microseconds after 1970 UTC, themselves SQL."""
    return f"fromUnixTimestamp64Micro({microseconds}, 'UTC')"
