"""Which channels to subscribe to so that all that is wanted comes, within what a connection may have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qalypto_research.schema.wire import Channel


def distinct(wanted: Iterable[Channel]) -> list[Channel]:
    """Return `wanted` without what another of them covers, each once, in their order."""
    once = list(dict.fromkeys(wanted))
    return [c for c in once if not any(other != c and other.covers(c) for other in once)]


def planned(wanted: Iterable[Channel], most: int) -> list[Channel]:
    """Return at most so many channels that cover all that is wanted, as narrow as they can be.

    Where there are too many, the type with the most channels is taken whole, and so on; in the end everything. What then
    comes beyond what is wanted is to be filtered.
    """
    channels = distinct(wanted)
    while len(channels) > most:
        kinds = [c.kind for c in channels if c.symbol]
        fullest = max(dict.fromkeys(kinds), key=kinds.count, default=None)
        channels = distinct([*channels, Channel() if fullest is None or kinds.count(fullest) == 1 else Channel(fullest)])
    return channels


def wanted_of(wanted: Sequence[Channel], route: Channel) -> bool:
    """Whether a message of the channel `route` is among what is wanted."""
    return any(c.covers(route) for c in wanted)
