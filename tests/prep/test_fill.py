"""`fill`: by rules that are named, marked, and from before only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

fill = qr.prep.fill
HOURS = pd.date_range("2026-03-02", periods=6, freq="1h", tz="UTC").as_unit("us")
CONTRACT = [
    "exchange",
    "symbol",
    "interval",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "num_trades",
    "close_time",
    "is_final",
]


@pytest.fixture
def holed(candles):
    """Hours 0, 1, 4, 5 of BTCUSDT."""
    return candles(HOURS[[0, 1, 4, 5]], [10, 20, 50, 60])


def test_leave_makes_rows_of_nothing(holed):
    out = fill(holed, "leave")
    assert list(out.index) == list(HOURS)
    assert list(out.columns) == [*CONTRACT, "filled", "filled_from"]
    assert out["filled"].tolist() == [False, False, True, True, False, False]
    assert out.loc[out["filled"], ["open", "high", "low", "close", "volume", "num_trades", "filled_from"]].isna().all(axis=None)
    assert out["exchange"].tolist() == ["binance"] * 6
    assert out["interval"].tolist() == ["1h"] * 6
    assert_frame_equal(out.loc[~out["filled"], CONTRACT], holed, check_freq=False)
    assert [out[name].dtype for name in CONTRACT] == [holed[name].dtype for name in CONTRACT]


def test_zero_says_that_nothing_was_traded(holed):
    out = fill(holed, "zero")[lambda f: f["filled"]]
    assert out[["open", "high", "low", "close", "volume", "quote_volume", "num_trades"]].to_numpy().tolist() == [[20.0] * 4 + [0.0] * 3] * 2
    assert list(out["filled_from"]) == [HOURS[1]] * 2
    assert out["is_final"].all()


def test_carry_knows_no_volume_and_ends_at_its_age(holed):
    out = fill(holed, "carry", max_age="1h")
    assert out["close"].tolist()[:3] == [10.0, 20.0, 20.0]
    assert out["close"].isna().tolist() == [False, False, False, True, False, False]
    assert out["volume"].isna().tolist() == [False, False, True, True, False, False]
    assert out["filled"].tolist() == [False, False, True, True, False, False]
    assert out["filled_from"].isna().tolist() == [True, True, False, True, True, True]
    assert fill(holed, "carry", max_age="2h")["close"].tolist() == [10, 20, 20, 20, 50, 60]
    assert fill(holed, "zero", max_age="1h")["volume"].isna().tolist() == [False, False, False, True, False, False]


def test_drop_takes_times_that_a_series_lacks(holed, candles):
    both = qr.concat([holed, candles(HOURS[[1, 2, 4]], [1, 2, 3], symbol="ETHUSDT")]).sort_index(kind="stable")
    out = fill(both, "drop")
    assert list(out.index.unique()) == list(HOURS[[1, 4]])
    assert out["close"].tolist() == [20.0, 1.0, 50.0, 3.0]
    assert not out["filled"].any()


def test_series_are_filled_from_themselves(holed, candles):
    other = candles(HOURS[[1, 3]], [100, 300], symbol="ETHUSDT", exchange="okx")
    out = fill(qr.concat([holed, other]).sort_index(kind="stable"), "zero")
    eth = out[out["symbol"] == "ETHUSDT"]
    assert eth["close"].tolist() == [100.0, 100.0, 300.0]
    assert list(eth.index) == list(HOURS[1:4])
    assert out[out["symbol"] == "BTCUSDT"]["close"].tolist() == [10, 20, 20, 20, 50, 60]
    assert out.index.is_monotonic_increasing


def test_an_age_for_each_exchange(holed, candles):
    both = qr.concat([holed, candles(HOURS[[0, 3]], [100, 300], exchange="okx")]).sort_index(kind="stable")
    out = fill(both, "carry", max_age={"binance": "1h", "okx": "9h"})
    assert out[out["exchange"] == "okx"]["close"].tolist() == [100, 100, 100, 300]
    assert int(out[out["exchange"] == "binance"]["close"].isna().sum()) == 1
    with pytest.raises(qr.errors.InputError, match="says nothing of okx"):
        fill(both, "carry", max_age={"binance": "1h"})


def test_an_added_candle_is_known_when_its_time_is_over(holed):
    out = fill(qr.prep.available_at(holed, lag="2s"), "zero")
    assert (out["available_at"] - out.index == pd.Timedelta("1h 2s")).all()
    assert (qr.prep.available_at(fill(holed, "zero"))["available_at"] - out.index == pd.Timedelta("1h")).all()


def test_columns_beside_the_contract(holed):
    out = fill(holed.assign(bars=4, complete=True, note="x"), "zero")
    assert out["bars"].isna().tolist() == [False, False, True, True, False, False]
    assert out["complete"].tolist() == [True, True, False, False, True, True]
    assert out["note"].isna().tolist() == [False, False, True, True, False, False]


def test_whole_candles_stay(connect):
    df = connect("sample").klines(["BTCUSDT", "ETHUSDT"], "1h", exchange="all", hours=24)
    for policy, options in (("leave", {}), ("drop", {}), ("carry", {"max_age": "1h"}), ("zero", {})):
        out = fill(df, policy, **options)
        assert_frame_equal(out[df.columns], df, check_freq=False)
        assert not out["filled"].any()


def test_what_was_filled_shows_in_a_panel(holed, candles):
    both = qr.concat([holed, candles(HOURS, range(6), symbol="ETHUSDT")]).sort_index(kind="stable")
    mask = qr.prep.panel(fill(both, "zero"), "filled")
    assert mask["BTCUSDT"].tolist() == [False, False, True, True, False, False]
    assert not mask["ETHUSDT"].any()


@pytest.mark.parametrize("lag", ["0s", "2s"])
def test_bars_of_time_are_filled_as_candles(minutes, lag):
    whole = minutes(range(100, 106), lag=lag)
    df = whole.drop(whole.index[2:4])
    left, carried, zero = fill(df, "leave"), fill(df, "carry", max_age="1m"), fill(df, "zero")
    for out in (left, carried, zero):
        assert list(out.index) == list(whole.index)
        assert out["filled"].tolist() == [False, False, True, True, False, False]
        assert list(out.columns) == [*whole.columns, "filled", "filled_from"]
        assert out["is_final"].all()
        assert out["available_at"].tolist() == whole["available_at"].tolist()
        assert out.loc[out["filled"], ["vwap", "first_time", "last_time"]].isna().all(axis=None)
    assert left.loc[left["filled"], ["open", "close", "volume", "num_trades"]].isna().all(axis=None)
    np.testing.assert_array_equal(carried["close"], [100, 101, 101, np.nan, 104, 105])
    assert carried.loc[carried["filled"], ["volume", "buy_volume"]].isna().all(axis=None)
    rows = zero[zero["filled"]]
    assert rows[["open", "high", "low", "close"]].to_numpy().tolist() == [[101.0] * 4] * 2
    assert (rows[["volume", "quote_volume", "num_trades", "buy_volume", "sell_volume"]] == 0).all(axis=None)
    assert rows["filled_from"].tolist() == [whole.index[1]] * 2
    assert len(qr.prep.to_numpy(zero)["close"]) == 6


def test_bars_of_each_series_have_their_own_grid(minutes):
    one, other = minutes(range(100, 106)), minutes(range(200, 206), symbol="ETHUSDT")
    both = qr.concat([one.drop(one.index[1]), other.drop(other.index[[0, 3]])]).sort_index(kind="stable")
    out = fill(both, "leave")
    assert out[out["filled"]]["symbol"].tolist() == ["BTCUSDT", "ETHUSDT"]
    assert list(fill(both, "drop").index.unique()) == list(one.index[[2, 4, 5]])


def test_a_bar_after_one_that_is_not_whole_is_known_when_it_is_over(minutes):
    df = minutes(range(100, 105))
    df.loc[df.index[0], ["is_final", "available_at"]] = [False, pd.NaT]
    out = fill(df.drop(df.index[1]), "zero")
    assert out["available_at"].isna().tolist() == [True, False, False, False, False]
    assert out["available_at"].iloc[1] == pd.Timestamp("2026-03-02 12:02", tz="UTC")


@pytest.mark.parametrize(("policy", "options"), [("leave", {}), ("drop", {}), ("carry", {"max_age": "5m"}), ("zero", {})])
def test_bars_of_unknown_length_are_not_silently_left(minutes, policy, options):
    df = minutes(range(100, 106))
    ticks = df.assign(first_time=df.index, available_at=df["last_time"])
    untold = df.drop(columns="available_at")
    for bars in (ticks, untold):
        with pytest.raises(
            qr.errors.InputError, match=r"must be said: the bars of df do not tell how long they are.*length='1m'"
        ) as caught:
            fill(bars, policy, **options)
        assert caught.value.argument == "length"
    assert len(fill(untold.drop(df.index[2]), policy, length="1m", **options)) == (5 if policy == "drop" else 6)


def test_values_beside_bars_of_ticks_are_filled_when_named(minutes):
    df = minutes(range(100, 103))
    ticks = df.assign(first_time=df.index, available_at=df["last_time"], funding=[1.0, np.nan, 3.0])
    assert fill(ticks, "carry", max_age="1h", columns="funding")["funding"].tolist() == [1.0, 1.0, 3.0]


# --- Values ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def patchy(quotes):
    df = quotes(["2026-03-02 00:00:00", "2026-03-02 00:00:01", "2026-03-02 00:00:02", "2026-03-02 00:00:05"], [1, np.nan, 3, np.nan])
    return df[["exchange", "symbol", "bid_price"]].assign(funding_rate=[np.nan, 1e-4, np.nan, np.nan])


def test_values_are_carried_to_their_age(patchy):
    out = fill(patchy, "carry", max_age="1s")
    np.testing.assert_array_equal(out["bid_price"], [1, 1, 3, np.nan])
    np.testing.assert_array_equal(out["funding_rate"], [np.nan, 1e-4, 1e-4, np.nan])
    assert out["filled"].tolist() == [False, True, True, False]
    assert out["filled_from"].tolist()[1:3] == [patchy.index[0], patchy.index[1]]
    both = fill(patchy, "carry", max_age="1h")
    assert both["filled_from"].iloc[3] == patchy.index[1]  # bid_price is of the row after it
    one = fill(patchy, "carry", max_age="1h", columns="bid_price")
    np.testing.assert_array_equal(one["bid_price"], [1, 1, 3, 3])
    np.testing.assert_array_equal(one["funding_rate"], patchy["funding_rate"])


def test_values_of_another_series_are_not_taken(patchy, quotes):
    both = qr.concat([patchy, quotes(["2026-03-02 00:00:03"], [np.nan], exchange="okx")[["exchange", "symbol", "bid_price"]]]).sort_index(
        kind="stable"
    )
    out = fill(both, "carry", max_age="1h")
    assert out[out["exchange"] == "okx"]["bid_price"].isna().all()


def test_values_left_and_dropped(patchy):
    left = fill(patchy, "leave")
    assert_frame_equal(left[patchy.columns], patchy)
    assert not left["filled"].any()
    assert fill(patchy, "drop", columns="bid_price")["bid_price"].tolist() == [1.0, 3.0]
    assert len(fill(patchy, "drop")) == 0


def test_carrying_does_not_look_ahead(patchy):
    df = pd.concat([patchy.shift(freq=f"{10 * k}s") for k in range(8)])
    assert qr.prep.check_lookahead(lambda d: fill(d, "carry", max_age="1h")[["bid_price", "funding_rate"]], df).empty


def seconds(*offsets):
    return pd.DatetimeIndex(HOURS[0] + pd.to_timedelta(list(offsets), unit="s")).as_unit("us")


def test_what_came_later_than_the_row_it_would_fill_is_passed_over(quotes):
    df = quotes(seconds(0, 1, 2, 3, 4), [100, 101, 102, np.nan, np.nan])[["exchange", "symbol", "bid_price"]]
    live = df.assign(received=seconds(0.1, 10, 9, 3.1, 9.5))
    out = fill(live, "carry", max_age="1m")
    assert out["bid_price"].tolist() == [100.0, 101.0, 102.0, 100.0, 102.0]
    assert list(out["filled_from"])[3:] == [HOURS[0], HOURS[0] + pd.Timedelta("2s")]
    assert out["filled"].tolist() == [False, False, False, True, True]
    assert fill(live.iloc[1:], "carry", max_age="1m")["bid_price"].isna().tolist() == [False, False, True, False]
    assert fill(live.iloc[1:], "carry", max_age="1m")["filled"].tolist() == [False, False, False, True]
    told = df.assign(available_at=live["received"])
    assert fill(told, "carry", max_age="1m")["bid_price"].tolist() == [100.0, 101.0, 102.0, 100.0, 102.0]
    # What is never known is carried to nothing that is; to what nobody will know anything may be.
    told["available_at"] = [*seconds(0.1, 1.1), pd.NaT, *seconds(3.1), pd.NaT]
    assert fill(told, "carry", max_age="1m")["bid_price"].tolist() == [100.0, 101.0, 102.0, 101.0, 102.0]


def test_a_late_value_reaches_no_join_before_it_came(quotes):
    live = quotes(seconds(0, 1), [100, np.nan])[["exchange", "symbol", "bid_price"]].assign(received=seconds(10, 1.1))
    filled = fill(live, "carry", max_age="1m")
    joined = qr.prep.asof(quotes(seconds(2), [1]), filled[["exchange", "symbol", "bid_price", "received"]], max_age=None)
    assert joined["bid_price_right"].isna().all()


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 12), st.booleans(), st.sampled_from(["BTCUSDT", "ETHUSDT"])), min_size=1, max_size=16
    )
)
def test_values_as_a_loop_would_carry_them(rows):
    rows = sorted(rows, key=lambda row: row[0])
    df = pd.DataFrame(
        {
            "exchange": "okx",
            "symbol": [row[3] for row in rows],
            "x": [float(i) if row[2] else np.nan for i, row in enumerate(rows)],
            "received": seconds(*[row[0] + row[1] for row in rows]),
        },
        index=seconds(*[row[0] for row in rows]),
    )
    expected = [
        max((j for j in range(i + 1) if rows[j][2] and rows[j][3] == name and (j == i or sum(rows[j][:2]) <= at + late)), default=np.nan)
        for i, (at, late, _, name) in enumerate(rows)
    ]
    np.testing.assert_array_equal(fill(df, "carry", max_age="1h", columns="x")["x"], np.array(expected, "float64"))


def test_an_added_candle_has_no_close_that_came_after_it(candles):
    df = candles(HOURS[[0, 1, 3, 5]], [10, 20, 40, 60])
    late = df.assign(received=pd.DatetimeIndex([HOURS[1], HOURS[3] + pd.Timedelta("1s"), pd.NaT, pd.NaT]).as_unit("us"))
    for rule, volume in (("carry", np.nan), ("zero", 0.0)):
        out = fill(late, rule, max_age="1d")
        assert out["close"].tolist() == [10.0, 20.0, 10.0, 40.0, 40.0, 60.0]
        assert list(out["filled_from"])[2::2] == [HOURS[0], HOURS[3]]
        assert out["received"].isna().tolist() == [False, False, True, True, True, True]
        np.testing.assert_array_equal(out["volume"].iloc[[2, 4]], [volume, volume])
    assert np.isnan(fill(late.iloc[1:], "zero")[["close", "volume"]].to_numpy()[1]).all()
    in_time = late.assign(received=[*HOURS[[1, 3]], pd.NaT, pd.NaT])
    assert fill(in_time, "zero")["close"].tolist() == [10.0, 20.0, 20.0, 40.0, 40.0, 60.0]


# --- Input ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_filled(holed, patchy):
    for df, policy, options, argument, said in [
        (holed, "ffill", {}, "policy", "allowed: leave, drop, carry, zero"),
        (holed, "carry", {}, "max_age", "must be said"),
        (holed, "leave", {"max_age": "1h"}, "max_age", "means nothing"),
        (holed, "zero", {"columns": "close"}, "columns", "as a whole"),
        (holed, "zero", {"length": "1m"}, "length", "the column 'interval' says '1h'"),
        (patchy, "leave", {"length": "1m"}, "df", "is not of candles"),
        (holed[::-1], "zero", {}, "df", "sort_index"),
        (qr.concat([holed, holed]).sort_index(), "zero", {}, "df", "another row has too"),
        (holed.assign(close=np.nan), "zero", {}, "df", "no finite number"),
        (fill(holed, "zero"), "zero", {}, "df", "filled before"),
        (patchy, "zero", {}, "policy", "is for candles and bars"),
        (patchy, "carry", {"max_age": "1h", "columns": "bid_pric"}, "columns", "did you mean"),
        (qr.prep.panel(holed, "close"), "carry", {"max_age": "1h"}, "df", "before qr.prep.panel"),
        (patchy.drop(columns="exchange"), "carry", {"max_age": {"okx": "1s"}}, "max_age", "no column 'exchange'"),
        (
            patchy,
            "carry",
            {"max_age": {"binance": "1s", "okx": "1s", "bybti": "1s"}},
            "max_age",
            "'bybti' is not known; did you mean 'bybit'",
        ),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            fill(df, policy, **options)
        assert caught.value.argument == argument


@pytest.mark.parametrize("policy", ["leave", "drop", "zero"])
def test_no_rows(candles, policy):
    out = fill(candles([], []), policy)
    assert len(out) == 0
    assert out["filled"].dtype == "bool"
    assert out["close"].dtype == "float64"


def test_the_given_frame_stays(holed, patchy):
    before = holed.copy(deep=True), patchy.copy(deep=True)
    for out in (fill(holed, "zero"), fill(holed, "drop"), fill(patchy, "carry", max_age="1h"), fill(patchy, "drop", columns="bid_price")):
        out.iloc[:, out.columns.get_indexer(out.select_dtypes("float64").columns)] = -1.0
    assert_frame_equal(holed, before[0])
    assert_frame_equal(patchy, before[1])
