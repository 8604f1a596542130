"""What is refused and what is tried again, against a real server on this machine that answers from a script."""

from __future__ import annotations

import http.server
import threading

import pytest

import qalypto_research as qr
from qalypto_research.engine.transport import Patience, Pool

OK = (200, {}, b"Ok.\n")


class Scripted(http.server.ThreadingHTTPServer):
    """Gives one answer after another: status, headers, body; the last again and again."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = [OK]
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        server.requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers)))
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        self.server.requests.append((self.path, b"", dict(self.headers)))
        self.send_error(403)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Scripted() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def waited():
    return []


@pytest.fixture
def pool(waited):
    with Pool(options={"retries": False, "timeout": 5}, patience=Patience(sleep=waited.append, jitter=lambda: 0.5)) as opened:
        yield opened


def ask(pool, server):
    return pool.request("POST", server.url, body=b"SELECT 1", headers={"Authorization": "Basic c2VjcmV0"})


def test_an_answer_is_handed_on(pool, server, waited):
    assert ask(pool, server).data == b"Ok.\n"
    assert waited == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_nothing_is_sent_there(pool, server, status):
    with Scripted() as elsewhere:
        server.answers = [(status, {"Location": f"{elsewhere.url}login?token=abc"}, b"")]
        with pytest.raises(qr.errors.ServiceError, match=rf"redirect to 127\.0\.0\.1:{elsewhere.server_port} .*not followed") as caught:
            ask(pool, server)
        assert elsewhere.requests == []
    assert "token" not in str(caught.value)
    assert "QALYPTO_CF_ACCESS_CLIENT_ID" in str(caught.value)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again_with_growing_waits(pool, server, waited, status):
    server.answers = [(status, {}, b"later")] * 3 + [OK]
    assert ask(pool, server).data == b"Ok.\n"
    assert waited == [0.5, 1.0, 2.0]
    assert {body for _, body, _ in server.requests} == {b"SELECT 1"}


def test_a_server_that_says_how_long_is_given_so_long(pool, server, waited):
    server.answers = [(429, {"Retry-After": "7"}, b""), (503, {"Retry-After": "0"}, b""), OK]
    assert ask(pool, server).data == b"Ok.\n"
    assert waited == [7.0, 1.0]


def test_a_server_that_stays_busy_is_given_up_within_a_bound(pool, server, waited):
    server.answers = [(503, {}, b"")]
    with pytest.raises(qr.errors.BusyError, match="HTTP 503 Service Unavailable, 5 tries"):
        ask(pool, server)
    assert sum(waited) <= 15
    assert len(server.requests) == 5


def test_a_wait_over_the_bound_is_not_begun(pool, server, waited):
    server.answers = [(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(qr.errors.BusyError):
        ask(pool, server)
    assert (waited, len(server.requests)) == ([], 1)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_before_clickhouse_names_the_service_token(pool, server, status):
    server.answers = [(status, {"Content-Type": "text/html"}, b"<html>Access denied</html>")]
    with pytest.raises(qr.errors.AuthenticationError, match="QALYPTO_CF_ACCESS_CLIENT_SECRET"):
        ask(pool, server)


def test_a_server_that_is_no_clickhouse_is_named(pool, server):
    server.answers = [(404, {}, b"<html>nothing here</html>")]
    with pytest.raises(qr.errors.ServiceError, match=r"does not answer as ClickHouse does: HTTP 404.*QALYPTO_CLICKHOUSE_URL"):
        ask(pool, server)


def test_clickhouses_own_errors_are_left_to_its_client(pool, server):
    server.answers = [(404, {"X-ClickHouse-Exception-Code": "60"}, b"Code: 60. DB::Exception: Unknown table")]
    assert ask(pool, server).status == 404


def test_the_servers_name_is_kept(pool, server):
    server.answers = [(200, {"X-ClickHouse-Server-Display-Name": "a stand-in"}, b"Ok.\n"), OK]
    ask(pool, server)
    ask(pool, server)
    assert pool.server_name == "a stand-in"


def test_a_proxy_of_the_environment_is_gone_through_but_not_to_this_machine(server, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, server.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(qr.errors.ServiceError, match="proxy"):
        qr.connect("https://clickhouse.example:8443", username="me", password="x")  # noqa: S106 - made up
    assert {path for path, *_ in server.requests} == {"clickhouse.example:8443"}
    asked = len(server.requests)
    with pytest.raises(qr.errors.ServiceError, match="cannot be reached"):
        qr.connect("http://127.0.0.1:1", username="me", password="x")  # noqa: S106 - made up
    assert len(server.requests) == asked
