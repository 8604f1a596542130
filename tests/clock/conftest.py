"""Connections for tests of the clock."""

from __future__ import annotations

import pytest


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
