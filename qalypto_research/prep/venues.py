"""Two exchanges beside one another: how far their prices lie apart, and which moves first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qalypto_research.aggregation.rules import pick_bucket
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.prep.availability import known_us
from qalypto_research.prep.checks import Floats, check_frame, numbers
from qalypto_research.prep.joining import newest_known
from qalypto_research.prep.rows import times_taken
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import Ints, check_one
from qalypto_research.schema.frames import NEVER, epoch_us
from qalypto_research.timerange import DurationLike, parse_duration


@must_say(
    base="the exchange to look from, as base='binance'",
    other="the exchange to set beside it, as other='okx'",
    max_age="how old a quote of the other exchange may be, as max_age='5s'",
)
def cross_spread(df: pd.DataFrame, base: str, other: str, *, max_age: DurationLike) -> pd.DataFrame:
    """Return how far the quotes of one exchange lie from those another had shown by then.

    At each quote of `base` the newest quote of `other` known by then is taken, if it is at most `max_age` old. History's
    quotes are known at their time, those of live frames once they are ``received``. Of equal times those of `other` count
    as known. For the best over all exchanges in buckets see ``qr.spreads``.

    Parameters
    ----------
    df : pandas.DataFrame
        Quotes of one symbol on both exchanges, as ``qr.tickers(..., exchange=[base, other])`` gives them: index in time
        order; exchange, bid_price, ask_price.
    base, other : str
        The two exchanges.
    max_age : str or timedelta
        How old a quote of `other` may be when that of `base` is known, by its own time: one that was on its way for long
        is old when it comes. Where it is older the columns of `other` are NaN.

    Returns
    -------
    pandas.DataFrame
        One row a quote of `base`, index as in `df`. Columns, float64: base_mid and other_mid, the middles, in quote
        currency; spread_bps, ``(base_mid - other_mid) / other_mid * 10000``; buy_edge_bps and sell_edge_bps, what is left
        after crossing both spreads: bid of `base` above ask of `other` (buy at `other`), bid of `other` above ask of
        `base`, in basis points of other_mid; and age (timedelta), how old the quote of `other` is then.

    Raises
    ------
    InputError
        `df` is no frame in time order, holds several symbols, `base` and `other` are one, or `max_age` is no length of time.
    UnknownNameError
        A column or an exchange is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> quotes = qr.tickers("BTCUSDT", exchange=["binance", "okx"], minutes=5)
    >>> apart = qr.prep.cross_spread(quotes, "binance", "okx", max_age="5s")
    >>> bool(apart["spread_bps"].abs().max() < 100)
    True
    """
    oldest_us = round(parse_duration(max_age, "max_age").total_seconds() * 1e6)
    check_frame(df, "df", ("exchange", "bid_price", "ask_price"), "quotes of two exchanges")
    mine, theirs = _two(df, base, other)
    wanted = known_us(mine, length_us=0)
    found = newest_known(None, None, wanted, known_us(theirs, length_us=0))
    age = wanted - times_taken(epoch_us(theirs), found)
    known = (found >= 0) & (age <= oldest_us)
    quotes = {side: numbers(mine, f"{side}_price") for side in ("bid", "ask")}
    others = {side: _known(numbers(theirs, f"{side}_price"), found, known) for side in ("bid", "ask")}
    base_mid, other_mid = ((one["bid"] + one["ask"]) / 2 for one in (quotes, others))
    ages = np.where(known, age, NEVER).astype("timedelta64[us]")
    columns = {
        "base_mid": base_mid,
        "other_mid": other_mid,
        "spread_bps": (base_mid - other_mid) / other_mid * 10_000,
        "buy_edge_bps": (quotes["bid"] - others["ask"]) / other_mid * 10_000,
        "sell_edge_bps": (others["bid"] - quotes["ask"]) / other_mid * 10_000,
        "age": ages,
    }
    return pd.DataFrame(columns, index=mine.index.copy())


@must_say(
    base="the exchange that may lead, as base='binance'",
    other="the exchange to set beside it, as other='okx'",
    every="the length of these bars, as every='1s'",
)
def lead_lag(df: pd.DataFrame, base: str, other: str, *, every: DurationLike, lags: int = 10, column: str = "close") -> pd.DataFrame:
    """Return how the returns of one exchange go with later and earlier ones of another.

    The correlation of base's return over the bar at t with other's over the bar at ``t + lag``, over all t where both are
    known: where it is greatest at a lag above zero, `base` leads. Returns are logarithmic, between bars that lie
    just beside one another. This is a statistic of the whole frame, known at its end: as a feature it would look ahead.

    Parameters
    ----------
    df : pandas.DataFrame
        Bars or candles of one symbol on both exchanges, as ``qr.bars(..., exchange=[base, other])`` gives them: index in
        time order, each time once an exchange; exchange and `column`.
    base, other : str
        The two exchanges.
    every : str or timedelta
        Length of a bar.
    lags : int
        Lags from -`lags` to `lags` bars.
    column : str
        The price.

    Returns
    -------
    pandas.DataFrame
        Index ``lag`` (int64, in bars). Columns: correlation (float64, from -1 to 1; NaN with fewer than three pairs, or where
        one of the two did not move); pairs (int64), how many returns it is made of; seconds (float64), the lag.

    Raises
    ------
    InputError
        `df` is no frame in time order, holds several symbols or a time twice, `base` and `other` are one, or an argument cannot be used.
    UnknownNameError
        A column or an exchange is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> bars = qr.bars("BTCUSDT", "1m", exchange=["binance", "okx"], minutes=40)
    >>> found = qr.prep.lead_lag(bars, "binance", "okx", every="1m", lags=2)
    >>> found.index.to_list()
    [-2, -1, 0, 1, 2]
    """
    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or lags < 0:
        raise InputError("lags", f"{lags!r} must be a whole number of at least 0: bars to either side")
    every_us = pick_bucket(every) * 1_000
    check_frame(df, "df", ("exchange", column), "bars of two exchanges")
    mine, theirs = (_returns(rows, column, every_us) for rows in _two(df, base, other))
    found = [_correlation(mine, theirs, lag * every_us) for lag in range(-lags, lags + 1)]
    index = pd.Index(np.arange(-lags, lags + 1), name="lag")
    columns = {
        "correlation": np.array([correlation for correlation, _ in found]),
        "pairs": np.array([pairs for _, pairs in found], np.int64),
        "seconds": index.to_numpy() * (every_us / 1e6),
    }
    return pd.DataFrame(columns, index=index)


def _two(df: pd.DataFrame, base: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two exchanges."""
    mine, theirs = (_of_exchange(df, name, argument) for name, argument in ((base, "base"), (other, "other")))
    if base == other:
        raise InputError("other", f"is {other!r}, as base is: an exchange beside itself says nothing; name another one")
    return mine, theirs


