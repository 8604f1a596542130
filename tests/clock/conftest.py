"""Connections for tests of the clock."""

from __future__ import annotations

import pytest

import qalypto_research as qr


@pytest.fixture
def connect():
    """Return `qr.connect`; whatever it opens is closed after the test."""
    opened = []

    def open_one(*args, **options):
        opened.append(qr.connect(*args, **options))
        return opened[-1]

    yield open_one
    for connection in reversed(opened):
        connection.close()


@pytest.fixture(scope="session")
def set_clock():
    """Return a function that makes it a given moment for a connection, by a wall time of its own."""

    def move(con, moment):
        clock = con.clock
        clock.stop()
        clock._wall = lambda: 0
        clock.start()
        ahead = (moment - clock.now()).value // 1_000
        clock._wall = lambda: ahead
        assert clock.now() == moment

    return move
