"""Exchanges beside one another: what their tickers say over a range, and bucket by bucket."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from qalypto_research.asked import Names, pick_every
from qalypto_research.errors import GapWarning, InputError, warn_caller
from qalypto_research.history.buckets import whole_buckets
from qalypto_research.history.calls import Ask, Call, calling, list_pairs, warn_of_absent, warn_of_start, with_facts
from qalypto_research.history.query import Span
from qalypto_research.history.reader import Reader
from qalypto_research.history.venuequery import ComparisonQuery, spread_query
from qalypto_research.schema.frames import SPREADS, TICKERS, TIME_DTYPE, category
from qalypto_research.schema.vocabulary import SYMBOLS
from qalypto_research.timerange import DurationLike, TimeLike

_MINUTES: Final = 5
"""The documentation's own comparison looks back so far."""


def compare(
    con: Reader,
    symbols: Names,
    minutes: float | None = None,
    *,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
) -> pd.DataFrame:
    """Compare the prices of each symbol across exchanges, as known at the connection's now.

    Source table: ``market_data_ticker``. A series asked for that has no ticker in the range has no row, and is named in
    a ``GapWarning``: of all exchanges those that have the symbol, of exchanges named each.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    minutes : float, optional
        The last so many minutes; 5 where no other length and no `start` is given.
    exchange : str or list of str, optional
        A name, several, or "all". By default all, whatever the connection's own is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours : float, optional
        Instead of minutes: up to now when alone, else from `start` or back from `end`.

    Returns
    -------
    pandas.DataFrame
        One row an exchange and symbol, a plain RangeIndex; symbols in the documented order, within one the highest
        avg_price first, ties by exchange. Columns: symbol, exchange (category); avg_price (the mean over updates),
        max_price, min_price of last_price (float64, quote currency); updates (int64, number of tickers); of the newest
        ticker last_price, last_update (``datetime64[us, UTC]``), bid_price, ask_price (NaN where there is none);
        diff_bps (float64): avg_price against the mean of avg_price over the exchanges shown, in basis points.

    Raises
    ------
    UnknownNameError
        A symbol or exchange that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> both = con.compare(["BTCUSDT", "ETHUSDT"])
    >>> both["symbol"].to_list()
    ['BTCUSDT', 'BTCUSDT', 'BTCUSDT', 'BTCUSDT', 'ETHUSDT', 'ETHUSDT', 'ETHUSDT', 'ETHUSDT']
    >>> con.close()
    """
    if start is None and days is None and hours is None and minutes is None:
        minutes = _MINUTES
    ask = Ask(symbols, _exchanges(exchange), start, end, days, hours, minutes, None, None, None, "2GB")
    with calling(con, TICKERS, ask) as call:
        warn_of_start(call)
        base = call.query
        query = ComparisonQuery(base.table, base.relation, base.arrival, base.columns, base.exchanges, base.symbols)
        span = Span(call.window.start, call.window.until)
        totals = call.snapshot.fetch(*query.totals(span), label="compare")
        newest = call.snapshot.fetch(*query.newest(span), label="compare")
        asked = {"call": "compare", **{name: value for name, value in ask.as_facts().items() if name != "max_bytes"}}
        frame = with_facts(_compared(totals, newest), con, call.snapshot, call.window, asked)
        missing = _without_row(call, exchange, set(zip(frame["exchange"], frame["symbol"], strict=True)))
    if missing:
        window = f"from {call.window.start} to {call.window.end}"
        warn_caller(f"{TICKERS.table.sql_name} has no row of {list_pairs(missing)} {window}: not compared", GapWarning)
    return frame


