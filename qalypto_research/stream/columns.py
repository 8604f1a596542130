"""Rolling columns: rows are put in behind and let go of in front, while whoever reads sees whole rows that never change.

What has been published is never written to again. Where there is no room behind, what is left moves to new arrays.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]

_SPARSE: Final = 4
"""So many times as much room as rows is too much."""
_TIGHT: Final = 1.25
"""So much room is there for rows that are too much, or there would be none for the next ones."""
_ROOMY: Final = 1.5
"""So many times as much room as rows is worth a copy where room is short."""
_LEAST: Final = 32
"""Rows for which there is room at first."""


class Texts:
    """Texts one behind another in one buffer: as cheap to copy as numbers.

    Attributes
    ----------
    ends : array of int64
        Where each text ends in `bytes`; the first is where the first begins.
    bytes : array of uint8
        All of them, in UTF-8.
    """

    __slots__ = ("bytes", "ends")

    def __init__(self, ends: Array, content: Array) -> None:
        self.ends = ends
        self.bytes = content

    @classmethod
    def of_bytes(cls, texts: Sequence[bytes]) -> Texts:
        """Return texts given in UTF-8."""
        return cls(np.concatenate([[0], np.cumsum(list(map(len, texts)), dtype=np.int64)]), np.frombuffer(b"".join(texts), np.uint8))

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Return texts given as Python's."""
        joined = "".join(texts)
        content = joined.encode()
        lengths = list(map(len, texts)) if len(content) == len(joined) else [len(text.encode()) for text in texts]
        return cls(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), np.frombuffer(content, np.uint8))

    def part(self, start: int, stop: int) -> Texts:
        """Return a copy of the texts from `start` up to but not with `stop`."""
        first, last = self.ends[start], self.ends[stop]
        return Texts(self.ends[start : stop + 1] - first, self.bytes[first:last].copy())

    def to_arrow(self) -> pa.Array:
        """Return them as Arrow has them, without another copy."""
        return pa.LargeStringArray.from_buffers(len(self.ends) - 1, pa.py_buffer(self.ends), pa.py_buffer(self.bytes))


def count_from(position: int, positions: Sequence[int]) -> int:
    """Return how many of `positions`, ascending, are `position` or behind it."""
    return len(positions) - bisect_left(positions, position)


