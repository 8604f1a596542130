"""Databases in which a user's SQL finds the service's tables as they were known at one moment."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from clickhouse_connect.driver.client import Client

from qalypto_research.archive.visibility import moment_sql, public_select
from qalypto_research.schema.tables import TABLES, Table

_numbers: Final = itertools.count(1)


class Moments:
    """The moments a catalog's tables are looked at from.

    Parameters
    ----------
    lend : callable
        Lends a client that may create databases.
    guarded : callable
        Returns the name of a table's guarded view.
    """

    def __init__(self, lend: Callable[[], AbstractContextManager[Client]], guarded: Callable[[Table], str]) -> None:
        self._lend = lend
        self._guarded = guarded
        self._databases: dict[int, str] = {}
        self._users: Counter[int] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def at(self, moment_us: int) -> Iterator[str]:
        """Lend the database for `moment_us`. The newest is kept: a clock that stands asks for it again and again."""
        with self._lock:
            if moment_us not in self._databases:
                self._databases[moment_us] = self._create(moment_us)
            self._users[moment_us] += 1
        try:
            yield self._databases[moment_us]
        finally:
            with self._lock:
                self._users[moment_us] -= 1
                newest = next(reversed(self._databases))
                for idle in [m for m in self._databases if m != newest and not self._users[m]]:
                    self._drop(self._databases.pop(idle))

    def names(self) -> list[str]:
        """Return the databases there are, without a lock: for when nobody uses them."""
        return list(self._databases.values())

    def drop(self) -> None:
        """Remove all of them."""
        with self._lock:
            while self._databases:
                self._drop(self._databases.popitem()[1])

    def _create(self, moment_us: int) -> str:
        database = f"qalypto_moment_{next(_numbers)}"
        with self._lend() as client:
            client.command(f"CREATE DATABASE {database}")
            for table in TABLES.values():
                select = public_select(table, self._guarded(table), moment_sql(str(moment_us)))
                client.command(f"CREATE VIEW {database}.{table.sql_name} AS {select}")
        return database

    def _drop(self, database: str) -> None:
        with self._lend() as client:
            client.command(f"DROP DATABASE {database}")
