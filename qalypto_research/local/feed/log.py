"""A recorded log of the stream as a source: each line a message, played byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from qalypto_research.errors import InputError
from qalypto_research.local.feed.messages import Message
from qalypto_research.schema.tables import TABLES
from qalypto_research.schema.wire import Channel

_LINES_AT_ONCE: Final = 5_000
_NO_JSON: Final = "a log of the stream has one JSON object a line"


class LogSource:
    """Plays a log: in the order of its lines, each when its own ``_timestamps.websocket_sent`` says it was sent.

    A line that says nothing of that, such as a message of a type unknown today, is due with the one before it. It goes to
    whoever listens at all.

    Parameters
    ----------
    path : pathlib.Path
        The file: one JSON object a line.

    Raises
    ------
    InputError
        No such file, a line that is no JSON object, or none that says when it was sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        symbols, moments = set(), []
        for message in self._messages():
            symbols.add(message.route.symbol)
            moments.append(message.seen_us)
        if not moments or moments[0] < 0:
            raise InputError("archive", f"{path}: its first line does not say when it was sent (data._timestamps.websocket_sent)")
        self._symbols = frozenset(symbols - {""})
        self.bounds_us = moments[0], moments[-1]

    def symbols(self) -> frozenset[str]:
        """Return the symbols that its messages are about, in capitals."""
        return self._symbols

    def windows(self, after_us: int, span_us: int | None) -> Iterator[list[Message]]:
        """Yield what was sent after `after_us`; see ``Source``."""
        window: list[Message] = []
        for message in self._messages():
            if message.seen_us <= after_us:
                continue
            if window and (len(window) == _LINES_AT_ONCE or (span_us is not None and message.seen_us - window[0].seen_us > span_us)):
                yield window
                window = []
            window.append(message)
        if window:
            yield window

    def close(self) -> None:
        """Nothing is held between two pieces."""

    def _messages(self) -> Iterator[Message]:
        latest = -1
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
        return int(content["data"]["_timestamps"]["websocket_sent"] * 1000)
    except (KeyError, TypeError):
        return -1


def _route(content: dict[str, Any]) -> Channel:
    """Return the narrowest channel of a message; that of everything where it has none."""
    kind, symbol, interval = (content.get(name) for name in ("type", "symbol", "interval"))
    if kind not in TABLES or not isinstance(symbol, str):
        return Channel()
    return Channel(str(kind), symbol.upper(), interval if isinstance(interval, str) else "")
