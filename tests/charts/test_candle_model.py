"""What a chart of candles says it will draw: holes, forming candles, averages. Expected values are written out or pandas' own."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qalypto_research.charts.model.candles import build_candles

NOON = 1_772_452_800_000_000  # 2026-03-02 12:00 UTC, microseconds
MINUTE = 60_000_000


def values(line):
    return [None if np.isnan(v) else round(float(v), 9) for v in line.value]


def test_candles_keep_their_prices_and_times(klines):
    model = build_candles(klines(3, falling=[1]))
    assert model.title == "BTCUSDT · binance · 1m"
    assert model.base == "BTC"
    assert model.begin_us.tolist() == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]
    assert model.end_us.tolist() == [NOON + MINUTE, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    assert model.open.tolist() == [100.0, 101.0, 102.0]
    assert model.close.tolist() == [101.0, 100.0, 103.0]
    assert model.rising.tolist() == [True, False, True]
    assert model.volume.tolist() == [10.0, 11.0, 12.0]
    assert model.forming.tolist() == [False, False, True]
    assert len(model.holes) == model.missing == 0


def test_missing_candles_are_holes(klines):
    model = build_candles(klines(10, without=[3, 4, 7]))
    assert model.holes.begin_us.tolist() == [NOON + 3 * MINUTE, NOON + 7 * MINUTE]
    assert model.holes.end_us.tolist() == [NOON + 5 * MINUTE, NOON + 8 * MINUTE]
    assert model.missing == 3


def test_a_row_without_a_price_is_missing_also_at_the_ends(bars):
    df = bars(6)
    df.iloc[0, 0] = np.nan  # open of the first
    df.iloc[3, 3] = np.nan  # close
    df.iloc[5, 1] = np.nan  # high of the last
    model = build_candles(df)
    assert model.open.tolist() == [101.0, 102.0, 104.0]
    assert model.holes.begin_us.tolist() == [NOON, NOON + 3 * MINUTE, NOON + 5 * MINUTE]
    assert model.holes.end_us.tolist() == [NOON + MINUTE, NOON + 4 * MINUTE, NOON + 6 * MINUTE]
    assert model.missing == 3


IMPOSSIBLE = {
    "high below low": {"high": 102.0, "low": 103.0},
    "open above high": {"open": 104.6},
    "open below low": {"open": 102.7},
    "close above high": {"close": 104.6},
    "close below low": {"close": 102.7},
    "infinite high": {"high": np.inf},
    "infinite low": {"low": -np.inf},
    "infinite open though another is not known": {"open": np.inf, "close": np.nan},
    "zero": {"low": 0.0},
    "below zero": {"open": -103.0, "high": -102.0, "low": -105.0, "close": -104.0},
}


@pytest.mark.parametrize("prices", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_rows_are_apart_from_candles_and_holes(klines, prices):
    df = klines(8, without=[6])
    df.loc[df.index[3], list(prices)] = list(prices.values())  # of 103, 104.5, 102.75, 104
    model = build_candles(df, overlays=["sma:2", "vwap"])
    assert model.open.tolist() == [100.0, 101.0, 102.0, 104.0, 105.0, 107.0]
    assert model.contradictions == 1
    assert (model.impossible.begin_us.tolist(), model.impossible.end_us.tolist()) == ([NOON + 3 * MINUTE], [NOON + 4 * MINUTE])
    assert (model.holes.begin_us.tolist(), model.holes.end_us.tolist()) == ([NOON + 6 * MINUTE], [NOON + 7 * MINUTE])
    assert model.missing == 1
    # The average begins anew behind it: closes 101, 102, 103, (impossible), 105, 106, (hole), 108.
    assert values(model.overlays[0]) == [None, 101.5, 102.5, None, None, 105.5, None, None]
    # Volumes 14 and 15, typical prices (105.5 + 103.75 + 105) / 3 and one higher.
    assert values(model.overlays[1])[4:6] == [104.75, round((104.75 * 14 + 105.75 * 15) / 29, 9)]


def test_impossible_rows_beside_one_another_are_one_stretch_also_of_bars_without_a_step(bars):
    df = bars(5)
    df.index = df.index[0] + pd.to_timedelta([0, 7, 9, 60, 90], unit="s")
    df.iloc[[1, 2], 1] = [np.inf, 0.0]  # high
    df.iloc[3, 0] = np.nan
    model = build_candles(df)
    assert model.contradictions == 2
    assert (model.impossible.begin_us.tolist(), model.impossible.end_us.tolist()) == ([NOON + 7_000_000], [NOON + MINUTE])
    assert model.holes.begin_us.tolist() == [NOON + MINUTE]
    assert model.missing == 1


def test_a_flat_candle_and_one_that_is_off_by_its_last_digit_are_possible(bars):
    df = bars(3)
    df.iloc[0, :4] = 5.0
    df.iloc[1, :4] = [0.1 + 0.2, 0.3, 0.1, 0.3]  # the open is 0.30000000000000004
    model = build_candles(df)
    assert (len(model), model.contradictions, len(model.impossible)) == (3, 0, 0)


def test_a_volume_that_cannot_be_is_not_known(klines):
    df = klines(4)
    df["volume"] = [np.inf, -1.0, 0.0, 3.0]
    assert build_candles(df).volume.tolist() == pytest.approx([np.nan, np.nan, 0.0, 3.0], nan_ok=True)


def test_the_length_of_bars_without_an_interval_is_the_usual_step(bars):
    model = build_candles(bars(8, without=[2, 3], freq="5min"))
    assert (model.end_us - model.begin_us).tolist() == [5 * MINUTE] * 6
    assert model.missing == 2


def test_bars_that_keep_no_step_last_until_the_next_and_have_no_holes(bars):
    df = bars(5)
    df.index = pd.DatetimeIndex(
        ["2026-03-02 12:00:00", "2026-03-02 12:00:07", "2026-03-02 12:00:08.5", "2026-03-02 12:01", "2026-03-02 12:03"], tz="UTC"
    )
    model = build_candles(df)
    assert len(model.holes) == 0
    assert ((model.end_us - model.begin_us) / 1e6).tolist() == [7.0, 1.5, 51.5, 120.0, 29.25]  # the last one: the median


def test_one_row_alone_is_a_minute_long(bars):
    assert build_candles(bars(1)).end_us.tolist() == [NOON + MINUTE]


def test_rows_that_came_later_are_marked(klines):
    df = klines(6)
    df["origin"] = ["live", "backfill", "backfill", "live", "backfill", "live"]
    model = build_candles(df)
    assert model.backfilled.begin_us.tolist() == [NOON + MINUTE, NOON + 4 * MINUTE]
    assert model.backfilled.end_us.tolist() == [NOON + 3 * MINUTE, NOON + 5 * MINUTE]


def test_averages_are_pandas_own(bars):
    df = bars(30, falling=[3, 4, 9, 17, 18, 19])
    sma, ema = build_candles(df, overlays=["sma:5", "EMA:4"]).overlays
    assert (sma.name, ema.name) == ("SMA 5", "EMA 4")
    assert sma.time_us.tolist() == [NOON + n * MINUTE + MINUTE // 2 for n in range(30)]
    np.testing.assert_allclose(sma.value, df["close"].rolling(5).mean())
    expected = df["close"].ewm(span=4, adjust=False).mean()
    np.testing.assert_allclose(ema.value[3:], expected[3:])
    assert np.isnan(ema.value[:3]).all()


def test_an_average_begins_anew_after_a_hole_and_does_not_cross_it(bars):
    (line,) = build_candles(bars(8, without=[3]), overlays="sma:2").overlays
    # Closes 101, 102, 103, (hole), 105, 106, 107, 108; a NaN stands in the hole.
    assert values(line) == [None, 101.5, 102.5, None, None, 105.5, 106.5, 107.5]
    assert line.time_us[3] == NOON + 3 * MINUTE


def test_vwap_is_turnover_by_volume_since_midnight(bars):
    df = bars(4, start="2026-03-02 23:58")
    df["quote_volume"] = [1_000.0, 1_122.0, 1_200.0, 1_400.0]
    (line,) = build_candles(df, overlays="vwap").overlays
    # Volumes 10, 11 | 12, 13.
    assert values(line) == [100.0, round(2_122 / 21, 9), None, 100.0, 104.0]


@pytest.mark.parametrize("name", ["volume", "quote_volume"])
def test_vwap_counts_nothing_that_cannot_be(klines, name):
    df = klines(6)
    df["quote_volume"] = df["volume"] * df["close"]
    (whole,) = build_candles(df, overlays="vwap").overlays
    (unknown,) = build_candles(df.assign(**{name: df[name].where(df.index != df.index[2])}), overlays="vwap").overlays
    df.iloc[2, df.columns.get_loc(name)] = -1e6
    (line,) = build_candles(df, overlays="vwap").overlays
    assert values(line) == values(unknown)
    assert values(line)[:2] == values(whole)[:2]


def test_vwap_goes_by_the_bars_own_average_else_by_the_typical_price(bars):
    df = bars(2)
    (typical,) = build_candles(df, overlays="vwap").overlays
    first = (101.5 + 99.75 + 101.0) / 3
    second = (102.5 + 100.75 + 102.0) / 3
    np.testing.assert_allclose(typical.value, [first, (first * 10 + second * 11) / 21])
    df["vwap"] = [100.5, 101.5]
    (own,) = build_candles(df, overlays="vwap").overlays
    np.testing.assert_allclose(own.value, [100.5, (1_005 + 1_116.5) / 21])


def test_a_series_on_opens_stands_at_the_middles_another_at_its_own_times(bars):
    df = bars(4)
    on_opens = pd.Series([1.0, 2.0], index=df.index[1:3], name="signal")
    elsewhere = pd.Series([1.0, 2.0], index=df.index[1:3] + pd.Timedelta("7s"))
    first, second = build_candles(df, overlays=[on_opens, elsewhere]).overlays
    assert first.name == "signal"
    assert first.time_us.tolist() == [NOON + MINUTE * 3 // 2, NOON + MINUTE * 5 // 2]
    assert second.name == "series 2"
    assert second.time_us.tolist() == [NOON + MINUTE + 7_000_000, NOON + 2 * MINUTE + 7_000_000]


def test_a_series_does_not_cross_a_hole(bars):
    df = bars(6, without=[2, 3])
    (line,) = build_candles(df, overlays={"mine": df["close"]}).overlays
    assert line.name == "mine"
    assert values(line) == [101.0, 102.0, None, 105.0, 106.0]


def test_a_value_at_the_begin_of_a_hole_does_not_lead_across_it(bars):
    df = bars(6, without=[2, 3])
    mine = pd.Series(
        [1.0, 2.0], index=[df.index[2] - pd.Timedelta("2min"), df.index[2] + pd.Timedelta("1s")]
    )  # the hole's begin, and past it
    (line,) = build_candles(df, overlays=mine).overlays
    assert values(line) == [1.0, None, 2.0]


def test_frames_are_left_as_they_are(klines):
    df = klines(6, without=[2])
    before = df.copy(deep=True)
    model = build_candles(df, overlays=["sma:2", "vwap"])
    pd.testing.assert_frame_equal(df, before)
    assert not np.shares_memory(model.volume, df["volume"].to_numpy())


def test_naive_times_are_utc_and_other_zones_the_same_moment(bars):
    df = bars(3)
    for index in (df.index.tz_localize(None), df.index.tz_convert("Asia/Tokyo")):
        assert build_candles(df.set_axis(index)).begin_us[0] == NOON


@given(st.sets(st.integers(0, 39), min_size=1))
def test_holes_and_candles_fill_the_time_from_first_to_last(there):
    rows = sorted(there)
    index = pd.DatetimeIndex([pd.Timestamp("2026-03-02", tz="UTC") + pd.Timedelta(minutes=5 * n) for n in rows])
    df = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), 1.0), index=index).assign(interval="5m")
    model = build_candles(df)
    pieces = sorted([*zip(model.begin_us, model.end_us, strict=True), *zip(model.holes.begin_us, model.holes.end_us, strict=True)])
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(pieces))
    assert model.missing == rows[-1] - rows[0] + 1 - len(rows)


@pytest.mark.parametrize("kind", ["sma:3", "ema:3"])
def test_an_average_longer_than_the_frame_has_no_value(bars, kind):
    (line,) = build_candles(bars(2), overlays=kind).overlays
    assert np.isnan(line.value).all()
