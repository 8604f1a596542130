"""One connection to the sample."""

from __future__ import annotations

import pytest

import qalypto_research as qr


@pytest.fixture(scope="session")
def con():
    with qr.connect("sample") as connection:
        yield connection


@pytest.fixture
def value(con):
    """Return the one value that a query answers."""

    def ask(query, params=None):
        frame = con.sql(query, params)
        assert frame.shape == (1, 1)
        return frame.iloc[0, 0]

    return ask
