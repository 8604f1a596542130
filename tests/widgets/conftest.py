"""What the tests of live charts have in common: the wire they send over, and that nothing is left of them."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import comm
import pytest
from told_candles import BTC, CANDLES, FORMING, LOOKS, Told, Wire, needs_bundle, paint_by_hand

from qalypto_research.charts.widgets import chart as chart_module
from qalypto_research.charts.widgets import interactive
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.interactive import InteractiveChart
from qalypto_research.charts.widgets.painter import NAME, PAINTER
from qalypto_research.charts.widgets.plain import PlainChart


@pytest.fixture(autouse=True)
def wire(monkeypatch):
    """Return what has been sent so far, oldest first, as (comm, type, data, buffers)."""
    monkeypatch.setattr(comm, "create_comm", Wire)
    Wire.sent = []
    return Wire.sent


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Hold that a test leaves no chart with the painter, and no painter."""
    yield
    left = list(PAINTER._due)
    for chart in left:  # or the tests after this one would find them
        PAINTER.remove(chart)
    for thread in threading.enumerate():
        if thread.name == NAME:
            thread.join(timeout=5)
    assert left == []
    assert [thread for thread in threading.enumerate() if thread.name == NAME] == []


@pytest.fixture
def by_hand(monkeypatch):
    """Leave the painting to the test."""
    paint_by_hand(monkeypatch)


@pytest.fixture
def clock(by_hand, monkeypatch):
    """Return the charts' clock, whose `now` is for the test to set."""
    clock = SimpleNamespace(now=1_000.0)
    for module in (chart_module, interactive):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def source():
    return Told(*CANDLES, FORMING)


@pytest.fixture(params=[pytest.param(InteractiveChart, marks=needs_bundle), PlainChart])
def chart(request, source):
    made = request.param(Follower(source, BTC), LOOKS)
    yield made
    made.close()


@pytest.fixture
def shell():
    """Return an IPython whose displays are collected."""
    from IPython.core.displaypub import CapturingDisplayPublisher  # noqa: PLC0415
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    before = shell.display_pub
    shell.display_pub = CapturingDisplayPublisher()
    yield shell
    shell.events.trigger("post_execute")  # what the test did, a cell would do: it is over
    shell.display_pub = before
    InteractiveShell.clear_instance()
