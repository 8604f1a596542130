"""Which pages are there, as far as the kernel could hear them; which cells show a chart; and how often candles come."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from qalypto_research.charts.widgets.cells import Cells
from qalypto_research.charts.widgets.hearing import FreeTime, Hearing
from qalypto_research.charts.widgets.pace import Pace


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def free(clock):
    return FreeTime(clock)


def test_a_page_is_there_until_it_is_silent_for_five_minutes(clock, free):
    hearing = Hearing(free)
    assert (hearing.expected, hearing.shown) == (True, False)
    hearing.hear("a")
    clock.now += 300
    assert (hearing.expected, hearing.shown) == (True, True)
    clock.now += 1
    assert (hearing.expected, hearing.shown) == (False, False)
    hearing.hear("a")
    assert hearing.shown


def test_a_chart_that_no_page_asks_for_is_not_expected_for_ever(clock, free):
    hearing = Hearing(free)
    clock.now += 301
    assert not hearing.expected


def test_a_page_that_says_it_is_gone_does_not_count_and_the_others_do(free):
    hearing = Hearing(free)
    hearing.hear("a")
    hearing.hear("b")
    hearing.leave("a")
    assert hearing.expected
    hearing.leave("b")
    hearing.leave("b")
    assert (hearing.expected, hearing.shown) == (False, False)


def test_while_a_cell_runs_silence_does_not_count_for_an_hour(clock, free):
    hearing = Hearing(free)
    hearing.hear("a")
    free.begin()
    clock.now += 3_600
    assert hearing.expected
    clock.now += 1
    assert not hearing.expected
    free.end()
    hearing.hear("a")
    free.begin()
    clock.now += 3_000
    free.end()
    clock.now += 300
    assert hearing.expected
    clock.now += 1
    assert not hearing.expected


def test_short_cells_do_not_make_a_page_that_is_gone_come_back(clock, free):
    hearing = Hearing(free)
    hearing.hear("a")
    for _ in range(301):
        clock.now += 1
        free.begin()
        clock.now += 0.125
        free.end()
    assert not hearing.expected


@pytest.fixture
def shell():
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield made
    InteractiveShell.clear_instance()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_tells_when_a_cell_runs(clock, free, shell):
    shell.user_ns.update(free=free, clock=clock, seen=[])
    shell.run_cell("free.attend(); seen.append(free.held); clock.now += 100")
    assert (shell.user_ns["seen"], free.held, free.now()) == ([True], False, 1_000)
    shell.run_cell("free.attend(); seen.append(free.held); clock.now += 100; 1 / 0")
    clock.now += 5
    assert (shell.user_ns["seen"], free.held, free.now()) == ([True, True], False, 1_005)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_made_between_cells_does_not_wait_for_the_end_of_one(clock, free, shell):
    free.attend()
    clock.now += 5
    assert (free.held, free.now()) == (False, 1_005)
    shell.user_ns.update(free=free, clock=clock, seen=[])
    shell.run_cell("seen.append(free.held); clock.now += 100")
    assert (shell.user_ns["seen"], free.held, free.now()) == ([True], False, 1_005)


class Parent:
    """Says which cell runs, as a notebook's shell does."""

    def __init__(self, monkeypatch):
        self.cell, self.run = "", 0
        monkeypatch.setattr("qalypto_research.charts.widgets.cells.running_shell", lambda: self)

    def begin(self, cell):
        self.cell, self.run = cell, self.run + 1

    def get_parent(self):
        return {"header": {"msg_id": f"{self.run}"}, "metadata": {"cellId": self.cell} if self.cell else {}}


def test_what_a_cell_showed_is_left_when_it_is_run_again_without_it(monkeypatch):
    parent, first, second = Parent(monkeypatch), Cells(), Cells()
    parent.begin("one")
    assert first.note() == "one"
    assert not first.left
    parent.begin("two")
    first.note()
    second.note()
    parent.begin("one")
    second.note()
    assert not first.left, "the other cell shows it"
    parent.begin("two")
    Cells().note()
    assert first.left
    assert not second.left
    first.note()
    assert not first.left


def test_where_the_notebook_says_nothing_of_cells_nothing_is_left(monkeypatch):
    parent, cells = Parent(monkeypatch), Cells()
    assert cells.note() == ""
    parent.begin("")
    Cells().note()
    assert not cells.left


def test_old_is_what_is_three_times_as_old_as_usual():
    pace = Pace(60)
    assert pace.stale_s == 60
    for at in (0, 0.5, 1, 1.5):
        pace.hear(at)
    assert pace.stale_s == 10
    slow = Pace(300)
    assert slow.stale_s == 120
    for at in (0, 60, 120, 180, 900, 960):  # one of them late
        slow.hear(at)
    assert slow.stale_s == 180
    assert Pace(86_400).stale_s == 120