class Known:
    """What has been found out about rows that have been published, for whoever looks next.

    Any thread may put another tuple in place of this one, also an older one: each is true for ever, since rows never change.

    Attributes
    ----------
    order : tuple of int, int, array of int64
        The positions from the first up to but not with the second, in the order of frames. The first row there ever was is at 0.
    """

    __slots__ = ("order",)

    def __init__(self) -> None:
        self.order: tuple[int, int, Array] = (0, 0, np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class View:
    """Rows as they were published: those from `start` up to but not with `stop`.

    Attributes
    ----------
    arrays : dict of str to array
        By column; they hold other rows, too.
    texts : dict of str to Texts
        Likewise.
    begin : int
        How many rows there were before these, ever: the position of the first, which stays the same wherever rows move to.
    known : Known
        Shared by all views of the same columns.
    """

    arrays: Mapping[str, Array]
    texts: Mapping[str, Texts]
    start: int
    stop: int
    begin: int
    known: Known

    def __len__(self) -> int:
        return self.stop - self.start

    def column(self, name: str) -> Array:
        """Return the rows of a column that is no text; not to be written to."""
        return self.arrays[name][self.start : self.stop]

    def text(self, name: str) -> pa.Array:
        """Return a column of text as Arrow has it, with what lies before `start`; the memory is the buffer's own."""
        texts = self.texts[name]
        return Texts(texts.ends[: self.stop + 1], texts.bytes).to_arrow()

    def since(self, first: int) -> View:
        """Return the view without what lies before the position `first`."""
        start = min(max(first, self.start), self.stop)
        # What is known of all is not to be given up for what is found out of a few.
        return View(self.arrays, self.texts, start, self.stop, self.begin + start - self.start, Known())


class Columns:
    """Rolling columns of one kind of rows. One thread at a time may change them; any may read.

    Parameters
    ----------
    types : mapping of str to dtype
        Columns of fixed width.
    texts : sequence of str
        Columns of text.

    Attributes
    ----------
    dropped : int
        Rows let go of so far.
    """

    def __init__(self, types: Mapping[str, Any], texts: Sequence[str] = ()) -> None:
        self.dropped = 0
        self._capacity = _LEAST
        self._view = View(
            {name: np.empty(_LEAST, dtype) for name, dtype in types.items()},
            {name: Texts(np.zeros(_LEAST + 1, np.int64), np.empty(16 * _LEAST, np.uint8)) for name in texts},
            0,
            0,
            0,
            Known(),
        )

    @property
    def view(self) -> View:
        """What is there now."""
        return self._view

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take, with the room in them."""
        view = self._view
        return sum(a.nbytes for a in view.arrays.values()) + sum(t.ends.nbytes + t.bytes.nbytes for t in view.texts.values())

    def append(self, arrays: Mapping[str, Array], texts: Mapping[str, Texts]) -> None:
        """Put rows behind those that are there."""
        count = len(next(iter(arrays.values())))
        view = self._with_room(count, texts)
        stop = view.stop + count
        for name, array in view.arrays.items():
            array[view.stop : stop] = arrays[name]
        for name, text in view.texts.items():
            new = texts[name]
            at = text.ends[view.stop]
            text.bytes[at : at + len(new.bytes)] = new.bytes
            text.ends[view.stop + 1 : stop + 1] = new.ends[1:] + at
        # Last, and at once: whoever has read the view before does not look beyond its end.
        self._view = View(view.arrays, view.texts, view.start, stop, view.begin, view.known)

    def drop(self, count: int) -> None:
        """Let go of so many rows in front."""
        view = self._view
        start = min(view.start + count, view.stop)
        self.dropped += start - view.start
        self._view = View(view.arrays, view.texts, start, view.stop, self.dropped, view.known)
        if self._capacity > _SPARSE * max(len(self._view), _LEAST):
            # Or what was let go of would take its room for ever.
            self._view = replace(self._moved(0, {}), known=Known())

    @property
    def roomy(self) -> bool:
        """Whether much is to be had by `fit`."""
        return self._capacity > _ROOMY * max(len(self._view), _LEAST)

    def fit(self) -> None:
        """Give back most of the room that no row takes."""
        self._view = replace(self._moved(0, {}, _TIGHT), known=Known())

    def _with_room(self, count: int, texts: Mapping[str, Texts]) -> View:
        """Return what is there, with room behind it."""
        view = self._view
        crowded = any(len(texts[name].bytes) > len(t.bytes) - t.ends[view.stop] for name, t in view.texts.items())
        return self._moved(count, texts) if view.stop + count > self._capacity or crowded else view

    def _moved(self, count: int, texts: Mapping[str, Texts], room: float = 2.0) -> View:
        """Return what is there in new arrays, with room for `room` times as much and `count` rows more, whose texts these are."""
        view = self._view
        left = len(view)
        self._capacity = max(_LEAST, int(room * (left + count)))
        arrays = {}
        for name, array in view.arrays.items():
            arrays[name] = np.empty(self._capacity, array.dtype)
            arrays[name][:left] = view.column(name)
        moved = {}
        for name, text in view.texts.items():
            part = text.part(view.start, view.stop)
            moved[name] = Texts(
                np.empty(self._capacity + 1, np.int64),
                np.empty(max(16 * _LEAST, int(room * (len(part.bytes) + (len(texts[name].bytes) if name in texts else 0)))), np.uint8),
            )
            moved[name].ends[: left + 1] = part.ends
            moved[name].bytes[: len(part.bytes)] = part.bytes
        return View(arrays, moved, 0, left, view.begin, view.known)
