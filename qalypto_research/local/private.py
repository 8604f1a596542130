"""The stream of an archive's connection: a stand-in of its own, started when it is first needed."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from qalypto_research.archive.sample import find_sample
from qalypto_research.clock import Clock, Reading
from qalypto_research.config import StreamAccess
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import ClosedError, ConfigurationError
from qalypto_research.local.orders import to_clock_order
from qalypto_research.local.process import StandInProcess


class PrivateFeed:
    """Plays an archive by its connection's clock, in a process of its own, for this machine alone.

    What is sent is what the connection's calls find: both go by the same clock and the same files. The sample goes on
    after its end, in a folder beside it that the engine reads, too.

    Parameters
    ----------
    roots : sequence of pathlib.Path
        The archive's folders.
    engine : EmbeddedEngine
        Over them.
    clock : Clock
        The connection's. It is started when the stream is first asked for; the stream halts where it is stopped.
    strict : bool
        Whether a damaged file is an error; else it is left out, as by the connection.
    """

    def __init__(self, roots: Sequence[Path], engine: EmbeddedEngine, clock: Clock, *, strict: bool) -> None:
        self._roots = tuple(roots)
        self._strict = strict
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._held = _Held()
        weakref.finalize(self, self._held.let_go)
        clock.follow(self._hand_over)

    def access(self) -> StreamAccess:
        """Return the way to the stream, and have it play.

        Raises
        ------
        ConfigurationError
            It does not start; says why.
        ClosedError
            The connection was closed.
        """
        with self._lock:
            if self._closed:
                raise ClosedError("this connection is closed; call qr.connect() for a new one")
            process = self._held.process
            if process is None or not process.running:
                process = self._held.process = self._start()
            self._clock.start()
            environment = process.environment
        headers = {name: SecretStr(value) for name, value in process.stream_headers.items()}
        return StreamAccess(environment["QALYPTO_STREAM_URL"], headers, environment["QALYPTO_USERNAME"])

    def close(self) -> None:
        """Stop playing. Closing twice is fine."""
        with self._lock:
            self._closed = True
            self._held.let_go()

    def _start(self) -> StandInProcess:
        words = ["--port", "0", "--stream-port", "0", "--http", "--no-history", "--led"]
        words += ["--at", self._clock.now().isoformat(), "--speed", str(self._clock.reading.speed)]
        if self._roots == (find_sample(),):
            if self._held.folder is None:
                self._held.folder = Path(tempfile.mkdtemp(prefix="qalypto-"))
                self._engine.add_root(self._held.folder)
            words += ["sample", "--grown", str(self._held.folder)]
        else:
            words += [str(root) for root in self._roots]
        words += [] if self._strict else ["--skip-damaged"]
        process = StandInProcess(words)
        try:
            if self._clock.running:
                _tell(process, self._clock.reading)
        except BaseException:
            process.stop()
            raise
        return process

    def _hand_over(self, reading: Reading) -> None:
        """Tell the process what time it is from now on."""
        process = self._held.process
        if process is not None and process.running:
            _tell(process, reading)


class _Held:
    """What is to be let go of, also where nobody says so."""

    def __init__(self) -> None:
        self.process: StandInProcess | None = None
        self.folder: Path | None = None

    def let_go(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _tell(process: StandInProcess, reading: Reading) -> None:
    said = process.order(to_clock_order(reading))
    if said:
        raise ConfigurationError(f"the stand-in does not take the clock over: {said}")
