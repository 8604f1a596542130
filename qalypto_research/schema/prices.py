"""Which prices a candle can have, whatever the market."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]

_ROUNDING: Final = 1e-9
"""Of a price: by so much an open or close may lie beyond high and low, as those of computed bars do."""


def beyond_range(opens: _Floats, high: _Floats, low: _Floats, close: _Floats) -> _Flags:
    """Tell of which rows a price lies above the high or below the low; of unknown prices (NaN) nothing is said."""
    prices = np.stack([opens, high, low, close])
    with np.errstate(invalid="ignore"):  # of infinite ones
        room = _ROUNDING * np.abs(high)
        found: _Flags = (np.fmax.reduce(prices) > high + room) | (np.fmin.reduce(prices) < low - room)
    return found


def possible(opens: _Floats, high: _Floats, low: _Floats, close: _Floats) -> _Flags:
    """Tell of which rows all prices are finite and above zero, none above the high, and none below the low."""
    prices = np.stack([opens, high, low, close])
    found: _Flags = np.isfinite(prices).all(axis=0) & (prices > 0).all(axis=0) & ~beyond_range(opens, high, low, close)
    return found
