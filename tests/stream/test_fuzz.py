"""A hundred thousand messages spoilt in every way, through all that a message passes: none does harm, and no good one is lost."""

from __future__ import annotations

import itertools
import json
import random

import pytest
import wire_examples as docs
from streamed import NEVER_TOO_OLD, ROOM_FOR_ALL, book, kline, ticker, trade

from qalypto_research.config import Settings
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TICKER, TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.health import build_series
from qalypto_research.stream.hub import Hub
from qalypto_research.stream.intake import Intake

CASES = 100_000
EVERY = 10
"""So many spoilt messages to a good one."""
TABLES = {"trade": TRADE, "ticker": TICKER, "kline": KLINE, "orderbook": ORDERBOOK}
CONTROL = (docs.CONNECTED, docs.SUBSCRIBED, docs.PING, docs.PONG_ACK, docs.STATUS, docs.RATE_LIMITED)
MESSAGES = [json.dumps(json.loads(text)).encode() for text in (*docs.MESSAGES.values(), *CONTROL)]

PUT_IN = (b"\x00", b"\xff", b'"', b"{", b"]", b"9", b"-", b"\\", b"e")
"""In place of a byte."""


def at_every_byte(payload):
    """Yield a message spoilt at each of its bytes in each way."""
    for at in range(len(payload)):
        before, after = payload[:at], payload[at + 1 :]
        yield from (before + byte + after for byte in PUT_IN)
        yield before + after
        yield before + b'"' + payload[at:]
        yield before


def at_random(seed):
    """Yield messages spoilt by chance, without an end."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    while True:
        payload = bytearray(chance.choice(MESSAGES))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(payload) + 1)
            until = at + chance.choice((0, 1, 1, 2, 8, 100))
            payload[at:until] = chance.choice(
                (chance.randbytes(chance.randint(0, 8)), chance.choice(MESSAGES)[at:until], payload[at:until] * 2)
            )
        yield bytes(payload)


def good(n):
    """Return the nth good message: of each type in turn, of a symbol that no example has."""
    kind, number = n % 4, n // 4
    day = f"2026-03-{2 + number // 1440:02} {number // 60 % 24:02}:{number % 60:02}:00"
    made = (trade, ticker, kline, book)[kind]
    details = ({"trade_id": str(number)}, {"last_price": float(number)}, {}, {"sequence_id": str(number)})[kind]
    return made(day, symbol="ADAUSDT", exchange="okx", **details)


@pytest.fixture
def hub():
    account = {"username": "q", "password": "x", "cf_access_client_id": "a", "cf_access_client_secret": "b"}
    made = Hub(Settings.read(account).stream_access(), lambda: 1_772_460_105_400_000)
    yield made
    made.stop()


def look(into):
    """Ask for all that can be asked for."""
    for table in TABLES.values():
        frame = into.store.frame(table)
        assert frame.index.is_monotonic_increasing
        assert len(str(frame.tail(3))) > 0
        into.store.newest(table)
    into.store.books(3, symbols=["ADAUSDT", "XRPUSDT"], max_bytes=ROOM_FOR_ALL)
    build_series(into, into.now_us(), 60_000_000)


@pytest.mark.slow
def test_spoilt_messages_do_no_harm_and_are_counted(hub):
    into = Intake(
        [Channel.parse("*")], None, keep_us=NEVER_TOO_OLD, max_bytes=ROOM_FOR_ALL, now_us=lambda: 1_772_460_105_400_000, pace=lambda: 0.0
    )
    events, note = [], into.note
    into.note = lambda what, detail: (events.append(what), note(what, detail))  # it remembers the last thousand alone
    hub._change((into,))
    machine, take = hub._machine, hub._transport._take
    machine.want(into.channels, 0.0)
    machine.start()
    machine.opened(0.0)
    # Up, as a connection begins: what is spoilt comes on a live one.
    take(MESSAGES[4])
    take(b'{"type": "subscribed", "channels": ["*"]}')
    assert hub.state == "live"
    spoilt = itertools.islice(itertools.chain(*map(at_every_byte, MESSAGES), at_random(7)), CASES)
    begun = hub.messages
    for n, payload in enumerate(spoilt):
        take(payload)
        if n % EVERY == 0:
            take(good(n // EVERY))
        if n % 10_000 == 0:
            look(into)
            into.beat(n / 1_000)
    into.beat(1_000.0)
    look(into)
    assert hub.messages - begun == 110_000
    assert hub.state == "live"
    # The good ones are all there, once.
    of = {kind: into.store.frame(table, symbols=["ADAUSDT"], exchanges=["okx"]) for kind, table in TABLES.items()}
    assert {kind: len(frame) for kind, frame in of.items()} == dict.fromkeys(TABLES, 2_500)
    assert of["trade"]["trade_id"].tolist() == [str(n) for n in range(2_500)]
    assert of["ticker"]["last_price"].tolist() == [float(n) for n in range(2_500)]
    assert of["orderbook"]["sequence_id"].tolist() == [str(n) for n in range(2_500)]
    # The others are rows, repeated, or counted with what is wrong with them.
    taken = {kind: sum(count for (name, _), count in into.counts.items() if name == kind) for kind in TABLES}
    repeated = {kind: sum(b.repeated for (name, _), b in into.store.buffers().items() if name == kind) for kind in TABLES}
    for kind in ("trade", "ticker", "orderbook"):
        assert taken[kind] == into.store.count(kind) + repeated[kind] + into.store.bad[kind]
    no_data = 110_000 - sum(taken.values()) - hub.bad.total()
    assert 0 < hub.unknown <= no_data
    assert hub.bad.total() + into.store.bad.total() > 50_000
    assert set(hub.bad) == {"no JSON", *TABLES}
    assert set(into.store.bad) == set(TABLES)
    assert events.count("bad") == 9  # each sort once: five that cannot be read, four that make no row
