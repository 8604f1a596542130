"""One connection to the sample, and a count of what is sent over it."""

from __future__ import annotations

import pytest

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedEngine


@pytest.fixture(scope="session")
def con():
    with qr.connect("sample") as connection:
        yield connection


@pytest.fixture
def sent(monkeypatch):
    """Return the statements executed from here on."""
    statements = []
    execute = EmbeddedEngine.execute

    def spy(self, sql, *rest):
        statements.append(sql)
        return execute(self, sql, *rest)

    monkeypatch.setattr(EmbeddedEngine, "execute", spy)
    return statements


@pytest.fixture
def refused(sent):
    """Return a check: a call is refused with an error that names the argument, and nothing was sent."""

    def check(call, argument, *said):
        with pytest.raises(qr.errors.InputError) as caught:
            call()
        message = str(caught.value)
        assert caught.value.argument == argument
        assert message.startswith(f"{argument}: ")
        assert [part for part in said if part not in message] == []
        assert sent == []

    return check
