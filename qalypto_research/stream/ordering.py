"""The order of rows in frames: by time, exchange and symbol, of candles by interval, of trades by id; else as they arrived."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from qalypto_research.schema.tables import Kind
from qalypto_research.stream.columns import Array, View
from qalypto_research.stream.rows import NUMBER, SPELLING, TIME, Codes

_KEYS: Final[tuple[Kind, ...]] = ("exchange", "symbol")
_EXCHANGES: Final = 1 << 8
_SYMBOLS: Final = 1 << 10
"""More of them than there are, but so few that they fit into a number together with milliseconds up to 2299."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a view, in some order.

    Attributes
    ----------
    view : View
        Which.
    rows : array of int64
        Where they are in its arrays.
    """

    view: View
    rows: Array

    def __len__(self) -> int:
        return len(self.rows)

    def copy_into(self, found: Array, name: str) -> None:
        """Write a column's rows to an array of just this length."""
        # They are all there; without a mode that needs no way back, numpy would copy once more.
        self.view.arrays[name].take(self.rows, out=found, mode="clip")

    def times_before(self, moment_us: int) -> int:
        """Return how many rows, which stand in the order of their times, are before a moment."""
        times = self.view.arrays[TIME]
        return bisect_left(self.rows, moment_us, key=lambda row: times[row])

    def first_time(self) -> int:
        """Return the earliest time of rows that stand in the order of their times."""
        return int(self.view.arrays[TIME][self.rows[0]])


def column_of(parts: Sequence[Part], name: str) -> Array:
    """Return a column of all parts' rows, one part behind another, as an array of its own."""
    found = np.empty(sum(map(len, parts)), parts[0].view.arrays[name].dtype)
    at = 0
    for part in parts:
        part.copy_into(found[at : at + len(part)], name)
        at += len(part)
    return found


def texts_of(parts: Sequence[Part], name: str) -> pa.ChunkedArray:
    """Return a column of text likewise."""
    return pa.chunked_array([part.view.text(name).take(pa.array(part.rows)) for part in parts], pa.large_string())


def in_order(view: View, rows: Array | None, codes: dict[Kind, Codes]) -> Part:
    """Return rows of a view in their order.

    Parameters
    ----------
    view : View
        Whose rows they are.
    rows : array of int or None
        Positions in the view of the rows to take, ascending; None for all.
    codes : dict of str to Codes
        By which names stand in it.
    """
    if rows is None:
        return Part(view, _all_in_order(view, codes) + (view.start - view.begin))
    part = Part(view, rows + view.start)
    return Part(view, part.rows[order_of([part], codes)]) if len(rows) else part


def _all_in_order(view: View, codes: dict[Kind, Codes]) -> Array:
    """Return the positions of all rows in their order, counted from the first there ever was.

    From one look to the next few rows come and go, so what was found out is remembered: what has been let go of since is left
    out, and what has come is put in its place.
    """
    begin, end = view.begin, view.begin + len(view)
    first, last, order = view.known.order
    if (first, last) == (begin, end):
        return order
    if not first <= begin < last:
        last, order = begin, order[:0]
    if first < begin or last > end:
        order = order[(order >= begin) & (order < end)]
    if last < end:
        order = _with(order, np.arange(last, end), view, codes)
    view.known.order = (begin, end, order)
    return order


def _with(order: Array, tail: Array, view: View, codes: dict[Kind, Codes]) -> Array:
    """Return positions that are in order together with those of rows that came later."""
    shift = view.start - view.begin
    moment_us = view.arrays[TIME][tail + shift].min()
    settled = Part(view, order + shift).times_before(moment_us)
    mixed = np.concatenate([order[settled:], tail])
    return np.concatenate([order[:settled], mixed[order_of([Part(view, mixed + shift)], codes)]])


def order_of(parts: Sequence[Part], codes: dict[Kind, Codes]) -> Array:
    """Return the order of the rows of all parts, which are of one table and at least one.

    What is equal stays as it is. So parts that are in order already, and those that arrived first first, are merged by it.
    """
    key = _key(column_of(parts, TIME) // 1000, *(codes[kind].ranks()[column_of(parts, kind)] for kind in _KEYS))
    there = parts[0].view.arrays
    if "interval" in there:
        return np.lexsort((column_of(parts, "interval"), key))
    order = np.argsort(key, kind="stable")
    return _by_id(order, key[order], parts) if NUMBER in there else order


def _key(ms: Array, exchanges: Array, symbols: Array) -> Array:
    """Return numbers that are in the order of time, exchange and symbol."""
    if exchanges.max() < _EXCHANGES and symbols.max() < _SYMBOLS:
        return (ms * _EXCHANGES + exchanges) * _SYMBOLS + symbols
    order = np.lexsort((symbols, exchanges, ms))
    changes = np.zeros(len(ms), np.bool_)
    for values in (ms, exchanges, symbols):
        changes[1:] |= np.diff(values[order]) != 0
    key = np.empty(len(ms), np.int64)
    key[order] = np.cumsum(changes)
    return key


def _by_id(order: Array, key: Array, parts: Sequence[Part]) -> Array:
    """Put trades whose keys, given in `order`, are equal in the order of their ids."""
    same = key[1:] == key[:-1]
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows, key = order[tied], key[tied]
    numbers, spellings = column_of(parts, NUMBER)[rows], column_of(parts, SPELLING)[rows]
    within = np.lexsort((spellings, numbers, key))
    rows, key, numbers, spellings = rows[within], key[within], numbers[within], spellings[within]
    alike = (key[1:] == key[:-1]) & (numbers[1:] == numbers[:-1]) & (spellings[1:] == spellings[:-1]) & (spellings[1:] != 0)
    order[tied] = _spelt_out(rows, alike, parts) if alike.any() else rows
    return order


def _spelt_out(rows: Array, alike: Array, parts: Sequence[Part]) -> Array:
    """Put rows whose ids begin like the one before's in the order of their whole spelling."""
    ids = texts_of(parts, "trade_id").take(pa.array(rows)).to_pylist()
    starts = np.flatnonzero(alike & ~np.append(False, alike[:-1]))
    stops = np.flatnonzero(alike & ~np.append(alike[1:], False)) + 2
    for start, stop in zip(starts, stops, strict=True):
        rows[start:stop] = rows[start:stop][np.argsort(np.array(ids[start:stop], object), kind="stable")]
    return rows
