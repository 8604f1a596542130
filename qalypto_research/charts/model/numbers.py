"""Numbers as axes and tags write them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from qalypto_research.charts.model.checking import Floats

_MOST_DECIMALS: Final = 12
_MOST_DIGITS: Final = 9
_SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def decimals_of(values: Floats) -> int:
    """Return with how many decimals prices are quoted: as many as the last thousand need, or six digits where they need too many."""
    known = values[np.isfinite(values)][-1_000:]
    known = known[np.abs(known) < 1e12]
    most = float(np.abs(known).max(initial=0.0)) or 1.0
    before = math.floor(math.log10(most)) + 1
    for decimals in range(min(max(0, _MOST_DIGITS - before), _MOST_DECIMALS) + 1):
        if np.allclose(known, np.round(known, decimals), rtol=1e-13, atol=0.0):
            return decimals
    return min(max(0, 6 - before), _MOST_DECIMALS)


def price_text(value: float, decimals: int) -> str:
    """Return a price with so many decimals: "66,219.3"; what they cannot show in four digits."""
    return f"{value:.4g}" if abs(value) >= 1e12 or 0 < abs(value) < 0.999 * 10.0**-decimals else f"{value:,.{decimals}f}"


def amount_text(value: float) -> str:
    """Return a size in three digits, without an exponent from 1e-8, the finest lot, to 1e15: "0.000042", "0.021", "13.5k", "1.2B"."""
    if not math.isfinite(value):
        return ""
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 1e15 or 0 < abs(rounded) < 1e-8:
        return f"{rounded:.3g}"
    unit, suffix = next(((u, s) for u, s in _SUFFIXES if abs(rounded) >= u), (1.0, ""))
    return np.format_float_positional(rounded / unit, precision=3, fractional=False, trim="-") + suffix


def axis_texts(values: Sequence[float]) -> list[str]:
    """Return the labels of an axis, all with as many decimals as its steps need; large ones with a suffix."""
    if not len(values):
        return []
    most = max(abs(v) for v in values)
    step = min((b - a for a, b in itertools.pairwise(values) if b > a), default=most or 1.0)
    if most >= 1e15 or (most and step < 10.0**-_MOST_DECIMALS):
        return [f"{v:.3g}" for v in values]
    unit, suffix = next(((u, s) for u, s in _SUFFIXES if most >= u and (u > 1e3 or most >= 1e4)), (1.0, ""))
    if suffix == "k" and step < 100:  # "66.25k" is harder to read than 66,250
        unit, suffix = 1.0, ""
    if suffix and step / unit < 0.001:
        unit, suffix = 1.0, ""
    decimals = _decimals_for(step / unit)
    return [f"{v / unit:,.{decimals}f}{suffix}" if v else "0" for v in values]


def price_texts(values: Sequence[float]) -> list[str]:
    """Return the labels of an axis of prices: written out, all with as many decimals as its steps need."""
    if not len(values):
        return []
    most = max(abs(v) for v in values)
    step = min((b - a for a, b in itertools.pairwise(values) if b > a), default=most or 1.0)
    if most >= 1e12 or step < 10.0**-_MOST_DECIMALS:
        return [f"{v:.4g}" for v in values]
    decimals = _decimals_for(step)
    return [f"{v:,.{decimals}f}" for v in values]


def _decimals_for(step: float) -> int:
    """Return how many decimals tell multiples of `step` apart: one more for steps such as 2.5."""
    if step <= 0:
        return 0
    for decimals in range(_MOST_DECIMALS):
        if abs(round(step, decimals) - step) < step * 1e-6:
            return decimals
    return _MOST_DECIMALS
