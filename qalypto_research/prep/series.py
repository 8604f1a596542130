"""Which series each row of a frame is of: by exchange, symbol and interval, as far as it has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.clock import from_us
from qalypto_research.errors import InputError
from qalypto_research.prep.checks import check_there
from qalypto_research.prep.rows import row_before
from qalypto_research.schema.frames import epoch_us

SERIES: Final = ("exchange", "symbol", "interval")
"""What tells the series of one frame apart; of these a frame has those that mean something for it."""

MARKET: Final = ("exchange", "symbol")
ONE_ROW: Final = "a candle has one row: keep the final one of each"
"""What tells apart whose prices they are."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BySeries:
    """The rows of a frame, told apart by series.

    Attributes
    ----------
    names : list of str
        The columns that tell them apart.
    codes : array of int
        The series of each row.
    labels : list of tuple
        The series by their numbers, in the categories' order: a value of each of `names`.
    """

    names: list[str]
    codes: Ints
    labels: list[tuple[Any, ...]]

    def order(self) -> Ints:
        """Return the rows series by series, each in its own order."""
        narrow = self.codes.astype(np.int16) if len(self.labels) < 2**15 else self.codes  # sorted by radix
        return np.argsort(narrow, kind="stable")

    def before(self) -> Ints:
        """Return for each row the row of the same series before it, -1 for the first."""
        return row_before(self.codes, self.order())


def by_series(df: pd.DataFrame, names: Sequence[str] = MARKET, argument: str = "df") -> BySeries:
    """Return which series each row of `df` belongs to; those of `names` that it does not have tell nothing apart.

    A frame without rows has no series, but where no name tells any apart.

    Raises
    ------
    InputError
        A name is missing in a row.
    """
    there = [name for name in names if name in df.columns]
    whole = np.zeros(len(df), np.int64)
    spelt: list[list[Any]] = []
    for name in there:
        codes, values = _coded(df, name, argument)
        whole = whole * max(1, len(values)) + codes
        spelt.append(values)
    if not there:
        return BySeries([], whole, [()])
    sizes = [max(1, len(values)) for values in spelt]
    used = np.flatnonzero(np.bincount(whole, minlength=math.prod(sizes)))
    dense = np.zeros(math.prod(sizes), np.int64)
    dense[used] = np.arange(len(used))
    places = np.unravel_index(used, sizes)
    labels = list(zip(*([values[at] for at in found.tolist()] for values, found in zip(spelt, places, strict=True)), strict=True))
    return BySeries(there, dense[whole], labels)


def check_one(df: pd.DataFrame, names: Sequence[str], argument: str = "df", *, why: str) -> None:
    """Check that each of the columns `names` that `df` has holds one value; `why` says what for.

    Raises
    ------
    InputError
        Several, as in a frame of two symbols.
    """
    for name in names:
        if name not in df.columns:
            continue
        there = list(df[name].unique())
        if len(there) > 1:
            shown = ", ".join(str(value) for value in there[:4])
            raise InputError(
                argument, f"mixes {len(there)} {name}s ({shown}) where {why}; choose one: {argument}[{argument}['{name}'] == '{there[0]}']"
            )


def check_unique(df: pd.DataFrame, names: Sequence[str], argument: str = "df", *, mend: str = "") -> None:
    """Check that no two rows share their time and `names`.

    Raises
    ------
    InputError
        Two do; `mend` adds a way out to the message.
    """
    found = by_series(df, names, argument)
    times = epoch_us(df)
    order = np.lexsort((times, found.codes))
    same = (np.diff(times[order]) == 0) & (np.diff(found.codes[order]) == 0)
    if not same.any():
        return
    at = order[int(same.argmax()) + 1]
    label = " ".join(map(str, found.labels[found.codes[at]]))
    of = f" of {label}" if label else ""
    key = ", ".join(["timestamp", *names])
    raise InputError(
        argument,
        f"has {int(same.sum()):,} rows whose {key} another row has too, the first at {from_us(int(times[at]))}{of}; "
        + (mend or "find them with qr.prep.report(df) and keep one of each"),
    )


def repeated_ids(ids: pd.Series, codes: Ints | int = 0) -> npt.NDArray[np.bool_]:
    """Return which trades have the id of one before them in their series, given by `codes`; without an id they repeat none."""
    there = ids.notna() & (ids != "")
    again = pd.DataFrame({"series": codes, "id": ids.array}).duplicated().to_numpy()
    return np.asarray(again & there.to_numpy("bool", na_value=False))


def refuse_rows(df: pd.DataFrame, bad: npt.NDArray[np.bool_], argument: str, said: str, mend: str) -> None:
    """Check that no row of `df` is `bad`.

    Raises
    ------
    InputError
        One is: `said` is what is wrong with such rows, `mend` the way out.
    """
    if not bad.any():
        return
    at = int(bad.argmax())
    label = " ".join(str(df[name].iloc[at]) for name in MARKET if name in df.columns)
    of = f" of {label}" if label else ""
    raise InputError(argument, f"{said}; {int(bad.sum()):,} rows, the first at {df.index[at]}{of}; {mend}")


def _coded(df: pd.DataFrame, column: str, argument: str) -> tuple[Ints, list[Any]]:
    values = df[column]
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, labels = np.asarray(values.cat.codes, np.int64), values.cat.categories
    else:
        found, labels = pd.factorize(values, sort=True)
        codes = np.asarray(found, np.int64)
    check_there(codes, df, column, argument)
    return codes, labels.tolist()
