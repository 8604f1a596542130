"""Which waits between ticks are too long to be chance.

A wait is a silence when it is a minute or longer and longer than the series' own pace explains. Were rows to come one by
one at random, the longest of n waits would be about ``ln n`` mean waits long, and once in ten thousand such series over
``ln n + 9.2``. Rows that come evenly (a ticker every 15 seconds) wait far less long, trades, which come in bursts, longer:
how much is told by how unevenly rows fall into minutes, their variance over their mean (1 at random), up to threefold. So
a wait is usual up to ``mean x (2 + unevenness x (ln n + 9.2))``. What is found to be a silence no longer counts as pace,
and the rest is held against the rest once more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qalypto_research.history.census import MINUTE_MS

Waits = npt.NDArray[np.int64]
"""Stretches of time, ascending and apart: one row each, from and to in milliseconds since 1970."""

_CHANCE: Final = -math.log(1e-4)
_LEAST_ROWS: Final = 10
"""Fewer rows have no pace."""
_LEAST_MINUTES: Final = 10
"""Fewer minutes do not show that rows come evenly."""
_MOST_UNEVEN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How the rows of a series come.

    Attributes
    ----------
    rows : int
        Rows.
    first, last : int
        Of the first and the last row, milliseconds since 1970.
    squares : int or None
        Sum over its minutes of their rows squared; None: not known, and taken to come as unevenly as can be.
    waits : numpy.ndarray
        The waits of a minute or more between two of its rows.
    """

    rows: int
    first: int
    last: int
    squares: int | None
    waits: Waits

    def usual_ms(self) -> float:
        """Return up to where a wait is usual, in milliseconds; infinite where there are too few rows to tell."""
        if self.rows < _LEAST_ROWS:
            return math.inf
        lengths = self.waits[:, 1] - self.waits[:, 0]
        silent = np.zeros(len(lengths), bool)
        while True:
            usual = self._usual_ms(int(lengths[silent].sum()), int(silent.sum()))
            found = lengths > usual
            if not (found & ~silent).any():
                return usual
            silent |= found

    def _usual_ms(self, silent_ms: int, silences: int) -> float:
        heard = self.last - self.first - silent_ms
        mean = heard / max(1, self.rows - 1 - silences)
        minutes = max(1.0, heard / MINUTE_MS)
        return max(float(MINUTE_MS), mean * (2 + self._uneven(minutes) * (math.log(self.rows) + _CHANCE)))

    def _uneven(self, minutes: float) -> float:
        """Return how unevenly the rows fall into so many minutes: 0 where they come evenly, 1 where at random."""
        if self.squares is None:
            return _MOST_UNEVEN
        in_minute = self.rows / minutes
        uneven = max(0.0, self.squares / minutes - in_minute**2) / in_minute
        # No more even than so few minutes can show.
        uneven *= 1 + 3 * math.sqrt(2 / minutes)
        return min(_MOST_UNEVEN, uneven if minutes >= _LEAST_MINUTES else max(1.0, uneven))


def silent_of_all(absences: list[Waits]) -> Waits:
    """Return the stretches of a minute or more in which none of several series has a row.

    Parameters
    ----------
    absences : list of numpy.ndarray
        For each series its waits, and where it has not begun or has ended.
    """
    edges = np.concatenate([a.ravel() for a in absences])
    steps = np.tile(np.array([1, -1]), len(edges) // 2)
    # At the same moment one ends before the next begins: there is a row there.
    order = np.lexsort((steps, edges))
    silent = np.cumsum(steps[order]) == len(absences)
    at = np.flatnonzero(silent)
    found = np.stack([edges[order][at], edges[order][at + 1]], axis=1)
    return np.compress(found[:, 1] - found[:, 0] >= MINUTE_MS, found, axis=0)


def within(wait: npt.NDArray[np.int64], stretches: Waits) -> int:
    """Return how many milliseconds of `wait` lie in `stretches`."""
    overlap = np.minimum(stretches[:, 1], wait[1]) - np.maximum(stretches[:, 0], wait[0])
    return int(np.maximum(overlap, 0).sum())
