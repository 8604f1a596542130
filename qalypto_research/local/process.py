"""A stand-in in a process of its own, as whoever started it sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from qalypto_research.errors import ConfigurationError
from qalypto_research.local.orders import READY
from qalypto_research.schema.wire import ACCESS_HEADERS

_STOP_S: Final = 5
_ERRORS_KEPT: Final = 50


class StandInProcess:
    """Starts a stand-in, gives it orders, and stops it. It ends when its parent does, however that ends.

    Parameters
    ----------
    words : sequence of str
        As behind ``qalypto serve``.

    Attributes
    ----------
    environment : dict of str to str
        The variables by which clients find it.

    Raises
    ------
    ConfigurationError
        It did not start; says why.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "qalypto_research.cli", "serve", *words, "--orders"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("QALYPTO_")},
            # Ctrl-C at the terminal, or the stop button of a notebook, is for its parent.
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        self._listener = threading.Thread(target=self._listen, name="qalypto-stand-in", daemon=True)
        self._listener.start()
        try:
            self.environment = dict(line.rstrip("\n").split("=", 1) for line in self._until_ready())
        except BaseException:
            self.stop()
            raise

    @property
    def stream_headers(self) -> dict[str, str]:
        """What a handshake with its stream must carry."""
        values = (self.environment[name] for name in ("QALYPTO_CF_ACCESS_CLIENT_ID", "QALYPTO_CF_ACCESS_CLIENT_SECRET"))
        return dict(zip(ACCESS_HEADERS, values, strict=True))

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def order(self, line: str) -> str:
        """Give an order, as `orders` has them; return "" where it was carried out, else why not.

        Raises
        ------
        ConfigurationError
            It has stopped.
        """
        with self._lock:
            if self._process.stdin is None or self._process.stdin.closed or not self.running:
                raise ConfigurationError("the stand-in has stopped")
            try:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            except OSError as error:
                raise ConfigurationError("the stand-in has stopped") from error
            return "".join(self._until_ready(or_one=True)).strip()

    def said(self) -> str:
        """Return the last of what it had to complain about."""
        return "".join(self._errors)

    def stop(self) -> None:
        """Stop it: its addresses are dead then. Stopping twice is fine."""
        with self._lock:
            if self._process.stdin is not None:
                with suppress(OSError):  # what was not read is written once more
                    self._process.stdin.close()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._listener.join()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()

    def _until_ready(self, *, or_one: bool = False) -> list[str]:
        """Return the lines it says before it is ready; the first alone where one means that it could not."""
        lines: list[str] = []
        for line in self._process.stdout or ():
            if line.rstrip("\n") == READY:
                return lines
            lines.append(line)
            if or_one:
                return lines
        self._process.wait()
        self._listener.join()
        raise ConfigurationError(f"the stand-in stopped: {self.said().strip().removeprefix('qalypto: ') or 'it does not say why'}")

    def _listen(self) -> None:
        """Keep the last of what it has to complain about, lest it wait to be heard."""
        for line in self._process.stderr or ():
            self._errors.append(line)
