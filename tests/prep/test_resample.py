"""`resample`: whole candles, and the others named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

resample = qr.prep.resample


def hours(first, last):
    return pd.date_range(f"2026-03-02 {first:02d}:00", f"2026-03-02 {last:02d}:00", freq="1h", tz="UTC")


def utc(*texts):
    return pd.DatetimeIndex(pd.to_datetime(list(texts), utc=True, format="ISO8601")).as_unit("us")


def test_four_hours_of_hours(candles):
    df = candles(hours(0, 7), [1, 5, 2, 3, 4, 9, 8, 7], volume=[1, 2, 3, 4, 5, 6, 7, 8])
    df["close_time"] = df.index + pd.Timedelta("59min 59.999s")
    out = resample(df, "4h")
    assert list(out.index) == list(utc("2026-03-02 00:00", "2026-03-02 04:00"))
    assert out.index.name == "timestamp"
    assert out.index.dtype == "datetime64[us, UTC]"
    assert list(out.columns) == [*df.columns, "bars", "complete", "available_at"]
    rows = out[["open", "high", "low", "close", "volume", "quote_volume", "num_trades", "bars"]].to_numpy().tolist()
    assert rows == [[0.0, 7.0, -2.0, 3.0, 10.0, 1 + 10 + 6 + 12, 40.0, 4], [3.0, 11.0, 1.0, 7.0, 26.0, 20 + 54 + 56 + 56, 40.0, 4]]
    assert out["interval"].tolist() == ["4h", "4h"]
    assert out["interval"].dtype == df["interval"].dtype
    assert out["is_final"].tolist() == out["complete"].tolist() == [True, True]
    assert list(out["available_at"]) == list(utc("2026-03-02 04:00", "2026-03-02 08:00"))
    assert list(out["close_time"]) == list(utc("2026-03-02 03:59:59.999", "2026-03-02 07:59:59.999"))


def test_a_cut_first_and_last_are_left_out_and_named(candles):
    df = candles(hours(3, 9), range(7))
    with pytest.warns(
        qr.errors.GapWarning, match=r"4h, binance BTCUSDT 2026-03-02 00:00, binance BTCUSDT 2026-03-02 08:00 are cut by the ends"
    ) as said:
        out = resample(df, "4h")
    assert said[0].filename == __file__
    assert list(out.index) == list(utc("2026-03-02 04:00"))


def test_or_marked(candles):
    with pytest.warns(qr.errors.GapWarning, match="kept, with complete False"):
        out = resample(candles(hours(3, 9), range(7)), "4h", partial="mark")
    assert out["complete"].tolist() == [False, True, False]
    assert out["bars"].tolist() == [1, 4, 2]
    assert list(out["available_at"]) == list(utc("2026-03-02 04:00", "2026-03-02 08:00", "2026-03-02 12:00"))


def test_a_hole_inside_is_marked_and_named(candles):
    df = candles(hours(0, 7), range(8))
    df["close_time"] = df.index + pd.Timedelta("59min 59.999s")
    df = df.drop(utc("2026-03-02 02:00", "2026-03-02 07:00"))
    with pytest.warns(qr.errors.GapWarning, match=r"00:00 is incomplete inside: kept") as said:
        out = resample(df, "4h", partial="mark")
    assert "04:00 is cut by the ends" in str(said[0].message)
    assert out["complete"].tolist() == [False, False]
    assert out["bars"].tolist() == [3, 3]
    assert out["close_time"].iloc[0] == pd.Timestamp("2026-03-02 03:59:59.999", tz="UTC")
    assert pd.isna(out["close_time"].iloc[1])


def test_a_hole_at_the_end_of_an_inner_candle(candles):
    df = candles(hours(0, 11), range(12)).drop(utc("2026-03-02 04:00", "2026-03-02 07:00"))
    with pytest.warns(qr.errors.GapWarning, match="04:00 is incomplete inside"):
        out = resample(df, "4h")
    assert out["complete"].tolist() == [True, False, True]


def test_a_running_candle_makes_its_longer_one_unfinished(candles):
    df = candles(hours(0, 7), range(8))
    df.loc[df.index[-1], "is_final"] = False
    with pytest.warns(qr.errors.GapWarning, match="04:00 is cut by the ends"):
        out = resample(df, "4h", partial="mark")
    assert out["is_final"].tolist() == out["complete"].tolist() == [True, False]
    assert out["available_at"].isna().tolist() == [False, True]


def test_a_bar_that_is_never_known_makes_its_longer_one_unfinished(minutes):
    df = minutes(range(100, 110)).drop(columns="is_final")
    df.iloc[7, df.columns.get_loc("available_at")] = pd.NaT
    with pytest.warns(qr.errors.GapWarning, match="12:05"):
        out = resample(df, "5m", partial="mark")
    assert out["is_final"].tolist() == [True, False]
    assert out["complete"].tolist() == [True, False]
    assert out["available_at"].isna().tolist() == [False, True]


def test_each_series_by_itself(candles):
    df = qr.concat([candles(hours(0, 3), range(4)), candles(hours(1, 4), range(4), symbol="ETHUSDT")]).sort_index(kind="stable")
    with pytest.warns(qr.errors.GapWarning, match="ETHUSDT 2026-03-02 00:00, binance ETHUSDT 2026-03-02 04:00 are cut"):
        out = resample(df, "4h", partial="mark")
    assert out["symbol"].tolist() == ["BTCUSDT", "ETHUSDT", "ETHUSDT"]
    assert out["complete"].tolist() == [True, False, False]
    assert list(out.index) == list(utc("2026-03-02 00:00", "2026-03-02 00:00", "2026-03-02 04:00"))


def test_a_lag_and_late_candles_are_waited_for(candles):
    df = candles(hours(0, 3), range(4))
    assert list(resample(df, "4h", lag="2s")["available_at"]) == list(utc("2026-03-02 04:00:02"))
    late = qr.prep.available_at(df)
    late.loc[late.index[1], "available_at"] = pd.Timestamp("2026-03-02 06:00", tz="UTC")
    assert list(resample(late, "4h")["available_at"]) == list(utc("2026-03-02 06:00"))


def test_a_sum_with_something_unknown_is_unknown(candles):
    df = candles(hours(0, 3), range(4))
    df.loc[df.index[2], "quote_volume"] = np.nan
    assert np.isnan(resample(df, "4h")["quote_volume"].iloc[0])


@pytest.mark.parametrize("every", ["15m", "30m", "1h"])
def test_the_same_as_the_venues_longer_candles(connect, every):
    """The sample's longer candles are of the same trades; two minutes of bitget are missing on purpose."""
    con = connect("sample")
    asked = {"exchange": "all", "start": "2026-03-02 11:00", "end": "2026-03-02 13:00", "gaps": "ignore"}
    df = con.klines(["BTCUSDT", "ETHUSDT"], "1m", **asked)
    with pytest.warns(qr.errors.GapWarning, match=r"bitget BTCUSDT 2026-03-02 12:\d0, .* are incomplete inside"):
        out = resample(df, every)
    expected = con.klines(["BTCUSDT", "ETHUSDT"], every, **asked)
    assert len(out) == len(expected) == 8 * 120 // int(every.removesuffix("m").replace("1h", "60"))
    whole = out["complete"].to_numpy()
    assert out[~whole]["exchange"].tolist() == ["bitget"] * 2
    names = ["exchange", "symbol", "interval", "open", "high", "low", "close", "volume", "num_trades", "close_time", "is_final"]
    assert_frame_equal(out.loc[whole, names], expected.loc[whole, names], check_freq=False, rtol=1e-12)


