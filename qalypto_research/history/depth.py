"""Order books level by level, as stored: read out of their JSON in ClickHouse, side by side in the frame."""

from __future__ import annotations

import datetime as dt
from typing import Final

import pandas as pd

from qalypto_research.asked import Names, pick_depth
from qalypto_research.errors import DataError, QueryError
from qalypto_research.history.calls import Ask, Call, calling, warn_of_less, with_facts
from qalypto_research.history.levels import UNREADABLE, unreadable_sql
from qalypto_research.history.query import Span
from qalypto_research.history.reader import Reader
from qalypto_research.schema.frames import orderbooks_of
from qalypto_research.timerange import DurationLike, TimeLike

_SHOWN: Final = 60


def orderbooks(
    con: Reader,
    symbol: Names,
    *,
    depth: int = 10,
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
    every: DurationLike | None = None,
) -> pd.DataFrame:
    """Return order books, the levels of each side as columns side by side; as stored, nothing is rebuilt.

    A row is a whole book (``is_snapshot``) or an update to one: of an update the levels are those that changed, size 0
    where one went away. Source table: ``market_data_orderbook``, columns ``bids_json`` and ``asks_json``.

    Parameters
    ----------
    symbol : str or list of str
        A pair such as ``"BTCUSDT"``, or several; upper or lower case.
    depth : int
        Levels a side, from 1 to 1,000, the first stored first: the best in a whole book.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the frame's order. A side that none of them shows is not read.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.
    every : str or timedelta, optional
        A length such as "1s" or "5m": only the last row of each bucket of time, per exchange and symbol, found in
        ClickHouse. Buckets lie on a grid from 1970, so a length that divides a day starts with each UTC day; one cut by
        the range counts with its rows inside. Rows keep their own time and values, an empty bucket gives none.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); bid_price_0, bid_size_0, ask_price_0, ask_size_0, bid_price_1 and so on to
        ``depth - 1`` (float64; prices in quote currency, sizes in base currency; NaN beyond the depth there is);
        is_snapshot (bool: a whole book, not an update); sequence_id (str).

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used, or no range at all.
    DataError
        A side in the answer that is not ``[[price, size], ...]``.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> books = con.orderbooks("BTCUSDT", depth=2, minutes=1)
    >>> list(books.columns)[2:10]
    ['bid_price_0', 'bid_size_0', 'ask_price_0', 'ask_size_0', 'bid_price_1', 'bid_size_1', 'ask_price_1', 'ask_size_1']
    >>> bool((books["bid_price_0"] > books["bid_price_1"]).all())
    True
    >>> con.close()
    """
    levels = pick_depth(depth)
    frame = orderbooks_of(levels)
    ask = Ask(symbol, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes, every)
    with calling(con, frame, ask, named="symbol") as call:
        warn_of_less(call)
        try:
            answer = call.read(call.query, call.window, frame.name, limit=call.limit, tz=call.tz)
        except QueryError as error:
            if error.code != UNREADABLE:
                raise
            raise _where_unreadable(call) or error from error
        return with_facts(answer, con, call.snapshot, call.window, {"call": frame.name, "depth": levels, **ask.as_facts()})


def _where_unreadable(call: Call) -> DataError | None:
    """Return the error for the newest row of the range that cannot be read: one that a `limit` meets, too."""
    conditions = {c.source.name: unreadable_sql(c.source.name) for c in call.columns if c.place is not None}
    found = call.snapshot.fetch(*call.query.find(Span(call.window.start, call.window.until), conditions)).to_pylist()
    if not found:
        return None
    row = found[0]
    text = row["value"] if len(row["value"]) <= _SHOWN else f"{row['value'][:_SHOWN]} ..."
    return DataError(
        f"{text!r} is not [[price, size], ...]; leave it out with start and end, or read it as text with qr.sql",
        exchange=row["exchange"],
        symbol=row["symbol"],
        timestamp=pd.Timestamp(row["timestamp"]),
        column=row["column"],
    )
