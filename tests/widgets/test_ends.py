"""How live charts end, and what is displayed of those that have."""

from __future__ import annotations

import threading

import pytest
from told_candles import BTC, LOOKS, Told, hear, needs_bundle, pixels
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.widgets import interactive
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.interactive import InteractiveChart
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.plain import PlainChart

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_a_stopped_buffer_ends_its_chart_with_a_picture(chart, source, shell):
    chart._ipython_display_()
    source.state = "stopped"
    wait(lambda: len(PAINTER) == 0)
    chart.stop()  # waits for the picture
    assert chart.ended
    assert list(shell.display_pub.outputs[-1]["data"]) == ["image/png", "text/plain"]


def test_stopping_waits_for_whoever_is_already_at_it(chart, source, shell, monkeypatch):
    chart._ipython_display_()
    begun, leave, order = threading.Event(), threading.Event(), []

    def draw():
        begun.set()
        assert leave.wait(60)
        order.append("drawn")
        return b"png"

    monkeypatch.setattr(chart, "_to_picture", draw)
    source.state = "stopped"
    assert begun.wait(60)
    waiter = threading.Thread(target=lambda: (chart.stop(), order.append("stopped")))
    waiter.start()
    leave.set()
    waiter.join(60)
    assert order == ["drawn", "stopped"]


def test_an_ended_chart_displays_its_picture_and_disturbs_none(chart, shell):
    chart._ipython_display_()
    chart.stop()
    chart._ipython_display_()
    shown, replaced, again = shell.display_pub.outputs
    assert again["data"]["image/png"] == replaced["data"]["image/png"]
    assert again["update"] is False
    assert not again["transient"]
    assert shown["transient"]["display_id"] == replaced["transient"]["display_id"]


def test_one_that_was_stopped_unseen_has_a_picture_too(chart, shell):
    chart.stop()
    chart._ipython_display_()
    (only,) = shell.display_pub.outputs
    assert list(only["data"]) == ["image/png", "text/plain"]


def test_one_that_another_widget_shows_ends_visibly(chart):
    """Of a widget within another the notebook is not told; what is known of it is what its page says."""
    if isinstance(chart, InteractiveChart):
        hear(chart, kind="hello", series=1, number=0)
        chart.stop()
        assert chart.left["data"]["image/png"]
    else:
        chart.stop()
        assert chart.children == (chart._image,)


def test_a_closed_one_says_so(chart, shell):
    chart.close()
    chart._ipython_display_()
    (only,) = shell.display_pub.outputs
    assert only["data"] == {"text/plain": "<live chart of BTCUSDT 1m on binance, which was closed>"}


def test_each_place_where_it_was_displayed_has_the_picture(chart, shell):
    chart._ipython_display_()
    chart._ipython_display_()
    chart.stop()
    first, second, *replaced = shell.display_pub.outputs
    assert first["transient"] != second["transient"]
    assert [one["transient"] for one in replaced] == [first["transient"], second["transient"]]
    assert first["data"]["text/plain"] == "<live chart of BTCUSDT 1m on binance>"


def test_an_ended_chart_cannot_be_switched(chart):
    chart.close()
    with pytest.raises(qr.errors.ClosedError, match=r"this live chart has ended; make another with live.chart\(...\)"):
        chart.switch("ETHUSDT")
    assert chart.showing.symbol == "BTCUSDT"


@needs_bundle
@pytest.mark.parametrize(("asked", "background"), [("auto", "dark"), ("light", "light")])
def test_pictures_have_the_theme_of_the_page_where_it_is_left_to_it(source, asked, background):
    chart = InteractiveChart(Follower(source, BTC), Looks("UTC", asked, 300))
    corner = {"light": [255, 255, 255], "dark": [0x12, 0x17, 0x1F]}
    assert pixels(chart._to_picture())[2, 2].tolist() == corner["light"]
    hear(chart, kind="theme", dark=True)
    assert pixels(chart._to_picture())[2, 2].tolist() == corner[background]
    chart.close()


@needs_bundle
@pytest.mark.usefixtures("by_hand")
def test_where_all_pages_have_said_that_they_are_gone_little_is_painted(source, monkeypatch):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    painted = []
    monkeypatch.setattr(chart, "paint_news", lambda: painted.append(True))
    for _ in range(3):
        chart.paint()
    assert len(painted) == 3
    hear(chart, kind="hello", series=1, number=0)
    hear(chart, kind="gone")
    for _ in range(3):
        chart.paint()
    assert len(painted) == 3
    monkeypatch.setattr(interactive, "SELDOM_S", 0.0)
    chart.paint()
    assert len(painted) == 4
    chart.close()