@given(st.sets(st.integers(0, 59), min_size=1), st.sampled_from([5, 15, 30, 60]), st.integers(0, 100))
def test_as_pandas_resamples(minutes, every, seed):
    """Whatever minutes are there: values by pandas, complete where all are."""
    there = sorted(minutes)
    rng = np.random.default_rng(seed)
    index = pd.DatetimeIndex(pd.to_datetime([f"2026-03-02 05:{m:02d}" for m in there], utc=True)).as_unit("us").rename("timestamp")
    columns = {name: rng.integers(1, 100, len(there)).astype("float64") for name in ("open", "high", "low", "close", "volume")}
    df = pd.DataFrame({"interval": "1m", **columns}, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", qr.errors.GapWarning)
        out = resample(df, f"{every}m", partial="mark", length="1m")  # which some choices of minutes leave open
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    grouped = df[list(columns)].resample(f"{every}min")
    expected = grouped.agg(rules)[grouped.size() > 0]
    assert_frame_equal(out[list(columns)], expected, check_freq=False)
    counts = grouped.size()[grouped.size() > 0]
    assert out["bars"].tolist() == counts.tolist()
    assert out["complete"].tolist() == (counts == every).tolist()


def test_what_is_made_does_not_look_ahead(walk):
    def joined(df):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", qr.errors.GapWarning)
            longer = resample(df, "15m")
        return qr.prep.asof(df, longer, max_age=None)["close_right"]

    assert qr.prep.check_lookahead(joined, walk(1_000), evaluations=20).empty


@pytest.mark.parametrize("lag", ["0s", "2s"])
def test_bars_of_time_make_longer_candles(minutes, lag):
    df = minutes(range(100, 110), lag=lag)
    out = resample(df, "5m")
    rows = out[["open", "high", "low", "close", "volume", "num_trades", "buy_volume", "sell_volume", "bars"]].to_numpy().tolist()
    assert rows == [[99, 106, 97, 104, 20, 50, 15, 5, 5], [104, 111, 102, 109, 20, 50, 15, 5, 5]]
    assert out["interval"].tolist() == ["5m", "5m"]
    assert list(out["available_at"]) == list(utc("2026-03-02 12:05", "2026-03-02 12:10") + pd.Timedelta(lag))
    with pytest.warns(qr.errors.GapWarning, match="2026-03-02 12:00 is incomplete inside"):
        assert resample(df.drop(df.index[2]), "5m")["complete"].tolist() == [False, True]


def test_bars_of_unknown_length_need_it_said(minutes):
    df = minutes(range(100, 110)).drop(columns="available_at")
    with pytest.raises(qr.errors.InputError, match="must be said") as caught:
        resample(df, "5m")
    assert caught.value.argument == "length"
    out = resample(df, "5m", length="1m", lag="1s")
    assert list(out["available_at"]) == list(utc("2026-03-02 12:05:01", "2026-03-02 12:10:01"))


def test_weeks_begin_on_monday(candles):
    """2026-03-02 is one."""
    days = pd.date_range("2026-03-01", "2026-03-30", freq="1D", tz="UTC")
    df = candles(days, np.arange(30), interval="1d")
    with pytest.warns(qr.errors.GapWarning, match=r"2026-02-23 00:00, .* 2026-03-30 00:00 are cut by the ends of the frame"):
        weeks = resample(df, "1w")
    assert list(weeks.index) == list(utc("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23"))
    assert weeks["interval"].tolist() == ["1w"] * 4
    assert weeks[["open", "close", "volume", "bars"]].to_numpy().tolist() == [[0, 7, 7, 7], [7, 14, 7, 7], [14, 21, 7, 7], [21, 28, 7, 7]]
    assert weeks["available_at"].iloc[0] == pd.Timestamp("2026-03-09", tz="UTC")
    assert list(qr.prep.available_at(weeks.drop(columns="available_at"))["available_at"]) == list(weeks["available_at"])


def test_weeks_are_candles_like_others(candles):
    mondays = pd.date_range("2026-03-02", periods=6, freq="7D", tz="UTC")
    weeks = candles(mondays, [10, 11, 12, 13, 14, 15]).assign(interval="1w")
    assert len(qr.prep.report(weeks)) == 0
    holed = weeks.drop(weeks.index[[1, 2]])
    (gap,) = qr.prep.report(holed).findings.to_dict("records")
    assert (gap["check"], gap["count"], gap["example"]) == ("gaps", 2, "2026-03-09 00:00:00 to 2026-03-23 00:00:00: 2 candles")
    assert list(qr.prep.fill(holed, "zero").index) == list(mondays)
    assert len(qr.prep.to_backtesting(weeks)) == 6
    with pytest.raises(qr.errors.InputError, match="1 holes, the first after 2026-03-02"):
        qr.prep.to_backtesting(holed)
    with pytest.raises(qr.errors.InputError, match="do not open on the grid of their length"):
        qr.prep.to_backtesting(weeks.shift(3, freq="1D"))
    with pytest.raises(qr.errors.InputError, match="do not open on the grid of 1w"):
        qr.prep.fill(weeks.shift(3, freq="1D"), "zero")


# --- Input ----------------------------------------------------------------------------------------------------------


def test_lengths_that_do_not_fit(candles):
    df = candles(hours(0, 3), range(4))
    for every in ("90m", "5h", "30m", "2d", "3d", "2w"):
        with pytest.raises(qr.errors.InputError, match="divides a day, and weeks: 1h, 4h, 12h, 1d, 1w") as caught:
            resample(df, every)
        assert caught.value.argument == "every"
        assert ("exchanges do not agree" in str(caught.value)) == (every[-1] in "dw")
    with pytest.raises(qr.errors.InputError, match="and weeks: 1w; where else"):
        resample(candles(["2026-03-02"], [1]).assign(interval="1w"), "2w")
    with pytest.raises(qr.errors.UnknownNameError, match="allowed: drop, mark"):
        resample(df, "4h", partial="keep")


def test_frames_that_cannot_be_resampled(candles, quotes):
    df = candles(hours(0, 3), range(4))
    for wrong, said in [
        (df[::-1], "sort_index"),
        (qr.concat([df, df]).sort_index(), "4 rows whose timestamp, exchange, symbol another row has too"),
        (qr.concat([df, candles(hours(0, 0), [1], interval="1d")]).sort_index(), "mixes 2 intervals"),
        (quotes(["2026-03-02"], [1]), "is not of candles"),
        (df.assign(close=[1.0, np.nan, 2.0, 3.0]), "'close' has no finite number in 1 rows, the first at 2026-03-02 01:00"),
        (df.drop(columns="high"), "no column 'high'"),
        (df.shift(freq="1s"), "do not open on the grid of 1h"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            resample(wrong, "4h")
        assert caught.value.argument == "df"


def test_no_rows(candles):
    out = resample(candles([], []), "4h")
    assert len(out) == 0
    assert out["close"].dtype == "float64"
    assert out["available_at"].dtype == "datetime64[us, UTC]"


def test_the_given_frame_stays(candles):
    df = candles(hours(0, 3), range(4))
    before = df.copy(deep=True)
    out = resample(df, "1h")
    out.loc[:, "close"] = -1.0
    assert_frame_equal(df, before)
