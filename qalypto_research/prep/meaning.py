"""What the rows of a frame are: moments, candles, bars of time or of trades; and how long they are.

Columns and times say it, and not always all of it. What is concluded from them is concluded here, and only where nothing
else can be meant: a bar that is taken for a moment, or for a shorter one, is known before it is over, and a backtest on it
looks ahead without a word. In doubt there is an error, or None where the caller can do without.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.series import SERIES, by_series
from qalypto_research.schema.frames import FUNDING, KLINES, NEVER, ORDERBOOK_TOPS, SPREADS, TICKERS, TRADES, epoch_us, times_us
from qalypto_research.timerange import DurationLike

COLUMN: Final = "available_at"
PRICES: Final = ("open", "high", "low", "close")

Ints = npt.NDArray[np.int64]

_SPANNING: Final = {*KLINES.column_names, *SPREADS.column_names} - {"exchange", "symbol", "bid_price", "ask_price"}
"""Columns of rows that sum up a stretch of time, which begins at their index."""

_EVENTS: Final = {name for frame in (TRADES, TICKERS, ORDERBOOK_TOPS, FUNDING) for name in frame.column_names} - {"exchange", "symbol"}
"""Columns of rows that happened at their index."""

_DAY: Final = 86_400_000_000
_SECOND: Final = 1_000_000
_MILLISECOND: Final = 1_000
_COARSE: Final = 100 * _MILLISECOND
_FINE: Final = 2 * _MILLISECOND
_NO_CHANCE: Final = 9
_SMALL_CHANCE: Final = 2
"""Moments of a market come in milliseconds: that some lie on a grid by chance has one of one in ten to this."""

_HEAD: Final = 256
"""Rows of which most frames show that they lie on no grid."""

_FEW: Final = 4
"""Candles of a series below which they lie on a coarser grid by chance."""

_MOST_PARTS: Final = 1_000_000
"""How many parts of a step are tried for a length; single bars would have thousands of millions."""


def given_us(df: pd.DataFrame, argument: str = "df") -> Ints:
    """Return the column ``available_at`` in microseconds since 1970, `NEVER` for NaT.

    Raises
    ------
    InputError
        It is not of times.
    """
    given = df[COLUMN]
    if not isinstance(given.dtype, pd.DatetimeTZDtype):
        raise InputError(argument, f"column 'available_at' is of {given.dtype}; let qr.prep.available_at make it")
    return times_us(given)


def lengths_us(df: pd.DataFrame, argument: str = "df") -> Ints | int:
    """Return how long after its index each row is complete, in microseconds.

    Raises
    ------
    InputError
        The frame does not tell, or contradicts itself.
    """
    if "interval" in df.columns:
        lengths = intervals_us(df, argument)
        check_intervals(df, argument)
        return lengths
    names = set(map(str, df.columns))
    if names & _EVENTS and not names & _SPANNING and not _lies_in_buckets(df):
        return 0
    raise InputError(
        argument,
        "does not tell whether its index is when a row was known or when its bar opened; say it with "
        "qr.prep.available_at(frame, length='1h') for bars of an hour, length='0s' where the index is that moment, "
        "or ends='last_time' where a column tells it",
    )


def intervals_us(df: pd.DataFrame, argument: str = "df") -> Ints:
    """Return what the column ``interval`` says, in microseconds.

    Raises
    ------
    InputError
        It is empty in a row, or no length.
    """
    kinds = df["interval"].astype("category")
    if kinds.isna().any():
        raise InputError(argument, "column 'interval' is empty in some rows; say how long those candles are")
    lengths = np.array([pick_length(str(name), "interval") for name in kinds.cat.categories], "int64")
    return lengths[kinds.cat.codes.to_numpy()] if len(df) else np.empty(0, "int64")


def check_intervals(df: pd.DataFrame, argument: str = "df") -> None:
    """Check that the candles of each series can be as long as their ``interval`` says.

    Longer candles that were made of shorter ones, with pandas say, may have theirs still.

    Raises
    ------
    InputError
        They lie as longer ones do.
    """
    series, opens = by_series(df, SERIES, argument), epoch_us(df)
    lengths = np.array([pick_length(str(label[-1]), "interval") for label in series.labels], "int64")
    codes = series.codes
    if len(lengths) > 1 or not df.index.is_monotonic_increasing:
        order = np.lexsort((opens, codes)) if not df.index.is_monotonic_increasing else series.order()
        codes, opens = codes[order], opens[order]
    neighbours = (np.diff(opens) == lengths[codes[1:]]) & (np.diff(codes) == 0)
    doubtful = np.ones(len(lengths), "bool")
    doubtful[codes[1:][neighbours]] = False
    for code in np.flatnonzero(doubtful):
        first, end = np.searchsorted(codes, [code, code + 1])
        if end - first < _FEW and neighbours.any():
            continue  # the other series vouch for it
        apart = steps_unlike(opens[first:end], int(lengths[code]), _step_of(df))
        if apart is not None:
            name = series.labels[code][-1]
            raise InputError(
                argument,
                f"has {name!r} in 'interval', but no two of those candles are that far apart: the shortest step is "
                f"{pd.Timedelta(apart, unit='us')}, as of longer candles that were made of them. Make such with qr.prep.resample, or set "
                f"the column right; if they are a choice of candles of {name}, say how long they are: "
                f"qr.prep.available_at(frame, length={name!r}), or length={name!r} where a function takes it",
            )


def steps_unlike(opens: Ints, length: int, step: int = 0) -> int | None:
    """Return the shortest step between candles that are most likely not of `length`; None for those that may be.

    They are not where no two are as far apart, and all lie on a coarser grid, as longer candles do, or closer together.
    A choice of candles lies on no such grid but by chance. Microseconds all.

    Parameters
    ----------
    opens : array of int
        When the candles of one series open, ascending.
    length : int
        How long they are said to be.
    step : int
        What the index says of its steps, 0 for nothing.
    """
    if step > length:
        return step
    times = np.unique(opens)
    steps = np.diff(times)
    if not len(steps) or (steps == length).any():
        return None
    shortest = int(steps.min())
    even = len(steps) > 2 and not (steps % shortest).any()
    return shortest if shortest < length or int(np.gcd.reduce(times)) > length or even else None


def _step_of(df: pd.DataFrame) -> int:
    """Return the step that an index knows of itself, in microseconds, as after pandas' resample; 0 where it knows none."""
    index = pd.DatetimeIndex(df.index)
    if index.freq is None or not len(index):
        return 0
    return (index[0] + index.freq - index[0]) // pd.Timedelta(1, "us")


