"""The stand-in as a process: from options to addresses that answer, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qalypto_research.clock import Clock
from qalypto_research.config import is_loopback
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import InputError
from qalypto_research.local.credentials import Credentials
from qalypto_research.local.faults import parse_faults
from qalypto_research.local.feed.server import PATH, Feed
from qalypto_research.local.gateway.answering import Answering
from qalypto_research.local.gateway.faults import Faults
from qalypto_research.local.gateway.server import Application
from qalypto_research.local.gateway.serving import serving
from qalypto_research.local.gateway.tables import Shown
from qalypto_research.local.listening import certified, listening, to_url
from qalypto_research.local.orders import CLOCK, FAULTS, READY, parse_reading
from qalypto_research.local.rates import Rates
from qalypto_research.local.stage import Play, Stage, set_up

_RATES_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a stand-in is to be.

    Attributes
    ----------
    play : Play
        What it plays, and how.
    host : str
        Where it listens.
    port, stream_port : int
        At which port history is asked for, and at which the stream is; 0 for any that is free.
    history : bool
        Whether history is served; a log has none.
    user : str
        Who may ask. The password is made up.
    plain : bool
        Whether it speaks http and ws instead of https and wss; on the loopback only.
    forbid_settings : bool
        Whether every setting that a client sends is refused (code 164).
    require_cloudflare : bool
        Whether requests for history without the service token of Cloudflare Access are turned away; the stream always asks for it.
    faults : str
        What is to go wrong, as ``parse_faults`` reads it.
    orders : bool
        Whether it takes orders from standard input, as `orders` has them; the end of input stops it.
    """

    play: Play
    host: str = "127.0.0.1"
    port: int = 0
    stream_port: int = 0
    history: bool = True
    user: str = "quant"
    plain: bool = False
    forbid_settings: bool = False
    require_cloudflare: bool = False
    faults: str = ""
    orders: bool = False


@dataclass(frozen=True, slots=True)
class Tellers:
    """Who is told what.

    Attributes
    ----------
    say : callable
        The environment by which clients find it, a line a name, once it answers; and answers to orders.
    warn : callable
        What people should know.
    show : callable or None
        What it is doing, again and again, to be written over what was shown before; None for nobody.
    """

    say: Callable[[str], None]
    warn: Callable[[str], None]
    show: Callable[[str], None] | None = None


def serve(options: Options, tell: Tellers) -> None:
    """Serve until a signal comes (SIGINT or SIGTERM), or the end of orders.

    Raises
    ------
    InputError
        The host is not this machine's, a port is taken, or http was asked for beyond the loopback.
    ArchiveError, RangeError
        As by ``qr.connect``.
    """
    of_history, of_stream = parse_faults(options.faults)
    loopback = is_loopback(options.host)
    if options.plain and not loopback:
        raise InputError("--http", "is for the loopback only; leave it out to serve https, or leave out --host")
    with ExitStack() as until_end:
        with_history = options.history and options.play.log is None
        asked = until_end.enter_context(listening(options.host, options.port)) if with_history else None
        heard = until_end.enter_context(listening(options.host, options.stream_port, "--stream-port"))
        if not loopback:
            tell.warn(
                f"{options.host} can be reached from other machines; whoever has the password reads the whole archive up to the clock"
            )
        tls, ca_file = (None, None) if options.plain else until_end.enter_context(certified(options.host))
        credentials = Credentials.made_up(options.user)
        stage = until_end.enter_context(set_up(options.play, tell.show or (lambda _: None)))
        application = None
        if asked is not None and stage.engine is not None:
            application = until_end.enter_context(_application(options, stage, stage.engine, credentials, of_history))
        starts_clock = options.play.speed is None and not options.play.led
        feed = Feed(stage.source, stage.clock, credentials, of_stream, paced=options.play.paced, starts_clock=starts_clock)
        environment = _environment(options, credentials, ca_file, asked, heard)
        asyncio.run(_StandIn(stage.clock, application, asked, feed, heard, tls).run(environment, tell, orders=options.orders))


