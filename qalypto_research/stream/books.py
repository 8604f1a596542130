"""The levels of order books as columns, read out of their sides when they are asked for."""

from __future__ import annotations

from itertools import chain, islice

import numpy as np
import pyarrow as pa

from qalypto_research.stream.columns import Array, Known, Texts, View
from qalypto_research.stream.decoding import decode_levels
from qalypto_research.stream.rows import SIDES


def with_levels(view: View, rows: Array | None, depth: int) -> View:
    """Return the chosen rows of a view with the first `depth` levels of each side as columns, NaN beyond those there are.

    Parameters
    ----------
    view : View
        Rows of order books.
    rows : array or None
        Positions of those to take; None for all.
    depth : int
        Levels a side.
    """
    taken = np.arange(len(view)) if rows is None else rows
    arrays = {name: view.column(name)[taken] for name in view.arrays}
    places = pa.array(taken + view.start)
    texts = {name: Texts.of(view.text(name).take(places).to_pylist()) for name in view.texts if name not in SIDES}
    for side in SIDES:
        levels = _levels(view.text(side).take(places).to_pylist(), depth)
        name = side.removesuffix("s")
        for level in range(depth):
            arrays[f"{name}_price_{level}"] = levels[:, 2 * level]
            arrays[f"{name}_size_{level}"] = levels[:, 2 * level + 1]
    return View(arrays, texts, 0, len(taken), 0, Known())


def _levels(sides: list[str], depth: int) -> Array:
    """Return the prices and sizes of each book's side in turn, one book a row."""
    found = np.full((len(sides), 2 * depth), np.nan)
    for row, side in enumerate(sides):
        numbers = list(chain.from_iterable(islice(decode_levels(side), depth)))
        found[row, : len(numbers)] = numbers
    return found
