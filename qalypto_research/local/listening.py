"""Where a stand-in can be reached: sockets and certificates."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qalypto_research.errors import InputError
from qalypto_research.local.certificates import LOOPBACK, create_tls


@contextmanager
def listening(host: str, port: int, argument: str = "--port") -> Iterator[socket.socket]:
    """Listen at `host` and at `port`, which was given as `argument`; 0 for any that is free.

    Raises
    ------
    InputError
        The host is not this machine's, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.create_server((address[0], port), family=family)
    except OSError as error:
        raise InputError(
            "--host", f"{host}, port {port}, cannot be listened on ({error.strerror}); {argument} 0 takes a free one"
        ) from error
    with found:
        # Taken over by what it accepts; else a body waits 40 ms for the head to be acknowledged.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield found


@contextmanager
def certified(host: str) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """Lend a certificate for `host` and this machine's own names, and the file by which clients check it."""
    with tempfile.TemporaryDirectory(prefix="qalypto-") as folder:
        yield create_tls(Path(folder), tuple(dict.fromkeys((*LOOPBACK, host))))


def to_url(scheme: str, host: str, found: socket.socket, path: str = "") -> str:
    """Return the address of a socket that listens."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{found.getsockname()[1]}{path}"
