"""Play a source to an audience by the time of a clock."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from qalypto_research.clock import Clock, Reading
from qalypto_research.local.feed.audience import Audience
from qalypto_research.local.feed.messages import Message, to_stamp
from qalypto_research.local.feed.source import Piece, Source

FINISHED: Final = (1000, "replay finished")

_AHEAD_S: Final = 10.0
"""How much, in seconds of wall time, is read at once where the clock runs: a file must be there twice as long before its rows are due."""
_STRIDE_US: Final = 3_600_000_000
"""How much clock time is looked through at once where the audience sets the pace."""
_TICK_S: Final = 0.004
"""What is due within such a time goes out together: a write to a socket costs more than the messages in it."""
_AT_ONCE: Final = 500
"""Messages sent before others have their turn."""


class Player:
    """Plays a source once, from where the clock stands.

    Parameters
    ----------
    source : Source
        What is played.
    clock : Clock
        What time it is.
    audience : Audience
        To whom.
    paced : bool
        Whether each message is sent when the clock says that it is due. Else the audience sets the pace, and the clock is
        moved along.
    starts_clock : bool
        Whether a clock that stands is started once anyone is subscribed; else that is waited for.
    """

    def __init__(self, source: Source, clock: Clock, audience: Audience, *, paced: bool, starts_clock: bool) -> None:
        self._source = source
        self._clock = clock
        self._audience = audience
        self._paced = paced
        self._starts_clock = starts_clock
        self._wake: asyncio.Future[None] | None = None
        clock.follow(self._look_up)

    async def run(self) -> None:
        """Play to the end.

        Raises
        ------
        QalyptoError
            The source cannot be read.
        """
        if self._starts_clock or not self._paced:
            await self._audience.subscribed.wait()
        elif not self._clock.running:
            await self._pause(None)
        piece = await self._read(self._clock.now_us())
        if self._starts_clock:
            # Only now: what is due first is ready to be sent.
            self._clock.start()
        while piece is not None:
            following = asyncio.ensure_future(self._read(piece.until_us))
            try:
                await (self._pace(piece) if self._paced else self._pour(piece.messages))
            except BaseException:
                following.cancel()
                raise
            # Where there was nothing more, something may have come meanwhile.
            piece = await following or await self._read(piece.until_us)
        self._audience.finish(*FINISHED)

    async def _read(self, after_us: int) -> Piece | None:
        """Read on from a moment, on a thread."""
        if self._paced:
            ahead_us = round(_AHEAD_S * self._clock.reading.speed * 1e6)
            return await asyncio.to_thread(self._source.read, after_us, after_us + ahead_us)
        # Long silences are passed over with longer and longer strides.
        stride_us = _STRIDE_US
        while (piece := await asyncio.to_thread(self._source.read, after_us, after_us + stride_us)) is not None and not piece.messages:
            after_us, stride_us = piece.until_us, 2 * stride_us
        return piece

    async def _pace(self, piece: Piece) -> None:
        """Send each message when it is due, up to the end of the piece."""
        window, at = piece.messages, 0
        while at < len(window) or self._clock.now_us() < piece.until_us:
            now_us = self._clock.now_us()
            due = bisect_right(window, now_us, lo=at, hi=min(at + _AT_ONCE, len(window)), key=_seen)
            if due == at:
                next_us = window[at].seen_us if at < len(window) else piece.until_us
                await self._pause(max((next_us - now_us) / self._clock.reading.speed / 1e6, _TICK_S))
                continue
            stamp = to_stamp(now_us)
            part = window[at:due]
            self._audience.deliver(part, [m.payload(stamp) for m in part])
            self._audience.check_pace()
            at = due
            # Late or not, others have their turn: who asks, who pings, who leaves.
            await asyncio.sleep(0)

    async def _pour(self, window: Sequence[Message]) -> None:
        """Send as fast as the audience takes it."""
        for at in range(0, len(window), _AT_ONCE):
            part = window[at : at + _AT_ONCE]
            await self._audience.subscribed.wait()
            # History first: whoever has heard of a row finds it there.
            self._clock.set(Reading(part[-1].seen_us))
            self._audience.deliver(part, [m.payload(to_stamp(m.seen_us)) for m in part])
            await self._audience.taken()
            await asyncio.sleep(0)

    async def _pause(self, seconds: float | None) -> None:
        """Wait so long, or until the clock is started, stopped or set."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = None if seconds is None or not self._clock.running else loop.call_later(seconds, self._look_up)
        try:
            await self._wake
        finally:
            if timer is not None:
                timer.cancel()

    def _look_up(self, _: Reading | None = None) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _seen(message: Message) -> int:
    return message.seen_us
