"""The stand-in as a process: from options to an address that answers, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from qalypto_research.archive.manifest import read_manifest
from qalypto_research.archive.opening import check_roots, opening_moment_us
from qalypto_research.clock import Clock, Reading
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import InputError
from qalypto_research.local.gateway.answering import Answering
from qalypto_research.local.gateway.certificates import LOOPBACK, create_tls
from qalypto_research.local.gateway.faults import parse_faults
from qalypto_research.local.gateway.server import Application, BrokenOffError, Credentials
from qalypto_research.local.gateway.tables import Shown
from qalypto_research.timerange import TimeLike, parse_time

ORDERS: Final = "-"
"""In place of a script of faults: take them from standard input."""

READY: Final = "# ready"
"""The line that ends an answer to whoever gives orders."""

_LONGEST_HEAD: Final = 1 << 20
_KEEP_ALIVE_S: Final = 10
_SHUTDOWN_S: Final = 1


@dataclass(frozen=True, slots=True)
class Options:
    """How a stand-in is to be.

    Attributes
    ----------
    folders : tuple of pathlib.Path
        The archive's.
    at : time or None
        Where its clock stands, or begins to run; None for the archive's own moment.
    speed : float or None
        Seconds of clock time a second of wall time; None for a clock that stands still.
    host, port : str and int
        Where it listens; port 0 for any that is free.
    user : str
        Who may ask. The password is made up.
    plain : bool
        Whether it speaks http instead of https; on the loopback only.
    forbid_settings : bool
        Whether every setting that a client sends is refused (code 164).
    faults : str
        What is to go wrong, as ``parse_faults`` reads it. "-": each line of standard input says so anew, and is answered
        by a line of output; the end of input stops the stand-in.
    require_cloudflare : bool
        Whether requests without the service token of Cloudflare Access are turned away.
    """

    folders: tuple[Path, ...]
    at: TimeLike | None = None
    speed: float | None = None
    host: str = "127.0.0.1"
    port: int = 0
    user: str = "quant"
    plain: bool = False
    forbid_settings: bool = False
    faults: str = ""
    require_cloudflare: bool = False


def serve(options: Options, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serve until a signal comes (SIGINT or SIGTERM).

    Parameters
    ----------
    options : Options
        How.
    say : callable
        Told the environment by which clients find it, a line a name, once it answers.
    warn : callable
        Told what people should know.

    Raises
    ------
    InputError
        The host is not this machine's, the port is taken, or http was asked for beyond the loopback.
    ArchiveError, RangeError
        As by ``qr.connect``.
    """
    with ExitStack() as until_end:
        listening = until_end.enter_context(_listening(options))
        loopback = _is_loopback(options.host)
        if not loopback:
            if options.plain:
                raise InputError("--http", "is for the loopback only; leave it out to serve https, or leave out --host")
            warn(f"{options.host} can be reached from other machines; whoever has the password reads the whole archive up to the clock")
        tls, ca_file = until_end.enter_context(_tls(options))
        credentials = Credentials(options.user, secrets.token_urlsafe(24), (f"{secrets.token_hex(16)}.access", secrets.token_hex(32)))
        application = until_end.enter_context(_application(options, credentials))
        server = _Server(application, tls, say if options.faults == ORDERS else None)
        address = f"{'http' if options.plain else 'https'}://{_in_url(options.host)}:{listening.getsockname()[1]}"
        server.when_started = lambda: say(_environment(address, credentials, ca_file) + (f"{READY}\n" if options.faults == ORDERS else ""))
        server.run(sockets=[listening])


def _environment(address: str, credentials: Credentials, ca_file: Path | None) -> str:
    cloudflare_id, cloudflare_secret = credentials.cloudflare
    names = {
        "QALYPTO_CLICKHOUSE_URL": address,
        "QALYPTO_USERNAME": credentials.user,
        "QALYPTO_PASSWORD": credentials.password,
        "QALYPTO_CF_ACCESS_CLIENT_ID": cloudflare_id,
        "QALYPTO_CF_ACCESS_CLIENT_SECRET": cloudflare_secret,
    } | ({"QALYPTO_CA_FILE": str(ca_file)} if ca_file else {})
    return "".join(f"{name}={value}\n" for name, value in names.items())


@contextmanager
def _application(options: Options, credentials: Credentials) -> Iterator[Application]:
    with ExitStack() as until_end:
        roots = check_roots(options.folders)
        moment = None if options.at is None else parse_time(options.at, "at")
        engine = EmbeddedEngine(roots)
        until_end.callback(engine.close)
        manifests = [read_manifest(root) for root in roots]
        begins = opening_moment_us(engine.seen_bounds_us(), roots, manifests, moment)
        clock = Clock(Reading(begins, speed=1.0 if options.speed is None else options.speed))
        faults = parse_faults("" if options.faults == ORDERS else options.faults)
        shown = Shown(engine, faults.columns, forbid_settings=options.forbid_settings)
        until_end.callback(shown.close)
        name = f"qalypto stand-in{' (synthetic)' if any(m.synthetic for m in manifests) else ''}"
        answering = Answering(shown, clock, user=options.user, name=name, forbid_settings=options.forbid_settings)
        application = Application(shown, answering, credentials, faults, require_cloudflare=options.require_cloudflare)
        until_end.callback(application.close)
        if options.speed is not None:
            clock.start()
        yield application


@contextmanager
def _listening(options: Options) -> Iterator[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server((address[0], options.port), family=family)
    except OSError as error:
        raise InputError(
            "--host", f"{options.host}, port {options.port}, cannot be listened on ({error.strerror}); --port 0 takes a free one"
        ) from error
    with listening:
        # Taken over by what it accepts; else a body waits 40 ms for the head to be acknowledged.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


@contextmanager
def _tls(options: Options) -> Iterator[tuple[ssl.SSLContext | None, Path | None]]:
    if options.plain:
        yield None, None
        return
    with tempfile.TemporaryDirectory(prefix="qalypto-") as folder:
        yield create_tls(Path(folder), tuple(dict.fromkeys((*LOOPBACK, options.host))))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Server(uvicorn.Server):
    """Uvicorn, stopped by a signal without dying of it, so that what was made is cleared away."""

    def __init__(self, application: Application, tls: ssl.SSLContext | None, answer_orders: Callable[[str], None] | None) -> None:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
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
        self._answer_orders = answer_orders
        self._orders: asyncio.Future[None] | None = None
        self.when_started: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_started()
        if self._answer_orders is not None:
            self._orders = asyncio.ensure_future(self._take_orders(self._answer_orders))

    async def _take_orders(self, say: Callable[[str], None]) -> None:
        """Let each line of standard input say what is to go wrong from then on; its end stops the server."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            try:
                await asyncio.to_thread(self._application.set_faults, parse_faults(line.decode().strip()))
                say(f"{READY}\n")
            except InputError as error:
                say(f"{error}\n")
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self.should_exit = True


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of the server's tells what the stand-in did not do on purpose."""
    return not (record.exc_info and isinstance(record.exc_info[1], BrokenOffError)) and record.levelno >= logging.ERROR
