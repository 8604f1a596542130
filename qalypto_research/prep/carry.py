"""What a perpetual costs to hold against its index."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from qalypto_research.prep.checks import check_frame, numbers
from qalypto_research.prep.rows import as_series
from qalypto_research.timerange import DurationLike, parse_duration

_YEAR = dt.timedelta(days=365)


def basis(df: pd.DataFrame, column: str = "mark_price") -> pd.Series:
    """Return how far the perpetual stands above its index, in basis points of the index.

    ``(mark - index) / index * 10000``; above zero where the perpetual is dearer.

    Parameters
    ----------
    df : pandas.DataFrame
        As ``qr.tickers`` or ``qr.funding`` give it: index in time order; index_price and `column`.
    column : str
        The price of the perpetual: "mark_price", or "last_price" of tickers.

    Returns
    -------
    pandas.Series
        ``basis``, float64, beside the rows of `df`. NaN where one of the two is missing or the index is 0.

    Raises
    ------
    InputError
        `df` is no frame in time order, or a column holds no numbers.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> quotes = qr.tickers("BTCUSDT", minutes=5)
    >>> bool(qr.prep.basis(quotes).abs().max() < 100)
    True
    """
    check_frame(df, "df", (column, "index_price"), "tickers")
    price, index = numbers(df, column), numbers(df, "index_price")
    return as_series(np.divide(price - index, index, out=np.full(len(df), np.nan), where=index != 0) * 10_000, df, "basis")


def funding_carry(df: pd.DataFrame, period: DurationLike = "8h") -> pd.Series:
    """Return what the funding rate comes to in a year, for whoever is short.

    ``funding_rate * 365 days / period``, a fraction of the position a year (0.1 is 10 %), not compounded: what a short
    receives and a long pays if the rate stayed as it is. It is the rate as last announced, not one that was settled.

    Parameters
    ----------
    df : pandas.DataFrame
        As ``qr.funding`` or ``qr.tickers`` give it: index in time order; funding_rate, a fraction a funding period.
    period : str or timedelta
        The funding period of the contract: 8 hours for most, 4 or 1 for some. The tables do not say it.

    Returns
    -------
    pandas.Series
        ``funding_carry``, float64, beside the rows of `df`. NaN where the rate is missing.

    Raises
    ------
    InputError
        `df` is no frame in time order, the column holds no numbers, or `period` is no length of time.
    UnknownNameError
        The column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> rates = qr.funding("BTCUSDT", hours=1)
    >>> carry = qr.prep.funding_carry(rates)
    >>> bool((abs(carry - rates["funding_rate"] * 3 * 365) < 1e-12).all())
    True
    """
    times = _YEAR / parse_duration(period, "period")
    check_frame(df, "df", ("funding_rate",), "funding")
    return as_series(numbers(df, "funding_rate") * times, df, "funding_carry")
