"""Rolling rows of one table and symbol: trades, tickers or order books as they arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from qalypto_research.schema.tables import TRADE, Kind, Table
from qalypto_research.stream.columns import Columns, View
from qalypto_research.stream.rows import RECEIVED, Arrived, Codes, Rows, to_rows, types_of

AT_ONCE: Final = 512
"""Messages that are turned into rows together."""

_BYTES: Final = 4_000
"""What one takes by itself, near enough."""
_PART: Final = 8
"""What part of the rows goes where there are too many."""
_BYTES_OF_ID: Final = 100
_BYTES_OF_MESSAGE: Final = 1_000


class Ticks:
    """Keeps what arrives until it is let go of.

    One thread puts in and lets go. Any thread may look: it takes the rows and what has arrived since as they were published
    together, and makes rows of the latter for itself, so that it changes nothing and may be interrupted anywhere.

    Parameters
    ----------
    number : int
        Its own, by which it is known from one that was there before it.
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

    def __init__(self, number: int, table: Table, codes: dict[Kind, Codes], bad: Callable[[str], None]) -> None:
        self.number = number
        self.table = table
        self.repeated = 0
        self._codes = codes
        self._bad = bad
        self._columns = Columns(*types_of(table))
        # Replaced as a whole, the list only ever added to: whoever has read it sees each message once.
        self._published: tuple[View, list[Arrived]] = (self._columns.view, [])
        # By exchange, of the trades that are there: what is let go of may come again.
        self._ids: defaultdict[str, set[str]] = defaultdict(set)

    def put(self, message: Arrived) -> None:
        """Take a message."""
        if self.table is TRADE:
            data = message[0].data  # type: ignore[attr-defined] # made by msgspec
            ids = self._ids[data.exchange]
            if data.trade_id in ids:
                self.repeated += 1
                return
            if data.trade_id:
                ids.add(data.trade_id)
        pending = self._published[1]
        pending.append(message)
        if len(pending) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Turn what has arrived into rows."""
        pending = self._published[1]
        if not pending:
            return
        rows = to_rows(self.table, pending, self._codes, self._bad)
        if rows.arrived:
            self._columns.append(rows.arrays, rows.texts)
        if self.table is TRADE and len(rows.arrived) < len(pending):
            for exchange, name in {_key(one) for one in pending} - {_key(one) for one in rows.arrived}:
                self._ids[exchange].discard(name)
                if not self._ids[exchange]:
                    del self._ids[exchange]  # names that are made up would else stay for ever
        self._published = (self._columns.view, [])

    def views(self) -> list[View]:
        """Return all rows there are: those that were made before, and those of what has arrived since."""
        return self._read()[0]

    def since(self, position: int) -> tuple[list[View], int, int]:
        """Return the rows from a position on, how many of them are gone, and the position behind all: the first there ever was is at 0."""
        views, begin = self._read()
        start, end = max(position, begin), begin + sum(map(len, views))
        left, found = start - begin, []
        for view in views:
            found.append(view.since(view.start + left))
            left = max(left - len(view), 0)
        return found, min(start, end) - position, end

    @property
    def end(self) -> int:
        """The position behind the last row there is."""
        views, begin = self._read()
        return begin + sum(map(len, views))

    @property
    def gone(self) -> Sequence[int]:
        """The positions of rows that were let go of, ascending."""
        return range(self._columns.dropped)

    def _read(self) -> tuple[list[View], int]:
        view, pending = self._published
        arrived = pending[: len(pending)]
        made = [_view_of(self.table, to_rows(self.table, arrived, self._codes, lambda _: None))] if arrived else []
        return [view, *made], view.begin

    def __len__(self) -> int:
        view, pending = self._published
        return len(view) + len(pending)

    @property
    def nbytes(self) -> int:
        """Bytes that it all takes, near enough; one that is empty is about to go."""
        view, pending = self._published
        if not len(view) + len(pending):
            return 0
        ids = len(view) if self.table is TRADE else 0
        return _BYTES + self._columns.nbytes + _BYTES_OF_ID * ids + _BYTES_OF_MESSAGE * len(pending)

    @property
    def dropped(self) -> int:
        """Rows let go of."""
        return self._columns.dropped

    def drop_before(self, moment_us: int) -> None:
        """Let go of what arrived before a moment."""
        self.flush()
        received = self._columns.view.column(RECEIVED)
        # Up to the first that is new enough: a clock that was set back makes later ones look older.
        self.drop(int(np.searchsorted(np.maximum.accumulate(received), moment_us)))

    def squeeze(self) -> None:
        """Take less room: what no row needs is given back; where that is little, the rows that came first go, a part of them."""
        if not self._columns.roomy:
            self.drop(max(1, len(self) // _PART))
        self._columns.fit()
        self._published = (self._columns.view, self._published[1])

    def drop(self, count: int) -> None:
        """Let go of so many of the rows that came first."""
        if not count:
            return
        if self.table is TRADE:
            self._forget(count)
        self._columns.drop(count)
        self._published = (self._columns.view, self._published[1])

    def _forget(self, count: int) -> None:
        """Let the ids of so many of the trades that came first come again."""
        view = self._columns.view
        names = list(self._codes["exchange"])
        exchanges = view.column("exchange")[:count].tolist()
        for code, text in zip(exchanges, view.text("trade_id")[view.start :][:count].to_pylist(), strict=True):
            self._ids[names[code]].discard(text)


def _view_of(table: Table, rows: Rows) -> View:
    """Return rows that stand by themselves."""
    columns = Columns(*types_of(table))
    columns.append(rows.arrays, rows.texts)
    return columns.view


def _key(arrived: Arrived) -> tuple[str, str]:
    """Return what makes a trade the same as another."""
    data = arrived[0].data  # type: ignore[attr-defined] # made by msgspec
    return data.exchange, data.trade_id
