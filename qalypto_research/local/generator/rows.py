"""Rows of a table on their way to a file: gathered by series, put in order, given names and arrival numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qalypto_research.local.generator.randomness import Ints
from qalypto_research.schema import INTERVALS, TABLES

NEVER: Final = np.iinfo(np.int64).min
"""NULL of an integer column."""

Rows = dict[str, Any]
"""Columns of equal length by name: numpy arrays or Arrow arrays. Times are integers in the unit of their column."""


def length(rows: Rows) -> int:
    """Return the number of rows."""
    return len(rows["timestamp"])


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Put parts with the same columns one after another."""
    return {name: _joined([p[name] for p in parts]) for name in parts[0]}


def _joined(arrays: list[Any]) -> Any:
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays)
    return pa.concat_arrays(arrays)


def taken(rows: Rows, order: npt.NDArray[Any]) -> Rows:
    """Return the rows at `order`."""
    return {k: v[order] if isinstance(v, np.ndarray) else v.take(pa.array(order)) for k, v in rows.items()}


def from_series(parts: list[tuple[int, Rows]]) -> Rows:
    """Join the rows of series numbered in the order of (exchange, symbol), adding the number as ``series``."""
    return concatenated([{**rows, "series": np.full(length(rows), number, dtype=np.int64)} for number, rows in parts])


def numbered(tables: dict[str, Rows], first: int) -> int:
    """Give the rows of several tables one order of arrival as ``_seq``, from `first` on; return the next number.

    Rows seen in the same microsecond stand in the order trade, ticker, kline, orderbook, then as they are.
    """
    names = [name for name in TABLES if name in tables]
    seen = np.concatenate([tables[name]["_seen"] for name in names])
    rank = np.empty(len(seen), dtype=np.int64)
    rank[np.argsort(seen, kind="stable")] = first + np.arange(len(seen))
    for name in names:
        n = length(tables[name])
        tables[name]["_seq"], rank = rank[:n], rank[n:]
    return first + len(seen)


def named(rows: Rows, exchanges: tuple[str, ...], symbols: tuple[str, ...]) -> Rows:
    """Replace numbers of series and intervals by names, and integers that stand for NULL by NULL."""
    out = {k: v for k, v in rows.items() if k != "series"}
    series = rows["series"]
    out["exchange"] = _text(series // len(symbols), exchanges)
    out["symbol"] = _text(series % len(symbols), symbols)
    if "buy" in out:
        out["side"] = _text(out.pop("buy").astype(np.int64), ("sell", "buy"))
    if "interval" in out:
        out["interval"] = _text(rows["interval"], INTERVALS)
    for name in ("close_time", "next_funding_time"):
        if name in out:
            out[name] = pa.array(rows[name], mask=rows[name] == NEVER).cast(pa.timestamp("ms", tz="UTC"))
    return out


def _text(codes: Ints, names: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(names)).cast(pa.string())
