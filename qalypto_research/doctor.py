"""``qalypto doctor``: go the way to the service step by step, and say at each what to do next."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from qalypto_research.clock import wall_us
from qalypto_research.config import Access, Settings, variable
from qalypto_research.engine.remote import RemoteEngine
from qalypto_research.errors import ConfigurationError, QalyptoError, StreamError
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.hub import Hub
from qalypto_research.stream.intake import Intake

_PATIENCE_S: Final = 10.0
_LOOK_S: Final = 0.1
_CHANNEL: Final = Channel("trade", "BTCUSDT")
_OFFSET_S: Final = 2.0
"""A clock further off than this is worth mending: latencies are measured against it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found.

    Attributes
    ----------
    step : str
        Its name.
    good : bool
        Whether the next step can be taken.
    said : str
        What was found, or what to do.
    """

    step: str
    good: bool
    said: str


def examine(given: dict[str, str] | None = None) -> Iterator[Finding]:
    """Yield a finding for each step, up to the first that fails.

    Parameters
    ----------
    given : dict, optional
        Settings above those of the environment.
    """
    try:
        settings = Settings.read(given)
        if not settings.account:
            yield Finding("settings", good=False, said=_no_account(settings))
            return
        access = settings.access()
    except ConfigurationError as error:
        yield Finding("settings", good=False, said=str(error))
        return
    service_token = "with" if access.headers else "without"
    yield Finding(
        "settings", good=True, said=f"user {access.username} at {access.endpoint.shown}, {service_token} a Cloudflare service token"
    )
    engine: list[RemoteEngine] = []

    def login() -> str:
        engine.append(RemoteEngine(access))
        return "accepted"

    def tables() -> str:
        engine[0].check_tables()
        return "the four tables are as documented"

    steps: list[tuple[str, Callable[[], str]]] = [("name", lambda: _resolve(access)), ("connection", lambda: _connect(access))]
    steps += [("login", login), ("tables", tables), ("clock", lambda: _offset(engine[0])), ("stream", lambda: _listen(settings, access))]
    try:
        for name, step in steps:
            try:
                yield Finding(name, good=True, said=step())
            except (QalyptoError, OSError) as error:
                yield Finding(name, good=False, said=_advice(name, error))
                return
    finally:
        for opened in engine:
            opened.close()


def _no_account(settings: Settings) -> str:
    names = " and ".join(variable(name) for name in ("username", "password"))
    where = f" (QALYPTO_TARGET is {settings.target!r})" if settings.target is not None else ""
    return f"no account is configured{where}; set {names}. Without one qr.connect('sample') and folders work"


def _resolve(access: Access) -> str:
    endpoint = access.endpoint
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    return f"{endpoint.host} is {', '.join(sorted({str(address[4][0]) for address in found}))}"


def _connect(access: Access) -> str:
    endpoint = access.endpoint
    with socket.create_connection((endpoint.host, endpoint.port), timeout=_PATIENCE_S) as plain:
        if not endpoint.secure:
            return "open, without TLS: this machine only"
        context = _trust(access)
        with context.wrap_socket(plain, server_hostname=endpoint.host) as secure:
            certificate = secure.getpeercert() or {}
            return f"{secure.version()}, certificate valid until {certificate.get('notAfter', 'unknown')}"


def _trust(access: Access) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if access.ca_file is None else str(access.ca_file))
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"{variable('ca_file')}: {access.ca_file} holds no certificate in PEM form ({error.strerror})") from None


def _offset(engine: RemoteEngine) -> str:
    before = time.time()
    server = engine.now().timestamp()
    after = time.time()
    offset = (before + after) / 2 - server
    side = "ahead of" if offset > 0 else "behind"
    shown = f"this machine is {abs(offset):.3f} s {side} the server (give or take {(after - before) / 2:.3f} s)"
    if abs(offset) <= _OFFSET_S:
        return shown
    return f"{shown}; candles and ranges go by the server's clock, latencies by this machine's: set it (NTP)"


def _listen(settings: Settings, access: Access) -> str:
    """Open the stream, subscribe to one channel and close it again."""
    if not access.headers:
        return f"not tried: it asks for a service token, {variable('cf_access_client_id')} and {variable('cf_access_client_secret')}"
    stream = settings.stream_access()
    intake = Intake([_CHANNEL], None, keep_us=10**9, max_bytes=10**8, now_us=wall_us, pace=lambda: 1.0)
    changed = threading.Event()
    intake.wake_with(changed.set)
    begun = time.monotonic()
    hub = Hub(stream, wall_us)
    hub.join(intake)
    try:
        while hub.state in ("new", "connecting") and (left := begun + 2 * _PATIENCE_S - time.monotonic()) > 0:
            changed.wait(min(left, _LOOK_S))
            changed.clear()
        if hub.state != "live":
            raise StreamError(f"{stream.url}: {hub.reason or 'no answer'}; check {variable('stream_url')}")
        return f"live at {stream.url} after {time.monotonic() - begun:.1f} s, subscribed to {_CHANNEL.text}"
    finally:
        hub.leave(intake)


def _advice(step: str, error: Exception) -> str:
    if isinstance(error, QalyptoError):
        return str(error)
    if step == "name":
        return f"the name cannot be resolved ({error}); check QALYPTO_CLICKHOUSE_URL and the network"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message}); for a private one give its file as QALYPTO_CA_FILE"
    if isinstance(error, ssl.SSLError):
        return f"no TLS there ({error.reason}); check the port in QALYPTO_CLICKHOUSE_URL"
    return f"no connection ({error}); check QALYPTO_CLICKHOUSE_URL, a firewall or a proxy"
