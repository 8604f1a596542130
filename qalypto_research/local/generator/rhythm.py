"""The rhythm of a day and a week: Asian, European and American hours, quieter weekends."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Floats, Ints

_HOURS: Final = np.arange(25, dtype=np.float64)
# Relative trading activity at each full UTC hour; the last repeats the first.
_ACTIVITY: Final = np.array(
    [1.05, 1.00, 0.95, 0.85, 0.75, 0.70, 0.75, 0.90, 1.05, 1.05, 0.95, 0.90, 1.05,
     1.45, 1.85, 1.80, 1.55, 1.30, 1.10, 1.00, 0.95, 0.80, 0.70, 0.80, 1.05]
)  # fmt: skip
_MEAN: Final = float(np.mean((_ACTIVITY[1:] + _ACTIVITY[:-1]) / 2))
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_WEEKEND: Final = 0.62


def activity(t_ms: Ints) -> Floats:
    """Return expected trading activity at UTC times `t_ms`, 1 on the average of a weekday."""
    t = np.asarray(t_ms, dtype=np.int64)
    level = np.interp((t % _DAY_MS) / _HOUR_MS, _HOURS, _ACTIVITY) / _MEAN
    # 1970-01-01 was a Thursday, so days 2 and 3 of each seven are Saturday and Sunday.
    weekday = (t // _DAY_MS) % 7
    expected: Floats = np.where((weekday == 2) | (weekday == 3), level * _WEEKEND, level)
    return expected


def volatility(t_ms: Ints) -> Floats:
    """Return expected volatility at UTC times `t_ms`, about 1 on the average."""
    return np.sqrt(activity(t_ms))
