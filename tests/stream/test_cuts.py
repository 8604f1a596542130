"""A client that is cut off again and again, in virtual time, by a server that does what the documentation says."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import deque

import pytest
import wire_examples as docs
from streamed import NEVER_TOO_OLD, ROOM_FOR_ALL, trade

from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Close, Loss, Notice, Open, Send
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.protocol import Protocol
from qalypto_research.stream.store import Store

TEMPLATE = trade("12:00", 1.0, trade_id="NUMBER")
EVERY_S = 0.25
"""From trade to trade."""
AGAIN = 3
"""Trades of before that a new subscription begins with."""


class World:
    """What is to happen, in the order of time; nobody waits for it."""

    def __init__(self):
        self.now, self._due, self._order = 0.0, [], itertools.count()

    def later(self, seconds, what, *args):
        heapq.heappush(self._due, (self.now + seconds, next(self._order), what, args))

    def until(self, moment, done=lambda: False):
        while self._due and self._due[0][0] <= moment and not done():
            self.now, _, what, args = heapq.heappop(self._due)
            what(*args)
        if not done():
            self.now = moment


class Line:
    """One connection as the server has it: welcome, heartbeat, subscriptions, five control messages a second."""

    def __init__(self, world, server, client):
        self.world, self.server, self.client = world, server, client
        self.open, self.subscriptions, self.spoken, self.ponged = True, [], deque(), world.now
        self._arrival_s = {True: 0.0, False: 0.0}
        self.say(docs.CONNECTED)
        world.later(20.0, self._ping)
        world.later(EVERY_S, self._trade)

    def travel(self, what, *args, to_client):
        """Let something arrive a little later, but not before what was sent before it."""
        at = max(self.world.now + self.server.chance.uniform(0.01, 0.09), self._arrival_s[to_client])
        self._arrival_s[to_client] = at
        self.world.later(at - self.world.now, what, self, *args)

    def say(self, text):
        if self.open and not self.server.partition:
            self.travel(self.client.hear, text if isinstance(text, bytes) else text.encode(), to_client=True)

    def cut(self, reason="the connection broke off"):
        if self.open:
            self.open = False
            self.client.lose(self, reason)

    def _ping(self):
        if self.open:
            if self.world.now - self.ponged >= 60.0:
                self.cut("no pong")
                return
            self.say(docs.PING)
            self.world.later(20.0, self._ping)

    def _trade(self):
        if self.open:
            if "trade:btcusdt" in self.subscriptions or "trade" in self.subscriptions:
                self.say(self.server.trade(self.server.newest()))
            self.world.later(EVERY_S, self._trade)

    def hear(self, _, text):
        now = self.world.now
        if not self.open or self.server.partition:
            return
        while self.spoken and now - self.spoken[0] >= 1.0:
            self.spoken.popleft()
        self.spoken.append(now)
        self.server.most_spoken = max(self.server.most_spoken, len(self.spoken))
        if len(self.spoken) > 5:
            self.say(docs.RATE_LIMITED)
            return
        content = json.loads(text)
        action, named = content["action"], content.get("channels", [])
        if action == "subscribe":
            self.subscriptions = list(dict.fromkeys([*self.subscriptions, *named]))
            self.server.subscribed(self)
            if not self.server.mute:
                self.say(json.dumps({"type": "subscribed", "channels": named}))
            for number in range(max(self.server.newest() - AGAIN, 0), self.server.newest()):
                self.say(self.server.trade(number))
        elif action == "unsubscribe":
            self.subscriptions = [text for text in self.subscriptions if text not in named]
            self.say(json.dumps({"type": "unsubscribed", "channels": named}))
        elif action == "pong":
            self.ponged = now
            self.say(docs.PONG_ACK)
        elif action == "ping":
            self.say('{"type": "pong"}')


class Server:
    """Takes connections, as long as it is told to; counts what it is told."""

    def __init__(self, world, seed=0):
        self.world, self.chance = world, random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.line, self.down, self.partition, self.mute, self.most_spoken, self.tried = None, 0, False, False, 0, []
        self.subscribed = self.opened = lambda _: None

    def newest(self):
        return int(self.world.now / EVERY_S)

    def trade(self, number):
        return TEMPLATE.replace(b"NUMBER", b"%d" % number)

    def connect(self, client):
        self.tried.append(round(self.world.now, 1))
        if self.partition:
            self.world.later(10.0, client.lose, None, "no answer to the handshake")
        elif self.down:
            self.down -= 1
            self.world.later(0.0, client.lose, None, "no connection")
        else:
            self.world.later(0.0, self._accept, client)

    def _accept(self, client):
        self.line = Line(self.world, self, client)
        client.opened(self.line)
        self.opened(self.line)


class Client:
    """The protocol and the store, with what stands between them and a socket."""

    def __init__(self, world, server, *wanted, jitter=lambda: 0.5):
        self.world, self.server, self.line = world, server, None
        self.protocol = Protocol(jitter=jitter)
        self.store = Store(keep_us=NEVER_TOO_OLD, max_bytes=ROOM_FOR_ALL)
        self.heard, self.told, self._timer = [], [], 0
        self.want(*wanted)
        self.do(self.protocol.start())

    def want(self, *texts):
        self.do(self.protocol.want([Channel.parse(text) for text in texts], self.world.now))

    def do(self, actions):
        for action in actions:
            if isinstance(action, Notice):
                self.told.append(action.what)
            elif isinstance(action, Send) and self.line is not None:
                self.line.travel(self.line.hear, action.text, to_client=False)
            elif isinstance(action, Open):
                self.server.connect(self)
            elif isinstance(action, Close) and self.line is not None:
                self.line.open, self.line = False, None
        self._timer += 1
        if self.protocol.due_s < float("inf"):
            # A clock goes on between two looks, however little.
            self.world.later(max(self.protocol.due_s - self.world.now, 1e-6), self._look, self._timer)

    def _look(self, timer):
        if timer == self._timer:
            self.do(self.protocol.tick(self.world.now))

    def opened(self, line):
        self.line = line
        self.do(self.protocol.opened(self.world.now))

    def lose(self, line, reason):
        if line is self.line:
            self.line = None
            self.do(self.protocol.lost(Loss(reason), self.world.now))

    def hear(self, line, payload):
        if line is not self.line or not line.open:
            return  # it was on its way when the connection was cut
        message = decode(payload)
        if isinstance(message, dict):
            self.do(self.protocol.message(message, self.world.now))
            return
        self.protocol.heard(self.world.now)
        self.heard.append(int(message.data.trade_id))
        self.store.put(message, round(self.world.now * 1e6))


@pytest.fixture
def world():
    return World()


# --- A thousand cuts -----------------------------------------------------------------------------------------------

OTHERS = ("ticker", "kline:1m:btcusdt", "orderbook:ethusdt", "kline", "ticker:solusdt")


class Cuts:
    """Cuts each connection somewhere, and lets some handshakes behind it be refused, up to so many in all."""

    def __init__(self, world, server, chance, most):
        self.world, self.server, self.chance, self.most = world, server, chance, most
        self.count = {"welcome": 0, "answer": 0, "data": 0}
        self.refused = 0
        self._plan, self._subscribed = {}, set()
        server.opened, server.subscribed = self._on_opened, self._on_subscribed

    def over(self):
        return sum(self.count.values()) >= self.most

    def _cut(self, line, when):
        if line.open and not self.over():
            self.count[when] += 1
            self.server.down = self.chance.choice((0, 0, 0, 1, 2, 6))
            self.refused += self.server.down
            line.cut()

    def _on_opened(self, line):
        self._plan[line] = self.chance.choice(("welcome", "answer", "data", "data"))
        if self._plan[line] == "welcome":
            self.world.later(self.chance.uniform(0.0, 0.01), self._cut, line, "welcome")

    def _on_subscribed(self, line):
        plan = self._plan[line]
        if plan != "welcome" and line not in self._subscribed:
            self._subscribed.add(line)
            self.world.later(self.chance.uniform(0.1, 40.0) if plan == "data" else 0.0, self._cut, line, plan)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_after_two_hundred_and_fifty_cuts_all_is_as_it_should_be(world, seed):
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    server = Server(world, seed)
    cuts = Cuts(world, server, chance, 250)
    client = Client(world, server, "trade:btcusdt", jitter=chance.random)

    def change():
        if not cuts.over():
            for _ in range(chance.choice((1, 1, 8))):
                client.want("trade:btcusdt", *chance.sample(OTHERS, chance.randint(0, 5)))
            world.later(chance.uniform(0.1, 20.0), change)

    change()
    world.until(1e6, cuts.over)
    world.until(world.now + 1_000.0)
    for others in (OTHERS, OTHERS[:2]):
        client.want("trade:btcusdt", *others)
        world.until(world.now + 30.0)

    assert sum(cuts.count.values()) == 250
    assert cuts.refused > 200
    assert min(cuts.count.values()) > 30
    assert client.protocol.state == "live"
    assert sorted(server.line.subscriptions) == ["kline:1m:btcusdt", "ticker", "trade:btcusdt"]
    assert server.most_spoken <= 5
    assert not {"refused", "error", "failed", "unknown"} & set(client.told)
    # All that came is there once, in order; what came again is counted.
    frame = client.store.frame(TRADE)
    numbers = frame["trade_id"].astype(int).tolist()
    assert numbers == sorted(set(client.heard))
    (buffer,) = client.store.buffers().values()
    assert buffer.repeated == len(client.heard) - len(numbers) > 50
    assert numbers[-1] >= server.newest() - 1
    assert set(range(numbers[-1] - 500, numbers[-1])) <= set(numbers)
    gaps = [b - a for a, b in itertools.pairwise(server.tried)]
    assert min(gaps) >= 0.7


# --- By the clock --------------------------------------------------------------------------------------------------


def check_back(world, server, client):
    world.until(world.now + 5.0)
    assert client.protocol.state == "live"
    assert server.line.subscriptions == ["trade:btcusdt"]
    assert client.store.frame(TRADE)["trade_id"].is_unique
    assert client.heard[-1] >= server.newest() - 1


@pytest.mark.parametrize(("refused", "tried"), [(0, [11.0]), (1, [11.0, 13.0]), (5, [11.0, 13.0, 17.0, 25.0, 41.0, 73.0])])
def test_a_server_that_is_down_for_so_many_attempts(world, refused, tried):
    server = Server(world)
    client = Client(world, server, "trade:btcusdt")
    world.until(10.0)
    server.down = refused
    server.line.cut()
    world.until(tried[-1])
    assert server.tried == [0.0, *tried]
    check_back(world, server, client)
    assert client.told == ["live", *["lost"] * (1 + refused), "reconnect"]
    # It begins with a second again.
    server.line.cut()
    world.until(world.now + 1.0)
    assert server.tried[-1] == tried[-1] + 6.0


def test_a_partition_while_it_waits(world):
    server = Server(world)
    client = Client(world, server, "trade:btcusdt")
    world.until(10.0)
    server.line.cut()
    server.partition = True
    world.until(40.0)
    server.partition = False
    world.until(48.0)
    # Each attempt has gone without an answer for ten seconds, and then another two, four and so on have been waited.
    assert server.tried == [0.0, 11.0, 23.0, 37.0]
    world.until(55.0)
    assert server.tried == [0.0, 11.0, 23.0, 37.0, 55.0]
    check_back(world, server, client)


def test_a_connection_that_is_half_open_is_found_by_its_silence(world):
    server = Server(world)
    client = Client(world, server, "trade:btcusdt")
    world.until(10.0)
    server.line.open = False  # and nobody tells the client
    world.until(39.0)
    assert (client.protocol.state, client.told) == ("live", ["live"])
    world.until(41.0)
    assert client.told == ["live", "stale"]
    world.until(49.0)
    assert client.told == ["live", "stale"]
    world.until(52.0)
    assert client.told == ["live", "stale", "lost", "reconnect"]
    check_back(world, server, client)


def test_a_handshake_that_is_cut_at_once_and_one_before_the_welcome(world):
    server = Server(world)
    client = Client(world, server, "trade:btcusdt")
    server.opened = lambda line: line.cut()
    world.until(4.0)
    server.opened = lambda _: None
    assert server.tried == [0.0, 1.0, 3.0]
    assert client.told == ["lost"] * 3
    world.until(7.0)
    check_back(world, server, client)
    assert client.protocol.reconnects == 0  # it had never been live


def test_a_server_that_answers_no_subscription_is_believed_by_its_data(world):
    server = Server(world)
    server.mute = True
    client = Client(world, server, "trade:btcusdt")
    world.until(9.0)
    assert client.protocol.state == "connecting"
    world.until(11.0)
    assert client.told == ["live"]
    check_back(world, server, client)
