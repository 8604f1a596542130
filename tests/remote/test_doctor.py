"""``qalypto doctor``: each step's good and bad outcome, what it says to do, and the exit code."""

from __future__ import annotations

import re
import ssl
import threading

import pytest

from qalypto_research import cli, doctor
from qalypto_research.local.testing import StandIn

STEPS = ["settings", "name", "connection", "login", "tables", "clock", "stream"]


@pytest.fixture(scope="module")
def own():
    """Return a stand-in over TLS of these tests' own: who listens to the stream has its clock run."""
    with StandIn("sample", require_cloudflare=True) as started:
        yield started


@pytest.fixture
def tls(own):
    """Return the stand-in over TLS, without faults."""
    own.heal()
    return own


@pytest.fixture
def examine(monkeypatch, capsys):
    """Return a function that runs the command in an environment; it returns the exit code, the findings and the rest."""

    def run(environment, **changed):
        for name, value in (environment | {f"QALYPTO_{name.upper()}": value for name, value in changed.items()}).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        code = cli.main(["doctor"])
        out, err = capsys.readouterr()
        assert environment.get("QALYPTO_PASSWORD", "never") not in out + err
        assert environment.get("QALYPTO_CF_ACCESS_CLIENT_SECRET", "never") not in out + err
        return code, [re.fullmatch(r"(ok  |FAIL)  (\w+) +(.+)", line).groups() for line in out.splitlines()], err

    return run


def stopped_at(found, step, said):
    """Make sure that all steps before `step` were good, that it was not, and what it said."""
    code, findings, err = found
    assert code == 1
    assert [(good, name) for good, name, _ in findings] == [("ok  ", s) for s in STEPS[: STEPS.index(step)]] + [("FAIL", step)]
    assert re.search(said, findings[-1][2]), findings[-1][2]
    assert err == f"qalypto: doctor stopped at: {step}\n"


def test_all_is_well(examine, tls):
    code, findings, err = examine(tls.environment())
    assert (code, err) == (0, "")
    assert [(good, name) for good, name, _ in findings] == [("ok  ", step) for step in STEPS]
    said = [text for _, _, text in findings]
    assert said[0] == f"user quant at {tls.url}, with a Cloudflare service token"
    assert said[1] == "127.0.0.1 is 127.0.0.1"
    assert re.fullmatch(r"TLSv1\.[23], certificate valid until .* GMT", said[2])
    assert said[3:5] == ["accepted", "the four tables are as documented"]
    # The stand-in's clock stands in March 2026.
    assert re.match(r"this machine is \d+\.\d{3} s (ahead of|behind) the server .* set it \(NTP\)$", said[5])
    assert re.fullmatch(rf"live at {re.escape(tls.stream_url)} after \d+\.\d s, subscribed to trade:btcusdt", said[6])
    assert not [t for t in threading.enumerate() if t.name == "qalypto-stream"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stream_url": "wss://127.0.0.1:9/ws/stream"}, r"^wss://127.0.0.1:9/ws/stream: no connection \(.*; check QALYPTO_STREAM_URL$"),
        ({"stream_url": "https://127.0.0.1"}, "^QALYPTO_STREAM_URL: 'https://127.0.0.1' cannot be used"),
    ],
)
def test_a_stream_that_is_not_to_be_had(examine, tls, changed, said):
    stopped_at(examine(tls.environment(), **changed), "stream", said)


def test_a_stream_that_refuses(examine, tls):
    tls.fault("unauthorized")
    stopped_at(examine(tls.environment()), "stream", "the stream does not accept the service token")


def test_without_a_service_token_the_stream_is_not_tried(examine, gateway):
    code, findings, _ = examine(gateway.environment(), cf_access_client_id=None, cf_access_client_secret=None)
    assert code == 0
    assert findings[-1][1:] == (
        "stream",
        "not tried: it asks for a service token, QALYPTO_CF_ACCESS_CLIENT_ID and QALYPTO_CF_ACCESS_CLIENT_SECRET",
    )


