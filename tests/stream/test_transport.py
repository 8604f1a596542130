"""The socket to the stream, against the stand-in: it comes back from every fault, and leaves nothing behind."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time

import pytest
from archives import trade, utc, write

from qalypto_research.config import Settings
from qalypto_research.local.testing import StandIn
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Limits
from qalypto_research.stream.protocol import Protocol
from qalypto_research.stream.transport import Transport

PATIENCE_S = 30
TRADES = [Channel.parse("trade:btcusdt")]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Return a folder with half an hour of trades, fifty a second."""
    root = tmp_path_factory.mktemp("archive")
    first, step = utc("12:00"), (utc("12:00:01") - utc("12:00")) / 50
    write(root, "trade", [trade((first + n * step).floor("ms"), 1.0 + n, trade_id=str(n), _seen=first + n * step) for n in range(90_000)])
    return root


@pytest.fixture(scope="module")
def running(archive):
    with StandIn(archive, at="2026-03-02 12:00:00", http=True, history=False) as started:
        yield started


@pytest.fixture
def standin(running):
    """Return a stand-in that plays, without faults."""
    running.heal()
    return running


class Heard:
    """What came, and what was told, as it comes; whoever waits is woken."""

    def __init__(self):
        self.ids, self.told, self.bad = [], [], []
        self.status = None
        self.changed = threading.Condition()

    def data(self, message):
        self._note(self.ids, int(message.data.trade_id))

    def tell(self, notice):
        self.status = notice.content or self.status
        self._note(self.told, (notice.what, notice.detail))

    def wrong(self, text):
        self._note(self.bad, text)

    def _note(self, notes, what):
        with self.changed:
            notes.append(what)
            self.changed.notify_all()

    def until(self, done):
        with self.changed:
            assert self.changed.wait_for(lambda: done(self), PATIENCE_S), (self.told, len(self.ids), self.bad)

    def whats(self):
        return [what for what, _ in self.told]


@pytest.fixture
def listen():
    """Return a function that listens to a stand-in."""
    opened = []

    def start(standin, channels=TRADES, *, limits=None, fails=False, **changed):
        account = {"cf_access_client_id": None, "cf_access_client_secret": None}
        account |= dict(zip(account, standin.stream_headers.values(), strict=True))
        given = {"username": "quant", "password": "x", "stream_url": standin.stream_url, "ca_file": standin.ca_file} | account | changed
        heard = Heard()
        access = Settings.read({name: value for name, value in given.items() if value is not None}).stream_access()
        protocol = Protocol(jitter=lambda: 0.5, limits=limits)
        transport = Transport(
            access, protocol, data=(lambda _: 1 // 0) if fails else heard.data, notice=heard.tell, bad=heard.wrong, beat=lambda _: None
        )
        opened.append(transport)
        transport.start(channels)
        return transport, heard, protocol

    yield start
    for one in opened:
        one.stop()


def test_it_comes_up_and_what_is_sent_is_handed_on_without_a_hole(standin, listen):
    transport, heard, protocol = listen(standin)
    heard.until(lambda h: len(h.ids) > 100)
    assert heard.told == [("live", "trade:btcusdt")]
    assert heard.ids == list(range(heard.ids[0], heard.ids[0] + len(heard.ids)))
    assert heard.bad == []
    assert transport.messages == len(heard.ids) + 2  # the welcome, and the confirmation
    transport.stop()
    assert protocol.state == "stopped"


def test_over_tls_the_certificate_is_checked(archive, listen):
    with StandIn(archive, at="2026-03-02 12:00:00", history=False) as secure:
        transport, heard, _ = listen(secure)
        heard.until(lambda h: h.ids)
        transport.stop()
        _, heard, protocol = listen(secure, ca_file=None)
        heard.until(lambda h: "failed" in h.whats())
    assert protocol.reason.startswith("the certificate is not trusted")
    assert "QALYPTO_CA_FILE" in protocol.reason


@pytest.mark.parametrize(
    ("fault", "details", "said"),
    [
        ("drop", {"after": 20, "times": 1}, "the connection broke off"),
        ("close", {"after": 20, "times": 1}, "closed by the server (1012: on purpose)"),
        ("refuse", {"times": 1}, "the stream is not to be had now (status 503)"),
        ("refuse", {"times": 1, "code": 429}, "the account has too many connections (status 429)"),
        ("break_handshake", {"times": 1}, "the handshake broke off"),
    ],
)
def test_it_comes_back_from_a_loss(standin, listen, fault, details, said):
    standin.fault(fault, **details)
    _, heard, protocol = listen(standin)
    heard.until(lambda h: h.whats()[-1:] in (["live"], ["reconnect"]) and "lost" in h.whats() and len(h.ids) > 40)
    assert protocol.reconnects == ("after" in details)
    lost = next(detail for what, detail in heard.told if what == "lost")
    assert lost.startswith(said)
    assert lost.endswith("trying again in 1.0 s")
    assert sorted(heard.ids) == heard.ids
    assert len(set(heard.ids)) == len(heard.ids)
    assert protocol.state == "live"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"cf_access_client_secret": "guessed"},
            "the stream does not accept the service token (status 403); check QALYPTO_CF_ACCESS_CLIENT_ID",
        ),
        ({"stream_url": "{root}/elsewhere"}, "there is no stream at that address (status 404); check QALYPTO_STREAM_URL"),
    ],
)
def test_what_trying_again_cannot_help_is_the_end(standin, listen, changed, said):
    changed = {name: value.format(root=standin.stream_url.removesuffix("/ws/stream")) for name, value in changed.items()}
    _, heard, protocol = listen(standin, **changed)
    heard.until(lambda h: h.told)
    assert heard.whats() == ["failed"]
    assert protocol.reason.startswith(said)
    assert "guessed" not in str(heard.told)


