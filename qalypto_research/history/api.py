"""The history calls. Each takes a connection first: as a method of one, or on the default connection at top level."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.errors import FormatDroppedWarning, GapWarning, WallClockWarning, warn_caller
from qalypto_research.history.arguments import Names, pick_flag, pick_gaps, pick_interval
from qalypto_research.history.calls import Ask, Call, calling, with_facts
from qalypto_research.history.candles import read_candles
from qalypto_research.history.gaps import report_holes
from qalypto_research.history.reader import Reader
from qalypto_research.history.usersql import prepare
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES, Frame, category
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS
from qalypto_research.timerange import TimeLike


_QUIET: Final = dt.timedelta(minutes=1)
"""A market may be quiet for so long: a table that begins within this of a range covers it."""


def klines(
    con: Reader,
    symbols: Names,
    interval: str = "1h",
    *,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    final: bool = True,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    gaps: str = "warn",
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return candles, one row a candle.

    Of a candle's running updates and repeated final rows exactly one is returned. A candle is closed when its final
    row is known and its time is over. Source table: ``market_data_kline``.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    interval : str
        One of 1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d (or the same length in other words, as "60m").
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Open times from `start` (inclusive) to `end` (exclusive). Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: the last so many whole candles when alone (``days=7`` at 1h: 168 of them),
        else counted from `start` or back from `end`. A candle that was over less than 10 seconds ago and has not
        arrived yet is not missed: the range then ends one candle earlier.
    final : bool
        False adds the forming candle, with ``is_final`` False: its newest known update; without one, closed finer
        candles and the trades after them, if they reach back to its open; else it is absent.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    gaps : {"warn", "raise", "ignore"}
        What to do where a candle of the range is missing. Nothing is ever filled in.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``: the open times, ``datetime64[us, UTC]``, ascending; ties by exchange, then symbol. Columns:
        exchange, symbol, interval (category); open, high, low, close in quote currency, volume in base currency,
        quote_volume, num_trades (float64, NaN where the exchange gives none); close_time (``datetime64[us, UTC]``, may
        be NaT); is_final (bool).

    Raises
    ------
    UnknownNameError
        A symbol, exchange, interval or column that is not there.
    RangeError
        A range that contradicts itself, starts after now, or is shorter than one candle.
    InputError
        Any other argument that cannot be used, or no range at all.
    GapError
        Candles are missing and ``gaps="raise"``.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> len(con.klines("BTCUSDT", "1h", days=7))
    168
    >>> con.close()
    """
    name, policy, final = pick_interval(interval), pick_gaps(gaps), pick_flag(final, "final")
    ask = Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes)
    with calling(con, KLINES, ask) as call:
        frame, window, holes = read_candles(call, name, final=final)
        facts = {"call": "klines", "interval": interval, "final": final, **ask.as_facts()}
        frame = with_facts(frame, con, call.snapshot, window, facts)
    report_holes(holes, name, policy)
    return frame


def trades(
    con: Reader,
    symbols: Names,
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
    """Return trades as the table has them; a repeated id is repeated here too.

    Source table: ``market_data_trade``.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then ``trade_id`` (by value
        where numeric). Columns: exchange, symbol (category), price in quote currency, amount in base currency
        (float64), side of the aggressor (category: buy, sell), trade_id (str), is_liquidation (bool).

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used, or no range at all.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> list(con.trades("BTCUSDT", minutes=5).columns)
    ['exchange', 'symbol', 'price', 'amount', 'side', 'trade_id', 'is_liquidation']
    >>> con.close()
    """
    return _read_table(con, TRADES, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes))


def tickers(
    con: Reader,
    symbols: Names,
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
    """Return ticker updates: last trade, best bid and ask, 24-hour figures, funding, mark and index, open interest.

    Source table: ``market_data_ticker``.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); last_price, bid_price, ask_price, bid_size, ask_size, high_24h, low_24h, volume_24h,
        quote_volume_24h, open_24h, funding_rate (a fraction a funding period), mark_price, index_price, open_interest
        (contracts), open_interest_value (USD), all float64 and NaN where the exchange gives none; next_funding_time
        (``datetime64[us, UTC]``) after funding_rate.

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used, or no range at all.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> quotes = con.tickers("BTCUSDT", exchange="all", minutes=1, columns=["exchange", "bid_price", "ask_price"])
    >>> bool((quotes["bid_price"] < quotes["ask_price"]).all())
    True
    >>> con.close()
    """
    return _read_table(con, TICKERS, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes))


def orderbook_tops(
    con: Reader,
    symbols: Names,
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
    """Return the best bid and ask of each order book row, as stored; nothing is rebuilt.

    Source table: ``market_data_orderbook``, where the four are called ``bids_price_0``, ``asks_price_0``,
    ``bids_size_0`` and ``asks_size_0``.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); bid_price, ask_price in quote currency, bid_size, ask_size in base currency
        (float64, NaN where a row has no such side); is_snapshot (bool: a whole book, not an update); sequence_id (str).

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used, or no range at all.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> tops = con.orderbook_tops("ETHUSDT", minutes=1)
    >>> bool((tops["bid_price"] < tops["ask_price"]).all())
    True
    >>> con.close()
    """
    return _read_table(con, ORDERBOOK_TOPS, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes))


