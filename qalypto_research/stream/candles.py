"""The candles of one symbol as they arrive: one row a candle, its latest update."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from qalypto_research.schema.tables import KLINE, Kind
from qalypto_research.stream.columns import Columns, View
from qalypto_research.stream.rows import Arrived, Codes, to_rows, to_us, types_of

_BYTES: Final = 1_000
"""What a candle takes, as a message and in the dictionary."""


class Candles:
    """Keeps the latest update of each candle. One thread puts in and lets go; any may look.

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
        self.repeated = 0
        self.dropped = 0
        self._codes = codes
        self._bad = bad
        self._latest: dict[tuple[str, str, int], Arrived] = {}
        self._changes = 0
        self._shown: tuple[int, View] = (-1, Columns(*types_of(KLINE)).view)

    def put(self, message: Arrived) -> None:
        """Take a message."""
        data = message[0].data  # type: ignore[attr-defined] # made by msgspec
        if data.close_time is not None:
            try:
                to_us(data.close_time)
            except ValueError as error:
                self._bad(f"{KLINE.name}: {error}")
                return
        key = (data.exchange, data.interval, message[1])
        before = self._latest.get(key)
        if before is not None and not _later(message[0], before[0]):
            self.repeated += 1
            return
        self._latest[key] = message
        self._changes += 1

    def views(self) -> list[View]:
        """Return a row for each candle there is."""
        shown = self._shown
        changes = self._changes
        if shown[0] != changes:
            rows = to_rows(KLINE, list(self._latest.values()), self._codes, self._bad)
            columns = Columns(*types_of(KLINE))
            columns.append(rows.arrays, rows.texts)
            self._shown = shown = (changes, columns.view)
        return [shown[1]]

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def nbytes(self) -> int:
        """Bytes its candles take, near enough."""
        return _BYTES * len(self._latest)

    def drop_before(self, moment_us: int) -> None:
        """Let go of candles whose latest update arrived before a moment."""
        self.drop(sum(received < moment_us for _, _, received in self._latest.values()))

    def drop(self, count: int) -> None:
        """Let go of so many of the candles that were updated longest ago."""
        for key in sorted(self._latest, key=lambda key: self._latest[key][2])[:count]:
            del self._latest[key]
            self.dropped += 1
            self._changes += 1


def _later(new: Any, old: Any) -> bool:
    """Whether `new` takes the place of `old`, another message of the same candle."""
    if new.data.is_final != old.data.is_final:
        return bool(new.data.is_final)
    if new.producer_received != old.producer_received and not math.isnan(new.producer_received + old.producer_received):
        return bool(new.producer_received > old.producer_received)
    return bool(new.data.volume >= old.data.volume)
