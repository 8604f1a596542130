"""Where to cut history so that few cuts show most of what looks ahead.

A value that always looks ahead is shown by any cut. One that looks ahead at some rows only is shown by a cut between such
a row and what it looked at. So besides cuts spread evenly over all phases of the hour and the day (a cut at each full
hour would show no leak inside hours), some stand where look-ahead hides: inside runs of missing values, just before
the extremes of the input, just after the rare events of the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.prep.rows import Places

_GOLDEN: Final = (5**0.5 - 1) / 2
"""Its multiples, taken modulo 1, are spread more evenly than chance and fall on no grid."""

_RARE: Final = 0.2
"""A column that changes in fewer of its rows than this has events."""

_A_COLUMN: Final = 4
"""Cuts that one column may ask for."""


def pick_cuts(df: pd.DataFrame, output: pd.DataFrame, of_row: Places, moments: int, count: int) -> list[int]:
    """Return up to `count` places among `moments`, ascending: what is known up to there is kept.

    Parameters
    ----------
    df, output : pandas.DataFrame
        What goes into the function that is checked, and what came out.
    of_row : array of int
        For each row of `df` its place among the moments.
    moments : int
        How many there are. The last is never a cut, and the first tenth has none: a function may need some history.
    count : int
        The most to return. All are, where there are no more.
    """
    lowest, highest = moments // 10, moments - 2
    if highest - lowest < count:
        return list(range(lowest, highest + 1))
    informed = [places[(places >= lowest) & (places <= highest)] for places in _informed(df, output, of_row)]
    turns = chain.from_iterable(zip_longest(*informed))
    special = [int(place) for place in islice((place for place in turns if place is not None), count // 2)]
    chosen = dict.fromkeys([highest, *special])
    step = 0
    while len(chosen) < count:
        step += 1
        chosen[lowest + int(step * _GOLDEN % 1 * (highest - lowest + 1))] = None
    return sorted(islice(chosen, count))


def _informed(df: pd.DataFrame, output: pd.DataFrame, of_row: Places) -> Iterator[Places]:
    """Yield for each column the places it asks for, the most telling first."""
    aligned = len(output) == len(df)
    for column in _numbers(output) if aligned else ():
        events = _events(column)
        if len(events):
            yield of_row[_some(events)]
    for column in _numbers(df):
        missing = np.isnan(column)
        # The last missing value before one that is there, and one from the middle of such a run.
        ends = np.flatnonzero(missing[:-1] & ~missing[1:])
        if len(ends):
            yield of_row[_some(ends)]
        if not missing.all():
            extremes = np.array([np.nanargmax(column), np.nanargmin(column)], "int64")
            yield of_row[extremes] - 1


def _numbers(df: pd.DataFrame) -> Iterator[npt.NDArray[np.float64]]:
    for name in df.columns:
        if pd.api.types.is_numeric_dtype(df[name].dtype):
            yield df[name].to_numpy("float64", na_value=np.nan)


def _events(column: npt.NDArray[np.float64]) -> Places:
    """Return the rows at which something happens in a column where mostly nothing does: a value comes, or changes."""
    before, after = column[:-1], column[1:]
    changed = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    there = np.flatnonzero(changed) + 1
    return there if len(there) < _RARE * len(column) else np.empty(0, "int64")


def _some(places: Places) -> Places:
    """Return a few of many, spread over them."""
    chosen = np.unique(np.linspace(0, len(places) - 1, min(_A_COLUMN, len(places))).astype("int64"))
    return np.asarray(places[chosen])
