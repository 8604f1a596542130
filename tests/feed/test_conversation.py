"""What the stream's server says to one client: each documented message, and each rate and limit to the moment."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import wire_examples as docs
from wire_examples import exactly

from qalypto_research.local.feed.conversation import Conversation
from qalypto_research.schema.wire import Channel

SYMBOLS = frozenset({"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"})
SOME = [f"trade:{s.lower()}" for s in sorted(SYMBOLS)] + [
    f"kline:{i}:{s.lower()}" for i in ("1m", "5m", "1h", "4h") for s in sorted(SYMBOLS)
]


def us(when):
    return pd.Timestamp(when, tz="UTC").value // 1000


SINCE = us("2026-01-28 12:00:00")


class Talk:
    """One client's conversation, by a clock that the test sets."""

    def __init__(self):
        self.now_s = 1000.0
        self.now_us = SINCE
        self.server = Conversation("my-client-001", {"DASHUSDT"}, self.now_s, self.now_us)

    def say(self, text):
        return self.server.receive(text, self.now_s, self.now_us).text

    def do(self, action, **more):
        return json.loads(self.say(json.dumps({"action": action} | more)))

    def pings(self, until_s):
        """Return when pings come up to a moment, or when the client is taken for gone."""
        found = []
        while self.server.due_s <= until_s:
            self.now_s = self.server.due_s
            if self.server.gone(self.now_s):
                return found, self.now_s
            if self.server.ping(self.now_s, self.now_us) is not None:
                found.append(self.now_s)
        return found, None


@pytest.fixture
def talk():
    return Talk()


def test_the_welcome(talk):
    assert exactly(talk.server.opening()) == exactly(docs.CONNECTED)


def test_subscribe_is_answered_as_documented(talk):
    assert exactly(talk.say(docs.SUBSCRIBE)) == exactly(docs.SUBSCRIBED)


def test_a_ping_is_as_documented(talk):
    ping = talk.server.ping(talk.now_s + 20, us("2026-01-28 12:53:40.123"))
    assert exactly(ping) == exactly(docs.PING)


def test_a_pong_is_acknowledged_as_documented(talk):
    talk.now_us = us("2026-01-28 12:53:40.456999")
    assert exactly(talk.say('{"action": "pong"}')) == exactly(docs.PONG_ACK)


def test_the_status_is_as_documented(talk):
    talk.say(docs.SUBSCRIBE)
    talk.server.delivered = 12847
    talk.now_us = us("2026-01-28 12:53:40")
    assert exactly(talk.say('{"action": "status"}')) == exactly(docs.STATUS)


def test_a_clients_own_ping_gets_a_pong(talk):
    assert talk.do("ping") == {"type": "pong", "timestamp": "2026-01-28T12:00:00.000Z"}


# --- Rates and limits ----------------------------------------------------------------------------------------------


def test_five_control_messages_a_second_and_not_a_sixth(talk):
    for n in range(5):
        talk.now_s = 1000.0 + n * 0.1
        assert talk.do("ping")["type"] == "pong"
    talk.now_s = 1000.999
    assert exactly(talk.say('{"action": "ping"}')) == exactly(docs.RATE_LIMITED)
    talk.now_s = 1001.0  # the first is a second ago
    assert talk.do("ping")["type"] == "pong"
    assert "error" in talk.do("ping")
    talk.now_s = 1001.1
    assert talk.do("ping")["type"] == "pong"


def test_what_is_one_too_many_is_not_carried_out(talk):
    for _ in range(5):
        talk.do("status")
    assert "error" in talk.do("subscribe", channels=["trade"])
    talk.now_s += 1
    assert talk.do("status")["subscriptions"] == []


def test_a_pong_counts_too_and_one_too_many_is_no_answer_to_a_ping(talk):
    talk.now_s += 20
    talk.server.ping(talk.now_s, talk.now_us)
    for _ in range(5):
        talk.do("status")
    assert "error" in talk.do("pong")
    assert talk.pings(1100.0) == ([1040.0, 1060.0], 1080.0)


def test_fifty_subscriptions_and_not_one_more(talk):
    assert len(SOME) == 50
    assert talk.do("subscribe", channels=SOME)["type"] == "subscribed"
    assert talk.do("subscribe", channels=SOME[:1])["type"] == "subscribed"  # it is there already
    assert talk.do("subscribe", channels=["ticker"]) == {"error": "Subscription limit exceeded. Max 50 subscriptions per connection."}
    assert talk.do("unsubscribe", channels=SOME[:1]) == {"type": "unsubscribed", "channels": SOME[:1]}
    assert talk.do("subscribe", channels=["ticker"])["type"] == "subscribed"
    talk.now_s += 1
    assert talk.do("status")["subscriptions"] == [*SOME[1:], "ticker"]


