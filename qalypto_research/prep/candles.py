"""What the functions over candles ask of them, and their grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.clock import from_us
from qalypto_research.errors import InputError
from qalypto_research.prep.checks import check_columns, check_frame
from qalypto_research.prep.meaning import PRICES, bar_step, check_intervals, is_of_bars
from qalypto_research.prep.series import MARKET, ONE_ROW, BySeries, by_series, check_one, check_unique
from qalypto_research.schema.frames import epoch_us
from qalypto_research.schema.prices import beyond_range
from qalypto_research.timerange import DurationLike

SUMS: Final = ("volume", "quote_volume", "num_trades", "buy_volume", "sell_volume")
DAY_US: Final = 86_400_000_000
WEEK_US: Final = 7 * DAY_US
_MONDAY_US: Final = 4 * DAY_US
"""The first Monday of 1970, in microseconds: with it begins the grid of weeks."""

_UNITS: Final = ((WEEK_US, "w"), (DAY_US, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"))


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles, or other bars of time, of one length and of one or several series.

    Attributes
    ----------
    interval : str
        Their length as a name.
    step : int
        And in microseconds.
    opens : array of int
        Open times in microseconds since 1970.
    series : BySeries
        Which series each is of: by exchange and symbol, as far as the frame has them.
    """

    interval: str
    step: int
    opens: npt.NDArray[np.int64]
    series: BySeries


def read_candles(df: pd.DataFrame, length: DurationLike | None = None) -> Candles:
    """Return how the candles or bars of time in `df` lie.

    Raises
    ------
    InputError
        Neither candles nor bars, of several lengths or of one that nothing tells, unsorted, one twice, or off the grid of
        their length.
    """
    check_frame(df)
    if not is_of_bars(df) and not {"interval", "close"} <= set(df.columns):
        raise InputError(
            "df", "is not of candles: it needs 'interval' and 'close'; take qr.klines or qr.bars, or bring others in with qr.prep.adopt"
        )
    check_one(df, ["interval"], why="candles of one length are meant")
    check_unique(df, [name for name in MARKET if name in df.columns], mend=ONE_ROW)
    if length is None and "interval" in df.columns:
        check_intervals(df)
    step = bar_step(df, length) if len(df) else pick_length("1m", "interval")
    if step is None:
        raise InputError(
            "length",
            "must be said: the bars of df do not tell how long they are, by 'interval', or by an 'available_at' and a 'last_time' that "
            "leave one length only, so that no hole can be seen; length='1m' for bars of a minute; those of ticks, volume or money have "
            "no grid",
        )
    interval = str(df["interval"].iloc[0]) if "interval" in df.columns and len(df) else length_name(step)
    opens = epoch_us(df)
    off = past_grid(opens, step) != 0
    if off.any():
        at = int(off.argmax())
        raise InputError(
            "df", f"has {int(off.sum()):,} candles that do not open on the grid of {interval}, the first at {from_us(int(opens[at]))}"
        )
    return Candles(interval, step, opens, by_series(df))


def past_grid(moments: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
    """Return how long after the last open of a candle of length `step` each moment lies, all in microseconds.

    Candles open on a grid from 1970 UTC; weeks with each Monday, as the exchanges' own do.
    """
    return (moments - _MONDAY_US if step == WEEK_US else moments) % step


def check_prices(df: pd.DataFrame) -> None:
    """Check that `df` has the prices and the volume of candles."""
    check_columns(df, [*PRICES, "volume"])


def check_possible(df: pd.DataFrame) -> None:
    """Check that a market can have made the prices and volumes of `df`.

    Raises
    ------
    InputError
        A price of 0 or less, an open or close outside of low to high, a negative volume.
    """
    prices, volume = df[list(PRICES)].to_numpy("float64"), df["volume"].to_numpy("float64")
    for bad, said in (
        ((prices <= 0).any(axis=1), "a price of 0 or less"),
        (beyond_range(*prices.T), "an open or close outside of low to high"),
        (volume < 0, "a negative volume"),
    ):
        if bad.any():
            at = df.index[int(bad.argmax())]
            raise InputError("df", f"has {int(bad.sum()):,} bars with {said}, the first at {at}; no market made them: mend or drop them")


def length_name(microseconds: int) -> str:
    """Return a length as intervals are named: "4h", "90m"."""
    size, unit = next((size, unit) for size, unit in _UNITS if microseconds % size == 0)
    return f"{microseconds // size}{unit}"
