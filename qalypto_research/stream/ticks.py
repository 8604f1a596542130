"""Rolling rows of one table and symbol: trades, tickers or order books as they arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from qalypto_research.schema.tables import TRADE, Kind, Table
from qalypto_research.stream.columns import Columns, View
from qalypto_research.stream.rows import RECEIVED, Arrived, Codes, Rows, to_rows, types_of

AT_ONCE: Final = 512
"""Messages that are turned into rows together."""

_BYTES_OF_ID: Final = 150
_BYTES_OF_MESSAGE: Final = 1_000


class Ticks:
    """Keeps what arrives until it is let go of.

    One thread puts in and lets go. Any thread may look: it takes the rows and what has arrived since as they were published
    together, and makes rows of the latter for itself, so that it changes nothing and may be interrupted anywhere.

    Parameters
    ----------
    table : Table
        Whose rows these are.
    codes : dict of str to Codes
        Of each kind of names.
    bad : callable
        Told of each message that makes no row, and why.

    Attributes
    ----------
    repeated : int
        Trades left out because they had come before.
    """

    def __init__(self, table: Table, codes: dict[Kind, Codes], bad: Callable[[str], None]) -> None:
        self.table = table
        self.repeated = 0
        self._codes = codes
        self._bad = bad
        self._columns = Columns(*types_of(table))
        # Replaced as a whole, the list only ever added to: whoever has read it sees each message once.
        self._published: tuple[View, list[Arrived]] = (self._columns.view, [])
        self._ids: set[str] = set()
        # By row, "" where it has no id: what is let go of may come again.
        self._order: deque[str] = deque()

    def put(self, message: Arrived) -> None:
        """Take a message."""
        if self.table is TRADE:
            key = _key(message)
            if key in self._ids:
                self.repeated += 1
                return
            if key:
                self._ids.add(key)
        pending = self._published[1]
        pending.append(message)
        if len(pending) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Turn what has arrived into rows."""
        pending = self._published[1]
        rows = to_rows(self.table, pending, self._codes, self._bad)
        if rows.arrived:
            self._columns.append(rows.arrays, rows.texts)
        if self.table is TRADE:
            self._order.extend(map(_key, rows.arrived))
            if len(rows.arrived) < len(pending):
                self._ids.difference_update({_key(one) for one in pending} - {_key(one) for one in rows.arrived})
        self._published = (self._columns.view, [])

    def views(self) -> list[View]:
        """Return all rows there are: those that were made before, and those of what has arrived since."""
        view, pending = self._published
        arrived = pending[: len(pending)]
        return [view, _view_of(self.table, to_rows(self.table, arrived, self._codes, lambda _: None))] if arrived else [view]

    def __len__(self) -> int:
        view, pending = self._published
        return len(view) + len(pending)

    @property
    def nbytes(self) -> int:
        """Bytes that it all takes, near enough."""
        return self._columns.nbytes + _BYTES_OF_ID * len(self._order) + _BYTES_OF_MESSAGE * len(self._published[1])

    @property
    def dropped(self) -> int:
        """Rows let go of."""
        return self._columns.dropped

    def drop_before(self, moment_us: int) -> None:
        """Let go of what arrived before a moment."""
        self.flush()
        self.drop(int(np.searchsorted(self._columns.view.column(RECEIVED), moment_us)))

    def drop(self, count: int) -> None:
        """Let go of so many of the rows that came first."""
        if not count:
            return
        before = self._columns.dropped
        self._columns.drop(count)
        for _ in range(self._columns.dropped - before if self.table is TRADE else 0):
            self._ids.discard(self._order.popleft())
        self._published = (self._columns.view, self._published[1])


def _view_of(table: Table, rows: Rows) -> View:
    """Return rows that stand by themselves."""
    columns = Columns(*types_of(table))
    columns.append(rows.arrays, rows.texts)
    return columns.view


def _key(arrived: Arrived) -> str:
    """Return what makes a trade the same as another, "" where nothing does."""
    data = arrived[0].data  # type: ignore[attr-defined] # made by msgspec
    return f"{data.exchange} {data.trade_id}" if data.trade_id else ""