def test_a_ping_every_twenty_seconds_while_they_are_answered(talk):
    moments = []
    for _ in range(6):
        assert talk.server.ping(talk.server.due_s - 0.001, talk.now_us) is None
        talk.now_s = talk.server.due_s
        assert not talk.server.gone(talk.now_s)
        assert talk.server.ping(talk.now_s, talk.now_us) is not None
        moments.append(talk.now_s)
        talk.do("pong")
    assert moments == [1020.0, 1040.0, 1060.0, 1080.0, 1100.0, 1120.0]


def test_sixty_seconds_after_a_ping_without_a_pong_or_three_missed_is_the_end(talk):
    assert talk.pings(2000.0) == ([1020.0, 1040.0, 1060.0], 1080.0)
    assert not talk.server.gone(1079.999)


def test_three_missed_pongs_are_the_end_though_the_first_ping_was_late(talk):
    talk.now_s = 1025.0
    assert talk.server.ping(talk.now_s, talk.now_us) is not None
    # Sixty seconds after the first would be 1085.
    assert talk.pings(2000.0) == ([1040.0, 1060.0], 1080.0)


def test_a_pong_at_the_last_moment_answers_all(talk):
    assert talk.pings(1079.0) == ([1020.0, 1040.0, 1060.0], None)
    talk.now_s = 1079.999
    talk.do("pong")
    assert talk.pings(2000.0) == ([1080.0, 1100.0, 1120.0], 1140.0)


# --- What cannot be done -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Invalid JSON."),
        ("\x00\xff", "Invalid JSON."),
        (b"\xff\xfe", "Invalid JSON."),
        ("[" * 100_000, "Invalid JSON."),
        ("[]", "Unknown action: None. Use one of subscribe, unsubscribe, ping, pong, status."),
        ('{"action": "dance"}', "Unknown action: dance. Use one of subscribe, unsubscribe, ping, pong, status."),
        ('{"channels": ["trade"]}', "Unknown action: None. Use one of subscribe, unsubscribe, ping, pong, status."),
        ('{"action": ["ping"]}', "Unknown action: ['ping']. Use one of subscribe, unsubscribe, ping, pong, status."),
        ('{"action": "subscribe"}', "Invalid subscribe: 'channels' must be a list of names."),
        ('{"action": "subscribe", "channels": "trade"}', "Invalid subscribe: 'channels' must be a list of names."),
        ('{"action": "unsubscribe", "channels": [1]}', "Invalid unsubscribe: 'channels' must be a list of names."),
        ('{"action": "subscribe", "channels": ["trade", "trades", "trade:foousdt"]}', "Unknown channel: trades, trade:foousdt."),
    ],
)
def test_an_error_says_what_is_wrong_and_nothing_changes(talk, text, said):
    assert json.loads(talk.say(text)) == {"error": said}
    assert talk.do("status")["subscriptions"] == []


def test_a_message_belongs_to_whoever_asked_for_it_once(talk):
    talk.do("subscribe", channels=["trade", "trade:btcusdt", "kline:1m:solusdt"])
    assert talk.server.wants(Channel("trade", "ETHUSDT"))
    assert talk.server.wants(Channel("kline", "SOLUSDT", "1m"))
    assert not talk.server.wants(Channel("kline", "SOLUSDT", "5m"))
    assert not talk.server.wants(Channel("ticker", "BTCUSDT"))
    talk.do("unsubscribe", channels=["trade"])
    assert not talk.server.wants(Channel("trade", "ETHUSDT"))
    assert talk.server.wants(Channel("trade", "BTCUSDT"))


def test_the_documented_symbols_are_there_and_those_of_what_is_played(talk):
    symbols = talk.server._symbols
    assert talk.do("subscribe", channels=["trade:ethusdt", "kline:1m:dashusdt"])["type"] == "subscribed"
    assert talk.do("subscribe", channels=["trade:uniusdt"]) == {"error": "Unknown channel: trade:uniusdt."}
    symbols.add("UNIUSDT")  # it has turned up
    assert talk.do("subscribe", channels=["trade:uniusdt"])["type"] == "subscribed"


def test_a_heartbeat_that_was_held_begins_anew(talk):
    assert talk.pings(1079.0)[0] == [1020.0, 1040.0, 1060.0]
    talk.server.hold_heartbeat(1079.0)
    assert talk.pings(1160.0) == ([1099.0, 1119.0, 1139.0], 1159.0)


def test_what_belongs_to_no_channel_goes_to_whoever_listens_at_all(talk):
    assert not talk.server.wants(Channel())
    talk.do("subscribe", channels=["trade:btcusdt"])
    assert talk.server.wants(Channel())
