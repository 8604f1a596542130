"""What is drawn of candles: artists and their data, told apart by shape, standing still or moving."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import dates
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import qalypto_research as qr
from qalypto_research.charts.drawing.candles import CandleArtists, draw_candles
from qalypto_research.charts.model.candles import build_candles
from qalypto_research.charts.model.themes import DARK, LIGHT

NOON = float(dates.date2num(np.datetime64("2026-03-02T12:00")))
MINUTE = 1 / 1_440


def piece(ax, label):
    return next(c for c in ax.collections if c.get_label() == f"_{label}")


def boxes(collection):
    """Return left, right, bottom, top of each box."""
    return [
        [
            *(round((x - NOON) / MINUTE, 4) for x in (p.vertices[:, 0].min(), p.vertices[:, 0].max())),
            p.vertices[:, 1].min(),
            p.vertices[:, 1].max(),
        ]
        for p in collection.get_paths()
    ]


def shades(ax, color):
    return [
        box
        for c in ax.collections
        if isinstance(c, PolyCollection) and c.get_transform() != ax.transData and to_hex(c.get_facecolor()[0]) == color
        for box in boxes(c)
    ]


def test_bodies_go_from_open_to_close_and_cover_their_time(klines):
    price, volume = qr.charts.candles(klines(4, falling=[1])).axes
    assert boxes(piece(price, "rising bodies")) == [[0.15, 0.85, 100.0, 101.0], [2.15, 2.85, 102.0, 103.0]]
    assert boxes(piece(price, "falling bodies")) == [[1.15, 1.85, 100.0, 101.0]]
    assert boxes(piece(price, "forming rising bodies")) == [[3.15, 3.85, 103.0, 104.0]]
    assert boxes(piece(volume, "rising volumes")) == [[0.15, 0.85, 0.0, 10.0], [2.15, 2.85, 0.0, 12.0]]
    assert boxes(piece(volume, "falling volumes")) == [[1.15, 1.85, 0.0, 11.0]]


def test_wicks_are_thin_and_leave_the_body_free(klines):
    price = qr.charts.candles(klines(2, falling=[1])).axes[0]
    wicks = piece(price, "rising wicks")
    assert isinstance(wicks, LineCollection)
    assert [[tuple(point) for point in s[:, 1:]] for s in wicks.get_segments()] == [[(99.75,), (100.0,)], [(101.0,), (101.5,)]]
    assert {round((x - NOON) / MINUTE, 4) for s in wicks.get_segments() for x in s[:, 0]} == {0.5}
    assert max(wicks.get_linewidths()) <= 1.0


def test_candles_are_collections_however_many(bars):
    figure = qr.charts.candles(bars(5_000))
    assert sum(len(ax.patches) + len(ax.lines) for ax in figure.axes) <= 3
    assert len(piece(figure.axes[0], "rising bodies").get_paths()) == 5_000


def test_up_and_down_differ_in_shape_not_in_colour_alone(klines):
    price = qr.charts.candles(klines(20, falling=range(0, 20, 2))).axes[0]
    assert to_hex(piece(price, "rising bodies").get_facecolor()[0]) == LIGHT.background
    assert to_hex(piece(price, "falling bodies").get_facecolor()[0]) == LIGHT.down


def test_many_candles_are_filled_as_a_hollow_of_a_pixel_cannot_be_seen(bars):
    price = qr.charts.candles(bars(2_000)).axes[0]
    assert to_hex(piece(price, "rising bodies").get_facecolor()[0]) == LIGHT.up


def test_the_forming_candle_is_dashed_shaded_and_in_the_key(klines):
    price, volume = qr.charts.candles(klines(5)).axes
    assert piece(price, "forming rising bodies").get_linestyle()[0][1] is not None
    assert piece(price, "rising bodies").get_linestyle()[0][1] is None
    for ax in (price, volume):
        assert shades(ax, LIGHT.forming) == [[4.0, 5.0, 0.0, 1.0]]
    assert [t.get_text() for t in price.get_legend().get_texts()] == ["not over yet"]


def test_holes_are_shaded_and_no_line_crosses_them(klines):
    price, volume = qr.charts.candles(klines(10, without=[4, 5, 7]), overlays="sma:1").axes
    for ax in (price, volume):
        assert shades(ax, LIGHT.hole) == [[4.0, 6.0, 0.0, 1.0], [7.0, 8.0, 0.0, 1.0]]
    assert [t.get_text() for t in price.get_legend().get_texts()] == ["SMA 1", "3 missing in 2 holes", "not over yet"]
    average = next(line for line in price.lines if line.get_label() == "SMA 1")
    x, y = average.get_data()
    assert [round((at - NOON) / MINUTE, 4) for at, value in zip(x, y, strict=True) if np.isnan(value)] == [4.0, 7.0]


def test_impossible_rows_are_hatched_and_counted_and_leave_the_axes_alone(klines):
    df = klines(12, without=[8])
    df.iloc[[3, 4, 7], df.columns.get_loc("high")] = [np.inf, 1e9, 1.0]
    df.iloc[4, df.columns.get_loc("close")] = 2e9
    figure = qr.charts.candles(df)
    for ax in figure.axes:
        assert shades(ax, LIGHT.impossible) == [[3.0, 5.0, 0.0, 1.0], [7.0, 8.0, 0.0, 1.0]]
        assert shades(ax, LIGHT.hole) == [[8.0, 9.0, 0.0, 1.0]]
        assert {c.get_hatch() for c in ax.collections if len(c.get_facecolor()) and to_hex(c.get_facecolor()[0]) == LIGHT.impossible} == {
            "xxxxx"
        }
    price = figure.axes[0]
    assert [t.get_text() for t in price.get_legend().get_texts()] == ["1 missing", "3 impossible", "not over yet"]
    assert [box[0] for box in boxes(piece(price, "rising bodies"))] == [0.15, 1.15, 2.15, 5.15, 6.15, 9.15, 10.15]
    assert price.get_ylim()[1] < 120


@pytest.mark.parametrize(
    ("volumes", "said"),
    [([1.0, 2.0, 3.0], "Volume, BTC"), ([1.0, np.nan, 3.0], "Volume, BTC; not known of 1 candle"),
     ([np.inf, 1.0, -3.0], "Volume, BTC; not known of 2 candles")],
)  # fmt: skip
def test_volumes_that_are_not_known_are_counted(klines, volumes, said):
    figure = qr.charts.candles(klines(3).assign(volume=volumes))
    assert [text.get_text() for text in figure.axes[1].texts] == [said]


def test_what_is_wrong_or_missing_at_the_ends_is_inside_the_axes(klines):
    df = klines(40)
    df.iloc[:3, df.columns.get_loc("low")] = 0.0
    df.iloc[-4:, df.columns.get_loc("low")] = np.nan
    left, right = qr.charts.candles(df).axes[0].get_xlim()
    assert left <= NOON
    assert right >= NOON + 40 * MINUTE


def test_all_of_it_is_inside_the_axes(klines):
    df = klines(30, falling=range(10, 20))
    price, volume = qr.charts.candles(df, overlays={"far": df["close"] + 50}).axes
    low, high = price.get_ylim()
    assert low < df["low"].min()
    assert high > df["high"].max() + 49
    assert volume.get_ylim()[0] == 0
    assert volume.get_ylim()[1] > df["volume"].max()
    left, right = price.get_xlim()
    assert left < NOON
    assert right > NOON + 30 * MINUTE


def test_a_flat_price_and_a_single_candle_have_room(bars):
    df = bars(1).assign(open=5.0, high=5.0, low=5.0, close=5.0)
    price = qr.charts.candles(df).axes[0]
    low, high = price.get_ylim()
    assert low < 5 < high
    left, right = price.get_xlim()
    assert (right - left) / MINUTE == pytest.approx(12, abs=1.1)


def test_the_last_price_is_tagged_in_the_colour_of_its_candle(klines):
    price = qr.charts.candles(klines(4, falling=[3])).axes[0]
    (tag,) = [t for t in price.texts if t.get_text() == "102"]
    assert tag.xy[1] == 102.0
    assert to_hex(tag.get_bbox_patch().get_facecolor()) == LIGHT.down


def test_dark_is_dark_throughout(klines):
    figure = qr.charts.candles(klines(4), theme="dark")
    assert to_hex(figure.get_facecolor()) == DARK.background
    assert {to_hex(ax.get_facecolor()) for ax in figure.axes} == {DARK.background}
    assert {to_hex(label.get_color()) for ax in figure.axes for label in ax.get_yticklabels()} == {DARK.muted}


def test_a_user_goes_on_with_times(klines):
    figure = qr.charts.candles(klines(6))
    price = figure.axes[0]
    (line,) = price.plot(pd.to_datetime(["2026-03-02 12:01Z", "2026-03-02 12:02Z"]), [101, 102])
    figure.canvas.draw()
    assert [round((x - NOON) / MINUTE, 4) for x in line.get_xdata(orig=False)] == [1.0, 2.0]


# --- For a chart that moves ------------------------------------------------------------------------------------------


@pytest.fixture
def live(klines):
    """Return a drawn chart of six candles, the last one forming, and its artists."""
    figure = Figure((6, 4))
    FigureCanvasAgg(figure)
    price, volume = figure.subplots(2, sharex=True)
    artists = draw_candles((price, volume), build_candles(klines(6), overlays="sma:2"), LIGHT, pd.Timestamp(0, tz="UTC").tzinfo)
    return figure, artists


def test_background_and_moving_artists_are_apart_and_all_there(live):
    figure, artists = live
    background, moving = set(artists.background), set(artists.moving)
    assert not background & moving
    assert {c for ax in figure.axes for c in ax.collections} <= background | moving
    assert {line for ax in figure.axes for line in ax.lines} <= moving


def test_a_change_of_the_forming_candle_moves_only_moving_artists(live, klines):
    figure, artists = live
    df = klines(6)
    df.iloc[-1, df.columns.get_indexer(["close", "volume"])] = [105.5, 14.0]
    before = [[p.vertices.copy() for p in c.get_paths()] for c in artists.background]
    assert artists.show(build_candles(df, overlays="sma:2")) is False
    after = [[p.vertices for p in c.get_paths()] for c in artists.background]
    assert all(np.array_equal(a, b) for one, other in zip(before, after, strict=True) for a, b in zip(one, other, strict=True))
    assert boxes(piece(figure.axes[0], "forming rising bodies")) == [[5.15, 5.85, 105.0, 105.5]]


@pytest.mark.parametrize("change", ["closes", "late", "further", "hole", "impossible"])
def test_whatever_changes_the_background_is_said(live, klines, change):
    _, artists = live
    df = klines(6)
    if change == "closes":
        df["is_final"] = True
    elif change == "late":
        df.iloc[2, df.columns.get_loc("close")] = 103.25
    elif change == "further":
        df.iloc[-1, df.columns.get_indexer(["high", "close"])] = 300.0
    elif change == "impossible":
        df.iloc[-1, df.columns.get_loc("low")] = 0.0
    else:
        df = df.drop(df.index[2])
    assert artists.show(build_candles(df, overlays="sma:2")) is True


def test_axes_stay_where_a_user_moved_them(live, klines):
    figure, artists = live
    price = figure.axes[0]
    price.set_xlim(NOON, NOON + MINUTE)
    price.set_ylim(1, 2)
    artists.show(build_candles(klines(9)), fit=False)
    assert price.get_xlim() == (NOON, NOON + MINUTE)
    assert price.get_ylim() == (1, 2)


def test_blitting_gives_the_picture_of_a_full_draw(live, klines):
    figure, artists = live
    for artist in artists.moving:
        artist.set_animated(True)
    figure.canvas.draw()
    behind = figure.canvas.copy_from_bbox(figure.bbox)
    df = klines(6)
    df.iloc[-1, df.columns.get_indexer(["close"])] = 105.5
    artists.show(build_candles(df, overlays="sma:2"))
    figure.canvas.restore_region(behind)
    for artist in sorted(artists.moving, key=lambda a: a.get_zorder()):
        artist.axes.draw_artist(artist)
    blitted = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    for artist in artists.moving:
        artist.set_animated(False)
    figure.canvas.draw()
    whole = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    # What stands behind bodies and axes in a full draw lies over them here; all else is equal.
    assert (np.abs(blitted - whole).max(axis=2) > 40).mean() < 0.02


def test_overlays_come_and_go(live, klines):
    figure, artists = live
    assert isinstance(artists, CandleArtists)
    artists.show(build_candles(klines(6)))
    assert len(figure.axes[0].lines) == 1  # the last price
    artists.show(build_candles(klines(6), overlays=["sma:2", "ema:2", "vwap"]))
    assert [line.get_label() for line in figure.axes[0].lines][1:] == ["SMA 2", "EMA 2", "VWAP"]
