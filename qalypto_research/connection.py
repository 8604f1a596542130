"""A connection: where the data is, what time it is there, and the calls on both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pandas as pd

from qalypto_research.archive.manifest import read_manifest
from qalypto_research.archive.opening import check_roots, opening_moment_us
from qalypto_research.archive.sample import find_sample, sample_root
from qalypto_research.clock import Clock, Reading, ServerClock
from qalypto_research.config import Settings, StreamAccess
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.engine.remote import RemoteEngine
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.engine.transport import Patience
from qalypto_research.errors import ArchiveError, ClosedError, UnknownNameError
from qalypto_research.history import aggregates, api, completeness, depth, inventory, parts, rates, statements, venues
from qalypto_research.local.private import PrivateFeed
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS
from qalypto_research.session import opening
from qalypto_research.timerange import TimeLike, parse_time


class Stream(Protocol):
    """The live stream of a connection."""

    def access(self) -> StreamAccess:
        """Return the way to it; one that does not run yet is started."""

    def close(self) -> None:
        """Stop one that was started."""


@dataclass(frozen=True, slots=True)
class ServiceStream:
    """The service's stream, which runs by itself."""

    settings: Settings

    def access(self) -> StreamAccess:
        """Return the account's way to it."""
        return self.settings.stream_access()

    def close(self) -> None:
        """Do nothing: it goes on for others."""


