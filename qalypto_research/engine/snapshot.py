"""What a call sees of the data: the same moment and the same files for all its statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from qalypto_research.schema.tables import Table


class SeriesKnown(Protocol):
    """A series that is there, by name."""

    @property
    def table(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def interval(self) -> str: ...


class Snapshot(Protocol):
    """One moment's view of the tables, whichever engine answers."""

    moment: pd.Timestamp
    delay: dt.timedelta
    query_ids: list[str]

    def arrival(self, table: Table) -> tuple[str, ...]:
        """Return the columns of `table` that order what is equal otherwise."""
        ...

    def relation(self, table: Table) -> str:
        """Return what to write after FROM to read `table`."""
        ...

    def fetch(self, sql: str, parameters: Mapping[str, Any] | None = None, *, label: str | None = None) -> pa.Table:
        """Run one of our own statements."""
        ...

    def answer(self, sql: str, parameters: Mapping[str, Any], *, label: str) -> pd.DataFrame:
        """Return the answer to a user's SELECT over tables named as the service's."""
        ...

    def series(self) -> Sequence[SeriesKnown]:
        """Return the series known by the moment."""
        ...

    def rows_at_most(self, table: Table, start: pd.Timestamp | None, end: pd.Timestamp | None) -> int:
        """Return an upper bound of the rows of `table` in ``[start, end)``."""
        ...

    def may_begin_after(self, table: Table, moment: pd.Timestamp) -> bool:
        """Return whether `table` may have no row by `moment`; False where that is not known."""
        ...

    def first_timestamp(self, table: Table) -> pd.Timestamp | None:
        """Return where `table` begins, None where that is not known."""
        ...
