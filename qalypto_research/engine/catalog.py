"""What an archive's files hold, and the tables they are in ClickHouse: one catalog for each state of the files.

A File table's pattern is resolved when it is created, so a folder that has grown gets a new catalog, and calls in
flight keep the one they began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from qalypto_research.archive.layout import DataFile, Listing
from qalypto_research.archive.validation import Footer
from qalypto_research.archive.visibility import ARRIVAL, RECORDED
from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import Table

NEVER: Final = -1


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

    Attributes
    ----------
    files : mapping of DataFile to FileFacts
        The files it reads.
    damaged : mapping of DataFile to ArchiveError
        The files it leaves out.
    found_damaged : dict of DataFile to ArchiveError
        Files it reads that turned out to be damaged; the next catalog leaves them out.
    """

    database: str
    listings: tuple[Listing, ...]
    files: Mapping[DataFile, FileFacts]
    damaged: Mapping[DataFile, ArchiveError]
    found_damaged: dict[DataFile, ArchiveError] = field(default_factory=dict)
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
        return [self.files[f].footer for listing in self.listings for f in listing[table.name] if f in self.files]

    def paths_between(self, table: Table, after_us: int, until_us: int) -> list[str]:
        """Return the files of `table` with rows that became known in ``(after_us, until_us]``, microseconds since 1970 UTC."""
        return [
            file.path
            for file, facts in self.files.items()
            if any(s.table == table.name and s.last_seen_us > after_us and 0 <= s.first_seen_us <= until_us for s in facts.series)
        ]

    def seen_bounds_us(self) -> tuple[int, int] | None:
        """Return when the first and the last row became known, microseconds since 1970 UTC; None if no row ever does."""
        known = [s for s in self.series() if s.last_seen_us != NEVER]
        return (min(s.first_seen_us for s in known), max(s.last_seen_us for s in known)) if known else None

    def first_timestamp(self, table: Table) -> pd.Timestamp | None:
        """Return the earliest ``timestamp`` of `table`, None where it has no rows or a file does not say."""
        firsts = [f.first for f in self.files_of(table) if f.rows]
        return None if not firsts or any(f is None for f in firsts) else min(f for f in firsts if f is not None)
