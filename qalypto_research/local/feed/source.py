"""Where the messages come from that a feed plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from qalypto_research.local.feed.messages import Message

AT_ONCE = 40_000
"""Messages in a piece, or little more."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is due in a stretch of time.

    Attributes
    ----------
    messages : sequence of Message
        In the order in which they are to be sent.
    until_us : int
        The end of the stretch, inclusive, microseconds since 1970 UTC: all that is due up to then has been read.
    """

    messages: Sequence[Message]
    until_us: int


class Source(Protocol):
    """Something that can be played.

    `read` blocks, and is called by one thread at a time; `close` may be called meanwhile.
    """

    def symbols(self) -> set[str]:
        """Return the symbols that its messages are about, in capitals: a set to which those are added that turn up later."""

    def read(self, after_us: int, until_us: int) -> Piece | None:
        """Return what is due after a moment and up to another, or up to an earlier one where it is much.

        Parameters
        ----------
        after_us, until_us : int
            Microseconds since 1970 UTC; the first exclusive, the second inclusive. The first never goes back.

        Returns
        -------
        Piece or None
            None where nothing will ever be due after `after_us`.
        """

    def close(self) -> None:
        """Let go of what it holds; what is waited for comes to an end."""