@dataclass(slots=True)
class Lifetime:
    """Whether a connection is the subject of a ``with`` statement."""

    entered: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Connection:
    """Where the data is and what time it is there. Made by ``qr.connect``.

    Attributes
    ----------
    target : str
        What it stands on: "sample", folders, or the service's URL.
    clock : Clock or ServerClock
        Its now; nothing later is visible. The service's own, which can only be read, or an archive's.
    source : str
        Where the rows come from, in the archive's own words or the server's.
    synthetic : bool
        Whether a generator made the rows.
    exchange : str or None
        Exchange of calls that name none.
    ingestion_delay : datetime.timedelta
        How long after it was seen a row arrives in the tables.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.connect("sample") as con:
    ...     print(con.clock.now())
    2026-03-02 13:00:30+00:00
    """

    target: str
    clock: Clock | ServerClock
    source: str
    synthetic: bool
    exchange: str | None
    ingestion_delay: dt.timedelta
    engine: EmbeddedEngine | RemoteEngine
    stream: Stream
    lifetime: Lifetime = field(default_factory=Lifetime)

    klines = api.klines
    trades = api.trades
    tickers = api.tickers
    orderbook_tops = api.orderbook_tops
    orderbooks = depth.orderbooks
    funding = rates.funding
    bars = aggregates.bars
    flow = aggregates.flow
    batches = parts.batches
    compare = venues.compare
    spreads = venues.spreads
    symbols = inventory.symbols
    coverage = completeness.coverage
    sql = statements.sql
    live = opening.live

    @property
    def clocked(self) -> bool:
        """Whether the connection's now is its own clock's, not wall time."""
        return isinstance(self.clock, Clock)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.engine.closed

    @property
    def left_out(self) -> pd.DataFrame:
        """The damaged files that no answer includes, with ``strict=False``: columns path, column, reason (all str)."""
        rows = [(error.path, error.column, error.reason) for error in self.engine.left_out()]
        return pd.DataFrame(rows, columns=["path", "column", "reason"], dtype="str")

    def stream_access(self) -> StreamAccess:
        """Return the way to this connection's live stream, for a client of your own.

        Of an archive it is a stand-in on this machine, started when it is first asked for: it speaks as the service
        does, and sends what the connection's calls find as its clock comes to it, which runs from then on. Files that come
        meanwhile are played, too, if they are there twenty seconds before their rows are due. The sample goes on after its
        end; other archives end with ``replay finished``: without ``at=`` a folder's clock stands just past its last row, and
        nothing is left to be played.

        Returns
        -------
        StreamAccess
            ``url``, ``headers`` that a handshake must carry (secrets: ``.get_secret_value()``), ``ca_file``, and
            ``address()``: where to open one connection.

        Raises
        ------
        ConfigurationError
            A credential is missing, or the stand-in does not start; says which or why.
        ClosedError
            The connection was closed.
        """
        if self.closed:
            raise ClosedError("this connection is closed; call qr.connect() for a new one")
        return self.stream.access()

    def stream_symbols(self) -> set[str] | None:
        """Return the symbols that its stream can be of: of an archive those it has and all that are documented; else None."""
        return None if isinstance(self.engine, RemoteEngine) else {*SYMBOLS, *self.engine.symbols()}

    def default_exchange(self) -> str | None:
        """Return the exchange of calls that name none: its own, else binance, or the only one there is; None where that does not tell."""
        if self.exchange is not None or isinstance(self.engine, RemoteEngine):
            return self.exchange or "binance"
        there = self.engine.exchanges()
        return "binance" if "binance" in there else next(iter(there)) if len(there) == 1 else None

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read the clock once and lend what is known then."""
        return self.engine.snapshot(self.clock.now(), self.ingestion_delay)

    def close(self) -> None:
        """Let go of the engine and the stream, and stop its live buffers; closing twice is fine.

        The default connection before this one is the default again.
        """
        opening.stop_lives(self)
        self.stream.close()
        self.engine.close()

    def __enter__(self) -> Self:
        self.lifetime.entered = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<" + "; ".join(f"{name}: {value}" for name, value in self._facts().items()) + ">"

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        rows = "".join(f"<tr><th {left}>{escape(k)}</th><td {left}>{escape(v)}</td></tr>" for k, v in self._facts().items())
        return f"<table>{rows}</table>"

    def _facts(self) -> dict[str, str]:
        """Return where it stands, what time it is there and what there is, for people."""
        where = f"{self.target}{' (synthetic, not the market)' if self.synthetic else ''}"
        if self.closed:
            return {"qalypto": where, "state": "closed"}
        try:
            there, left_out = self.symbols(), len(self.left_out)
        except Exception as error:  # noqa: BLE001 - whatever it is, showing a connection must not raise
            return {"qalypto": where, "state": f"cannot be read now: {error}"}
        tables = [name for name in ("trades", "tickers", "orderbooks") if there[name].any()]
        intervals = sorted({i for text in there["klines"] for i in text.split(", ") if i}, key=INTERVALS.index)
        if intervals:
            tables.append(f"klines {', '.join(intervals)}")
        damaged = {"damaged": f"{left_out} file{'s' if left_out > 1 else ''} left out; con.left_out lists them"} if left_out else {}
        return {
            "qalypto": where,
            **damaged,
            "source": self.source,
            "clock": f"{self.clock.now():%Y-%m-%d %H:%M:%S} UTC, {'running' if self.clock.running else 'standing'}",
            "there": f"{there['exchange'].nunique()} exchanges, {there['symbol'].nunique()} symbols; {'; '.join(tables)}",
        }


@dataclass(frozen=True, slots=True)
class Options:
    """How a connection is to be, whatever it stands on. Attributes as the arguments of ``qr.connect``."""

    at: TimeLike | None = None
    speed: float = 1.0
    exchange: str | None = None
    strict: bool = True
    ingestion_delay: dt.timedelta = dt.timedelta(0)


def open_sample(options: Options) -> Connection:
    """Open the packaged sample.

    Raises
    ------
    ConfigurationError
        The installation came without it.
    """
    return _open("sample", (sample_root(),), options)


def open_archive(folders: Sequence[Path], options: Options, argument: str = "target") -> Connection:
    """Open an archive that stands in one folder or several, given as `argument`.

    Raises
    ------
    ArchiveError
        Not a folder, no market data in it, or a damaged file.
    RangeError
        `at` lies before anything was known.
    UnknownNameError
        The exchange is not there.
    """
    roots = check_roots(folders, argument)
    names = ("sample" if root == find_sample() else str(root) for root in roots)
    return _open(", ".join(names), roots, options)


def open_service(settings: Settings, *, exchange: str | None, patience: Patience | None = None) -> Connection:
    """Open the service, or what stands in for it, as `settings` have it.

    Raises
    ------
    ConfigurationError
        A credential is missing, or a setting cannot be used; names the variable.
    ServiceError
        It cannot be reached, or refuses the login.
    SchemaError
        Its tables are not the documented ones.
    """
    access = settings.access()
    engine = RemoteEngine(access, patience)
    try:
        engine.check_tables()
    except BaseException:
        engine.close()
        raise
    name = engine.server_name
    return Connection(
        target=access.endpoint.shown,
        clock=ServerClock(engine.now),
        source=name or access.endpoint.shown,
        # A stand-in over a generated archive says so in its name: no answer of it may be mistaken for the market.
        synthetic="synthetic" in name,
        exchange=exchange,
        ingestion_delay=dt.timedelta(0),
        engine=engine,
        stream=ServiceStream(settings),
    )


def _open(target: str, roots: tuple[Path, ...], options: Options) -> Connection:
    moment = None if options.at is None else parse_time(options.at, "at")
    damaged: list[ArchiveError] = []
    manifests = [read_manifest(root, None if options.strict else damaged) for root in roots]
    engine = EmbeddedEngine(roots, strict=options.strict, left_out=damaged)
    try:
        begins = opening_moment_us(engine.seen_bounds_us(), roots, manifests, moment, options.ingestion_delay)
        clock = Clock(Reading(begins, speed=options.speed))
        _check_exchange(engine, options.exchange)
        return Connection(
            target=target,
            clock=clock,
            source="; ".join(dict.fromkeys(m.source for m in manifests)),
            synthetic=any(m.synthetic for m in manifests),
            exchange=options.exchange,
            ingestion_delay=options.ingestion_delay,
            engine=engine,
            stream=PrivateFeed(roots, engine, clock, strict=options.strict),
        )
    except BaseException:
        engine.close()
        raise


def _check_exchange(engine: EmbeddedEngine, exchange: str | None) -> None:
    """Refuse an exchange that the archive does not have; one it will have later by its clock is fine."""
    there = engine.exchanges()
    if exchange is not None and exchange.strip().casefold() not in {"all", *(name.casefold() for name in there)}:
        raise UnknownNameError("exchange", exchange, (*(e for e in EXCHANGES if e in there), *sorted(there - set(EXCHANGES)), "all"))
