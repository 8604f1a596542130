"""Faults on purpose: what can go wrong between a client and the stream, scripted, and drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.local.scripts import to_script

HANDSHAKE: Final = {
    "break_handshake": "breaks the connection off before the handshake is answered",
    "refuse": "answers the handshake with the status `code`",
    "unauthorized": "answers the handshake as it does wrong credentials (403)",
}
"""What can meet a handshake."""

CONTROL: Final = {
    "rate_limit": "answers a control message with the documented error, and does not carry it out",
}
"""What can meet a message of the client's."""

MESSAGE: Final = {
    "drop": "breaks the connection off instead",
    "close": "closes the connection with the `code`, as a server does that goes away",
    "silence": "sends nothing any more, not even pings, the connection open: for so many `seconds`, or for good",
    "no_heartbeat": "sends no ping and acknowledges no pong any more, but goes on with data: likewise",
    "throttle": "sends so many bytes a second (`rate`) from there on",
    "duplicate": "sends it twice",
    "swap": "sends it after the next one",
    "late": "sends it so many messages later (`behind`)",
    "lose": "does not send it",
    "garbage": "writes random bytes over some of it",
    "invalid_json": "breaks it off in its middle",
    "unknown_type": "gives it the type `text`",
    "wrong_type": "puts a value of another type into one of its fields",
    "oversized": "makes it so many bytes long (`size`)",
    "error": "sends an error before it, saying `text`",
}
"""What can meet a message of data."""

KINDS: Final = HANDSHAKE | CONTROL | MESSAGE

READ: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("times", "after", "behind", "rate", "code", "size"), int),
    **dict.fromkeys(("chance", "seconds"), float),
}
"""How the words of a script are read that are no texts."""

_USUAL_CODES: Final = {"refuse": 503, "close": 1012}
_CLOSE_CODES: Final = (range(1000, 1004), range(1007, 1015), range(3000, 5000))
_TEXTS: Final = {"unknown_type": "liquidation", "error": "Internal error."}


@dataclass(frozen=True, slots=True)
class StreamFault:
    """One thing that goes wrong with the stream.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    times : int or None
        How often it happens; None for whenever it can.
    chance : float
        Share of what it could meet that it meets.
    after : int
        Messages of data that a connection has had before it can meet one.
    match : str
        It meets messages that contain this.
    seconds : float
        How long it lasts; 0 for good.
    behind : int
        Messages that go first.
    rate : int
        Bytes a second.
    code : int
        Status of a refusal (503 by default), or of a close frame (1012).
    size : int
        Bytes of a message.
    text : str
        Type of an unknown message, or words of an error.
    """

    kind: str
    times: int | None = None
    chance: float = 1.0
    after: int = 0
    match: str = ""
    seconds: float = 0.0
    behind: int = 10
    rate: int = 20_000
    code: int = 0
    size: int = 2_000_000
    text: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind", self.kind, KINDS)
        for name, least in (("rate", 1), ("behind", 1), ("after", 0), ("size", 1), ("seconds", 0)):
            if getattr(self, name) < least:
                raise InputError(name, f"{getattr(self, name)!r} is too little; give {least} or more")
        if not 0 <= self.chance <= 1:
            raise InputError("chance", f"{self.chance!r} is no share; give a number from 0 to 1")
        if self.kind == "refuse" and not 300 <= self.status <= 599:
            raise InputError("code", f"{self.code} refuses nothing; give a status from 300 to 599")
        if self.kind == "close" and not any(self.status in codes for codes in _CLOSE_CODES):
            raise InputError(
                "code", f"{self.code} cannot be sent; give 1000 to 1003, 1007 to 1014 or 3000 to 4999 (1006 is what 'drop' looks like)"
            )
        if self.kind in HANDSHAKE and (self.after or self.match):
            raise InputError("after" if self.after else "match", f"a handshake comes before all messages; leave it out for {self.kind!r}")

    @property
    def status(self) -> int:
        """The code it comes with."""
        return self.code or _USUAL_CODES.get(self.kind, 0)

    @property
    def words(self) -> str:
        """The text it comes with."""
        return self.text or _TEXTS.get(self.kind, "")

    @property
    def script(self) -> str:
        """The fault as a script has it."""
        return to_script(self)


class StreamFaults:
    """Faults, and how often each may still come.

    Parameters
    ----------
    faults : sequence of StreamFault
        The first that meets something happens to it.
    seed : int, optional
        Of all chances, and of what is done to messages.
    """

    def __init__(self, faults: Sequence[StreamFault] = (), seed: int = 0) -> None:
        self.faults = tuple(faults)
        self.random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._left = [fault.times for fault in faults]

    def of(self, stage: dict[str, str]) -> bool:
        """Whether any could still meet what `stage` lists."""
        return any(fault.kind in stage and left != 0 for fault, left in zip(self.faults, self._left, strict=True))

    def draw(self, stage: dict[str, str], *, delivered: int = 0, content: bytes = b"") -> StreamFault | None:
        """Return what is to happen, of what `stage` lists, to one handshake or message; None for nothing.

        Parameters
        ----------
        stage : dict
            ``HANDSHAKE``, ``CONTROL`` or ``MESSAGE``.
        delivered : int
            Messages of data that the connection has had.
        content : bytes
            The message.
        """
        for i, fault in enumerate(self.faults):
            left = self._left[i]
            if fault.kind not in stage or left == 0 or delivered < fault.after or fault.match.encode() not in content:
                continue
            if self.random.random() < fault.chance:
                self._left[i] = None if left is None else left - 1
                return fault
        return None
