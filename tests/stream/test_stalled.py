"""A reader that is busy for five seconds while eight thousand messages a second come: nothing of the buffer's is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from streamed import NEVER_TOO_OLD, ROOM_FOR_ALL, trade

from qalypto_research.clock import wall_us
from qalypto_research.config import Settings
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream import callbacks
from qalypto_research.stream.callbacks import Caller
from qalypto_research.stream.hub import FINAL, Hub
from qalypto_research.stream.intake import Intake

COUNT = 44_000
RATE = 8_000
STALL_S = 5.0
PUMP = Path(__file__).parent.parent / "benchmarks" / "pump.py"


@pytest.fixture
def stream_url(tmp_path):
    """Yield the address of a server that sends so many trades at that rate, and then says that this was all."""
    template = trade("12:00", 1.0, trade_id="NUMBER")
    path = tmp_path / "messages"
    path.write_bytes(b"\n".join(template.replace(b"NUMBER", b"%d" % n) for n in range(COUNT)))
    with subprocess.Popen([sys.executable, str(PUMP), str(path), "1", str(RATE)], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"ws://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


@pytest.fixture
def listen(stream_url):
    """Return a function that listens, with a callback where there is one."""
    account = {"username": "q", "password": "x", "cf_access_client_id": "a", "cf_access_client_secret": "b"}
    hub = Hub(Settings.read(account | {"stream_url": stream_url}).stream_access(), wall_us)
    into = Intake([Channel()], None, keep_us=NEVER_TOO_OLD, max_bytes=ROOM_FOR_ALL, now_us=wall_us, pace=lambda: 1.0)
    callers = []

    def start(function=None):
        callers.extend([Caller(into, "trade", function)] if function else [])
        hub.join(into)
        return hub, into, callers

    yield start
    for caller in callers:
        caller.stop()
    hub.stop()


def until(done):
    """Wait for the other thread, leaving it the interpreter."""
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert done()


def check_nothing_lost(hub, into):
    until(lambda: hub.state in FINAL)
    assert hub.state == "finished"
    assert into.store.frame(TRADE)["trade_id"].astype(int).tolist() == list(range(COUNT))
    assert hub.messages == COUNT + 2  # the welcome and the answer
    assert hub.bad == into.store.bad == {}
    assert into.store.dropped == 0
    assert hub.reconnects == 0


@pytest.mark.slow
def test_a_main_thread_that_holds_the_interpreter_costs_no_message(listen):
    hub, into, _ = listen()
    until(lambda: hub.messages > 1_000)
    end = time.monotonic() + STALL_S
    while time.monotonic() < end:
        sum(range(3_000_000))  # native code that lets no other thread in, for some fifty milliseconds
    check_nothing_lost(hub, into)


@pytest.mark.slow
def test_a_callback_that_is_stuck_misses_its_own_oldest_rows_and_they_are_counted(listen, monkeypatch):
    monkeypatch.setattr(callbacks, "MOST_BEHIND", 10_000)
    go_on = threading.Event()
    got = []

    def stuck(rows):
        got.append(rows["trade_id"].astype(int).tolist())
        go_on.wait(60)

    hub, into, (caller,) = listen(stuck)
    check_nothing_lost(hub, into)  # five and a half seconds
    assert len(got) == 1
    go_on.set()
    until(lambda: caller.missed and len(got) == 2)
    assert got[0] == list(range(len(got[0])))
    assert got[1] == list(range(34_000, 44_000))
    assert caller.missed == 34_000 - len(got[0]) > 0
    until(lambda: "callback" in [event.what for event in into.happenings()[0]])
    details = [event.detail for event in into.happenings()[0] if event.what == "callback"]
    assert any(detail.endswith("is too slow: rows or events were left out, see live.health()") for detail in details)
