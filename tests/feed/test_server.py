"""The stream over real sockets: who is let in, what each hears, who falls behind, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from contextlib import suppress

import pytest
from archives import book, kline, ticker, trade, utc, write
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from qalypto_research.clock import Clock, Reading
from qalypto_research.local.credentials import Credentials
from qalypto_research.local.feed.audience import Limits
from qalypto_research.local.feed.faults import StreamFaults
from qalypto_research.local.feed.log import LogSource
from qalypto_research.local.feed.server import Feed
from qalypto_research.local.listening import listening, to_url
from qalypto_research.local.testing import StandIn
from qalypto_research.schema.wire import ACCESS_HEADERS

MOMENT = "2026-03-02 12:00:00"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return a folder with ten minutes in every table, two symbols, a message every second."""
    root = tmp_path_factory.mktemp("archive")
    seconds = range(600)
    at = [utc(f"12:{s // 60:02}:{s % 60:02}") for s in seconds]
    symbols = [("BTCUSDT", "ETHUSDT")[s % 2] for s in seconds]
    write(root, "trade", [trade(t, 100.0 + s, symbol=symbols[s], trade_id=str(s)) for s, t in zip(seconds, at, strict=True)])
    write(root, "ticker", [ticker(t, 200.0 + s, symbol=symbols[s]) for s, t in zip(seconds, at, strict=True)])
    write(
        root, "kline", [kline(t.floor("min"), 300.0 + s, symbol=symbols[s], is_final=0, _seen=t) for s, t in zip(seconds, at, strict=True)]
    )
    write(root, "orderbook", [book(t, symbol=symbols[s], sequence_id=str(s)) for s, t in zip(seconds, at, strict=True)])
    return root


@pytest.fixture
def standing(qalypto_standin, archive):
    """Return a stand-in whose clock stands where nothing is left to be played."""
    return qalypto_standin(archive, at="2026-03-02 13:00:00", history=False, http=True)


def flooding(archive, **options):
    """Return a stand-in that plays as fast as it is taken; it plays once."""
    return StandIn(archive, at="2026-03-02 12:00:00", speed=0, history=False, http=True, **options)


def run(work):
    return asyncio.run(work)


# --- Handshakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, None),
        ({"CF-Access-Client-Id": None}, 403),
        ({"CF-Access-Client-Secret": None}, 403),
        ({"CF-Access-Client-Secret": "guessed"}, 403),
        ({"CF-Access-Client-Id": None, "CF-Access-Client-Secret": None}, 403),
    ],
)
def test_the_handshake_must_carry_the_service_token(standing, listen, changed, status):
    headers = {name: value for name, value in (standing.stream_headers | changed).items() if value is not None}

    async def work():
        async with listen(standing, headers=headers):
            pass

    if status is None:
        run(work())
        return
    with pytest.raises(InvalidStatus) as caught:
        run(work())
    assert caught.value.response.status_code == status


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/stream", "/ws/stream/", "/ws/stream/a/b", "/other/me"])
def test_elsewhere_is_nothing(standing, path):
    async def work():
        where = standing.stream_url.removesuffix("/ws/stream") + path
        async with connect(where, additional_headers=standing.stream_headers):
            pass

    with pytest.raises(InvalidStatus) as caught:
        run(work())
    assert caught.value.response.status_code == 404


@pytest.mark.parametrize(("name", "heard"), [("me", "me"), ("my%20own%2Fname", "my own/name"), ("%E6%97%A5", "日"), ("a?b=c", "a")])
def test_the_name_in_the_path_is_the_clients(standing, listen, name, heard):
    async def work():
        async with listen(standing, name, welcome=False) as client:
            return await client.next()

    assert run(work())["client_id"] == heard


def test_five_connections_an_account_and_one_more_once_one_has_gone(standing, listen):
    async def work():
        opened = [listen(standing, f"client-{n}") for n in range(5)]
        for one in opened:
            await one.__aenter__()
        with pytest.raises(InvalidStatus) as caught:
            async with listen(standing, "sixth"):
                pass
        assert caught.value.response.status_code == 429
        await opened[2].__aexit__(None, None, None)
        async with listen(standing, "sixth") as client:
            assert (await client.ask(action="status"))["client_id"] == "sixth"
        for one in opened[:2] + opened[3:]:
            await one.__aexit__(None, None, None)

    run(work())


