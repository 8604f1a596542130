"""How often candles come, and from which age on it is to be said that none come any more."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

LEAST_S: Final = 10.0
"""Nothing younger is called old."""
TIMES: Final = 3.0
"""How many times as long as usual one waits."""
UNKNOWN_S: Final = 120.0
"""The bound for long candles of which no two updates have come yet."""
_GAPS: Final = 9


class Pace:
    """Learns how often updates of a series come: of one-minute candles often every second, of longer ones once a minute.

    Parameters
    ----------
    step : int
        Length of a candle, in seconds.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._last_s: float | None = None
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def hear(self, moment_s: float) -> None:
        """Take note of when one came."""
        if self._last_s is not None and moment_s > self._last_s:
            self._gaps.append(moment_s - self._last_s)
        self._last_s = moment_s

    @property
    def stale_s(self) -> float:
        """From which age on the newest is called old, in seconds (exclusive)."""
        usual = median(self._gaps) * TIMES if self._gaps else min(self._step, UNKNOWN_S)
        return max(LEAST_S, usual)