@contextmanager
def _application(options: Options, stage: Stage, engine: EmbeddedEngine, credentials: Credentials, faults: Faults) -> Iterator[Application]:
    """Lend what answers questions about history."""
    with ExitStack() as until_end:
        shown = Shown(engine, faults.columns, forbid_settings=options.forbid_settings)
        until_end.callback(shown.close)
        answering = Answering(
            shown,
            stage.clock,
            user=options.user,
            name=f"qalypto stand-in{' (synthetic)' if stage.synthetic else ''}",
            forbid_settings=options.forbid_settings,
            delay=options.play.ingestion_delay,
        )
        application = Application(shown, answering, credentials, faults, require_cloudflare=options.require_cloudflare)
        until_end.callback(application.close)
        yield application


def _environment(
    options: Options, credentials: Credentials, ca_file: Path | None, asked: socket.socket | None, heard: socket.socket
) -> str:
    """Return the variables by which clients find it, a line each."""
    secure = "" if options.plain else "s"
    cloudflare_id, cloudflare_secret = credentials.cloudflare
    names = {"QALYPTO_CLICKHOUSE_URL": to_url(f"http{secure}", options.host, asked)} if asked else {}
    names |= {
        "QALYPTO_STREAM_URL": to_url(f"ws{secure}", options.host, heard, PATH),
        "QALYPTO_USERNAME": credentials.user,
        "QALYPTO_PASSWORD": credentials.password,
        "QALYPTO_CF_ACCESS_CLIENT_ID": cloudflare_id,
        "QALYPTO_CF_ACCESS_CLIENT_SECRET": cloudflare_secret,
    }
    names |= {"QALYPTO_CA_FILE": str(ca_file)} if ca_file else {}
    return "".join(f"{name}={value}\n" for name, value in names.items())


@dataclass(frozen=True, slots=True)
class _StandIn:
    """History and stream over one clock, in one event loop."""

    clock: Clock
    application: Application | None
    asked: socket.socket | None
    feed: Feed
    heard: socket.socket
    tls: ssl.SSLContext | None

    async def run(self, environment: str, tell: Tellers, *, orders: bool) -> None:
        """Serve, and return once it is told to stop."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # What was loaded stays: to look through it again and again would hold messages up for a tenth of a second.
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with AsyncExitStack() as until_end:
            if self.application is not None and self.asked is not None:
                await until_end.enter_async_context(serving(self.application, self.asked, self.tls))
            await until_end.enter_async_context(self.feed.serving(self.heard, self.tls, tell.warn))
            tell.say(environment + (f"{READY}\n" if orders else ""))
            tasks = [asyncio.create_task(self._take_orders(tell.say, stop))] if orders else []
            tasks += [asyncio.create_task(self._show(tell.show))] if tell.show else []
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _take_orders(self, say: Callable[[str], None], stop: asyncio.Event) -> None:
        """Do what each line of standard input says; its end stops the stand-in."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            order, _, words = line.decode().strip().partition(" ")
            try:
                await self._obey(order, words)
                say(f"{READY}\n")
            except Exception as error:  # noqa: BLE001 - whoever gives orders waits for an answer, and may give another
                said = str(error) if isinstance(error, InputError) else repr(error)
                say(f"{said.splitlines()[0]}\n")
        stop.set()

    async def _obey(self, order: str, words: str) -> None:
        if order == CLOCK:
            self.clock.set(parse_reading(words))
        elif order == FAULTS:
            await self._set_faults(words)
        else:
            raise InputError("order", f"{order!r} is none")

    async def _set_faults(self, script: str) -> None:
        of_history, of_stream = parse_faults(script)
        if self.application is not None:
            await asyncio.to_thread(self.application.set_faults, of_history)
        self.feed.set_faults(of_stream)

    async def _show(self, show: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        rates = Rates(self.clock, self.feed.audience, loop.time())
        while True:
            await asyncio.sleep(_RATES_S)
            show(rates.line(loop.time(), 0 if self.application is None else self.application.queries))
