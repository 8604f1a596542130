"""What users ask for, held against what there is, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from qalypto_research.asked import Names, as_spelled, in_order, names_of, pick_interval
from qalypto_research.engine.snapshot import SeriesKnown
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.tables import TABLES
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS

Gaps = Literal["warn", "raise", "ignore"]


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
    there = in_order({s.exchange for s in known}, EXCHANGES)
    if asked is None and default is None:
        if len(there) != 1 and "binance" not in there:
            raise InputError("exchange", f"several are here and none is the default; name one of {', '.join(there)}, or 'all'")
        return ("binance",) if "binance" in there else there
    names = as_spelled(names_of("exchange", asked if asked is not None else default), (*there, "all"))
    for name in names:
        if name not in (*there, "all"):
            raise UnknownNameError("exchange", name, (*there, "all"))
    return there if "all" in names else in_order(names, EXCHANGES)


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
    there = in_order({symbol for exchange, symbol in pairs if exchange in exchanges}, SYMBOLS)
    names = as_spelled(names_of(argument, asked), (*{symbol for _, symbol in pairs}, *there))
    for name in names:
        if name not in there:
            elsewhere = in_order({exchange for exchange, symbol in pairs if symbol == name}, EXCHANGES)
            hint = f"it is on {', '.join(elsewhere)}, not on {', '.join(exchanges)}: give exchange=" if elsewhere else ""
            raise UnknownNameError(argument, name, there, hint)
    return in_order(names, SYMBOLS)


def pick_intervals(asked: Names | None, known: Iterable[SeriesKnown]) -> tuple[str, ...]:
    """Return the candle intervals a call means, the shortest first; None is all there are.

    Raises
    ------
    UnknownNameError
        Not there.
    InputError
        No names, or something that is no name.
    """
    there = in_order({s.interval for s in known if s.interval}, INTERVALS)
    if asked is None:
        return there
    names = [pick_interval(name) for name in names_of("interval", asked)]
    for name in names:
        if name not in there:
            raise UnknownNameError("interval", name, there, "no candle of it is here")
    return in_order(names, INTERVALS)


def pick_tables(asked: Names | None, known: Iterable[SeriesKnown]) -> tuple[str, ...]:
    """Return the tables a call means, by their short names; None is all there are.

    Raises
    ------
    UnknownNameError
        Not there.
    InputError
        No names, or something that is no name.
    """
    there = in_order({s.table for s in known}, tuple(TABLES))
    if asked is None:
        return there
    names = as_spelled(names_of("tables", asked), there)
    for name in names:
        if name not in there:
            raise UnknownNameError("tables", name, there, "no row of it is here" if name.casefold() in TABLES else "")
    return in_order(names, tuple(TABLES))


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
