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
from qalypto_research.local.feed.source import Piece
from qalypto_research.schema.wire import Channel

START_US = 1_772_456_430_000_000
TRADES = Channel("trade", "BTCUSDT")


def message(offset_s, name=b"x"):
    return Message(START_US + round(offset_s * 1e6), TRADES, name, b'"}')


class Source:
    """Has what it is given; notes what it was asked for, in seconds since the start, and when."""

    def __init__(self, *messages, fails_after=None):
        self.messages = sorted(messages, key=lambda m: m.seen_us)
        self.asked = []
        self.fails_after = fails_after

    def read(self, after_us, until_us):
        self.asked.append(((after_us - START_US) / 1e6, (until_us - START_US) / 1e6))
        if self.fails_after is not None and after_us >= self.fails_after:
            raise ArchiveError("folder", "is damaged")
        if self.fails_after is None and not any(m.seen_us > after_us for m in self.messages):
            return None
        found = [m for m in self.messages if after_us < m.seen_us <= until_us][:500]
        return Piece(found, found[-1].seen_us if len(found) == 500 else until_us)


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


def play(*messages, speed=1.0, paced=True, starts_clock=True, audience=None, meanwhile=None, running=False):
    """Play to the end, and return who heard it, the source, and the clock."""

    async def work():
        clock = Clock(Reading(START_US, speed=speed), wall=virtual_time.wall_us(START_US))
        if running:
            clock.start()
        source = Source(*messages)
        heard = audience or Audience()
        player = Player(source, clock, heard, paced=paced, starts_clock=starts_clock)
        others = asyncio.ensure_future(meanwhile(clock, heard)) if meanwhile else None
        await player.run()
        if others is not None:
            await others
        return heard, source, clock

    return virtual_time.run(work())


def test_each_is_sent_when_it_is_due():
    heard, source, _ = play(message(0.5), message(1.0), message(1.001), message(7.25))
    # What is due within four milliseconds goes out together, none before it is due.
    assert heard.moments == [0.5, 1.0, 1.004, 7.25]
    assert heard.finished == (10.0, *FINISHED)
    assert source.asked == [(0, 10), (10, 20), (10, 20)]  # once more at the end


def test_what_is_sent_says_when():
    heard, _, _ = play(message(0.5))
    assert heard.got[0][2] == b'x2026-03-02T13:00:30.500000","data":{"_timestamps":{"websocket_sent":1772456430500"}'


def test_it_is_read_shortly_before_it_is_due_and_no_earlier():
    heard, source, _ = play(message(12.0), message(95.0))
    assert heard.moments == [12.0, 95.0]
    assert source.asked == [(n, n + 10) for n in range(0, 101, 10)] + [(100, 110)]


def test_what_comes_while_the_last_is_played_is_played():
    source = Source(message(5.0), message(9.0))

    async def work():
        clock = Clock(Reading(START_US), wall=virtual_time.wall_us(START_US))
        heard = Audience()
        # All that there is fits into the first piece, and what comes next is asked for as it begins.
        player = Player(source, clock, heard, paced=True, starts_clock=True)
        late = asyncio.ensure_future(add(15.0))
        await player.run()
        await late
        return heard

    async def add(at):
        await asyncio.sleep(8)
        source.messages.append(message(at))

    assert virtual_time.run(work()).moments == [5.0, 9.0, 15.0]


@pytest.mark.parametrize("speed", [0.5, 60.0])
def test_a_clock_may_run_at_another_speed(speed):
    heard, source, _ = play(message(6.0), message(12.0), speed=speed)
    assert heard.moments == [6.0 / speed, 12.0 / speed]
    assert source.asked[0] == (0, 10 * speed)


def test_what_was_due_before_comes_at_once_and_in_order():
    messages = [message(n / 1000, b"%d" % n) for n in range(-1500, 0)]

    async def work():
        clock = Clock(Reading(START_US - 2_000_000), wall=virtual_time.wall_us(START_US))
        heard = Audience()
        heard.subscribed.clear()
        player = asyncio.ensure_future(Player(Source(*messages), clock, heard, paced=True, starts_clock=False).run())
        await asyncio.sleep(1)
        clock.set(Reading(START_US, clock._wall()))  # two seconds on, at once
        await player
        return heard

    heard = virtual_time.run(work())
    assert heard.moments == []  # it began where the clock was once it ran
    heard, _, _ = play(*(message(n / 1000, b"%d" % n) for n in range(1, 1501)), speed=1e6)
    assert [int(head) for _, head, _ in heard.got] == list(range(1, 1501))
    assert max(heard.moments) < 0.03


