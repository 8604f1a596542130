"""Bars as arrays. A trade is the smallest bar; bars of any size merge into larger ones by one rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tape:
    """Trades, series by series, each in its total order.

    Attributes
    ----------
    series : array of int
        Whose trade it is; equal ones stand together.
    time_us : array of int
        Microseconds since 1970 UTC.
    price, amount : array of float
        In quote and in base currency.
    sign : array of int
        1 where the aggressor bought, -1 where he sold, 0 where that is not known.
    """

    series: npt.NDArray[Any]
    time_us: Ints
    price: Floats
    amount: Floats
    sign: npt.NDArray[np.int8]

    def starts(self) -> Ints:
        """Return where each series begins."""
        return _starts(self.series)


@dataclass(frozen=True, slots=True)
class Parts:
    """Bars, or parts of bars: of equal series and place the earlier stands first.

    Attributes
    ----------
    series, place : array of int
        Whose bar it is, and which of that series.
    first_us, last_us : array of int
        Times of the first and the last trade.
    open, high, low, close, volume, quote_volume, buy_volume, sell_volume : array of float
        As the columns of frames.
    num_trades : array of int
        Trades in it.
    """

    series: Ints
    place: Ints
    first_us: Ints
    last_us: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats
    buy_volume: Floats
    sell_volume: Floats
    num_trades: Ints

    def __len__(self) -> int:
        return len(self.place)


def of_trades(tape: Tape, place: Ints) -> Parts:
    """Return the bars of a tape whose trades lie at `place`, which never falls within a series."""
    if not len(place):
        return nothing()
    quote = tape.price * tape.amount
    one_each = np.ones(len(place), np.int64)
    bought = np.where(tape.sign > 0, tape.amount, 0.0)
    sold = np.where(tape.sign < 0, tape.amount, 0.0)
    price, time = tape.price, tape.time_us
    each = Parts(tape.series, place, time, time, price, price, price, price, tape.amount, quote, bought, sold, one_each)
    return _merge(each, bar_starts(tape, place))


def bar_starts(tape: Tape, place: Ints) -> Ints:
    """Return with which trade of a tape each bar of `of_trades` begins."""
    return _starts(tape.series, place)


def united(parts: Sequence[Parts]) -> Parts:
    """Return the bars of which `parts`, given in order of time, are parts; series by series."""
    if not parts:
        return nothing()
    whole = Parts(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Parts)))
    if not len(whole):
        return whole
    order = np.lexsort((whole.place, whole.series))  # stable: parts of one bar stay in order of time
    whole = Parts(*(getattr(whole, f.name)[order] for f in fields(Parts)))
    return _merge(whole, _starts(whole.series, whole.place))


def nothing() -> Parts:
    """Return no bars."""
    none: dict[str, npt.NDArray[Any]] = {f.name: np.empty(0, np.int64 if f.type == "Ints" else np.float64) for f in fields(Parts)}
    return Parts(**none)


def chosen(parts: Parts, which: npt.NDArray[Any]) -> Parts:
    """Return some of `parts`, by mask or by position."""
    return Parts(*(getattr(parts, f.name)[which] for f in fields(Parts)))


def _merge(parts: Parts, starts: Ints) -> Parts:
    """Return one bar for each run of `parts` that begins at `starts`."""
    ends = np.append(starts[1:], len(parts)) - 1
    return Parts(
        series=np.asarray(parts.series[starts], np.int64),
        place=parts.place[starts],
        first_us=parts.first_us[starts],
        last_us=parts.last_us[ends],
        open=parts.open[starts],
        high=np.maximum.reduceat(parts.high, starts),
        low=np.minimum.reduceat(parts.low, starts),
        close=parts.close[ends],
        volume=np.add.reduceat(parts.volume, starts),
        quote_volume=np.add.reduceat(parts.quote_volume, starts),
        buy_volume=np.add.reduceat(parts.buy_volume, starts),
        sell_volume=np.add.reduceat(parts.sell_volume, starts),
        num_trades=np.add.reduceat(parts.num_trades, starts),
    )


def _starts(*keys: npt.NDArray[Any]) -> Ints:
    """Return where any of `keys` differs from the row before."""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    new = np.ones(len(keys[0]), bool)
    new[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)
