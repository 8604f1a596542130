"""The client's side of the stream: a state machine without sockets, without a clock and without chance of its own.

It is told what happens and when, and answers with what is to be done. Time is seconds of a clock that never goes back.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from qalypto_research.schema.wire import CONTROLS_A_SECOND, SUBSCRIPTIONS, Channel
from qalypto_research.stream.actions import Action, Close, Limits, Loss, Notice, Open, Send, State
from qalypto_research.stream.channels import covered, planned

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
RATE_WAIT_S: Final = 1.0
"""What the documentation asks for after a rate-limit error."""

_REMEMBERED: Final = 1000
"""Control messages whose moments are kept; more than any server will let through in a second."""
_LONGEST: Final = 500
"""Characters of what a server says: it may be as long as a message, and is remembered."""
_WINDOW_S: Final = 1.1
"""Longer than the second that the server counts by: messages may arrive closer together than they were sent."""


@dataclass(slots=True)
class _Asked:
    """Channels that were asked for and not confirmed yet."""

    action: str
    channels: tuple[str, ...]
    sent_s: float


@dataclass(slots=True)
class _Link:
    """What is known of the one connection there is."""

    opened_s: float
    greeted: bool = False
    subscriptions: int = SUBSCRIPTIONS
    controls: int = CONTROLS_A_SECOND
    heard_s: float = 0.0
    data_s: float | None = None
    pinged_s: float | None = None
    confirmed: set[str] = field(default_factory=set)
    asked: _Asked | None = None
    held_until_s: float = -math.inf
    ponged_s: float = -math.inf
    status_s: float = -math.inf
    unconfirmed: set[str] = field(default_factory=set)
    said: str = ""


class Protocol:
    """What a client does to have what it wants of the stream.

    Parameters
    ----------
    jitter : callable
        Returns a number from 0 to 1: what waits are varied by.
    limits : Limits, optional
        How long what is waited for.

    Attributes
    ----------
    state : str
        See ``State``.
    wanted : list of Channel
        All that is to come; kept here, since the server forgets it with the connection.
    reason : str
        Why it is waiting, or has failed.
    reconnects : int
        How often it came to live again.
    unknown : int
        Messages of types that are not known.
    without_any : bool
        Whether it has failed since every wanted channel was refused: with another it begins anew.
    """

    def __init__(self, *, jitter: Callable[[], float], limits: Limits | None = None) -> None:
        self.state: State = "new"
        self.wanted: list[Channel] = []
        self.refused: dict[str, str] = {}
        self.without_any = False
        self.reason = ""
        self.reconnects = 0
        self.unknown = 0
        self._jitter = jitter
        self._limits = limits or Limits()
        self._link: _Link | None = None
        self._lived = False
        self._attempt = 0
        self._try_again_s = math.inf
        self._spoken: deque[float] = deque(maxlen=_REMEMBERED)
        self._pong_owed = False
        self._others: deque[str] = deque()
        self._alone: set[str] = set()
        self._planned_for: object = None
        self._planned: list[Channel] = []
        self._told_unknown: set[str] = set()

    # --- What is wanted --------------------------------------------------------------------------------------------

    def start(self) -> list[Action]:
        """Begin."""
        if self.state != "new":
            return []
        self.state = "connecting"
        return [Open()]

    def want(self, channels: Iterable[Channel], now_s: float) -> list[Action]:
        """Have these channels come from now on, and no others."""
        self.wanted = list(dict.fromkeys(channels))
        texts = {c.text for c in self.wanted}
        self.refused = {text: said for text, said in self.refused.items() if text in texts}
        if self.without_any and len(self.refused) < len(texts):
            # Whoever asks for more may have begun to before it failed for want of what the others asked for.
            self.state, self.reason, self.without_any = "connecting", "", False  # in this order: others look at both
            return [Open()]
        return self._speak(now_s)

    def ask_status(self, now_s: float) -> list[Action]:
        """Ask the server what it knows of the connection; its answer is told as "status"."""
        self._others.append("status")
        return self._speak(now_s)

    def stop(self) -> list[Action]:
        """End for good."""
        self.state = "stopped"
        self._link = None
        return [Close()]

    # --- What happens ----------------------------------------------------------------------------------------------

    def opened(self, now_s: float) -> list[Action]:
        """Note that the connection is open."""
        if self.state != "connecting":
            return [Close()]
        self._link = _Link(now_s, heard_s=now_s)
        self._spoken.clear()
        self._others.clear()
        self._alone.clear()
        self._pong_owed = False
        return []

    def heard(self, at_s: float) -> None:
        """Note that data came, which may be a while ago; what is due then is done by `tick`."""
        link = self._link
        if link is not None:
            link.heard_s = max(link.heard_s, at_s)
            link.data_s = at_s
            link.pinged_s = None

    def message(self, content: dict[str, Any], now_s: float) -> list[Action]:
        """Take a message that is no data."""
        link = self._link
        if link is None:
            return []
        link.heard_s = now_s
        link.pinged_s = None
        kind = content.get("type")
        if content.get("error") is not None:
            return self._erred(link, str(content["error"])[:_LONGEST], now_s)
        if kind == "ping":
            self._pong_owed = True
        elif kind == "connected":
            self._greeted(link, content)
        elif kind in ("subscribed", "unsubscribed"):
            return [*self._answered(link, content), *self._speak(now_s)]
        elif kind == "status":
            return [Notice("status", content=content), *self._speak(now_s)]
        elif kind not in ("pong", "pong_ack"):
            return self._unknown(str(kind)[:_LONGEST])
        return self._speak(now_s)

    def lost(self, loss: Loss, now_s: float) -> list[Action]:
        """Note that the connection is gone, or did not come about."""
        if self.state not in ("connecting", "live"):
            return []
        self._link = None
        self.reason = loss.reason
        if loss.final or loss.finished:
            self.state = "finished" if loss.finished else "failed"
            return [Notice(self.state, loss.reason)]
        wait_s = min(FIRST_WAIT_S * 2.0**self._attempt, LONGEST_WAIT_S) * (0.75 + 0.5 * self._jitter())
        self._attempt += 1
        self._try_again_s = now_s + wait_s
        self.state = "waiting"
        return [Notice("lost", f"{loss.reason}; trying again in {wait_s:.1f} s")]

    def tick(self, now_s: float) -> list[Action]:
        """Do what is due."""
        if self.state == "waiting":
            if now_s < self._try_again_s:
                return []
            self.state = "connecting"
            return [Open()]
        link = self._link
        if link is None:
            return []
        reason = self._overdue(link, now_s)
        if reason is not None:
            return self._replace(reason, now_s)
        actions: list[Action] = []
        if now_s - link.opened_s >= self._limits.welcome_s:
            link.greeted = True
        if link.asked is not None and now_s - link.asked.sent_s >= self._limits.answer_s:
            # Unanswered and done: whoever sends data has understood.
            actions += self._done(link, link.asked.channels)
        if link.pinged_s is None and now_s - link.heard_s >= self._limits.silent_s:
            link.pinged_s = now_s
            self._others.append("ping")
            actions.append(Notice("stale", f"nothing heard for {now_s - link.heard_s:.0f} s"))
        return [*actions, *self._speak(now_s)]

    def _overdue(self, link: _Link, now_s: float) -> str | None:
        """Return for what the connection is to be given up, None where all is well."""
        limits, asked = self._limits, link.asked
        late = asked is not None and asked.action == "subscribe" and now_s - asked.sent_s >= limits.answer_s
        if asked is not None and late and (link.data_s is None or link.data_s < asked.sent_s):
            return f"no answer to subscribe{f' but: {link.said}' if link.said else ''}"
        if link.pinged_s is not None and now_s - link.pinged_s >= limits.answer_s:
            return f"silent for {now_s - link.heard_s:.0f} s"
        if link.data_s is not None and now_s - link.data_s >= limits.data_s:
            return f"no data for {now_s - link.data_s:.0f} s, though the heartbeat goes on"
        return None

    @property
    def confirmed(self) -> frozenset[str]:
        """The channels that the server has confirmed."""
        link = self._link
        return frozenset() if link is None else frozenset(link.confirmed)

    @property
    def due_s(self) -> float:
        """When to call `tick` next."""
        if self.state == "waiting":
            return self._try_again_s
        link = self._link
        if link is None:
            return math.inf
        limits = self._limits
        due = [link.heard_s + limits.silent_s if link.pinged_s is None else link.pinged_s + limits.answer_s]
        due += [] if link.greeted else [link.opened_s + limits.welcome_s]
        due += [link.asked.sent_s + limits.answer_s] if link.asked else []
        due += [] if link.data_s is None else [link.data_s + limits.data_s]
        due += [self._next_word_s(link)] if self._has_words(link) else []
        return min(due)

    # --- What is said ----------------------------------------------------------------------------------------------

    def _speak(self, now_s: float) -> list[Action]:
        """Return what may be sent now: pongs first, then questions, then what changes the subscriptions."""
        link = self._link
        actions: list[Action] = []
        while link is not None and now_s >= self._next_word_s(link):
            text = self._next_text(link, now_s)
            if text is None:
                break
            self._spoken.append(now_s)
            actions.append(Send(text))
        return actions

    def _next_word_s(self, link: _Link) -> float:
        """Return when the next message may be sent."""
        full = len(self._spoken) >= link.controls
        return max(link.held_until_s, self._spoken[-link.controls] + _WINDOW_S if full else -math.inf)

    def _has_words(self, link: _Link) -> bool:
        return self._pong_owed or bool(self._others) or self._change(link) is not None

    def _next_text(self, link: _Link, now_s: float) -> str | None:
        if self._pong_owed:
            self._pong_owed = False
            link.ponged_s = now_s
            return _text("pong")
        if self._others:
            action = self._others.popleft()
            if action == "status":
                link.status_s = now_s
            return _text(action)
        change = self._change(link)
        if change is None:
            return None
        link.asked = _Asked(*change, now_s)
        return _text(change[0], channels=list(change[1]))

    def _plan(self, link: _Link) -> list[Channel]:
        """Return what is to be subscribed to; planned anew only where something has changed."""
        about = (tuple(self.wanted), tuple(self.refused), link.subscriptions)
        if self._planned_for != about:
            self._planned_for = about
            self._planned = planned(self.wanted, link.subscriptions, self.refused)
        return self._planned

    def _change(self, link: _Link) -> tuple[str, tuple[str, ...]] | None:
        """Return what is to be subscribed or unsubscribed next, None where nothing is."""
        if not link.greeted or link.asked is not None:
            return None
        targets = [c.text for c in self._plan(link)]
        missing = [text for text in targets if text not in link.confirmed and text not in link.unconfirmed]
        extra = tuple(sorted(link.confirmed - set(targets)))
        if missing and len(link.confirmed) + len(missing) <= link.subscriptions:
            # One that was refused together with others is tried alone: it may not be the one at fault.
            alone = next((text for text in missing if text in self._alone), None)
            return "subscribe", tuple(missing) if alone is None else (alone,)
        return ("unsubscribe", extra) if extra else None

    # --- What is answered ------------------------------------------------------------------------------------------

    def _greeted(self, link: _Link, content: dict[str, Any]) -> None:
        """Take the server's own limits, where it tells them."""
        link.greeted = True
        guidelines = content.get("connection_guidelines")
        limits = guidelines.get("rate_limits") if isinstance(guidelines, dict) else None
        if isinstance(limits, dict):
            link.subscriptions = _positive(limits.get("max_subscriptions_per_connection"), link.subscriptions)
            link.controls = _positive(limits.get("max_control_messages_per_second"), link.controls)

    def _answered(self, link: _Link, content: dict[str, Any]) -> list[Action]:
        asked = link.asked
        if asked is None or content.get("type") != f"{asked.action}d":
            return []
        names = content.get("channels")
        named = {n.casefold() for n in names if isinstance(n, str)} if isinstance(names, list) else set()
        done = [text for text in asked.channels if text in named] if named else list(asked.channels)
        if not done:
            return []  # an answer to something else
        actions = self._done(link, done)
        left = [text for text in asked.channels if text not in done]
        if left and asked.action == "subscribe":
            # Not asked for again on this connection: the server has had it.
            link.unconfirmed.update(left)
            actions.append(Notice("unconfirmed", ", ".join(left), channels=tuple(left)))
        return actions

    def _done(self, link: _Link, channels: Iterable[str]) -> list[Action]:
        """Note that what was asked for is done for these channels."""
        asked, link.asked = link.asked, None
        self._alone.difference_update(channels)
        if asked is not None and asked.action == "unsubscribe":
            link.confirmed.difference_update(asked.channels)
            return []
        link.confirmed.update(channels)
        if self.state == "live" or not link.confirmed:
            return []
        self.state = "live"
        self.reason = ""
        self._attempt = 0
        self.reconnects += self._lived
        what, self._lived = ("reconnect" if self._lived else "live"), True
        return [Notice(what, ", ".join(sorted(link.confirmed)))]

    def _erred(self, link: _Link, said: str, now_s: float) -> list[Action]:
        notice = Notice("error", said)
        link.said = said
        asked = link.asked
        if "rate limit" in said.lower():
            link.asked = None
            link.held_until_s = now_s + RATE_WAIT_S
            # Which message it was is not said; a pong must not be missed.
            self._pong_owed = self._pong_owed or now_s - link.ponged_s < _WINDOW_S
            if now_s - link.status_s < _WINDOW_S and "status" not in self._others:
                self._others.append("status")
            return [notice]
        if asked is None or asked.action != "subscribe" or not any(word in said.lower() for word in _OF_CHANNELS):
            return [notice, *self._speak(now_s)]
        link.asked = None
        if len(asked.channels) > 1:
            self._alone.update(asked.channels)
            return [notice, *self._speak(now_s)]
        return [*self._refuse(link, asked.channels[0], said), *self._speak(now_s)]

    def _refuse(self, link: _Link, text: str, said: str) -> list[Action]:
        """Note that a channel cannot be had, and those wanted ones that had to come by it; without any left that ends it all."""
        self.refused[text] = said
        self._alone.discard(text)
        notices = [Notice("refused", f"{text}: {said}", channels=(text,))]
        plan = self._plan(link)
        for channel in self.wanted:
            if channel.text not in self.refused and not covered(channel, plan):
                self.refused[channel.text] = f"there is no room for it beside the others, and {text} was refused"
                notices.append(Notice("refused", f"{channel.text}: {self.refused[channel.text]}", channels=(channel.text,)))
        if self.wanted and all(c.text in self.refused for c in self.wanted):
            self.without_any, self.state = True, "failed"
            self.reason = f"every channel was refused: {'; '.join(f'{t}: {s}' for t, s in self.refused.items())}"
            self._link = None
            return [*notices, Notice("failed", self.reason), Close()]
        return [*notices]

    def _unknown(self, kind: str) -> list[Action]:
        """Tell of a type of messages that is not known, once: there may be more of them than of any other."""
        self.unknown += 1
        if kind in self._told_unknown or len(self._told_unknown) >= _REMEMBERED:
            return []
        self._told_unknown.add(kind)
        return [Notice("unknown", kind)]

    def _replace(self, reason: str, now_s: float) -> list[Action]:
        """Give the connection up for a new one."""
        return [Close(), *self.lost(Loss(reason), now_s)]


_OF_CHANNELS: Final = ("channel", "subscri", "symbol", "interval")
"""Words by which an error is known to be about what was asked for."""


def _text(action: str, **more: Any) -> str:
    return json.dumps({"action": action} | more)


def _positive(value: Any, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else usual
