"""Faults on purpose, of the history and of the stream, in one script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qalypto_research.errors import UnknownNameError
from qalypto_research.local.feed import faults as stream
from qalypto_research.local.feed.faults import StreamFault, StreamFaults
from qalypto_research.local.gateway import faults as history
from qalypto_research.local.gateway.faults import Fault, Faults
from qalypto_research.local.scripts import parse_part, parse_script

KINDS: Final = history.KINDS | stream.KINDS
"""What each kind of fault does; the history's first."""


def parse_faults(script: str) -> tuple[Faults, StreamFaults]:
    """Return the faults of a script: the history's and the stream's.

    Raises
    ------
    InputError
        A kind or a word that is not known, or a number that is none.
    """
    seed, parts = parse_script(script)
    for part in parts:
        if part.kind not in KINDS:
            raise UnknownNameError("kind", part.kind, KINDS)
    of_history = [parse_part(part, Fault, history.READ) for part in parts if part.kind in history.KINDS]
    of_stream = [parse_part(part, StreamFault, stream.READ) for part in parts if part.kind in stream.KINDS]
    return Faults(of_history, seed), StreamFaults(of_stream, seed)


def to_fault(kind: str, details: Mapping[str, Any]) -> Fault | StreamFault:
    """Return the fault of that kind.

    Raises
    ------
    InputError
        There is no such fault, or a detail that it does not have.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    made = StreamFault if kind in stream.KINDS else Fault
    for name in details:
        if name not in made.__dataclass_fields__:
            raise UnknownNameError("details", name, [n for n in made.__dataclass_fields__ if n != "kind"])
    return made(kind, **details)
