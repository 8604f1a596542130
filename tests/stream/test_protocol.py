"""The client's side of the stream by transcripts: what it is told, when, and what it does then."""

from __future__ import annotations

import json
import math

import pytest
import wire_examples as docs
from hypothesis import given
from hypothesis import strategies as st

from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Close, Limits, Loss, Notice, Open, Send
from qalypto_research.stream.protocol import Protocol

WELCOME = json.loads(docs.CONNECTED)
RATE_LIMITED = json.loads(docs.RATE_LIMITED)


class Client:
    """A protocol, its time, and what it did, in short."""

    def __init__(self, *wanted, jitter=0.5, **limits):
        self.protocol = Protocol(jitter=lambda: jitter, limits=Limits(**limits))
        self.now = 0.0
        self.did(self.protocol.want([Channel.parse(text) for text in wanted], self.now))

    def did(self, actions):
        """Return actions in short: what is sent as a dict, the rest as words."""
        short = []
        for action in actions:
            if isinstance(action, Send):
                short.append(json.loads(action.text))
            elif isinstance(action, Notice):
                short.append((action.what, action.detail))
            else:
                short.append({Open: "open", Close: "close"}[type(action)])
        return short

    def want(self, *texts):
        return self.did(self.protocol.want([Channel.parse(text) for text in texts], self.now))

    def start(self):
        return self.did(self.protocol.start())

    def opened(self):
        return self.did(self.protocol.opened(self.now))

    def told(self, **content):
        return self.did(self.protocol.message(content, self.now))

    def heard(self):
        self.protocol.heard(self.now)

    def lost(self, reason="cut", **more):
        return self.did(self.protocol.lost(Loss(reason, **more), self.now))

    def at(self, now):
        """Go to a moment, doing on the way whatever is due; return all that was done."""
        done = []
        while self.protocol.due_s <= now:
            before = self.protocol.due_s
            self.now = max(self.now, before)
            done += self.did(self.protocol.tick(self.now))
            assert self.protocol.due_s > before or self.protocol.due_s == math.inf, "the same is due again"
        self.now = now
        return done + self.did(self.protocol.tick(now))

    def live(self):
        """Connect and subscribe to all that is wanted."""
        assert self.start() == ["open"]
        assert self.opened() == []
        (asked,) = self.told(**WELCOME)
        self.told(type="subscribed", channels=asked["channels"])
        assert self.protocol.state == "live"
        return self


def subscribe(*channels):
    return {"action": "subscribe", "channels": list(channels)}


def unsubscribe(*channels):
    return {"action": "unsubscribe", "channels": list(channels)}


PONG, PING, STATUS = {"action": "pong"}, {"action": "ping"}, {"action": "status"}

# --- Coming up -----------------------------------------------------------------------------------------------------


def test_from_the_start_to_live():
    client = Client("trade", "ticker", "kline", "orderbook")
    assert client.protocol.state == "new"
    assert client.start() == ["open"]
    assert client.protocol.state == "connecting"
    assert client.opened() == []
    assert client.told(**WELCOME) == [json.loads(docs.SUBSCRIBE)]
    assert client.told(**json.loads(docs.SUBSCRIBED)) == [("live", "kline, orderbook, ticker, trade")]
    assert client.protocol.state == "live"


def test_without_a_welcome_it_subscribes_after_a_while():
    client = Client("trade")
    client.start()
    client.opened()
    assert client.at(4.9) == []
    assert client.at(5.0) == [subscribe("trade")]
    assert client.told(**WELCOME) == []  # late
    assert client.told(type="subscribed", channels=["trade"]) == [("live", "trade")]


@pytest.mark.parametrize(
    "content", [{"type": "subscribed"}, {"type": "subscribed", "channels": "all"}, {"type": "subscribed", "channels": ["trade", "more"]}]
)
def test_a_confirmation_may_have_another_form(content):
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.told(**content) == [("live", "trade")]


def test_data_is_a_confirmation_where_there_is_no_other():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    client.now = 3.0
    client.heard()
    assert client.at(9.9) == []
    assert client.at(10.0) == [("live", "trade")]


def test_without_a_confirmation_and_without_data_the_connection_is_replaced():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.at(10.0) == ["close", ("lost", "no answer to subscribe; trying again in 1.0 s")]
    assert client.lost("closed") == []  # what it has closed itself is no news
    assert client.at(11.0) == ["open"]