def test_a_clock_that_is_right_is_not_complained_of(examine, gateway, monkeypatch):
    moment = 1_772_456_430.0  # 2026-03-02 13:00:30 UTC, where the stand-in's clock stands
    monkeypatch.setattr(doctor.time, "time", lambda: moment + 0.25)
    code, findings, _ = examine(gateway.environment(), cf_access_client_id=None, cf_access_client_secret=None)
    assert code == 0
    assert findings[-2][2] == "this machine is 0.250 s ahead of the server (give or take 0.000 s)"
    assert findings[2][2] == "open, without TLS: this machine only"


def test_no_account(examine):
    stopped_at(examine({}), "settings", r"^no account is configured; set QALYPTO_USERNAME and QALYPTO_PASSWORD\. .*'sample'")


@pytest.mark.parametrize("missing", ["username", "password", "cf_access_client_id", "cf_access_client_secret"])
def test_half_an_account(examine, tls, missing):
    stopped_at(examine(tls.environment(), **{missing: None}), "settings", rf"is set and QALYPTO_{missing.upper()} is not; set it in")


def test_an_address_that_would_tell_the_password(examine, tls):
    stopped_at(examine(tls.environment(), clickhouse_url="http://example.org"), "settings", "in the clear")


def test_a_name_that_does_not_resolve(examine, tls):
    url = "https://nowhere.invalid:8443"
    stopped_at(
        examine(tls.environment(), clickhouse_url=url), "name", r"cannot be resolved .*; check QALYPTO_CLICKHOUSE_URL and the network"
    )


def test_a_dead_port(examine):
    with StandIn("sample", http=True) as gone:
        environment = gone.environment()
    stopped_at(examine(environment), "connection", r"no connection .*refused.*; check QALYPTO_CLICKHOUSE_URL, a firewall or a proxy")


def test_a_certificate_that_is_not_trusted(examine, tls, tmp_path):
    stopped_at(examine(tls.environment(), ca_file=None), "connection", "the certificate is not trusted .*QALYPTO_CA_FILE")
    another = tmp_path / "another.pem"
    root = ssl.create_default_context().get_ca_certs(binary_form=True)[0]
    another.write_text(ssl.DER_cert_to_PEM_cert(root), encoding="ascii")
    stopped_at(examine(tls.environment(), ca_file=str(another)), "connection", "the certificate is not trusted .*QALYPTO_CA_FILE")


def test_a_certificate_file_that_is_none(examine, tls, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate", encoding="ascii")
    stopped_at(examine(tls.environment(), ca_file=str(empty)), "connection", "QALYPTO_CA_FILE")


def test_a_port_without_tls(examine, gateway):
    environment = gateway.environment()
    stopped_at(
        examine(environment, clickhouse_url=gateway.url.replace("http:", "https:")), "connection", r"no TLS there .*QALYPTO_CLICKHOUSE_URL"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "guessed"}, "user and password do not match; check QALYPTO_USERNAME and QALYPTO_PASSWORD"),
        ({"username": "somebody"}, "user and password do not match; check QALYPTO_USERNAME and QALYPTO_PASSWORD"),
        ({"cf_access_client_secret": "guessed"}, "before ClickHouse sees it: HTTP 403.*QALYPTO_CF_ACCESS_CLIENT_SECRET"),
        (
            {"cf_access_client_id": None, "cf_access_client_secret": None},
            "before ClickHouse sees it: HTTP 403.*QALYPTO_CF_ACCESS_CLIENT_ID",
        ),
    ],
)
def test_a_login_that_is_refused(examine, tls, changed, said):
    stopped_at(examine(tls.environment(), **changed), "login", said)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("redirect:to=https://login.example/", r"redirect to login\.example .*not followed"),
        ("quota", "a quota is used up"),
        ("cut", "nothing of the answer was kept, try again"),
        ("status:code=404", "does not answer as ClickHouse does: HTTP 404"),
    ],
)
def test_a_service_that_does_not_answer_as_it_should(examine, gateway, fault, said):
    gateway.script(fault)
    stopped_at(examine(gateway.environment()), "login", said)


def test_tables_that_are_not_the_documented_ones(examine, gateway):
    gateway.fault("missing", table="kline", column="is_final")
    stopped_at(examine(gateway.environment()), "tables", r"market_data_kline\.is_final is missing; it should be UInt8")
