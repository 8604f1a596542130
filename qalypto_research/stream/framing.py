"""Rows that have arrived as frames under the contract: in order, names as categories, nothing shared with the buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.schema.frames import Frame, FrameColumn, category, dtype_of
from qalypto_research.schema.tables import Kind
from qalypto_research.stream.columns import Array, View, to_text_array
from qalypto_research.stream.rows import NOT_A_NUMBER, NUMBER, SPELLING, TIME, Codes

_KEYS: Final[tuple[Kind, ...]] = ("exchange", "symbol")
_EXCHANGES: Final = 1 << 8
_SYMBOLS: Final = 1 << 10
"""More of them than there are, but so few that they fit into a number together with milliseconds up to 2299."""


def to_frame(frame: Frame, views: Sequence[View], codes: dict[Kind, Codes], chosen: Sequence[Array | None]) -> pd.DataFrame:
    """Return rows as a frame.

    Parameters
    ----------
    frame : Frame
        Which: with what live frames have beside the columns of history.
    views : sequence of View
        The rows, those of each buffer in the order of their arrival.
    codes : dict of str to Codes
        By which names stand in them.
    chosen : sequence of array or None
        Of each view, the positions of the rows to take; None for all.
    """
    parts = [(view, rows) for view, rows in zip(views, chosen, strict=True) if len(view) and (rows is None or len(rows))]
    gathered = {name: _gathered(parts, name) for name in dict.fromkeys((TIME, *(_KEYS if parts else ()), *_fixed(frame, parts)))}
    order = _order(gathered, parts, codes)
    index = pd.DatetimeIndex(_in_order(gathered[TIME], order).view("datetime64[us]"), name="timestamp").tz_localize("UTC")
    data = {c.name: _column(c, gathered, parts, order, codes) for c in frame.columns}
    return pd.DataFrame(data, index=index, copy=False)


def _fixed(frame: Frame, parts: Sequence[tuple[View, Array | None]]) -> list[str]:
    there = parts[0][0].arrays if parts else {}
    return [c.name for c in frame.columns if c.name in there]


def _gathered(parts: Sequence[tuple[View, Array | None]], name: str) -> Array:
    """Return the rows of one column from all parts, in an array of their own."""
    pieces = [view.column(name) if rows is None else view.column(name)[rows] for view, rows in parts]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _in_order(values: Array, order: Array | None) -> Array:
    return values if order is None else values[order]


def _order(gathered: dict[str, Array], parts: Sequence[tuple[View, Array | None]], codes: dict[Kind, Codes]) -> Array | None:
    """Return the order of rows by time, exchange, symbol, and of trades by id; None where they stand in it already.

    What is equal in all of that stays as it arrived.
    """
    times = gathered[TIME]
    if len(times) < 2:
        return None
    key = _key(times // 1000, *(_ranks(codes[kind])[gathered[kind]] for kind in _KEYS))
    if all(NUMBER in view.arrays for view, _ in parts):
        return _order_of_trades(key, parts)
    if "interval" in gathered:
        return np.lexsort((gathered["interval"], key))
    return None if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")


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


def _ranks(codes: Codes) -> npt.NDArray[np.int64]:
    """Return the place of each code in the order of the names."""
    names = list(codes)
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(np.array(names))] = np.arange(len(names))
    return ranks


def _order_of_trades(key: Array, parts: Sequence[tuple[View, Array | None]]) -> Array | None:
    numbers, spellings = _gathered(parts, NUMBER), _gathered(parts, SPELLING)
    later = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & (numbers[1:] > numbers[:-1]))
    if later.all():
        return None
    order = np.lexsort((spellings, numbers, key))
    key, numbers, spellings = key[order], numbers[order], spellings[order]
    same = (key[1:] == key[:-1]) & (numbers[1:] == numbers[:-1]) & (spellings[1:] == spellings[:-1]) & (numbers[1:] == NOT_A_NUMBER)
    same &= spellings[1:] != 0
    return _spelt_out(order, same, parts) if same.any() else order


def _spelt_out(order: Array, same: Array, parts: Sequence[tuple[View, Array | None]]) -> Array:
    """Put rows whose ids begin alike in the order of their whole spelling."""
    ids = to_text_array([_texts(view, rows, "trade_id") for view, rows in parts], None)
    starts = np.flatnonzero(same & ~np.append(False, same[:-1]))
    stops = np.flatnonzero(same & ~np.append(same[1:], False)) + 2
    for start, stop in zip(starts, stops, strict=True):
        run = order[start:stop]
        order[start:stop] = run[np.argsort(np.array([ids[i] for i in run], object), kind="stable")]
    return order


def _texts(view: View, rows: Array | None, name: str) -> Any:
    part = view.texts[name].part(view.start, view.stop)
    return part if rows is None else part.taken(rows)


def _column(
    column: FrameColumn,
    gathered: dict[str, Array],
    parts: Sequence[tuple[View, Array | None]],
    order: Array | None,
    codes: dict[Kind, Codes],
) -> Any:
    if column.kind == "text":
        return to_text_array([_texts(view, rows, column.name) for view, rows in parts], order)
    if column.kind == "origin":
        return pd.Categorical.from_codes(np.zeros(len(gathered[TIME]), np.int8), dtype=category("origin"))
    if column.name not in gathered:
        return pd.array([], dtype=dtype_of(column.kind))
    values = _in_order(gathered[column.name], order)
    if column.kind == "time":
        return pd.DatetimeIndex(values.view("datetime64[us]")).tz_localize("UTC").array
    if column.kind in codes:
        return _categorical(column.kind, values, codes[column.kind])
    return values


def _categorical(kind: Kind, values: Array, codes: Codes) -> pd.Categorical:
    """Return names as a category: the documented ones whole, and those beyond them that are there."""
    names = list(codes)
    known = len(category(kind).categories)
    beyond = [names[code] for code in np.unique(values) if code >= known] if len(names) > known else []
    dtype = category(kind, beyond)
    if not beyond:
        return pd.Categorical.from_codes(values, dtype=dtype, validate=False)
    place = {name: i for i, name in enumerate(dtype.categories)}
    return pd.Categorical.from_codes(np.array([place.get(name, -1) for name in names], np.int32)[values], dtype=dtype, validate=False)
