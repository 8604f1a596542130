"""Find features that look ahead, by computing them again on history that ends earlier."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.errors import InputError, QalyptoWarning
from qalypto_research.prep.availability import as_times, known_us
from qalypto_research.prep.checks import check_frame
from qalypto_research.prep.cuts import pick_cuts
from qalypto_research.prep.meaning import COLUMN
from qalypto_research.prep.series import SERIES
from qalypto_research.schema.frames import NEVER, epoch_us

_MOST: Final = 1_000
_FEWEST: Final = 4

Feature = Callable[..., pd.Series | pd.DataFrame | npt.NDArray[Any]]


def check_lookahead(fn: Feature, df: pd.DataFrame, *others: pd.DataFrame, evaluations: int = 50, tolerance: float = 1e-9) -> pd.DataFrame:
    """Recompute a feature function on history that ends earlier, and report each value that changed.

    A value that changes once later rows are taken away was computed with them. `fn` is called on the whole history
    twice (it must give the same both times), and then on what was known at a number of moments. What looks ahead from
    each of its rows (``shift(-1)``, a centred window, a mean over everything) shows at any such moment, and is reported
    for the rows near enough before one. What looks ahead only at some rows shows if one of the moments falls between
    such a row and what it looked at: where that is so at a share p of all moments, it is missed with a chance of about
    ``(1 - p) ** (evaluations - 2)``. Some of the moments are put near missing values, extremes and rare events, where
    such things happen.

    So nothing found is strong evidence and no proof. None of the first tenth of all moments is tried, since a function
    may need some history; of a short frame all the others are. What cannot be seen: that a row is used before its own end
    (a candle's close to trade at its open), a change that leaves the value as it is, and what `fn` reads beside its
    arguments. Give further frames as `others`.

    Parameters
    ----------
    fn : callable
        Takes a frame like `df` (and `others`, in order) and returns a Series, a DataFrame or an array: a row for each
        row of the frame, or rows under times of their own that are unique, as a resampled frame has. Those count as
        known from their ``available_at`` on, or without such a column together with the rows of their time.
    df : pandas.DataFrame
        History in order of time. What was known at a moment goes by ``available_at``, or by what
        ``qr.prep.available_at`` would make of it; a frame that does not tell is cut by its index.
    *others : pandas.DataFrame
        Further arguments for `fn`, cut at the same moments. Then every frame must tell when its rows were known.
    evaluations : int
        How often `fn` may be called, from 4 to 1,000.
    tolerance : float
        Changes up to this part of a value, or of its column's median size, are the noise of floating point.

    Returns
    -------
    pandas.DataFrame
        One row a value that changed, in order of time: timestamp (``datetime64[us, UTC]``); exchange, symbol, interval
        where `fn` keeps the rows of a `df` that has them; column (str); value, as the whole history gives it, and
        recomputed, as it was known (NaN where absent); change, the first less the second (float64, NaN for what is no
        number); known_until (``datetime64[us, UTC]``), the nearest moment tried at which the row was there and its value
        another; ahead (``timedelta64[us]``), how far it looked ahead at the least. Empty where nothing was found.

    Raises
    ------
    InputError
        `fn` fails on shorter history, gives other values when called again, or something else than is described
        above; a frame that is unsorted or too short.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.klines("BTCUSDT", "1h", days=7)
    >>> found = qr.prep.check_lookahead(lambda df: df["close"].pct_change().shift(-1).rename("next_return"), hours)
    >>> found["column"].unique().tolist(), str(found["ahead"].min())
    (['next_return'], '0 days 01:00:00')
    >>> qr.prep.check_lookahead(lambda df: df["close"].pct_change(), hours).empty
    True
    """
    _check_arguments(fn, evaluations, tolerance)
    frames = [check_frame(frame, argument) for frame, argument in zip((df, *others), _arguments(others), strict=True)]
    known = [_known(frame, argument, alone=not others) for frame, argument in zip(frames, _arguments(others), strict=True)]
    moments = np.unique(known[0][known[0] != _NOT_YET])
    if len(moments) < _FEWEST:
        raise InputError("df", f"has rows of {len(moments)} moments, too few to cut; give at least {_FEWEST}")
    whole = _evaluate(fn, frames, "the whole history")
    again = _evaluate(fn, frames, "the whole history, again")
    by_row = len(whole) == len(df) and whole.index.equals(df.index)
    search = _Search(df, known[0], whole, by_row=by_row, tolerance=tolerance)
    if search.differs(again):
        raise InputError("fn", "gives other values when called again on the same frame; take chance and memory out of it (fix its seed)")
    of_row = np.searchsorted(moments, np.minimum(known[0], moments[-1]))
    for place in pick_cuts(df, whole, of_row, len(moments), evaluations - 2):
        cut = moments[place]
        kept = [times <= cut for times in known]
        said = f"what was known at {as_times(np.array([cut]))[0]} ({int(kept[0].sum()):,} of {len(df):,} rows)"
        with warnings.catch_warnings():
            # What is said of frames that were cut here is nothing to the user; of the whole history it was said before.
            warnings.simplefilter("ignore", QalyptoWarning)
            part = _evaluate(fn, [frame[mask] for frame, mask in zip(frames, kept, strict=True)], said)
        search.compare(part, kept[0], int(cut), int(moments[place + 1]))
    return search.findings()


_NOT_YET: Final = np.iinfo("int64").max


def _check_arguments(fn: object, evaluations: object, tolerance: object) -> None:
    if not callable(fn):
        raise InputError("fn", f"is a {type(fn).__name__}; give a function that takes a frame and returns features")
    if isinstance(evaluations, bool) or not isinstance(evaluations, int) or not _FEWEST <= evaluations <= _MOST:
        raise InputError("evaluations", f"{evaluations!r} must be a whole number from {_FEWEST} to {_MOST:,}: calls of fn")
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance < 1:
        raise InputError("tolerance", f"{tolerance!r} must be a number from 0 to below 1: a part of a value, as 1e-9")


def _arguments(others: tuple[pd.DataFrame, ...]) -> list[str]:
    return ["df", *(f"others[{i}]" for i in range(len(others)))]


def _known(df: pd.DataFrame, argument: str, *, alone: bool) -> npt.NDArray[np.int64]:
    """Return from when each row is known. A single frame that does not tell may go by its index: all its rows lie alike."""
    try:
        known = known_us(df, argument=argument)
    except InputError:
        if not alone:
            raise
        known = epoch_us(df)
    return np.where(known == NEVER, _NOT_YET, known)


def _evaluate(fn: Feature, frames: list[pd.DataFrame], said: str) -> pd.DataFrame:
    """Return what `fn` makes of copies of `frames`, as a frame with unique columns over times."""
    first, *others = frames
    try:
        got = fn(first.copy(), *(other.copy() for other in others))
    except Exception as error:
        raise InputError("fn", f"raised {type(error).__name__} on {said}: {error}") from error
    if isinstance(got, np.ndarray) and got.ndim == 1 and len(got) == len(first):
        got = pd.Series(got, index=first.index)
    if isinstance(got, pd.Series):
        got = got.to_frame("value" if got.name is None else got.name)
    if not isinstance(got, pd.DataFrame):
        raise InputError("fn", f"returned a {type(got).__name__} on {said}; return a Series, a DataFrame or an array with a value a row")
    if not got.columns.is_unique:
        raise InputError("fn", f"returned the column {got.columns[got.columns.duplicated()][0]!r} twice; name its columns apart")
    if not got.index.equals(first.index) and not (isinstance(got.index, pd.DatetimeIndex) and got.index.is_unique and got.index.tz):
        raise InputError(
            "fn", "must return a row for each row of its frame, under the same index, or rows under unique times with a zone; reset nothing"
        )
    return got


@dataclass(slots=True)
class _Cell:
    """Where one value changed."""

    row: int
    column: Any
    value: Any
    recomputed: Any
    cut: int
    ahead: int


class _Search:
    """What the whole history gives, held against what parts of it give."""

    def __init__(self, df: pd.DataFrame, known: npt.NDArray[np.int64], whole: pd.DataFrame, *, by_row: bool, tolerance: float) -> None:
        self._df = df
        self._known = known
        self._whole = whole
        self._by_row = by_row
        self._tolerance = tolerance
        self._times = epoch_us(df)
        self._labels = epoch_us(whole)
        self._tells = not by_row and COLUMN in whole.columns
        self._due = _known(whole, "fn", alone=False) if self._tells else self._labels
        self._seen = {name: np.zeros(len(whole), "bool") for name in whole.columns}
        self._cells: list[_Cell] = []

    def differs(self, again: pd.DataFrame) -> bool:
        """Return whether a second answer for the whole history is another."""
        if not again.index.equals(self._whole.index) or not again.columns.equals(self._whole.columns):
            return True
        return any(_changed(self._whole[name], again[name], self._tolerance).any() for name in self._whole.columns)

    def compare(self, part: pd.DataFrame, kept: npt.NDArray[np.bool_], cut: int, later: int) -> None:
        """Note the values of rows known at `cut` that `part` has otherwise, unless an earlier cut showed it; `later` is the next moment."""
        if self._by_row:
            rows = np.flatnonzero(kept)
            if not part.index.equals(self._df.index[kept]):
                raise InputError(
                    "fn", f"returned {len(part):,} rows for {len(rows):,}, but one for each row of the whole frame; return either always"
                )
            ours, theirs = self._whole.iloc[rows], part
            ahead = later - self._known[rows]
        else:
            # Under a later label a part may well say something else: its time has not come.
            last, next_one = (cut, later) if self._tells else (int(self._times[kept].max()), int(self._times[~kept].min()))
            rows = np.flatnonzero(self._due <= last)
            ours = self._whole.iloc[rows]
            theirs = part.reindex(ours.index)
            ahead = next_one - self._due[rows]
        for name in self._whole.columns:
            again = theirs[name] if name in theirs.columns else pd.Series(np.nan, index=theirs.index)
            changed = _changed(ours[name], again, self._tolerance) & ~self._seen[name][rows]
            self._seen[name][rows[changed]] = True
            for at in np.flatnonzero(changed):
                self._cells.append(_Cell(int(rows[at]), name, ours[name].iloc[at], again.iloc[at], cut, int(ahead[at])))

    def findings(self) -> pd.DataFrame:
        """Return what was noted, one row a value."""
        place = {name: i for i, name in enumerate(self._whole.columns)}
        cells = sorted(self._cells, key=lambda cell: (cell.row, place[cell.column]))
        rows = np.array([cell.row for cell in cells], "int64")
        found: dict[str, Any] = {"timestamp": as_times(self._labels[rows])}
        if self._by_row:
            found |= {name: self._df[name].iloc[rows].array for name in SERIES if name in self._df.columns}
        found["column"] = pd.Series([str(cell.column) for cell in cells], dtype="str")
        values, again = (_column([getattr(cell, name) for cell in cells]) for name in ("value", "recomputed"))
        found |= {"value": values, "recomputed": again}
        both = values.dtype == again.dtype == np.dtype("float64")
        found["change"] = values - again if both else np.full(len(cells), np.nan)
        found["known_until"] = as_times(np.array([cell.cut for cell in cells], "int64"))
        found["ahead"] = np.array([cell.ahead for cell in cells], "int64").view("timedelta64[us]")
        return pd.DataFrame(found)


def _column(values: list[Any]) -> npt.NDArray[Any]:
    """Return numbers as float64, anything else as it is."""
    try:
        return np.array(values, "float64")
    except (TypeError, ValueError):
        return np.array(values, "object")


def _changed(ours: pd.Series, theirs: pd.Series, tolerance: float) -> npt.NDArray[np.bool_]:
    """Return where two columns of one length differ by more than noise; missing equals missing."""
    missing, absent = ours.isna().to_numpy(), theirs.isna().to_numpy()
    if not all(pd.api.types.is_numeric_dtype(column.dtype) for column in (ours, theirs)):
        unequal: npt.NDArray[np.bool_] = missing != absent
        for at in np.flatnonzero(~(missing | absent)):
            one, other = ours.iloc[at], theirs.iloc[at]
            try:
                unequal[at] = bool(one != other)
            except (TypeError, ValueError) as error:
                raise InputError("fn", f"returned values that cannot be compared, as {one!r}; return numbers, times or texts") from error
        return unequal
    a, b = (column.to_numpy("float64", na_value=np.nan) for column in (ours, theirs))
    sizes = np.abs(a[np.isfinite(a)])
    scale = float(np.median(sizes)) if len(sizes) else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        alike = (a == b) | (np.abs(a - b) <= tolerance * (np.maximum(np.abs(a), np.abs(b)) + scale))
    return np.asarray(np.where(missing | absent, missing != absent, ~alike))