@needs_bundle
@pytest.mark.parametrize("kind", ["here", "theme"])
@pytest.mark.usefixtures("by_hand")
def test_a_page_whose_greeting_was_lost_is_sent_all_by_the_next_word(source, kind):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    chart.paint()
    sent = chart.shown["sent"]
    for _ in range(2):  # once is enough
        hear(chart, kind=kind, series=1, number=-1)
        chart.paint()
        assert chart.shown["sent"] == sent + 1
    chart.close()


@needs_bundle
@pytest.mark.usefixtures("by_hand")
def test_pages_are_told_which_were_heard_where_no_cell_runs(source, monkeypatch):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    sent = []
    monkeypatch.setattr(chart, "send", lambda content, _: sent.append(content["status"]["heard"]))
    chart.paint()
    hear(chart, kind="here", page="one")
    hear(chart, kind="here", page="two")
    chart.paint()  # at once, though nothing is new
    hear(chart, kind="gone", page="one")
    chart.paint()
    monkeypatch.setattr("qalypto_research.charts.widgets.hearing.FREE_TIME._since_s", 1.0)
    chart.paint()
    assert sent == [[], ["two"], None]
    assert chart.shown["status"]["heard"] == ["one", "two"]  # all of it was sent to the new pages
    chart.close()


@pytest.mark.usefixtures("by_hand")
def test_one_that_the_notebook_no_longer_has_is_closed_when_no_cell_runs(chart, monkeypatch):
    ended = []
    chart.on_end = lambda: ended.append(True)
    monkeypatch.setattr("qalypto_research.charts.widgets.cells.Cells.left", True)
    monkeypatch.setattr("qalypto_research.charts.widgets.hearing.FREE_TIME._since_s", 1.0)
    assert chart.look_around()
    monkeypatch.setattr("qalypto_research.charts.widgets.hearing.FREE_TIME._since_s", None)
    if isinstance(chart, InteractiveChart):
        hear(chart, kind="here")
        assert chart.look_around(), "a page shows it"
        hear(chart, kind="gone")
    assert not chart.look_around()
    assert chart.ended
    assert chart.comm is None
    assert ended == [True]


@pytest.mark.parametrize("troubled", [False, True])
def test_what_comes_all_the_time_or_fails_does_not_keep_one_that_the_notebook_no_longer_has(clock, chart, source, monkeypatch, troubled):
    chart.paint()
    monkeypatch.setattr("qalypto_research.charts.widgets.cells.Cells.left", True)
    if isinstance(chart, InteractiveChart):
        hear(chart, kind="hello", series=1, number=0)
        hear(chart, kind="gone")
        monkeypatch.setattr(interactive, "SELDOM_S", 0.0)
    if troubled:
        source.fails = RuntimeError("no candles")
    for _ in range(4):
        clock.now += 0.25
        assert not chart.ended
        source.tell((30, 130.0, 132.0, 130.0, 130.0 + clock.now % 7, 2.0, False))
        try:
            chart.paint()
        except RuntimeError as error:
            chart.report(error)
    assert chart.ended


@needs_bundle
@pytest.mark.parametrize("before", [(), (0, 8.0, 8.0, 8.0, 8.0, 1.0, True)], ids=["none", "whole numbers"])
@pytest.mark.usefixtures("by_hand")
def test_prices_that_need_more_decimals_are_sent_with_them(before):
    source = Told(*([before] if before else []))
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    assert chart.shown["precision"] == 0
    source.tell((1, 0.0813, 0.0815, 0.081, 0.08125, 5.0, False))
    chart.paint()
    assert chart.shown["precision"] == 5
    sent = chart.shown["sent"]
    source.tell((1, 0.0813, 0.0815, 0.081, 0.0812, 5.0, False))
    chart.paint()
    assert (chart.shown["sent"], chart.shown["precision"]) == (sent, 5)
    chart.close()


def test_of_this_moment_is_what_has_come_though_it_was_not_taken(source):
    follower = Follower(source, BTC)
    source.tell((30, 130.0, 132.0, 130.0, 131.75, 2.0, True), (31, 131.75, 131.75, 131.75, 131.5, 0.5, False))
    assert follower.at_this_moment().rows[-2:, 4].tolist() == [131.75, 131.5]
    assert follower.whole().rows[-1, 4] == 130.25
    delta = follower.take()
    assert (delta.number, delta.rows[:, 4].tolist()) == (1, [131.75, 131.5])


@pytest.mark.usefixtures("by_hand")
def test_the_page_is_told_from_when_on_the_newest_is_old(chart, source):
    said = chart.say(source.status())
    assert said["stale"] == 60
    for _ in range(3):
        source.now += 30
        source.tell((30, 130.0, 132.0, 130.0, 130.0 + source.now % 7, 2.0, False))
        chart.paint()
    assert chart.say(source.status())["stale"] == 90
    if isinstance(chart, PlainChart):
        for later, words in ((90, "</span> live "), (91, "live, the newest is 91 s old")):
            chart._say(chart.say(source.status()) | {"age": float(later)})
            assert words in chart._told_html.value
