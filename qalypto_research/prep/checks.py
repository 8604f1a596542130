"""What every function here asks of a frame before it computes, and the messages that say how to mend it.

A backtest goes wrong quietly where an index is unsorted, a number is missing or a row is an update of a book. So each
function names what it needs, and the first row that is otherwise. Which series the rows belong to is `series`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.frames import epoch_us
from qalypto_research.schema.vocabulary import SIDES

Floats = npt.NDArray[np.float64]

_SIDES_ELSEWHERE: Final = ("buy", "sell", "b", "s")
"""The sides as others write them, in small letters."""


def check_frame(df: object, argument: str = "df", columns: Iterable[str] = (), meant: str = "", *, ordered: bool = True) -> pd.DataFrame:
    """Return `df` when it is a frame over moments in time, ascending unless `ordered` is False, that has `columns`.

    `meant` says what kind of frame is wanted, as "trades".

    Raises
    ------
    InputError
        No DataFrame, an index of something else, of naive times, with NaT in it, or not ascending; a repeated column.
    UnknownNameError
        A column is not there.
    """
    if not isinstance(df, pd.DataFrame):
        raise InputError(argument, f"is a {type(df).__name__}; give a DataFrame, as qr.klines returns it")
    check_times(df.index, argument)
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()][0]
        raise InputError(argument, f"has the column {twice!r} twice; keep one: {argument}.loc[:, ~{argument}.columns.duplicated()]")
    if ordered and not df.index.is_monotonic_increasing:
        times = epoch_us(df)
        at = int(np.flatnonzero(np.diff(times) < 0)[0]) + 1
        raise InputError(
            argument,
            f"is not in order of time: row {at} is of {df.index[at]}, after one of {df.index[at - 1]}; "
            f"sort it first: {argument}.sort_index(kind='stable')",
        )
    check_columns(df, columns, argument, meant)
    return df


def check_times(index: pd.Index, argument: str = "df") -> pd.DatetimeIndex:
    """Return `index` when it tells moments.

    Raises
    ------
    InputError
        Of something else, of naive times, or with NaT in it.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            argument,
            f"has an index of {index.dtype}, not of times; bring other frames under the contract with qr.prep.adopt(df, ...), "
            f"or set one: {argument}.set_index(pd.to_datetime({argument}['time'], unit='ms', utc=True))",
        )
    if index.tz is None:
        raise InputError(
            argument,
            f"has naive times, whose zone is anybody's guess; say it: {argument}.tz_localize('UTC') (or 'Asia/Tokyo')",
        )
    if index.hasnans:
        raise InputError(
            argument,
            f"has NaT in its index, {int(np.asarray(index.isna()).sum()):,} times; drop those rows: {argument}[{argument}.index.notna()]",
        )
    return index


def check_columns(df: pd.DataFrame, names: Iterable[str], argument: str = "df", meant: str = "") -> None:
    """Check that `df` has the columns `names`; `meant` says what kind of frame has them.

    Raises
    ------
    UnknownNameError
        One is missing.
    """
    for name in names:
        if name not in df.columns:
            there = f", which a frame of {meant} has" if meant else ""
            raise UnknownNameError(argument, name, map(str, df.columns), f"{argument} has no column {name!r}{there}")


def check_column(df: pd.DataFrame, name: object, argument: str) -> str:
    """Return `name` when `df` has such a column.

    Raises
    ------
    UnknownNameError
        It has not.
    """
    if not isinstance(name, str) or name not in df.columns:
        raise UnknownNameError(argument, name, [str(column) for column in df.columns])
    return name