def _lies_in_buckets(df: pd.DataFrame) -> bool:
    """Return whether moments of events lie as buckets of them do, by their index or on a grid that is no coincidence.

    Best quotes without an exchange may be buckets of `qr.spreads`: of those little is enough.
    """
    index = pd.DatetimeIndex(df.index)
    if index.freq is not None:
        return True
    of_nobody = "exchange" not in df.columns and bool({"bid_price", "ask_price"} & set(df.columns))
    coarse, chance = (_FINE, _SMALL_CHANCE) if of_nobody else (_COARSE, _NO_CHANCE)
    if not len(index) or np.gcd.reduce(epoch_us(df[:_HEAD]), initial=_DAY) < coarse:
        return False
    times = np.unique(epoch_us(df))
    grid = int(np.gcd.reduce(times, initial=_DAY))
    return grid >= coarse and len(times) * math.log10(grid / _MILLISECOND) >= chance


def is_of_bars(df: pd.DataFrame) -> bool:
    """Return whether `df` has the prices of candles or bars."""
    return set(PRICES) <= set(df.columns)


def is_over(df: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which candles or bars are over: final, as far as the frame says it, and available at some time."""
    final = df["is_final"].to_numpy("bool") if "is_final" in df.columns else np.ones(len(df), "bool")
    return final & (given_us(df) != NEVER) if COLUMN in df.columns else final


def bar_step(df: pd.DataFrame, length: DurationLike | None = None) -> int | None:
    """Return how long each bar of `df` is, in microseconds: as `interval` or `length` says it, else as ``available_at`` tells it.

    Bars of time are known the same time after each open: their length and perhaps a lag. The length divides all opens, is
    no longer than that, and reaches beyond each bar's last trade; it is told where one only does so. Bars of ticks,
    volume or money begin with their first trade and are known the same time after their last.

    Parameters
    ----------
    df : pandas.DataFrame
        Bars of one length.
    length : str or timedelta, optional
        What was said.

    Returns
    -------
    int or None
        None for bars that are not of time, or do not tell.

    Raises
    ------
    InputError
        `length` cannot be.
    """
    said = None if length is None else pick_length(length, "length")
    if "interval" in df.columns and len(df):
        step = int(intervals_us(df)[0])
        if said is not None and said != step:
            raise InputError("length", f"is {length!r}, but the column 'interval' says {df['interval'].iloc[0]!r}; leave it out")
        return step
    if COLUMN not in df.columns or not is_of_bars(df):
        return said
    opens, known = epoch_us(df), given_us(df)
    there = known != NEVER
    waits = (known - opens)[there]
    if said is None:
        same = len(waits) > 0 and waits[0] > 0 and waits.min() == waits.max()
        return _only_length(df, opens, int(waits[0])) if same and not _may_be_of_trades(df, opens, known) else None
    if len(waits) and waits.min() < said:
        early = pd.Timedelta(int(waits.min()), unit="us")
        raise InputError(
            "length", f"is {length!r}, but 'available_at' says that a bar was known {early} after its open: before it was over"
        )
    return said


def starts_before_trades(df: pd.DataFrame) -> bool:
    """Return whether bars open before their first trade, as only bars of time do."""
    begins = _after(df, "first_time", epoch_us(df))
    return bool(len(begins) and begins.min() >= 0 and begins.max() > 0)


def may_be_of_time(df: pd.DataFrame) -> bool:
    """Return whether bars that do not tell their length may be of time: each within a step of a grid of seconds."""
    opens = epoch_us(df)
    begins, ends = _after(df, "first_time", opens), _after(df, "last_time", opens)
    whole = not (opens % _SECOND).any()
    return whole and int(begins.min(initial=0)) >= 0 and int(ends.max(initial=0)) < np.gcd.reduce(opens)


def _may_be_of_trades(df: pd.DataFrame, opens: Ints, known: Ints) -> bool:
    """Return whether bars may be of ticks, volume or money: each begins with its first trade, and is known alike after its last."""
    begins = _after(df, "first_time", opens)
    if len(begins) and begins.min() < 0:
        return True
    if begins.any():
        return False
    there = known != NEVER
    return len(np.unique(known[there] - times_us(df["last_time"])[there])) == 1 if "last_time" in df.columns else True


def _only_length(df: pd.DataFrame, opens: Ints, wait: int) -> int | None:
    """Return the only length that bars known `wait` after their opens can have, in whole milliseconds; None where several are."""
    grid = int(np.gcd.reduce(opens))
    least = max(int(_after(df, "last_time", opens).max(initial=0)) + 1, _MILLISECOND)
    fewest, most = -(-grid // wait), grid // least
    if most - fewest > _MOST_PARTS:
        return None
    parts = np.arange(fewest, most + 1)
    lengths = grid // parts[grid % parts == 0]
    lengths = lengths[lengths % _MILLISECOND == 0]
    return int(lengths[0]) if len(lengths) == 1 else None


def _after(df: pd.DataFrame, column: str, opens: Ints) -> Ints:
    """Return how long after the opens the times of a column are, where there are any."""
    if column not in df.columns:
        return opens[:0]
    times = times_us(df[column])
    after: Ints = (times - opens)[times != NEVER]
    return after
