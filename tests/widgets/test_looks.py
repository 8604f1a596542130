"""Zone, theme and height of live charts: what can be set, and what then looks so."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from told_candles import START_S, Wire, pixels
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.model.themes import LIGHT
from qalypto_research.charts.widgets.board_picture import _BoardPicture
from qalypto_research.charts.widgets.picture import Drawing, to_model
from qalypto_research.charts.widgets.plain import PlainChart
from qalypto_research.charts.widgets.source import Pick

DARK_RGB, LIGHT_RGB = [0x12, 0x17, 0x1F], [255, 255, 255]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("zone", "Mars/Base", "zone: 'Mars/Base' is not a time zone"),
        ("theme", "drak", "theme: 'drak' is not known; did you mean 'dark'"),
        ("height", 20, "height: 20 must be a whole number from 160 to 4,000"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(chart, name, value, said):
    before = getattr(chart, name)
    with pytest.raises(qr.errors.InputError, match=said):
        setattr(chart, name, value)
    assert getattr(chart, name) == before


@pytest.mark.parametrize(("name", "value"), [("zone", "Etc/Unknown"), ("theme", "pink"), ("height", 10**6)])
@pytest.mark.usefixtures("by_hand")
def test_what_cannot_be_is_taken_back_also_where_several_are_set_and_where_a_page_sets_it(chart, name, value):
    before = {of: getattr(chart, of) for of in ("zone", "theme", "height")}
    with pytest.raises(qr.errors.InputError, match=f"{name}: "), chart.hold_trait_notifications():
        setattr(chart, name, value)
    assert {of: getattr(chart, of) for of in before} == before
    if name in chart.keys:
        Wire.sent.clear()
        chart.set_state({name: value})
        assert {of: getattr(chart, of) for of in before} == before
        assert {name: before[name]} in [data.get("state") for _, _, data, _ in Wire.sent]
        assert chart.say(chart._follower.source.status())["trouble"].startswith(f"{name}: ")


@pytest.mark.usefixtures("by_hand")
def test_what_is_left_of_a_chart_looks_as_it_was_set(chart):
    asked = pixels(chart._to_picture())
    assert (asked.shape, asked[2, 2].tolist()) == ((300, 960, 3), LIGHT_RGB)
    chart.theme, chart.height = "dark", 400
    picture = pixels(chart._to_picture())
    assert (picture.shape, picture[2, 2].tolist()) == ((400, 960, 3), DARK_RGB)
    chart.zone = "Asia/Tokyo"
    assert not np.array_equal(pixels(chart._to_picture()), picture)


@pytest.mark.parametrize("chart", [PlainChart], indirect=True)
def test_the_plain_chart_is_drawn_anew_as_it_is_set(chart):
    first = pixels(chart._image.value)
    chart.height = 400
    wait(lambda: pixels(chart._image.value).shape == (400, 960, 3))
    assert chart._image.height == "400"
    chart.theme = "dark"
    wait(lambda: pixels(chart._image.value)[2, 2].tolist() == DARK_RGB)
    chart.theme, chart.height = "light", 300
    wait(lambda: np.array_equal(pixels(chart._image.value), first))
    chart.zone = "Asia/Tokyo"
    wait(lambda: not np.array_equal(pixels(chart._image.value), first))


@pytest.mark.parametrize("chart", [PlainChart], indirect=True)
def test_what_is_left_of_the_plain_chart_stays_as_it_was(chart):
    chart.stop()
    width, height, value = chart._image.width, chart._image.height, chart._image.value
    chart.height = 900
    assert (chart._image.width, chart._image.height, chart._image.value) == (width, height, value)


@pytest.mark.parametrize(("interval", "hours", "said"), [("1h", 1, "Tokyo"), ("1d", 24, "UTC")])
def test_candles_of_days_keep_their_dates_in_every_zone(interval, hours, said):
    rows = np.array([[START_S - START_S % 86_400 + n * hours * 3_600, 100, 101, 99, 100, 5, 2] for n in range(30)], dtype=float)
    model = to_model(rows, Pick("BTCUSDT", interval, "binance"), synthetic=False)
    board = _BoardPicture(LIGHT, ZoneInfo("Asia/Tokyo"))
    board.draw_candles(model)
    drawing = Drawing(theme="light", zone="Asia/Tokyo", height=300)
    drawing.show(model)
    for ax in (board.volume, drawing._canvas.figure.axes[-1]):
        ax.figure.canvas.draw()
        assert ax.xaxis.get_offset_text().get_text().endswith(said)