def test_a_channel_that_is_not_confirmed_with_the_others_is_told_and_asked_for_on_the_next_connection():
    client = Client("trade", "ticker")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.told(type="subscribed", channels=["trade"]) == [("live", "trade"), ("unconfirmed", "ticker")]
    assert client.protocol.refused == {}
    assert client.at(20) == []
    client.lost()
    client.at(21.0)
    client.opened()
    assert client.told(**WELCOME) == [subscribe("trade", "ticker")]


def test_a_confirmation_in_other_letters_is_one():
    client = Client("trade:btcusdt")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.told(type="subscribed", channels=["trade:BTCUSDT"], error=None) == [("live", "trade:btcusdt")]


def test_an_answer_to_something_else_answers_nothing():
    client = Client("kline:1m:btcusdt")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.told(type="unsubscribed", channels=["kline:1m:btcusdt"]) == []
    assert client.told(type="subscribed", channels=["ticker:ethusdt"]) == []
    assert client.told(type="subscribed", channels=["kline:1m:btcusdt"]) == [("live", "kline:1m:btcusdt")]


def test_unsubscribing_needs_no_answer():
    client = Client("trade", "ticker").live()
    assert client.want("trade") == [unsubscribe("ticker")]
    assert client.at(10.0) == []
    assert client.want("trade", "kline") == [subscribe("kline")]


def test_what_the_server_said_is_the_reason_where_it_gave_no_answer():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    client.told(error="Forbidden.")
    assert client.at(10.0) == ["close", ("lost", "no answer to subscribe but: Forbidden.; trying again in 1.0 s")]


def test_starting_twice_or_after_the_end_does_nothing():
    client = Client("trade").live()
    assert client.start() == []
    client.did(client.protocol.stop())
    assert client.start() == []
    assert client.protocol.state == "stopped"


def test_wanting_nothing_is_no_failure():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.want() == []
    assert client.told(error="Unknown channel: trade.") == [("refused", "trade: Unknown channel: trade.")]
    assert client.protocol.state == "connecting"


def test_data_that_is_told_of_late_makes_it_speak_no_sooner():
    client = Client("trade").live()
    for _ in range(9):
        client.protocol.ask_status(client.now)
    client.now = 1.5
    client.protocol.heard(1.05)
    assert client.did(client.protocol.tick(client.now)) == [STATUS] * 5
    assert client.protocol.due_s >= 2.6


def test_answers_nobody_waits_for_change_nothing():
    client = Client("trade").live()
    assert client.told(type="subscribed", channels=["ticker"]) == []
    assert client.told(type="unsubscribed", channels=["trade"]) == []
    assert client.told(type="pong") == client.told(type="pong_ack") == []
    assert client.told(type="liquidation") == [("unknown", "liquidation")]
    assert client.told(type="liquidation") == []  # once is enough
    assert client.told() == [("unknown", "None")]
    for n in range(2_000):
        client.told(type=f"type {n}")
    assert len(client.protocol._told_unknown) == 1_000


# --- Heartbeat -----------------------------------------------------------------------------------------------------


def test_a_ping_is_answered_at_once():
    client = Client("trade").live()
    assert client.told(**json.loads(docs.PING)) == [PONG]
    assert client.told(**json.loads(docs.PONG_ACK)) == []


def test_a_pong_goes_ahead_of_whatever_waits():
    client = Client("trade").live()
    sent = [client.did(client.protocol.ask_status(client.now)) for _ in range(6)]
    assert sent == [[STATUS]] * 4 + [[]] * 2  # the fifth of the second was "subscribe"
    assert client.told(type="ping") == []
    assert client.told(type="ping") == []  # one answer is owed for both
    assert client.at(1.09) == []
    assert client.at(1.1) == [PONG, STATUS, STATUS]


@given(st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from(["ping", "status", "want"])), max_size=80))
def test_never_more_than_five_in_a_second(steps):
    client = Client("trade").live()
    moments = [0.0]
    wanted = False
    for wait, what in steps:
        until = client.now + wait
        while client.protocol.due_s <= until:
            client.now = max(client.now, client.protocol.due_s)
            moments += [client.now for action in client.protocol.tick(client.now) if isinstance(action, Send)]
        client.now = until
        if what == "ping":
            done = client.told(type="ping")
        elif what == "status":
            done = client.did(client.protocol.ask_status(client.now))
        else:
            wanted = not wanted
            done = client.want("trade", "ticker") if wanted else client.want("trade")
        moments += [client.now for action in done if isinstance(action, dict)]
    for first, sixth in zip(moments, moments[5:], strict=False):
        assert sixth - first >= 1.0999


