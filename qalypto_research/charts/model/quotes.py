"""Exchanges side by side: what each quotes now, what each quoted over time, and the best over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from qalypto_research.charts.model.checking import (
    Floats,
    Times,
    is_synthetic,
    pick_frame,
    pick_numbers,
    pick_one,
    pick_times,
    pick_title,
    rows_of,
)
from qalypto_research.charts.model.numbers import decimals_of
from qalypto_research.charts.model.spans import held
from qalypto_research.errors import InputError
from qalypto_research.schema.vocabulary import EXCHANGES

SOURCES: Final = "qr.compare, qr.spreads, qr.tickers or qr.orderbook_tops"
_SECOND_US: Final = 1_000_000
_PATIENCE_US: Final = 10 * _SECOND_US


@dataclass(frozen=True, slots=True, eq=False)
class Venues:
    """What each exchange quotes, one row each.

    Attributes
    ----------
    title : str
    synthetic : bool
    decimals : int
    names : tuple of str
        The exchanges, from top to bottom.
    bid, ask, last : numpy.ndarray of float64
        NaN where one gives none.
    low, high : numpy.ndarray of float64
        Between which the last price was; NaN where the frame does not say.
    age_s : numpy.ndarray of float64
        Seconds; see `age_of`.
    age_of : str
        What the age is: "old" (by the connection's clock), or "behind" (the newest of them).
    """

    title: str
    synthetic: bool
    decimals: int
    names: tuple[str, ...]
    bid: Floats
    ask: Floats
    last: Floats
    low: Floats
    high: Floats
    age_s: Floats
    age_of: str

    @property
    def spread_bps(self) -> Floats:
        return basis_points(self.bid, self.ask)


@dataclass(frozen=True, slots=True, eq=False)
class VenueLines:
    """What one exchange quoted over time, as steps; NaN where it had been silent for too long.

    Attributes
    ----------
    name : str
    time_us : numpy.ndarray of int64
        Microseconds since 1970 UTC.
    price, bid, ask : numpy.ndarray of float64
        The last price (of books: the middle), and the best quotes.
    age_time_us, age_s : numpy.ndarray
        Seconds since the last row, at each row and just after it.
    """

    name: str
    time_us: Times
    price: Floats
    bid: Floats
    ask: Floats
    age_time_us: Times
    age_s: Floats

    @property
    def spread_bps(self) -> Floats:
        return basis_points(self.bid, self.ask)


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """What several exchanges quoted over time.

    Attributes
    ----------
    title, price_name : str
        Of the whole, and of the price: "last price" or "mid price".
    synthetic : bool
    begin_us, end_us : int
        From the first row to the last.
    lines : tuple of VenueLines
    """

    title: str
    price_name: str
    synthetic: bool
    begin_us: int
    end_us: int
    lines: tuple[VenueLines, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BestQuotes:
    """The best bid and ask over all exchanges, a bucket of time each; NaN where no exchange quoted.

    Attributes
    ----------
    title : str
    synthetic : bool
    time_us : numpy.ndarray of int64
        Begin of each bucket; after a bucket that is missing, and at the end, a row of NaN.
    bid, ask, spread_bps : numpy.ndarray of float64
    bid_exchange, ask_exchange : tuple of str
        Whose they are; empty where nobody's.
    """

    title: str
    synthetic: bool
    time_us: Times
    bid: Floats
    ask: Floats
    spread_bps: Floats
    bid_exchange: tuple[str, ...]
    ask_exchange: tuple[str, ...]


def basis_points(bid: Floats, ask: Floats) -> Floats:
    """Return the spread in basis points of the middle; NaN where that is zero."""
    middle = (bid + ask) / 2
    found: Floats = np.divide((ask - bid) * 1e4, middle, out=np.full(len(middle), np.nan), where=middle != 0)
    return found


def build_comparison(df: pd.DataFrame, *, stale_us: int | None = None, title: str | None = None) -> Venues | Quotes | BestQuotes:
    """Return what a comparison of exchanges shows: by the columns of `df` rows, lines, or the best over all.

    Raises
    ------
    InputError
        The frame has none of these columns, or holds several symbols.
    """
    frame = pick_frame(df, (), SOURCES)
    if "bid_exchange" in frame.columns:
        return _build_best(frame, title)
    if {"last_update", "price_age"} & set(frame.columns):
        return _build_venues(frame, title)
    if not {"last_price", "bid_price", "ask_price"} & set(frame.columns):
        pick_frame(df, ("exchange", "bid_price", "ask_price"), SOURCES)
    return _build_quotes(frame, stale_us, title)


def _build_venues(df: pd.DataFrame, title: str | None) -> Venues:
    frame = pick_frame(df, ("exchange", "last_price", "bid_price", "ask_price"), "qr.compare or live.last")
    symbol = pick_one(frame, "symbol")
    twice = frame["exchange"].duplicated()
    if twice.any():
        raise InputError("df", f"has {frame['exchange'][twice].iloc[0]} twice; one row an exchange is what qr.compare returns")
    nothing = np.full(len(frame), np.nan)
    if "last_update" in frame.columns:
        updates = pd.to_datetime(frame["last_update"], utc=True)
        age, age_of = np.asarray((updates.max() - updates).dt.total_seconds(), dtype=np.float64), "behind"
    else:
        newest = "quote_age" if "quote_age" in frame.columns else "price_age"
        age, age_of = pick_numbers(frame, newest), "old"
    bid, ask, last = (pick_numbers(frame, name) for name in ("bid_price", "ask_price", "last_price"))
    low, high = (pick_numbers(frame, name) if name in frame.columns else nothing for name in ("min_price", "max_price"))
    return Venues(
        title=pick_title(title, symbol),
        synthetic=is_synthetic(frame),
        decimals=decimals_of(np.concatenate([last, bid, ask])),
        names=tuple(str(name) for name in frame["exchange"]),
        bid=bid,
        ask=ask,
        last=last,
        low=low,
        high=high,
        age_s=age,
        age_of=age_of,
    )


def _build_quotes(df: pd.DataFrame, stale_us: int | None, title: str | None) -> Quotes:
    frame = pick_frame(df, ("bid_price", "ask_price"), SOURCES)
    symbol, times = pick_one(frame, "symbol"), pick_times(frame)
    begin_us, end_us = (int(times[0]), int(times[-1])) if len(times) else (0, 0)
    parts = rows_of(frame, "exchange", EXCHANGES)
    names = [name for name, _ in parts if name]
    return Quotes(
        title=pick_title(title, symbol, names[0] if len(names) == 1 else ""),
        price_name="last price" if "last_price" in frame.columns else "mid price",
        synthetic=is_synthetic(frame),
        begin_us=begin_us,
        end_us=end_us,
        lines=tuple(_venue_lines(name, part, stale_us, end_us) for name, part in parts if len(part)),
    )


def _venue_lines(name: str, rows: pd.DataFrame, stale_us: int | None, end_us: int) -> VenueLines:
    times = pick_times(rows)
    bid, ask = pick_numbers(rows, "bid_price"), pick_numbers(rows, "ask_price")
    price = pick_numbers(rows, "last_price") if "last_price" in rows.columns else (bid + ask) / 2
    longest = longest_wait(times) if stale_us is None else stale_us
    time_us, price = held(times, price, longest, end_us)
    (_, bid), (_, ask) = (held(times, side, longest, end_us) for side in (bid, ask))
    waits = np.diff(np.append(times, end_us)) / _SECOND_US
    age_time = np.column_stack([times, np.append(times[1:], end_us)]).ravel()
    return VenueLines(name, time_us, price, bid, ask, age_time, np.column_stack([np.zeros(len(waits)), waits]).ravel())


def longest_wait(times: Times) -> int:
    """Return how long a value counts without a new one, microseconds: five usual waits, at least ten seconds."""
    waits = np.diff(times)
    waits = waits[waits > 0]
    return max(_PATIENCE_US, 5 * int(np.median(waits)) if len(waits) else 0)


def _build_best(df: pd.DataFrame, title: str | None) -> BestQuotes:
    frame = pick_frame(df, ("bid_price", "bid_exchange", "ask_price", "ask_exchange", "spread_bps"), "qr.spreads")
    symbol, times = pick_one(frame, "symbol"), pick_times(frame, distinct=True)
    bid, ask, spread = (pick_numbers(frame, name) for name in ("bid_price", "ask_price", "spread_bps"))
    owners = [frame[name].astype(object).where(frame[name].notna(), "").to_list() for name in ("bid_exchange", "ask_exchange")]
    steps = np.diff(times)
    bucket = int(steps.min()) if len(steps) else _SECOND_US
    missing = np.append(np.flatnonzero(steps > bucket) + 1, len(times)) if len(times) else np.empty(0, np.int64)

    def opened(values: Sequence[float] | Floats) -> Floats:
        return np.insert(np.asarray(values, dtype=np.float64), missing, np.nan)

    def named(values: Sequence[object]) -> tuple[str, ...]:
        return tuple(str(v) for v in np.insert(np.asarray(values, dtype=object), missing, ""))

    return BestQuotes(
        title=pick_title(title, symbol, "best of all exchanges"),
        synthetic=is_synthetic(frame),
        time_us=np.insert(times, missing, times[missing - 1] + bucket),
        bid=opened(bid),
        ask=opened(ask),
        spread_bps=opened(spread),
        bid_exchange=named(owners[0]),
        ask_exchange=named(owners[1]),
    )
