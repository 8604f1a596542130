"""What users ask for, as they write it: names, sizes, lengths, numbers of levels. Pure, and the same everywhere."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.frames import Frame, FrameColumn
from qalypto_research.schema.vocabulary import INTERVAL_MS, INTERVALS
from qalypto_research.timerange import DurationLike, parse_duration

Names = str | Sequence[str]

MOST_LEVELS: Final = 1_000
"""Twice what exchanges give; each level is four columns."""

_BYTES: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?b)", re.IGNORECASE)
_BYTE_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def pick_interval(asked: str) -> str:
    """Return the candle interval a call means: "1h", and as well "60m" or "1H".

    Raises
    ------
    UnknownNameError
        Not one of the documented eight.
    InputError
        Not a text.
    """
    if not isinstance(asked, str):
        raise InputError("interval", f"{asked!r} must be one of {', '.join(INTERVALS)}")
    if asked in INTERVAL_MS:
        return asked
    try:
        length = parse_duration(asked, "interval").total_seconds() * 1_000
    except InputError as error:
        raise UnknownNameError("interval", asked, INTERVALS) from error
    for name, milliseconds in INTERVAL_MS.items():
        if milliseconds == length:
            return name
    raise UnknownNameError("interval", asked, INTERVALS)


def pick_columns(asked: Names | None, frame: Frame) -> tuple[FrameColumn, ...]:
    """Return the columns a call means, in the table's order. ``timestamp`` is always there, as the index.

    Raises
    ------
    UnknownNameError
        Not a column of that frame.
    """
    if asked is None:
        return frame.columns
    names = names_of("columns", asked)
    for name in names:
        if name != "timestamp" and name not in frame.column_names:
            raise UnknownNameError("columns", name, frame.column_names, frame.hint)
    return tuple(c for c in frame.columns if c.name in names)


def pick_flag(asked: object, argument: str) -> bool:
    """Return a True or False as given.

    Raises
    ------
    InputError
        Neither.
    """
    if not isinstance(asked, (bool, np.bool_)):
        raise InputError(argument, f"{asked!r} must be True or False")
    return bool(asked)


def pick_every(asked: DurationLike | None) -> int | None:
    """Return the length of a bucket in milliseconds; None where none was asked for.

    Raises
    ------
    InputError
        Not a length of time, or not a whole number of milliseconds above zero.
    """
    if asked is None:
        return None
    milliseconds, rest = divmod(parse_duration(asked, "every"), dt.timedelta(milliseconds=1))
    if rest or milliseconds < 1:
        raise InputError("every", f"{asked!r} must be whole milliseconds, at least one; write '1s', '5m' or '250ms'")
    return milliseconds


def pick_length(value: DurationLike, argument: str, *, zero: bool = False) -> int:
    """Return a length of time in microseconds; with `zero` it may be none, as "0s".

    Raises
    ------
    InputError
        Not a length of time.
    """
    none = (isinstance(value, str) and value.strip() in {"0", "0s", "0ms", "0m", "0h", "0d"}) or (
        isinstance(value, (dt.timedelta, np.timedelta64)) and pd.Timedelta(value) == pd.Timedelta(0)
    )
    if none and zero:
        return 0
    return parse_duration(value, argument) // dt.timedelta(microseconds=1)


def pick_depth(asked: object) -> int:
    """Return a number of levels a side.

    Raises
    ------
    InputError
        Not a whole number from 1 to `MOST_LEVELS`.
    """
    if isinstance(asked, (bool, np.bool_)) or not isinstance(asked, (int, np.integer)) or not 1 <= asked <= MOST_LEVELS:
        raise InputError("depth", f"{asked!r} must be a whole number from 1 to {MOST_LEVELS:,}: levels a side")
    return int(asked)


def parse_bytes(value: str | int, argument: str) -> int:
    """Return a number of bytes: ``2_000_000_000``, ``"2GB"`` (10^9 each), ``"512MiB"`` (2^20 each).

    Raises
    ------
    InputError
        Not a size, or not above zero.
    """
    found = _BYTES.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        count = float(found[1]) * _BYTE_UNITS[found[2][:-1].lower()]
    elif isinstance(value, int) and not isinstance(value, bool):
        count = value
    else:
        raise InputError(argument, f"{value!r} is not a size; write '2GB', '500MB' or a number of bytes")
    if count < 1:
        raise InputError(argument, f"{value!r} must be at least one byte")
    return int(count)


def names_of(argument: str, asked: object) -> list[str]:
    """Return the names that were asked for, one or several.

    Raises
    ------
    InputError
        None, or something that is no name.
    """
    names = [asked] if isinstance(asked, str) else list(asked) if isinstance(asked, Iterable) else [asked]
    if not names:
        raise InputError(argument, "is empty; give at least one name")
    for name in names:
        if not isinstance(name, str):
            raise InputError(argument, f"{name!r} is not a name; give a string or a list of strings")
    return [str(name).strip() for name in names]


def as_spelled(names: list[str], there: Iterable[str]) -> list[str]:
    """Return `names` in the spelling of what is there: the letter case asked for does not matter."""
    spelling = {name.casefold(): name for name in there}
    return [name if name in spelling.values() else spelling.get(name.casefold(), name) for name in names]


def in_order(names: Iterable[str], documented: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names`, each once: the documented ones in their order, then others by spelling."""
    place = {name: i for i, name in enumerate(documented)}
    return tuple(sorted(set(names), key=lambda name: (place.get(name, len(documented)), name)))


def plain_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given of a call's arguments, as plain JSON."""
    return {name: _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (dt.date, pd.Timestamp)):
        return value.isoformat()
    if hasattr(value, "__iter__"):
        return [_plain(v) for v in value]
    return str(value)