def test_a_silent_connection_is_asked_and_then_replaced():
    client = Client("trade").live()
    assert client.at(29.9) == []
    assert client.at(30.0) == [("stale", "nothing heard for 30 s"), PING]
    assert client.at(39.9) == []
    assert client.at(40.0) == ["close", ("lost", "silent for 40 s; trying again in 1.0 s")]


@pytest.mark.parametrize("kind", ["pong", "pong_ack", "ping"])
def test_any_word_ends_a_silence(kind):
    client = Client("trade").live()
    client.at(30.0)
    client.now = 35.0
    client.told(type=kind)
    assert client.at(64.9) == []
    assert client.at(65.0)[0] == ("stale", "nothing heard for 30 s")


def test_data_ends_a_silence_and_a_heartbeat_alone_does_not_for_ever():
    client = Client("trade").live()
    client.at(30.0)
    client.heard()
    done = []
    for now in range(50, 331, 20):
        done += client.at(float(now))
        if client.protocol.state == "live":
            client.told(type="ping")
    assert done == ["close", ("lost", "no data for 300 s, though the heartbeat goes on; trying again in 1.0 s")]


def test_a_quiet_market_is_no_fault():
    client = Client("trade").live()
    for now in range(20, 1000, 20):
        assert client.at(float(now)) == []
        assert client.told(type="ping") == [PONG]


# --- Coming back ---------------------------------------------------------------------------------------------------


def test_the_waits_grow_up_to_a_minute_and_begin_anew_after_success():
    client = Client("trade")
    client.start()
    waits = []
    for _ in range(9):
        ((_, said),) = client.lost("refused")
        waits.append(float(said.split()[-2]))
        assert client.at(client.protocol.due_s - 0.001) == []
        assert client.at(client.protocol.due_s) == ["open"]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    client.opened()
    client.told(**WELCOME)
    client.told(type="subscribed", channels=["trade"])
    assert client.lost() == [("lost", "cut; trying again in 1.0 s")]
    assert client.protocol.reason == "cut"
    assert client.protocol.reconnects == 0  # it has come to live but once
    client.at(client.protocol.due_s)
    client.opened()
    client.told(**WELCOME)
    assert client.told(type="subscribed", channels=["trade"]) == [("reconnect", "trade")]
    assert client.protocol.reconnects == 1


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.75), (1.0, 1.25)])
def test_the_waits_vary(jitter, wait):
    client = Client("trade", jitter=jitter).live()
    client.lost()
    assert client.protocol.due_s == wait


def test_an_open_connection_that_is_lost_before_it_is_live_counts_as_a_failure():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.lost() == [("lost", "cut; trying again in 1.0 s")]
    client.at(1.0)
    client.opened()
    assert client.lost() == [("lost", "cut; trying again in 2.0 s")]


def test_subscriptions_are_kept_here_and_sent_again():
    client = Client("trade:btcusdt").live()
    assert client.want("trade:btcusdt", "kline:1m:btcusdt") == [subscribe("kline:1m:btcusdt")]
    client.told(type="subscribed", channels=["kline:1m:btcusdt"])
    client.lost()
    client.at(1.0)
    client.opened()
    assert client.told(**WELCOME) == [subscribe("trade:btcusdt", "kline:1m:btcusdt")]


def test_questions_and_pongs_of_a_lost_connection_are_not_sent_on_the_next():
    client = Client("trade").live()
    for _ in range(9):
        client.protocol.ask_status(client.now)
    client.told(type="ping")
    client.lost()
    client.at(1.0)
    client.opened()
    assert client.told(**WELCOME) == [subscribe("trade")]


def test_what_comes_between_two_connections_is_nothing():
    client = Client("trade").live()
    client.lost()
    client.heard()
    assert client.told(type="ping") == client.lost("again") == []
    assert client.did(client.protocol.ask_status(client.now)) == []
    assert client.want("ticker") == []
    assert client.at(0.5) == []


@pytest.mark.parametrize(
    ("loss", "state"), [(Loss("wrong token", final=True), "failed"), (Loss("replay finished", finished=True), "finished")]
)
def test_what_trying_again_cannot_help_is_the_end(loss, state):
    client = Client("trade").live()
    assert client.did(client.protocol.lost(loss, client.now)) == [(state, loss.reason)]
    assert client.protocol.state == state
    assert client.at(1000.0) == []
    assert client.protocol.due_s == math.inf


