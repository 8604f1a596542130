"""Faults on purpose over real sockets: what a client meets, and that it is over once it is healed."""

from __future__ import annotations

import asyncio
import itertools
import json
import time

import pytest
from archives import trade, utc, write
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from qalypto_research.errors import InputError
from qalypto_research.local.testing import StandIn

COUNT = 36_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return a folder with ten minutes of trades, sixty a second."""
    root = tmp_path_factory.mktemp("archive")
    first, step = utc("12:00"), (utc("12:00:01") - utc("12:00")) / 60
    write(root, "trade", [trade((first + n * step).floor("ms"), 1.0 + n, trade_id=str(n), _seen=first + n * step) for n in range(COUNT)])
    return root


@pytest.fixture(scope="module")
def running(archive):
    """Yield a stand-in that plays. All tests share it: each hears on from where the last has left off."""
    with StandIn(archive, at="2026-03-02 12:00:00", http=True, history=False) as started:
        yield started


@pytest.fixture
def standin(running):
    """Return the stand-in, without faults."""
    running.heal()
    return running


def hear(standin, listen, most, channels=("trade",), **options):
    """Return the first so many messages of a connection, the code it was closed with, and the seconds it took."""

    async def work():
        async with listen(standin, **options) as client:
            begun = time.monotonic()
            await client.subscribe(*channels)
            got = []
            try:
                while len(got) < most:
                    got.append(await client.raw())
            except ConnectionClosed:
                pass
            return got, client.socket.close_code, time.monotonic() - begun

    return asyncio.run(work())


def number(text):
    return int(json.loads(text)["data"]["trade_id"])


def steps(texts):
    """Return the steps from each message to the next."""
    numbers = [number(text) for text in texts]
    return [b - a for a, b in itertools.pairwise(numbers)]


def test_without_faults_nothing_is_missing(standin, listen):
    got, code, _ = hear(standin, listen, 50)
    assert steps(got) == [1] * 49
    assert code is None  # still open


# --- Handshakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "details", "status"),
    [("refuse", {}, 503), ("refuse", {"code": 429}, 429), ("refuse", {"code": 520}, 520), ("unauthorized", {}, 403)],
)
def test_a_handshake_is_refused_so_often(standin, listen, kind, details, status):
    standin.fault(kind, times=2, **details)
    for _ in range(2):
        with pytest.raises(InvalidStatus) as caught:
            hear(standin, listen, 1)
        assert caught.value.response.status_code == status
    assert len(hear(standin, listen, 1)[0]) == 1


def test_a_handshake_breaks_off(standin, listen):
    standin.fault("break_handshake", times=1)
    with pytest.raises((InvalidMessage, ConnectionError)):
        hear(standin, listen, 1)
    assert len(hear(standin, listen, 1)[0]) == 1


# --- Connections ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "details", "code"), [("drop", {}, 1006), ("close", {}, 1012), ("close", {"code": 1001}, 1001)])
def test_a_connection_ends_after_so_many_messages_and_what_came_before_has_come(standin, listen, kind, details, code):
    standin.fault(kind, after=20, times=1, **details)
    got, closed, _ = hear(standin, listen, 100)
    assert (len(got), closed) == (20, code)
    assert steps(got) == [1] * 19
    assert len(hear(standin, listen, 30)[0]) == 30


def test_silence_with_the_socket_open_and_then_it_goes_on(standin, listen):
    standin.fault("silence", after=5, seconds=1.5, times=1)
    got, _, seconds = hear(standin, listen, 10)
    assert steps(got[:5]) == steps(got[5:]) == [1] * 4
    assert number(got[5]) - number(got[4]) > 1
    assert seconds >= 1.5


def test_in_silence_nothing_is_answered(standin, listen):
    standin.fault("silence", after=1, times=1)

    async def work():
        async with listen(standin) as client, listen(standin, "another") as other:
            await client.subscribe("trade")
            await client.raw()
            await other.subscribe("trade")
            for _ in range(2):  # by then the next message was due to both
                await other.raw()
            await client.say(action="status")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.socket.recv()
            standin.heal()
            return (await client.next())["type"]

    assert asyncio.run(work()) == "trade"


def test_without_a_heartbeat_pongs_are_not_acknowledged_and_data_go_on(standin, listen):
    standin.fault("no_heartbeat", times=1)

    async def work():
        async with listen(standin) as client:
            await client.subscribe("trade")
            await client.raw()
            await client.say(action="pong")
            await client.say(action="status")
            types = set()
            while types != {"trade", "status"}:
                types.add((await client.next())["type"])
                assert "pong_ack" not in types
            return types

    assert asyncio.run(work()) == {"trade", "status"}


def test_a_slow_network_is_slow(standin, listen):
    size = len(hear(standin, listen, 1)[0][0])
    standin.fault("throttle", rate=10 * size, times=1)
    got, _, seconds = hear(standin, listen, 16)
    assert steps(got) == [1] * 15  # late, not lost
    assert seconds > 1.4


# --- Messages ------------------------------------------------------------------------------------------------------


def test_repeated_swapped_late_and_lost_messages(standin, listen):
    standin.script("duplicate:times=1,after=3; swap:times=1,after=8; late:times=1,after=15,behind=4; lose:times=2,after=30")
    got, _, _ = hear(standin, listen, 45)
    first = number(got[0])
    got = [number(text) - first for text in got]
    assert got[:20] == [0, 1, 2, 3, 3, 4, 5, 6, 7, 9, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19]
    assert got[20] == 15
    assert got[21:] == [*range(20, 30), *range(32, 46)]


def test_broken_and_strange_messages_keep_their_place(standin, listen):
    standin.script("seed=5; garbage:times=1,after=2; invalid_json:times=1,after=4; unknown_type:times=1,after=6; error:times=1,after=8")
    got, _, _ = hear(standin, listen, 13)
    readable = []
    for text in got:
        try:
            readable.append(json.loads(text))
        except ValueError:
            readable.append(None)
    assert readable[4] is None
    assert readable[6]["type"] == "liquidation"
    assert readable[8] == {"error": "Internal error."}
    plain = [m for n, m in enumerate(readable) if n not in (2, 4, 8)]
    assert [int(m["data"]["trade_id"]) - int(readable[0]["data"]["trade_id"]) for m in plain] == [0, 1, 3, 5, 6, 7, 8, 9, 10, 11]


def test_an_oversized_message_is_as_large_as_it_says(standin, listen):
    standin.fault("oversized", times=1, after=1, size=3_000_000)
    got, _, _ = hear(standin, listen, 3)
    assert [len(text) > 2_999_999 for text in got] == [False, True, False]


def test_a_wrong_type_is_in_one_field(standin, listen):
    standin.fault("wrong_type")
    got, _, _ = hear(standin, listen, 20)
    # By its type as well: a price may be 17.0.
    wrong = [(str, "no number"), (int, 17)]
    odd = [[name for name, value in json.loads(text)["data"].items() if (type(value), value) in wrong] for text in got]
    assert all(len(names) == 1 for names in odd)
    assert len({names[0] for names in odd}) > 3


def test_control_messages_meet_the_rate_limit(standin, listen):
    standin.fault("rate_limit", times=2)

    async def work():
        async with listen(standin) as client:
            refused = [await client.ask(action="subscribe", channels=["trade"]) for _ in range(2)]
            return refused, await client.ask(action="status")

    refused, status = asyncio.run(work())
    assert refused == [{"error": "Rate limit exceeded. Max 5 control messages per second."}] * 2
    assert status["subscriptions"] == []


def test_there_is_no_such_fault(standin):
    with pytest.raises(InputError, match="did you mean 'duplicate'"):
        standin.fault("duplicated")
    with pytest.raises(InputError, match="details: 'often' is not known"):
        standin.fault("drop", often=2)
    with pytest.raises(InputError, match="faults: 'drop:after=x' cannot be read"):
        standin.script("drop:after=x")
