"""A recorded log of the stream as a source: each line a message, played byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from qalypto_research.errors import InputError
from qalypto_research.local.feed.messages import Message
from qalypto_research.local.feed.source import AT_ONCE, Piece
from qalypto_research.schema.tables import TABLES
from qalypto_research.schema.wire import Channel

_NEVER: Final = -1
_LATEST_MS: Final = 10**13
"""Beyond it lies no time of a market, but some other number."""
_NO_JSON: Final = "a log of the stream has one JSON object a line"


class LogSource:
    """Plays a log: in the order of its lines, each when its own ``_timestamps.websocket_sent`` says it was sent.

    A line that says nothing of that, such as a message of a type unknown today, is due with the one before it, or with the
    first that says it. It goes to whoever listens at all.

    Parameters
    ----------
    path : pathlib.Path
        The file: one JSON object a line.

    Raises
    ------
    InputError
        No such file, a line that is no JSON object, or no line that says when it was sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first_us = _NEVER
        symbols, moments = set(), []
        for message in self._messages():
            symbols.add(message.route.symbol)
            moments.append(message.seen_us)
        found = [us for us in moments if us != _NEVER]
        if not found:
            raise InputError("archive", f"{path}: no line says when it was sent (data._timestamps.websocket_sent)")
        self._symbols = symbols - {""}
        # What comes before the first line that says it, such as a welcome, is due with that.
        self._first_us = found[0]
        self.bounds_us = found[0], found[-1]
        self._closed = False
        self._left = self._messages()
        self._next: Message | None = next(self._left, None)

    def symbols(self) -> set[str]:
        """Return the symbols that its messages are about; see ``Source``."""
        return self._symbols

    def read(self, after_us: int, until_us: int) -> Piece | None:
        """Return what was sent after a moment and up to another; see ``Source``."""
        messages: list[Message] = []
        while self._next is not None and self._next.seen_us <= until_us and not self._closed:
            if len(messages) >= AT_ONCE and self._next.seen_us > messages[-1].seen_us:
                return Piece(messages, messages[-1].seen_us)
            if self._next.seen_us > after_us:
                messages.append(self._next)
            self._next = next(self._left, None)
        if self._closed:
            return None
        if self._next is None:
            # Over with the last line, not only at the end of the stretch.
            return Piece(messages, messages[-1].seen_us) if messages else None
        return Piece(messages, until_us)

    def close(self) -> None:
        """Let what is being read come to an end."""
        self._closed = True

    def _messages(self) -> Iterator[Message]:
        latest = self._first_us
        try:
            with self._path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    text = line.rstrip(b"\r\n")
                    if text:
                        content = _read(text, f"{self._path}, line {number}")
                        latest = max(latest, _sent_us(content))
                        yield Message(latest, _route(content), text)
        except OSError as error:
            raise InputError("archive", f"{self._path} cannot be read ({error.strerror})") from error


def _read(text: bytes, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError("archive", f"{where}: is no JSON ({error}); {_NO_JSON}") from error
    if not isinstance(content, dict):
        raise InputError("archive", f"{where}: is no JSON object; {_NO_JSON}")
    return content


def _sent_us(content: dict[str, Any]) -> int:
    """Return when a message was sent, microseconds since 1970 UTC; -1 where it does not say."""
    try:
        sent = content["data"]["_timestamps"]["websocket_sent"]
    except (KeyError, TypeError):
        return _NEVER
    known = isinstance(sent, (int, float)) and not isinstance(sent, bool) and 0 < sent < _LATEST_MS
    return int(sent * 1000) if known else _NEVER


def _route(content: dict[str, Any]) -> Channel:
    """Return the narrowest channel of a message; that of everything where it has none."""
    kind, symbol, interval = (content.get(name) for name in ("type", "symbol", "interval"))
    if kind not in TABLES or not isinstance(symbol, str):
        return Channel()
    return Channel(str(kind), symbol.upper(), interval if isinstance(interval, str) else "")
