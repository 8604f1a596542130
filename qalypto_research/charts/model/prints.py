"""The tape: each trade with side and size, and what was bought and sold over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import (
    Flags,
    Floats,
    Times,
    base_of,
    is_synthetic,
    pick_amounts,
    pick_flags,
    pick_frame,
    pick_numbers,
    pick_one,
    pick_times,
    pick_title,
)
from qalypto_research.charts.model.numbers import decimals_of

_SOURCE: Final = "qr.trades"
_MOST_BUCKETS: Final = 90
_S: Final = 1_000_000
_BUCKETS: Final = (
    *(n * 1_000 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(n * _S for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Trades.

    Attributes
    ----------
    title, base : str
    synthetic : bool
    decimals : int
    time_us : numpy.ndarray of int64
        Microseconds since 1970 UTC, ascending.
    price, amount : numpy.ndarray of float64
        None of the prices is NaN; an amount is where it is not known, or cannot be.
    buys, sells : numpy.ndarray of bool
        Side of the aggressor; neither where it is not known.
    liquidation : numpy.ndarray of bool
    without_price : int
        Rows that cannot be shown.
    without_amount : int
        Rows with a price whose amount is NaN, infinite or below zero: they are shown as the smallest.
    bucket_us : int
        Length of the buckets of time.
    bucket_begin_us : numpy.ndarray of int64
        Those with trades.
    bought, sold : numpy.ndarray of float64
        Amounts in each bucket.
    """

    title: str
    base: str
    synthetic: bool
    decimals: int
    time_us: Times
    price: Floats
    amount: Floats
    buys: Flags
    sells: Flags
    liquidation: Flags
    without_price: int
    without_amount: int
    bucket_us: int
    bucket_begin_us: Times
    bought: Floats
    sold: Floats

    def __len__(self) -> int:
        return len(self.time_us)


def build_tape(df: pd.DataFrame, *, title: str | None = None) -> Tape:
    """Return what a chart of the trades of `df` shows.

    Raises
    ------
    InputError
        The frame is not one of trades of one series.
    """
    frame = pick_frame(df, ("price", "amount", "side"), _SOURCE)
    exchange, symbol = pick_one(frame, "exchange"), pick_one(frame, "symbol")
    times, price, amount = pick_times(frame), pick_numbers(frame, "price"), pick_amounts(frame, "amount")
    there = ~np.isnan(price)
    side = frame["side"].astype(object).where(frame["side"].notna(), "").to_numpy()[there]
    times, price, amount = times[there], price[there], amount[there]
    buys, sells = side == "buy", side == "sell"
    span = int(times[-1] - times[0]) + 1 if len(times) else 1
    bucket = next((b for b in _BUCKETS if span / b <= _MOST_BUCKETS), -(-span // _MOST_BUCKETS))
    begins, place = np.unique(times // bucket * bucket, return_inverse=True)
    known = np.nan_to_num(amount)
    return Tape(
        title=pick_title(title, symbol, exchange, "trades"),
        base=base_of(symbol),
        synthetic=is_synthetic(frame),
        decimals=decimals_of(price),
        time_us=times,
        price=price,
        amount=amount,
        buys=buys,
        sells=sells,
        liquidation=pick_flags(frame, "is_liquidation", default=False)[there],
        without_price=int((~there).sum()),
        without_amount=int(np.isnan(amount).sum()),
        bucket_us=bucket,
        bucket_begin_us=begins,
        bought=_summed(known * buys, place, len(begins)),
        sold=_summed(known * sells, place, len(begins)),
    )


def _summed(amounts: Floats, place: npt.NDArray[np.intp], count: int) -> Floats:
    return np.asarray(np.bincount(place, weights=amounts, minlength=count), dtype=np.float64)
