"""How long a message takes from the producer to the WebSocket, where an archive did not record it."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Ints, label, noise_normal

# As documented: half of the messages take up to 85 ms of the 180 ms from the exchange, and 95 % up to 180 of 400 ms. A
# message that is long on its way is so on both parts of it; this power and this noise give both quantiles.
_WAY_US: Final = 180_000.0
_INTERNAL_US: Final = 85_000.0
_POWER: Final = 0.90
_NOISE: Final = 0.13
_MOST: Final = 0.9
_ALONE: Final = 0.456
"""Spread of the second part where nothing is known of the first."""


def internal_us(kind: str, seen_us: Ints, event_us: Ints | None) -> Ints:
    """Return the lag of each message in microseconds: the same whenever and in whatever order they are played.

    Parameters
    ----------
    kind : str
        Their type.
    seen_us : array
        When each is sent, microseconds since 1970 UTC.
    event_us : array or None
        When each happened; None where that says nothing of the way, as with candles. Nothing is produced before it
        happened, unless the recorder's clock was behind the exchange's.
    """
    noise = noise_normal(label(kind), seen_us)
    alone = (_INTERNAL_US * np.exp(_ALONE * noise)).astype(np.int64)
    if event_us is None:
        return alone
    way = np.maximum(seen_us - event_us, 0)
    part = _INTERNAL_US * (way / _WAY_US) ** _POWER * np.exp(_NOISE * noise)
    return np.where(seen_us < event_us, alone, np.minimum(part, _MOST * way).astype(np.int64))
