"""What users ask for, held against what there is, before anything is sent."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

import numpy as np

from qalypto_research.engine.snapshot import SeriesKnown
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.frames import Frame, FrameColumn
from qalypto_research.schema.tables import TABLES
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVAL_MS, INTERVALS, SYMBOLS
from qalypto_research.timerange import DurationLike, parse_duration

Names = str | Sequence[str]
Gaps = Literal["warn", "raise", "ignore"]

MOST_LEVELS: Final = 1_000
"""Twice what exchanges give; each level is four columns."""

_BYTES: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?b)", re.IGNORECASE)
_BYTE_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def pick_exchanges(asked: Names | None, default: str | None, known: Iterable[SeriesKnown]) -> tuple[str, ...]:
    """Return the exchanges a call means.

    None is the connection's default; without one it is "binance", or the only exchange there is.

    Raises
    ------
    UnknownNameError
        Not there.
    InputError
        No names, or none was named where there are several and no binance.
    """
    there = _in_order({s.exchange for s in known}, EXCHANGES)
    if asked is None and default is None:
        if len(there) != 1 and "binance" not in there:
            raise InputError("exchange", f"several are here and none is the default; name one of {', '.join(there)}, or 'all'")
        return ("binance",) if "binance" in there else there
    names = _as_spelled(_names("exchange", asked if asked is not None else default), (*there, "all"))
    for name in names:
        if name not in (*there, "all"):
            raise UnknownNameError("exchange", name, (*there, "all"))
    return there if "all" in names else _in_order(names, EXCHANGES)


def pick_symbols(asked: Names, exchanges: Sequence[str], known: Iterable[SeriesKnown], argument: str = "symbols") -> tuple[str, ...]:
    """Return the symbols a call means, in the documented order; `argument` is what the call names them by.

    Raises
    ------
    UnknownNameError
        Not there, or not on any of `exchanges`.
    InputError
        No names, or something that is no name.
    """
    pairs = {(s.exchange, s.symbol) for s in known}
    there = _in_order({symbol for exchange, symbol in pairs if exchange in exchanges}, SYMBOLS)
    names = _as_spelled(_names(argument, asked), (*{symbol for _, symbol in pairs}, *there))
    for name in names:
        if name not in there:
            elsewhere = _in_order({exchange for exchange, symbol in pairs if symbol == name}, EXCHANGES)
            hint = f"it is on {', '.join(elsewhere)}, not on {', '.join(exchanges)}: give exchange=" if elsewhere else ""
            raise UnknownNameError(argument, name, there, hint)
    return _in_order(names, SYMBOLS)


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


def pick_intervals(asked: Names | None, known: Iterable[SeriesKnown]) -> tuple[str, ...]:
    """Return the candle intervals a call means, the shortest first; None is all there are.

    Raises
    ------
    UnknownNameError
        Not there.
    InputError
        No names, or something that is no name.
    """
    there = _in_order({s.interval for s in known if s.interval}, INTERVALS)
    if asked is None:
        return there
    names = [pick_interval(name) for name in _names("interval", asked)]
    for name in names:
        if name not in there:
            raise UnknownNameError("interval", name, there, "no candle of it is here")
    return _in_order(names, INTERVALS)


def pick_tables(asked: Names | None, known: Iterable[SeriesKnown]) -> tuple[str, ...]:
    """Return the tables a call means, by their short names; None is all there are.

    Raises
    ------
    UnknownNameError
        Not there.
    InputError
        No names, or something that is no name.
    """
    there = _in_order({s.table for s in known}, tuple(TABLES))
    if asked is None:
        return there
    names = _as_spelled(_names("tables", asked), there)
    for name in names:
        if name not in there:
            raise UnknownNameError("tables", name, there, "no row of it is here" if name.casefold() in TABLES else "")
    return _in_order(names, tuple(TABLES))


def pick_columns(asked: Names | None, frame: Frame) -> tuple[FrameColumn, ...]:
    """Return the columns a call means, in the table's order. ``timestamp`` is always there, as the index.

    Raises
    ------
    UnknownNameError
        Not a column of that frame.
    """
    if asked is None:
        return frame.columns
    names = _names("columns", asked)
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


def pick_gaps(asked: str) -> Gaps:
    """Return what to do about missing candles.

    Raises
    ------
    UnknownNameError
        Not one of the three.
    """
    for known in get_args(Gaps):
        if asked == known:
            return known  # type: ignore[no-any-return]
    raise UnknownNameError("gaps", asked, get_args(Gaps))


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


def _names(argument: str, asked: object) -> list[str]:
    names = [asked] if isinstance(asked, str) else list(asked) if isinstance(asked, Iterable) else [asked]
    if not names:
        raise InputError(argument, "is empty; give at least one name")
    for name in names:
        if not isinstance(name, str):
            raise InputError(argument, f"{name!r} is not a name; give a string or a list of strings")
    return [str(name).strip() for name in names]


def _as_spelled(names: list[str], there: Iterable[str]) -> list[str]:
    """Return `names` in the spelling of what is there: the letter case asked for does not matter."""
    spelling = {name.casefold(): name for name in there}
    return [name if name in spelling.values() else spelling.get(name.casefold(), name) for name in names]


def _in_order(names: Iterable[str], documented: tuple[str, ...]) -> tuple[str, ...]:
    place = {name: i for i, name in enumerate(documented)}
    return tuple(sorted(set(names), key=lambda name: (place.get(name, len(documented)), name)))