def symbols(con: Reader) -> pd.DataFrame:
    """Return what there is, as known at the connection's now.

    Returns
    -------
    pandas.DataFrame
        One row an exchange and symbol, in the documented order. Columns: exchange, symbol (category); trades, tickers,
        orderbooks (bool: whether there are any); klines (str: the candle intervals there, such as "1m, 1h").

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> con.symbols().shape
    (40, 6)
    >>> con.close()
    """
    with con.snapshot() as snapshot:
        found: dict[tuple[str, str], dict[str, set[str]]] = {}
        for s in snapshot.series():
            found.setdefault((s.exchange, s.symbol), {}).setdefault(s.table, set()).add(s.interval)
        pairs = sorted(found, key=lambda pair: (_place(pair[0], EXCHANGES), _place(pair[1], SYMBOLS)))
        frame = pd.DataFrame(
            {
                "exchange": pd.Categorical([e for e, _ in pairs], dtype=category("exchange", [e for e, _ in pairs])),
                "symbol": pd.Categorical([s for _, s in pairs], dtype=category("symbol", [s for _, s in pairs])),
                **{f"{name}s": np.array([name in found[pair] for pair in pairs], bool) for name in ("trade", "ticker", "orderbook")},
                "klines": pd.array([", ".join(i for i in INTERVALS if i in found[p].get("kline", ())) for p in pairs], dtype="str"),
            }
        )
        return with_facts(frame, con, snapshot, None, {"call": "symbols"})


def sql(con: Reader, query: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the answer to a SELECT over the service's tables, as known at the connection's now.

    The tables are ``market_data_trade``, ``market_data_ticker``, ``market_data_kline`` and ``market_data_orderbook``, with
    or without ``market_data.`` before them. What the connection's clock has not reached yet is not in them.

    Parameters
    ----------
    query : str
        One SELECT, or WITH ... SELECT. ``{now}`` stands for the connection's clock (``DateTime64(6, 'UTC')``),
        ``{name:Type}`` for a bound value. ClickHouse's own ``now()`` is wall time; on a connection with a clock it draws
        a warning. A trailing FORMAT is dropped, with a warning: the answer is a frame.
    params : mapping of str to value, optional
        The bound values: strings, numbers, times (naive ones are UTC), dates, lists of them.

    Returns
    -------
    pandas.DataFrame
        Rows and columns as selected, a plain RangeIndex. Times and dates ``datetime64[us, UTC]``; text ``str``, as a
        category where the column is called exchange, symbol, side or interval; floats float64; integers as ClickHouse
        has them (with NULLs: float64 up to 32 bits, else ``Int64`` or ``UInt64``).

    Raises
    ------
    InputError
        Not one SELECT, or a bound value missing, left over or of a kind that cannot be bound.
    QueryError
        ClickHouse refused it.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> con.sql("SELECT count() > 0 AS any FROM market_data_trade WHERE timestamp >= {now} - INTERVAL 1 HOUR")["any"].item()
    1
    >>> con.close()
    """
    with con.snapshot() as snapshot:
        prepared = prepare(query, params, snapshot.moment)
        if prepared.dropped_format is not None:
            dropped = f"query: the trailing FORMAT {prepared.dropped_format} was dropped; the answer is a DataFrame"
            warn_caller(dropped, FormatDroppedWarning)
        if prepared.wall_clock is not None and con.clocked:
            now = f"this connection's clock says {snapshot.moment}; write {{now}} for the clock"
            warn_caller(f"query: {prepared.wall_clock} is wall time, while {now}", WallClockWarning)
        frame = snapshot.answer(prepared.sql, prepared.parameters, label="sql")
        return with_facts(frame, con, snapshot, None, {"call": "sql", "query": query})


def _place(name: str, documented: tuple[str, ...]) -> tuple[int, str]:
    return (documented.index(name) if name in documented else len(documented), name)


def _read_table(con: Reader, frame: Frame, ask: Ask) -> pd.DataFrame:
    with calling(con, frame, ask) as call:
        _warn_of_start(call)
        answer = call.read(call.query, call.window, frame.name, limit=call.limit, tz=call.tz)
        return with_facts(answer, con, call.snapshot, call.window, {"call": frame.name, **ask.as_facts()})


def _warn_of_start(call: Call) -> None:
    """Warn where the range begins well before the table does: the answer is then shorter than what was asked for."""
    first, table = call.snapshot.first_timestamp(call.query.table), call.query.table.sql_name
    if first is not None and call.window.start is not None and first - call.window.start > _QUIET:
        warn_caller(f"{table} begins at {first} here, the range at {call.window.start}: nothing is known in between", GapWarning)
