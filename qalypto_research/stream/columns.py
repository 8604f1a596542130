"""Rolling columns: rows are put in behind and let go of in front, while whoever reads sees whole rows that never change.

What has been published is never written to again. Where there is no room behind, what is left moves to new arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Array = npt.NDArray[Any]

_SPARSE: Final = 8
"""So many times as much room as rows is too much."""
_LEAST: Final = 1024
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

    def taken(self, rows: Array) -> Texts:
        """Return a copy of the texts at the positions `rows`."""
        found = self.to_arrow().take(pa.array(rows))
        _, ends, content = found.buffers()
        return Texts(np.frombuffer(ends, np.int64, len(rows) + 1), np.frombuffer(content, np.uint8) if content else np.empty(0, np.uint8))

    def to_arrow(self) -> pa.Array:
        """Return them as Arrow has them, without another copy."""
        return pa.LargeStringArray.from_buffers(len(self.ends) - 1, pa.py_buffer(self.ends), pa.py_buffer(self.bytes))


@dataclass(frozen=True, slots=True)
class View:
    """Rows as they were published: those from `start` up to but not with `stop`.

    Attributes
    ----------
    arrays : dict of str to array
        By column; they hold other rows, too.
    texts : dict of str to Texts
        Likewise.
    """

    arrays: Mapping[str, Array]
    texts: Mapping[str, Texts]
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def column(self, name: str) -> Array:
        """Return the rows of a column that is no text; not to be written to."""
        return self.arrays[name][self.start : self.stop]

    def since(self, first: int) -> View:
        """Return the view without what lies before the position `first`."""
        return View(self.arrays, self.texts, min(max(first, self.start), self.stop), self.stop)


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
        )

    @property
    def view(self) -> View:
        """What is there now."""
        return self._view

    @property
    def nbytes(self) -> int:
        """Bytes that the rows which are there take."""
        view = self._view
        fixed = sum(a.itemsize for a in view.arrays.values()) + 8 * len(view.texts)
        return fixed * len(view) + sum(int(t.ends[view.stop] - t.ends[view.start]) for t in view.texts.values())

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
        self._view = View(view.arrays, view.texts, view.start, stop)

    def drop(self, count: int) -> None:
        """Let go of so many rows in front."""
        view = self._view
        start = min(view.start + count, view.stop)
        self.dropped += start - view.start
        self._view = View(view.arrays, view.texts, start, view.stop)
        if self._capacity > _SPARSE * max(len(self._view), _LEAST):
            # Or what was let go of would take its room for ever.
            self._view = self._moved(0, {})

    def _with_room(self, count: int, texts: Mapping[str, Texts]) -> View:
        """Return what is there, with room behind it."""
        view = self._view
        crowded = any(len(texts[name].bytes) > len(t.bytes) - t.ends[view.stop] for name, t in view.texts.items())
        return self._moved(count, texts) if view.stop + count > self._capacity or crowded else view

    def _moved(self, count: int, texts: Mapping[str, Texts]) -> View:
        """Return what is there in new arrays, with room for twice as much and `count` rows more, whose texts these are."""
        view = self._view
        left = len(view)
        self._capacity = max(_LEAST, 2 * (left + count))
        arrays = {}
        for name, array in view.arrays.items():
            arrays[name] = np.empty(self._capacity, array.dtype)
            arrays[name][:left] = view.column(name)
        moved = {}
        for name, text in view.texts.items():
            part = text.part(view.start, view.stop)
            moved[name] = Texts(
                np.empty(self._capacity + 1, np.int64),
                np.empty(max(16 * _LEAST, 2 * (len(part.bytes) + (len(texts[name].bytes) if name in texts else 0))), np.uint8),
            )
            moved[name].ends[: left + 1] = part.ends
            moved[name].bytes[: len(part.bytes)] = part.bytes
        return View(arrays, moved, 0, left)


def to_text_array(parts: Sequence[Texts], order: Array | None) -> Any:
    """Return texts as pandas has them, in `order` where one is given."""
    chunks = pa.chunked_array([part.to_arrow() for part in parts], pa.large_string())
    return pd.array(chunks if order is None else chunks.take(pa.array(order)), dtype="str")
