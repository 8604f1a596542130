"""Who presses: signed volume of trades, order flow and imbalance of the book."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qalypto_research.asked import pick_depth
from qalypto_research.prep.checks import Floats, check_frame, check_quotes, numbers, signs
from qalypto_research.prep.rows import as_series
from qalypto_research.prep.series import Ints, by_series

_TOP = ("bid_price", "bid_size", "ask_price", "ask_size")


def signed_volume(df: pd.DataFrame) -> pd.Series:
    """Return the amount of each trade, above zero where the aggressor bought and below where he sold.

    ``amount`` where side is buy, ``-amount`` where it is sell, in base currency. ``qr.flow`` sums it by buckets of time
    inside ClickHouse, ``qr.prep.flow`` does so with a frame.

    Parameters
    ----------
    df : pandas.DataFrame
        Trades: index in time order; amount and side.

    Returns
    -------
    pandas.Series
        ``signed_volume``, float64, beside the rows of `df`. NaN where the side is neither or the amount is missing.

    Raises
    ------
    InputError
        `df` is no frame in time order, amount holds no numbers, or a side is written otherwise, as "BUY".
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> trades = qr.trades("BTCUSDT", minutes=5)
    >>> signed = qr.prep.signed_volume(trades)
    >>> bool((signed.abs() == trades["amount"]).all())
    True
    """
    check_frame(df, "df", ("amount", "side"), "trades")
    sign = signs(df).astype(np.float64)
    return as_series(np.where(sign == 0, np.nan, sign * numbers(df, "amount")), df, "signed_volume")


def order_flow_imbalance(df: pd.DataFrame) -> pd.Series:
    """Return what each update of the best quotes adds to demand less supply.

    With bid ``b``, its size ``q``, ask ``a``, its size ``s``, of row n against row n-1 of the same series:
    ``q[n] if b[n] >= b[n-1]``, less ``q[n-1] if b[n] <= b[n-1]``, less ``s[n] if a[n] <= a[n-1]``, plus ``s[n-1] if a[n] >= a[n-1]``;
    in base currency (Cont, Kukanov and Stoikov, The Price Impact of Order Book Events, 2014). Summed over a time it is
    the order flow imbalance of that time: ``.resample("1s").sum(min_count=1)``.

    Parameters
    ----------
    df : pandas.DataFrame
        Quotes, as ``qr.tickers``, ``qr.orderbook_tops`` or ``live.orderbook_tops`` give them: index in time order;
        bid_price, bid_size, ask_price, ask_size. Series are told apart by exchange and symbol, where it has them. All
        rows must be whole quotes: updates of a book have to be rebuilt first (``qr.prep.rebuild``, whose best level is
        then to be named: ``.rename(columns={"bid_price_0": "bid_price", ...})``).

    Returns
    -------
    pandas.Series
        ``order_flow_imbalance``, float64, beside the rows of `df`. NaN in the first row of a series and where one of the
        eight numbers is missing.

    Raises
    ------
    InputError
        `df` is no frame in time order, a column holds no numbers, or a row is an update of a book.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> tops = qr.orderbook_tops("BTCUSDT", minutes=30)
    >>> flow = qr.prep.order_flow_imbalance(tops)
    >>> len(flow) == len(tops), bool(flow.isna().iloc[0]), int(flow.isna().sum())
    (True, True, 1)
    """
    check_quotes(df, _TOP)
    before = by_series(df).before()
    bid, bid_size, ask, ask_size = (numbers(df, column) for column in _TOP)
    came = _came(bid, bid_size, before) - _came(-ask, ask_size, before)
    return as_series(np.where(before < 0, np.nan, came), df, "order_flow_imbalance")


def depth_imbalance(df: pd.DataFrame, depth: int = 1) -> pd.Series:
    """Return how far the size that bids outweighs the size that asks, over the best levels of the book.

    ``(B - A) / (B + A)`` with B and A the sums of the sizes of the best `depth` levels, without unit: 1 where nobody
    asks, -1 where nobody bids (queue imbalance, Gould and Bonart 2016, over several levels).

    Parameters
    ----------
    df : pandas.DataFrame
        Quotes with bid_size and ask_size, or books of ``qr.orderbooks`` with bid_size_0, ask_size_0 and so on; index in
        time order. Every row must be a whole book: updates have to be rebuilt first.
    depth : int
        Levels a side; more than 1 needs books.

    Returns
    -------
    pandas.Series
        ``depth_imbalance``, float64, beside the rows of `df`. NaN where one of these levels is missing or all are 0.

    Raises
    ------
    InputError
        `df` is no frame in time order, a column holds no numbers, a row is an update of a book, or `depth` cannot be used.
    UnknownNameError
        A column is not there: the books do not reach so deep.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> books = qr.orderbooks("BTCUSDT", depth=5, minutes=30)
    >>> bool(qr.prep.depth_imbalance(books, 5).between(-1, 1).all())
    True
    """
    levels = range(pick_depth(depth))
    quotes = depth == 1 and isinstance(df, pd.DataFrame) and "bid_size" in df.columns
    names = {side: [f"{side}_size"] if quotes else [f"{side}_size_{level}" for level in levels] for side in ("bid", "ask")}
    check_quotes(df, [*names["bid"], *names["ask"]], "quotes" if quotes else f"books of {depth} levels")
    bids, asks = (np.sum([numbers(df, name) for name in names[side]], axis=0) for side in ("bid", "ask"))
    total = bids + asks
    made = np.divide(bids - asks, total, out=np.full(len(df), np.nan), where=total != 0)
    return as_series(made, df, "depth_imbalance")


def _came(price: Floats, size: Floats, before: Ints) -> Floats:
    """Return the size that came to a side whose better price is the higher one."""
    old, had = price[before], size[before]
    known = ~(np.isnan(price) | np.isnan(old) | np.isnan(size) | np.isnan(had))
    came = np.where(price >= old, size, 0.0) - np.where(price <= old, had, 0.0)
    return np.where(known, came, np.nan)
