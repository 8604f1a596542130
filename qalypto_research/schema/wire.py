"""The language of the stream as documented: channels, limits, and the forms of times in messages.

A channel is a type (``trade``), a type and a symbol (``trade:btcusdt``, ``ticker:*``), of candles with an interval
between (``kline:1m:solusdt``), or ``*`` for everything. What a message's columns are called stands in ``schema.tables``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.tables import KLINE, TABLES
from qalypto_research.schema.vocabulary import INTERVALS

EVERYTHING: Final = "*"

ACCESS_HEADERS: Final = ("CF-Access-Client-Id", "CF-Access-Client-Secret")
"""By which Cloudflare Access knows a client."""

CONNECTIONS: Final = 5
"""Of an account."""
SUBSCRIPTIONS: Final = 50
"""Of a connection."""
CONTROLS_A_SECOND: Final = 5
"""Messages that a client may send: subscribe, unsubscribe, ping, pong and status."""
PING_EVERY_S: Final = 20
PONG_WITHIN_S: Final = 60
PONGS_MISSED: Final = 3
"""Pings left unanswered after which the server disconnects."""

ACTIONS: Final = ("subscribe", "unsubscribe", "ping", "pong", "status")

_FORMS: Final = "write trade, ticker, kline or orderbook; trade:btcusdt; ticker:*; kline:1m:solusdt; or *"


@dataclass(frozen=True, slots=True)
class Channel:
    """Which messages a subscription asks for; what is empty is any.

    Attributes
    ----------
    kind : str
        Type of the messages: a table's name.
    symbol : str
        In capitals, as in messages.
    interval : str
        Of candles.
    """

    kind: str = ""
    symbol: str = ""
    interval: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the channel that `text` names, as documented: symbols in small letters.

        Raises
        ------
        UnknownNameError
            No such type or interval.
        InputError
            Not of a form that the documentation shows.
        """
        kind, *rest = text.split(":")
        if text == EVERYTHING:
            return cls()
        if kind not in TABLES:
            raise UnknownNameError("channel", text, (*TABLES, EVERYTHING), _FORMS)
        if not rest or rest == [EVERYTHING]:
            return cls(kind)
        interval = rest.pop(0) if kind == KLINE.name else ""
        if kind == KLINE.name and interval not in INTERVALS:
            raise UnknownNameError("channel", text, INTERVALS, "candles have an interval before the symbol, as kline:1m:solusdt")
        if len(rest) != 1 or not rest[0].isalnum() or rest[0] != rest[0].lower():
            raise InputError("channel", f"{text!r} cannot be read; {_FORMS}")
        return cls(kind, rest[0].upper(), interval)

    @property
    def text(self) -> str:
        """The channel as it is written."""
        return ":".join(filter(None, (self.kind, self.interval, self.symbol.lower()))) or EVERYTHING

    def covers(self, other: Channel) -> bool:
        """Whether whatever `other` asks for is asked for by this one too."""
        return all(mine in ("", theirs) for mine, theirs in zip(self._parts(), other._parts(), strict=True))

    def _parts(self) -> tuple[str, str, str]:
        return self.kind, self.symbol, self.interval
