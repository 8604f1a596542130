"""What the protocol is told and what it answers with: values, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from qalypto_research.schema.wire import PING_EVERY_S

State = Literal["new", "connecting", "live", "waiting", "finished", "failed", "stopped"]
"""``connecting`` up to the first confirmed subscription; ``waiting`` between two attempts; the last three are final."""

FINISHED: Final = (1000, "replay finished")
"""How a stand-in ends a replay: there is nothing more to come."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what is waited for.

    Attributes
    ----------
    welcome_s : float
        The server's first message, after which one subscribes anyway.
    answer_s : float
        The answer to a message of ours.
    silent_s : float
        Any message at all. Then a ping of our own is sent, and if that is not answered either, the connection is replaced.
    data_s : float
        A message of data, where some came before, though the heartbeat goes on.
    """

    welcome_s: float = 5.0
    answer_s: float = 10.0
    silent_s: float = 1.5 * PING_EVERY_S
    data_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection, if there is one."""


WHATS: Final = ("live", "reconnect", "lost", "stale", "refused", "unconfirmed", "error", "unknown", "status", "finished", "failed")
"""What whoever listens is told of."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that whoever listens should know.

    Attributes
    ----------
    what : str
        One of ``WHATS``.
    detail : str
        More of it, for people.
    content : dict or None
        The server's message, where that is what is told.
    channels : tuple of str
        Which channels it is about; empty where it is about all.
    """

    what: str
    detail: str = ""
    content: dict[str, Any] | None = None
    channels: tuple[str, ...] = ()


Action = Open | Send | Close | Notice


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a connection ended, or did not come about.

    Attributes
    ----------
    reason : str
        For people.
    final : bool
        Whether trying again cannot help: wrong credentials, a redirect, an untrusted certificate.
    finished : bool
        Whether there is nothing more to come.
    """

    reason: str
    final: bool = False
    finished: bool = False
