"""What the best bid and ask say of the price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qalypto_research.prep.checks import check_quotes, numbers
from qalypto_research.prep.rows import as_series


def spread_bps(df: pd.DataFrame) -> pd.Series:
    """Return the spread of each quote, in basis points of its middle.

    ``(ask - bid) / ((ask + bid) / 2) * 10000``, the quoted spread; below zero where the book is crossed. Over several
    exchanges ``qr.spreads`` makes it inside ClickHouse.

    Parameters
    ----------
    df : pandas.DataFrame
        Quotes: index in time order; bid_price and ask_price. Every row must be a whole quote, no update of a book.

    Returns
    -------
    pandas.Series
        ``spread_bps``, float64, beside the rows of `df`. NaN where one of the two is missing.

    Raises
    ------
    InputError
        `df` is no frame in time order, a column holds no numbers, or a row is an update.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> quotes = qr.tickers("BTCUSDT", minutes=5)
    >>> bool((qr.prep.spread_bps(quotes) > 0).all())
    True
    """
    check_quotes(df, ("bid_price", "ask_price"))
    bid, ask = numbers(df, "bid_price"), numbers(df, "ask_price")
    middle = (bid + ask) / 2
    return as_series(np.divide(ask - bid, middle, out=np.full(len(df), np.nan), where=middle != 0) * 10_000, df, "spread_bps")


def microprice(df: pd.DataFrame) -> pd.Series:
    """Return the middle of each quote, weighted to the side with the smaller size.

    ``(bid * ask_size + ask * bid_size) / (bid_size + ask_size)`` in quote currency, the weighted mid-price: where much is bid
    and little asked, it lies near the ask (Stoikov, The Micro-Price, 2018, whose first approximation it is).

    Parameters
    ----------
    df : pandas.DataFrame
        Quotes: index in time order; bid_price, bid_size, ask_price, ask_size. Every row must be a whole quote, no update of
        a book.

    Returns
    -------
    pandas.Series
        ``microprice``, float64, beside the rows of `df`. NaN where one of the four is missing or both sizes are 0.

    Raises
    ------
    InputError
        `df` is no frame in time order, a column holds no numbers, or a row is an update.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> quotes = qr.tickers("BTCUSDT", minutes=5)
    >>> bool(qr.prep.microprice(quotes).between(quotes["bid_price"], quotes["ask_price"]).all())
    True
    """
    check_quotes(df, ("bid_price", "bid_size", "ask_price", "ask_size"))
    bid, bid_size, ask, ask_size = (numbers(df, column) for column in ("bid_price", "bid_size", "ask_price", "ask_size"))
    size = bid_size + ask_size
    made = np.divide(bid * ask_size + ask * bid_size, size, out=np.full(len(df), np.nan), where=size != 0)
    return as_series(made, df, "microprice")