def test_over_tls_the_certificate_is_the_stand_ins(qalypto_standin, archive, listen):
    secure = qalypto_standin(archive, at="2026-03-02 13:00:00", history=False)
    assert secure.stream_url.startswith("wss://127.0.0.1:")

    async def work():
        async with listen(secure) as client:
            return await client.ask(action="ping")

    assert run(work())["type"] == "pong"


# --- What each hears -----------------------------------------------------------------------------------------------


def test_a_client_hears_its_channels_each_message_once_and_then_the_end(archive, listen):
    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("trade:btcusdt", "kline:1m:ethusdt", "trade")
            messages = [json.loads(text) for text in await client.all()]
            return messages, client.socket.close_code, client.socket.close_reason

    with flooding(archive) as standin:
        messages, code, reason = run(work(standin))
    assert (code, reason) == (1000, "replay finished")
    trades = [m["data"]["trade_id"] for m in messages if m["type"] == "trade"]
    assert trades == [str(n) for n in range(1, 600)]
    candles = [m for m in messages if m["type"] == "kline"]
    assert {(m["symbol"], m["interval"]) for m in candles} == {("ETHUSDT", "1m")}
    assert [m["data"]["close"] for m in candles] == [301.0 + 2 * n for n in range(300)]
    assert len(trades) + len(candles) == len(messages)


