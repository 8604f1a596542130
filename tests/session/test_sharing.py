"""How buffers come by their connection and their clock, without a server: nobody listens at the address."""

from __future__ import annotations

import threading

import pandas as pd
import pytest
from pydantic import SecretStr
from streamed import Listened, trade

from qalypto_research.clock import ServerClock, wall_us
from qalypto_research.config import StreamAccess
from qalypto_research.session.opening import live
from qalypto_research.stream.actions import Notice
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.hub import Hub, join_hub, leave_hub

NOBODY = "ws://127.0.0.1:9/ws/stream"


class Account:
    """A connection to a service whose clock is its own."""

    target = source = "a test"
    synthetic = False
    clock = ServerClock(lambda: pd.Timestamp("2026-03-02 13:00", tz="UTC"))

    def default_exchange(self):
        return "binance"

    def stream_symbols(self):
        return None

    def stream_access(self):
        return StreamAccess(NOBODY, {}, "quant")


@pytest.fixture
def streams():
    """Return a function that counts the threads of streams."""
    return lambda: sum(t.name == "qalypto-stream" for t in threading.enumerate())


def test_time_is_the_servers_whatever_this_machine_thinks():
    con = Account()
    with live(con, "trade") as one:
        now = one.trades().attrs["qalypto"]["clock"]
        assert pd.Timestamp("2026-03-02 13:00", tz="UTC") <= pd.Timestamp(now) < pd.Timestamp("2026-03-02 13:01", tz="UTC")
        one.intake.take(decode(trade("12:59:59")), one.intake.now_us())
        assert len(one.trades(last="1m", max_age="1m")) == 1


def test_who_comes_as_the_last_one_goes_gets_a_connection_of_its_own(streams):
    before = streams()
    access = Account().stream_access()
    gone, new = Listened().intake, Listened().intake
    first = join_hub(access, wall_us, gone)
    gone.give_up()
    while not first._closing:  # its own thread lets go of it
        pass
    second = join_hub(access, wall_us, new)
    assert second is not first
    assert not first.join(new)
    leave_hub(second, new)
    leave_hub(second, new)
    while streams() > before:
        pass


def test_who_fails_costs_the_others_nothing(monkeypatch):
    broken, made = Listened().intake, Listened().intake

    def fail(*_):
        raise LookupError("broken")

    monkeypatch.setattr(broken, "take", fail)
    hub = Hub(Account().stream_access(), wall_us)
    hub._listeners = (broken, made)
    with pytest.raises(LookupError, match="broken"):  # which the connection tells as bad
        hub._take(decode(trade("12:00")))
    assert made.store.count() == 1
    hub.stop()


def test_what_is_about_a_channel_is_told_to_those_who_want_it():
    hub = Hub(Account().stream_access(), wall_us)
    hub._listeners = wants = [Listened(channels=names).intake for names in (["trade:btcusdt"], ["ticker"], ["trade", "ticker:ethusdt"])]

    def told(*channels):
        hub._notice(Notice("refused", "why", channels=channels))
        hub._notice(Notice("lost", "end"))
        heard = [[event.what for event in one.happenings()[0]] for one in wants]
        hub._listeners = [Listened(channels=[c.text for c in one.channels]).intake for one in wants]
        wants[:] = hub._listeners
        return [events == ["refused", "lost"] for events in heard]

    assert told() == [True, True, True]
    assert told("trade:btcusdt") == [True, False, False]
    assert told("trade") == [True, False, True]  # who wants a narrower one had it by this
    assert told("ticker:ethusdt", "ticker") == [False, True, True]
    assert told("*") == [True, True, True]
    hub.stop()


def test_who_shares_a_connection_that_failed_for_want_of_others_channels_is_connecting():
    hub = Hub(Account().stream_access(), wall_us)
    hub._machine.state, hub._machine.refused = "failed", {"trade:x": "Unknown channel: trade:x."}
    for without_any, states in ((True, ["failed", "connecting", "connecting"]), (False, ["failed"] * 3)):
        hub._machine.without_any = without_any
        assert [hub.state_of(channels) for channels in (["trade:x"], ["ticker"], ["trade:x", "ticker"])] == states
    hub.stop()


def test_another_token_is_another_connection(streams):
    before = streams()
    old, same, new = Listened().intake, Listened().intake, Listened().intake

    def access(secret):
        return StreamAccess(NOBODY, {"CF-Access-Client-Secret": SecretStr(secret)}, "quant")

    hubs = [join_hub(access("wrong"), wall_us, old), join_hub(access("wrong"), wall_us, same), join_hub(access("right"), wall_us, new)]
    assert hubs[0] is hubs[1] is not hubs[2]
    for hub, listener in zip(hubs, (old, same, new), strict=True):
        leave_hub(hub, listener)
    assert streams() == before


def test_an_end_that_takes_long_holds_up_nobody_else(monkeypatch):
    slow = Account().stream_access()
    other = StreamAccess(f"{NOBODY}2", {}, "quant")
    ending, may_end = threading.Event(), threading.Event()
    one, another, third = Listened().intake, Listened().intake, Listened().intake
    hub = join_hub(slow, wall_us, one)
    stop = hub.stop
    monkeypatch.setattr(hub, "stop", lambda: (ending.set(), may_end.wait(60), stop()))
    leaving = threading.Thread(target=leave_hub, args=(hub, one))
    leaving.start()
    assert ending.wait(60)
    leave_hub(join_hub(other, wall_us, another), another)
    leave_hub(join_hub(slow, wall_us, third), third)
    assert leaving.is_alive()
    may_end.set()
    leaving.join()


def test_a_stopped_buffer_has_no_rate():
    one = live(Account(), "trade")
    one.intake.rates.extend([(0.0, one.intake.counts.copy()), (1.0, one.intake.counts.copy() | {("trade", "binance"): 5})])
    one.stop()
    assert one.health().totals["rate"] == 0.0


def test_asking_for_a_status_beside_another_ends_in_time():
    hub = Hub(Account().stream_access(), wall_us)
    with hub._asking:
        assert hub.status(0.01) is None
    assert hub.status(0.01) is None
    hub.stop()
