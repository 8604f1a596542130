"""The painter: one thread for all charts, as long as there are any, whatever they do."""

from __future__ import annotations

import os
import threading
import time

import pytest

from qalypto_research.charts.widgets.painter import NAME, Painter

PATIENCE_S = 60


class Chart:
    """Counts its pictures, and tells when there are enough."""

    def __init__(self, spacing_s=0.0, enough=5):
        self.spacing_s = spacing_s
        self.pictures, self.threads, self.errors = 0, set(), []
        self.enough, self.seen = enough, threading.Event()
        self.does = lambda: None

    def paint(self):
        self.pictures += 1
        self.threads.add(threading.current_thread())
        if self.pictures >= self.enough:
            self.seen.set()
        self.does()

    def report(self, error):
        self.errors.append(error)
        self.seen.set()


@pytest.fixture
def painter():
    made = Painter()
    yield made
    for chart in list(made._due):
        made.remove(chart)


def painters():
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_one_thread_paints_all_and_ends_with_the_last(painter):
    charts = [Chart() for _ in range(3)]
    for chart in charts:
        painter.add(chart)
        painter.add(chart)
    assert all(chart.seen.wait(PATIENCE_S) for chart in charts)
    assert len({thread for chart in charts for thread in chart.threads}) == 1
    assert len(painters()) == 1
    for chart in charts:
        painter.remove(chart)
    for thread in charts[0].threads:
        thread.join(PATIENCE_S)
    assert painters() == []
    painter.add(charts[0])
    charts[0].seen.clear()
    assert charts[0].seen.wait(PATIENCE_S)


def test_a_chart_that_fails_is_told_and_tried_again_and_the_others_go_on(painter, capsys):
    bad, worse, good = Chart(enough=2), Chart(enough=2), Chart(enough=10)
    bad.does = lambda: (_ for _ in ()).throw(KeyError("x")) if bad.pictures == 1 else None
    worse.does = lambda: 1 / 0
    worse.report = lambda _: 1 / 0
    for chart in (bad, worse, good):
        painter.add(chart)
    assert good.seen.wait(PATIENCE_S)
    assert [type(error) for error in bad.errors] == [KeyError]
    bad.seen.clear()
    assert bad.seen.wait(PATIENCE_S)
    assert worse.seen.wait(PATIENCE_S)
    assert capsys.readouterr() == ("", "")


def test_a_chart_is_not_painted_more_often_than_it_wants_nor_than_the_painter_does(painter):
    calm, quick = Chart(spacing_s=0.25, enough=4), Chart(enough=10_000)
    begun = time.monotonic()
    painter.add(calm)
    painter.add(quick)
    assert calm.seen.wait(PATIENCE_S)
    took = time.monotonic() - begun
    assert took >= 3 * 0.25 - 0.1
    assert quick.pictures <= took * 20 + 2


def test_once_removed_a_chart_is_not_painted_any_more(painter):
    chart, entered, leave = Chart(), threading.Event(), threading.Event()

    def does():
        entered.set()
        leave.wait(PATIENCE_S)

    chart.does = does
    painter.add(chart)
    assert entered.wait(PATIENCE_S)
    remover = threading.Thread(target=painter.remove, args=(chart,))
    remover.start()
    remover.join(0.1)
    assert remover.is_alive(), "it did not wait for the picture under way"
    leave.set()
    remover.join(PATIENCE_S)
    assert not remover.is_alive()
    before = chart.pictures
    other = Chart()
    painter.add(other)
    assert other.seen.wait(PATIENCE_S)
    assert chart.pictures == before


def test_a_chart_may_remove_itself(painter):
    chart = Chart(enough=1)
    chart.does = lambda: painter.remove(chart)
    painter.add(chart)
    assert chart.seen.wait(PATIENCE_S)
    for thread in chart.threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert chart.pictures == 1


def compute(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize(("does", "low", "high"), [(compute, 0.2, 10), (time.sleep, 0, 0.05)], ids=["computes", "waits"])
def test_slow_charts_leave_half_of_a_core_to_others_and_lose_nothing_by_waiting(painter, monkeypatch, does, low, high):
    chart, rests = Chart(enough=3), []
    chart.does = lambda: does(0.2)
    wait = painter._changed.wait
    monkeypatch.setattr(painter._changed, "wait", lambda seconds: rests.append(seconds) or wait(seconds))
    begun = time.monotonic()
    painter.add(chart)
    assert chart.seen.wait(PATIENCE_S)
    assert time.monotonic() - begun >= 0.4 + 2 * low  # two pictures and the rests after them
    assert low <= min(rests[:2])
    assert max(rests[:2]) <= high


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_paints_nothing():
    from qalypto_research.charts.widgets.painter import PAINTER  # noqa: PLC0415

    chart = Chart()
    PAINTER.add(chart)
    assert chart.seen.wait(PATIENCE_S)
    child = os.fork()
    if child == 0:
        os._exit(10 + len(PAINTER))
    _, status = os.waitpid(child, 0)
    PAINTER.remove(chart)
    assert os.waitstatus_to_exitcode(status) == 10