def test_all_tables_come_in_the_order_they_were_seen(archive, listen):
    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("*")
            return [json.loads(text) for text in await client.all()]

    with flooding(archive) as standin:
        messages = run(work(standin))
    assert [m["type"] for m in messages] == ["trade", "ticker", "kline", "orderbook"] * 599
    sent = [m["data"]["_timestamps"]["websocket_sent"] for m in messages]
    assert sent == [utc(MOMENT).value // 1_000_000 + 1000 * (1 + n // 4) for n in range(2396)]


def test_who_comes_when_all_is_over_is_told_so(standing, listen):
    async def work():
        async with listen(standing) as client:
            await client.subscribe("trade")
            with pytest.raises(ConnectionClosed):
                await client.next()
            return client.socket.close_code, client.socket.close_reason

    assert run(work()) == (1000, "replay finished")


def test_nothing_is_remembered_after_a_disconnect(standing, listen):
    async def work():
        async with listen(standing) as client:
            await client.ask(action="subscribe", channels=["trade"])
        async with listen(standing) as client:
            return await client.ask(action="status")

    assert run(work())["subscriptions"] == []


def test_unsubscribing_ends_what_it_says(archive, listen):
    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("trade", "ticker")
            await client.say(action="unsubscribe", channels=["trade"])
            while (await client.next())["type"] != "unsubscribed":
                pass
            return [await client.next() for _ in range(20)]

    with StandIn(archive, at="2026-03-02 12:00:00", speed=20, history=False, http=True) as standin:
        rest = run(work(standin))
    assert {m["type"] for m in rest} == {"ticker"}


# --- Who falls behind ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """Return a folder with half a minute of large books, two megabytes a second: far more than sockets hold."""
    root = tmp_path_factory.mktemp("dense")
    level = ", ".join(f"[{100.0 + n}, 1.0]" for n in range(500))
    at = [utc("12:00:00") + n * (utc("12:00:01") - utc("12:00:00")) / 150 for n in range(5_000)]
    rows = [book(t, bids_json=f"[{level}]", asks_json=f"[{level}]", sequence_id=str(n)) for n, t in enumerate(at)]
    write(root, "orderbook", rows)
    return root


def number(text):
    """Return the number of a large book, without reading all of it."""
    return int(re.search(rb'"sequence_id":"(\d+)"', text[-200:])[1])


@pytest.mark.timeout(180)
def test_at_true_pace_a_client_that_does_not_read_is_disconnected_and_slows_nobody(dense, listen):
    over = asyncio.Event()

    async def reading(standin, name):
        async with listen(standin, name) as client:
            await client.subscribe("orderbook")
            numbers = [number(text) for text in await client.all(1_500)]  # twenty megabytes
            over.set()
            return numbers

    async def stalled(standin):
        # With so small a queue the library stops reading from the socket.
        async with listen(standin, "stalled", max_queue=1) as client:
            await client.subscribe("orderbook")
            await over.wait()
            got = []
            with suppress(ConnectionClosed):
                async for text in client.rest():
                    got.append(number(text))  # noqa: PERF401 - what came before the end is kept
            return got, client.socket.close_code

    async def work(standin):
        return await asyncio.gather(stalled(standin), *(reading(standin, f"quick-{n}") for n in range(2)))

    with StandIn(dense, at="2026-03-02 12:00:00", history=False, http=True) as standin:
        (got, code), *others = run(work(standin))
    # Cut off behind what its sockets held: the words of it never got through, or came last.
    assert code in (1006, 1008)
    assert got == list(range(got[0], got[0] + len(got)))
    assert len(got) < 1_500
    for numbers in others:
        assert len(numbers) == 1_500
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_without_pace_a_slow_client_is_waited_for(dense, listen):
    async def work(standin):
        async with listen(standin, max_queue=16) as client:
            await client.subscribe("orderbook")
            numbers = []
            async for text in client.rest():
                if b'"type":"orderbook"' not in text[:40]:
                    continue  # a ping
                numbers.append(number(text))
                if len(numbers) % 500 == 0:
                    await asyncio.sleep(0.05)
            return numbers

    with StandIn(dense, at="2026-03-02 12:00:00", speed=0, history=False, http=True) as standin:
        assert run(work(standin)) == list(range(1, 5_000))


def test_a_bare_connection_does_not_hold_the_end_up(archive):
    with StandIn(archive, at="2026-03-02 13:00:00", http=True, history=False) as standin:
        host, _, port = standin.stream_url.removeprefix("ws://").partition("/")[0].partition(":")
        with socket.create_connection((host, int(port))):
            standin.stop()
            assert standin._process._process.returncode == 0


def test_a_replay_that_cannot_go_on_says_so(tmp_path, listen):
    write(tmp_path, "trade", [trade("12:00:00"), trade("12:00:01")])
    write(tmp_path, "trade", [trade("14:00:00")], name="b")

    async def work(standin):
        async with listen(standin) as client:
            (tmp_path / "trade" / "b.parquet").write_bytes(b"PAR1 no more")
            await client.subscribe("trade")
            with suppress(ConnectionClosed):
                await client.all()
            return client.socket.close_code

    with StandIn(tmp_path, at="2026-03-02 12:00:00", speed=0, http=True, history=False) as standin:
        assert run(work(standin)) == 1011
        standin.stop()
        assert "the replay cannot go on: " in standin._process.said()
        assert "b.parquet" in standin._process.said()


def test_without_pace_a_slow_client_is_waited_for_as_long_as_it_reads(tmp_path):
    """It reads a megabyte a second; to be seen for two seconds not to read anything would end it."""
    path = tmp_path / "ws.jsonl"
    stamped = {"type": "trade", "symbol": "BTCUSDT", "data": {"_timestamps": {"websocket_sent": 1000}, "text": "x" * 1000}}
    path.write_text(f"{json.dumps(stamped)}\n" * 8_000, encoding="utf-8")

    async def work():
        clock, credentials = Clock(Reading(0)), Credentials.made_up("quant")
        feed = Feed(LogSource(path), clock, credentials, StreamFaults(), paced=False, starts_clock=False, limits=Limits(stall_s=2.0))
        with listening("127.0.0.1", 0) as found:
            headers = dict(zip(ACCESS_HEADERS, credentials.cloudflare, strict=True))
            async with feed.serving(found, None, pytest.fail):
                where = to_url("ws", "127.0.0.1", found, "/ws/stream/me")
                async with connect(where, additional_headers=headers, compression=None, ping_interval=None) as client:
                    await client.recv()
                    await client.send('{"action": "subscribe", "channels": ["*"]}')
                    count = 0
                    async for _ in client:
                        count += 1
                        if count % 40 == 0:
                            await asyncio.sleep(0.04)
                return count, client.close_code

    assert run(work()) == (8_001, 1000)
