"""Which channels to subscribe to so that all that is wanted comes, within what a connection may have. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from qalypto_research.schema.wire import Channel


def distinct(wanted: Iterable[Channel]) -> list[Channel]:
    """Return `wanted` without what another of them covers, each once, in their order."""
    once = list(dict.fromkeys(wanted))
    return [c for c in once if not any(other != c and other.covers(c) for other in once)]


def planned(wanted: Iterable[Channel], most: int, refused: Container[str] = ()) -> list[Channel]:
    """Return at most so many channels that cover all that is wanted, as narrow as they can be, none of them `refused`.

    Where there are too many, the type with the most channels is taken whole, and so on; in the end everything. What then
    comes beyond what is wanted is to be filtered. Where the wider ones are refused, as many as there is room for are left.
    """
    channels = distinct(c for c in wanted if c.text not in refused)
    while len(channels) > most:
        kinds = [c.kind for c in channels if c.symbol]
        several = sorted(dict.fromkeys(k for k in kinds if kinds.count(k) > 1), key=kinds.count, reverse=True)
        wider = next((c for c in (*map(Channel, several), Channel()) if c.text not in refused), None)
        if wider is None:
            return channels[:most]
        channels = distinct([*channels, wider])
    return channels


def covered(channel: Channel, by: Sequence[Channel]) -> bool:
    """Whether all that a channel asks for is asked for by others."""
    return any(c.covers(channel) for c in by)
