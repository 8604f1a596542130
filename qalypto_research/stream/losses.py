"""Why a connection ended, or did not come about: the library's exceptions as losses. Pure."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidHeader,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    PayloadTooBig,
    WebSocketException,
)

from qalypto_research.config import variable
from qalypto_research.stream.actions import FINISHED, Loss

_TOKEN: Final = f"{variable('cf_access_client_id')} and {variable('cf_access_client_secret')}"
_ADDRESS: Final = variable("stream_url")


def to_loss(error: BaseException) -> Loss:
    """Return what an exception of the connection means: whether trying again can help, and what else would."""
    for kind, meant in _MEANT:
        if isinstance(error, kind):
            return meant(error)
    # Not ours to hide: whoever listens is told, and the connection is tried anew.
    return Loss(f"{type(error).__name__}: {error}")


def _refused(status: int) -> Loss:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Loss(f"the stream does not accept the service token (status {status}); check {_TOKEN}", final=True)
    if status == HTTPStatus.NOT_FOUND:
        return Loss(f"there is no stream at that address (status {status}); check {_ADDRESS}", final=True)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Loss(
            f"the stream redirects (status {status}), which would carry the token elsewhere; check {_ADDRESS}, and {_TOKEN}", final=True
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Loss(f"the account has too many connections (status {status}); close another")
    return Loss(f"the stream is not to be had now (status {status})")


def _closed(error: ConnectionClosed) -> Loss:
    if error.rcvd is not None:
        said = f"closed by the server ({error.rcvd.code}{f': {error.rcvd.reason}' if error.rcvd.reason else ''})"
        return Loss(said, finished=(error.rcvd.code, error.rcvd.reason) == FINISHED)
    if isinstance(error.__cause__, PayloadTooBig):
        return Loss(f"a message was too large ({error.__cause__})")
    return Loss("the connection broke off")


def _untrusted(error: ssl.SSLCertVerificationError) -> Loss:
    advice = f"for a private one give its file as {variable('ca_file')}"
    return Loss(f"the certificate is not trusted ({error.verify_message}); {advice}", final=True)


_MEANT: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[[Any], Loss]], ...]] = (
    (InvalidStatus, lambda error: _refused(error.response.status_code)),
    (ConnectionClosed, _closed),
    (ssl.SSLCertVerificationError, _untrusted),
    # Neither shows what it is about: that is a secret, or holds one.
    (InvalidHeader, lambda error: Loss(f"the header {error.name} cannot be sent as it is; check {_TOKEN}", final=True)),
    (InvalidProxy, lambda _: Loss("the proxy that the environment names is none; check HTTPS_PROXY and its like", final=True)),
    (InvalidURI, lambda _: Loss(f"{_ADDRESS} is no address of a stream", final=True)),
    (TimeoutError, lambda _: Loss("no answer to the handshake")),
    (InvalidHandshake, lambda error: Loss(f"the handshake broke off ({type(error).__name__})")),
    ((OSError, EOFError, WebSocketException), lambda error: Loss(f"no connection ({str(error) or type(error).__name__})")),
)
"""What each kind of exception means; the first that fits."""
