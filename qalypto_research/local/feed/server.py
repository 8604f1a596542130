"""The stream's server: handshakes, connections, and the player behind them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from qalypto_research.clock import Clock
from qalypto_research.errors import QalyptoError
from qalypto_research.local.credentials import Credentials
from qalypto_research.local.feed.audience import Audience, Limits, Listener
from qalypto_research.local.feed.conversation import Conversation
from qalypto_research.local.feed.faults import HANDSHAKE, StreamFaults
from qalypto_research.local.feed.line import Line
from qalypto_research.local.feed.player import Player
from qalypto_research.local.feed.source import Source
from qalypto_research.schema.wire import CONNECTIONS

PATH: Final = "/ws/stream"

_WRITE_LIMIT: Final = 1 << 20
_UNPACED_BYTES: Final = 128 << 10
"""Of what waits in the sockets and in front of them where clients set the pace: with much more there it could not be seen
that a slow one reads at all, and pings would wait behind it."""
_STOP_S: Final = 1.0
_FAILED: Final = (1011, "the replay cannot go on")

_log: Final = logging.getLogger(__name__)
_OURS: Final = ("connection handler failed", "process_request failed", "unexpected internal error")


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of the library's tells of a fault of ours: of clients that come, go and probe nobody need know."""
    return record.msg in _OURS


_log.addFilter(_is_news)


class Feed:
    """The service's stream, from a source.

    Parameters
    ----------
    source : Source
        What is played.
    clock : Clock
        What time it is.
    credentials : Credentials
        Who may listen.
    faults : StreamFaults
        What is to go wrong.
    paced : bool
        Whether the clock says when a message is due; else the clients set the pace.
    starts_clock : bool
        Whether a clock that stands is started once anyone is subscribed.
    limits : Limits, optional
        What a client may cost.

    Attributes
    ----------
    audience : Audience
        All who listen.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        credentials: Credentials,
        faults: StreamFaults,
        *,
        paced: bool,
        starts_clock: bool,
        limits: Limits | None = None,
    ) -> None:
        self.audience = Audience()
        self._source = source
        self._clock = clock
        self._credentials = credentials
        self._faults = faults
        self._limits = limits or Limits()
        self._paced = paced
        self._symbols = source.symbols()
        self._player = Player(source, clock, self.audience, paced=paced, starts_clock=starts_clock)
        self._connections: set[ServerConnection] = set()
        self._listeners: set[Listener] = set()

    @asynccontextmanager
    async def serving(self, listening: socket.socket, tls: ssl.SSLContext | None, warn: Callable[[str], None]) -> AsyncIterator[None]:
        """Serve on a socket that listens.

        Parameters
        ----------
        listening : socket.socket
            Where.
        tls : ssl.SSLContext or None
            With what certificate; None for plain ws.
        warn : callable
            Told why the replay cannot go on, where it cannot.
        """
        if not self._paced:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNPACED_BYTES)  # taken over by what it accepts
        server = serve(
            self._attend,
            sock=listening,
            ssl=tls,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=self._limits.stall_s,
            write_limit=_WRITE_LIMIT if self._paced else _UNPACED_BYTES,
            create_connection=_Accepted,
            server_header=None,
            logger=_log,
        )
        async with _stopped_in_time(server):
            playing = asyncio.create_task(self._play(warn))
            try:
                yield
            finally:
                self._source.close()
                playing.cancel()
                with suppress(asyncio.CancelledError):
                    await playing

    def set_faults(self, faults: StreamFaults) -> None:
        """Let something else go wrong from now on, in place of what went wrong before."""
        self._faults = faults
        for listener in self._listeners:
            listener.line = Line(faults)

    async def _play(self, warn: Callable[[str], None]) -> None:
        try:
            await self._player.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who listen must not wait for ever
            warn(f"the replay cannot go on: {error if isinstance(error, QalyptoError) else repr(error)}")
            self.audience.finish(*_FAILED)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a handshake: None lets the client in."""
        self._connections = {one for one in self._connections if one.protocol.state is not State.CLOSED}
        fault = self._faults.draw(HANDSHAKE)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        if fault is not None and fault.kind == "break_handshake":
            connection.transport.abort()
        elif fault is not None and fault.kind == "refuse":
            # Made by hand: the library knows no status beyond the registered ones.
            return Response(fault.status, "On Purpose", Headers([("Connection", "close"), ("Content-Length", "0")]), b"")
        elif fault is not None or not self._credentials.pass_cloudflare(headers):
            return connection.respond(HTTPStatus.FORBIDDEN, "Forbidden\n")
        elif not _client_id(request.path):
            return connection.respond(HTTPStatus.NOT_FOUND, f"Not found. The stream is at {PATH}/your-client-id\n")
        elif len(self._connections) >= CONNECTIONS:
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, f"Too many connections. Max {CONNECTIONS} connections per account.\n")
        self._connections.add(connection)
        return None

    async def _attend(self, connection: ServerConnection) -> None:
        """Speak with one client until it goes."""
        loop = asyncio.get_running_loop()
        path = connection.request.path if connection.request is not None else ""
        conversation = Conversation(_client_id(path), self._symbols, loop.time(), self._clock.now_us())
        listener = Listener(connection, conversation, Line(self._faults), self._limits)
        self._listeners.add(listener)
        self.audience.join(listener)
        listener.say(conversation.opening())
        beating = asyncio.create_task(self._beat(listener))
        try:
            with suppress(ConnectionClosed):
                async for text in connection:
                    listener.hear(text, self._clock.now_us())
                    self.audience.look()
        finally:
            beating.cancel()
            self._listeners.discard(listener)
            self._connections.discard(connection)
            self.audience.leave(listener)

    async def _beat(self, listener: Listener) -> None:
        """Ping a client, and see that it answers."""
        loop = asyncio.get_running_loop()
        while listener.open:
            await asyncio.sleep(max(0.0, listener.conversation.due_s - loop.time()))
            listener.beat(self._clock.now_us())


class _Accepted(ServerConnection):
    """A connection that its server knows of from the first byte on, not only once the handshake is over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _accepted.setdefault(self.server, set()).add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        _accepted[self.server].discard(self)
        super().connection_lost(exc)

    @staticmethod
    def of(server: Server) -> list[ServerConnection]:
        """Return those of `server` whose sockets are open."""
        return list(_accepted.get(server, ()))


_accepted: Final[WeakKeyDictionary[Server, set[ServerConnection]]] = WeakKeyDictionary()


@asynccontextmanager
async def _stopped_in_time(server: Server) -> AsyncIterator[None]:
    """Start `server`, and stop it: connections are closed, and cut off where the client does not let them be."""
    await server
    try:
        yield
    finally:
        server.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await server.wait_closed()
        except TimeoutError:
            for connection in _Accepted.of(server):
                connection.transport.abort()
            await server.wait_closed()


def _client_id(path: str) -> str:
    """Return what a client calls itself in the path of its handshake, "" where that is no path of the stream."""
    before, _, name = path.partition("?")[0].rpartition("/")
    return unquote(name) if before == PATH else ""
