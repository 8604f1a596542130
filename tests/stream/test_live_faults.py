"""Each fault that the stand-in can script, seen through the whole client: nothing twice, nothing unsaid, and live again."""

from __future__ import annotations

import re
import threading

import pytest
from archives import trade, utc, write
from streamed import NEVER_TOO_OLD, ROOM_FOR_ALL

from qalypto_research.clock import wall_us
from qalypto_research.config import Settings
from qalypto_research.local.testing import StandIn
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream import protocol
from qalypto_research.stream.actions import Limits
from qalypto_research.stream.hub import FINAL, Hub
from qalypto_research.stream.intake import Intake

PATIENCE_S = 30
TRADES = "trade:btcusdt"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Yield a stand-in that plays ten minutes of trades, a hundred a second; all tests share it."""
    root = tmp_path_factory.mktemp("archive")
    first, step = utc("12:00"), (utc("12:00:01") - utc("12:00")) / 100
    rows = [trade((first + n * step).floor("ms"), 1.0 + n, trade_id=str(n), _seen=first + n * step) for n in range(60_000)]
    write(root, "trade", rows)
    with StandIn(root, at="2026-03-02 12:00:00", http=True, history=False) as started:
        yield started


@pytest.fixture
def standin(running):
    """Return the stand-in, without faults."""
    running.heal()
    return running


class Kept(Intake):
    """What a client keeps; it notes how things stood when the server said how many messages it had sent."""

    def __init__(self, channels):
        super().__init__(channels, None, keep_us=NEVER_TOO_OLD, max_bytes=ROOM_FOR_ALL, now_us=wall_us, pace=lambda: 1.0)
        self.changed = threading.Condition()
        self.wake_with(self._woken)
        self.hub = None
        self.at_status = None

    def _woken(self):
        with self.changed:
            self.changed.notify_all()

    def notice(self, notice):
        if notice.what == "status":
            sound = self.counts.total() + self.hub.bad.total() + self.hub.unknown
            self.at_status = (notice.content["messages_received"], sound)
        super().notice(notice)

    def until(self, done):
        with self.changed:
            assert self.changed.wait_for(done, PATIENCE_S), (self.whats(), self.counts, self.hub.state, self.hub.bad)

    def until_more(self, count):
        """Wait until so many more messages are kept."""
        before = self.counts.total()
        self.until(lambda: self.counts.total() >= before + count)

    def events(self):
        return [(event.what, event.detail) for event in self.happenings()[0]]

    def whats(self):
        return [what for what, _ in self.events()]


@pytest.fixture
def listen():
    """Return a function that listens to a stand-in."""
    opened = []

    def start(standin, *channels, limits=None):
        account = dict(zip(("cf_access_client_id", "cf_access_client_secret"), standin.stream_headers.values(), strict=True))
        access = Settings.read({"username": "quant", "password": "x", "stream_url": standin.stream_url} | account).stream_access()
        hub = Hub(access, wall_us, limits)
        kept = Kept([Channel.parse(text) for text in channels or (TRADES,)])
        kept.hub = hub
        opened.append(hub)
        hub.join(kept)
        return kept

    yield start
    for one in opened:
        one.stop()


@pytest.fixture
def quick(monkeypatch):
    """Let waits before another attempt begin with a fiftieth of a second."""
    monkeypatch.setattr(protocol, "FIRST_WAIT_S", 0.02)


def check(kept, *, missing, repeated=0, unordered=False):
    """Check that a client is well: up, subscribed to what was asked for, each row once, in order, none gone but those said."""
    hub = kept.hub
    assert hub.state == "live"
    answer = hub.status(PATIENCE_S)
    assert answer["subscriptions"] == [channel.text for channel in kept.channels]
    at_status = kept.at_status
    hub.stop()
    kept.store.tidy(0)  # its thread is gone
    frame = kept.store.frame(TRADE)
    numbers = frame["trade_id"].astype(int)
    assert frame.index.is_monotonic_increasing
    assert numbers.is_unique
    assert numbers.tolist() == sorted(numbers)
    assert frame["received"].is_monotonic_increasing is not unordered
    assert (frame["price"] == 1.0 + numbers).all()
    if missing is not None:
        assert numbers.iloc[-1] - numbers.iloc[0] + 1 - len(numbers) == missing
    assert sum(b.repeated for b in kept.store.buffers().values()) == repeated
    return at_status


ONE_LINE = {
    "duplicate:times=3,after=10": (0, 3, 0, 0, ["live"]),
    "lose:times=3,after=10": (3, 0, 0, 0, ["live"]),
    "garbage:times=3,after=10": (3, 0, 3, 0, ["live", "bad"]),
    "invalid_json:times=3,after=10": (3, 0, 3, 0, ["live", "bad"]),
    "wrong_type:times=3,after=10": (3, 0, 3, 0, ["live", "bad"]),
    "unknown_type:times=3,after=10": (3, 0, 0, 3, ["live", "unknown"]),
    "error:times=3,after=10": (0, 0, 0, 0, ["live", "error", "error", "error"]),
    "oversized:times=2,after=10": (0, 0, 0, 0, ["live"]),
    "no_heartbeat:times=1,after=10,seconds=1": (0, 0, 0, 0, ["live"]),
    "throttle:times=1,after=10,rate=200000": (0, 0, 0, 0, ["live"]),
    "rate_limit:times=1": (0, 0, 0, 0, ["error", "live"]),
}
"""Of each fault that ends no connection: rows that are gone, trades that came twice, bad and unknown messages, what was told."""


@pytest.mark.parametrize("script", ONE_LINE)
def test_what_ends_no_connection_costs_nothing_else(standin, listen, script):
    missing, repeated, bad, unknown, told = ONE_LINE[script]
    standin.script(f"seed=5; {script}")
    kept = listen(standin)
    kept.until_more(60)
    sent, sound = check(kept, missing=missing, repeated=repeated)
    assert kept.hub.bad.total() + kept.store.bad.total() == bad
    assert kept.hub.unknown == unknown
    # Each message the server has sent is a row, a trade that came twice, or counted: but for those lost or doubled on their way.
    assert sound == sent - 3 * script.startswith("lose") + 3 * script.startswith("duplicate")
    whats = kept.whats()
    assert [what for what in dict.fromkeys(whats) if what != "error"] + ["error"] * whats.count("error") == sorted(told, key="error".__eq__)
    assert kept.hub.reconnects == 0


def test_a_rate_limit_is_waited_out(standin, listen):
    standin.fault("rate_limit", times=1)
    kept = listen(standin)
    kept.until_more(1)
    assert kept.events() == [("error", "Rate limit exceeded. Max 5 control messages per second."), ("live", TRADES)]


@pytest.mark.parametrize("script", ["swap:times=3,after=10", "late:times=3,after=10,behind=20"])
def test_what_comes_out_of_order_stands_in_order(standin, listen, script):
    standin.script(script)
    kept = listen(standin)
    kept.until_more(80)
    check(kept, missing=0, unordered=True)
    assert kept.whats() == ["live"]


ENDS = {
    "drop:times=1,after=10": ("the connection broke off", True),
    "close:times=1,after=10": ("closed by the server (1012: on purpose)", True),
    "close:times=1,after=10,code=1000": ("closed by the server (1000: on purpose)", True),
    "oversized:times=1,after=10,size=70000000": ("a message was too large", True),
    "break_handshake:times=5": ("the handshake broke off", False),
    "refuse:times=5": ("the stream is not to be had now (status 503)", False),
    "refuse:times=1,code=429": ("the account has too many connections (status 429)", False),
    "drop:times=1,after=10; break_handshake:times=1": ("the handshake broke off", False),
}
"""Of each fault that ends a connection: what is said of it, and whether it ends one that was live."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("script", ENDS)
def test_it_comes_back_from_whatever_ends_a_connection(standin, listen, script):
    said, was_live = ENDS[script]
    standin.script(script)
    kept = listen(standin)
    times = 1 + was_live if script != list(ENDS)[-1] else 2
    kept.until(lambda: "lost" in kept.whats() and kept.whats()[-1] in ("live", "reconnect"))
    if times == 2:
        kept.until(lambda: "reconnect" in kept.whats())
    kept.until_more(30)
    check(kept, missing=None)
    assert any(what == "lost" and detail.startswith(said) for what, detail in kept.events())
    assert kept.hub.reconnects == (times == 2)
    assert kept.hub.bad == {}


