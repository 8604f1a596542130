"""How large orders are: log-normal, as recorded ones are, with dust among them and people's liking for round numbers."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Floats, Ints

UNIT: Final = 1_000_000
"""Relative sizes are whole millionths of the mean, so that they can be carried from block to block as they are."""
_SPREAD: Final = 1.85
_DUST_SHARE: Final = 0.40
_DUST: Final = 0.01
_LARGEST: Final = 150.0
_ROUND_SHARE: Final = 0.35
_LEFT: Final = 1.0 - _DUST_SHARE + _DUST_SHARE * _DUST
_POWERS: Final = 10.0 ** np.arange(16)


def draw(n: int, draws: np.random.Generator) -> Ints:
    """Draw `n` sizes of orders in millionths of their mean."""
    relative = np.minimum(np.exp(_SPREAD * draws.normal(size=n) - 0.5 * _SPREAD**2), _LARGEST)
    relative *= np.where(draws.random(n) < _DUST_SHARE, _DUST, 1.0) / _LEFT
    millionths: Ints = np.maximum(np.rint(relative * UNIT), 1.0).astype(np.int64)
    return millionths


def mean_asked(done: float, most: float, modest: float) -> float:
    """Return what to ask for on the average so that `done` comes about, where the part `modest` of orders asks for no more than `most`."""
    asked = done
    for _ in range(30):
        reach = math.log(most / asked * _LEFT)
        below, above = (0.5 * (1.0 + math.erf((reach + sign * 0.5 * _SPREAD**2) / _SPREAD / math.sqrt(2.0))) for sign in (-1.0, 1.0))
        asked = min(done / (1.0 - modest + modest * (below + most / asked * _LEFT * (1.0 - above))), 20.0 * done)
    return asked


def to_lots(quote: Floats, price: float, lot_digits: int, draws: np.random.Generator) -> Ints:
    """Turn sizes in quote currency into whole lots, some of them round."""
    lots = np.maximum(np.rint(quote / price * 10.0**lot_digits), 1.0)
    some: Ints = np.where(draws.random(len(lots)) < _ROUND_SHARE, rounded(lots), lots).astype(np.int64)
    return some


def rounded(lots: Floats) -> Floats:
    """Return the nearest of 1, 2 and 5 times a power of ten."""
    magnitude = _POWERS[np.searchsorted(_POWERS, lots, side="right") - 1]
    leading = lots / magnitude
    return np.asarray(np.where(leading < 1.6, 1.0, np.where(leading < 3.5, 2.0, np.where(leading < 7.5, 5.0, 10.0))) * magnitude)
