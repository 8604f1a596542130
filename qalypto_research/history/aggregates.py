"""Bars and flow, made of trades inside ClickHouse."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from qalypto_research.aggregation.rules import Every, Rule, pick_bucket, pick_rule
from qalypto_research.asked import Names, pick_flag, pick_length, plain_facts
from qalypto_research.errors import InputError
from qalypto_research.history.assembling import read_bars
from qalypto_research.history.buckets import whole_buckets
from qalypto_research.history.calls import Ask, calling, warn_of_less, with_facts
from qalypto_research.history.flowing import read_flow
from qalypto_research.history.reader import Reader
from qalypto_research.schema.frames import BARS, FLOW
from qalypto_research.timerange import WINDOW_EXAMPLES, DurationLike, TimeLike


def bars(
    con: Reader,
    symbols: Names,
    every: Every,
    by: str = "time",
    *,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    final: bool = True,
    bound: float | None = None,
    lag: DurationLike = "0s",
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return bars made of trades, each series by itself.

    Made inside ClickHouse, in bounded memory however many trades there are; by="imbalance" needs prices, amounts and
    sides in order, and is finished here. ``qr.prep.bars`` makes the same of a frame. Source table:
    ``market_data_trade``, as it is: a trade that stands there twice counts twice.

    Which trade is in which bar:

    - **time**: those of ``[open, open + every)``, on a grid from 1970 UTC, as candles. A bar without a trade has no row.
    - **tick**: `every` trades.
    - **volume**, **dollar**: the amounts (or prices times amounts) of a series are laid end to end and cut every `every`;
      a trade belongs to the bar in which it begins, whole. What it has beyond counts towards the next bar; one larger
      than `every` leaves bars out. Sums are in whole units of 1e-8, without rounding errors.
    - **imbalance**: a bar ends with the trade that brings its bought less its sold amount to a threshold, up or down. The
      first threshold is `every`. After each bar it is the mean number of trades times the absolute mean imbalance a
      trade, exponential means over bars with a span of 20, kept between `every` / `bound` and `every` * `bound`. Without
      these bounds the recursion (Lopez de Prado, Advances in Financial Machine Learning, 2.3.2) runs away: a long bar
      raises the threshold, which makes the next one longer.

    All but time count from the first trade of the range: another `start` gives other bars.

    Within a bar trades stand in their total order: time, then ``trade_id`` (by value where numeric), then arrival. A bar
    of time is known at ``timestamp + every``, any other at ``last_time``; ``available_at`` says so, and ``qr.prep.asof`` goes by
    it. A bar of time is whole once it is over at the connection's now, less the ingestion delay; a trade that arrives later still would
    change it. Each series is covered from its own first trade in the table on, or a sixtieth of `every` before it, at most
    a minute: the bar that holds that trade is not whole where it opens earlier. Nothing tells a series that was quiet until
    then from one that was not recorded yet.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    every : str, timedelta or number
        By time a length as "1m", whole milliseconds; by tick a whole number of trades; by volume and imbalance an amount
        of the base currency; by dollar an amount of the quote currency.
    by : {"time", "tick", "volume", "dollar", "imbalance"}
        What a bar is measured by.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        By time bars that open from `start` (inclusive) to `end` (exclusive), each read whole; else trades from `start`
        to `end`. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone (by time the last so many whole bars), else from `start`
        or back from `end`.
    final : bool
        False adds the bars that are not whole, with ``is_final`` False: by time the running one, and the one in which a
        series begins; else the last of each series, where it has not met its size.
    bound : float, optional
        By imbalance: how far the threshold may move, 2 by default; 1 keeps it at `every`.
    lag : str or timedelta
        How long after its end a bar reaches you, as "250ms": ``available_at`` is that much later.
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending. Alone by time only: bars of
        other kinds need a `start` or a length to count from.
    tz : str or tzinfo, optional
        Zone in which to show the index; bars and range are not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, ``datetime64[us, UTC]``, ascending: by time the open time, else the time of the first trade,
        which several bars may share; ties by exchange, symbol, then order of the bars. Columns: exchange, symbol (category);
        open, high, low, close, vwap in quote currency, volume, buy_volume, sell_volume in base currency, by the side of
        the aggressor (a trade of neither counts in volume alone), quote_volume (float64; vwap is NaN where the volume is
        0); num_trades (int64); first_time, last_time (``datetime64[us, UTC]``); is_final (bool); available_at
        (``datetime64[us, UTC]``: from when the bar can be known, NaT while it is not whole). Sums agree with those of
        ``qr.prep.bars`` to a relative 1e-12, all else exactly.

    Raises
    ------
    UnknownNameError
        A symbol, exchange, column or kind that is not there.
    RangeError
        A range that contradicts itself, starts after now, or is shorter than one bar of time.
    InputError
        Any other argument that cannot be used, or no range at all; an `every` so small that there would be more than 4e18
        bars.
    DataError
        A price or an amount in the table is no number; or, where volume is counted, above 1e18.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> len(con.bars("BTCUSDT", "1m", minutes=10))
    10
    >>> dollars = con.bars("BTCUSDT", 5_000_000, by="dollar", minutes=10, columns=["close", "quote_volume"])
    >>> bool(dollars["quote_volume"].mean() > 4_000_000)
    True
    >>> con.close()
    """
    rule, final, lag_us = pick_rule(by, every, bound), pick_flag(final, "final"), pick_length(lag, "lag", zero=True)
    if not rule.by_time and limit is not None and start is None and days is None and hours is None and minutes is None:
        raise InputError("start", f"bars by {by!r} are counted from a first trade; {WINDOW_EXAMPLES.partition(', or limit')[0]}")
    ask = Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes)
    with calling(con, BARS, ask) as call:
        warn_of_less(call)
        frame, window = read_bars(call, rule, final=final, lag_us=lag_us)
        own = {"call": "bars", "by": by, "final": final, **plain_facts({"every": every, "bound": bound, "lag": lag})}
        return with_facts(frame, con, call.snapshot, window, own | ask.as_facts())


