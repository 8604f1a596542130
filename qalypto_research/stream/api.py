"""The calls on the rows of a live buffer: the same frames as history's, and five columns more."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from qalypto_research.asked import Names, parse_bytes, pick_depth, pick_flag
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES, Frame, orderbooks_of
from qalypto_research.schema.frames import live as live_frame
from qalypto_research.stream.asking import answer, choose, pick_intervals
from qalypto_research.stream.question import Ask, Live
from qalypto_research.timerange import DurationLike, parse_limit


def trades(
    live: Live,
    symbols: Names | None = None,
    *,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    max_age: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
) -> pd.DataFrame:
    """Return the trades that have arrived and are kept.

    A trade that comes again with the same non-empty id is there once. Channel: ``trade``; the same columns as ``qr.trades``.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else the connection's: "binance", or the only one there is.
    last : str or timedelta, optional
        Only rows whose ``timestamp`` lies at most so long before the connection's now, such as "5m" (inclusive). All by default.
    max_age : str or timedelta, optional
        Refuse to answer where the newest row of a series is older than this, such as "5s".
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all series together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, trade
        id (numerically where it is a number), then arrival. Columns:
        exchange, symbol (category); price, amount (float64, quote and base currency); side (category: of the taker);
        trade_id (str); is_liquidation (bool); exchange_event_time,
        websocket_sent, producer_received, received (``datetime64[us, UTC]``: when it happened, was sent, was produced and
        arrived here; NaT where a message does not say); origin (category: "live").

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or a table that is not listened to.
    StreamError
        The server refuses every channel that brings it.
    StaleDataError
        A series is older than `max_age`, or has no row.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("trade") as live:
    ...     frame = live.wait(rows=1).trades(exchange="all")
    >>> str(frame["exchange"].dtype), frame["origin"].iloc[0]
    ('category', 'live')
    """
    return _rows(live, TRADES, Ask(symbols, exchange, last, max_age, columns, limit, tz))


def tickers(
    live: Live,
    symbols: Names | None = None,
    *,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    max_age: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
) -> pd.DataFrame:
    """Return the tickers that have arrived and are kept.

    Quotes, 24-hour figures, funding and open interest, as they came. Channel: ``ticker``; the same columns as ``qr.tickers``.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else the connection's: "binance", or the only one there is.
    last : str or timedelta, optional
        Only rows whose ``timestamp`` lies at most so long before the connection's now, such as "5m" (inclusive). All by default.
    max_age : str or timedelta, optional
        Refuse to answer where the newest row of a series is older than this, such as "5s".
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all series together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); last_price, bid_price, ask_price, bid_size, ask_size, high_24h, low_24h, volume_24h,
        quote_volume_24h, open_24h, funding_rate (float64); next_funding_time; mark_price, index_price, open_interest,
        open_interest_value (float64; NaN where there is none); exchange_event_time,
        websocket_sent, producer_received, received (``datetime64[us, UTC]``: when it happened, was sent, was produced and
        arrived here; NaT where a message does not say); origin (category: "live").

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or a table that is not listened to.
    StreamError
        The server refuses every channel that brings it.
    StaleDataError
        A series is older than `max_age`, or has no row.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("ticker") as live:
    ...     frame = live.wait(rows=1).tickers(exchange="all")
    >>> str(frame["exchange"].dtype), frame["origin"].iloc[0]
    ('category', 'live')
    """
    return _rows(live, TICKERS, Ask(symbols, exchange, last, max_age, columns, limit, tz))


def klines(
    live: Live,
    symbols: Names | None = None,
    interval: Names | None = None,
    *,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    max_age: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    final: bool = True,
) -> pd.DataFrame:
    """Return candles, one row a candle: its latest update.

    A running update never takes the place of a final one. Channel: ``kline``; the same columns as ``qr.klines``.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    interval : str or list of str, optional
        Such as "1m". All that are listened to by default.
    final : bool
        False shows forming candles, too, with ``is_final`` False.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else the connection's: "binance", or the only one there is.
    last : str or timedelta, optional
        Only rows whose ``timestamp`` lies at most so long before the connection's now, such as "5m" (inclusive). All by default.
    max_age : str or timedelta, optional
        Refuse to answer where the newest row of a series (by when its latest update arrived) is older than this, such as "5s".
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all series together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then interval. Columns:
        exchange, symbol, interval (category); open, high, low, close (float64, quote currency), volume (base currency),
        quote_volume (quote currency), num_trades; close_time; is_final (bool); exchange_event_time,
        websocket_sent, producer_received, received (``datetime64[us, UTC]``: when it happened, was sent, was produced and
        arrived here; NaT where a message does not say); origin (category: "live").

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or a table that is not listened to.
    StreamError
        The server refuses every channel that brings it.
    StaleDataError
        A series is older than `max_age`, or has no row.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("kline") as live:
    ...     frame = live.wait(rows=1).klines(exchange="all", final=False)
    >>> str(frame["exchange"].dtype), frame["origin"].iloc[0]
    ('category', 'live')
    """
    closed = pick_flag(final, "final")
    intervals = pick_intervals(live.intake, interval)
    ask = Ask(symbols, exchange, last, max_age, columns, limit, tz)
    chosen = choose(live, KLINES.table, ask)
    rows = live.intake.store.frame(
        KLINES.table, symbols=chosen.symbols, exchanges=chosen.exchanges, intervals=intervals, since_us=chosen.since_us, final=closed
    )
    return answer(live, live_frame(KLINES), rows, ask, chosen, call="live.klines", interval=intervals, final=closed)


def orderbook_tops(
    live: Live,
    symbols: Names | None = None,
    *,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    max_age: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
) -> pd.DataFrame:
    """Return the best bid and ask of the order books that have arrived and are kept.

    Of an update (``is_snapshot`` False) they are not known, since its first level is not the best: NaN. Channel:
    ``orderbook``; the same columns as ``qr.orderbook_tops``.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else the connection's: "binance", or the only one there is.
    last : str or timedelta, optional
        Only rows whose ``timestamp`` lies at most so long before the connection's now, such as "5m" (inclusive). All by default.
    max_age : str or timedelta, optional
        Refuse to answer where the newest row of a series is older than this, such as "5s".
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all series together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); bid_price, ask_price (float64, quote currency), bid_size, ask_size (base currency);
        is_snapshot (bool: a whole book); sequence_id (str); exchange_event_time,
        websocket_sent, producer_received, received (``datetime64[us, UTC]``: when it happened, was sent, was produced and
        arrived here; NaT where a message does not say); origin (category: "live").

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or a table that is not listened to.
    StreamError
        The server refuses every channel that brings it.
    StaleDataError
        A series is older than `max_age`, or has no row.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("orderbook") as live:
    ...     frame = live.wait(rows=1).orderbook_tops(exchange="all")
    >>> str(frame["exchange"].dtype), frame["origin"].iloc[0]
    ('category', 'live')
    """
    return _rows(live, ORDERBOOK_TOPS, Ask(symbols, exchange, last, max_age, columns, limit, tz))


def orderbooks(
    live: Live,
    symbol: Names | None = None,
    *,
    depth: int = 10,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    max_age: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return order books, the levels of each side as columns side by side; as they came, nothing is rebuilt.

    The sides of a book are read when they are asked for. Channel: ``orderbook``; the same columns as ``qr.orderbooks``.

    Parameters
    ----------
    symbol : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    depth : int
        Levels a side, from 1 to 1,000, the first that came first: the best in a whole book.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else the connection's: "binance", or the only one there is.
    last : str or timedelta, optional
        Only rows whose ``timestamp`` lies at most so long before the connection's now, such as "5m" (inclusive). All by default.
    max_age : str or timedelta, optional
        Refuse to answer where the newest row of a series is older than this, such as "5s".
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all series together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.
    max_bytes : str or int
        Refuse an answer that would take more as a frame, such as "2GB".

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then arrival. Columns:
        exchange, symbol (category); bid_price_0, bid_size_0, ask_price_0, ask_size_0, bid_price_1 and so on to ``depth - 1``
        (float64; prices in quote currency, sizes in base currency; NaN beyond the depth there is); is_snapshot (bool: a
        whole book, not an update); sequence_id (str); exchange_event_time,
        websocket_sent, producer_received, received (``datetime64[us, UTC]``: when it happened, was sent, was produced and
        arrived here; NaT where a message does not say); origin (category: "live").

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or a table that is not listened to.
    StreamError
        The server refuses every channel that brings it.
    StaleDataError
        A series is older than `max_age`, or has no row.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("orderbook") as live:
    ...     frame = live.wait(rows=1).orderbooks(exchange="all")
    >>> str(frame["exchange"].dtype), frame["origin"].iloc[0]
    ('category', 'live')
    """
    levels = pick_depth(depth)
    frame = orderbooks_of(levels)
    ask = Ask(symbol, exchange, last, max_age, columns, limit, tz)
    chosen = choose(live, frame.table, ask, "symbol")
    # A limit with an age leaves all to be looked at: a series that is too old may not be among the newest.
    most = parse_limit(limit) if max_age is None else None
    rows = live.intake.store.books(
        levels,
        symbols=chosen.symbols,
        exchanges=chosen.exchanges,
        since_us=chosen.since_us,
        limit=most,
        max_bytes=parse_bytes(max_bytes, "max_bytes"),
    )
    return answer(live, live_frame(frame), rows, ask, chosen, call="live.orderbooks", depth=levels)


def _rows(live: Live, frame: Frame, ask: Ask) -> pd.DataFrame:
    chosen = choose(live, frame.table, ask)
    rows = live.intake.store.frame(frame.table, symbols=chosen.symbols, exchanges=chosen.exchanges, since_us=chosen.since_us)
    return answer(live, live_frame(frame), rows, ask, chosen, call=f"live.{frame.name}")
