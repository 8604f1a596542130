"""The candles of one symbol as they arrive: one row a candle, its latest update."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Final

from qalypto_research.schema.tables import KLINE, Kind
from qalypto_research.stream.columns import Columns, View
from qalypto_research.stream.rows import Arrived, Codes, to_rows, types_of

_BYTES: Final = 700
"""What a candle takes, as a message and in the dictionary."""


class Candles:
    """Keeps the latest update of each candle. One thread puts in; any may look.

    A running candle never takes the place of a final one. Of two running ones, or two final ones, the one that the producer
    had later is the later; where that does not tell, the one with the larger volume.

    Parameters
    ----------
    codes : dict of str to Codes
        Of each kind of names.
    bad : callable
        Told of each message that makes no row, and why.

    Attributes
    ----------
    repeated : int
        Updates left out because a later one was there.
    dropped : int
        Candles let go of.
    """

    def __init__(self, codes: dict[Kind, Codes], bad: Callable[[str], None]) -> None:
        self.table: Final = KLINE
        self.repeated = 0
        self.dropped = 0
        self._codes = codes
        self._bad = bad
        self._latest: dict[tuple[str, str, str], Arrived] = {}
        self._lock = threading.Lock()
        self._shown: View | None = None

    def put(self, message: Arrived) -> None:
        """Take a message."""
        data = message[0].data  # type: ignore[attr-defined] # made by msgspec
        key = (data.exchange, data.interval, data.timestamp)
        with self._lock:
            before = self._latest.get(key)
            if before is not None and not _later(message[0], before[0]):
                self.repeated += 1
                return
            # Last in the order of arrival.
            self._latest.pop(key, None)
            self._latest[key] = message
            self._shown = None

    def view(self) -> View:
        """Return a row for each candle there is, in the order in which their latest updates arrived."""
        with self._lock:
            if self._shown is None:
                rows = to_rows(KLINE, list(self._latest.values()), self._codes, self._bad)
                types, texts = types_of(KLINE)
                columns = Columns(types, texts)
                columns.append(rows.arrays, rows.texts)
                self._shown = columns.view
            return self._shown

    @property
    def nbytes(self) -> int:
        """Bytes its candles take, near enough."""
        return _BYTES * len(self._latest)

    def drop_before(self, moment_us: int) -> None:
        """Let go of candles whose latest update arrived before a moment."""
        count = 0
        for _, received in self._latest.values():
            if received >= moment_us:
                break
            count += 1
        self.drop(count)

    def drop(self, count: int) -> None:
        """Let go of so many of the candles that were updated longest ago."""
        with self._lock:
            for key in list(self._latest)[:count]:
                del self._latest[key]
                self.dropped += 1
                self._shown = None


def _later(new: Any, old: Any) -> bool:
    """Whether `new` takes the place of `old`, another message of the same candle."""
    if new.data.is_final != old.data.is_final:
        return bool(new.data.is_final)
    if new.producer_received != old.producer_received and not math.isnan(new.producer_received + old.producer_received):
        return bool(new.producer_received > old.producer_received)
    return bool(new.data.volume >= old.data.volume)
