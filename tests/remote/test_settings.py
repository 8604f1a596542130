"""Settings and secrets: where they come from, what is refused, and that none shows."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

import qalypto_research as qr
from qalypto_research.config import Settings, parse_endpoint
from qalypto_research.errors import ConfigurationError

PASSWORD = "hunter2-and-more"  # noqa: S105 - made up


def test_the_environment_the_file_and_the_argument_outweigh_one_another(monkeypatch):
    Path(".env").write_text(f"QALYPTO_USERNAME=filed\nQALYPTO_PASSWORD={PASSWORD}\n", encoding="utf-8")
    assert (Settings.read().access().username, Settings.read().access().password.get_secret_value()) == ("filed", PASSWORD)
    monkeypatch.setenv("QALYPTO_USERNAME", "exported")
    assert Settings.read().access().username == "exported"
    assert Settings.read({"username": "given"}).access().username == "given"


def test_the_address_is_the_services_unless_another_is_given():
    endpoint = Settings.read({"username": "me", "password": PASSWORD}).access().endpoint
    assert (endpoint.secure, endpoint.host, endpoint.port, endpoint.shown) == (
        True,
        "clickhouse.qalypto.com",
        8443,
        "https://clickhouse.qalypto.com:8443",
    )


def test_the_service_token_goes_along_where_there_is_one():
    given = {"username": "me", "password": PASSWORD, "cf_access_client_id": "an-id", "cf_access_client_secret": "a-secret"}
    headers = Settings.read(given).access().headers
    assert {name: value.get_secret_value() for name, value in headers.items()} == {
        "CF-Access-Client-Id": "an-id",
        "CF-Access-Client-Secret": "a-secret",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"username": "me"}, "QALYPTO_USERNAME is set and QALYPTO_PASSWORD is not"),
        ({"password": PASSWORD}, "QALYPTO_PASSWORD is set and QALYPTO_USERNAME is not"),
        ({"username": "me", "password": PASSWORD, "cf_access_client_id": "x"}, "QALYPTO_CF_ACCESS_CLIENT_SECRET is not"),
        ({"username": "me", "password": PASSWORD, "cf_access_client_secret": "x"}, "QALYPTO_CF_ACCESS_CLIENT_ID is not"),
        ({"cf_access_client_id": "x", "cf_access_client_secret": "y"}, "QALYPTO_USERNAME and QALYPTO_PASSWORD are not set"),
        ({}, r"QALYPTO_USERNAME and QALYPTO_PASSWORD are not set.*\.env.*'sample' needs no account"),
        ({"username": "me", "password": PASSWORD, "ca_file": "/no/such.pem"}, "QALYPTO_CA_FILE: /no/such.pem is no file"),
        ({"username": 3, "password": PASSWORD}, "QALYPTO_USERNAME: "),
    ],
)
def test_what_is_missing_or_half_given_is_named(given, said):
    with pytest.raises(qr.errors.ConfigurationError, match=said) as caught:
        qr.connect("service", **given)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_an_account_half_configured_is_never_answered_by_the_sample(monkeypatch):
    monkeypatch.setenv("QALYPTO_PASSWORD", PASSWORD)
    with pytest.raises(qr.errors.ConfigurationError, match="QALYPTO_USERNAME is not"):
        qr.connect()


def test_an_env_file_that_cannot_be_read_is_no_secret_told():
    Path(".env").write_bytes(b"QALYPTO_PASSWORD=\xff\xfe" + PASSWORD.encode())
    with pytest.raises(qr.errors.ConfigurationError, match=r"\.env cannot be read") as caught:
        qr.connect("service")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://clickhouse.qalypto.com:8443", "in the clear"),
        ("http://10.0.0.1:8123", "in the clear"),
        ("ftp://clickhouse.qalypto.com", "cannot be used"),
        ("clickhouse.qalypto.com:8443", "cannot be used"),
        ("https://", "cannot be used"),
        ("https://host:port", "not a URL"),
        ("https://host:99999", "not a URL"),
        ("https://host/?user=me", "cannot be used"),
        ("wss://watchdog.qalypto.com/ws/stream", "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url, said):
    with pytest.raises(qr.errors.ConfigurationError, match=said) as caught:
        parse_endpoint(url, "QALYPTO_CLICKHOUSE_URL")
    assert "QALYPTO_CLICKHOUSE_URL" in str(caught.value)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(qr.errors.ConfigurationError, match="QALYPTO_USERNAME and QALYPTO_PASSWORD") as caught:
        qr.connect(f"https://me:{PASSWORD}@clickhouse.qalypto.com:8443")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://localhost:8123", "localhost", 8123, ""),
        ("http://127.0.0.1", "127.0.0.1", 8123, ""),
        ("http://[::1]:9", "::1", 9, ""),
        ("https://example.org", "example.org", 8443, ""),
        ("https://example.org:1/house/", "example.org", 1, "/house"),
    ],
)
def test_an_address_is_taken_apart(url, host, port, path):
    found = parse_endpoint(url, "clickhouse_url")
    assert (found.host, found.port, found.path) == (host, port, path)


@pytest.mark.parametrize("option", [{"at": "2026-03-02"}, {"speed": 2.0}, {"ingestion_delay": "2s"}])
def test_what_belongs_to_archives_is_refused_for_the_service(option):
    with pytest.raises(qr.errors.InputError, match=f"^{next(iter(option))}: belongs to archives"):
        qr.connect("service", username="me", password=PASSWORD, **option)


def test_credentials_for_an_archive_are_refused():
    with pytest.raises(qr.errors.InputError, match=r"^username: belongs to the service"):
        qr.connect("sample", username="me")


def test_no_frame_on_the_way_to_an_error_holds_a_secret():
    given = {"username": "me", "password": PASSWORD, "cf_access_client_id": f"id-{PASSWORD}", "cf_access_client_secret": PASSWORD}
    with pytest.raises(qr.errors.ServiceError, match="cannot be reached") as caught:
        qr.connect("http://127.0.0.1:1", **given)
    secrets = (PASSWORD, "bWU6aHVudGVyMi1hbmQtbW9yZQ==")  # plain, and as HTTP's basic login writes it
    shown = []
    error: BaseException | None = caught.value
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_globals.get("__name__") != __name__:
                shown += [repr(value) for value in list(frame.tb_frame.f_locals.values())]
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    assert shown
    assert [text for text in shown if any(secret in text for secret in secrets)] == []


# --- The stream ----------------------------------------------------------------------------------------------------

ACCOUNT = {"username": "quant", "password": "pw", "cf_access_client_id": "id.access", "cf_access_client_secret": "secret"}


def test_the_way_to_the_services_stream():
    access = Settings.read(ACCOUNT).stream_access()
    assert access.url == "wss://watchdog.qalypto.com/ws/stream"
    assert {name: value.get_secret_value() for name, value in access.headers.items()} == {
        "CF-Access-Client-Id": "id.access",
        "CF-Access-Client-Secret": "secret",
    }
    addresses = {access.address() for _ in range(50)}
    assert len(addresses) == 50  # a name of its own for each connection
    assert all(re.fullmatch(r"wss://watchdog\.qalypto\.com/ws/stream/quant-[0-9a-f]{8}", address) for address in addresses)


def test_a_client_may_have_a_name_and_another_address():
    given = ACCOUNT | {"client_id": "my own/client", "stream_url": "ws://localhost:8444/ws/stream/"}
    assert Settings.read(given).stream_access().address() == "ws://localhost:8444/ws/stream/my%20own%2Fclient"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cf_access_client_id": None, "cf_access_client_secret": None}, "QALYPTO_CF_ACCESS_CLIENT_ID and QALYPTO_CF_ACCESS_CLIENT_SECRET"),
        ({"cf_access_client_secret": None}, "QALYPTO_CF_ACCESS_CLIENT_ID is set and QALYPTO_CF_ACCESS_CLIENT_SECRET is not"),
        (
            {"stream_url": "ws://example.com/ws"},
            r"QALYPTO_STREAM_URL: 'ws://example\.com/ws' would send the password in the clear; use wss",
        ),
        ({"stream_url": "https://example.com/ws"}, "QALYPTO_STREAM_URL: .* cannot be used; write it as wss://watchdog"),
        ({"stream_url": "wss://me:pw@example.com/ws"}, "QALYPTO_STREAM_URL: holds a user or a password"),
        ({"stream_url": "wss://example.com:port/ws"}, "QALYPTO_STREAM_URL: not a URL"),
    ],
)
def test_a_stream_that_cannot_be_reached_so_names_the_variable(changed, said):
    settings = Settings.read({name: value for name, value in (ACCOUNT | changed).items() if value is not None})
    with pytest.raises(ConfigurationError, match=said):
        settings.stream_access()
