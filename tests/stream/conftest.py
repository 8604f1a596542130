"""What tests of threads share."""

from __future__ import annotations

import sys
import threading

import pytest


@pytest.fixture
def hurried():
    """Let threads take turns as often as they can."""
    before, trace = sys.getswitchinterval(), threading.gettrace()
    # Python fails where one thread installs a trace function, as that of coverage, while another one is at it.
    threading.settrace(None)
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
    threading.settrace(trace)
