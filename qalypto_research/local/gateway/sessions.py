"""Sessions of the HTTP interface: settings that stay from one request to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from qalypto_research.engine.raw import RawError

_TIMEOUT_S: Final = 60


@dataclass(slots=True)
class _Session:
    settings: dict[str, str] = field(default_factory=dict)
    busy: bool = False
    ends: float = 0.0


class Sessions:
    """The sessions that clients have named."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    @contextmanager
    def entered(self, parameters: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Lend the settings of the session that a request names, new ones where it names none.

        Raises
        ------
        RawError
            Another query of the session runs, or ``session_check`` asks for one that is not there.
        """
        name = parameters.get("session_id", "")
        if not name:
            yield {}
            return
        now = time.monotonic()
        with self._lock:
            for over in [n for n, s in self._sessions.items() if s.ends < now and not s.busy]:
                del self._sessions[over]
            if parameters.get("session_check") == "1" and name not in self._sessions:
                raise RawError(372, f"Session {name} not found. (SESSION_NOT_FOUND)")
            session = self._sessions.setdefault(name, _Session())
            if session.busy:
                raise RawError(373, f"Session {name} is locked by a concurrent client. (SESSION_IS_LOCKED)")
            session.busy = True
        try:
            yield session.settings
        finally:
            given = parameters.get("session_timeout", "")
            with self._lock:
                session.busy = False
                session.ends = time.monotonic() + (int(given) if given.isdigit() else _TIMEOUT_S)
