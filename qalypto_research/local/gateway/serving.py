"""The stand-in's history on a socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from qalypto_research.local.gateway.server import Application, BrokenOffError

_LONGEST_HEAD: Final = 1 << 20
_KEEP_ALIVE_S: Final = 10
_SHUTDOWN_S: Final = 1


@asynccontextmanager
async def serving(application: Application, listening: socket.socket, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Serve on a socket that listens.

    Parameters
    ----------
    application : Application
        What answers.
    listening : socket.socket
        Where.
    tls : ssl.SSLContext or None
        With what certificate; None for plain http.
    """
    server = _Server(application, tls)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await server.up.wait()
        yield
    finally:
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """Uvicorn, which leaves signals alone: whoever runs it has them."""

    def __init__(self, application: Application, tls: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        config.ssl = tls
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._application = application
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of the server's tells what the stand-in did not do on purpose."""
    return not (record.exc_info and isinstance(record.exc_info[1], BrokenOffError)) and record.levelno >= logging.ERROR
