"""Splits in time for training and testing, free of labels that reach across."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_flag, pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.availability import as_times, index_us
from qalypto_research.prep.checks import check_frame
from qalypto_research.prep.rows import Places
from qalypto_research.prep.saying import must_say
from qalypto_research.schema.frames import NEVER, epoch_us, times_us
from qalypto_research.timerange import DurationLike

Horizon = DurationLike | pd.Series

_MOST_FOLDS: Final = 1_000


class Folds:
    """Pairs of training and test rows, as scikit-learn takes them for ``cv=``. Made by `walk_forward` and `purged_kfold`.

    Iterating over it gives ``(train, test)``, arrays of positions in the frame it was made for, as often as you like.

    Attributes
    ----------
    rows : int
        How many rows that frame has.
    """

    def __init__(self, times: Places, pairs: list[tuple[Places, Places]]) -> None:
        self.rows = len(times)
        self._times = times
        self._pairs = pairs

    def __iter__(self) -> Iterator[tuple[Places, Places]]:
        return ((train.copy(), test.copy()) for train, test in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"Folds({len(self)} of {self.rows:,} rows)\n{self.summary()}"

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[Places, Places]]:  # noqa: ARG002, N803 - scikit-learn's
        """Yield the pairs; `X` must have the rows of the frame that the folds were made for.

        Raises
        ------
        InputError
            It has more or fewer.
        """
        if X is not None and len(X) != self.rows:
            raise InputError(
                "X", f"has {len(X):,} rows, the folds are of {self.rows:,}; make them of the very frame that is fitted (after dropna)"
            )
        return iter(self)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803 - scikit-learn's
        """Return how many pairs there are."""
        return len(self)

    def summary(self) -> pd.DataFrame:
        """Return a row a fold: train and test (rows), and the first and last time of each."""
        spans = {
            f"{name}_{end}": as_times(np.array([self._times[pair[which]][at] for pair in self._pairs], "int64"))
            for which, name in enumerate(("train", "test"))
            for end, at in (("first", 0), ("last", -1))
        }
        counts = {name: np.array([len(pair[which]) for pair in self._pairs], "int64") for which, name in enumerate(("train", "test"))}
        return pd.DataFrame({**counts, **spans})


@must_say(
    train="the length of history to fit on, as train='30d'",
    test="the length of history to test on, as test='7d'",
    horizon="how long a label looks ahead, horizon='4h' where the label is the return over the next four hours, '0s' where rows have none",
)
def walk_forward(
    df: pd.DataFrame,
    *,
    train: DurationLike,
    test: DurationLike,
    horizon: Horizon,
    step: DurationLike | None = None,
    embargo: DurationLike = "0s",
    expanding: bool = False,
) -> Folds:
    """Split history into training stretches and the test stretches that follow them.

    The first test begins `train` after the first row, the others `step` after one another. Test stretches that the frame
    does not fill are left out at the end.

    Parameters
    ----------
    df : pandas.DataFrame
        The rows to split, in order of time, of one or many series.
    train, test : str or timedelta
        Lengths of the stretches, by the times of the index; begins are inclusive, ends exclusive.
    horizon : str, timedelta or Series
        How long after a row's time its label still looks: "4h" where it is the return over the next four hours, "0s"
        where rows have none. Or a Series over the index of `df` of the times until which each row looks. A training row whose
        label reaches the test's begin is left out.
    step : str or timedelta, optional
        From one test to the next; by default `test`, so that the tests lie end to end.
    embargo : str or timedelta
        Time left out beyond that between the labels of training and the begin of the test.
    expanding : bool
        True trains on everything before instead of the last `train`.

    Returns
    -------
    Folds
        To iterate over, or for ``cv=``: pairs of positions (int64, ascending), training and test.

    Raises
    ------
    InputError
        An unsorted frame, one too short for a single fold, labels that end before their row or are over other rows, a stretch
        without rows.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.klines("BTCUSDT", "1h", days=7)
    >>> folds = qr.prep.walk_forward(hours, train="3d", test="1d", horizon="4h")
    >>> [(len(train), len(test)) for train, test in folds]
    [(68, 24), (68, 24), (68, 24), (68, 24)]
    """
    times, ends = _spans(df, horizon)
    train_us, test_us = pick_length(train, "train"), pick_length(test, "test")
    step_us = test_us if step is None else pick_length(step, "step")
    embargo_us = pick_length(embargo, "embargo", zero=True)
    growing = pick_flag(expanding, "expanding")
    # A frame of hours ends an hour after its last row.
    last = int(times[-1]) + int(np.median(np.diff(np.unique(times)))) if len(np.unique(times)) > 1 else int(times[0])
    pairs = []
    for begin in range(int(times[0]) + train_us, last - test_us + 1, step_us):
        tested = (times >= begin) & (times < begin + test_us)
        trained = (times < begin) & (ends + embargo_us < begin)
        if not growing:
            trained &= times >= begin - train_us
        pairs.append(_pair(trained, tested, begin, test_us))
    if not pairs:
        covered = pd.Timedelta(last - int(times[0]), unit="us")
        raise InputError("train", f"and test are together longer than the frame, which covers {covered}; make them shorter")
    return Folds(times, pairs)


@must_say(
    horizon="how long a label looks ahead, horizon='4h' where the label is the return over the next four hours, '0s' where rows have none",
)
def purged_kfold(df: pd.DataFrame, *, horizon: Horizon, folds: int = 5, embargo: DurationLike = "0s") -> Folds:
    """Split history into folds, each tested once, and train on what does not touch the test's labels.

    Training rows before the test are left out where their label reaches its first row, those after it where they begin
    before the last of its labels ends, and `embargo` longer. A model then never sees the test's span, but it does see
    its future: for a result as it would have been traded take `walk_forward`.

    Parameters
    ----------
    df : pandas.DataFrame
        The rows to split, in order of time, of one or many series; rows of one time stay together.
    horizon : str, timedelta or Series
        How long after a row's time its label still looks: "4h" where it is the return over the next four hours, "0s"
        where rows have none. Or a Series over the index of `df` of the times until which each row looks.
    folds : int
        How many, from 2 to 1,000.
    embargo : str or timedelta
        Time left out beyond that after each test, for what lingers there.

    Returns
    -------
    Folds
        To iterate over, or for ``cv=``: pairs of positions (int64, ascending), training and test.

    Raises
    ------
    InputError
        An unsorted frame, fewer times than folds, labels that end before their row or are over other rows, a fold that
        leaves nothing to train on.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.klines("BTCUSDT", "1h", days=7)
    >>> folds = qr.prep.purged_kfold(hours, horizon="4h", folds=4, embargo="2h")
    >>> folds.summary()[["train", "test"]].to_numpy().tolist()
    [[120, 42], [116, 42], [116, 42], [122, 42]]
    """
    times, ends = _spans(df, horizon)
    embargo_us = pick_length(embargo, "embargo", zero=True)
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= _MOST_FOLDS:
        raise InputError("folds", f"{folds!r} must be a whole number from 2 to {_MOST_FOLDS:,}")
    moments = np.unique(times)
    if len(moments) < folds:
        raise InputError("folds", f"{folds:,} are more than the {len(moments):,} times of the frame")
    pairs = []
    for part in np.array_split(moments, folds):
        tested = (times >= part[0]) & (times <= part[-1])
        trained = (ends < part[0]) | (times > ends[tested].max() + embargo_us)
        pairs.append(_pair(trained, tested, int(part[0]), int(part[-1] - part[0])))
    return Folds(times, pairs)


def _spans(df: pd.DataFrame, horizon: Horizon) -> tuple[Places, Places]:
    """Return when each row is and until when its label looks, in microseconds."""
    check_frame(df)
    if df.empty:
        raise InputError("df", "has no rows to split")
    times = epoch_us(df)
    if not isinstance(horizon, pd.Series):
        return times, times + pick_length(horizon, "horizon", zero=True)
    if len(horizon) != len(df) or not isinstance(horizon.dtype, pd.DatetimeTZDtype):
        raise InputError(
            "horizon", f"must be a length, or {len(df):,} times with a zone, one a row; it is {len(horizon):,} of {horizon.dtype}"
        )
    if not isinstance(horizon.index, pd.DatetimeIndex) or horizon.index.tz is None or not np.array_equal(index_us(horizon), times):
        raise InputError(
            "horizon",
            "is not over the index of df, so its times may be those of other rows; make it of the very frame that is split, "
            "horizon=df['last_time'], or where its rows are known to be those of df, horizon=ends.set_axis(df.index)",
        )
    ends = times_us(horizon)
    wrong = (ends == NEVER) | (ends < times)
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError(
            "horizon", f"is {horizon.iloc[at]} for the row of {df.index[at]}: labels end at or after their row; drop rows without one"
        )
    return times, ends


def _pair(trained: npt.NDArray[np.bool_], tested: npt.NDArray[np.bool_], begin: int, length: int) -> tuple[Places, Places]:
    for rows, name, way in (
        (trained, "train on", "a shorter horizon or embargo, or more history"),
        (tested, "test", "a longer test or step"),
    ):
        if not rows.any():
            start, end = as_times(np.array([begin, begin + length], "int64"))
            raise InputError("df", f"has nothing to {name} for the test from {start} to {end}; take {way}")
    return np.flatnonzero(trained), np.flatnonzero(tested)
