"""Whole books out of snapshots and the updates to them."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_depth, pick_flag
from qalypto_research.errors import CrossedBookWarning, InputError, warn_caller
from qalypto_research.prep.checks import check_columns, check_frame, check_numbers
from qalypto_research.prep.series import MARKET, by_series, refuse_rows
from qalypto_research.schema.frames import orderbooks_of

LEVEL: Final = re.compile(r"(bid|ask)_(price|size)_(\d+)")
_SIDES: Final = ("bid", "ask")
_FIELDS: Final = ("price", "size")
_AFTER: Final = ("is_snapshot", "sequence_id")
_MOST_BACKWARDS: Final = 1 / 20
"""Ids that go back at more of their steps than this may be checksums, which do at half of them. That checksums keep to it by
chance is less likely than 1 in 10^13: 2^21 of the 21! orders of 21 ids have one step back or none; of more ids fewer do."""

Numbers = npt.NDArray[np.float64]
"""Of books: side, price or size, row, level; or the last of these."""


def rebuild(df: pd.DataFrame, *, depth: int | None = None, sequence: bool | None = None) -> pd.DataFrame:
    """Rebuild the whole book at each row, by applying updates to the last snapshot before them.

    An update (``is_snapshot`` False) gives the new size of each level that it names, 0 where the level is gone. A
    snapshot replaces the book. An update is stale, and ignored, where its ``sequence_id`` is not above the snapshot's or
    below that of an update applied before it.

    Parameters
    ----------
    df : pandas.DataFrame
        Books as ``qr.orderbooks`` or ``live.orderbooks`` gives them, of one or several series, as deep as the updates
        are: ``depth=1000`` loses nothing. Rows of one moment are taken in their order.
    depth : int, optional
        Levels a side of the result; by default as many as `df` has.
    sequence : bool, optional
        Whether ``sequence_id`` counts up. False where it is a checksum: no update is stale then. By default found out for
        each series: ids of which one is negative do not count, ids that go back at no more than one in twenty steps to an update do;
        others must be told.

    Returns
    -------
    pandas.DataFrame
        The rows and columns of `df`, the levels those of the whole book then, best first (float64, NaN beyond the last).
        Before a series' first snapshot all are NaN. Where a snapshot fills all levels of `df`, what lies beyond its
        worst level is not known, and NaN. ``is_snapshot`` is True where the row is a whole book now. New at the end:
        stale (bool), the update was ignored, and the book is the one before; crossed (bool), the best bid is at or
        above the best ask.

    Raises
    ------
    InputError
        Columns are missing; an update fills all levels that `df` has, so that some of it may be cut off; a level with a
        price and no size; `sequence` must be said.

    Warns
    -----
    CrossedBookWarning
        A rebuilt book is crossed or locked: updates are missing, or were recorded out of order.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> books = qr.prep.rebuild(qr.orderbooks("BTCUSDT", depth=1000, minutes=5), depth=10)
    >>> int(books["crossed"].sum()), int(books["stale"].sum())
    (0, 0)
    """
    given = read_levels(df)
    shown = given.shape[-1] if depth is None else pick_depth(depth)
    whole, stale = read_states(df, sequence=sequence)
    snapshots = df["is_snapshot"].to_numpy("bool")

    books = np.full((2, 2, len(df), shown), np.nan)
    series = by_series(df)
    for code in range(len(series.labels)):
        rows = np.flatnonzero(series.codes == code)
        applied = [int(row) for row in rows if whole[row] and not stale[row]]
        for sign, side, book in zip((-1.0, 1.0), given, books, strict=True):
            _rebuild_side(_Side(sign), side, snapshots, applied, book)
            _repeat_before_stale(book, rows, stale)

    columns: dict[str, Any] = {name: df[name].array.copy() for name in MARKET}
    for name in orderbooks_of(shown).column_names[len(MARKET) : -len(_AFTER)]:
        side, field, level = name.split("_")
        columns[name] = books[_SIDES.index(side), _FIELDS.index(field), :, int(level)]
    columns |= {"is_snapshot": whole, "sequence_id": df["sequence_id"].array.copy()}
    columns |= {name: df[name].array.copy() for name in df.columns if name not in columns and not LEVEL.fullmatch(str(name))}
    crossed = books[0, 0, :, 0] >= books[1, 0, :, 0]
    out = pd.DataFrame({**columns, "stale": stale, "crossed": crossed}, index=df.index.copy())
    out.attrs = dict(df.attrs)
    if crossed.any():
        at = int(crossed.argmax())
        warn_caller(
            f"{int(crossed.sum()):,} of {len(df):,} rebuilt books are crossed or locked, the first at {df.index[at]} "
            f"({df['exchange'].iloc[at]} {df['symbol'].iloc[at]}): updates are missing or out of order; the column 'crossed' has them all",
            CrossedBookWarning,
        )
    return out


def read_levels(df: pd.DataFrame, argument: str = "df") -> Numbers:
    """Return the levels of a frame of books: side, price or size, row, level.

    Raises
    ------
    InputError
        It is none, or a level is torn, negative or may be cut off.
    """
    levels = _check_books(df, argument)
    given = np.array([[_wide(df, side, field, levels) for field in _FIELDS] for side in _SIDES])
    _check_levels(df, argument, given, df["is_snapshot"].to_numpy("bool"))
    return given


def read_states(df: pd.DataFrame, *, sequence: bool | None) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return at which rows of a frame of books the book of their series is known, and which updates are stale.

    Raises
    ------
    InputError
        `sequence` must be said, or is no flag.
    """
    counts_up = None if sequence is None else pick_flag(sequence, "sequence")
    snapshots = df["is_snapshot"].to_numpy("bool")
    whole, stale = np.zeros(len(df), "bool"), np.zeros(len(df), "bool")
    series = by_series(df)
    for code, label in enumerate(series.labels):
        rows = np.flatnonzero(series.codes == code)
        ids = _ids(df["sequence_id"].iloc[rows], snapshots[rows], " ".join(map(str, label)), counts_up=counts_up)
        whole[rows], stale[rows] = _states(snapshots[rows], ids)
    return whole, stale


