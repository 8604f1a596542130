"""Connections for tests of frames."""

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