def flow(
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
    lag: DurationLike = "0s",
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return what was bought and what was sold, by the side of the aggressor, bucket by bucket of time.

    Made inside ClickHouse; ``qr.prep.flow`` makes the same of a frame. A bucket without a trade has no row. A row bears
    the time at which its bucket begins, and is known only at ``timestamp + every``: ``available_at`` says so, and
    ``qr.prep.asof`` goes by it. A bucket is shown once it is over at the connection's now, less the ingestion delay; the
    running one never is, nor is one that the begin of its series cuts, as ``qr.bars`` takes it: those shown are those of
    its whole bars. Source table: ``market_data_trade``, as it is: a trade that stands there twice counts twice.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    every : str or timedelta
        Length of a bucket, whole milliseconds. Buckets lie on a grid from 1970 UTC: with "1h" they begin at full hours.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Buckets that begin from `start` (inclusive) to `end` (exclusive); each is read whole. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: the last so many whole buckets when alone, else from `start` or back from
        `end`.
    lag : str or timedelta
        How long after its end a bucket reaches you, as "250ms": ``available_at`` is that much later.
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index; buckets and range are not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``: the begin of the bucket, ``datetime64[us, UTC]``, ascending; ties by exchange, then symbol.
        Columns: exchange, symbol (category); buy_volume, sell_volume, signed_volume (buy_volume - sell_volume) in base
        currency; imbalance, signed_volume / (buy_volume + sell_volume), from -1 to 1, NaN where both are 0 (float64);
        num_trades (int64); available_at (``datetime64[us, UTC]``: from when the bucket can be known). Sums agree with those
        of ``qr.prep.flow`` to a relative 1e-12 of the volume.

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
    >>> flow = con.flow("BTCUSDT", "1m", minutes=10)
    >>> len(flow), bool(flow["imbalance"].between(-1, 1).all())
    (10, True)
    >>> con.close()
    """
    every_ms, lag_us = pick_bucket(every), pick_length(lag, "lag", zero=True)
    ask = Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes)
    with calling(con, FLOW, ask) as call:
        warn_of_less(call)
        window = whole_buckets(call, every_ms)
        frame = read_flow(call, Rule("time", every_ms * 1_000), window, lag_us=lag_us)
        own = {"call": "flow", "every_ms": every_ms, **plain_facts({"lag": lag})}
        return with_facts(frame, con, call.snapshot, window, own | ask.as_facts())
