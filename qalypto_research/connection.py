"""A connection: where the data is, what time it is there, and the calls on both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pandas as pd

from qalypto_research.archive.layout import check_root
from qalypto_research.archive.manifest import Manifest, read_manifest
from qalypto_research.archive.sample import sample_root
from qalypto_research.clock import Clock, Reading, from_us, to_us
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.errors import ArchiveError, RangeError
from qalypto_research.history import api, inventory, statements
from qalypto_research.schema.vocabulary import INTERVALS
from qalypto_research.timerange import TimeLike, parse_time

_JUST_PAST_US: Final = 1
_NO_DELAY: Final = dt.timedelta(0)


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
        What it stands on: "sample" or folders.
    clock : Clock
        Its now; nothing later is visible.
    source : str
        Where the rows come from, in the archive's own words.
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
    clock: Clock
    source: str
    synthetic: bool
    exchange: str | None
    ingestion_delay: dt.timedelta
    engine: EmbeddedEngine
    lifetime: Lifetime = field(default_factory=Lifetime)

    klines = api.klines
    trades = api.trades
    tickers = api.tickers
    orderbook_tops = api.orderbook_tops
    symbols = inventory.symbols
    sql = statements.sql

    @property
    def clocked(self) -> bool:
        """Whether the connection's now is its own clock's, not wall time."""
        return True

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.engine.closed

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read the clock once and lend what is known then."""
        return self.engine.snapshot(self.clock.now(), self.ingestion_delay)

    def close(self) -> None:
        """Let go of the engine; the default connection before this one is the default again. Closing twice is fine."""
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
        there = self.symbols()
        tables = [name for name in ("trades", "tickers", "orderbooks") if there[name].any()]
        intervals = sorted({i for text in there["klines"] for i in text.split(", ") if i}, key=INTERVALS.index)
        if intervals:
            tables.append(f"klines {', '.join(intervals)}")
        return {
            "qalypto": where,
            "source": self.source,
            "clock": f"{self.clock.now():%Y-%m-%d %H:%M:%S} UTC, {'running' if self.clock.running else 'standing'}",
            "there": f"{there['exchange'].nunique()} exchanges, {there['symbol'].nunique()} symbols; {'; '.join(tables)}",
        }


def open_sample(*, at: TimeLike | None, speed: float, exchange: str | None, ingestion_delay: dt.timedelta = _NO_DELAY) -> Connection:
    """Open the packaged sample.

    Raises
    ------
    ConfigurationError
        The installation came without it.
    """
    return _open("sample", (sample_root(),), at=at, speed=speed, exchange=exchange, ingestion_delay=ingestion_delay)


def open_archive(
    folders: Sequence[Path], *, at: TimeLike | None, speed: float, exchange: str | None, ingestion_delay: dt.timedelta = _NO_DELAY
) -> Connection:
    """Open an archive that stands in one folder or several.

    Raises
    ------
    ArchiveError
        Not a folder, no market data in it, or a file that fails validation.
    RangeError
        `at` lies before anything was known.
    """
    # The same folder under two names would give every row twice.
    roots = tuple({root.resolve(): root for root in map(check_root, reversed(folders))}.values())[::-1]
    return _open(", ".join(map(str, roots)), roots, at=at, speed=speed, exchange=exchange, ingestion_delay=ingestion_delay)


def _open(
    target: str, roots: tuple[Path, ...], *, at: TimeLike | None, speed: float, exchange: str | None, ingestion_delay: dt.timedelta
) -> Connection:
    moment = None if at is None else parse_time(at, "at")
    manifests = [read_manifest(root) for root in roots]
    engine = EmbeddedEngine(roots)
    try:
        clock = Clock(Reading(_moment_us(engine, roots, manifests, moment, ingestion_delay), speed=speed))
        return Connection(
            target=target,
            clock=clock,
            source="; ".join(dict.fromkeys(m.source for m in manifests)),
            synthetic=any(m.synthetic for m in manifests),
            exchange=exchange,
            ingestion_delay=ingestion_delay,
            engine=engine,
        )
    except BaseException:
        engine.close()
        raise


def _moment_us(
    engine: EmbeddedEngine, roots: tuple[Path, ...], manifests: list[Manifest], moment: pd.Timestamp | None, delay: dt.timedelta
) -> int:
    """Return where the clock is to stand: at `moment`, where the manifest says, or just past the last row."""
    bounds = engine.seen_bounds_us()
    if bounds is None:
        raise ArchiveError(roots[0], "holds no row that is ever visible: only running candles without a record of when they were current")
    first, last = (us + delay // dt.timedelta(microseconds=1) for us in bounds)
    if moment is not None:
        if to_us(moment) < first:
            raise RangeError("at", f"{moment} is before anything is known here; the first row became known at {from_us(first)}")
        return to_us(moment)
    if len(manifests) == 1 and manifests[0].clock is not None:
        return to_us(parse_time(manifests[0].clock, "clock"))
    return last + _JUST_PAST_US
