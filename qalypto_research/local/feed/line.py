"""A connection's line as faults on purpose have it: what becomes of each message on its way out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any, Final

from qalypto_research.local.feed.conversation import to_error
from qalypto_research.local.feed.faults import MESSAGE, StreamFault, StreamFaults
from qalypto_research.local.feed.messages import to_json

_GARBLED: Final = 8
"""Bytes that garbage takes the place of."""


class Line:
    """What one connection lets through; it does nothing itself.

    Parameters
    ----------
    faults : StreamFaults
        What is to go wrong; it may be replaced at any time.

    Attributes
    ----------
    ending : StreamFault or None
        By what the connection is to end now, once it is.
    rate : int or None
        Bytes a second, where it is slow.
    silent_until_s : float
        Up to when nothing is sent.
    """

    def __init__(self, faults: StreamFaults) -> None:
        self.faults = faults
        self.ending: StreamFault | None = None
        self.rate: int | None = None
        self.silent_until_s = -math.inf
        self._no_heartbeat_until_s = -math.inf
        self._held: list[tuple[int, bytes]] = []

    @property
    def clear(self) -> bool:
        """Whether nothing is wrong with it, nor can go wrong: what is sent through it arrives as it is."""
        over = self.silent_until_s == self._no_heartbeat_until_s == -math.inf
        return over and not self._held and self.ending is None and not self.faults.of(MESSAGE)

    def silent(self, now_s: float) -> bool:
        """Whether nothing at all is sent."""
        return now_s < self.silent_until_s

    def heartless(self, now_s: float) -> bool:
        """Whether no ping is sent, and no pong acknowledged."""
        return now_s < self._no_heartbeat_until_s

    def pass_on(self, payload: bytes, delivered: int, now_s: float) -> list[bytes]:
        """Return what is sent in the place of a message.

        Parameters
        ----------
        payload : bytes
            The message.
        delivered : int
            Messages of data that came before it.
        now_s : float
            Seconds of a clock that never goes back.
        """
        if self.silent(now_s) or self.ending is not None:
            return []
        fault = self.faults.draw(MESSAGE, delivered=delivered, content=payload)
        sent = [payload] if fault is None else self._befallen(fault, payload, now_s)
        self._held = [(left - 1, held) for left, held in self._held]
        sent += [held for left, held in self._held if left < 0]
        self._held = [(left, held) for left, held in self._held if left >= 0]
        return sent

    def release(self) -> list[bytes]:
        """Return what is still held back, since nothing more will come."""
        held, self._held = [payload for _, payload in self._held], []
        return held

    def _befallen(self, fault: StreamFault, payload: bytes, now_s: float) -> list[bytes]:
        until = now_s + (fault.seconds or math.inf)
        if fault.kind in ("drop", "close"):
            self.ending = fault
            return []
        if fault.kind == "silence":
            self.silent_until_s = until
            return []
        if fault.kind in ("swap", "late"):
            self._held.append((fault.behind if fault.kind == "late" else 1, payload))
            return []
        if fault.kind == "no_heartbeat":
            self._no_heartbeat_until_s = until
        elif fault.kind == "throttle":
            self.rate = fault.rate
        change = _CHANGED.get(fault.kind)
        return [payload] if change is None else change(fault, payload, self.faults.random)


def _garbled(_: StreamFault, payload: bytes, random: Random) -> list[bytes]:
    at = random.randrange(max(1, len(payload) - _GARBLED))
    return [payload[:at] + random.randbytes(_GARBLED) + payload[at + _GARBLED :]]


def _mistyped(_: StreamFault, payload: bytes, random: Random) -> list[bytes]:
    content = json.loads(payload)
    data = content["data"] if isinstance(content.get("data"), dict) else {}
    # Null is right in any field that may be null, and so may be whatever else.
    name = random.choice(sorted(n for n, value in data.items() if value is not None and n != "_timestamps") or ["timestamp"])
    other: Any = "no number" if isinstance(data.get(name), (int, float)) else 17
    return [to_json(content | {"data": data | {name: other}}).encode()]


def _padded(fault: StreamFault, payload: bytes, _: Random) -> list[bytes]:
    begun = payload[:-1] + b',"padding":"'
    return [begun + b" " * (fault.size - len(begun) - len(b'"}')) + b'"}']


_CHANGED: Final[dict[str, Callable[[StreamFault, bytes, Random], list[bytes]]]] = {
    "lose": lambda _, __, ___: [],
    "duplicate": lambda _, payload, __: [payload, payload],
    "error": lambda fault, payload, _: [to_error(fault.words).encode(), payload],
    "garbage": _garbled,
    "invalid_json": lambda _, payload, random: [payload[: random.randrange(1, len(payload))]],
    "unknown_type": lambda fault, payload, _: [to_json(json.loads(payload) | {"type": fault.words}).encode()],
    "wrong_type": _mistyped,
    "oversized": _padded,
}
"""What is sent in the place of a message that each of these meets; a message is a JSON object in bytes."""