def test_a_redirect_is_refused(standin, listen):
    standin.fault("refuse", code=302)
    _, heard, _ = listen(standin)
    heard.until(lambda h: h.told)
    assert heard.told[0][1].startswith("the stream redirects (status 302), which would carry the token elsewhere")


def test_nobody_there(listen, standin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, heard, protocol = listen(standin, stream_url=f"ws://127.0.0.1:{port}/ws/stream")
    heard.until(lambda h: len(h.told) == 2)
    assert [what for what, _ in heard.told] == ["lost", "lost"]
    assert heard.told[0][1].startswith("no connection (")
    assert protocol.state == "waiting"


def test_a_silent_socket_is_found_and_replaced(standin, listen):
    standin.fault("silence", after=10, times=1)
    _, heard, _ = listen(standin, limits=Limits(silent_s=1.0, answer_s=1.0))
    heard.until(lambda h: h.whats()[-1:] == ["reconnect"] and len(h.ids) > 30)
    assert "stale" in heard.whats()
    assert dict(heard.told)["lost"].startswith("silent for ")


def test_one_that_was_held_up_reads_what_waits_before_it_calls_the_server_silent(standin, listen, monkeypatch):
    """As by a cell that holds the interpreter for eleven seconds, just after the subscription was asked for."""
    send, held = Transport._send, []

    def hold(transport):
        there, _, _ = select.select([transport._socket.transport.get_extra_info("socket")], [], [], PATIENCE_S)
        held.append(bool(there))
        now = transport._loop.time
        transport._loop.time = lambda: now() + 11.0

    def send_and_hold(transport, text):
        send(transport, text)
        if not held and "subscribe" in text:
            transport._loop.call_soon(hold, transport)

    monkeypatch.setattr(Transport, "_send", send_and_hold)
    _, heard, protocol = listen(standin)
    heard.until(lambda h: h.ids or "lost" in h.whats())
    assert held == [True]
    assert heard.told == [("live", "trade:btcusdt")]
    assert protocol.state == "live"


def test_bad_messages_are_counted_and_the_rest_goes_on(standin, listen):
    standin.script(
        "seed=1; invalid_json:times=3,after=5; wrong_type:times=3,after=15; unknown_type:times=2,after=25; error:times=1,after=30"
    )
    _, heard, _ = listen(standin)
    heard.until(lambda h: len(h.ids) > 60)
    assert len(heard.bad) == 6
    assert heard.whats() == ["live", "unknown", "error"]
    missing = set(range(heard.ids[0], heard.ids[-1] + 1)) - set(heard.ids)
    assert len(missing) == 8


def test_a_rate_limit_is_waited_out(standin, listen):
    standin.fault("rate_limit", times=1)
    _, heard, _ = listen(standin)
    heard.until(lambda h: h.ids)
    assert heard.whats() == ["error", "live"]


def test_what_is_wanted_may_change(standin, listen):
    transport, heard, protocol = listen(standin, [Channel.parse("ticker")])
    heard.until(lambda h: h.whats() == ["live"])
    assert heard.ids == []
    transport.want(TRADES)
    heard.until(lambda h: h.ids)
    assert [c.text for c in protocol.wanted] == ["trade:btcusdt"]


def test_the_server_is_asked_for_its_status(standin, listen):
    transport, heard, _ = listen(standin)
    heard.until(lambda h: h.ids)
    transport.ask_status()
    heard.until(lambda h: "status" in h.whats())
    assert heard.status["subscriptions"] == ["trade:btcusdt"]


def test_a_replay_that_ends_is_not_tried_again(tmp_path, listen):
    write(tmp_path, "trade", [trade(f"12:00:0{n}", trade_id=str(n)) for n in range(5)])
    with StandIn(tmp_path, at="2026-03-02 12:00:00", speed=0, http=True, history=False) as ending:
        _, heard, protocol = listen(ending)
        heard.until(lambda h: "finished" in h.whats())
    assert heard.ids == [1, 2, 3, 4]
    assert protocol.state == "finished"


def test_stopping_is_prompt_and_leaves_no_thread(standin, listen):
    transport, heard, _ = listen(standin)
    heard.until(lambda h: h.ids)
    begun = time.monotonic()
    transport.stop()
    transport.stop()
    assert time.monotonic() - begun < 2
    assert not transport.running
    assert not [t for t in threading.enumerate() if t.name == "qalypto-stream"]
    transport.want([])
    transport.ask_status()


def test_no_log_holds_a_secret(standin, listen, caplog):
    caplog.set_level(logging.DEBUG)
    _, heard, _ = listen(standin)
    heard.until(lambda h: h.ids)
    secrets = list(standin.stream_headers.values())
    assert not [record for record in caplog.records if any(secret in record.getMessage() for secret in secrets)]


@pytest.mark.parametrize("value", ["se\ncret", "se…cret", "trailing\n"])
def test_a_token_that_cannot_be_sent_is_the_end_and_does_not_show(standin, listen, value):
    _, heard, protocol = listen(standin, cf_access_client_secret=value)
    heard.until(lambda h: h.told)
    assert heard.whats() == ["failed"]
    assert protocol.reason.startswith("the header CF-Access-Client-Secret cannot be sent as it is; check QALYPTO_CF_ACCESS_CLIENT_ID")
    assert value.strip() not in str(heard.told)


def test_the_loopback_is_reached_without_the_environments_proxy(standin, listen, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    _, heard, _ = listen(standin)
    heard.until(lambda h: h.ids)


def test_what_fails_behind_it_is_no_fault_of_the_connections(standin, listen):
    _, heard, protocol = listen(standin, fails=True)
    heard.until(lambda h: len(h.bad) > 20)
    assert heard.whats() == ["live"]
    assert "ZeroDivisionError" in heard.bad[0]
    assert protocol.state == "live"


def test_stopping_before_it_has_begun_and_at_once(standin, listen):
    for _ in range(20):
        transport, _, protocol = listen(standin)
        transport.stop()
        assert not transport.running
        assert protocol.state == "stopped"
    access = Settings.read({"username": "q", "password": "x", "cf_access_client_id": "a", "cf_access_client_secret": "b"}).stream_access()
    never = Transport(access, Protocol(jitter=lambda: 0.5), data=print, notice=print, bad=print, beat=print)
    never.stop()
    assert not never.running
