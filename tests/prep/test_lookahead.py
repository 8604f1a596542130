"""`check_lookahead`: what looks ahead is found, what does not never is, and few evaluations do."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

check = qr.prep.check_lookahead
ROWS = 10_000


def counted(fn):
    """Return `fn`, and a list that grows with each call."""
    calls = []

    def call(*frames):
        calls.append(len(frames[0]))
        return fn(*frames)

    return call, calls


def pivot_highs(df):
    """Return the highs that are higher than the 20 before and the 20 after: known only 20 rows later."""
    return df["high"].where(df["high"] == df["high"].rolling(41, center=True).max())


def sparse_bfill(df):
    """Return a price that is said once an hour and filled backwards."""
    return df["close"].where(df.index.minute == 0).bfill()


def day_high(df):
    return df["high"].groupby(df.index.floor("1D")).transform("max")


def merged_on_open(df):
    """Give each minute the close of the hour that contains it, as a join on open times does."""
    return df["close"].resample("1h").last().reindex(df.index, method="ffill")


LEAKS = {
    "shift(-1)": lambda df: df["close"].shift(-1),
    "shift(-1).dropna()": lambda df: df["close"].shift(-1).dropna(),
    "pct_change(-5)": lambda df: df["close"].pct_change(-5),
    "centered rolling": lambda df: df["close"].rolling(9, center=True).mean(),
    "full-sample z-score": lambda df: (df["close"] - df["close"].mean()) / df["close"].std(),
    "min-max scaling": lambda df: (df["close"] - df["close"].min()) / (df["close"].max() - df["close"].min()),
    "rank": lambda df: df["close"].rank(pct=True),
    "bfill": sparse_bfill,
    "resample, label left": lambda df: df["close"].resample("1h").last(),
    "resample, closed right and label left": lambda df: df["close"].resample("1h", closed="right", label="left").mean(),
    "join on open times": merged_on_open,
    "high of the day": day_high,
    "pivot highs": pivot_highs,
    "reversed ewm": lambda df: df["close"][::-1].ewm(span=10).mean()[::-1],
    "quantile bins": lambda df: pd.qcut(df["close"], 5, labels=False),
    "centred by numpy": lambda df: np.convolve(df["close"], np.ones(5) / 5, mode="same"),
    "text": lambda df: df["close"].diff(-1).gt(0).map({True: "down", False: "up"}),
    "one of two columns": lambda df: pd.DataFrame({"fair": df["close"], "unfair": df["close"].shift(-1)}),
    "second half alone": lambda df: df["close"].where(np.arange(len(df)) < ROWS // 2, df["close"].shift(-1)),
}

FAIR = {
    "shift": lambda df: df["close"].shift(1),
    "dropna": lambda df: df["close"].shift(1).dropna(),
    "pct_change": lambda df: df["close"].pct_change(5),
    "rolling": lambda df: df["close"].rolling(50).mean(),
    "rolling std": lambda df: df["close"].rolling(50).std(),
    "rolling z-score": lambda df: (df["close"] - df["close"].rolling(200).mean()) / df["close"].rolling(200).std(),
    "expanding": lambda df: df["close"].expanding().mean(),
    "ewm": lambda df: df["close"].ewm(span=20).mean(),
    "cumsum": lambda df: df["volume"].cumsum(),
    "ffill": lambda df: df["close"].where(df.index.minute == 0).ffill(),
    "resample, label right": lambda df: df["close"].resample("1h", closed="left", label="right").last(),
    "resample, closed right and label right": lambda df: df["close"].resample("1h", closed="right", label="right").mean(),
    "resample, shifted": lambda df: df["close"].resample("1h").last().shift(1),
    "resample, shifted and joined": lambda df: df["close"].resample("1h").last().shift(1).reindex(df.index, method="ffill"),
    "high of the day so far": lambda df: df["high"].groupby(df.index.floor("1D")).cummax(),
    "confirmed pivots": lambda df: pivot_highs(df).shift(20),
    "rolling rank": lambda df: df["close"].rolling(100).rank(),
    "numpy": lambda df: np.cumsum(df["close"].to_numpy()),
    "text": lambda df: df["close"].diff().gt(0).map({True: "up", False: "down"}),
    "flags": lambda df: df["close"] > df["close"].rolling(20).mean(),
    "several columns": lambda df: df[["open", "close"]].diff(),
    "nothing but NaN": lambda df: df["close"] * np.nan,
}


@pytest.mark.parametrize("name", LEAKS)
def test_what_looks_ahead_is_found(walk, name):
    fn, calls = counted(LEAKS[name])
    found = check(fn, walk(ROWS))
    assert len(found) > 0
    assert len(calls) < 60
    assert (found["ahead"] > pd.Timedelta(0)).all()


@pytest.mark.parametrize("name", FAIR)
def test_what_does_not_look_ahead_is_never_reported(walk, name):
    fn, calls = counted(FAIR[name])
    assert check(fn, walk(ROWS)).empty
    assert len(calls) == 50


@given(seed=st.integers(0, 10_000), back=st.integers(0, 30), window=st.integers(1, 60))
def test_no_function_of_the_past_is_reported(seed, back, window):
    df = pd.DataFrame(
        {"x": np.random.default_rng(seed).normal(size=300)},
        index=pd.date_range("2026-03-02", periods=300, freq="7min", tz="UTC", unit="us", name="timestamp"),
    )
    assert check(lambda d: d["x"].shift(back).rolling(window).sum(), df, evaluations=12).empty


@given(seed=st.integers(0, 10_000), ahead=st.integers(1, 30))
def test_each_look_ahead_from_every_row_is_reported(seed, ahead):
    df = pd.DataFrame(
        {"x": np.random.default_rng(seed).normal(size=300)},
        index=pd.date_range("2026-03-02", periods=300, freq="7min", tz="UTC", unit="us", name="timestamp"),
    )
    found = check(lambda d: d["x"].shift(-ahead), df, evaluations=12)
    assert found["ahead"].max() == ahead * pd.Timedelta("7min")


def test_where_and_by_how_much(candles):
    df = candles(pd.date_range("2026-03-02", periods=6, freq="1h", tz="UTC"), [10.0, 20.0, 40.0, 80.0, 160.0, 320.0])
    found = check(lambda d: d["close"].rolling(2).sum().shift(-1).rename("sum"), df)
    hours = pd.to_datetime([f"2026-03-02 0{h}:00" for h in range(5)], utc=True).as_unit("us")
    expected = pd.DataFrame(
        {
            "timestamp": hours,
            "exchange": pd.Categorical(["binance"] * 5, categories=df["exchange"].cat.categories),
            "symbol": pd.Categorical(["BTCUSDT"] * 5, categories=df["symbol"].cat.categories),
            "interval": pd.Categorical(["1h"] * 5, categories=df["interval"].cat.categories),
            "column": pd.Series(["sum"] * 5, dtype="str"),
            "value": [30.0, 60.0, 120.0, 240.0, 480.0],
            "recomputed": [np.nan] * 5,
            "change": [np.nan] * 5,
            "known_until": hours + pd.Timedelta("1h"),
            "ahead": np.array([1] * 5, "timedelta64[h]").astype("timedelta64[us]"),
        }
    )
    assert_frame_equal(found, expected)


def test_the_change_is_the_whole_less_what_was_known(candles):
    df = candles(pd.date_range("2026-03-02", periods=4, freq="1h", tz="UTC"), [1.0, 2.0, 3.0, 10.0])
    found = check(lambda d: d["close"] - d["close"].mean(), df)
    # The mean is 4 over all, 1 over the first, 1.5 over two, 2 over three; each row is shown by the first cut that has it.
    assert found["recomputed"].tolist() == [0.0, 0.5, 1.0]
    assert found["change"].tolist() == [-3.0, -2.5, -2.0]


def test_frames_beside_it_are_cut_by_what_was_known_of_them(walk, candles):
    minutes = walk(600)
    hours = candles(pd.date_range("2026-03-02", periods=10, freq="1h", tz="UTC"), np.arange(10.0))

    def on_open_times(df, hours):
        return pd.merge_asof(df[["close"]], hours[["close"]], left_index=True, right_index=True)

    def as_known(df, hours):
        return qr.prep.asof(df, hours, max_age=None)["close_right"]

    found = check(on_open_times, minutes, hours)
    assert set(found["column"]) == {"close_y"}
    assert check(as_known, minutes, hours).empty


def test_candles_of_several_lengths_in_one_frame_are_cut_by_their_ends(walk, candles):
    both = qr.concat([walk(600), candles(pd.date_range("2026-03-02", periods=10, freq="1h", tz="UTC"), np.arange(10.0))]).sort_index(
        kind="stable"
    )

    def hour_of(df):
        return df["close"].where(df["interval"] == "1h").ffill()

    assert len(check(hour_of, both)) > 0


def test_rows_that_tell_when_they_are_known_are_taken_at_their_word(walk):
    """A whole hour under its open time is fair where it says that it is known an hour later, and not where it says less."""

    def hours(df):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", qr.errors.GapWarning)
            return qr.prep.resample(df, "1h")[["close", "available_at"]]

    def too_early(df):
        return hours(df).assign(available_at=lambda out: out["available_at"] - pd.Timedelta("10min"))

    assert check(hours, walk(1_000)).empty
    found = check(too_early, walk(1_000))
    assert set(found["column"]) == {"close", "available_at"}
    assert found["ahead"].max() <= pd.Timedelta("10min")
    assert len(check(lambda df: hours(df)["close"], walk(1_000))) > 0


def test_symbols_of_one_moment_are_kept_together(walk):
    both = qr.concat([walk(300), walk(300, seed=2, symbol="ETHUSDT")]).sort_index(kind="stable")

    def rank_of_the_moment(df):
        return df["close"].groupby(level=0).rank()

    assert check(rank_of_the_moment, both).empty


@pytest.mark.parametrize("dtype", ["string", "object", "category"])
def test_texts_with_missing_ones_are_compared(walk, dtype):
    def side(df, back):
        return pd.Series(np.where(df["close"].diff() > 0, "up", "down"), index=df.index).astype(dtype).shift(back)

    assert check(lambda df: side(df, 1), walk(100)).empty
    found = check(lambda df: side(df, -1), walk(100))
    assert len(found)
    assert set(found["value"]) <= {"up", "down"}


def test_a_short_frame_is_tried_at_every_moment(walk):
    """So that even one value that looks ahead, nowhere special, is found."""

    def once(df):
        out = pd.Series(1.0, index=df.index)
        if len(df) > 24:
            out.iloc[23] = 2.0
        return out

    found = check(once, walk(40))
    assert found[["value", "recomputed"]].to_numpy().tolist() == [[2.0, 1.0]]


@pytest.mark.parametrize("method", ["interpolate", "bfill"])
def test_a_hole_that_is_filled_from_its_end_is_found(walk, method):
    """Three rows of ten thousand."""
    df = walk(ROWS)
    df.iloc[4_321:4_324, df.columns.get_loc("close")] = np.nan
    found = check(lambda d: getattr(d["close"], method)(), df)
    assert found["timestamp"].iloc[0] == pd.Timestamp("2026-03-05 00:01", tz="UTC")


def test_a_rare_event_that_is_confirmed_late_is_found(walk):
    """A handful of events in ten thousand rows, each flagged by a fixed size, and only if another row follows."""

    def spikes(df):
        steps = df["close"].diff()
        return ((steps.abs() > 3.5) & steps.shift(-1).notna()).astype(float)

    df = walk(ROWS)
    assert 1 <= spikes(df).sum() <= 10
    found = check(spikes, df)
    assert set(found["ahead"]) == {pd.Timedelta("1min")}
    assert set(found["value"]) == {1.0}


# --- Input ----------------------------------------------------------------------------------------------------------


def test_the_frame_stays_as_it_is(walk):
    df = walk(100)
    before = df.copy(deep=True)

    def spoil(d):
        d["close"] = 0.0
        return d["close"]

    assert check(spoil, df).empty
    assert_frame_equal(df, before)


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (lambda df: np.random.default_rng().normal(size=len(df)), "other values when called again"),
        (lambda _: 7, "returned a int"),
        (lambda df: df["close"].reset_index(drop=True), "under the same index"),
        (lambda df: df["clos"], "raised KeyError on the whole history"),
        (lambda df: df["close"].iloc[[99]] if len(df) < 100 else df["close"], "raised IndexError on what was known at"),
        (lambda df: df["close"] if len(df) == 100 else df["close"].iloc[1:], "one for each row"),
        (lambda df: pd.concat([df["close"], df["close"]], axis=1), "'close' twice"),
        (lambda df: pd.Series([np.zeros(2)] * len(df), index=df.index), "values that cannot be compared, as array"),
        ("close", "give a function"),
    ],
)
def test_a_function_that_cannot_be_checked(walk, fn, said):
    with pytest.raises(qr.errors.InputError, match=said) as caught:
        check(fn, walk(100))
    assert caught.value.argument == "fn"


@pytest.mark.parametrize(
    ("argument", "value"), [("evaluations", 3), ("evaluations", True), ("evaluations", 1_001), ("tolerance", -1.0), ("tolerance", 1)]
)
def test_arguments_out_of_range(walk, argument, value):
    with pytest.raises(qr.errors.InputError) as caught:
        check(lambda df: df["close"], walk(100), **{argument: value})
    assert caught.value.argument == argument


def test_frames_that_cannot_be_cut(walk, quotes):
    with pytest.raises(qr.errors.InputError, match="too few"):
        check(lambda df: df["close"], walk(3))
    with pytest.raises(qr.errors.InputError, match="sort_index"):
        check(lambda df: df["close"], walk(100)[::-1])
    with pytest.raises(qr.errors.InputError, match=r"others\[0\]: does not tell"):
        check(lambda df, _: df["close"], walk(100), walk(100)[["close"]])


def test_what_is_said_of_frames_that_were_cut_here_is_not_heard(walk):
    """A function that warns of short frames would else warn at each of the fifty."""

    def says(df):
        if len(df) < 100:
            warnings.warn("it is short", qr.errors.GapWarning, stacklevel=1)
        return df["close"]

    assert check(says, walk(100)).empty
    with pytest.warns(qr.errors.GapWarning, match="short"):
        check(says, walk(99))
