"""Splits in time: what touches a test's labels is never trained on, and scikit-learn takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor

import qalypto_research as qr

walk_forward, purged_kfold = qr.prep.walk_forward, qr.prep.purged_kfold


def hourly(n):
    index = pd.date_range("2026-03-02", periods=n, freq="1h", tz="UTC", unit="us", name="timestamp")
    return pd.DataFrame({"x": np.arange(float(n))}, index=index)


def pairs(folds):
    return [(train.tolist(), test.tolist()) for train, test in folds]


def test_walking_forward():
    folds = walk_forward(hourly(10), train="4h", test="2h", horizon="0s")
    assert pairs(folds) == [([0, 1, 2, 3], [4, 5]), ([2, 3, 4, 5], [6, 7]), ([4, 5, 6, 7], [8, 9])]
    assert len(folds) == folds.get_n_splits() == 3


def test_the_last_test_must_be_whole():
    assert pairs(walk_forward(hourly(9), train="4h", test="2h", horizon="0s"))[-1] == ([2, 3, 4, 5], [6, 7])


def test_expanding_and_stepping():
    folds = walk_forward(hourly(8), train="4h", test="2h", step="1h", horizon="0s", expanding=True)
    assert pairs(folds) == [([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4], [5, 6]), ([0, 1, 2, 3, 4, 5], [6, 7])]


def test_labels_that_reach_the_test_are_left_out():
    # With two hours, the label of row 2 ends at the very begin of row 4.
    assert pairs(walk_forward(hourly(6), train="4h", test="2h", horizon="2h")) == [([0, 1], [4, 5])]
    assert pairs(walk_forward(hourly(6), train="4h", test="2h", horizon="1h59m")) == [([0, 1, 2], [4, 5])]
    assert pairs(walk_forward(hourly(6), train="4h", test="2h", horizon="1h", embargo="1h")) == [([0, 1], [4, 5])]


def test_folds_with_purging_and_embargo():
    folds = purged_kfold(hourly(9), folds=3, horizon="1h")
    assert pairs(folds) == [([4, 5, 6, 7, 8], [0, 1, 2]), ([0, 1, 7, 8], [3, 4, 5]), ([0, 1, 2, 3, 4], [6, 7, 8])]
    embargoed = purged_kfold(hourly(9), folds=3, horizon="1h", embargo="1h")
    assert pairs(embargoed) == [([5, 6, 7, 8], [0, 1, 2]), ([0, 1, 8], [3, 4, 5]), ([0, 1, 2, 3, 4], [6, 7, 8])]
    assert pairs(purged_kfold(hourly(9), folds=3, horizon="0s"))[1] == ([0, 1, 2, 6, 7, 8], [3, 4, 5])


def test_each_label_may_have_its_own_end():
    df = hourly(6)
    ends = pd.Series(df.index + pd.to_timedelta([3, 0, 0, 0, 0, 0], unit="h"), index=df.index)
    folds = purged_kfold(df, folds=3, horizon=ends)
    assert pairs(folds) == [([4, 5], [0, 1]), ([1, 4, 5], [2, 3]), ([0, 1, 2, 3], [4, 5])]


def test_labels_of_other_rows_are_refused():
    df = hourly(6)
    ends = pd.Series(df.index + pd.Timedelta("2h"), index=df.index)
    for wrong in (ends.shift(freq="-1h"), ends[::-1], ends.reset_index(drop=True), ends.tz_localize(None)):
        for split in (lambda h: walk_forward(df, train="3h", test="1h", horizon=h), lambda h: purged_kfold(df, folds=2, horizon=h)):
            with pytest.raises(qr.errors.InputError, match=r"is not over the index of df.*ends\.set_axis\(df\.index\)") as caught:
                split(wrong)
            assert caught.value.argument == "horizon"
    shown = ends.tz_convert("Asia/Tokyo")
    shown.index = shown.index.as_unit("ns")
    assert pairs(walk_forward(df, train="3h", test="1h", horizon=shown)) == [([0], [3]), ([1], [4]), ([2], [5])]


def test_rows_of_one_time_stay_together():
    df = pd.concat([hourly(6), hourly(6)]).sort_index(kind="stable")
    assert pairs(purged_kfold(df, folds=3, horizon="0s"))[1] == ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7])
    assert pairs(walk_forward(df, train="2h", test="1h", horizon="0s"))[0] == ([0, 1, 2, 3], [4, 5])


@st.composite
def cases(draw):
    """Draw rows of irregular minutes, some of one time, and what is asked of their folds."""
    minutes = np.cumsum(draw(st.lists(st.integers(0, 5), min_size=30, max_size=80)))
    df = pd.DataFrame({"x": 1.0}, index=pd.DatetimeIndex(pd.to_datetime(minutes, unit="m", utc=True)).as_unit("us"))
    horizon, embargo = draw(st.integers(0, 8)), draw(st.integers(0, 4))
    return minutes, df, horizon, embargo, {"horizon": f"{horizon}m" if horizon else "0s", "embargo": f"{embargo}m" if embargo else "0s"}


@given(case=cases(), folds=st.integers(2, 4))
def test_no_training_label_touches_a_fold(case, folds):
    minutes, df, horizon, embargo, asked = case
    try:
        made = purged_kfold(df, folds=folds, **asked)
    except qr.errors.InputError as error:
        assume(error.argument not in {"df", "folds"})  # too short for it
        raise
    for train, test in made:
        first, last = minutes[test].min(), minutes[test].max() + horizon
        expected = [i for i, t in enumerate(minutes) if t + horizon < first or t > last + embargo]
        assert train.tolist() == expected
    assert sorted(np.concatenate([test for _, test in made])) == list(range(len(df)))


@given(case=cases())
def test_no_training_label_touches_what_follows(case):
    minutes, df, horizon, embargo, asked = case
    try:
        made = walk_forward(df, train="40m", test="20m", **asked)
    except qr.errors.InputError as error:
        assume(error.argument not in {"df", "train"})
        raise
    for i, (train, test) in enumerate(made):
        begin = minutes[0] + 40 + 20 * i
        assert test.tolist() == [k for k, t in enumerate(minutes) if begin <= t < begin + 20]
        assert train.tolist() == [k for k, t in enumerate(minutes) if begin - 40 <= t and t + horizon + embargo < begin]


# --- scikit-learn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda df: walk_forward(df, train="3d", test="1d", horizon="1h"), lambda df: purged_kfold(df, horizon="1h")]
)
def test_cross_val_score_takes_them(make):
    rng = np.random.default_rng(0)
    df = hourly(24 * 10)
    x, noise = rng.normal(size=(len(df), 2)), rng.normal(size=len(df))
    y = x @ [2.0, -1.0] + 0.1 * noise
    folds = make(df)
    scores = cross_val_score(LinearRegression(), x, y, cv=folds)
    by_hand = [LinearRegression().fit(x[train], y[train]).score(x[test], y[test]) for train, test in folds]
    np.testing.assert_allclose(scores, by_hand)
    assert len(scores) == len(folds)
    found = GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=folds).fit(x, y)
    assert found.n_splits_ == len(folds)
    assert len(cross_val_score(LinearRegression(), x, y, cv=list(folds))) == len(folds)


def test_purging_takes_away_what_overlapping_labels_leak():
    """Sums of noise over the next day cannot be learned from the time alone; neighbours in time give them away unless purged."""
    steps = np.random.default_rng(3).normal(size=24 * 60)
    label = pd.Series(steps[::-1]).rolling(24).sum()[::-1].shift(-1).to_numpy()
    rows = ~np.isnan(label)
    df, y = hourly(len(steps))[rows], label[rows]
    x = np.arange(len(y), dtype="float64")[:, None]

    def error(folds):
        return -cross_val_score(KNeighborsRegressor(2), x, y, cv=folds, scoring="neg_mean_absolute_error").mean() / y.std()

    assert error(purged_kfold(df, folds=200, horizon="0s")) < 0.5
    assert error(purged_kfold(df, folds=200, horizon="1d", embargo="1d")) > 0.8


def test_a_frame_of_other_rows_is_refused():
    folds = purged_kfold(hourly(20), horizon="0s")
    with pytest.raises(qr.errors.InputError, match="19 rows, the folds are of 20"):
        cross_val_score(LinearRegression(), np.zeros((19, 1)), np.zeros(19), cv=folds)


def test_summary_and_text():
    folds = walk_forward(hourly(10), train="4h", test="2h", horizon="0s")
    first = folds.summary().iloc[0]
    assert first[["train", "test"]].tolist() == [4, 2]
    assert first[["train_first", "train_last", "test_first", "test_last"]].tolist() == [
        pd.Timestamp(f"2026-03-02 {hour:02d}:00", tz="UTC") for hour in (0, 3, 4, 5)
    ]
    assert repr(folds).startswith("Folds(3 of 10 rows)\n")


def test_what_is_given_out_is_the_users():
    folds = purged_kfold(hourly(9), folds=3, horizon="0s")
    for train, test in folds:
        train[:] = test[:] = 0 if len(test) else -1
    assert pairs(folds)[0] == ([3, 4, 5, 6, 7, 8], [0, 1, 2])


# --- Input ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_split():
    df = hourly(10)
    short = pd.Series(df.index - pd.Timedelta("1h"), index=df.index)
    for call, argument, said in [
        (lambda: walk_forward(df[::-1], train="4h", test="2h", horizon="0s"), "df", "sort_index"),
        (lambda: walk_forward(df, train="8h", test="3h", horizon="0s"), "train", "longer than the frame, which covers 0 days 10:00:00"),
        (lambda: walk_forward(df, train="4h", test="2h", horizon="5h"), "df", "nothing to train on"),
        (lambda: walk_forward(df, train="0s", test="2h", horizon="0s"), "train", "longer than zero"),
        (lambda: walk_forward(df, train="4h", test="2h", horizon=4), "horizon", "not a duration"),
        (lambda: walk_forward(df, train="4h", test="2h", horizon=short), "horizon", "labels end at or after their row"),
        (lambda: walk_forward(df, train="4h", test="2h", horizon=df["x"]), "horizon", "it is 10 of float64"),
        (lambda: walk_forward(df, train="4h", test="2h", horizon="0s", expanding=1), "expanding", "True or False"),
        (lambda: purged_kfold(df, folds=1, horizon="0s"), "folds", "from 2"),
        (lambda: purged_kfold(df, folds=11, horizon="0s"), "folds", "more than the 10 times"),
        (lambda: purged_kfold(df, folds=2, horizon="2d"), "df", "nothing to train on"),
        (lambda: purged_kfold(df[:0], horizon="0s"), "df", "no rows"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            call()
        assert caught.value.argument == argument


def test_a_hole_as_long_as_a_test_is_named():
    df = hourly(20).drop(hourly(20).index[8:12])
    with pytest.raises(qr.errors.InputError, match=r"nothing to test for the test from 2026-03-02 08:00:00\+00:00"):
        walk_forward(df, train="4h", test="2h", horizon="0s")
