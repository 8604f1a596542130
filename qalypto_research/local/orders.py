"""What a stand-in takes from its standard input: lines that say what is to go wrong, and what time it is.

``faults SCRIPT`` or ``clock MOMENT ANCHOR SPEED``, microseconds since 1970 UTC, the anchor - where the clock stands. Each is
answered by one line: what is wrong with it, or that it was carried out.
"""

from __future__ import annotations

from typing import Final

from qalypto_research.clock import Reading

READY: Final = "# ready"
"""The line that says: it was carried out, or all is ready."""

FAULTS: Final = "faults"
CLOCK: Final = "clock"

_STANDING: Final = "-"


def to_faults_order(script: str) -> str:
    """Return the order to let other things go wrong; a script may have several lines."""
    return f"{FAULTS} {' '.join(script.splitlines())}"


def to_clock_order(reading: Reading) -> str:
    """Return the order to go by another reading."""
    anchor = _STANDING if reading.anchor_us is None else reading.anchor_us
    return f"{CLOCK} {reading.moment_us} {anchor} {reading.speed!r}"


def parse_reading(words: str) -> Reading:
    """Return the reading of an order, given what stands behind its first word."""
    moment, anchor, speed = words.split()
    return Reading(int(moment), None if anchor == _STANDING else int(anchor), float(speed))