def _of_exchange(df: pd.DataFrame, name: str, argument: str) -> pd.DataFrame:
    there = [str(exchange) for exchange in df["exchange"].unique()]
    if name not in there:
        raise UnknownNameError(argument, name, there)
    chosen = df[df["exchange"] == name]
    check_one(chosen, ["symbol", "interval"], why="two exchanges are set beside one another")
    return chosen


def _known(values: Floats, found: Ints, known: np.ndarray) -> Floats:
    made = np.full(len(found), np.nan)
    made[known] = values[found[known]]
    return made


def _returns(one: pd.DataFrame, column: str, every_us: int) -> tuple[Ints, Floats]:
    """Return the open times of the bars that have a return, and these returns."""
    opened, price = epoch_us(one), numbers(one, column)
    twice = np.flatnonzero(np.diff(opened) == 0)
    if len(twice):
        at = one.index[twice[0]]
        raise InputError("df", f"has the time {at} twice for one exchange; keep one: df[~df.duplicated()], or choose bars by time")
    logs = np.log(np.where(price > 0, price, np.nan))
    returns = np.diff(logs)
    steps = np.diff(opened)
    if len(steps) and not (steps == every_us).any():
        usual = pd.Timedelta(int(np.median(steps)), "us")
        raise InputError("every", f"lies between no two of these bars; they are {usual} apart: give their length")
    there = (steps == every_us) & np.isfinite(returns)
    return opened[1:][there], returns[there]


def _correlation(base: tuple[Ints, Floats], other: tuple[Ints, Floats], lag_us: int) -> tuple[float, int]:
    """Return the correlation of base at t with other at `lag_us` after t, and of how many pairs."""
    _, mine, theirs = np.intersect1d(base[0] + lag_us, other[0], assume_unique=True, return_indices=True)
    a, b = base[1][mine], other[1][theirs]
    if len(a) < 3 or not (a.std() > 0 and b.std() > 0):
        return float("nan"), len(a)
    return float(np.corrcoef(a, b)[0, 1]), len(a)