class _Side:
    """One side of a book, best first."""

    def __init__(self, sign: float) -> None:
        self._sign = sign  # of the keys: the best level has the lowest
        self._keys: list[float] = []
        self._sizes: list[float] = []
        self._worst_known = np.inf

    def replace(self, prices: list[float], sizes: list[float], *, cut_off: bool) -> None:
        """Begin again from a snapshot; beyond its worst level nothing is known where it may have been `cut_off`."""
        levels = sorted((self._sign * price, size) for price, size in zip(prices, sizes, strict=True) if size != 0)
        self._keys, self._sizes = [key for key, _ in levels], [size for _, size in levels]
        self._worst_known = self._keys[-1] if cut_off and self._keys else np.inf

    def apply(self, prices: list[float], sizes: list[float]) -> None:
        for price, size in zip(prices, sizes, strict=True):
            key = self._sign * price
            if key > self._worst_known:
                continue
            at = bisect_left(self._keys, key)
            there = at < len(self._keys) and self._keys[at] == key
            if there and size == 0:
                del self._keys[at], self._sizes[at]
            elif there:
                self._sizes[at] = size
            elif size != 0:
                self._keys.insert(at, key)
                self._sizes.insert(at, size)

    def write(self, prices: Numbers, sizes: Numbers) -> None:
        """Write the best levels into two rows of NaN."""
        count = min(len(self._keys), len(prices))
        prices[:count] = self._keys[:count]
        prices[:count] *= self._sign
        sizes[:count] = self._sizes[:count]