def test_stopping_is_the_end():
    client = Client("trade").live()
    assert client.did(client.protocol.stop()) == ["close"]
    assert client.did(client.protocol.stop()) == ["close"]
    assert client.lost() == []
    assert client.opened() == ["close"]  # one that was on its way
    assert client.at(1000.0) == []


# --- Subscriptions -------------------------------------------------------------------------------------------------


def test_what_is_wanted_changes_by_the_difference():
    client = Client("trade:btcusdt", "trade:ethusdt").live()
    assert client.want("trade:ethusdt", "ticker") == [subscribe("ticker")]
    assert client.want("trade:ethusdt", "ticker", "kline") == []  # one question at a time
    assert client.told(type="subscribed", channels=["ticker"]) == [subscribe("kline")]
    assert client.told(type="subscribed", channels=["kline"]) == [unsubscribe("trade:btcusdt")]
    assert client.told(type="unsubscribed", channels=["trade:btcusdt"]) == []
    assert client.at(20.0) == []


def test_the_servers_own_limits_count():
    client = Client("trade:btcusdt", "trade:ethusdt", "ticker:btcusdt")
    client.start()
    client.opened()
    guidelines = {"rate_limits": {"max_control_messages_per_second": 2, "max_subscriptions_per_connection": 2}}
    assert client.told(type="connected", connection_guidelines=guidelines) == [subscribe("ticker:btcusdt", "trade")]
    assert client.did(client.protocol.ask_status(client.now)) == [STATUS]
    assert client.did(client.protocol.ask_status(client.now)) == []
    assert client.at(1.1) == [STATUS]


@pytest.mark.parametrize(
    "guidelines",
    [
        None,
        "none",
        {},
        {"rate_limits": []},
        {"rate_limits": {"max_subscriptions_per_connection": "many", "max_control_messages_per_second": True}},
    ],
)
def test_limits_that_say_nothing_are_the_documented_ones(guidelines):
    wanted = [
        f"kline:{i}:{s}"
        for s in ("btcusdt", "ethusdt", "solusdt", "xrpusdt", "bnbusdt", "dogeusdt")
        for i in ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d")
    ]
    client = Client(*wanted, "trade", "ticker")
    client.start()
    client.opened()
    (asked,) = client.told(type="connected", connection_guidelines=guidelines)
    assert len(asked["channels"]) == 50


def test_where_there_is_no_room_for_both_the_old_goes_first():
    client = Client("trade:btcusdt", "trade:ethusdt")
    client.start()
    client.opened()
    client.told(type="connected", connection_guidelines={"rate_limits": {"max_subscriptions_per_connection": 2}})
    client.told(type="subscribed", channels=["trade:btcusdt", "trade:ethusdt"])
    assert client.want("ticker", "trade:ethusdt") == [unsubscribe("trade:btcusdt")]
    assert client.told(type="unsubscribed") == [subscribe("ticker")]


def test_a_rate_limit_error_waits_a_second_and_asks_again():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    client.now = 0.5
    assert client.told(**RATE_LIMITED) == [("error", RATE_LIMITED["error"])]
    assert client.told(type="ping") == []
    assert client.at(1.49) == []
    assert client.at(1.5) == [PONG, subscribe("trade")]


def test_a_status_that_may_have_been_refused_is_asked_for_again():
    client = Client("trade").live()
    client.did(client.protocol.ask_status(client.now))
    client.told(**RATE_LIMITED)
    client.told(**RATE_LIMITED)
    assert client.at(0.9) == []
    assert client.at(1.0) == [STATUS]


def test_a_pong_that_may_have_been_refused_is_sent_again():
    client = Client("trade").live()
    assert client.told(type="ping") == [PONG]
    client.told(**RATE_LIMITED)
    assert client.at(1.0) == [PONG]
    client.at(15.0)
    client.told(**RATE_LIMITED)
    assert client.at(20.0) == []  # none was sent for long


