"""What a stand-in is doing, in a line."""

from __future__ import annotations

from qalypto_research.clock import Clock
from qalypto_research.local.feed.audience import Audience

_MEGABYTE = 1e6


class Rates:
    """Tells how much went out since it told last.

    Parameters
    ----------
    clock : Clock
        The stand-in's.
    audience : Audience
        Who listens.
    now_s : float
        Seconds of a clock that never goes back.
    """

    def __init__(self, clock: Clock, audience: Audience, now_s: float) -> None:
        self._clock = clock
        self._audience = audience
        self._before = (now_s, audience.messages, audience.sent_bytes)

    def line(self, now_s: float, queries: int) -> str:
        """Return the clock, who listens, and how much went out a second since the line before.

        Parameters
        ----------
        now_s : float
            Seconds of the same clock.
        queries : int
            Answers begun so far, where history is served.
        """
        before_s, messages, sent = self._before
        self._before = (now_s, self._audience.messages, self._audience.sent_bytes)
        seconds = max(now_s - before_s, 1e-9)
        each = f"{(self._before[1] - messages) / seconds:,.0f} messages/s, {(self._before[2] - sent) / seconds / _MEGABYTE:.2f} MB/s"
        clients = "1 client" if len(self._audience) == 1 else f"{len(self._audience)} clients"
        standing = "" if self._clock.running else " (standing)"
        return f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC{standing}: {clients}, {each}, {queries:,} queries"
