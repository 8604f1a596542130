"""Frames that cannot be drawn are refused with the column, the row and the way out; empty ones give a chart that says so."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import qalypto_research as qr

charts = qr.charts


@pytest.fixture(scope="module")
def frames(sample):
    """Return a good frame for each chart."""
    return {
        "candles": sample.klines("BTCUSDT", "1h", hours=6),
        "compare": sample.tickers("BTCUSDT", exchange="all", minutes=1),
        "depth": sample.orderbooks("BTCUSDT", depth=5, minutes=2),
        "tape": sample.trades("BTCUSDT", minutes=2),
        "funding": sample.funding("BTCUSDT", exchange="all", hours=1),
    }


NEEDED = [
    *(("candles", name) for name in ("open", "high", "low", "close")),
    *(("compare", name) for name in ("bid_price", "ask_price")),
    *(("depth", name) for name in ("bid_price_0", "ask_size_0")),
    *(("tape", name) for name in ("price", "amount", "side")),
    *(("funding", name) for name in ("funding_rate", "open_interest")),
]
CHARTS = ["candles", "compare", "depth", "tape", "funding"]


def draw(name, df, **options):
    figure = getattr(charts, name)(df, **options)
    figure.draw_without_rendering()
    return figure


def words(figure):
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


@pytest.mark.parametrize("name", [*CHARTS, "latency"])
@pytest.mark.parametrize(
    "given", [None, 7, "df", [1, 2], {"open": [1.0]}, np.zeros((2, 4)), pd.Series([1.0])], ids=lambda v: type(v).__name__
)
def test_something_else_than_a_frame(name, given):
    with pytest.raises(qr.errors.InputError, match=f"(df|data): is a {type(given).__name__}; give a DataFrame such as (qr|live)"):
        getattr(charts, name)(given)


@pytest.mark.parametrize("given", [None, 7, pd.DataFrame()], ids=lambda v: type(v).__name__)
def test_coverage_wants_the_whole_coverage(given):
    with pytest.raises(qr.errors.InputError, match=r"cov: is a .*qr\.coverage"):
        charts.coverage(given)


@pytest.mark.parametrize(("name", "column"), NEEDED)
def test_a_missing_column_is_named(frames, name, column):
    with pytest.raises(qr.errors.InputError, match=f"df: has no column '{column}', which this chart needs"):
        draw(name, frames[name].drop(columns=column))


def test_a_column_in_other_letters_was_probably_meant(frames):
    with pytest.raises(qr.errors.InputError, match=r"did you mean 'Open'\? rename it: df\.rename\(columns=\{'Open': 'open'\}\)"):
        charts.candles(frames["candles"].rename(columns=str.title))


@pytest.mark.parametrize("name", CHARTS)
def test_a_column_twice(frames, name):
    df = frames[name]
    with pytest.raises(qr.errors.InputError, match=f"df: has the column '{df.columns[-1]}' twice"):
        draw(name, pd.concat([df, df.iloc[:, -1]], axis=1))


@pytest.mark.parametrize("name", CHARTS)
def test_times_that_go_back(frames, name):
    df = frames[name].iloc[::-1]
    with pytest.raises(qr.errors.InputError, match=r"df: goes back in time: .* sort it: df\.sort_index"):
        draw(name, df)


@pytest.mark.parametrize("name", CHARTS)
def test_an_index_without_times(frames, name):
    with pytest.raises(qr.errors.InputError, match=r"df: has an index of int64 where times belong"):
        draw(name, frames[name].reset_index(drop=True))


@pytest.mark.parametrize("name", CHARTS)
def test_a_time_that_is_missing(frames, name):
    df = frames[name]
    df = df.set_axis(df.index.where(np.arange(len(df)) != 1))
    with pytest.raises(qr.errors.InputError, match=r"df: has no time \(NaT\) in row 1"):
        draw(name, df)


def test_a_candle_twice(frames):
    df = frames["candles"]
    with pytest.raises(qr.errors.InputError, match=r"df: has 2026-03-02 12:00:00\+00:00 twice \(row 6\); keep one"):
        charts.candles(pd.concat([df, df.iloc[-1:]]))


@pytest.mark.parametrize("name", ["candles", "depth", "tape"])
@pytest.mark.parametrize(("column", "other"), [("exchange", "okx"), ("symbol", "ETHUSDT")])
def test_several_series_name_the_column_and_the_way_out(frames, name, column, other):
    df = frames[name].copy()
    df.iloc[-1, df.columns.get_loc(column)] = other
    first = df[column].iloc[0]
    with pytest.raises(
        qr.errors.InputError, match=rf"df: holds several of {column}: {first}, {other}; .* df\[df\['{column}'\] == '{first}'\]"
    ):
        draw(name, df)


@pytest.mark.parametrize("name", ["compare", "funding"])
def test_several_symbols_do_not_compare(frames, name):
    df = frames[name].copy()
    df.iloc[-1, df.columns.get_loc("symbol")] = "ETHUSDT"
    with pytest.raises(qr.errors.InputError, match="df: holds several of symbol"):
        draw(name, df)


def test_several_intervals(sample):
    df = pd.concat([sample.klines("BTCUSDT", "4h", hours=8), sample.klines("BTCUSDT", "1h", hours=2)])
    with pytest.raises(qr.errors.InputError, match="df: holds several of interval: 4h, 1h"):
        charts.candles(df)


def test_candles_closer_than_their_interval(frames):
    df = frames["candles"]
    with pytest.raises(qr.errors.InputError, match="says interval '1h', yet after 2026-03-02 07:00:00"):
        charts.candles(df.set_axis(df.index[:1].append(df.index[:-1] + pd.Timedelta(minutes=5))))


NUMBERS = {"candles": "high", "compare": "bid_price", "depth": "bid_size_1", "tape": "price", "funding": "funding_rate"}


@pytest.mark.parametrize("name", CHARTS)
def test_words_and_too_large_numbers_where_numbers_belong(frames, name):
    df, column = frames[name], NUMBERS[name]
    with pytest.raises(qr.errors.InputError, match=f"df: has (str|object) in the column '{column}' where numbers belong"):
        draw(name, df.assign(**{column: "high"}))
    with pytest.raises(qr.errors.InputError, match=rf"df: has 1e\+300 in the column '{column}' \(row 0\), too large"):
        draw(name, df.assign(**{column: 1e300}))


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("fill", [np.nan, -5.0, 1e99, 1e-300])
def test_any_other_number_gives_a_picture(frames, name, fill):
    df = frames[name]
    numbers = df.select_dtypes("float64").columns
    draw(name, df.iloc[:3].assign(**dict.fromkeys(numbers, fill)))


@pytest.mark.parametrize("name", CHARTS)
def test_one_row_gives_a_picture(frames, name):
    assert len(draw(name, frames[name].iloc[:1]).axes) >= 1


EMPTY = {"candles": "no candles", "compare": "no quotes", "depth": "no book", "tape": "no trades", "funding": "no funding rates"}


@pytest.mark.parametrize("name", CHARTS)
def test_an_empty_frame_gives_a_chart_that_says_so(frames, name):
    figure = draw(name, frames[name].iloc[:0])
    assert EMPTY[name] in words(figure)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == []


def test_other_empty_ones_say_so_too(sample, frames):
    assert "no quotes" in words(draw("compare", sample.compare("BTCUSDT").iloc[:0]))
    assert "no quotes" in words(draw("compare", sample.spreads("BTCUSDT", minutes=1).iloc[:0]))
    assert "no books" in words(draw("depth", frames["depth"].iloc[:0], view="time"))
    there = sample.coverage("BTCUSDT", tables="kline", interval="1h", hours=3)
    assert "no series" in words(draw("coverage", qr.Coverage(there.series.iloc[:0], there.holes.iloc[:0])))


def test_candles_without_any_price_say_how_many(frames):
    df = frames["candles"].assign(close=np.nan)
    assert "no candles with prices: 6 rows have none" in words(draw("candles", df))


def test_candles_that_are_all_impossible_say_so(frames):
    df = frames["candles"]
    assert "no candles with possible prices: 6 rows have impossible ones" in words(draw("candles", df.assign(high=np.inf)))
    one = df.assign(close=[np.nan, *[-1.0] * 5])
    assert "no candles with possible prices: 5 rows have impossible ones, 1 row has none" in words(draw("candles", one))


def test_books_that_are_updates_are_no_whole_books(frames):
    df = frames["depth"].assign(is_snapshot=False)
    for view in ("book", "time"):
        with pytest.raises(qr.errors.InputError, match=r"updates and no whole book \(is_snapshot\)"):
            draw("depth", df, view=view)


def test_a_book_before_the_first_one(frames):
    with pytest.raises(qr.errors.InputError, match="at: '2026-03-01' is before the first whole book"):
        draw("depth", frames["depth"], at="2026-03-01")
    with pytest.raises(qr.errors.InputError, match="at: belongs to one book"):
        draw("depth", frames["depth"], at="2026-03-02", view="time")


def test_a_frame_without_latencies(frames):
    with pytest.raises(qr.errors.InputError, match=r"data: has neither percentiles nor the columns of live frames"):
        charts.latency(frames["tape"])


def test_too_many_series(sample):
    there = sample.coverage("BTCUSDT", tables="kline", interval="1h", hours=3)
    many = qr.Coverage(pd.concat([there.series] * 60), there.holes)
    with pytest.raises(qr.errors.InputError, match="cov: has 240 series, more than 200 rows can be read"):
        charts.coverage(many)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"theme": "drak"}, "theme: 'drak' is not known; did you mean 'dark'"),
        ({"theme": None}, "theme: None is not known"),
        ({"zone": "Asia/Tokio"}, "zone: 'Asia/Tokio' is not a time zone"),
        ({"zone": 9}, "zone: 9 is not a time zone"),
        ({"title": 3}, "title: 3 is not a text"),
        ({"volume": "yes"}, "volume: 'yes' must be True or False"),
        ({"overlays": "sma"}, "overlays: 'sma' is not known; write 'sma:20'"),
        ({"overlays": "sma:0"}, "overlays: 'sma:0' is not known"),
        ({"overlays": 20}, "overlays: is a int; write 'sma:20'"),
        ({"overlays": [20]}, "overlays: holds a int"),
        (
            {"overlays": pd.Series(["a"], index=pd.DatetimeIndex(["2026-03-02"]), name="x")},
            "overlays, 'x': holds (str|object) where numbers belong",
        ),
        ({"overlays": pd.Series([1.0], name="x")}, "overlays, 'x': has an index of int64 where times belong"),
        ({"ax": 3}, "ax: is no plain Axes but int"),
        ({"ax": []}, "ax: is no plain Axes but list"),
    ],
)
def test_other_arguments(frames, options, said):
    with pytest.raises(qr.errors.InputError, match=said):
        charts.candles(frames["candles"], **options)


def test_axes_of_another_kind_or_number(frames):
    figure = Figure()
    with pytest.raises(qr.errors.InputError, match="ax: is no plain Axes but polar"):
        charts.candles(frames["candles"], ax=figure.add_subplot(projection="polar"))
    with pytest.raises(qr.errors.InputError, match="ax: holds 3 Axes; this chart takes one, which it divides, or 2, or none"):
        charts.candles(frames["candles"], ax=figure.subplots(1, 3))


def test_vwap_needs_a_volume(frames):
    with pytest.raises(qr.errors.InputError, match="'vwap' needs the column 'volume'"):
        charts.candles(frames["candles"].drop(columns="volume"), overlays="vwap")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=32)] * 5), min_size=1, max_size=12), st.data())
def test_whatever_the_numbers_candles_are_drawn(rows, data):
    steps = data.draw(st.lists(st.integers(1, 10**9), min_size=len(rows), max_size=len(rows)))
    index = pd.DatetimeIndex(np.cumsum(steps).astype("datetime64[ms]"))
    df = pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"], index=index)
    draw("candles", df, overlays=["sma:2", "ema:3", "vwap"])


def test_nothing_of_pyplot_is_left(frames):
    for name in CHARTS:
        draw(name, frames[name])
    assert plt.get_fignums() == []
