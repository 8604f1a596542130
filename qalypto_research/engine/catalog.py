"""An archive's files as tables in ClickHouse: one catalog for each state of the files.

A File table's pattern is resolved when it is created, so a folder that has grown gets a new catalog, and calls in
flight keep the one they began with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from clickhouse_connect.driver.client import Client

from qalypto_research.archive.layout import DataFile, Listing, list_files, patterns
from qalypto_research.archive.validation import Footer, read_footer
from qalypto_research.archive.visibility import ARRIVAL, RECORDED, empty_table_ddl, file_table_ddl, guarded_view_ddl, seen_sql
from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import KLINE, TABLES, Table
from qalypto_research.schema.vocabulary import INTERVAL_MS

_numbers: Final = itertools.count(1)
_ATTEMPTS: Final = 5
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Series:
    """What one file holds of one series.

    Attributes
    ----------
    interval : str
        Of candles; "" elsewhere.
    rows : int
        Rows, visible ever or not.
    first_seen_us, last_seen_us : int
        Bounds of the moments its rows became known; -1 where none ever does.
    """

    table: str
    exchange: str
    symbol: str
    interval: str
    rows: int
    first_seen_us: int
    last_seen_us: int


@dataclass(slots=True)
class FileFacts:
    """What is known of one file: by its footer and by one look at its names and times."""

    footer: Footer
    series: tuple[Series, ...] = ()


@dataclass(slots=True)
class Catalog:
    """The tables and views of one state of the files, in a database of their own.

    ``<database>.<table>_at(moment = ...)`` is the guarded view of each table.
    """

    database: str
    listings: tuple[Listing, ...]
    files: Mapping[DataFile, FileFacts]
    users: int = 0

    def guarded(self, table: Table) -> str:
        """Return the name of the guarded view of `table`."""
        return f"{self.database}.{table.name}_at"

    def arrival(self, table: Table) -> tuple[str, ...]:
        """Return the columns that order the rows of `table` by arrival.

        The place in the files is left out where one archive recorded the order of all: a path in every row is dear.
        """
        recorded = len(self.listings) == 1 and all(f.hidden.issuperset(RECORDED) for f in self.files_of(table))
        return RECORDED if recorded else ARRIVAL

    def series(self) -> Iterable[Series]:
        """Yield what each file holds of each series."""
        for facts in self.files.values():
            yield from facts.series

    def files_of(self, table: Table) -> list[Footer]:
        """Return the footers of the files of `table`."""
        return [self.files[f].footer for listing in self.listings for f in listing[table.name]]

    def seen_bounds_us(self) -> tuple[int, int] | None:
        """Return when the first and the last row became known, microseconds since 1970 UTC; None if no row ever does."""
        known = [s for s in self.series() if s.last_seen_us != _NEVER]
        return (min(s.first_seen_us for s in known), max(s.last_seen_us for s in known)) if known else None

    def first_timestamp(self, table: Table) -> pd.Timestamp | None:
        """Return the earliest ``timestamp`` of `table`, None where it has no rows or a file does not say."""
        firsts = [f.first for f in self.files_of(table) if f.rows]
        return None if not firsts or any(f is None for f in firsts) else min(f for f in firsts if f is not None)


def list_roots(roots: Iterable[Path]) -> tuple[Listing, ...]:
    """Return the files under each of `roots`."""
    return tuple(list_files(root) for root in roots)


def build_catalog(client: Client, roots: tuple[Path, ...], known: Mapping[DataFile, FileFacts], tag: str) -> Catalog:
    """Create the tables and views over what stands under `roots` now.

    Parameters
    ----------
    client : Client
        A handle to the engine.
    roots : tuple of pathlib.Path
        The archive's folders.
    known : mapping of DataFile to FileFacts
        Facts of files already looked at; they are not looked at again.
    tag : str
        What its statements begin with, so that a long look can be found and ended.

    Raises
    ------
    ArchiveError
        There is no market data, a file fails validation, or the files keep changing underneath.
    """
    listings = list_roots(roots)
    for _ in range(_ATTEMPTS):
        catalog = _try_build(client, roots, listings, known, tag)
        # ClickHouse resolves the patterns by itself: were a file to come in between, it would be read unchecked.
        after = list_roots(roots)
        if after == listings:
            return catalog
        drop_catalog(client, catalog)
        listings = after
    raise ArchiveError(roots[0], "its files change faster than they can be read; wait until the writer is done")


def drop_catalog(client: Client, catalog: Catalog) -> None:
    """Remove the tables and views of `catalog`."""
    client.command(f"DROP DATABASE IF EXISTS {catalog.database}")


def _try_build(
    client: Client, roots: tuple[Path, ...], listings: tuple[Listing, ...], known: Mapping[DataFile, FileFacts], tag: str
) -> Catalog:
    wanted = [(f, TABLES[name]) for listing in listings for name, files in listing.items() for f in files]
    if not wanted:
        tables = ", ".join(f"{name}/" for name in TABLES)
        raise ArchiveError(roots[0], f"holds no market data: no Parquet file under {tables} nor market_data_<table>.parquet")
    new = [(f, table) for f, table in wanted if f not in known]
    with ThreadPoolExecutor(max_workers=8) as pool:
        footers = list(pool.map(lambda pair: read_footer(*pair), new))
    fresh = {f: FileFacts(footer) for (f, _), footer in zip(new, footers, strict=True)}
    files = {f: known[f] if f in known else fresh[f] for f, _ in wanted}
    catalog = Catalog(f"qalypto_{next(_numbers)}", listings, files)
    client.command(f"CREATE DATABASE {catalog.database}")
    try:
        for table in TABLES.values():
            sources = _create_sources(client, catalog, roots, table)
            _look_into(client, sources, table, {f.path: fresh[f] for f, t in new if t is table}, tag)
            client.command(guarded_view_ddl(catalog.guarded(table), table, sources))
    except BaseException:
        drop_catalog(client, catalog)
        raise
    return catalog


def _create_sources(client: Client, catalog: Catalog, roots: tuple[Path, ...], table: Table) -> list[str]:
    """Create the tables over the files of `table`, an empty one where there are none, and return their names."""
    listed = zip(roots, catalog.listings, strict=True)
    found = [pattern for root, listing in listed for pattern in patterns(root, table, listing[table.name])]
    names = [f"{catalog.database}.{table.name}_{i}" for i in range(max(1, len(found)))]
    for name, pattern in zip(names, found, strict=False):
        client.command(file_table_ddl(name, table, pattern))
    if not found:
        client.command(empty_table_ddl(names[0], table))
    return names


def _look_into(client: Client, sources: list[str], table: Table, new: Mapping[str, FileFacts], tag: str) -> None:
    """Fill in the series of the files that are new, by path, and hold their rows against their footers."""
    interval = "interval" if table is KLINE else "''"
    for source in sources if new else []:
        rows = client.query(
            f"{tag} SELECT _path, exchange, symbol, {interval}, count(), "
            f"ifNull(toUnixTimestamp64Micro(min({seen_sql(table)})), {_NEVER}), "
            f"ifNull(toUnixTimestamp64Micro(max({seen_sql(table)})), {_NEVER}) "
            f"FROM {source} AS t WHERE _path IN {{paths:Array(String)}} GROUP BY ALL ORDER BY ALL",
            parameters={"paths": list(new)},
        ).result_rows
        for path, of_file in itertools.groupby(rows, key=lambda row: row[0]):
            new[path].series = tuple(Series(table.name, *row[1:]) for row in of_file)
    for path, facts in new.items():
        unknown = sorted({s.interval for s in facts.series} - set(INTERVAL_MS)) if table is KLINE else []
        if unknown:
            raise ArchiveError(path, f"holds the interval {unknown[0]!r}; known are {', '.join(INTERVAL_MS)}", column="interval")
        counted, said = sum(s.rows for s in facts.series), facts.footer.rows
        if counted != said:
            raise ArchiveError(path, f"reads as {counted} rows where its footer says {said}; it is damaged or being written over")