def _states(snapshots: npt.NDArray[np.bool_], ids: list[int] | None) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return at which rows of a series its book is whole, and which updates are stale."""
    whole = np.maximum.accumulate(snapshots)
    stale = np.zeros(len(snapshots), "bool")
    lowest = 0
    for i, number in enumerate(ids or ()):
        if snapshots[i]:
            lowest = number + 1  # the snapshot has what an update of its own id says
        elif whole[i]:
            stale[i] = number < lowest
            lowest = max(lowest, number)
    return whole, stale


def _rebuild_side(side: _Side, given: Numbers, snapshots: npt.NDArray[np.bool_], applied: list[int], book: Numbers) -> None:
    """Write one side of a series' book at its rows `applied` into `book`; both are price or size, row, level."""
    prices, sizes = given
    counts = np.sum(~np.isnan(prices), axis=1)
    for row in applied:
        n = counts[row]
        levels = prices[row, :n].tolist(), sizes[row, :n].tolist()
        if snapshots[row]:
            side.replace(*levels, cut_off=n == prices.shape[1])
        else:
            side.apply(*levels)
        side.write(book[0, row], book[1, row])


def _repeat_before_stale(book: Numbers, rows: npt.NDArray[np.int64], stale: npt.NDArray[np.bool_]) -> None:
    """Let each stale row of a series show the book before it."""
    places = np.maximum.accumulate(np.where(stale[rows], 0, np.arange(len(rows))))
    book[:, rows] = book[:, rows[places]]


def _ids(column: pd.Series, snapshots: npt.NDArray[np.bool_], label: str, *, counts_up: bool | None) -> list[int] | None:
    """Return the sequence of a series as numbers; None where its ids are no sequence.

    Raises
    ------
    InputError
        They should be and are not, or it cannot be told.
    """
    if counts_up is False:
        return None
    try:
        ids = [int(text) for text in column]
    except (TypeError, ValueError) as error:
        if counts_up:
            raise InputError(
                "sequence", f"is True, but {label} has a sequence_id that is no whole number ({error}); say sequence=False"
            ) from error
        return None
    if counts_up or not ids:
        return ids
    if min(ids) < 0:
        return None
    # Where a count begins anew a snapshot does, by which nothing is stale.
    steps = [after < before for (before, after), anew in zip(pairwise(ids), snapshots[1:], strict=True) if not anew]
    if sum(steps) > _MOST_BACKWARDS * len(steps):
        raise InputError(
            "sequence",
            f"must be said: the sequence_id of {label} goes back at {sum(steps):,} of {len(steps):,} steps to updates, so it may be a "
            "checksum; say sequence=False if it is one, True if it counts up and updates came out of order",
        )
    return ids


def _check_books(df: pd.DataFrame, argument: str) -> int:
    """Return how many levels a side a frame of books has.

    Raises
    ------
    InputError
        It is none.
    """
    check_frame(df, argument, [*MARKET, *_AFTER], "books")
    found = [match for match in map(LEVEL.fullmatch, map(str, df.columns)) if match]
    if not found:
        raise InputError(argument, "has no levels (bid_price_0 ...); read books with qr.orderbooks(symbol, depth=1000, ...)")
    levels = 1 + max(int(match[3]) for match in found)
    names = orderbooks_of(levels).column_names[len(MARKET) : -len(_AFTER)]
    check_columns(df, names, argument, "books")
    check_numbers(df, names, argument)
    return levels


def _wide(df: pd.DataFrame, side: str, field: str, levels: int) -> Numbers:
    return df[[f"{side}_{field}_{level}" for level in range(levels)]].to_numpy("float64")


def _check_levels(df: pd.DataFrame, argument: str, given: Numbers, snapshots: npt.NDArray[np.bool_]) -> None:
    for side, (prices, sizes) in zip(_SIDES, given, strict=True):
        missing = np.isnan(prices)
        torn = (missing != np.isnan(sizes)) | np.pad(missing[:, :-1] & ~missing[:, 1:], ((0, 0), (0, 1)))
        mend = "mend them, or begin with a snapshot after them"
        refuse_rows(df, torn.any(axis=1), argument, f"has levels of the {side}s without a price or size before others that have one", mend)
        refuse_rows(df, (sizes < 0).any(axis=1), argument, f"has negative sizes of the {side}s", mend)
        said = f"has updates that fill all {prices.shape[1]:,} levels of the {side}s, so the rest of them may be cut off"
        refuse_rows(df, ~missing[:, -1] & ~snapshots, argument, said, "read them deeper: qr.orderbooks(symbol, depth=1000, ...)")