def test_the_clock_starts_once_someone_is_subscribed():
    async def later(clock, audience):
        await asyncio.sleep(30)
        assert not clock.running
        audience.subscribed.set()

    heard, _, _ = play(message(1.0), audience=Audience(subscribed=False), meanwhile=later)
    assert heard.moments == [31.0]


def test_a_clock_that_runs_waits_for_nobody():
    async def later(clock, _):
        await asyncio.sleep(3)
        assert clock.now_us() == START_US + 3_000_000

    heard, _, _ = play(message(1.0), audience=Audience(subscribed=False), starts_clock=False, running=True, meanwhile=later)
    assert heard.moments == [1.0]


def test_a_clock_that_is_led_is_waited_for_and_halts_and_goes_on():
    async def lead(clock, _):
        await asyncio.sleep(5)
        clock.start()
        await asyncio.sleep(2)  # the second is not due yet
        clock.stop()
        await asyncio.sleep(100)
        clock.start()

    heard, source, _ = play(message(1.0), message(3.0), starts_clock=False, meanwhile=lead)
    assert heard.moments == [6.0, 108.0]
    assert source.asked[0] == (0, 10)


def test_a_clock_set_ahead_makes_due_what_lies_before():
    async def lead(clock, _):
        clock.start()
        await asyncio.sleep(1)
        clock.set(Reading(START_US + 60_000_000, clock.reading.anchor_us + 1_000_000))

    heard, _, _ = play(message(30.0), message(62.0), starts_clock=False, meanwhile=lead)
    assert heard.moments == [1.0, 3.0]


def test_without_pace_the_audience_sets_it_and_the_clock_is_moved_along():
    seen = []

    async def look(clock, _):
        for after in (0.5, 1.0, 1.0, 1.0):
            await asyncio.sleep(after)
            seen.append(clock.now_us() - START_US)

    heard, source, clock = play(*(message(n) for n in range(1, 1501)), paced=False, audience=Audience(takes_s=1.0), meanwhile=look)
    assert sorted(set(heard.moments)) == [0.0, 1.0, 2.0]
    assert seen == [500_000_000, 1_000_000_000, 1_500_000_000, 1_500_000_000]
    assert not clock.running
    assert source.asked == [(0, 3600), (500, 4100), (1000, 4600), (1500, 5100), (1500, 5100)]
    assert heard.got[0][2].startswith(b"x2026-03-02T13:00:31")  # as if it were sent when it was seen
    assert heard.got[-1][2].startswith(b"x2026-03-02T13:25:30")


def test_without_pace_long_silences_are_passed_over_with_longer_and_longer_strides():
    year = 365 * 86_400.0
    heard, source, _ = play(message(1.0), message(year), paced=False)
    assert len(heard.got) == 2
    assert len(source.asked) < 20


def test_without_pace_nothing_is_sent_to_nobody():
    async def later(_, audience):
        await asyncio.sleep(50)
        audience.subscribed.set()

    heard, _, clock = play(message(1.0), paced=False, audience=Audience(subscribed=False), meanwhile=later)
    assert heard.moments == [50.0]
    assert clock.reading == Reading(START_US + 1_000_000)


def test_a_source_that_cannot_be_read_ends_the_play_with_its_error():
    async def work():
        clock = Clock(Reading(START_US), wall=virtual_time.wall_us(START_US))
        audience = Audience()
        source = Source(message(1.0), fails_after=START_US + 10_000_000)
        with pytest.raises(ArchiveError):
            await Player(source, clock, audience, paced=True, starts_clock=True).run()
        return audience

    audience = virtual_time.run(work())
    assert audience.moments == [1.0]
    assert audience.finished is None


def test_the_source_is_read_on_a_thread():
    threads = []

    class Threaded(Source):
        def read(self, after_us, until_us):
            threads.append(threading.current_thread())
            return super().read(after_us, until_us)

    async def work():
        clock = Clock(Reading(START_US))
        await Player(Threaded(), clock, Audience(), paced=True, starts_clock=True).run()

    asyncio.run(work())
    assert threads
    assert threading.main_thread() not in threads
