"""How large trades are: a log-normal body, a Pareto tail, and people's liking for round numbers."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Floats, Ints

MEDIAN_QUOTE: Final = 380.0
_BODY: Final = 1.35
_TAIL_SHARE: Final = 0.012
_TAIL_FROM: Final = 15_000.0
_TAIL_INDEX: Final = 1.5
_LARGEST: Final = 2_500_000.0
_ROUND_SHARE: Final = 0.30
_POWERS: Final = 10.0 ** np.arange(16)
MEAN_QUOTE: Final = 1_450.0
"""Mean trade in quote currency, near enough for volumes before the ticks."""


def draw_quote(n: int, draws: np.random.Generator) -> Floats:
    """Draw `n` trade sizes in quote currency."""
    body = MEDIAN_QUOTE * np.exp(_BODY * draws.normal(size=n))
    tail = _TAIL_FROM * draws.random(n) ** (-1.0 / _TAIL_INDEX)
    return np.minimum(np.where(draws.random(n) < _TAIL_SHARE, tail, body), _LARGEST)


def to_lots(quote: Floats, price: float, lot_digits: int, draws: np.random.Generator) -> Ints:
    """Turn sizes in quote currency into whole lots, some of them round."""
    lots = np.maximum(np.rint(quote / price * 10.0**lot_digits), 1.0)
    magnitude = _POWERS[np.searchsorted(_POWERS, lots, side="right") - 1]
    leading = lots / magnitude
    rounded = np.where(leading < 1.6, 1.0, np.where(leading < 3.5, 2.0, np.where(leading < 7.5, 5.0, 10.0))) * magnitude
    return np.where(draws.random(len(lots)) < _ROUND_SHARE, rounded, lots).astype(np.int64)
