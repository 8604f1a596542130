"""What the stream's server says to one client, and when: a state machine without sockets and without a clock of its own."""

from __future__ import annotations

import json
import math
from collections import deque
from typing import Any, Final, NamedTuple

from qalypto_research.errors import InputError
from qalypto_research.local.feed.messages import to_iso_ms, to_json
from qalypto_research.schema.vocabulary import SYMBOLS
from qalypto_research.schema.wire import (
    ACTIONS,
    CONTROLS_A_SECOND,
    PING_EVERY_S,
    PONG_WITHIN_S,
    PONGS_MISSED,
    SUBSCRIPTIONS,
    Channel,
)

WELCOME: Final = "Welcome to Qalypto Real-Time Data Stream"
AVAILABLE: Final = ("trade", "ticker", "orderbook", "kline", "trade:btcusdt", "trade:ethusdt", "ticker:*", "*")
RATE_LIMITED: Final = f"Rate limit exceeded. Max {CONTROLS_A_SECOND} control messages per second."

_TOO_MANY: Final = f"Subscription limit exceeded. Max {SUBSCRIPTIONS} subscriptions per connection."
_WINDOW_S: Final = 1.0


class Answer(NamedTuple):
    """What a client is told.

    Attributes
    ----------
    kind : str
        The type of the message, or "error".
    text : str
        The message.
    """

    kind: str
    text: str


class Conversation:
    """One client's side of things: what it is subscribed to, how often it has spoken, whether it answers pings.

    Parameters
    ----------
    client_id : str
        What the client calls itself.
    symbols : set of str
        Those there are beside the documented ones, in capitals; more may turn up later.
    now_s : float
        Seconds of a clock that never goes back; each call says how late it is by the same.
    now_us : int
        What the server's messages say of the time, microseconds since 1970 UTC; likewise.

    Attributes
    ----------
    channels : dict of str to Channel
        Subscriptions by their text, in the order in which they were made.
    delivered : int
        Messages of data sent to the client; to be counted by whoever sends them.
    """

    def __init__(self, client_id: str, symbols: set[str], now_s: float, now_us: int) -> None:
        self.client_id = client_id
        self.channels: dict[str, Channel] = {}
        self.delivered = 0
        self._symbols = symbols
        self._since_us = now_us
        self._spoken: deque[float] = deque()
        self._ping_due_s = now_s + PING_EVERY_S
        self._unanswered: deque[float] = deque()
        self._wanted: dict[Channel, bool] = {}

    def opening(self) -> str:
        """Return the message that a connection begins with."""
        description = f"Server sends ping every {PING_EVERY_S}s. Client must respond with pong within {PONG_WITHIN_S}s."
        return to_json(
            {
                "type": "connected",
                "client_id": self.client_id,
                "message": WELCOME,
                "available_subscriptions": AVAILABLE,
                "connection_guidelines": {
                    "heartbeat": {
                        "ping_interval_seconds": PING_EVERY_S,
                        "pong_timeout_seconds": PONG_WITHIN_S,
                        "description": description,
                    },
                    "rate_limits": {
                        "max_control_messages_per_second": CONTROLS_A_SECOND,
                        "max_subscriptions_per_connection": SUBSCRIPTIONS,
                    },
                    "actions": ACTIONS,
                },
            }
        )

    def receive(self, text: str | bytes, now_s: float, now_us: int) -> Answer:
        """Return the answer to a message of the client's. One too many in a second is not carried out."""
        while self._spoken and now_s - self._spoken[0] >= _WINDOW_S:
            self._spoken.popleft()
        if len(self._spoken) >= CONTROLS_A_SECOND:
            return Answer("error", to_error(RATE_LIMITED))
        self._spoken.append(now_s)
        said = self._answer(text, now_us)
        return Answer("error" if "error" in said else str(said["type"]), to_json(said))

    def _answer(self, text: str | bytes, now_us: int) -> dict[str, Any]:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return {"error": "Invalid JSON."}
        action = content.get("action") if isinstance(content, dict) else None
        if action in ("subscribe", "unsubscribe"):
            return self._resubscribe(action, content.get("channels"))
        if action == "status":
            return self._status()
        if action == "pong":
            self._unanswered.clear()
        said = {"pong": "pong_ack", "ping": "pong"}.get(str(action))
        if said is None:
            return {"error": f"Unknown action: {action}. Use one of {', '.join(ACTIONS)}."}
        return {"type": said, "timestamp": to_iso_ms(now_us)}

    def wants(self, route: Channel) -> bool:
        """Whether a message is for this client; one that belongs to no channel is for whoever has subscribed at all."""
        wanted = self._wanted.get(route)
        if wanted is None:
            everywhere = route == Channel()
            wanted = self._wanted[route] = any(everywhere or c.covers(route) for c in self.channels.values())
        return wanted

    def ping(self, now_s: float, now_us: int) -> str | None:
        """Return the ping that is due, None where none is."""
        if now_s < self._ping_due_s:
            return None
        self._ping_due_s += PING_EVERY_S
        self._unanswered.append(now_s)
        return to_json({"type": "ping", "timestamp": now_us // 1000, "server_time": to_iso_ms(now_us)})

    def hold_heartbeat(self, now_s: float) -> None:
        """Let the heartbeat begin anew: who is sent no pings owes no pongs."""
        self._unanswered.clear()
        self._ping_due_s = now_s + PING_EVERY_S

    def gone(self, now_s: float) -> bool:
        """Whether the client has left so many pings unanswered, or one for so long, that it is taken for gone."""
        if not self._unanswered:
            return False
        missed = len(self._unanswered) >= PONGS_MISSED and now_s >= self._ping_due_s
        return missed or now_s - self._unanswered[0] >= PONG_WITHIN_S

    @property
    def due_s(self) -> float:
        """When to ask for `ping` and `gone` again."""
        return min(self._ping_due_s, self._unanswered[0] + PONG_WITHIN_S if self._unanswered else math.inf)

    def _resubscribe(self, action: str, asked: Any) -> dict[str, Any]:
        """Change the subscriptions: all that were asked for, or where one of them is at fault none."""
        if not isinstance(asked, list) or not all(isinstance(text, str) for text in asked):
            return {"error": f"Invalid {action}: 'channels' must be a list of names."}
        wanted = {text: self._channel(text) for text in asked}
        unknown = [text for text, channel in wanted.items() if channel is None]
        if unknown:
            return {"error": f"Unknown channel: {', '.join(unknown)}."}
        changed = {text: c for text, c in self.channels.items() if text not in wanted}
        if action == "subscribe":
            changed = self.channels | {text: c for text, c in wanted.items() if c is not None}
            if len(changed) > SUBSCRIPTIONS:
                return {"error": _TOO_MANY}
        self.channels = changed
        self._wanted.clear()
        return {"type": f"{action}d", "channels": asked}

    def _channel(self, text: str) -> Channel | None:
        """Return the channel that `text` names, None where there is none such here."""
        try:
            channel = Channel.parse(text)
        except InputError:
            return None
        return channel if not channel.symbol or channel.symbol in SYMBOLS or channel.symbol in self._symbols else None

    def _status(self) -> dict[str, Any]:
        return {
            "type": "status",
            "client_id": self.client_id,
            "subscriptions": list(self.channels),
            "messages_received": self.delivered,
            "connected_since": to_iso_ms(self._since_us),
        }


def to_error(said: str) -> str:
    """Return an error as the stream says it."""
    return to_json({"error": said})
