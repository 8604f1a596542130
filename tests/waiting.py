"""Waiting for what is to happen, however slow the machine is."""

from __future__ import annotations

import time

PATIENCE_S = 60


def wait(what, *, every_s=0.01):
    """Wait until `what` returns something, and return it."""
    until = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(every_s)
    return found
