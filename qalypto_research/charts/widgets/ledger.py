"""What a chart has shown, as rows of numbers, and what a frame changes in it. Nothing here draws or sends."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.errors import InputError
from qalypto_research.schema.frames import epoch_us
from qalypto_research.schema.prices import possible
from qalypto_research.schema.vocabulary import INTERVAL_MS

Rows = npt.NDArray[np.float64]

WIDTH: Final = 7
"""Numbers a row: time (seconds since 1970 UTC), open, high, low, close, volume, and which state the candle is in."""
TIME, OPEN, HIGH, LOW, CLOSE, VOLUME, STATE = range(WIDTH)
MISSING, FORMING, CLOSED, IMPOSSIBLE, IMPOSSIBLE_FORMING = 0.0, 1.0, 2.0, 3.0, 4.0
"""States. Impossible candles, closed or not, have prices that no market can have; they keep them."""
MOST: Final = 3_000
"""Candles that a chart holds, the newest."""

_OVER: Final = (CLOSED, IMPOSSIBLE)
_PRICES: Final = ["open", "high", "low", "close", "volume"]


def to_rows(klines: pd.DataFrame) -> Rows:
    """Return candles as rows, ascending, one of each time: the last that the frame has. Those without all prices are left out.

    A volume that cannot be, as one below zero, is not known: NaN.

    Raises
    ------
    InputError
        No frame of candles.
    """
    lacking = [name for name in [*_PRICES, "is_final"] if name not in klines.columns]
    if lacking:
        raise InputError("klines", f"has no column {lacking[0]!r}; give what live.klines(final=False) returns")
    rows = np.empty((len(klines), WIDTH))
    rows[:, TIME] = epoch_us(klines) / 1e6
    for place, name in enumerate(_PRICES, OPEN):
        rows[:, place] = klines[name].to_numpy(np.float64)
    final = klines["is_final"].to_numpy(np.bool_)
    prices, volume = rows[:, OPEN:VOLUME], rows[:, VOLUME]
    good = possible(*prices.T)
    rows[:, STATE] = np.where(good, np.where(final, CLOSED, FORMING), np.where(final, IMPOSSIBLE, IMPOSSIBLE_FORMING))
    volume[~(np.isfinite(volume) & (volume >= 0))] = np.nan
    rows = rows[~np.isnan(prices).any(axis=1) | np.isinf(prices).any(axis=1)]
    rows = rows[np.argsort(rows[:, TIME], kind="stable")]
    last = np.flatnonzero(np.append(np.diff(rows[:, TIME]) > 0, len(rows) > 0))
    return np.take(rows, last, axis=0)


def is_shown(rows: Rows) -> npt.NDArray[np.bool_]:
    """Tell which rows are drawn as candles."""
    found: npt.NDArray[np.bool_] = np.isin(rows[:, STATE], (FORMING, CLOSED))
    return found


def seconds_of(interval: str) -> int:
    """Return the length of a candle."""
    return INTERVAL_MS[interval] // 1_000


class Ledger:
    """Candles of one series as a chart has been told of them.

    Parameters
    ----------
    step : int
        Seconds from one candle to the next: where one is missing between two, a row without prices stands for it.
    most : int
        How many rows are held at least; of a few more the oldest are let go of.
    """

    def __init__(self, step: int, most: int = MOST) -> None:
        self.step = step
        self.most = most
        self.rows: Rows = np.empty((0, WIDTH))

    def put(self, rows: Rows) -> Rows:
        """Take rows, ascending, and return those that change something, ascending; with them what is missing between.

        A running update never takes the place of a closed candle.
        """
        rows = self._unsettled(rows)
        if not len(rows):
            return rows
        before = self.rows
        self.rows = self._with_missing(_merged(before, rows))
        if len(self.rows) > self.most + self.most // 8:  # not for each candle: it takes a copy
            self.rows = self.rows[-self.most :].copy()
        return _changes(before, self.rows)

    def _unsettled(self, rows: Rows) -> Rows:
        """Return the rows but for running updates of candles that are held closed."""
        if not len(rows) or not len(self.rows):
            return rows
        at = np.searchsorted(self.rows[:, TIME], rows[:, TIME])
        held = self.rows[np.minimum(at, len(self.rows) - 1)]
        settled = (held[:, TIME] == rows[:, TIME]) & np.isin(held[:, STATE], _OVER) & ~np.isin(rows[:, STATE], _OVER)
        return np.compress(~settled, rows, axis=0)

    def _with_missing(self, rows: Rows) -> Rows:
        steps = np.rint(np.diff(rows[:, TIME]) / self.step).astype(np.int64)
        wide = np.flatnonzero(steps > self.most)
        if wide.size:  # what lies before a hole wider than all that is held would be let go of anyway
            rows, steps = rows[wide[-1] + 1 :], steps[wide[-1] + 1 :]
        holes = np.flatnonzero(steps > 1)
        if not holes.size:
            return rows
        begins = rows[holes, TIME]
        times = np.concatenate([begin + self.step * np.arange(1, count) for begin, count in zip(begins, steps[holes], strict=True)])
        missing = np.full((len(times), WIDTH), np.nan)
        missing[:, TIME], missing[:, STATE] = times, MISSING
        return _merged(rows, missing)


def _merged(before: Rows, rows: Rows) -> Rows:
    """Return both together, ascending; of one time the later argument's."""
    if not len(before) or rows[0, TIME] > before[-1, TIME]:
        return np.concatenate([before, rows])
    kept = before[~np.isin(before[:, TIME], rows[:, TIME])]
    both = np.concatenate([kept, rows])
    return both[np.argsort(both[:, TIME], kind="stable")]


def _changes(before: Rows, after: Rows) -> Rows:
    """Return the rows of `after` that `before` does not hold as they are."""
    if not len(before):
        return after.copy()
    at = np.minimum(np.searchsorted(before[:, TIME], after[:, TIME]), len(before) - 1)
    same = ((before[at] == after) | (np.isnan(before[at]) & np.isnan(after))).all(axis=1)
    return np.compress(~same, after, axis=0)
