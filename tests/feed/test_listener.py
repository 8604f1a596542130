"""One client as the server has it, in virtual time: its heartbeat, how it is waited for, how it ends. A stub stands for the socket."""

from __future__ import annotations

import asyncio
import json

import pytest
import virtual_time
from websockets.protocol import State

from qalypto_research.local.faults import parse_faults
from qalypto_research.local.feed.audience import Audience, Limits, Listener
from qalypto_research.local.feed.conversation import Conversation
from qalypto_research.local.feed.line import Line
from qalypto_research.local.feed.messages import Message
from qalypto_research.schema.wire import Channel

ROUTE = Channel("trade", "BTCUSDT")


class Transport:
    """Holds what is written until the client takes it."""

    def __init__(self, socket):
        self.socket = socket
        self.waiting = 0

    def get_write_buffer_size(self):
        return self.waiting

    def write(self, data):
        if not self.socket.takes:
            self.waiting += len(data)

    def close(self):
        self.socket.ended.append((self.socket.now(), "cut"))
        self.socket.protocol.state = State.CLOSED

    abort = close


class Protocol:
    state = State.OPEN

    def __init__(self):
        self.sent = []
        self.unwritten = []

    def send_text(self, payload):
        self.sent.append(payload)
        self.unwritten.append(payload)

    def data_to_send(self):
        written, self.unwritten = self.unwritten, []
        return written


class Socket:
    """What a listener needs of a connection."""

    def __init__(self, *, takes=True):
        self.takes = takes
        self.protocol = Protocol()
        self.transport = Transport(self)
        self.ended = []
        self.gone = asyncio.Event()

    def now(self):
        return round(asyncio.get_running_loop().time(), 3)

    @property
    def paused(self):
        return self.transport.waiting > 100

    async def drain(self):
        while self.paused:
            if self.gone.is_set():
                raise ConnectionResetError
            await asyncio.sleep(0.05)

    async def wait_closed(self):
        await self.gone.wait()

    async def close(self, code, reason):
        await self.drain()
        self.ended.append((self.now(), code, reason))
        self.protocol.state = State.CLOSED


def with_listener(work, script="", *, takes=True, stall_s=30.0, subscribed=True):
    """Run work(listener, socket, audience) in virtual time; return what it returns."""

    async def run():
        socket = Socket(takes=takes)
        loop = asyncio.get_running_loop()
        conversation = Conversation("me", set(), loop.time(), 0)
        listener = Listener(socket, conversation, Line(parse_faults(script)[1]), Limits(buffer_bytes=10_000, stall_s=stall_s))
        audience = Audience()
        audience.join(listener)
        if subscribed:
            conversation.receive('{"action": "subscribe", "channels": ["*"]}', loop.time(), 0)
            audience.look()
        return await work(listener, socket, audience)

    return virtual_time.run(run())


def deliver(listener, count, size=10):
    """Send so many messages of data."""
    payloads = [json.dumps({"type": "trade", "n": n, "data": {}}).ljust(size).encode() for n in range(count)]
    return listener.deliver([Message(n, ROUTE, payload) for n, payload in enumerate(payloads)], payloads)


async def beating(listener, until_s):
    """Have its heartbeat for so long."""
    loop = asyncio.get_running_loop()
    while loop.time() < until_s and listener.open:
        await asyncio.sleep(min(max(listener.conversation.due_s, loop.time()), until_s) - loop.time())
        listener.beat(0)


# --- Heartbeat -----------------------------------------------------------------------------------------------------


def test_it_is_pinged_and_closed_once_it_does_not_answer():
    async def work(listener, socket, _):
        await beating(listener, 100.0)
        await asyncio.sleep(0.1)
        return [json.loads(text)["type"] for text in socket.protocol.sent], socket.ended

    assert with_listener(work) == (["ping"] * 3, [(80.0, 1008, "pong timeout")])


@pytest.mark.parametrize("kind", ["silence", "no_heartbeat"])
def test_one_that_is_sent_no_pings_is_not_closed_for_want_of_pongs(kind):
    async def work(listener, socket, _):
        deliver(listener, 1)
        await beating(listener, 1000.0)
        return [text for text in socket.protocol.sent if b"ping" in text], socket.ended

    assert with_listener(work, kind) == ([], [])


def test_the_heartbeat_goes_on_after_a_silence():
    async def work(listener, socket, _):
        deliver(listener, 1)
        await beating(listener, 200.0)
        return socket.ended

    # Held at 20 and 40 s; the first ping is sent at 60 s, and the end comes a minute after that.
    assert with_listener(work, "silence:seconds=50,times=1") == [(120.0, 1008, "pong timeout")]


# --- Control messages ----------------------------------------------------------------------------------------------


def test_a_rate_limit_fault_may_meet_some_messages_alone():
    async def work(listener, socket, _):
        listener.hear('{"action": "status"}', 0)
        listener.hear('{"action": "ping"}', 0)
        return [json.loads(text).get("type", "error") for text in socket.protocol.sent]

    assert with_listener(work, "rate_limit:match=status") == ["error", "pong"]
    assert with_listener(work, "rate_limit:after=1") == ["status", "pong"]


