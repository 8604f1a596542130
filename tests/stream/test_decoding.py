"""Messages in bytes to typed values: the documented ones to the letter, and nothing from what cannot be read."""

from __future__ import annotations

import json
import math
import random

import pytest
import wire_examples as docs

from qalypto_research.schema.tables import TABLES
from qalypto_research.stream.decoding import MESSAGES, BadMessage, decode, decode_levels

COMPACT = {kind: json.dumps(json.loads(text), separators=(",", ":")).encode() for kind, text in docs.MESSAGES.items()}


@pytest.mark.parametrize("kind", docs.MESSAGES)
@pytest.mark.parametrize("text", ["as printed", "compact"])
def test_a_documented_example_is_read_to_the_letter(kind, text):
    payload = docs.MESSAGES[kind].encode() if text == "as printed" else COMPACT[kind]
    message = decode(payload)
    assert isinstance(message, MESSAGES[kind])
    expected = json.loads(docs.MESSAGES[kind])
    stamps = expected["data"].pop("_timestamps")
    assert (message.data.stamps.websocket_sent, message.data.stamps.exchange_event_time) == tuple(stamps.values())
    assert message.producer_received == expected["producer_received"]
    for name, value in expected["data"].items():
        found = getattr(message.data, name)
        assert (decode_levels(found) if name in ("bids", "asks") else found) == (
            [tuple(v) for v in value] if name in ("bids", "asks") else value
        )


@pytest.mark.parametrize("kind", docs.MESSAGES)
def test_every_field_counts(kind):
    content = json.loads(docs.MESSAGES[kind])
    nullable = {c.field for c in TABLES[kind].columns if c.nullable}
    for name in content["data"]:
        without = content | {"data": {k: v for k, v in content["data"].items() if k != name}}
        payload = json.dumps(without).encode()
        if name in nullable:
            assert getattr(decode(payload).data, name) is None
        else:
            with pytest.raises(BadMessage, match=rf"^{kind}: .*`{name}`"):
                decode(payload)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("trade", "price", "82.98"),
        ("trade", "price", None),
        ("trade", "trade_id", 17),
        ("trade", "is_liquidation", 0),
        ("ticker", "bid_price", "none"),
        ("kline", "is_final", "false"),
        ("kline", "timestamp", 1772460000000),
        ("orderbook", "sequence_id", None),
    ],
)
def test_a_wrong_type_is_no_message(kind, name, value):
    content = json.loads(docs.MESSAGES[kind])
    content["data"][name] = value
    with pytest.raises(BadMessage, match=rf"^{kind}: .*{name}"):
        decode(json.dumps(content).encode())


def test_more_than_is_documented_does_not_matter():
    content = json.loads(docs.TRADE)
    content |= {"new": [1, {"deep": None}]}
    content["data"] |= {"maker": "x"}
    assert decode(json.dumps(content).encode()) == decode(docs.TRADE.encode())


def test_whole_numbers_are_numbers_and_a_missing_producer_is_none():
    content = json.loads(docs.TRADE)
    content["data"]["price"] = 83
    del content["producer_received"]
    message = decode(json.dumps(content).encode())
    assert (message.data.price, type(message.data.price)) == (83.0, float)
    assert math.isnan(message.producer_received)


@pytest.mark.parametrize("text", [docs.CONNECTED, docs.SUBSCRIBED, docs.PING, docs.PONG_ACK, docs.STATUS, docs.RATE_LIMITED])
def test_what_is_no_data_is_what_its_json_says(text):
    assert decode(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"type": "liquidation", "data": {}}', "{}", '{"type": 3}', '{"type": ["trade"]}', '{"type": "trade", "error": "No."}']
)
def test_what_is_unknown_is_what_its_json_says(text):
    assert decode(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'"trade"', b"\xff\xfe", b"null", b'{"type": "trade"}', b"[" * 100_000, b'{"type":"trade","data":' * 5_000],
)
def test_what_cannot_be_read_says_so(payload):
    with pytest.raises(BadMessage):
        decode(payload)


@pytest.mark.parametrize("side", ["[[1.0]]", '[["1", 2]]', "{}", "[1, 2]", "[[1.0, 2.0, 3.0]]"])
def test_a_side_of_a_book_is_pairs_of_numbers(side):
    content = json.dumps(json.loads(docs.ORDERBOOK)).replace(
        '"bids": [[1.3388, 1000.0], [1.3387, 2500.0], [1.3386, 1800.0]]', f'"bids": {side}'
    )
    message = decode(content.encode())
    with pytest.raises(BadMessage, match=r"^orderbook: "):
        decode_levels(message.data.bids)


def told(message):
    """Return all that a message says."""
    return {
        name: bytes(value) if name in ("bids", "asks") else value
        for name, value in ((n, getattr(message.data, n)) for n in message.data.__struct_fields__)
    }


@pytest.mark.parametrize("kind", docs.MESSAGES)
def test_a_hundred_thousand_damaged_messages_crash_nothing_and_cost_no_good_one(kind):
    """At every place of a message bytes are overwritten, left out or put in; between any two a good one is read."""
    good = COMPACT[kind]
    expected = told(decode(good))
    generator = random.Random(kind)  # noqa: S311 - to be repeated
    changes = 25_000 // len(good) + 1
    count = 0
    for at in range(len(good)):
        for _ in range(changes):
            size = generator.choice((1, 1, 2, 8))
            what = generator.randrange(3)
            noise = generator.randbytes(size)
            bad = good[:at] + (noise + good[at + size :], good[at + size :], noise + good[at:])[what]
            count += 1
            try:
                found = decode(bad)
            except BadMessage:
                continue
            assert isinstance(found, (dict, MESSAGES[kind]))
        assert told(decode(good)) == expected
    assert count >= 25_000
