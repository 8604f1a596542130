"""The socket to the stream: one connection at a time, on one thread with its own event loop, as the protocol has it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from qalypto_research.config import StreamAccess, is_loopback, variable
from qalypto_research.errors import ConfigurationError
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.actions import Action, Close, Notice, Open, Send
from qalypto_research.stream.decoding import BadMessage, decode
from qalypto_research.stream.losses import to_loss
from qalypto_research.stream.protocol import Protocol

MOST_BYTES: Final = 64 << 20
"""Of one message."""

BEAT_S: Final = 1.0

_OPEN_S: Final = 10.0
_CLOSE_S: Final = 1.0
_LOOK_S: Final = 0.25
"""How often the protocol hears that data come; each message by itself would cost more than its decoding."""

_log: Final = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # whatever the user logs: below it the library writes out headers, and with them the token


class Transport:
    """Keeps a connection to the stream up, and hands on what comes.

    Parameters
    ----------
    access : StreamAccess
        The way to it.
    protocol : Protocol
        What is to be done. It is asked on the transport's thread alone.
    data : callable
        Given each message of data; on the transport's thread, so it must be quick. What it raises is told as bad.
    notice : callable
        Given what whoever listens should know; likewise.
    bad : callable
        Given what is wrong with each message that cannot be read; likewise.
    beat : callable
        Called every second, in whatever state, with the seconds of a clock that never goes back; likewise.

    Raises
    ------
    ConfigurationError
        The certificate's file cannot be used.
    """

    def __init__(
        self,
        access: StreamAccess,
        protocol: Protocol,
        *,
        data: Callable[[msgspec.Struct], None],
        notice: Callable[[Notice], None],
        bad: Callable[[str], None],
        beat: Callable[[float], None],
    ) -> None:
        self.messages = 0
        self.bytes = 0
        self._access = access
        self._protocol = protocol
        self._data = data
        self._notice = notice
        self._bad = bad
        self._on_beat = beat
        self._tls = _trust(access)
        self._loop = asyncio.new_event_loop()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._data_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qalypto-stream", daemon=True)

    def start(self, channels: Sequence[Channel]) -> None:
        """Begin to listen to `channels`."""
        self._protocol.want(channels, 0.0)
        # Before anyone can stop it.
        self._loop.call_soon(lambda: self._do(self._protocol.start()))
        self._loop.call_soon(self._beat)
        self._thread.start()

    def want(self, channels: Iterable[Channel]) -> None:
        """Listen to other channels from now on."""
        listed = list(channels)
        self._soon(lambda: self._do(self._protocol.want(listed, self._loop.time())))

    def ask_status(self) -> None:
        """Ask the server what it knows of the connection; the answer is told as "status"."""
        self._soon(lambda: self._do(self._protocol.ask_status(self._loop.time())))

    def stop(self) -> None:
        """End, and return once it has ended. Stopping twice is fine."""
        if self._thread.ident is None:
            self._loop.close()
            return
        self._soon(self._end)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _soon(self, work: Callable[[], None]) -> None:
        """Do something on the transport's thread, if it runs."""
        if not self._stopped.is_set() and self._thread.ident is not None:
            try:
                self._loop.call_soon_threadsafe(work)
            except RuntimeError:  # it has just ended
                return

    # --- On the transport's thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._stopped.set()
            if self._task is not None:
                self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _end(self) -> None:
        self._do(self._protocol.stop())
        if self._timer is not None:
            self._timer.cancel()
        self._loop.stop()

    def _do(self, actions: Iterable[Action]) -> None:
        """Do what the protocol wants, and look again when it says so."""
        for action in actions:
            if isinstance(action, Notice):
                self._notice(action)
            elif isinstance(action, Send):
                self._send(action.text)
            elif isinstance(action, Open):
                self._task = self._loop.create_task(self._listen())
            elif isinstance(action, Close) and self._task is not None:
                self._task.cancel()
                self._socket = None
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._loop.time()
        due = self._protocol.due_s
        wait = max(due - now if self._socket is None else min(due - now, _LOOK_S), 0.0)
        self._timer = None if wait == float("inf") else self._loop.call_later(wait, self._look, now + wait)

    def _look(self, due_s: float) -> None:
        now = self._loop.time()
        if self._socket is not None and now - due_s > _LOOK_S:
            # This thread was held up, and may have been deaf rather than the server silent: what waits in the socket is read first.
            self._timer = self._loop.call_later(_LOOK_S, self._look, now + _LOOK_S)
            return
        self._heard()
        self._do(self._protocol.tick(now))

    def _beat(self) -> None:
        self._loop.call_later(BEAT_S, self._beat)
        self._on_beat(self._loop.time())

    def _heard(self) -> None:
        """Tell the protocol of the data that have come since it was told last."""
        at, self._data_s = self._data_s, None
        if at is not None:
            self._protocol.heard(at)

    def _send(self, text: str) -> None:
        socket = self._socket
        if socket is not None:
            # Written at once; what the server does not take waits in the socket, and holds nothing up here.
            self._loop.create_task(_sent(socket, text))

    async def _listen(self) -> None:
        """Open a connection and take what comes, up to its end."""
        try:
            async with _Straight(
                self._access.address(),
                additional_headers={name: value.get_secret_value() for name, value in self._access.headers.items()},
                ssl=self._tls,
                ping_interval=None,
                open_timeout=_OPEN_S,
                close_timeout=_CLOSE_S,
                max_size=MOST_BYTES,
                max_queue=None,  # nothing behind it can block
                proxy=None if is_loopback(str(urlsplit(self._access.url).hostname)) else True,
                logger=_log,
            ) as socket:
                self._socket = socket
                self._do(self._protocol.opened(self._loop.time()))
                while True:
                    self._take(await socket.recv(decode=False))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends a connection, another is opened, or it is said why not
            self._socket = None
            self._heard()
            self._do(self._protocol.lost(to_loss(error), self._loop.time()))

    def _take(self, payload: bytes) -> None:
        self.messages += 1
        self.bytes += len(payload)
        try:
            message = decode(payload)
        except BadMessage as error:
            self._bad(str(error))
            return
        if isinstance(message, dict):
            self._heard()
            self._do(self._protocol.message(message, self._loop.time()))
            return
        self._data_s = self._loop.time()
        try:
            self._data(message)
        except Exception as error:  # noqa: BLE001 - a fault behind it is no fault of the connection's
            self._bad(f"{type(message).__name__}: {error!r}")


class _Straight(connect):
    """Opens a connection, and follows no redirect: it would carry the service token elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _sent(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except Exception:  # noqa: BLE001 - the connection has ended, which whoever reads from it is told
        return


def _trust(access: StreamAccess) -> ssl.SSLContext | None:
    """Return what certificates are checked by, None where there is none to check."""
    if not access.url.startswith("wss:"):
        return None
    context = ssl.create_default_context()
    if access.ca_file is not None:
        try:
            context.load_verify_locations(access.ca_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(f"{variable('ca_file')}: {access.ca_file} holds no certificate in PEM form") from error
    return context
