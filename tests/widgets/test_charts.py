"""Both kinds of live charts on candles that the test tells: what goes over the wire, and what is left in the end."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import ipywidgets
import numpy as np
import pytest
from told_candles import BTC, LOOKS, START_S, Told, hear, needs_bundle, pixels
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.widgets import bundle, hearing
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.interactive import InteractiveChart
from qalypto_research.charts.widgets.opening import open_chart
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.picture import to_model
from qalypto_research.charts.widgets.plain import PlainChart


def deltas(wire):
    """Return the numbered messages with candles: number, series, rows."""
    customs = [(data["content"], buffers) for _, kind, data, buffers in wire if kind == "comm_msg" and data.get("method") == "custom"]
    return [(c["number"], c["series"], np.frombuffer(b[0]).reshape(-1, 7)) for c, b in customs if b]


def statuses(wire):
    return [data["content"]["status"] for _, kind, data, _ in wire if kind == "comm_msg" and data.get("method") == "custom"]


def wholes(wire):
    """Return what was sent as all candles."""
    states = [(data, buffers) for _, _, data, buffers in list(wire) if ["shown", "rows"] in data.get("buffer_paths", [])]
    return [
        (data["state"]["shown"], np.frombuffer(buffers[data["buffer_paths"].index(["shown", "rows"])]).reshape(-1, 7))
        for data, buffers in states
    ]


# --- What goes over the wire ----------------------------------------------------------------------------------------


@needs_bundle
def test_all_goes_once_and_then_what_changes_numbered(source, wire):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    (whole, rows), *more = wholes(wire)
    assert more == []
    assert (whole["number"], whole["series"], whole["symbol"], whole["precision"], whole["daily"]) == (0, 1, "BTCUSDT", 2, False)
    assert rows[-1].tolist() == [START_S + 1800, 130.0, 131.0, 130.0, 130.25, 1.0, 1]
    assert len(rows) == 31
    assert whole["most"] == 3_000, "as many as the kernel holds"
    source.tell((30, 130.0, 132.0, 130.0, 131.75, 2.0, False))
    number, series, rows = wait(lambda: deltas(wire))[0]
    assert (number, series) == (1, 1)
    assert rows.tolist() == [[START_S + 1800, 130.0, 132.0, 130.0, 131.75, 2.0, 1]]
    source.tell((30, 130.0, 132.0, 130.0, 131.75, 2.0, True), (31, 131.75, 131.75, 131.75, 131.75, 0.5, False))
    source.tell((5, 105.0, 107.0, 104.0, 106.0, 9.0, True))
    wait(lambda: {START_S + 300, START_S + 1860} <= {row[0] for *_, rows in deltas(wire) for row in rows})
    later = sorted(row for number, _, rows in deltas(wire) if number > 1 for row in rows[:, [0, 6]].tolist())
    assert later == [[START_S + 300, 2], [START_S + 1800, 2], [START_S + 1860, 1]]
    chart.close()


@needs_bundle
def test_many_updates_are_one_message(source, wire):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    source.tell((30, 130.0, 140.0, 129.0, 129.0, 1.0, False))
    wait(lambda: deltas(wire))  # it has begun: the first time takes long
    begun = time.monotonic()
    for step in range(2_000):
        source.tell((30, 130.0, 150.0, 130.0, 130 + step / 100, 1.0, False))
        if step % 10 == 0:
            threading.Event().wait(0.002)
    took = time.monotonic() - begun
    wait(lambda: deltas(wire) and deltas(wire)[-1][2][-1, 4] == 149.99)
    assert len(wire) <= took * 20 + 5
    assert [number for number, *_ in deltas(wire)] == list(range(1, len(deltas(wire)) + 1))
    chart.close()


@needs_bundle
def test_a_page_that_missed_a_number_gets_all_afresh(source, wire):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    source.tell((30, 130.0, 132.0, 130.0, 131.75, 2.0, False))
    wait(lambda: deltas(wire))
    hear(chart, kind="hello", series=1, number=1)
    assert chart._anew is False, "the page has all there is"
    hear(chart, kind="again")
    wait(lambda: len(wholes(wire)) == 2)
    shown, rows = wholes(wire)[-1]
    assert (shown["number"], rows[-1, 4]) == (1, 131.75)
    hear(chart, kind="hello", series=1, number=0)
    wait(lambda: len(wholes(wire)) == 3)
    chart.close()


@needs_bundle
def test_a_page_hears_once_a_second_though_nothing_is_new(clock, source, wire):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    for _ in range(24):
        chart.paint()
        clock.now += 0.125
    assert [(s["state"], s["trouble"]) for s in statuses(wire)] == [("live", "")] * 3
    assert deltas(wire) == []
    chart.paint()
    source.state = "waiting"
    clock.now += 0.125
    chart.paint()
    assert [s["state"] for s in statuses(wire)][3:] == ["live", "waiting"], "at once"
    chart.close()


@needs_bundle
def test_where_no_page_is_heard_of_little_is_sent(clock, source, wire, monkeypatch):
    monkeypatch.setattr(hearing, "UNHEARD_S", -1.0)
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    for step in range(44):  # eleven seconds
        source.tell((30, 130.0, 140.0, 130.0, 130 + step % 7, 1.0, False))
        chart.paint()
        clock.now += 0.25
    assert len(deltas(wire)) == 3
    assert len(statuses(wire)) == 3
    chart.close()


# --- Both kinds -----------------------------------------------------------------------------------------------------


def newest(chart):
    return chart._follower.rows[-1].tolist()


def test_it_follows_pauses_and_goes_on_with_what_came_meanwhile(chart, source):
    source.tell((30, 130.0, 132.0, 130.0, 131.5, 2.0, False))
    wait(lambda: newest(chart)[4] == 131.5)
    chart.pause()
    assert chart.paused
    PAINTER.remove(chart)  # whatever was under way is over
    PAINTER.add(chart)
    source.tell((30, 130.0, 133.0, 130.0, 132.5, 2.0, True), (31, 132.5, 132.5, 132.5, 132.5, 1.0, False))
    threading.Event().wait(0.3)
    assert newest(chart)[4] == 131.5
    chart.resume()
    wait(lambda: newest(chart)[0] == START_S + 1860)
    assert chart._follower.rows[-2, 4] == 132.5


def test_it_is_switched_in_place_and_what_is_not_there_is_said(chart, source):
    chart.switch("ETHUSDT")
    assert chart.showing.symbol == "ETHUSDT"
    with pytest.raises(qr.errors.UnknownNameError, match="symbol: 'DOGEUSDT' is not known"):
        chart.switch("DOGEUSDT")
    assert chart.showing.symbol == "ETHUSDT"
    chart.switch_or_say("DOGEUSDT", "1m", "binance")
    wait(lambda: "DOGEUSDT" in str(chart._told.get("trouble")))
    chart.switch_or_say("BTCUSDT", "1m", "binance")
    wait(lambda: chart._told.get("trouble") == "")
    assert chart.showing.symbol == "BTCUSDT"


def test_a_failure_is_said_in_the_chart_and_painting_goes_on(chart, source, capsys):
    source.fails = KeyError("of no use")
    wait(lambda: "KeyError: 'of no use'" in str(chart._told.get("trouble")))
    source.fails = None
    source.tell((30, 130.0, 132.0, 130.0, 131.5, 2.0, False))
    wait(lambda: newest(chart)[4] == 131.5)
    wait(lambda: chart._told["trouble"] == "")
    assert capsys.readouterr() == ("", "")


def test_closing_leaves_nothing(chart):
    mine = weakref.ref(chart._follower)
    chart.close()
    chart.close()
    assert chart.ended
    assert len(PAINTER) == 0
    assert chart.comm is None
    del chart._follower
    gc.collect()
    assert mine() is None


def test_a_picture_that_fails_leaves_nothing_that_goes_on(chart, monkeypatch):
    def fail():
        raise RuntimeError("no picture")

    ended = []
    chart.on_end = lambda: ended.append(True)
    chart._display_ids = {"cell": "shown"}
    monkeypatch.setattr(chart, "_to_picture", fail)
    with pytest.raises(RuntimeError, match="no picture"):
        chart.stop()
    chart.stop()
    assert ended == [True]


def test_stopping_without_having_been_shown_draws_nothing(chart, monkeypatch):
    monkeypatch.setattr(chart, "freeze", lambda _: pytest.fail("a picture of what nobody has seen"))
    chart.stop()
    chart.stop()
    assert chart.ended
    assert len(PAINTER) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_stopping_puts_a_picture_in_its_place(chart, source, shell):
    chart._ipython_display_()
    source.tell((30, 130.0, 132.0, 130.0, 131.5, 2.0, False))
    chart.stop()
    shown, replaced = shell.display_pub.outputs
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    assert list(replaced["data"]) == ["image/png", "text/plain"]
    assert replaced["update"] is True
    assert shown["transient"] == replaced["transient"] != {}
    assert newest(chart)[4] == 131.5, "the picture is of the end"


@needs_bundle
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_page_that_cannot_replace_the_output_is_told_by_which_widget_it_knows_it(source, shell):
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    chart._ipython_display_()
    chart.stop()
    shown, replaced = shell.display_pub.outputs
    number = shown["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert chart.left == {"id": number, "data": replaced["data"], "metadata": replaced["metadata"]}


@needs_bundle
def test_no_widget_and_no_comm_is_left_after_many(source, wire):
    before = dict(ipywidgets.widgets.widget._instances)
    for kind in (InteractiveChart, PlainChart) * 3:
        kind(Follower(source, BTC), LOOKS).close()
    assert dict(ipywidgets.widgets.widget._instances) == before
    opened = {number for number, kind, *_ in wire if kind == "comm_open"}
    assert opened == {number for number, kind, *_ in wire if kind == "comm_close"}


# --- The plain one -----------------------------------------------------------------------------------------------------


def test_only_what_moves_is_drawn_again(source):
    chart = PlainChart(Follower(source, BTC), LOOKS)
    first = chart._image.value
    assert pixels(first).shape == (300, 960, 3)
    source.tell((30, 130.0, 131.0, 130.0, 130.75, 2.0, False))
    wait(lambda: chart._image.value != first)
    assert chart._drawing.redrawn == 1
    blitted = pixels(chart._image.value)
    afresh = PlainChart(Follower(source, BTC), LOOKS)
    assert np.abs(blitted.astype(int) - pixels(afresh._image.value)).mean() < 0.2
    source.tell((30, 130.0, 190.0, 130.0, 185.0, 2.0, False))
    wait(lambda: chart._drawing.redrawn == 2)
    for one in (chart, afresh):
        one.close()


@pytest.mark.parametrize("rows", [[], [(0, 1.0, 1.0, 1.0, 1.0, 0.0, False)], [(0, 1, 1, 1, 1, 1, True), (9, 2, 2, 2, 2, 2, False)]])
def test_nothing_or_little_is_drawn_as_it_is(rows):
    chart = PlainChart(Follower(Told(*rows), BTC), LOOKS)
    assert pixels(chart._image.value).std() > 1
    chart.close()


@pytest.mark.parametrize("over", [True, False])
def test_what_no_market_makes_is_hatched_and_counted_in_the_picture(over):
    rows = [(minute, 100.0, 101.5, 99.0, 100.5, 5.0, True) for minute in range(5)]
    source = Told(*rows, (5, 100.0, 90.0, 99.0, 100.5, 5.0, over))
    model = to_model(Follower(source, BTC).rows, BTC, synthetic=False)
    assert (len(model), model.contradictions, model.missing) == (5, 1, 0)
    assert (model.impossible.begin_us / 1e6).tolist() == [START_S + 300]
    assert not model.forming.any()
    chart = PlainChart(Follower(source, BTC), LOOKS)
    assert reddish(chart).sum() > 200
    source.tell((5, 100.0, 101.5, 99.0, 100.5, 5.0, over))
    wait(lambda: not reddish(chart).any())
    chart.close()


def reddish(chart):
    return np.abs(pixels(chart._image.value).astype(int) - [0xC2, 0x27, 0x1D]).max(axis=2) < 8


# --- Which of the two ----------------------------------------------------------------------------------------------------


def test_without_the_bundle_the_plain_chart_says_what_is_missing(source, monkeypatch, tmp_path):
    (tmp_path / "missing.txt").write_text("node was not found on the PATH")
    monkeypatch.setattr(bundle.find_obstacle, "__defaults__", (tmp_path,))
    with pytest.warns(qr.errors.PlainChartWarning, match=r"node was not found on the PATH\); install node and npm, and then"):
        chart = open_chart(source, BTC, LOOKS)
    assert isinstance(chart, PlainChart)
    chart.close()
    with pytest.raises(qr.errors.DisplayError, match="node was not found on the PATH"):
        open_chart(source, BTC, LOOKS, interactive=True)
    (tmp_path / "missing.txt").unlink()
    assert "it was never built" in bundle.find_obstacle()
    quiet = open_chart(source, BTC, LOOKS, interactive=False)
    assert isinstance(quiet, PlainChart)
    quiet.close()


@pytest.mark.parametrize("version", ["7.0.0", "7.0.1"])
def test_a_kernel_that_loses_what_threads_send_is_refused(source, monkeypatch, version):
    import ipykernel  # noqa: PLC0415

    monkeypatch.setattr(ipykernel, "__version__", version)
    with pytest.raises(qr.errors.DisplayError, match=f"ipykernel {version}.*upgrade"):
        open_chart(source, BTC, LOOKS)
    monkeypatch.setattr(ipykernel, "__version__", "7.10.0")
    open_chart(source, BTC, LOOKS, interactive=False).close()