def test_a_channel_at_fault_among_others_is_found_and_refused_alone():
    client = Client("trade", "ticker", "kline")
    client.start()
    client.opened()
    client.told(**WELCOME)
    error = "Unknown channel: ticker."
    assert client.told(error=error) == [("error", error), subscribe("trade")]
    assert client.told(type="subscribed", channels=["trade"]) == [("live", "trade"), subscribe("ticker")]
    assert client.told(error=error) == [("refused", f"ticker: {error}"), subscribe("kline")]
    assert client.told(type="subscribed", channels=["kline"]) == []
    assert client.protocol.refused == {"ticker": error}
    client.lost()
    client.at(2.0)
    client.opened()
    assert client.told(**WELCOME) == [subscribe("trade", "kline")]  # it is not asked for again
    assert client.want("trade", "kline") == []
    assert client.protocol.refused == {}


def test_without_any_channel_left_it_has_failed():
    client = Client("trade:foousdt")
    client.start()
    client.opened()
    client.told(**WELCOME)
    error = "Unknown channel: trade:foousdt."
    assert client.told(error=error) == [
        ("refused", f"trade:foousdt: {error}"),
        ("failed", f"every channel was refused: trade:foousdt: {error}"),
        "close",
    ]
    assert client.protocol.state == "failed"


def test_failed_for_want_of_a_channel_it_begins_anew_with_another():
    client = Client("trade:foousdt")
    client.start()
    client.opened()
    client.told(**WELCOME)
    client.told(error="Unknown channel: trade:foousdt.")
    assert client.want("trade:foousdt") == []
    assert client.want("trade:foousdt", "ticker") == ["open"]
    assert (client.protocol.state, client.protocol.reason) == ("connecting", "")
    assert client.want("trade:foousdt", "ticker") == []
    client.opened()
    assert client.told(**WELCOME) == [subscribe("ticker")]
    assert client.told(type="subscribed", channels=["ticker"]) == [("live", "ticker")]


def test_other_errors_are_told_and_nothing_more():
    client = Client("trade")
    client.start()
    client.opened()
    client.told(**WELCOME)
    assert client.told(error="Internal error.") == [("error", "Internal error.")]
    assert client.told(type="subscribed", channels=["trade"]) == [("live", "trade")]
    assert client.told(error="Unknown channel: x.") == [("error", "Unknown channel: x.")]  # of nothing that was asked


def test_an_error_about_unsubscribing_refuses_nothing():
    client = Client("trade", "ticker").live()
    assert client.want("trade") == [unsubscribe("ticker")]
    assert client.told(error="Unknown channel: ticker.") == [("error", "Unknown channel: ticker.")]
    assert client.protocol.refused == {}


def test_a_status_is_told():
    client = Client("trade").live()
    assert client.did(client.protocol.ask_status(client.now)) == [STATUS]
    (notice,) = client.protocol.message(json.loads(docs.STATUS), client.now)
    assert (notice.what, notice.content) == ("status", json.loads(docs.STATUS))


def limited(client, most):
    """Connect to a server that allows so many subscriptions."""
    client.start()
    client.opened()
    return client.told(type="connected", connection_guidelines={"rate_limits": {"max_subscriptions_per_connection": most}})


def test_where_a_wider_channel_is_refused_as_many_as_fit_come_and_the_others_are_told():
    client = Client("trade:btcusdt", "trade:ethusdt", "ticker:btcusdt")
    assert limited(client, 2) == [subscribe("ticker:btcusdt", "trade")]
    assert client.told(error="Unknown channel: trade.")[1:] == [subscribe("ticker:btcusdt")]
    assert client.told(type="subscribed", channels=["ticker:btcusdt"])[1:] == [subscribe("trade")]
    assert client.told(error="Unknown channel: trade.") == [("refused", "trade: Unknown channel: trade."), subscribe("*")]
    refused = client.told(error="Unknown channel: *.")
    assert [what for what, _ in refused[:2]] == ["refused", "refused"]
    assert refused[1][1] == "ticker:btcusdt: there is no room for it beside the others, and * was refused"
    assert refused[2:] == [unsubscribe("ticker:btcusdt")] or refused[2:] == [subscribe("trade:btcusdt")]


def test_where_nothing_wider_is_to_be_had_it_does_not_hang():
    client = Client("trade:btcusdt", "ticker:btcusdt", "orderbook:btcusdt")
    assert limited(client, 2) == [subscribe("*")]
    told = client.told(error="Unknown channel: *.")
    assert told[-1] == subscribe("trade:btcusdt", "ticker:btcusdt")
    assert client.told(type="subscribed", channels=["trade:btcusdt", "ticker:btcusdt"]) == [("live", "ticker:btcusdt, trade:btcusdt")]
    assert client.protocol.refused["orderbook:btcusdt"].startswith("there is no room for it")
