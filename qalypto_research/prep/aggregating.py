"""Bars and flow of a frame of trades: the rule of ``qr.bars`` and ``qr.flow``, carried out by NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qalypto_research.aggregation.finishing import Covered, covered_from, to_frame, whole
from qalypto_research.aggregation.parts import Ints, Tape, bar_starts, chosen, of_trades
from qalypto_research.aggregation.placing import Standing, counted, place_trades
from qalypto_research.aggregation.rules import MOST_COUNTED, Every, Rule, pick_rule
from qalypto_research.asked import pick_flag, pick_length
from qalypto_research.clock import to_us
from qalypto_research.errors import InputError, RangeError
from qalypto_research.prep.checks import Floats, check_frame, numbers, signs
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import BySeries, by_series
from qalypto_research.schema.frames import BARS, FLOW, NEVER, FrameColumn, epoch_us, times_us
from qalypto_research.timerange import DurationLike, TimeLike, parse_time

_NEEDED = ("exchange", "symbol", "price", "amount", "side")


@must_say(
    every="every='1m' for bars of a minute, every=1000, by='tick' for bars of a thousand trades",
)
def bars(
    df: pd.DataFrame,
    every: Every,
    by: str = "time",
    *,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    final: bool = True,
    bound: float | None = None,
    lag: DurationLike = "0s",
) -> pd.DataFrame:
    """Return bars made of a frame of trades, each series by itself.

    The rules are those of ``qr.bars``, which makes the same inside ClickHouse: which trade is in which bar, what the
    columns are, and when a bar is known. Trades of equal time count in the order of the frame. A repeated trade counts
    twice: ``df.drop_duplicates(...)`` is yours to call.

    Parameters
    ----------
    df : pandas.DataFrame
        Trades as ``qr.trades`` or ``live.trades`` give them: index in time order; exchange, symbol, price, amount, side.
    every : str, timedelta or number
        By time a length as "1m", whole milliseconds; by tick a whole number of trades; by volume and imbalance an amount
        of the base currency; by dollar an amount of the quote currency.
    by : {"time", "tick", "volume", "dollar", "imbalance"}
        What a bar is measured by.
    start, end : str, datetime or Timestamp, optional
        Of bars by time: from when (inclusive) to when (exclusive) `df` holds all trades, so that the bars in between are
        whole. By default each series from its own first trade to its own last; a first trade within a sixtieth of
        `every`, at most a minute, of the open of a bar begins it. Naive times are UTC.
    final : bool
        False adds the bars that are not whole, with ``is_final`` False: by time those cut by the begin or the end of
        the trades; else the last of each series, where it has not met its size.
    bound : float, optional
        By imbalance: how far the threshold may move, 2 by default; 1 keeps it at `every`.
    lag : str or timedelta
        How long after its end a bar reaches you, as "250ms": ``available_at`` is that much later. A bar of trades that
        were ``received`` is not available before they were: its own, and where their size counts also all before.

    Returns
    -------
    pandas.DataFrame
        As ``qr.bars`` returns it, its index in the zone of `df`.

    Raises
    ------
    InputError
        `df` is no frame of trades in time order, or a price, amount or name is missing, or, where volume is counted, above
        1e18; or an argument cannot be used.
    UnknownNameError
        A column is not there, or `by` is none of the kinds.
    RangeError
        `df` has trades outside `start` and `end`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> trades = qr.trades("BTCUSDT", start="2026-03-02 12:00", end="2026-03-02 12:10")
    >>> bars = qr.prep.bars(trades, "1m", start="2026-03-02 12:00", end="2026-03-02 12:10")
    >>> len(bars), bool(bars["is_final"].all())
    (10, True)
    >>> len(qr.prep.bars(trades, "1m"))  # the last minute may go on after the last trade
    9
    >>> qr.prep.bars(trades, 100, by="tick")["num_trades"].unique().tolist()
    [100]
    """
    rule, final = pick_rule(by, every, bound), pick_flag(final, "final")
    if not rule.by_time and (start is not None or end is not None):
        named = "start" if start is not None else "end"
        raise InputError(named, f"belongs to bars by time; choose the trades before, as df.loc['2026-03-02 12:00':], then by={by!r}")
    return _made(df, rule, start, end, final=final, columns=BARS.columns, lag_us=pick_length(lag, "lag", zero=True))


@must_say(
    every="the length of a bucket, as every='1s'",
)
def flow(
    df: pd.DataFrame, every: DurationLike, *, start: TimeLike | None = None, end: TimeLike | None = None, lag: DurationLike = "0s"
) -> pd.DataFrame:
    """Return what was bought and what was sold, by the side of the aggressor, in each bucket of time.

    The same as ``qr.flow``, which makes it inside ClickHouse, and knows by the clock what is over after the last trade. A
    bucket without a trade has no row, one that the trades do not cover wholly has none either. A row is known only at
    ``timestamp + every``: ``available_at`` says so, and ``qr.prep.asof`` goes by it.

    Parameters
    ----------
    df : pandas.DataFrame
        Trades as ``qr.trades`` or ``live.trades`` give them: index in time order; exchange, symbol, price, amount, side.
    every : str or timedelta
        Length of a bucket, whole milliseconds. Buckets lie on a grid from 1970 UTC.
    start, end : str, datetime or Timestamp, optional
        From when (inclusive) to when (exclusive) `df` holds all trades. By default each series from its own first trade
        to its own last, as ``qr.prep.bars`` takes it. Naive times are UTC.
    lag : str or timedelta
        How long after its end a bucket reaches you, as "250ms": ``available_at`` is that much later. Of trades that were
        ``received`` no bucket is available before the last of its own was.

    Returns
    -------
    pandas.DataFrame
        As ``qr.flow`` returns it, its index in the zone of `df`: exchange, symbol (category); buy_volume, sell_volume,
        signed_volume in base currency; imbalance, signed_volume / (buy_volume + sell_volume), NaN where both are 0
        (float64); num_trades (int64); available_at (``datetime64[us, UTC]``).

    Raises
    ------
    InputError
        `df` is no frame of trades in time order, or a price, amount or name is missing; or an argument cannot be used.
    UnknownNameError
        A column is not there.
    RangeError
        `df` has trades outside `start` and `end`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> trades = qr.trades("BTCUSDT", start="2026-03-02 12:00", end="2026-03-02 12:10")
    >>> flow = qr.prep.flow(trades, "1m")
    >>> bool((flow["signed_volume"] == flow["buy_volume"] - flow["sell_volume"]).all())
    True
    """
    rule, lag_us = pick_rule("time", every), pick_length(lag, "lag", zero=True)
    return _made(df, rule, start, end, final=True, columns=FLOW.columns, lag_us=lag_us)


def _made(
    df: pd.DataFrame,
    rule: Rule,
    start: TimeLike | None,
    end: TimeLike | None,
    *,
    final: bool,
    columns: tuple[FrameColumn, ...],
    lag_us: int,
) -> pd.DataFrame:
    check_frame(df, "df", _NEEDED, "trades")
    named = by_series(df)
    carried: dict[int, Standing] = {}
    tape = _tape(df, named, rule)
    places = place_trades(tape, rule, carried)
    made = of_trades(tape, places)
    arrived_us = _arrived(df, named, tape, places, rule)
    is_final = whole(made, rule, _covered(df, tape, rule, start, end), carried)
    if final:
        made, arrived_us, is_final = chosen(made, is_final), arrived_us[is_final], is_final[is_final]
    return to_frame(
        made,
        is_final,
        rule,
        [(str(exchange), str(symbol)) for exchange, symbol in named.labels],
        columns=columns,
        tz=pd.DatetimeIndex(df.index).tz,
        lag_us=lag_us,
        arrived_us=arrived_us,
    )


def _arrived(df: pd.DataFrame, named: BySeries, tape: Tape, places: Ints, rule: Rule) -> Ints:
    """Return when all trades had been received that make each bar what it is; `NEVER` where none was, but read from the history."""
    starts = bar_starts(tape, places)
    if "received" not in df.columns or not len(df):
        return np.full(len(starts), NEVER)
    received = times_us(df["received"])
    if len(named.labels) > 1:
        received = received[named.order()]
    if not rule.by_time:  # which trades are in a bar goes by all that came before
        received = np.concatenate([np.maximum.accumulate(part) for part in np.split(received, tape.starts()[1:])])
    return np.asarray(np.maximum.reduceat(received, starts), np.int64)


def _tape(df: pd.DataFrame, named: BySeries, rule: Rule) -> Tape:
    """Return the trades series by series."""
    price, amount = _positive(df, "price"), _positive(df, "amount")
    columns = (named.codes, epoch_us(df), price, amount, signs(df, needed=True))
    if len(named.labels) > 1:
        order = named.order()
        columns = tuple(values[order] for values in columns)  # type: ignore[assignment]
    tape = Tape(*columns)
    with np.errstate(over="ignore"):
        largest = np.max(counted(tape, rule), initial=0.0), np.max(price * amount, initial=0.0)
    if largest[0] > MOST_COUNTED or not np.isfinite(largest[1]):
        raise InputError("df", f"has a trade of {max(largest):.3g}, more than can be counted; look for a unit that is off")
    return tape


def _positive(df: pd.DataFrame, column: str) -> Floats:
    """Return a column of numbers of which none is missing or below zero."""
    values = numbers(df, column, nan=False)
    below = values < 0
    if below.any():
        at = int(below.argmax())
        raise InputError(
            "df", f"has {values[at]} in {column!r} in row {at}, {df.index[at]} ({below.sum():,} such rows); drop or correct them first"
        )
    return values


def _covered(df: pd.DataFrame, tape: Tape, rule: Rule, start: TimeLike | None, end: TimeLike | None) -> Covered:
    """Return the time of which `df` holds all trades of each series."""
    starts = tape.starts()
    first_us, last_us = tape.time_us[starts], tape.time_us[np.append(starts[1:], len(tape.time_us)) - 1] if len(df) else starts
    from_us, until_us = covered_from(first_us, rule), last_us
    if start is not None:
        from_us = np.full(len(starts), to_us(parse_time(start, "start")))
        if (first_us < from_us).any():
            raise RangeError("start", f"{start!r} is after the first trade, {df.index[0]}; cut them first: df.loc[start:]")
    if end is not None:
        until_us = np.full(len(starts), to_us(parse_time(end, "end")))
        if (last_us >= until_us).any():
            raise RangeError(
                "end", f"{end!r} is not after the last trade, {df.index[-1]}, and excluded; cut them first: df[df.index < end]"
            )
    return Covered(from_us, until_us)
