"""Ranges in whole buckets of time."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from qalypto_research.clock import from_us, to_us
from qalypto_research.errors import RangeError
from qalypto_research.history.calls import Call
from qalypto_research.timerange import Window


def over_us(call: Call) -> int:
    """Return up to where all is known by the call's now that will be: less the ingestion delay, microseconds since 1970."""
    return to_us(call.snapshot.moment) - call.snapshot.delay // dt.timedelta(microseconds=1)


def whole_buckets(call: Call, every_ms: int, *, running: bool = False) -> Window:
    """Return the window of the buckets that begin in the call's and are over; with `running` also of the one that is not.

    Raises
    ------
    RangeError
        The range is a length up to now, and shorter than one bucket.
    """
    step_us = every_ms * 1_000
    last_us = over_us(call) // step_us * step_us
    reach_us = last_us + step_us if running else last_us
    start, until = call.window.start, call.window.until
    if call.window.relative and start is not None:
        length_us = to_us(call.window.end) - to_us(start)
        if length_us < step_us:
            raise RangeError("every", f"the range is shorter than one bucket of {every_ms / 1_000:g} s; ask for a longer one")
        first_us = -(-(last_us - length_us) // step_us) * step_us
        return replace(call.window, start=from_us(first_us), end=from_us(reach_us), until=from_us(reach_us))
    end_us = reach_us if until is None else min(-(-to_us(until) // step_us) * step_us, reach_us)
    first_us = end_us if start is None else -(-to_us(start) // step_us) * step_us
    end = from_us(max(first_us, end_us))
    return replace(call.window, start=None if start is None else from_us(first_us), end=end, until=end)
