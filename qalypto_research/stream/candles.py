"""The candles of one symbol as they arrive: one row a candle, its latest update."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from qalypto_research.schema.tables import KLINE, Kind
from qalypto_research.stream.columns import Columns, View, count_from
from qalypto_research.stream.rows import Arrived, Codes, to_rows, to_us, types_of

_BYTES: Final = 8_000
"""What all takes that is there for any candle, near enough."""
_BYTES_OF_CANDLE: Final = 1_000
"""What a candle takes, as a message and in the dictionary."""
_PART: Final = 8
"""What part of them goes where there are too many."""
_GONE: Final = 10_000
"""Of so many candles that were let go of it is remembered when they had changed last."""

_NAMES: Final[tuple[Kind, ...]] = ("exchange", "symbol", "interval")


class Candles:
    """Keeps the latest update of each candle. One thread puts in and lets go; any may look.

    A running candle never takes the place of a final one. Of two running ones, or two final ones, the one that the producer
    had later is the later; where that does not tell, the one with the larger volume.

    Parameters
    ----------
    number : int
        Its own, by which it is known from one that was there before it.
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

    def __init__(self, number: int, codes: dict[Kind, Codes], bad: Callable[[str], None]) -> None:
        self.number = number
        self.repeated = 0
        self.dropped = 0
        self._codes = codes
        self._bad = bad
        self._latest: dict[tuple[str, str, int], tuple[Arrived, int]] = {}
        self._changes = 0
        self._gone: deque[int] = deque(maxlen=_GONE)
        self._shown: tuple[int, View] = (-1, Columns(*types_of(KLINE)).view)

    def put(self, message: Arrived) -> None:
        """Take a message."""
        data = message[0].data  # type: ignore[attr-defined] # made by msgspec
        try:
            for kind in _NAMES:
                self._codes[kind][getattr(data, kind)]
            if data.close_time is not None:
                to_us(data.close_time)
        except ValueError as error:
            self._bad(f"{KLINE.name}: {error}")
            return
        key = (data.exchange, data.interval, message[1])
        before = self._latest.get(key)
        if before is not None and not _later(message[0], before[0][0]):
            self.repeated += 1
            return
        # The number last: whoever looks in between takes the change for one that is yet to come, and finds it then.
        self._latest[key] = (message, self._changes + 1)
        self._changes += 1

    def views(self) -> list[View]:
        """Return a row for each candle there is."""
        shown = self._shown
        changes = self._changes
        if shown[0] != changes:
            self._shown = shown = (changes, self._view([message for message, _ in list(self._latest.values())]))
        return [shown[1]]

    def since(self, position: int) -> tuple[list[View], int, int]:
        """Return the candles that have changed at a position or later, how many such ones are gone, and the position behind all."""
        end = self._changes
        changed = [message for message, change in list(self._latest.values()) if position < change <= end]
        return [self._view(changed)], count_from(position, self.gone), end

    @property
    def end(self) -> int:
        """The position behind the last change there is."""
        return self._changes

    def _by_change(self) -> list[tuple[str, str, int]]:
        return sorted(self._latest, key=lambda key: self._latest[key][1])

    @property
    def gone(self) -> Sequence[int]:
        """The positions of candles that were let go of, ascending."""
        return list(self._gone)

    def _view(self, messages: list[Arrived]) -> View:
        rows = to_rows(KLINE, messages, self._codes, self._bad)
        columns = Columns(*types_of(KLINE))
        columns.append(rows.arrays, rows.texts)
        return columns.view

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def nbytes(self) -> int:
        """Bytes that it all takes, near enough; one that is empty is about to go."""
        return (_BYTES if self._latest else 0) + _BYTES_OF_CANDLE * len(self._latest)

    def drop_before(self, moment_us: int) -> None:
        """Let go of candles whose latest update arrived before a moment."""
        old = sum(received < moment_us for (_, _, received), _ in self._latest.values())
        if old:
            # Up to the first that is new enough: a clock that was set back makes later ones look older.
            received = [self._latest[key][0][2] for key in self._by_change()]
            self.drop(next((n for n, at in enumerate(received) if at >= moment_us), len(received)))

    def squeeze(self) -> None:
        """Let go of a part of the candles that were updated longest ago."""
        self.drop(max(1, len(self) // _PART))

    def drop(self, count: int) -> None:
        """Let go of so many of the candles that were updated longest ago."""
        for key in self._by_change()[:count]:
            # First: whoever looks in between takes it for gone though it is there, and not for one that never was.
            self._gone.append(self._latest[key][1] - 1)
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
