"""Which prices a candle can have."""

from __future__ import annotations

import numpy as np

from qalypto_research.schema.prices import beyond_range, possible

NAN, INF = float("nan"), float("inf")


def columns(*rows):
    return np.array(rows).T


def test_no_price_is_infinite_unknown_or_free():
    rows = columns((5, 6, 4, 5), (INF, INF, 4, 5), (5, 6, 4, NAN), (5, NAN, 4, 5), (5, 6, 0, 5), (5, 6, -1, 5), (0, 0, 0, 0), (5, 5, 5, 5))
    assert possible(*rows).tolist() == [True, False, False, False, False, False, False, True]


def test_none_lies_beyond_high_and_low_but_for_rounding():
    rows = columns((5, 6, 4, 6.1), (3.9, 6, 4, 5), (5, 4, 6, 5), (5, 6, 4, 6 + 1e-9), (4 - 1e-9, 6, 4, 5), (5, 6, 4, 6 + 1e-8))
    assert beyond_range(*rows).tolist() == [True, True, True, False, False, True]
    assert possible(*rows).tolist() == [False, False, False, True, True, False]


def test_of_unknown_prices_nothing_is_said():
    rows = columns((NAN, 6, 4, 5), (5, NAN, 4, 9), (5, 6, NAN, 1), (NAN, NAN, NAN, NAN), (NAN, 6, 4, 7))
    assert beyond_range(*rows).tolist() == [False, False, False, False, True]
