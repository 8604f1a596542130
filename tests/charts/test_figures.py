"""Every chart, light and dark, wide and narrow: labels apart from one another, colours that colour-blind eyes tell apart."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation

import qalypto_research as qr
from qalypto_research.charts.model.themes import DARK, LIGHT

charts = qr.charts


@pytest.fixture(scope="module")
def drawings(sample):
    """Return for each chart a function that draws it."""
    klines = sample.klines("BTCUSDT", "1m", hours=2, final=False, gaps="ignore")
    holed = pd.concat([klines.iloc[:50], klines.iloc[62:]])
    tickers = sample.tickers("BTCUSDT", exchange="all", minutes=5)
    books = sample.orderbooks("BTCUSDT", depth=10, minutes=30)
    trades, spreads = sample.trades("BTCUSDT", minutes=5), sample.spreads("BTCUSDT", every="5s", minutes=10)
    funding, there = sample.funding("BTCUSDT", exchange="all", hours=1), sample.coverage("BTCUSDT", tables="kline", days=2)
    side_by_side, hours = sample.compare("BTCUSDT"), sample.klines("BTCUSDT", "1h", days=20)
    return {
        "candles": lambda **o: charts.candles(holed, overlays=["sma:10", "ema:20", "vwap"], **o),
        "hours": lambda **o: charts.candles(hours, **o),
        "venues": lambda **o: charts.compare(side_by_side, **o),
        "quotes": lambda **o: charts.compare(tickers, **o),
        "best": lambda **o: charts.compare(spreads, **o),
        "book": lambda **o: charts.depth(books, **o),
        "depth": lambda **o: charts.depth(books, view="time", **o),
        "tape": lambda **o: charts.tape(trades, **o),
        "coverage": lambda **o: charts.coverage(there, **o),
        "funding": lambda **o: charts.funding(funding, **o),
    }


CHARTS = ["candles", "hours", "venues", "quotes", "best", "book", "depth", "tape", "coverage", "funding"]
PANELS = {"candles": 2, "hours": 2, "venues": 1, "quotes": 3, "best": 3, "book": 1, "depth": 2, "tape": 2, "coverage": 1, "funding": 2}


def boxes(texts):
    return [t.get_window_extent() for t in texts if t.get_visible() and t.get_text()]


def labels(axis):
    """Return the labels that are seen: those of ticks inside the axis."""
    low, high = sorted(axis.get_view_interval())
    shown = axis.get_tick_params()
    side = shown.get("labelbottom") or shown.get("labelleft") or shown.get("labelright")
    ticks = axis.get_major_ticks() if side else []
    return [t for tick in ticks if low <= tick.get_loc() <= high for t in (tick.label1, tick.label2) if t.get_visible()]


def overlapping(boxes):
    return [(a, b) for a, b in itertools.combinations(boxes, 2) if a.shrunk(0.98, 0.9).overlaps(b.shrunk(0.98, 0.9))]


@pytest.mark.parametrize("size", [(12, 6), (4.2, 3.6)], ids=str)
@pytest.mark.parametrize("name", CHARTS)
def test_labels_do_not_collide(drawings, name, size):
    narrow = size[0] < 5
    ax = Figure(figsize=size, layout="constrained").subplots() if narrow and name != "coverage" else None
    figure = drawings[name](theme="dark", zone="Asia/Tokyo", ax=ax)
    if not narrow and name != "coverage":  # which is as high as its rows need
        figure.set_size_inches(*size)
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert ax._left_title.get_window_extent().x1 < figure.bbox.x1
        assert ax.bbox.width > (0.35 if name == "venues" else 0.65) * figure.bbox.width
    for ax in figure.axes:
        along, up = labels(ax.xaxis), labels(ax.yaxis)
        tags = [t for t in ax.texts if isinstance(t, Annotation)]
        legend = ax.get_legend()
        key = list(legend.get_texts()) if legend else []
        above = [ax.title, ax._left_title, *key]
        for group in (along, up + tags, above, [*along, ax.xaxis.get_offset_text()]):
            assert overlapping(boxes(group)) == [], [t.get_text() for t in group]


@pytest.mark.parametrize("name", CHARTS)
def test_all_words_are_inside_the_figure(drawings, name):
    figure = drawings[name]()
    figure.draw_without_rendering()
    for ax in figure.axes:
        for box in boxes([*labels(ax.xaxis), *labels(ax.yaxis), *ax.texts, ax._left_title, ax.xaxis.get_offset_text()]):
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= figure.bbox.x1 + 1
            assert box.y1 <= figure.bbox.y1 + 1


def places(figure):
    figure.draw_without_rendering()
    return np.array([ax.bbox.extents for ax in figure.axes])


@pytest.mark.parametrize("size", [None, (12, 6), (5, 3.4)], ids=str)
@pytest.mark.parametrize("name", CHARTS)
def test_panels_stand_where_matplotlib_would_put_them(drawings, name, size):
    ours, theirs = drawings[name](), drawings[name]()
    theirs.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08, hspace=0.0)
    if size:
        places(ours)  # it is resized after it was shown
        for figure in (ours, theirs):
            figure.set_size_inches(size)
    np.testing.assert_allclose(places(ours), places(theirs), atol=2.0)  # words beside an axis move with its width


def test_panels_shrink_for_longer_words_and_stay_where_they_are(drawings):
    figure = drawings["candles"]()
    before = places(figure)
    np.testing.assert_allclose(places(figure), before, atol=0.1)
    figure.axes[0].set_ylim(66_219.31, 66_219.3101)  # needs more decimals
    assert places(figure)[0, 2] < before[0, 2] - 10


def test_words_that_the_layout_itself_changes_are_measured_again(drawings):
    figure = drawings["hours"]()
    figure.axes[0].set_ylim(66_251.9, 66_253.15)
    wide = places(figure)  # 66,252.5
    figure.axes[0].set_title("a\nb" * 14)  # leaves room for one mark: 66,253
    narrow = places(figure)
    assert narrow[0, 2] > wide[0, 2] + 2
    np.testing.assert_allclose(places(figure), narrow, atol=0.1)


def test_a_last_price_out_of_sight_takes_no_room(drawings):
    figure = drawings["candles"]()
    before = places(figure)
    figure.axes[0].set_ylim(65_000, 65_100)
    np.testing.assert_allclose(places(figure), before, atol=15)


def test_what_a_user_adds_has_its_room(drawings):
    figure = drawings["candles"]()
    before = places(figure)
    title = figure.suptitle("Above all")
    after = places(figure)
    assert after[0, 3] < before[0, 3] - 10
    assert not title.get_window_extent().overlaps(figure.axes[0]._left_title.get_window_extent())
    assert after[-1].tolist() == pytest.approx(before[-1].tolist(), abs=8)
    bar = figure.colorbar(mpl.cm.ScalarMappable(), ax=figure.axes, location="left")
    figure.draw_without_rendering()
    assert all(not bar.ax.bbox.overlaps(ax.bbox) for ax in figure.axes[:2])


def test_rows_of_a_calendar_in_a_low_axes_do_not_collide(drawings):
    figure = drawings["coverage"](ax=Figure(figsize=(5, 3), layout="constrained").subplots())
    figure.draw_without_rendering()
    names = boxes(labels(figure.axes[0].yaxis))
    assert len(names) == 32
    assert all(upper.y0 > lower.y0 + 0.6 * lower.height for upper, lower in itertools.pairwise(names))


def test_axes_that_a_user_placed_stay_there(drawings):
    figure = drawings["candles"]()
    figure.axes[0].set_position((0.3, 0.5, 0.4, 0.3))
    assert places(figure)[0].tolist() == pytest.approx([0.3 * 900, 0.5 * 500, 0.7 * 900, 0.8 * 500])


@pytest.mark.parametrize("name", CHARTS)
def test_charts_go_into_the_axes_of_a_user(drawings, name):
    figure = Figure(figsize=(10, 8), layout="constrained")
    one, two = figure.subplots(1, 2)
    assert drawings[name](ax=one) is figure
    figure.draw_without_rendering()
    assert len(figure.axes) == 1 + PANELS[name]
    assert two.has_data() is False
    mine = [ax for ax in figure.axes if ax is not two]
    assert all(ax.bbox.x1 < two.bbox.x0 for ax in mine)
    assert all(upper.bbox.y0 >= lower.bbox.y1 for upper, lower in itertools.pairwise(mine))


@pytest.mark.parametrize("name", ["candles", "best"])
def test_layouts_of_a_user_know_of_all_panels_and_notes_do_not_push(drawings, name):
    figure = Figure(figsize=(2.6, 3), layout="constrained")
    drawings[name](ax=figure.subplots())
    figure.draw_without_rendering()
    assert min(box.y0 for ax in figure.axes for box in boxes([*labels(ax.xaxis), ax.xaxis.get_offset_text()])) >= 0
    assert all(ax.bbox.width > 0.5 * figure.bbox.width for ax in figure.axes)


def test_axes_placed_by_hand_are_divided_too(drawings):
    figure = Figure(figsize=(6, 5))
    drawings["candles"](ax=figure.add_axes((0.1, 0.1, 0.7, 0.7)))
    figure.draw_without_rendering()
    price, volume = figure.axes
    assert volume.bbox.y1 <= price.bbox.y0


def test_a_pair_of_axes_is_taken_as_it_is(drawings):
    figure = Figure()
    pair = figure.subplots(2, 1)
    drawings["candles"](ax=pair)
    assert figure.axes == list(pair)
    assert all(ax.collections for ax in pair)


def test_axes_of_pyplot_stay_the_users(drawings):
    figure, ax = plt.subplots()
    try:
        assert drawings["tape"](ax=ax) is figure
        assert plt.get_fignums() == [figure.number]
    finally:
        plt.close(figure)


@pytest.mark.parametrize("name", ["candles", "quotes", "coverage"])
def test_settings_and_pyplot_are_left_alone(drawings, name):
    before = dict(mpl.rcParams)
    figure = drawings[name](theme="dark")
    figure.draw_without_rendering()
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_a_notebook_shows_a_figure_by_itself(drawings):
    png = drawings["book"]()._repr_png_()
    assert png.startswith(b"\x89PNG")


def test_charts_are_drawn_on_any_thread(drawings):
    found = []
    thread = threading.Thread(target=lambda: found.append(drawings["candles"]()._repr_png_()))
    thread.start()
    thread.join(60)
    assert len(found) == 1


def test_titles_and_zones(drawings):
    figure = drawings["candles"](title="Mine", zone="America/New_York")
    figure.draw_without_rendering()
    assert figure.axes[0].get_title(loc="left") == "Mine · synthetic"
    assert figure.axes[1].xaxis.get_offset_text().get_text() == "2 Mar 2026, New York"
    assert "07:00" in [label.get_text() for label in figure.axes[1].get_xticklabels()]  # 12:00 UTC


def test_the_model_imports_no_matplotlib_and_drawing_no_pyplot():
    program = (
        "import sys, pkgutil, importlib, qalypto_research as qr, qalypto_research.charts.model as m\n"
        "for found in pkgutil.iter_modules(m.__path__, m.__name__ + '.'): importlib.import_module(found.name)\n"
        "assert 'qalypto_research.charts.model.candles' in sys.modules\n"
        "print('matplotlib' in sys.modules, qr.charts.candles.__name__, qr.charts.funding.__name__, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "candles", "funding", "False"]


# --- Colours ---------------------------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), severity 1.
BLIND = {
    "none": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one, other, eyes):
    return float(np.linalg.norm(lab(BLIND[eyes] @ linear(one)) - lab(BLIND[eyes] @ linear(other))))


@pytest.mark.parametrize("eyes", BLIND)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda t: t.name)
def test_colours_are_told_apart(theme, eyes):
    assert apart(theme.up, theme.down, eyes) > 40
    for one, other in itertools.combinations(theme.exchanges.values(), 2):
        assert apart(one, other, eyes) > 12, (one, other)


def contrast(one, other):
    light = sorted(float(np.dot([0.2126, 0.7152, 0.0722], linear(color))) for color in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda t: t.name)
def test_words_can_be_read(theme):
    assert contrast(theme.text, theme.background) > 7
    assert contrast(theme.muted, theme.background) > 4.5
    assert min(contrast(color, theme.background) for color in (theme.up, theme.down)) > 3


def test_a_red_and_a_green_of_one_brightness_would_not_pass():
    assert apart("#c05050", "#6f8a3a", "deutan") < 40
