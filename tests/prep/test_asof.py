"""`asof` joins by what was known: held against pandas' own join on times of availability."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

asof = qr.prep.asof
T = "2026-03-02 "


def utc(*texts):
    return pd.DatetimeIndex(pd.to_datetime(list(texts), utc=True, format="ISO8601")).as_unit("us")


def test_a_minute_never_meets_the_hour_that_contains_it(candles):
    minutes = candles([T + "00:59", T + "01:00", T + "01:59"], [1, 2, 3], interval="1m")
    hours = candles([T + "00:00", T + "01:00"], [10, 20])
    joined = asof(minutes, hours, max_age=None)
    assert joined["close_right"].tolist() == [10.0, 10.0, 20.0]
    assert list(joined["timestamp_right"]) == list(utc(T + "00:00", T + "00:00", T + "01:00"))
    assert list(joined["available_at_right"]) == list(utc(T + "01:00", T + "01:00", T + "02:00"))
    assert list(joined["age_right"]) == [pd.Timedelta(0), pd.Timedelta("1min"), pd.Timedelta(0)]
    assert_frame_equal(joined[minutes.columns], minutes)


def test_a_lag_is_waited_for(candles):
    minutes = candles([T + "00:59", T + "01:00"], [1, 2], interval="1m")
    hours = qr.prep.available_at(candles([T + "00:00"], [10]), lag="1s")
    assert asof(minutes, hours, max_age=None)["close_right"].tolist()[1:] == [10.0]
    assert np.isnan(asof(minutes, hours, max_age=None)["close_right"].iloc[0])


def test_funding_is_joined_as_it_was_known(candles):
    hours = candles([T + "00:00", T + "01:00"], [1, 2])
    index = utc(T + "00:30", T + "01:00:00.001", T + "01:59")
    funding = pd.DataFrame({"funding_rate": [1e-4, 2e-4, 3e-4], "open_interest": [5.0, 6.0, 7.0]}, index=index)
    joined = asof(hours, funding, max_age=None, suffix="_funding")
    assert joined["funding_rate_funding"].tolist() == [1e-4, 3e-4]
    assert joined["open_interest_funding"].tolist() == [5.0, 7.0]


def test_what_is_too_old_does_not_match(quotes):
    left, right = quotes([T + "00:00:10"], [1]), quotes([T + "00:00:05"], [7])
    assert asof(left, right, max_age="5s")["bid_price_right"].tolist() == [7.0]
    joined = asof(left, right, max_age="4999ms")
    assert joined[["bid_price_right", "timestamp_right", "available_at_right", "age_right"]].isna().all(axis=None)


def test_an_older_row_is_no_stand_in_for_one_that_is_too_old(quotes):
    joined = asof(quotes([T + "00:00:10"], [1]), quotes([T + "00:00:01", T + "00:00:02"], [6, 7]), max_age="1s")
    assert joined["bid_price_right"].isna().all()


def test_the_same_moment_counts_unless_told_otherwise(quotes):
    left, right = quotes([T + "00:00:10"], [1]), quotes([T + "00:00:09", T + "00:00:10", T + "00:00:10"], [6, 7, 8])
    assert asof(left, right, max_age=None)["bid_price_right"].tolist() == [8.0]
    assert asof(left, right, max_age=None, exact=False)["bid_price_right"].tolist() == [6.0]


def test_each_series_meets_its_own(quotes):
    left = qr.concat(
        [quotes([T + "00:00:01"], [1]), quotes([T + "00:00:01"], [2], symbol="ETHUSDT"), quotes([T + "00:00:01"], [2], symbol="SOLUSDT")]
    )
    right = qr.concat([quotes([T + "00:00:00"], [20], symbol="ETHUSDT"), quotes([T + "00:00:01"], [10])])
    assert asof(left, right, max_age=None)["bid_price_right"].tolist()[:2] == [10.0, 20.0]
    assert asof(left, right, max_age=None)["bid_price_right"].isna().tolist() == [False, False, True]


def test_a_frame_without_names_is_joined_to_all(quotes):
    left = qr.concat([quotes([T + "00:00:01"], [1]), quotes([T + "00:00:01"], [2], symbol="ETHUSDT")])
    right = quotes([T + "00:00:00.003"], [20]).drop(columns=["exchange", "symbol"])
    assert asof(left, right, max_age=None)["bid_price_right"].tolist() == [20.0, 20.0]


def test_another_exchange_beside_it(quotes):
    here, there = quotes([T + "00:00:01"], [1]), quotes([T + "00:00:01"], [5], exchange="okx")
    with pytest.raises(qr.errors.InputError, match=r"left has binance \w+, right has okx \w+; .* by='symbol'"):
        asof(here, there, max_age="1s")
    joined = asof(here, there, max_age="1s", by="symbol", suffix="_okx")
    assert joined[["bid_price_okx", "exchange_okx"]].to_numpy().tolist() == [[5.0, "okx"]]


def test_units_and_zones_may_differ(quotes):
    left, right = quotes([T + "00:00:01", T + "00:00:03"], [1, 2]), quotes([T + "00:00:01", T + "00:00:02"], [7, 8])
    expected = asof(left, right, max_age=None)
    other = right.tz_convert("America/New_York")
    other.index = other.index.as_unit("ns")
    assert_frame_equal(asof(left, other, max_age=None), expected)
    shown = left.tz_convert("Asia/Tokyo")
    shown.index = shown.index.as_unit("ms")
    joined = asof(shown, right, max_age=None)
    assert joined.index.equals(shown.index)
    assert joined["bid_price_right"].tolist() == [7.0, 8.0]


def test_dtypes_do_not_hang_on_what_matches(quotes):
    left = quotes([T + "00:00:01", T + "00:00:03"], [1, 2])
    right = quotes([T + "00:00:02"], [7]).assign(flag=True, count=3, name="x")
    some, none = asof(left, right, max_age=None), asof(left, right.iloc[:0], max_age=None)
    every = asof(left, right.set_axis(utc(T + "00:00:00")), max_age=None)
    assert list(some.dtypes) == list(none.dtypes) == list(every.dtypes)
    assert some["flag_right"].dtype == "boolean"
    assert some["count_right"].dtype == "float64"
    assert some["flag_right"].isna().tolist() == [True, False]


def test_rows_that_are_never_known_never_match(candles, quotes):
    forming = candles([T + "00:00"], [1], final=False)
    assert asof(quotes([T + "05:00"], [1]), forming, max_age=None)["close_right"].isna().all()
    assert asof(forming, quotes([T + "00:00"], [1]), max_age=None)["bid_price_right"].isna().all()


def test_what_comes_late_does_not_hide_what_is_newer(quotes):
    right = quotes([T + "12:00:00", T + "12:00:01"], [100, 101]).assign(received=utc(T + "12:00:10", T + "12:00:01.1"))
    left = quotes([T + "12:00:01", T + "12:00:02", T + "12:00:20.005"], [1, 2, 3])
    joined = asof(left, right, max_age=None)
    assert joined["bid_price_right"].isna().tolist() == [True, False, False]
    assert joined["bid_price_right"].tolist()[1:] == [101.0, 101.0]
    assert list(joined["age_right"])[1:] == [pd.Timedelta("900ms"), pd.Timedelta("18905ms")]


@given(
    left=st.lists(st.integers(0, 30), max_size=10),
    right=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 15) | st.none(), st.sampled_from(["BTCUSDT", "ETHUSDT"])), max_size=20),
    age=st.none() | st.integers(0, 10),
    exact=st.booleans(),
    one=st.booleans(),
)
def test_as_a_loop_over_what_was_known(left, right, age, exact, one):
    """Rows come as late as they like, some never; `one` takes all for one series."""
    rows = sorted(right, key=lambda row: row[0])
    begin = pd.Timestamp(T, tz="UTC")
    theirs = pd.DataFrame(
        {
            "symbol": [name for _, _, name in rows],
            "x": np.arange(float(len(rows))),
            "available_at": utc(*[begin + pd.Timedelta(s + late, "s") if late is not None else pd.NaT for s, late, _ in rows]),
        },
        index=utc(*[begin + pd.Timedelta(s, "s") for s, _, _ in rows]),
    )
    moments = [(s, name) for s in sorted(left) for name in ("BTCUSDT", "ETHUSDT")]
    index = utc(*[begin + pd.Timedelta(s, "s") for s, _ in moments])
    ours = pd.DataFrame({"symbol": [name for _, name in moments], "available_at": index}, index=index)
    expected = []
    for second, name in moments:
        known = [
            (place, second - s - late)
            for place, (s, late, of) in enumerate(rows)
            if late is not None and (one or of == name) and (s + late < second or (exact and s + late == second))
        ]
        found, old = max(known, default=(np.nan, 0))
        expected.append(np.nan if age is not None and old > age else found)
    if one:
        ours, theirs = ours.drop(columns="symbol"), theirs.drop(columns="symbol")
    joined = asof(ours, theirs, max_age=None if age is None else f"{age}s", by=[] if one else ["symbol"], exact=exact)
    np.testing.assert_array_equal(joined["x_right"], np.array(expected, "float64"))


@given(
    left=st.lists(st.integers(0, 60), max_size=30),
    right=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["BTCUSDT", "ETHUSDT"])), max_size=30),
    age=st.none() | st.integers(0, 30),
    exact=st.booleans(),
)
def test_as_pandas_joins_on_availability(left, right, age, exact):
    """The left frame has both symbols at each moment."""

    def frame(rows):
        index = pd.DatetimeIndex(pd.to_datetime([1_000 * second + 7 for second, _ in rows], unit="ms", utc=True)).as_unit("us")
        return pd.DataFrame(
            {"symbol": pd.Series([s for _, s in rows], index=index, dtype="str"), "last_price": np.arange(float(len(rows)))}, index=index
        )

    ours, theirs = frame([(s, name) for s in sorted(left) for name in ("BTCUSDT", "ETHUSDT")]), frame(sorted(right, key=lambda row: row[0]))
    expected = pd.merge_asof(
        ours.rename_axis("t").reset_index(),
        theirs.rename_axis("t").reset_index(),
        on="t",
        by="symbol",
        tolerance=None if age is None else pd.Timedelta(seconds=age),
        allow_exact_matches=exact,
    )
    joined = asof(ours, theirs, max_age=None if age is None else f"{age}s", exact=exact)
    np.testing.assert_array_equal(joined["last_price_right"], expected["last_price_y"])


# --- Input ----------------------------------------------------------------------------------------------------------


def test_two_series_in_the_place_of_one(quotes, candles):
    left = quotes([T + "00:00:01"], [1])
    both = qr.concat([quotes([T + "00:00:01"], [1]), quotes([T + "00:00:01"], [2], exchange="okx")])
    with pytest.raises(qr.errors.InputError, match=r"mixes 2 exchanges \(binance, okx\).*choose one") as caught:
        asof(left, both, max_age=None, by="symbol")
    assert caught.value.argument == "right"
    lengths = qr.concat([candles([T + "00:00"], [1]), candles([T + "00:00"], [1], interval="1m")])
    with pytest.raises(qr.errors.InputError, match="mixes 2 intervals"):
        asof(left, lengths, max_age=None)


def test_frames_that_cannot_be_joined(quotes):
    df = quotes([T + "00:00:01", T + "00:00:02"], [1, 2])
    for left, right, argument, said in [
        (df[::-1], df, "left", r"sort_index\(kind='stable'\)"),
        (df, df[::-1], "right", r"row 1 is of .* right\.sort_index"),
        (df, df.tz_localize(None), "right", "tz_localize"),
        (df.rename(columns={"last_price": "close"}), df, "left", "does not tell"),
        (df.assign(bid_price_right=1.0), df, "suffix", "'bid_price_right' twice"),
        (df, df.assign(age=1.0), "suffix", "'age_right' twice"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            asof(left, right, max_age=None)
        assert caught.value.argument == argument
    with pytest.raises(qr.errors.InputError, match="max_age"):
        asof(df, df, max_age=5)
    with pytest.raises(qr.errors.InputError, match="no column 'venue'"):
        asof(df, df, max_age=None, by="venue")


def test_the_given_frames_stay(quotes):
    left, right = quotes([T + "00:00:01"], [1]), quotes([T + "00:00:01"], [2])
    before = left.copy(), right.copy()
    joined = asof(left, right, max_age=None)
    joined.loc[:, ["last_price", "bid_price_right"]] = -1.0
    assert_frame_equal(left, before[0])
    assert_frame_equal(right, before[1])
    for name in ("available_at", "timestamp_right", "available_at_right"):  # each its own, though they tell one moment
        others = joined.drop(columns=name).copy(deep=True)  # a shallow one would have pandas copy before it writes
        joined.iloc[0, joined.columns.get_loc(name)] = pd.Timestamp("2020-01-01", tz="UTC")
        assert_frame_equal(joined.drop(columns=name), others)
        assert_frame_equal(left, before[0])


def test_frames_that_share_no_series_are_refused(candles):
    """A name written otherwise would match nothing, and say nothing."""
    ours, theirs = candles([T + "00:00"], [1]), candles([T + "00:00"], [2])
    with pytest.raises(qr.errors.InputError, match="by: left and right share no exchange and symbol: left has Binance"):
        asof(ours.assign(exchange="Binance"), theirs, max_age=None)
    later = candles([T + "05:00"], [2])  # they share it, and nothing was known yet
    assert asof(ours, later, max_age=None)["close_right"].isna().all()
    assert len(asof(ours.assign(exchange="Binance"), theirs.iloc[:0], max_age=None)) == 1
