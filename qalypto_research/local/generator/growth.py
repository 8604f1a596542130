"""An archive that goes on: the next block is written before the clock is there."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from qalypto_research.errors import ConfigurationError
from qalypto_research.local.generator import continuation

MOST_SPEED: Final = 600.0
"""Up to which speed blocks come before the clock is there; one takes a second or two."""

_LEAD_US: Final = 600_000_000
_LEAD_S: Final = 60


class Growth:
    """The packaged sample, gone on with in a folder beside it by a process of its own, which is started when first needed.

    Parameters
    ----------
    folder : pathlib.Path
        Where blocks are written; a root of the archive.
    days : int, optional
        By how many days the sample was moved.
    speed : float, optional
        Seconds of clock time a second: so much earlier a block is begun.
    """

    def __init__(self, folder: Path, *, days: int = 0, speed: float = 1.0) -> None:
        self._folder = folder
        self._days = days
        self._lead_us = max(_LEAD_US, round(_LEAD_S * speed * 1e6))
        self._ends_us = continuation.END_US + days * continuation.DAY_US
        self._closed = False
        self._lock = threading.Lock()
        self._writer: subprocess.Popen[str] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qalypto-growth")
        self._coming: Future[None] | None = None

    @property
    def ends_us(self) -> int:
        """Up to when all rows are there, microseconds since 1970 UTC."""
        return self._ends_us

    def reach(self, after_us: int, until_us: int, told: Callable[[int], None] = lambda _: None) -> int | None:
        """Return up to when all rows are there, at most `until_us` and later than `after_us`; waits until they are.

        Parameters
        ----------
        after_us, until_us : int
            Microseconds since 1970 UTC.
        told : callable, optional
            Called with the end of each block waited for.

        Returns
        -------
        int or None
            None where it was closed meanwhile.

        Raises
        ------
        ConfigurationError
            Blocks cannot be written.
        """
        while self._ends_us <= after_us:
            coming = self._next()
            if coming is None:
                return None
            coming.result()
            told(self._ends_us)
        if self._ends_us < until_us + self._lead_us:
            self._next()
        return min(self._ends_us, until_us)

    def close(self) -> None:
        """End the process. A block under way is not waited for."""
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.kill()
        self._thread.shutdown(cancel_futures=True)
        if self._writer is not None:
            self._writer.communicate()

    def _next(self) -> Future[None] | None:
        """Have the next block written if none is on its way."""
        with self._lock:
            if self._closed:
                return None
            if self._coming is None or self._coming.done():
                self._coming = self._thread.submit(self._write)
            return self._coming

    def _write(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._writer is None:
                self._writer = _started(self._folder, self._days)
            writer = self._writer
        said = ""
        if writer.stdin is not None and writer.stdout is not None:
            try:
                writer.stdin.write("next\n")
                writer.stdin.flush()
                said = writer.stdout.readline()
            except OSError:
                said = ""
        if said:
            self._ends_us = int(said)
        elif not self._closed:
            reason = (writer.stderr.read() if writer.stderr is not None else "").strip().splitlines()
            writer.communicate()
            self._writer = None  # the next block is for another
            raise ConfigurationError(f"the sample cannot go on in {self._folder}: {reason[-1] if reason else 'its writer stopped'}")


def _started(folder: Path, days: int) -> subprocess.Popen[str]:
    # In a session of its own: Ctrl-C at the terminal is for the stand-in, which ends it.
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", continuation.__name__, str(folder), str(days)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
