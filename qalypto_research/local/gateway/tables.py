"""The databases a user of the stand-in sees: ``market_data`` at the clock's moment, and the engine's own tables without what is hidden.

Views are made once for each state of the files. They read the moment from a setting that each query's session carries,
so that all of a query sees one moment and no two queries disturb each other.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from qalypto_research.archive.visibility import moment_sql, public_select
from qalypto_research.engine.catalog import Catalog
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.engine.raw import RawHandle, to_literal
from qalypto_research.local.gateway.settings import LABEL, PINNED
from qalypto_research.local.gateway.statements import FILTERED, SHOWN
from qalypto_research.schema.tables import TABLES, Table

DATABASE: Final = "market_data"

_MOMENT: Final = moment_sql(f"toInt64OrZero(splitByChar(' ', getSetting('{LABEL}'))[1])")
_OPEN: Final = "('market_data', 'default', 'system', 'information_schema', 'INFORMATION_SCHEMA')"
_UNSAID: Final = "'' AS create_table_query, '' AS as_select, '' AS engine_full"

Columns = Callable[[Table], Sequence[tuple[str, str, str]]]
"""What a table shows: of each column its name, its type, and SQL of its value."""


def to_label(moment_us: int, tag: str) -> str:
    """Return what a session carries: its moment, and by what its query is found."""
    return f"{moment_us} {tag}"


class Shown:
    """What users see of an archive.

    Parameters
    ----------
    engine : EmbeddedEngine
        Over the archive's folders; no one else may use it.
    columns : callable
        Returns the columns that a table shows.
    forbid_settings : bool
        Whether ``system.settings`` is to say that nothing may be changed.
    """

    def __init__(self, engine: EmbeddedEngine, columns: Columns, *, forbid_settings: bool) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._columns = columns
        self._database = ""  # of the catalog that the views stand on
        self._generation = 0
        self._readers: Counter[int] = Counter()
        self._kept: dict[int, ExitStack] = {}
        self._owner = RawHandle()
        self._create_databases(forbid_settings=forbid_settings)

    def _create_databases(self, *, forbid_settings: bool) -> None:
        run = self._run
        run(f"CREATE DATABASE {DATABASE}")
        run(f"CREATE DATABASE {SHOWN}")
        # The embedding's default database takes the name of any file for a table.
        run(f"USE {SHOWN}")
        run("DROP DATABASE default")
        run("CREATE DATABASE default ENGINE = Atomic")
        readonly = "1" if forbid_settings else f"if(name = 'readonly' OR match(name, {to_literal(PINNED)}), 1, 0)"
        value = f"multiIf(name = '{LABEL}', '', name = 'readonly', '{1 if forbid_settings else 2}', value)"
        bodies = {
            "tables": f"SELECT * REPLACE ({_UNSAID}) FROM system.tables WHERE database IN {_OPEN}",
            "columns": f"SELECT * FROM system.columns WHERE database IN {_OPEN}",
            "databases": f"SELECT * FROM system.databases WHERE name IN {_OPEN}",
            "settings": f"SELECT * REPLACE ({value} AS value, toUInt8({readonly}) AS readonly) FROM system.settings",
            "information_tables": f"SELECT * FROM information_schema.tables WHERE table_schema IN {_OPEN}",
            "information_columns": f"SELECT * FROM information_schema.columns WHERE table_schema IN {_OPEN}",
            "information_schemata": f"SELECT * FROM information_schema.schemata WHERE schema_name IN {_OPEN}",
        }
        for name in FILTERED.values():
            run(f"CREATE VIEW {SHOWN}.{name} AS {bodies[name]}")

    def _run(self, sql: str) -> None:
        self._owner.query(sql, "TabSeparated")

    def show(self, columns: Columns) -> None:
        """Show other columns, from the next query on."""
        with self._lock:
            self._columns = columns
            self._database = ""

    @contextmanager
    def current(self) -> Iterator[None]:
        """Show the files as they stand now; what is read inside stays there until the end."""
        with self._lock, ExitStack() as pin:
            catalog = pin.enter_context(self._engine.pinned())
            if catalog.database != self._database:
                self._show(catalog)
                self._kept[self._generation] = pin.pop_all()
            generation = self._generation
            self._readers[generation] += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers[generation] -= 1
                self._let_go()

    def _show(self, catalog: Catalog) -> None:
        for table in TABLES.values():
            columns = self._columns(table)
            declared = ", ".join(f"`{name}` {kind}" for name, kind, _ in columns)
            values = ", ".join(f"{value} AS `{name}`" for name, _, value in columns)
            select = f"SELECT {values} FROM ({public_select(table, catalog.guarded(table), _MOMENT)})"
            self._run(f"CREATE OR REPLACE VIEW {DATABASE}.{table.sql_name} ({declared}) AS {select}")
        self._database = catalog.database
        self._generation += 1

    def _let_go(self) -> None:
        """Give back the catalogs that no reader can have met: all of those who began before their end are gone."""
        oldest = min((g for g, n in self._readers.items() if n), default=self._generation)
        for generation in [g for g in self._kept if g < min(oldest, self._generation)]:
            del self._readers[generation]
            self._kept.pop(generation).close()

    def close(self) -> None:
        """Let go of the archive."""
        with self._lock:
            for kept in self._kept.values():
                kept.close()
            self._kept.clear()
        self._owner.close()
