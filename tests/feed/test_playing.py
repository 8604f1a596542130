"""When each message is sent: by a clock that runs, stands or is moved along, in time that the test lets pass."""

from __future__ import annotations

import asyncio
import threading

import pytest
import virtual_time

from qalypto_research.clock import Clock, Reading
from qalypto_research.errors import ArchiveError
from qalypto_research.local.feed.messages import Message
from qalypto_research.local.feed.player import FINISHED, Player
from qalypto_research.schema.wire import Channel

START_US = 1_772_456_430_000_000
TRADES = Channel("trade", "BTCUSDT")


def message(offset_s, name=b"x"):
    return Message(START_US + round(offset_s * 1e6), TRADES, name, b'"}')


class Source:
    """Has what it is given, in pieces; notes what it was asked."""

    def __init__(self, *windows, fails=False):
        self.given = windows
        self.asked = []
        self.fails = fails

    def windows(self, after_us, span_us):
        self.asked.append((after_us, span_us))
        yield from self.given
        if self.fails:
            raise ArchiveError("folder", "is damaged")


class Audience:
    """Notes what comes and when, in virtual seconds."""

    def __init__(self, *, subscribed=True, takes_s=0.0):
        self.subscribed = asyncio.Event()
        if subscribed:
            self.subscribed.set()
        self.takes_s = takes_s
        self.got = []
        self.finished = None

    def deliver(self, messages, payloads):
        now = asyncio.get_running_loop().time()
        self.got += [(now, m.head, payload) for m, payload in zip(messages, payloads, strict=True)]

    def check_pace(self):
        pass

    async def taken(self):
        await asyncio.sleep(self.takes_s)

    def finish(self, code, reason):
        self.finished = (asyncio.get_running_loop().time(), code, reason)

    @property
    def moments(self):
        return [round(at, 6) for at, _, _ in self.got]


def play(*windows, speed=1.0, paced=True, starts_clock=True, audience=None, meanwhile=None, running=False):
    """Play to the end, and return who heard it, the source, and the clock."""

    async def work():
        clock = Clock(Reading(START_US, speed=speed), wall=virtual_time.wall_us(START_US))
        if running:
            clock.start()
        source = Source(*windows)
        heard = audience or Audience()
        player = Player(source, clock, heard, paced=paced, starts_clock=starts_clock)
        others = asyncio.ensure_future(meanwhile(clock, heard)) if meanwhile else None
        await player.run()
        if others is not None:
            await others
        return heard, source, clock

    return virtual_time.run(work())


def test_each_is_sent_when_it_is_due():
    heard, source, _ = play([message(0.5), message(1.0), message(1.001)], [message(7.25)])
    # What is due within four milliseconds goes out together, none before it is due.
    assert heard.moments == [0.5, 1.0, 1.004, 7.25]
    assert heard.finished == (7.25, *FINISHED)
    assert source.asked == [(START_US, 10_000_000)]


def test_what_is_sent_says_when():
    heard, _, _ = play([message(0.5)])
    assert heard.got[0][2] == b'x2026-03-02T13:00:30.500000","data":{"_timestamps":{"websocket_sent":1772456430500"}'


@pytest.mark.parametrize("speed", [0.5, 60.0])
def test_a_clock_may_run_at_another_speed(speed):
    heard, source, _ = play([message(6.0), message(12.0)], speed=speed)
    assert heard.moments == [6.0 / speed, 12.0 / speed]
    assert source.asked == [(START_US, round(10_000_000 * speed))]


def test_what_was_due_before_comes_at_once_and_in_order():
    heard, _, _ = play([message(n / 1000, b"%d" % n) for n in range(-1500, 0)])
    assert [int(head) for _, head, _ in heard.got] == list(range(-1500, 0))
    assert set(heard.moments) == {0.0}


def test_the_clock_starts_once_someone_is_subscribed():
    async def later(clock, audience):
        await asyncio.sleep(30)
        assert not clock.running
        audience.subscribed.set()

    heard, _, _ = play([message(1.0)], audience=Audience(subscribed=False), meanwhile=later)
    assert heard.moments == [31.0]


def test_a_clock_that_runs_waits_for_nobody():
    async def later(clock, _):
        await asyncio.sleep(3)
        assert clock.now_us() == START_US + 3_000_000

    heard, _, _ = play([message(1.0)], audience=Audience(subscribed=False), starts_clock=False, running=True, meanwhile=later)
    assert heard.moments == [1.0]


def test_a_clock_that_is_led_is_waited_for_and_halts_and_goes_on():
    async def lead(clock, _):
        await asyncio.sleep(5)
        clock.start()
        await asyncio.sleep(2)  # the second is not due yet
        clock.stop()
        await asyncio.sleep(100)
        clock.start()

    heard, source, _ = play([message(1.0), message(3.0)], starts_clock=False, meanwhile=lead)
    assert heard.moments == [6.0, 108.0]
    assert source.asked[0][0] == START_US


def test_a_clock_set_ahead_makes_due_what_lies_before():
    async def lead(clock, _):
        clock.start()
        await asyncio.sleep(1)
        clock.set(Reading(START_US + 60_000_000, clock.reading.anchor_us + 1_000_000))

    heard, _, _ = play([message(30.0), message(62.0)], starts_clock=False, meanwhile=lead)
    assert heard.moments == [1.0, 3.0]


def test_without_pace_the_audience_sets_it_and_the_clock_is_moved_along():
    seen = []

    async def look(clock, _):
        for after in (0.5, 1.0, 1.0, 1.0):
            await asyncio.sleep(after)
            seen.append(clock.now_us() - START_US)

    windows = [[message(n) for n in range(at, at + 500)] for at in (1, 501, 1001)]
    heard, source, clock = play(*windows, paced=False, audience=Audience(takes_s=1.0), meanwhile=look)
    assert sorted(set(heard.moments)) == [0.0, 1.0, 2.0]
    assert seen == [500_000_000, 1_000_000_000, 1_500_000_000, 1_500_000_000]
    assert not clock.running
    assert source.asked == [(START_US, None)]
    assert heard.got[0][2].startswith(b"x2026-03-02T13:00:31")  # as if it were sent when it was seen
    assert heard.got[-1][2].startswith(b"x2026-03-02T13:25:30")


def test_without_pace_nothing_is_sent_to_nobody():
    async def later(_, audience):
        await asyncio.sleep(50)
        audience.subscribed.set()

    heard, _, clock = play([message(1.0)], paced=False, audience=Audience(subscribed=False), meanwhile=later)
    assert heard.moments == [50.0]
    assert clock.reading == Reading(START_US + 1_000_000)


def test_a_source_that_cannot_be_read_ends_the_play_with_its_error():
    async def work():
        clock = Clock(Reading(START_US), wall=virtual_time.wall_us(START_US))
        audience = Audience()
        with pytest.raises(ArchiveError):
            await Player(Source([message(1.0)], fails=True), clock, audience, paced=True, starts_clock=True).run()
        return audience

    audience = virtual_time.run(work())
    assert audience.moments == [1.0]
    assert audience.finished is None


def test_the_source_is_read_on_a_thread():
    threads = []

    class Threaded(Source):
        def windows(self, after_us, span_us):
            threads.append(threading.current_thread())
            yield from super().windows(after_us, span_us)

    async def work():
        clock = Clock(Reading(START_US))
        await Player(Threaded([message(0)]), clock, Audience(), paced=True, starts_clock=True).run()

    asyncio.run(work())
    assert threads
    assert threading.main_thread() not in threads
