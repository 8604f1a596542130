"""Where the messages come from that a feed plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from qalypto_research.local.feed.messages import Message


class Source(Protocol):
    """Something that can be played.

    Its methods block, and are called from one thread at a time.
    """

    def symbols(self) -> frozenset[str]:
        """Return the symbols that its messages are about, in capitals."""

    def windows(self, after_us: int, span_us: int | None) -> Iterator[list[Message]]:
        """Yield the messages due after `after_us`, in the order in which they are to be sent, piece by piece.

        Parameters
        ----------
        after_us : int
            Microseconds since 1970 UTC, exclusive.
        span_us : int or None
            How much time a piece may cover at most, in microseconds, so that it is read shortly before it is due;
            None where it is due as soon as it is read.
        """

    def close(self) -> None:
        """Let go of what it holds; a piece that is waited for comes to an end."""
