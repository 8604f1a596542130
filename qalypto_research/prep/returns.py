"""Returns and their volatility."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.aggregation.rules import pick_bucket
from qalypto_research.errors import InputError
from qalypto_research.prep.checks import check_frame, numbers
from qalypto_research.prep.rows import as_series
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import MARKET, ONE_ROW, by_series, check_one, check_unique
from qalypto_research.schema.frames import epoch_us
from qalypto_research.timerange import DurationLike

_FROM = "bars or candles"


def log_returns(df: pd.DataFrame, column: str = "close", *, every: DurationLike | None = None) -> pd.Series:
    """Return the logarithmic return of each row against the row of the same series before it.

    ``r[n] = ln(p[n] / p[n-1])``, without unit (0.01 is about 1 %). It is known when the row is: at the close of its bar.

    Parameters
    ----------
    df : pandas.DataFrame
        Bars, candles, or anything with a price: index in time order; series are told apart by exchange and symbol, where
        it has them.
    column : str
        The price.
    every : str or timedelta, optional
        Length of a bar: a return over a hole, from a bar that is not the one just before, is then NaN. By default it is
        the return over whatever time lies between.

    Returns
    -------
    pandas.Series
        ``log_return``, float64, beside the rows of `df`. NaN in the first row of a series, and where one of the two prices
        is missing or not above zero.

    Raises
    ------
    InputError
        `df` is no frame in time order, or the column holds no numbers.
    UnknownNameError
        The column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> candles = qr.klines("BTCUSDT", "1h", days=1)
    >>> returns = qr.prep.log_returns(candles, every="1h")
    >>> len(returns), int(returns.isna().sum())
    (24, 1)
    """
    _check_column(column)
    check_frame(df, "df", [column], _FROM)
    return as_series(_log_returns(df, column, every), df, "log_return")


@must_say(
    window="how many returns, as window=24",
)
def realised_volatility(
    df: pd.DataFrame, window: int, column: str = "close", *, every: DurationLike | None = None, per_year: float | None = None
) -> pd.Series:
    """Return the realised volatility of the last `window` returns of each series.

    ``RV[n] = sqrt(r[n]**2 + ... + r[n-window+1]**2)``, the square root of realised variance (Andersen, Bollerslev, Diebold
    and Labys 2003): the volatility over the window, without unit. With `per_year` it is ``sqrt(sum * per_year / window)``, a
    year's. No mean is taken off.

    Parameters
    ----------
    df : pandas.DataFrame
        Bars, candles, or anything with a price: index in time order; series are told apart by exchange and symbol, where
        it has them.
    window : int
        Number of returns, at least 1.
    column : str
        The price.
    every : str or timedelta, optional
        Length of a bar: a return over a hole is then NaN, as ``qr.prep.log_returns`` has it.
    per_year : float, optional
        Bars a year, to annualise by: 8760 for bars of an hour, since this market never closes.

    Returns
    -------
    pandas.Series
        ``realised_volatility``, float64, beside the rows of `df`. NaN until there are `window` returns, and where one of
        them is NaN.

    Raises
    ------
    InputError
        `df` is no frame in time order, the column holds no numbers, or `window` or `per_year` cannot be used.
    UnknownNameError
        The column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> candles = qr.klines("BTCUSDT", "1h", days=7)
    >>> daily = qr.prep.realised_volatility(candles, 24, per_year=24 * 365)
    >>> int(daily.isna().sum()), bool((daily.dropna() > 0).all())
    (24, True)
    """
    _check_column(column)
    check_frame(df, "df", [column], _FROM)
    if isinstance(window, bool) or not isinstance(window, (int, np.integer)) or window < 1:
        raise InputError("window", f"{window!r} must be a whole number of at least 1: how many returns")
    if per_year is not None and not (isinstance(per_year, (int, float, np.number)) and 0 < per_year < np.inf):
        raise InputError("per_year", f"{per_year!r} must be a number above zero: bars a year, as 8760 for bars of an hour")
    squares = _log_returns(df, column, every) ** 2
    named = by_series(df)
    order = named.order()
    sums = np.full(len(df), np.nan)
    bounds = np.append(np.flatnonzero(np.diff(named.codes[order], prepend=-1)), len(df))
    for begin, end in pairwise(bounds):
        rows = order[begin:end]
        if len(rows) >= window:
            # Each sum is taken anew, in the same order: a running one would carry the rounding of all that came before.
            mine, ends = squares[rows], rows[window - 1 :]
            sums[ends] = 0.0
            for lag in range(window):
                sums[ends] += mine[lag : lag + len(ends)]
    scale = 1.0 if per_year is None else per_year / window
    return as_series(np.sqrt(sums * scale), df, "realised_volatility")


def _check_column(column: object) -> None:
    if not isinstance(column, str):
        raise InputError("column", f"{column!r} must be the name of a column, as 'close'; other arguments go by name, as per_year=8760")


def _log_returns(df: pd.DataFrame, column: str, every: DurationLike | None) -> npt.NDArray[np.float64]:
    check_one(df, ["interval"], why="candles of one length are meant")
    if "interval" in df.columns:
        check_unique(df, [name for name in MARKET if name in df.columns], mend=ONE_ROW)
    price = numbers(df, column)
    logs = np.log(np.where(price > 0, price, np.nan))
    before = by_series(df).before()
    returns = np.where(before < 0, np.nan, logs - logs[before])
    if every is not None:
        opened, step_us = epoch_us(df), pick_bucket(every) * 1_000
        steps = (opened - opened[before])[before >= 0]
        if len(steps) and not (steps == step_us).any():
            usual = pd.Timedelta(int(np.median(steps)), "us")
            raise InputError("every", f"{every!r} lies between no two rows; they are {usual} apart: give the length of these bars")
        returns[opened - opened[before] != step_us] = np.nan
    return returns
