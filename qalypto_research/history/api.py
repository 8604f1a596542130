"""The history calls. Each takes a connection first: as a method of one, or on the default connection at top level."""

from __future__ import annotations

import datetime as dt
from typing import Final

import pandas as pd

from qalypto_research.errors import GapWarning, warn_caller
from qalypto_research.history.arguments import Names, pick_flag, pick_gaps, pick_interval
from qalypto_research.history.calls import Ask, Call, calling, with_facts
from qalypto_research.history.candles import hint_of_intervals, read_candles
from qalypto_research.history.gaps import report_holes
from qalypto_research.history.reader import Reader
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES, Frame
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
        else counted from `start` or back from `end`. A candle that was over less than 10 seconds ago (and the
        ingestion delay) and has not arrived yet is not missed; a length alone then ends one candle earlier.
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
        hint = hint_of_intervals(call, name)
    report_holes(holes, name, policy, hint)
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


def _read_table(con: Reader, frame: Frame, ask: Ask) -> pd.DataFrame:
    with calling(con, frame, ask) as call:
        _warn_of_absent(call)
        _warn_of_start(call)
        answer = call.read(call.query, call.window, frame.name, limit=call.limit, tz=call.tz)
        return with_facts(answer, con, call.snapshot, call.window, {"call": frame.name, **ask.as_facts()})


def _warn_of_absent(call: Call) -> None:
    """Warn of series that are known here, but not in this table."""
    table = call.query.table
    there = {(s.exchange, s.symbol) for s in call.snapshot.series() if s.table == table.name}
    absent = [f"{exchange} {symbol}" for exchange, symbol in call.pairs if (exchange, symbol) not in there]
    if absent:
        shown = ", ".join(absent[:4]) + (f" and {len(absent) - 4} more" if len(absent) > 4 else "")
        warn_caller(f"{table.sql_name} has no row of {shown} here", GapWarning)


def _warn_of_start(call: Call) -> None:
    """Warn where the range begins well before the table does: the answer is then shorter than what was asked for."""
    table, start = call.query.table, call.window.start
    recorded = call.snapshot.first_timestamp(table)
    if recorded is None or start is None or recorded - start <= _QUIET:
        return
    # The files reach beyond the clock: where the table begins is said by what is known of it alone.
    answer = call.snapshot.fetch(f"SELECT minOrNull(t.timestamp) AS first FROM {call.query.relation} AS t")
    first = answer.column("first")[0].as_py()
    if first is None:
        warn_caller(f"{table.sql_name} has no row known by {call.snapshot.moment} here", GapWarning)
    else:
        warn_caller(f"{table.sql_name} begins at {pd.Timestamp(first)} here, the range at {start}: nothing is known in between", GapWarning)