def spreads(
    con: Reader,
    symbols: Names,
    every: DurationLike = "1s",
    *,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return the best bid and ask over several exchanges, and how far their prices lie apart, bucket by bucket.

    Of each exchange the last ticker of the bucket counts. One without a ticker in the bucket does not count there:
    nothing is carried forward, and a bucket without any ticker has no row. Reduced in ClickHouse. Source table:
    ``market_data_ticker``.

    A row bears the time at which its bucket begins, and is known only at ``timestamp + every``: shift it by `every`
    before you join it to anything later, as ``spreads.shift(freq=every)``. A bucket is shown once it is over at the
    connection's now, less the ingestion delay; the running one never is. A ticker that arrives later still would
    change it.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    every : str or timedelta
        Length of a bucket, whole milliseconds. Buckets lie on a grid from 1970 UTC: with "1h" they begin at full hours.
    exchange : str or list of str, optional
        A name, several, or "all". By default all, whatever the connection's own is.
    start, end : str, datetime or Timestamp, optional
        Buckets that begin from `start` (inclusive) to `end` (exclusive); each is read whole. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: the last so many whole buckets when alone, else from `start` or back from
        `end`.
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all symbols together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; buckets and range are not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        One row a bucket and symbol. Index ``timestamp``: the begin of the bucket, ``datetime64[us, UTC]``, ascending;
        ties by symbol. Columns: symbol (category); exchanges (int64: how many count; a count is never missing);
        bid_price, ask_price: the best over the exchanges, bid_exchange, ask_exchange (category): whose they are, the
        first by name where several have it; mid_price; spread, ask_price - bid_price, negative where one exchange bids
        more than another asks; spread_bps, of mid_price in basis points; min_price, max_price, avg_price over the
        exchanges' last_price; range_bps, max_price - min_price of avg_price in basis points. Prices and spread are in
        quote currency, float64. A bid or ask that an exchange does not give does not count; where none gives one, it,
        its exchange and what follows from it are NaN.

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself, starts after now, or is shorter than one bucket.
    InputError
        Any other argument that cannot be used, or no range at all.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> apart = con.spreads("BTCUSDT", every="1m", minutes=10)
    >>> len(apart), int(apart["exchanges"].min())
    (10, 4)
    >>> con.close()
    """
    every_ms = pick_every(every)
    if every_ms is None:
        raise InputError("every", "is None; give the length of a bucket, as '1s', '5m' or '250ms'")
    ask = Ask(symbols, _exchanges(exchange), start, end, days, hours, minutes, columns, limit, tz, max_bytes)
    with calling(con, SPREADS, ask) as call:
        missing = _without_row(call, exchange, {(s.exchange, s.symbol) for s in call.snapshot.series()})
        if missing:
            warn_caller(f"there is no {list_pairs(missing)} here", GapWarning)
        warn_of_absent(call)
        warn_of_start(call)
        window = whole_buckets(call, every_ms)
        query = spread_query(call.query, every_ms)
        frame = call.read(query, window, "spreads", limit=call.limit, tz=call.tz)
        return with_facts(frame, con, call.snapshot, window, {"call": "spreads", "every_ms": every_ms, **ask.as_facts()})


def _exchanges(asked: Names | None) -> Names:
    """Return the exchanges to set side by side: all of them where none is named."""
    return "all" if asked is None else asked


def _without_row(call: Call, exchange: Names | None, there: set[tuple[Any, Any]]) -> list[tuple[str, str]]:
    """Return the series asked for that are not `there`: where exchanges were named, every one of each symbol."""
    names = [exchange] if isinstance(exchange, str) else list(["all"] if exchange is None else exchange)
    named = all(name.strip().casefold() != "all" for name in names)
    asked = [(e, s) for e in call.query.exchanges for s in call.query.symbols] if named else call.pairs
    return [pair for pair in asked if pair not in there]


def _compared(totals: pa.Table, newest: pa.Table) -> pd.DataFrame:
    rows = {(row["exchange"], row["symbol"]): row for row in newest.to_pylist()}
    known = {name: place for place, name in enumerate(SYMBOLS)}
    ordered = sorted(
        (row | rows[row["exchange"], row["symbol"]] for row in totals.to_pylist()),
        key=lambda row: (known.get(row["symbol"], len(known)), row["symbol"], -row["avg_price"], row["exchange"]),
    )
    numbers = ("avg_price", "max_price", "min_price", "updates", "last_price", "last_update", "bid_price", "ask_price")
    frame = pd.DataFrame(ordered, columns=["symbol", "exchange", *numbers])
    frame = frame.astype(
        {
            "symbol": category("symbol", frame["symbol"]),
            "exchange": category("exchange", frame["exchange"]),
            "last_update": TIME_DTYPE,
            "updates": "int64",
            **{name: "float64" for name in numbers if name.endswith("_price")},
        }
    )
    mean = frame.groupby("symbol", observed=True)["avg_price"].transform("mean")
    return frame.assign(diff_bps=(frame["avg_price"] / mean - 1) * 10_000)
