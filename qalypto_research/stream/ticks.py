"""Rolling rows of one table and symbol: trades, tickers or order books as they arrive."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from qalypto_research.schema.tables import TRADE, Kind, Table
from qalypto_research.stream.columns import Columns, View
from qalypto_research.stream.rows import RECEIVED, Arrived, Codes, to_rows, types_of

AT_ONCE: Final = 512
"""Messages that are turned into rows together."""


class Ticks:
    """Keeps what arrives until it is let go of. One thread puts in; any may look.

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
        types, texts = types_of(table)
        self.table = table
        self.repeated = 0
        self._codes = codes
        self._bad = bad
        self._columns = Columns(types, texts)
        self._pending: list[Arrived] = []
        self._lock = threading.Lock()
        self._ids: set[str] = set()
        # By row, "" where it has no id: what is let go of may come again.
        self._order: deque[str] = deque()

    def put(self, message: Arrived) -> None:
        """Take a message."""
        self._pending.append(message)
        if len(self._pending) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Turn what has arrived into rows."""
        with self._lock:
            # Whoever puts in goes on meanwhile: what is taken is taken from the front, at once.
            arrived = self._pending[: len(self._pending)]
            left = arrived
            while left:
                left = self._append(left)
            del self._pending[: len(arrived)]

    def _append(self, arrived: list[Arrived]) -> list[Arrived]:
        """Put messages behind those that are there, and return those to try again.

        They are trades that were taken for repetitions of one that has then turned out to be no row.
        """
        fresh, again = self._without_repeated(arrived) if self.table is TRADE else (arrived, [])
        rows = to_rows(self.table, fresh, self._codes, self._bad)
        if rows.arrived:
            self._columns.append(rows.arrays, rows.texts)
        if self.table is TRADE:
            keys = list(map(_key, rows.arrived))
            self._order.extend(keys)
            self._ids.update(filter(None, keys))
            again = [one for one in again if _key(one) not in self._ids]
        self.repeated += len(arrived) - len(fresh) - len(again)
        return again

    def view(self) -> View:
        """Return all rows there are, those that have just arrived among them."""
        if self._pending:
            self.flush()
        return self._columns.view

    @property
    def nbytes(self) -> int:
        """Bytes its rows take, near enough."""
        self.view()
        return self._columns.nbytes

    @property
    def dropped(self) -> int:
        """Rows let go of."""
        return self._columns.dropped

    def drop_before(self, moment_us: int) -> None:
        """Let go of what arrived before a moment."""
        self.drop(int(np.searchsorted(self.view().column(RECEIVED), moment_us)))

    def drop(self, count: int) -> None:
        """Let go of so many of the rows that came first."""
        if not count:
            return
        with self._lock:
            before = self._columns.dropped
            self._columns.drop(count)
            if self.table is TRADE:
                for _ in range(self._columns.dropped - before):
                    self._ids.discard(self._order.popleft())

    def _without_repeated(self, arrived: list[Arrived]) -> tuple[list[Arrived], list[Arrived]]:
        """Return the trades whose id has not come before, and the others."""
        fresh, others, keys = [], [], set()
        for one in arrived:
            key = _key(one)
            if key and (key in self._ids or key in keys):
                others.append(one)
                continue
            keys.add(key)
            fresh.append(one)
        return fresh, others


def _key(arrived: Arrived) -> str:
    """Return what makes a trade the same as another, "" where nothing does."""
    data = arrived[0].data  # type: ignore[attr-defined] # made by msgspec
    return f"{data.exchange} {data.trade_id}" if data.trade_id else ""
