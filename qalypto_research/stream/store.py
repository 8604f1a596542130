"""All that has arrived and is kept: a buffer for each table and symbol, so that a busy one never pushes out a quiet one."""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import pandas as pd

from qalypto_research.errors import ResultTooLargeError
from qalypto_research.schema.frames import live, orderbooks_of
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TABLES, Kind, Table
from qalypto_research.stream.books import with_levels
from qalypto_research.stream.candles import Candles
from qalypto_research.stream.columns import Array, View, count_from
from qalypto_research.stream.decoding import MESSAGES
from qalypto_research.stream.framing import to_frame
from qalypto_research.stream.rows import FRAMES, RECEIVED, STAMPS, TIME, Codes, to_us
from qalypto_research.stream.ticks import Ticks

_TABLE_OF: Final = {kind: TABLES[name] for name, kind in MESSAGES.items()}
_EXAMPLE: Final = 200
_SERIES: Final = 10_000
"""Buffers there may be: each takes some room by itself. A message of one more makes no row."""

_BYTES_BESIDE_LEVELS: Final = 100
"""What a row of a frame takes for all but its levels, near enough."""

Buffer = Ticks | Candles


class Store:
    """Keeps messages as rows, within bounds. One thread puts in and tidies; any may ask.

    Parameters
    ----------
    keep_us : int
        How long a row is kept after it arrived, in microseconds.
    max_bytes : int
        What all rows may take, near enough, with the room kept for those to come; while rows move, those of one series take it twice.

    Attributes
    ----------
    bad : Counter
        Messages that made no row, by type; `wrong` has an example of each.
    """

    def __init__(self, *, keep_us: int, max_bytes: int) -> None:
        self.bad: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}
        self._made = 0
        self._gone = 0
        self._ended: dict[int, tuple[str, Sequence[int]]] = {}
        self._counting = threading.Lock()
        self._keep_us = keep_us
        self.max_bytes = max_bytes
        kinds: tuple[Kind, ...] = ("exchange", "symbol", "side", "interval")
        self._codes = {kind: Codes(kind) for kind in kinds}
        # Whoever goes through it takes a copy, which is made at once: another may be added meanwhile.
        self._buffers: dict[tuple[str, str], Buffer] = {}

    def put(self, message: msgspec.Struct, received_us: int) -> None:
        """Take a message of data, as `decoding` returns it, that arrived at a moment: microseconds since 1970 UTC."""
        table = _TABLE_OF[type(message)]
        data = message.data  # type: ignore[attr-defined] # made by msgspec
        try:
            at_us = to_us(data.timestamp)
        except ValueError as error:
            self._note(f"{table.name}: {error}")
            return
        buffer = self._buffers.get((table.name, data.symbol))
        if buffer is None:
            if len(self._buffers) >= _SERIES:
                self._note(f"{table.name}: {data.symbol} is one symbol too many; {_SERIES:,} are kept, of all types together")
                return
            buffer = self._added(table, data.symbol)
        buffer.put((message, at_us, received_us))

    def bound(self, keep_us: int, max_bytes: int) -> None:
        """Keep rows so long and so much from now on."""
        self._keep_us = keep_us
        self.max_bytes = max_bytes

    def _added(self, table: Table, symbol: str) -> Buffer:
        self._made += 1
        made: Buffer = Candles(self._made, self._codes, self._note) if table is KLINE else Ticks(self._made, table, self._codes, self._note)
        self._buffers[table.name, symbol] = made
        return made

    def _note(self, wrong: str) -> None:
        """Count a message that makes no row; whoever looks may meet one, too."""
        kind = wrong.partition(":")[0]
        with self._counting:
            self.bad[kind] += 1
            self.wrong[kind] = wrong[:_EXAMPLE]

    def tidy(self, now_us: int) -> None:
        """Let go of what is older than it may be, and have the largest buffers take less where all are too large."""
        for buffer in self._buffers.values():
            buffer.drop_before(now_us - self._keep_us)
        self._squeeze()
        for (kind, _), buffer in self._buffers.items():
            if not len(buffer):
                self._gone += buffer.dropped
                self._ended[buffer.number] = (kind, buffer.gone)
        while len(self._ended) > _SERIES:
            del self._ended[next(iter(self._ended))]
        self._buffers = {key: buffer for key, buffer in self._buffers.items() if len(buffer)}

    def _squeeze(self) -> None:
        """Have the largest buffers take less, at last by letting go of their oldest rows, until all together are small enough."""
        # The largest first; the number tells equal ones apart.
        sizes = [(-buffer.nbytes, buffer.number, buffer) for buffer in self._buffers.values()]
        over = -sum(size for size, _, _ in sizes) - self.max_bytes
        if over > 0:
            heapq.heapify(sizes)
        while over > 0:
            before, number, buffer = sizes[0]
            rows = len(buffer)
            buffer.squeeze()
            after = -buffer.nbytes
            if after <= before and len(buffer) == rows:
                break
            over -= after - before
            heapq.heapreplace(sizes, (after, number, buffer))

    @property
    def dropped(self) -> int:
        """Rows let go of so far."""
        return self._gone + sum(buffer.dropped for buffer in self.buffers().values())

    @property
    def nbytes(self) -> int:
        """Bytes that all rows take, near enough."""
        return sum(buffer.nbytes for buffer in self.buffers().values())

    def count(self, kind: str | None = None) -> int:
        """Return how many rows are kept, of one type of messages or of all."""
        return sum(len(buffer) for (name, _), buffer in self.buffers().items() if kind in (None, name))

    def buffers(self) -> dict[tuple[str, str], Buffer]:
        """Return the buffers there are, by table and symbol."""
        return self._buffers.copy()

    def frame(
        self,
        table: Table,
        *,
        symbols: Collection[str] | None = None,
        exchanges: Collection[str] | None = None,
        intervals: Collection[str] | None = None,
        since_us: int | None = None,
        final: bool = False,
    ) -> pd.DataFrame:
        """Return rows under the frame contract, with what live frames have beside.

        Parameters
        ----------
        table : Table
            Which.
        symbols, exchanges, intervals : collection of str, optional
            Of these alone, as they are written in messages.
        since_us : int, optional
            From this ``timestamp`` on, microseconds since 1970 UTC, inclusive.
        final : bool
            Of candles, the closed ones alone.
        """
        views = self._views(table, symbols)
        chosen = [self._chosen(view, exchanges, intervals, since_us, final=final) for view in views]
        return to_frame(live(FRAMES[table.name]), views, self._codes, chosen)

    def books(
        self,
        depth: int,
        *,
        symbols: Collection[str] | None = None,
        exchanges: Collection[str] | None = None,
        since_us: int | None = None,
        limit: int | None = None,
        max_bytes: int,
    ) -> pd.DataFrame:
        """Return order books with `depth` levels a side, the newest `limit` and those of the same moment; the rest as `frame`.

        Raises
        ------
        ResultTooLargeError
            The frame would take more than `max_bytes`; nothing has been read.
        """
        found = self._views(ORDERBOOK, symbols)
        chosen = [self._chosen(view, exchanges, None, since_us, final=False) for view in found]
        if limit is not None:
            # Before they are read: each side is looked into.
            times = [view.column(TIME) if rows is None else view.column(TIME)[rows] for view, rows in zip(found, chosen, strict=True)]
            every = np.sort(np.concatenate([np.empty(0, np.int64), *times]))
            oldest = int(every[-min(limit, len(every))]) if len(every) else None
            chosen = [self._chosen(view, exchanges, None, oldest, final=False) for view in found]
        count = sum(len(view) if rows is None else len(rows) for view, rows in zip(found, chosen, strict=True))
        size = count * (_BYTES_BESIDE_LEVELS + 4 * 8 * depth)
        if size > max_bytes:
            raise ResultTooLargeError(
                f"max_bytes: the answer has {count:,} rows of {depth} levels, about {size:,} bytes as a frame, over the {max_bytes:,} "
                f"allowed; ask for fewer levels (depth=...), fewer symbols or exchanges, the last minutes (last='5m') or the newest rows "
                f"(limit=...), or allow it: max_bytes={size}",
                rows=count,
                estimated_bytes=size,
                max_bytes=max_bytes,
            )
        views = [with_levels(view, rows, depth) for view, rows in zip(found, chosen, strict=True)]
        return to_frame(live(orderbooks_of(depth)), views, self._codes, [None] * len(views))

    def newest(
        self, table: Table, *, symbols: Collection[str] | None = None, exchanges: Collection[str] | None = None, quoted: bool = False
    ) -> pd.DataFrame:
        """Return the newest row of each exchange and symbol, where `quoted` of those that bid or ask; the rest as `frame`."""
        views = self._views(table, symbols)
        chosen = [self._newest(view, exchanges, quoted=quoted) for view in views]
        frame = to_frame(live(FRAMES[table.name]), views, self._codes, chosen)
        # What has arrived since is a view of its own.
        return frame[~frame.duplicated(["exchange", "symbol"], keep="last")].copy()

    def since(
        self, table: Table, marks: Mapping[int, int], symbols: Collection[str] | None = None
    ) -> tuple[pd.DataFrame, dict[int, int], int]:
        """Return the rows beyond marks, of all exchanges; the marks behind them, and how many were let go of unseen.

        Parameters
        ----------
        table : Table
            Which.
        marks : mapping of int to int
            How far each buffer has been read, by the buffer's number.
        symbols : collection of str, optional
            Of these alone, as they are written in messages.
        """
        views, behind, missed = [], {}, 0
        for (name, symbol), buffer in self.buffers().items():
            if name == table.name and _among(symbol, symbols):
                new, lost, behind[buffer.number] = buffer.since(marks.get(buffer.number, 0))
                views += new
                missed += lost
        ended = self._ended.copy()
        for number in ended.keys() & marks.keys():
            name, gone = ended[number]
            missed += count_from(marks[number], gone) if name == table.name else 0
        return to_frame(live(FRAMES[table.name]), views, self._codes, [None] * len(views)), behind, missed

    def stamps(self, table: Table, since_us: int) -> dict[str, dict[str, Array]]:
        """Return, by exchange, when the messages happened, were produced, were sent and arrived that arrived from a moment on.

        Arrays of int64, microseconds since 1970 UTC, the smallest number where it is not known.
        """
        parts = []
        for view in self._views(table, None):
            received = view.column(RECEIVED)
            # Those before the first that is late enough need no look, however many they are.
            first = int(np.searchsorted(np.maximum.accumulate(received), since_us))
            late = first + np.flatnonzero(received[first:] >= since_us)
            parts.append({name: view.column(name)[late] for name in ("exchange", *STAMPS)})
        if not parts:
            return {}
        all_of = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        names = list(self._codes["exchange"])
        own = {names[code]: all_of["exchange"] == code for code in np.unique(all_of["exchange"])}
        return {exchange: {name: all_of[name][rows] for name in STAMPS} for exchange, rows in own.items()}

    def marks(self) -> dict[int, int]:
        """Return the marks behind all that is there."""
        return {buffer.number: buffer.end for buffer in self.buffers().values()}

    def _views(self, table: Table, symbols: Collection[str] | None) -> list[View]:
        buffers = [b for (name, symbol), b in self.buffers().items() if name == table.name and _among(symbol, symbols)]
        return [view for buffer in buffers for view in buffer.views()]

    def _newest(self, view: View, exchanges: Collection[str] | None, *, quoted: bool) -> Array:
        """Return the positions of the newest rows of each exchange: several where they are of the same moment."""
        chosen = self._chosen(view, exchanges, None, None, final=False)
        rows = np.arange(len(view)) if chosen is None else chosen
        if quoted:
            rows = rows[~(np.isnan(view.column("bid_price")[rows]) & np.isnan(view.column("ask_price")[rows]))]
        exchange, times = view.column("exchange")[rows], view.column(TIME)[rows]
        newest = [own[times[own] == times[own].max()] for own in (np.flatnonzero(exchange == code) for code in np.unique(exchange))]
        return np.sort(rows[np.concatenate(newest)]) if newest else rows

    def _chosen(
        self, view: View, exchanges: Collection[str] | None, intervals: Collection[str] | None, since_us: int | None, *, final: bool
    ) -> Array | None:
        """Return the positions of the rows asked for, None for all."""
        wanted = np.ones(len(view), np.bool_)
        for kind, names in (("exchange", exchanges), ("interval", intervals)):
            if names is not None and kind in view.arrays:
                known = self._codes[kind]  # type: ignore[index] # a kind of names
                codes = [known[name] for name in names if name in known]
                wanted &= np.isin(view.column(kind), codes)
        if since_us is not None:
            wanted &= view.column(TIME) >= since_us
        if final:
            wanted &= view.column("is_final")
        return None if wanted.all() else np.flatnonzero(wanted)


def _among(symbol: str, symbols: Collection[str] | None) -> bool:
    return symbols is None or symbol in symbols
