"""The history calls. Each takes a connection first: as a method of one, or on the default connection at top level."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from qalypto_research.asked import Names, pick_flag, pick_interval
from qalypto_research.history.arguments import pick_gaps
from qalypto_research.history.calls import Ask, calling, read_table, with_facts
from qalypto_research.history.candles import hint_of_intervals, read_candles
from qalypto_research.history.gaps import report_holes
from qalypto_research.history.reader import Reader
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES
from qalypto_research.timerange import DurationLike, TimeLike


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
    return read_table(con, TRADES, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes))


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
    every: DurationLike | None = None,
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
    every : str or timedelta, optional
        A length such as "1s" or "5m": only the last row of each bucket of time, per exchange and symbol, found in
        ClickHouse. Buckets lie on a grid from 1970, so a length that divides a day starts with each UTC day; one cut by
        the range counts with its rows inside. Rows keep their own time and values, an empty bucket gives none.

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
    return read_table(con, TICKERS, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes, every))


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
    every: DurationLike | None = None,
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
    every : str or timedelta, optional
        A length such as "1s" or "5m": only the last row of each bucket of time, per exchange and symbol, found in
        ClickHouse. Buckets lie on a grid from 1970, so a length that divides a day starts with each UTC day; one cut by
        the range counts with its rows inside. Rows keep their own time and values, an empty bucket gives none.

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
    return read_table(con, ORDERBOOK_TOPS, Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes, every))
