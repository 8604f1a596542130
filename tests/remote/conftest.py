"""A stand-in for the service over the packaged sample, and connections to it."""

from __future__ import annotations

import pytest

from qalypto_research.config import Settings
from qalypto_research.connection import Options, open_sample, open_service
from qalypto_research.engine.transport import Patience
from qalypto_research.local.testing import qalypto_standin  # noqa: F401 - the fixture


def credentials(gateway):
    """Return what `qr.connect` takes beside the address."""
    return {"username": gateway.username, "password": gateway.password} | ({"ca_file": gateway.ca_file} if gateway.ca_file else {})


@pytest.fixture
def gateway(qalypto_standin):  # noqa: F811
    """Return the stand-in, speaking http, without faults."""
    running = qalypto_standin("sample", http=True)
    yield running
    if running.running:
        running.heal()


@pytest.fixture(scope="session")
def shared(qalypto_standin):  # noqa: F811
    """Return a connection to the stand-in for all tests: none may close it."""
    running = qalypto_standin("sample", http=True)
    con = open_service(Settings.read({"clickhouse_url": running.url, **credentials(running)}), exchange=None)
    yield con
    con.close()


@pytest.fixture
def service(gateway, shared):
    """Return the connection to the stand-in, which has no faults."""
    assert shared.target == gateway.url
    return shared


@pytest.fixture
def reach():
    """Return a function that connects to a stand-in with little patience: it never sleeps, and waits so long for an answer."""
    opened = []

    def connection(gateway, *, silence_s=120.0, waited=None):
        slept = [] if waited is None else waited
        patience = Patience(silence_s=silence_s, sleep=slept.append, jitter=lambda: 0.5)
        settings = Settings.read({"clickhouse_url": gateway.url, **credentials(gateway)})
        opened.append(open_service(settings, exchange=None, patience=patience))
        return opened[-1]

    yield connection
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def embedded():
    """Return the sample in this process: what every answer must equal."""
    con = open_sample(Options())  # not the default connection of other tests
    yield con
    con.close()