def test_a_client_by_an_odd_name_is_answered_while_the_heartbeat_stands():
    async def work(listener, socket, _):
        deliver(listener, 1)
        listener.conversation.client_id = '"pong_ack"'
        listener.hear('{"action": "pong"}', 0)
        listener.hear('{"action": "status"}', 0)
        return [json.loads(text)["type"] for text in socket.protocol.sent]

    assert with_listener(work, "no_heartbeat") == ["trade", "status"]


# --- Waiting -------------------------------------------------------------------------------------------------------


def test_one_that_takes_nothing_is_waited_for_up_to_the_limit_and_nobody_plays_to_it_any_more():
    async def work(listener, socket, audience):
        deliver(listener, 50, 100)
        await audience.taken()
        at = socket.now()
        return at, audience.subscribed.is_set(), listener.open

    assert with_listener(work, takes=False) == (30.0, False, False)


def test_one_that_takes_slowly_is_waited_for_as_long_as_it_takes_something():
    async def work(listener, socket, audience):
        deliver(listener, 50, 100)

        async def slowly():
            while socket.transport.waiting:
                await asyncio.sleep(25)
                socket.transport.waiting = max(0, socket.transport.waiting - 1000)

        taking = asyncio.ensure_future(slowly())
        await audience.taken()
        taking.cancel()
        return socket.now(), listener.open

    assert with_listener(work, takes=False) == (125.05, True)


def test_one_that_vanishes_is_no_longer_waited_for():
    async def work(listener, socket, audience):
        deliver(listener, 50, 100)
        asyncio.get_running_loop().call_later(2, socket.gone.set)
        await audience.taken()
        return socket.now() <= 2.1

    assert with_listener(work, takes=False)


def test_a_slow_line_is_let_go_of_with_its_client():
    async def work(listener, socket, audience):
        deliver(listener, 100, 100)
        asyncio.get_running_loop().call_later(0.5, lambda: audience.leave(listener))
        await listener.taken()
        return socket.now(), len(socket.protocol.sent)

    assert with_listener(work, "throttle:rate=1000") == (0.5, 5)


def test_at_true_pace_one_too_far_behind_is_closed_at_once():
    async def work(listener, socket, audience):
        deliver(listener, 90, 100)
        audience.check_pace()
        assert listener.open
        deliver(listener, 20, 100)
        audience.check_pace()
        open_then, subscribed = listener.open, audience.subscribed.is_set()
        await asyncio.sleep(10)
        return open_then, subscribed, socket.ended

    # It does not read that it is over either, and is cut off.
    assert with_listener(work, takes=False) == (False, False, [(2.0, "cut")])


# --- The end -------------------------------------------------------------------------------------------------------


def test_at_the_end_all_is_sent_first_what_was_held_back_too():
    async def work(listener, socket, audience):
        deliver(listener, 3)
        audience.finish(1000, "replay finished")
        await asyncio.sleep(1)
        return [json.loads(text)["n"] for text in socket.protocol.sent], socket.ended

    assert with_listener(work, "late:times=1,behind=9") == ([1, 2, 0], [(0.0, 1000, "replay finished")])


def test_a_silence_outlives_the_end():
    async def work(listener, socket, audience):
        deliver(listener, 3)
        audience.finish(1000, "replay finished")
        audience.finish(1000, "replay finished")
        await asyncio.sleep(100)
        return [json.loads(text)["n"] for text in socket.protocol.sent], socket.ended

    late = "late:times=1,behind=9; silence:after=1"
    assert with_listener(work, f"{late},seconds=50") == ([0], [(50.0, 1000, "replay finished")])
    assert with_listener(work, late) == ([], [])


def test_at_the_end_a_slow_line_is_waited_for():
    async def work(listener, socket, audience):
        deliver(listener, 10, 100)
        audience.finish(1000, "replay finished")
        await asyncio.sleep(5)
        return len(socket.protocol.sent), socket.ended

    assert with_listener(work, "throttle:rate=1000,times=1") == (10, [(1.0, 1000, "replay finished")])


def test_at_the_end_one_that_takes_nothing_is_cut_off():
    async def work(listener, socket, audience):
        deliver(listener, 50, 100)
        audience.finish(1000, "replay finished")
        await asyncio.sleep(100)
        return socket.ended

    assert with_listener(work, takes=False) == [(30.0, "cut")]


def test_who_subscribes_after_the_end_is_told_so():
    async def work(listener, socket, audience):
        audience.finish(1000, "replay finished")
        await asyncio.sleep(1)
        assert socket.ended == []
        listener.hear('{"action": "subscribe", "channels": ["trade"]}', 0)
        audience.look()
        await asyncio.sleep(1)
        return socket.ended

    assert with_listener(work, subscribed=False) == [(1.0, 1000, "replay finished")]


@pytest.mark.parametrize(("script", "ended"), [("drop", (0.0, "cut")), ("close:code=1001", (0.0, 1001, "on purpose"))])
def test_a_broken_off_connection_is_played_to_no_more(script, ended):
    async def work(listener, socket, audience):
        assert deliver(listener, 3) == 3
        assert not audience.subscribed.is_set()
        assert deliver(listener, 3) == 0
        await asyncio.sleep(1)
        return socket.ended

    assert with_listener(work, script) == [ended]