@pytest.mark.usefixtures("quick")
def test_silence_up_to_the_limit_and_another_connection(standin, listen):
    standin.fault("silence", times=1, after=10)
    kept = listen(standin, limits=Limits(silent_s=0.6, answer_s=0.6))
    kept.until(lambda: "reconnect" in kept.whats())
    # A machine that is slow for so long may be called stale once more, before or after.
    assert [what for what in kept.whats()[: kept.whats().index("reconnect") + 1] if what != "stale"] == ["live", "lost", "reconnect"]
    assert kept.whats()[kept.whats().index("lost") - 1] == "stale"
    assert re.match(r"silent for \d s; trying again in ", dict(kept.events())["lost"])
    kept.until_more(30)
    check(kept, missing=None)


def test_a_silence_that_ends_in_time_costs_no_connection(standin, listen):
    standin.fault("silence", times=1, after=10, seconds=0.5)
    kept = listen(standin, limits=Limits(silent_s=5.0, answer_s=5.0))
    kept.until_more(60)
    check(kept, missing=None)
    assert kept.whats() == ["live"]
    assert kept.hub.reconnects == 0


def test_wrong_credentials_are_the_end_and_said(standin, listen):
    standin.fault("unauthorized", times=1)
    kept = listen(standin)
    kept.until(lambda: kept.hub.state in FINAL)
    kept.until(lambda: kept.whats() == ["failed"])
    assert kept.hub.state == "failed"
    assert kept.hub.reason.startswith("the stream does not accept the service token (status 403)")
    assert kept.counts.total() == 0


@pytest.mark.usefixtures("quick")
def test_twenty_cuts_over_a_socket(standin, listen):
    standin.fault("drop", times=20, after=4)
    kept = listen(standin, TRADES, "ticker")
    kept.until(lambda: kept.whats().count("reconnect") == 20)
    kept.until_more(20)
    check(kept, missing=None)
    assert kept.hub.reconnects == 20
    assert kept.whats() == ["live", *["lost", "reconnect"] * 20]
    assert kept.hub.bad == {}
