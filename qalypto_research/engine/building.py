"""Make the catalog of what stands under an archive's folders: check each new file, then create tables and views."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.archive.layout import DataFile, Listing, list_files, patterns
from qalypto_research.archive.validation import Footer, read_footer
from qalypto_research.archive.visibility import empty_table_ddl, file_table_ddl, guarded_view_ddl, seen_sql
from qalypto_research.engine.catalog import NEVER, Catalog, FileFacts, Series
from qalypto_research.engine.failures import to_damage
from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import KLINE, TABLES, Table
from qalypto_research.schema.vocabulary import INTERVAL_MS

_numbers: Final = itertools.count(1)
_ATTEMPTS: Final = 5

_AT_ONCE: Final = 500
"""Files looked into by one statement: where one of them is damaged, so many are read again."""

_LONG_STATEMENT: Final = {"max_query_size": 2**28}
"""Room for the paths of any number of files left out."""

_abandoned: Final[list[str]] = []
"""Databases whose connection went without being closed, or while a call was in flight."""


def abandon(databases: list[str]) -> None:
    """Note databases that nobody needs any more; the next build drops them. Runs no SQL: a finalizer may call it."""
    _abandoned.extend(databases)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a build under way.

    Attributes
    ----------
    table_of : mapping of DataFile to Table
        Every file there is.
    known, fresh : dict of DataFile to FileFacts
        Those looked at before, and those that are being looked at now.
    damaged : dict of DataFile to ArchiveError
        Those to be left out.
    """

    table_of: Mapping[DataFile, Table]
    known: dict[DataFile, FileFacts]
    fresh: dict[DataFile, FileFacts]
    damaged: dict[DataFile, ArchiveError]


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes catalogs of what stands under an archive's folders.

    Attributes
    ----------
    lend : callable
        Lends a client that may create databases.
    roots : tuple of pathlib.Path
        The archive's folders.
    strict : bool
        Whether a damaged file is an error; else it is left out.
    """

    lend: Callable[[], AbstractContextManager[Client]]
    roots: tuple[Path, ...]
    strict: bool

    def listings(self) -> tuple[Listing, ...]:
        """Return the files under each of the folders as they stand now."""
        return tuple(list_files(root) for root in self.roots)

    def build(self, before: Catalog | None, tag: str) -> Catalog:
        """Create the tables and views over what stands under the folders now.

        Parameters
        ----------
        before : Catalog or None
            The catalog so far: files it knows are not looked at again.
        tag : str
            What statements begin with, so that a long look can be found and ended.

        Raises
        ------
        ArchiveError
            There is no market data, a file is damaged, or the files keep changing underneath.
        """
        while _abandoned:
            self.drop(_abandoned.pop())
        listings = self.listings()
        for _ in range(_ATTEMPTS):
            catalog = self._try_build(listings, before, tag)
            # ClickHouse resolves the patterns by itself: were a file to come in between, it would be read unchecked.
            after = self.listings()
            if after == listings:
                return catalog
            self.drop(catalog.database)
            listings = after
        raise ArchiveError(self.roots[0], "its files change faster than they can be read; wait until the writer is done")

    def drop(self, database: str) -> None:
        """Remove the tables and views of a catalog."""
        self._run(f"DROP DATABASE IF EXISTS {database}")

    def _try_build(self, listings: tuple[Listing, ...], before: Catalog | None, tag: str) -> Catalog:
        files = self._sorted_out(listings, before)
        database = f"qalypto_{next(_numbers)}"
        self._run(f"CREATE DATABASE {database}")
        try:
            sources = {table.name: self._create_sources(database, listings, table) for table in TABLES.values()}
            for table in TABLES.values():
                self._look_into(sources[table.name], table, files, tag)
            catalog = Catalog(database, listings, self._readable(files), files.damaged)
            for table in TABLES.values():
                left_out = [f.path for f in files.damaged if files.table_of[f] is table]
                self._run(guarded_view_ddl(catalog.guarded(table), table, sources[table.name], left_out))
        except BaseException:
            self.drop(database)
            raise
        return catalog

    def _run(self, statement: str) -> None:
        with self.lend() as client:
            client.command(statement, settings=_LONG_STATEMENT)

    def _sorted_out(self, listings: tuple[Listing, ...], before: Catalog | None) -> _Files:
        """Return the files as they stand, the footers of the new ones read."""
        table_of = {f: TABLES[name] for listing in listings for name, files in listing.items() for f in files}
        if not table_of:
            tables = ", ".join(f"{name}/" for name in TABLES)
            raise ArchiveError(self.roots[0], f"holds no market data: no Parquet file under {tables} nor market_data_<table>.parquet")
        damaged = {f: e for f, e in {**before.damaged, **before.found_damaged}.items() if f in table_of} if before else {}
        known = {f: facts for f, facts in before.files.items() if f in table_of and f not in damaged} if before else {}
        files = _Files(table_of, known, {}, damaged)
        new = [f for f in table_of if f not in known and f not in damaged]
        with ThreadPoolExecutor(max_workers=8) as pool:
            footers = list(pool.map(lambda f: _footer_or_error(f, table_of[f]), new))
        for file, footer in zip(new, footers, strict=True):
            if isinstance(footer, ArchiveError):
                self._leave_out(file, footer, files)
            else:
                files.fresh[file] = FileFacts(footer)
        return files

    def _readable(self, files: _Files) -> dict[DataFile, FileFacts]:
        readable = files.known | {f: facts for f, facts in files.fresh.items() if f not in files.damaged}
        if not readable:
            first = next(iter(files.damaged.values()))
            raise ArchiveError(self.roots[0], f"none of its {len(files.damaged)} files can be read; the first: {first}")
        return readable

    def _leave_out(self, file: DataFile, error: ArchiveError, files: _Files) -> None:
        if self.strict:
            way_out = "qr.connect(..., strict=False) opens the archive without this file"
            raise ArchiveError(error.path, f"{error.reason}; {way_out}", column=error.column) from error
        files.damaged[file] = error

    def _create_sources(self, database: str, listings: tuple[Listing, ...], table: Table) -> list[str]:
        """Create the tables over the files of `table`, an empty one where there are none, and return their names."""
        listed = zip(self.roots, listings, strict=True)
        found = [pattern for root, listing in listed for pattern in patterns(root, table, listing[table.name])]
        names = [f"{database}.{table.name}_{i}" for i in range(max(1, len(found)))]
        for name, pattern in zip(names, found, strict=False):
            self._run(file_table_ddl(name, table, pattern))
        if not found:
            self._run(empty_table_ddl(names[0], table))
        return names

    def _look_into(self, sources: list[str], table: Table, files: _Files, tag: str) -> None:
        """Fill in the series of the files that are new, by path, and hold their rows against their footers."""
        new = {f.path: f for f in files.fresh if files.table_of[f] is table}
        paths = list(new)
        for chunk in (paths[i : i + _AT_ONCE] for i in range(0, len(paths), _AT_ONCE)):
            for source in sources:
                for row in self._names_and_times(source, table, {path: new[path] for path in chunk}, files, tag):
                    files.fresh[new[row[0]]].series += (Series(table.name, *row[1:]),)
        for path, file in new.items():
            error = None if file in files.damaged else _contradiction(path, table, files.fresh[file])
            if error is not None:
                self._leave_out(file, error, files)

    def _names_and_times(
        self, source: str, table: Table, wanted: Mapping[str, DataFile], files: _Files, tag: str
    ) -> Sequence[Sequence[Any]]:
        """Return a row a file and series: path, names, rows, when it became known."""
        interval = "interval" if table is KLINE else "''"
        statement = (
            f"{tag} SELECT _path, exchange, symbol, {interval}, count(), "
            f"ifNull(toUnixTimestamp64Micro(min({seen_sql(table)})), {NEVER}), "
            f"ifNull(toUnixTimestamp64Micro(max({seen_sql(table)})), {NEVER}) "
            f"FROM {source} AS t WHERE _path IN {{paths:Array(String)}} GROUP BY ALL ORDER BY ALL"
        )
        while paths := [path for path, file in wanted.items() if file not in files.damaged]:
            try:
                with self.lend() as client:
                    return client.query(statement, parameters={"paths": paths}).result_rows
            except ClickHouseError as error:
                found = to_damage(error, paths)
                if found is None:
                    raise
                self._leave_out(wanted[found.path], found, files)
        return ()


def _footer_or_error(file: DataFile, table: Table) -> Footer | ArchiveError:
    try:
        return read_footer(file, table)
    except ArchiveError as error:
        return error


def _contradiction(path: str, table: Table, facts: FileFacts) -> ArchiveError | None:
    """Return what is wrong with the names and rows found in a file, None where nothing is."""
    unknown = sorted({s.interval for s in facts.series} - set(INTERVAL_MS)) if table is KLINE else []
    if unknown:
        return ArchiveError(path, f"holds the interval {unknown[0]!r}; known are {', '.join(INTERVAL_MS)}", column="interval")
    counted, said = sum(s.rows for s in facts.series), facts.footer.rows
    if counted != said:
        return ArchiveError(path, f"reads as {counted} rows where its footer says {said}; it is damaged or being written over")
    return None
