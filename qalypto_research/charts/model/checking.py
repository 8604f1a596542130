"""Frames as users give them: what is wrong with one is said here, before anything is drawn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.frames import epoch_us
from qalypto_research.timerange import parse_zone

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST: Final = 1e100
"""No price and no size comes near; beyond it, axes would overflow."""


def pick_frame(df: object, columns: Sequence[str], source: str, argument: str = "df") -> pd.DataFrame:
    """Return `df` when it is a DataFrame with these columns.

    Raises
    ------
    InputError
        It is something else, lacks a column, or has one twice. The message names `source`, a call that gives such frames.
    """
    if not isinstance(df, pd.DataFrame):
        raise InputError(argument, f"is a {type(df).__name__}; give a DataFrame such as {source} returns")
    for name in columns:
        if name not in df.columns:
            there = [str(c) for c in df.columns]
            alike = get_close_matches(name.lower(), [c.lower() for c in there], n=1, cutoff=0.8)
            meant = [c for c in there if alike and c.lower() == alike[0]]
            hint = f"; did you mean {meant[0]!r}? rename it: df.rename(columns={{{meant[0]!r}: {name!r}}})" if meant else ""
            has = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
            raise InputError(
                argument, f"has no column {name!r}, which this chart needs{hint}; it has: {has or 'none'}; give what {source} returns"
            )
    repeated = [str(name) for name in df.columns[df.columns.duplicated()]]
    if repeated:
        raise InputError(argument, f"has the column {repeated[0]!r} twice; keep one: df.loc[:, ~df.columns.duplicated()]")
    return df


def pick_times(df: pd.DataFrame | pd.Series[Any], argument: str = "df", *, distinct: bool = False) -> Times:
    """Return the index in microseconds since 1970 UTC; naive times are UTC.

    Parameters
    ----------
    df : DataFrame or Series
        Its index must hold times, ascending.
    argument : str
        Its name in the error.
    distinct : bool
        Whether a time may be there once only.

    Raises
    ------
    InputError
        Another index, NaT, or times that go back or repeat.
    """
    index = df.index
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(argument, f"has an index of {index.dtype} where times belong; set them: df.set_index('timestamp')")
    missing = np.flatnonzero(index.isna())
    if missing.size:
        raise InputError(argument, f"has no time (NaT) in row {missing[0]}; leave such rows out: df[df.index.notna()]")
    times = epoch_us(df.to_frame() if isinstance(df, pd.Series) else df)
    steps = np.diff(times)
    back = np.flatnonzero(steps < 0)
    if back.size:
        at = int(back[0])
        raise InputError(
            argument, f"goes back in time: {index[at + 1]} after {index[at]} (row {at + 1}); sort it: df.sort_index(kind='stable')"
        )
    twice = np.flatnonzero(steps == 0) if distinct else np.empty(0)
    if twice.size:
        at = int(twice[0])
        raise InputError(
            argument, f"has {index[at]} twice (row {at + 1}); keep one row of each time: df[~df.index.duplicated(keep='last')]"
        )
    return times


def pick_numbers(df: pd.DataFrame, name: str, argument: str = "df") -> Floats:
    """Return a column as float64 with NaN for what is missing or not finite.

    Raises
    ------
    InputError
        Not numbers, or beyond `MOST`.
    """
    column = df[name]
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        raise InputError(
            argument, f"has {column.dtype} in the column {name!r} where numbers belong; convert it: pd.to_numeric(df[{name!r}])"
        )
    values = column.to_numpy(dtype="float64", na_value=np.nan).copy()
    values[~np.isfinite(values)] = np.nan
    huge = np.flatnonzero(np.abs(values) > MOST)
    if huge.size:
        raise InputError(
            argument, f"has {values[huge[0]]:g} in the column {name!r} (row {huge[0]}), too large to draw; leave such rows out"
        )
    return values


def pick_amounts(df: pd.DataFrame, name: str) -> Floats:
    """Return a column of sizes as `pick_numbers` does; one below zero cannot be, and is not known either.

    Raises
    ------
    InputError
        Not numbers, or too large.
    """
    values = pick_numbers(df, name)
    values[values < 0] = np.nan
    return values


def infinite_in(df: pd.DataFrame, name: str) -> Flags:
    """Return where a column of numbers is infinite, which `pick_numbers` has as NaN."""
    found: Flags = np.isinf(df[name].to_numpy(dtype="float64", na_value=np.nan))
    return found


def pick_flags(df: pd.DataFrame, name: str, *, default: bool) -> Flags:
    """Return a column of flags; `default` where the frame has none, or says nothing.

    Raises
    ------
    InputError
        Not flags.
    """
    if name not in df.columns:
        return np.full(len(df), default)
    column = df[name]
    if not (pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype)):
        raise InputError("df", f"has {column.dtype} in the column {name!r} where True and False belong")
    return np.asarray(column.fillna(default).to_numpy(), dtype=bool)


def names_in(df: pd.DataFrame, name: str) -> list[str]:
    """Return the distinct values of a column of names, by their first row; none where there is no such column."""
    return [] if name not in df.columns else [str(value) for value in df[name].dropna().unique()]


def pick_one(df: pd.DataFrame, name: str) -> str:
    """Return the only value of a column of names; empty where there is none.

    Raises
    ------
    InputError
        Several.
    """
    found = names_in(df, name)
    if len(found) > 1:
        listed = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        raise InputError("df", f"holds several of {name}: {listed}; this chart shows one: df[df[{name!r}] == {found[0]!r}]")
    return found[0] if found else ""


def rows_of(df: pd.DataFrame, name: str, order: Iterable[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each name, known ones in their order, then the others; all rows under "" where there is no such column."""
    if name not in df.columns:
        return [("", df)]
    found, known = names_in(df, name), list(order)
    sorted_names = [n for n in known if n in found] + sorted(n for n in found if n not in known)
    return [(n, df[(df[name] == n).fillna(value=False).to_numpy(dtype=bool)]) for n in sorted_names]


def pick_zone(zone: str | dt.tzinfo) -> dt.tzinfo:
    """Return the zone in which times are shown.

    Raises
    ------
    InputError
        No such zone.
    """
    return pd.Timestamp(0, tz=parse_zone(zone, "zone")).tzinfo or dt.UTC


def pick_name(asked: object, allowed: Sequence[str], argument: str) -> str:
    """Return `asked` when it is one of the allowed names.

    Raises
    ------
    UnknownNameError
        It is not.
    """
    if not isinstance(asked, str) or asked not in allowed:
        raise UnknownNameError(argument, asked, allowed)
    return asked


def pick_title(title: object, *parts: str) -> str:
    """Return the title a user gave, or the parts that are known.

    Raises
    ------
    InputError
        Not a text.
    """
    if title is None:
        return " · ".join(part for part in parts if part)
    if not isinstance(title, str):
        raise InputError("title", f"{title!r} is not a text")
    return title


def is_synthetic(df: pd.DataFrame) -> bool:
    """Tell whether the frame says of itself that no market made it."""
    facts = df.attrs.get("qalypto")
    return isinstance(facts, dict) and bool(facts.get("synthetic"))


def base_of(symbol: str) -> str:
    """Return the base currency of a pair quoted in USDT; empty where that is not known."""
    return symbol.removesuffix("USDT") if symbol.endswith("USDT") else ""
