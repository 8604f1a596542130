"""All that has arrived and is kept: a buffer for each table and symbol, so that a busy one never pushes out a quiet one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection
from typing import Final

import msgspec
import numpy as np
import pandas as pd

from qalypto_research.schema.frames import live
from qalypto_research.schema.tables import KLINE, TABLES, Kind, Table
from qalypto_research.stream.candles import Candles
from qalypto_research.stream.columns import Array, View
from qalypto_research.stream.decoding import MESSAGES
from qalypto_research.stream.framing import to_frame
from qalypto_research.stream.rows import FRAMES, TIME, Codes, to_us
from qalypto_research.stream.ticks import Ticks

_TABLE_OF: Final = {kind: TABLES[name] for name, kind in MESSAGES.items()}
_EXAMPLE: Final = 200
_PART: Final = 8
"""What part of the largest buffer is let go of where all together are too large."""

Buffer = Ticks | Candles


class Store:
    """Keeps messages as rows, within bounds. One thread puts in and tidies; any may ask.

    Parameters
    ----------
    keep_us : int
        How long a row is kept after it arrived, in microseconds.
    max_bytes : int
        What all rows may take, near enough.

    Attributes
    ----------
    bad : Counter
        Messages that made no row, by type; `wrong` has an example of each.
    """

    def __init__(self, *, keep_us: int, max_bytes: int) -> None:
        self.bad: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}
        self._latest_us = 0
        self._counting = threading.Lock()
        self._keep_us = keep_us
        self._max_bytes = max_bytes
        kinds: tuple[Kind, ...] = ("exchange", "symbol", "side", "interval")
        self._codes = {kind: Codes(kind) for kind in kinds}
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
        # A clock that was set back must not make rows look older than those before them.
        self._latest_us = max(self._latest_us, received_us)
        buffer = self._buffers.get((table.name, data.symbol))
        if buffer is None:
            buffer = self._added(table, data.symbol)
        buffer.put((message, at_us, self._latest_us))

    def _added(self, table: Table, symbol: str) -> Buffer:
        made: Buffer = Candles(self._codes, self._note) if table is KLINE else Ticks(table, self._codes, self._note)
        # In place of the dictionary, so that whoever goes through the old one is not disturbed.
        self._buffers = {**self._buffers, (table.name, symbol): made}
        return made

    def _note(self, wrong: str) -> None:
        """Count a message that makes no row; whoever looks may meet one, too."""
        kind = wrong.partition(":")[0]
        with self._counting:
            self.bad[kind] += 1
            self.wrong[kind] = wrong[:_EXAMPLE]

    def tidy(self, now_us: int) -> None:
        """Let go of what is older than it may be, and of the oldest rows of the largest buffers where all are too large."""
        for buffer in self._buffers.values():
            buffer.drop_before(now_us - self._keep_us)
        self._buffers = {key: buffer for key, buffer in self._buffers.items() if len(buffer)}
        sizes = {key: buffer.nbytes for key, buffer in self._buffers.items()}
        while sum(sizes.values()) > self._max_bytes:
            largest = max(sizes, key=sizes.__getitem__)
            buffer = self._buffers[largest]
            buffer.drop(max(1, len(buffer) // _PART))
            if buffer.nbytes >= sizes[largest]:
                break
            sizes[largest] = buffer.nbytes

    @property
    def nbytes(self) -> int:
        """Bytes that all rows take, near enough."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def buffers(self) -> dict[tuple[str, str], Buffer]:
        """Return the buffers there are, by table and symbol."""
        return self._buffers

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
        buffers = [b for (name, symbol), b in self._buffers.items() if name == table.name and (symbols is None or symbol in symbols)]
        views = [view for buffer in buffers for view in buffer.views()]
        chosen = [self._chosen(view, exchanges, intervals, since_us, final=final) for view in views]
        return to_frame(live(FRAMES[table.name]), views, self._codes, chosen)

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
