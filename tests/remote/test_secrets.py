"""No secret shows: not in a log, an error, the variables of its frames, a connection, an answer or the list of processes."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from pathlib import Path

import pytest
from served_calls import CALLS

import qalypto_research as qr

FAULTS = [
    "cut:after=20",
    "exception",
    "quota",
    "denied",
    "redirect:to=http://127.0.0.1:1/",
    "status:code=500",
    "status:code=429,retry_after=60",
]


@pytest.fixture
def gateway(qalypto_standin):
    """Return the stand-in over TLS that wants the service token, too."""
    running = qalypto_standin("sample", require_cloudflare=True)
    yield running
    running.heal()


@pytest.fixture
def account(gateway):
    """Return the account as `qr.connect` takes it, all of it."""
    environment = gateway.environment()
    return {name.removeprefix("QALYPTO_").lower(): value for name, value in environment.items() if name != "QALYPTO_CLICKHOUSE_URL"}


@pytest.fixture
def secrets(account):
    """Return what must not show: as it is, as HTTP's login writes it, as Python shows it."""
    plain = [account["password"], account["cf_access_client_id"], account["cf_access_client_secret"]]
    basic = base64.b64encode(f"{account['username']}:{account['password']}".encode()).decode()
    return [*plain, basic, base64.b64encode(account["password"].encode()).decode()]


@pytest.fixture
def told(secrets):
    """Return a function that returns which of some texts tell a secret."""
    return lambda texts: [text for text in texts if any(secret in text for secret in secrets)]


def everything_in(error):
    """Return what is shown of an error, by the plainest and by the most talkative of handlers."""
    ours = error.__traceback__
    while ours is not None and ours.tb_frame.f_globals.get("__name__") == __name__:  # a test holds what it looks for
        ours = ours.tb_next
    told = traceback.TracebackException(type(error), error, ours, capture_locals=True)
    shown = ["".join(told.format()), repr(error), repr(error.args)]
    below = error
    while below is not None:
        frame = below.__traceback__
        while frame is not None:
            if frame.tb_frame.f_globals.get("__name__") != __name__:
                shown += [repr(value) for value in list(frame.tb_frame.f_locals.values())]
            frame = frame.tb_next
        below = below.__cause__ or below.__context__
    return shown


def everything_logged(caplog):
    return [f"{record.getMessage()} {record.args!r} {record.exc_text or ''}" for record in caplog.records]


@pytest.fixture(autouse=True)
def _talkative(caplog):
    """Let every logger say everything."""
    caplog.set_level(logging.DEBUG)
    for name in [name for name, one in logging.Logger.manager.loggerDict.items() if isinstance(one, logging.Logger)]:
        caplog.set_level(logging.DEBUG, logger=name)


def test_calls_that_succeed_tell_nothing(gateway, account, connect, caplog, told):
    con = connect(gateway.url, **account)
    shown = [repr(con), con._repr_html_(), repr(con.clock), repr(con.engine), str(con.target), con.source]
    for call in CALLS.values():
        answer = call(con)
        for frame in answer if isinstance(answer, list) else [answer]:
            shown += [json.dumps(frame.attrs), repr(frame)]
    assert told(shown) == []
    logged = everything_logged(caplog)
    assert any("urllib3" in record.name for record in caplog.records)  # it was listened to
    assert told(logged) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_errors_tell_nothing(gateway, account, connect, caplog, told, fault):
    con = connect(gateway.url, **account)
    con.symbols()
    con.engine._open()[1]._patience = type(con.engine._patience)(sleep=lambda _: None)
    gateway.script(fault)
    shown = [repr(con), con._repr_html_()]
    for call in (*(CALLS[name] for name in ("trades", "klines", "coverage", "sql")), lambda _: qr.connect(gateway.url, **account)):
        with pytest.raises(qr.QalyptoError) as caught:
            call(con)
        shown += everything_in(caught.value)
    assert told(shown) == []
    assert told(everything_logged(caplog)) == []


@pytest.mark.parametrize(
    "wrong",
    [{"password": "guessed-and-wrong"}, {"cf_access_client_secret": "guessed-and-wrong"}, {"ca_file": None}],
)
def test_a_login_that_fails_tells_nothing(gateway, account, caplog, told, wrong):
    given = {name: value for name, value in (account | wrong).items() if value is not None}
    with pytest.raises(qr.errors.ServiceError) as caught:
        qr.connect(gateway.url, **given)
    shown = [*everything_in(caught.value), *everything_logged(caplog)]
    assert told(shown) == []
    assert [text for text in shown if "guessed-and-wrong" in text] == []


def test_a_stand_in_that_is_gone_tells_nothing(account, caplog, told, connect, gateway):
    con = connect(gateway.url, **account)
    con.close()
    with pytest.raises(qr.QalyptoError) as caught:
        con.trades("BTCUSDT", minutes=1)
    assert told([*everything_in(caught.value), *everything_logged(caplog), repr(con)]) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")
def test_the_list_of_processes_tells_nothing(gateway, told):
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    assert any(f"{Path(f'/proc/{gateway.pid}/cmdline').read_bytes().decode()}" == line for line in lines)
    assert told(lines) == []
