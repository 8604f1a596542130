"""When a row could be known: a candle not before it is over, whatever its index says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.checks import check_column, check_frame
from qalypto_research.prep.meaning import COLUMN, given_us, intervals_us, lengths_us
from qalypto_research.schema.frames import NEVER, TIME_DTYPE, epoch_us, times_us
from qalypto_research.timerange import DurationLike


def available_at(
    df: pd.DataFrame, *, lag: DurationLike = "0s", length: DurationLike | None = None, ends: str | None = None
) -> pd.DataFrame:
    """Add the moment from which each row could be known.

    The index of a candle is its open time, and what it says is known only once it is over. This column says when: the
    end of the stretch that a row covers, plus `lag`. Rows that live frames have are not available before they arrived
    (``received``), and a forming candle (``is_final`` False) is available when it arrived, or else never (NaT): which
    moment it shows is not known.

    Parameters
    ----------
    df : pandas.DataFrame
        Candles (``interval`` says how long each is), trades, tickers, books, funding; or any frame over times, with
        `length`.
    lag : str or timedelta
        How long after its end a row reaches you, as "250ms". "0s": at once.
    length : str or timedelta, optional
        How long after its index a row is complete: "1h" for frames over the open times of hours, also for the buckets
        of ``qr.spreads``; "0s" where the index is the moment itself. By default ``interval``, where candles lie as those of
        that length do, and none for trades, tickers, books and funding, where they lie on no grid, as buckets of them
        would. Other frames must have it said. No less than ``interval``.
    ends : str, optional
        Instead of a length the column of times at which each row was complete, as "last_time" of bars by tick, volume or
        dollar.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``available_at`` (``datetime64[us, UTC]``) at its end.

    Raises
    ------
    InputError
        No frame over times, one that has the column already, one that does not tell what its index means, or whose
        ``interval`` cannot be; a row that would be complete before its index or its ``interval`` says.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.klines("BTCUSDT", "1h", hours=2)
    >>> known = qr.prep.available_at(hours, lag="2s")
    >>> known.index[-1], known["available_at"].iloc[-1]
    (Timestamp('2026-03-02 12:00:00+0000', tz='UTC'), Timestamp('2026-03-02 13:00:02+0000', tz='UTC'))
    """
    check_frame(df, ordered=False)
    if COLUMN in df.columns:
        raise InputError("df", "has the column 'available_at' already; leave it, or drop it first: df.drop(columns='available_at')")
    lag_us = pick_length(lag, "lag", zero=True)
    if length is not None and ends is not None:
        raise InputError("ends", "and length say the same thing twice; give one")
    after: npt.NDArray[np.int64] | int | None = None if length is None else pick_length(length, "length", zero=True)
    if ends is not None:
        column = df[check_column(df, ends, "ends")]
        if not isinstance(column.dtype, pd.DatetimeTZDtype) or column.isna().any():
            raise InputError("ends", f"column {ends!r} must hold a time with a zone in each row; it is of {column.dtype}")
        after = times_us(column) - epoch_us(df)
        _check_not_before(df, after, np.zeros(len(df), "int64"), "ends", "it began")
    elif after is not None and "interval" in df.columns:
        _check_not_before(df, after, intervals_us(df), "length", "it was over, as 'interval' has it")
    out = df.copy()
    out[COLUMN] = as_times(known_us(df, lag_us, after))
    return out


def _check_not_before(df: pd.DataFrame, after: npt.NDArray[np.int64] | int, least: npt.NDArray[np.int64], argument: str, said: str) -> None:
    early = after < least
    if early.any():
        at = df.index[int(early.argmax())]
        raise InputError(
            argument, f"has {int(early.sum()):,} rows complete before {said}, the first at {at}; look for what is wrong of the two"
        )


def known_us(
    df: pd.DataFrame, lag_us: int = 0, length_us: npt.NDArray[np.int64] | int | None = None, argument: str = "df"
) -> npt.NDArray[np.int64]:
    """Return when each row of `df` could be known, in microseconds since 1970; `NEVER` where it cannot.

    A column ``available_at`` is taken as it is.

    Raises
    ------
    InputError
        The frame does not tell what its index means.
    """
    if COLUMN in df.columns:
        return given_us(df, argument)
    moments = index_us(df) + ((length_us if length_us is not None else lengths_us(df, argument)) + lag_us)
    if "received" not in df.columns and "is_final" not in df.columns:
        return moments
    arrived = times_us(df["received"]) if "received" in df.columns else np.full(len(df), NEVER)
    closed = df["is_final"].to_numpy("bool") if "is_final" in df.columns else np.ones(len(df), "bool")
    return np.where(closed, np.maximum(moments, arrived), arrived)


def index_us(df: pd.DataFrame | pd.Series) -> npt.NDArray[np.int64]:
    """Return the index of a frame or series in microseconds since 1970, to be read only: where it is so already, it is the very memory."""
    index = pd.DatetimeIndex(df.index)
    return np.asarray((index if index.unit == "us" else index.as_unit("us")).asi8)


def as_times(microseconds: npt.NDArray[np.int64], *, copy: bool = True) -> pd.DatetimeIndex:
    """Return moments given in microseconds since 1970; without `copy` in the very memory, which nobody else may have."""
    return pd.DatetimeIndex(microseconds, dtype=TIME_DTYPE, copy=copy)
