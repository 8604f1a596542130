"""Rows by their place, and nothing where the place is -1; values beside the rows of a frame."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.schema.frames import NEVER

Places = npt.NDArray[np.int64]
"""Places of rows; also moments in microseconds since 1970."""


def taken(column: pd.Series, at: Places) -> Any:
    """Return a column's values at those places, missing where the place is -1.

    The dtype does not hang on whether one is: bool becomes boolean, integers float64.
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu":
        column = column.astype("boolean" if column.dtype.kind == "b" else "float64")
    if column.dtype == "float64":
        return np.append(column.to_numpy(), np.nan).take(at)  # the place -1 is the last one
    values: Any = column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array
    return pd.api.extensions.take(values, at, allow_fill=True)


def floats_taken(df: pd.DataFrame, names: Sequence[Hashable], at: Places) -> npt.NDArray[np.float64]:
    """Return columns of float64 at those places, a row each, NaN where the place is -1.

    They are rows of one array: fresh memory is most of the cost of a large join, and costs less in one piece.
    """
    rows = np.empty((len(names), len(at)))
    for row, name in zip(rows, names, strict=True):
        np.append(df[name].to_numpy(), np.nan).take(at, out=row, mode="wrap")  # other modes would take into a buffer first
    return rows


def times_taken(values: npt.NDArray[np.int64], at: Places) -> npt.NDArray[np.int64]:
    """Return moments at those places, `NEVER` where the place is -1."""
    return np.append(values, NEVER).take(at)


def last_before(there: npt.NDArray[np.bool_], codes: Places) -> Places:
    """Return for each row the place of the newest row of its series, itself included, that is `there`; -1 where none is."""
    order = np.argsort(codes, kind="stable")
    rows = np.arange(len(codes))
    newest = np.maximum.accumulate(np.where(there[order], rows, -1)) if len(rows) else rows
    sorted_codes = codes[order]
    none = (newest < 0) | (sorted_codes[newest] != sorted_codes)
    out = np.empty(len(codes), "int64")
    out[order] = np.where(none, -1, order[newest])
    return out


def row_before(codes: Places, order: Places) -> Places:
    """Return for each row the row of the same series before it, -1 for the first; `order` has the rows series by series."""
    found = np.full(len(codes), -1, "int64")
    same = codes[order[1:]] == codes[order[:-1]]
    found[order[1:][same]] = order[:-1][same]
    return found


def last_known(there: npt.NDArray[np.bool_], codes: Places, known: Places, wanted: Places) -> Places:
    """Return for each row what `last_before` does, of the rows only that were `known` at the moment that it is `wanted`."""
    newest = last_before(there, codes)
    before = np.append(newest, -1).take(row_before(codes, np.argsort(codes, kind="stable")))
    found = newest.copy()
    late = np.flatnonzero((found >= 0) & (known[found] > wanted))
    while len(late):  # as often as late rows lie one after another
        found[late] = before[found[late]]
        late = late[(found[late] >= 0) & (known[found[late]] > wanted[late])]
    return found


def as_series(values: npt.NDArray[Any], df: pd.DataFrame, name: str) -> pd.Series:
    """Return `values` beside the rows of `df`."""
    return pd.Series(values, index=df.index.copy(), name=name)