def check_quotes(df: object, columns: Iterable[str], meant: str = "quotes", argument: str = "df") -> pd.DataFrame:
    """Return `df` when it is a frame over moments in time with `columns` whose rows are whole books or quotes.

    Raises
    ------
    InputError
        As `check_frame`; or a row is an update, whose first level is not the best.
    UnknownNameError
        A column is not there.
    """
    named = tuple(columns)
    levels = [f"{name}_0" for name in named]
    if isinstance(df, pd.DataFrame) and not set(named) <= set(df.columns) and set(levels) <= set(df.columns):
        renamed = ", ".join(f"'{name}_0': '{name}'" for name in named)
        raise InputError(argument, f"holds books level by level; name the best one: {argument}.rename(columns={{{renamed}}})")
    checked = check_frame(df, argument, named, meant)
    if "is_snapshot" in checked.columns:
        updates = ~checked["is_snapshot"].to_numpy(np.bool_)
        if updates.any():
            at = int(updates.argmax())
            raise InputError(
                argument,
                f"holds {int(updates.sum()):,} updates of books (is_snapshot False), the first in row {at}, {checked.index[at]}; the first "
                "level of an update is not the best: rebuild whole books with qr.prep.rebuild, or keep those that are whole: "
                f"{argument}[{argument}['is_snapshot']]",
            )
    return checked


def numbers(df: pd.DataFrame, column: str, argument: str = "df", *, nan: bool = True) -> Floats:
    """Return a column as floats; with ``nan=False`` each is there and finite.

    Raises
    ------
    InputError
        It holds no numbers, or one that is not.
    """
    given = df[column]
    if not pd.api.types.is_numeric_dtype(given.dtype) or pd.api.types.is_bool_dtype(given.dtype):
        raise InputError(
            argument, f"column {column!r} is of {given.dtype}, not of numbers; convert it: {argument}[{column!r}].astype('float64')"
        )
    values = given.to_numpy(np.float64, na_value=np.nan)
    if not nan:
        bad = ~np.isfinite(values)
        if bad.any():
            at = int(bad.argmax())
            raise InputError(
                argument,
                f"column {column!r} has no finite number in {int(bad.sum()):,} rows, the first at {df.index[at]}; "
                f"drop them ({argument}.dropna(subset=[{column!r}])) or fill them on purpose (qr.prep.fill)",
            )
    return values


def check_numbers(df: pd.DataFrame, names: Iterable[str], argument: str = "df", *, nan: bool = True) -> None:
    """Check that the columns `names` of `df` are numbers, and with ``nan=False`` that each is there and finite.

    Raises
    ------
    InputError
        One is not.
    """
    for name in names:
        numbers(df, name, argument, nan=nan)


def signs(df: pd.DataFrame, argument: str = "df", *, needed: bool = False) -> npt.NDArray[np.int8]:
    """Return 1 where ``side`` is buy, -1 where it is sell, else 0.

    Raises
    ------
    InputError
        With `needed`: a side is missing.
    """
    side = df["side"] if isinstance(df["side"].dtype, pd.CategoricalDtype) else df["side"].astype("category")
    codes = side.cat.codes.to_numpy()
    if needed:
        check_there(codes, df, "side", argument)
    # Whoever writes them otherwise means them all the same, and would get sums of nothing.
    meant = [name for name in side.cat.categories if name not in SIDES and str(name).casefold() in _SIDES_ELSEWHERE]
    if meant and side.isin(meant).any():
        way_out = f"{argument}.assign(side={argument}['side'].astype('str').str.lower().replace({{'b': 'buy', 's': 'sell'}}))"
        raise InputError(argument, f"has {str(meant[0])!r} in 'side' where 'buy' or 'sell' is needed; write them so: {way_out}")
    # A missing side has the code -1, which is the last.
    sign = np.array([*({"buy": 1, "sell": -1}.get(name, 0) for name in side.cat.categories), 0], np.int8)
    return sign[codes]


def check_there(codes: npt.NDArray[np.integer], df: pd.DataFrame, column: str, argument: str = "df") -> None:
    """Check that no row of a column, given by the `codes` of its names, is without one.

    Raises
    ------
    InputError
        One is.
    """
    if len(codes) and codes.min() < 0:
        at = int(np.argmax(codes < 0))
        raise InputError(argument, f"has no {column} in row {at}, {df.index[at]}; drop such rows: {argument}.dropna(subset=[{column!r}])")


def pick_choice(value: object, argument: str, allowed: Sequence[str]) -> str:
    """Return `value` when it is one of `allowed`.

    Raises
    ------
    UnknownNameError
        It is not.
    """
    if not isinstance(value, str) or value not in allowed:
        raise UnknownNameError(argument, value, allowed)
    return value
