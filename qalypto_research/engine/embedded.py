"""The embedded engine: ClickHouse in this process over an archive's Parquet files."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.archive.layout import DataFile
from qalypto_research.clock import to_us
from qalypto_research.engine.answers import to_answer
from qalypto_research.engine.building import Builder, abandon
from qalypto_research.engine.catalog import Catalog, Series
from qalypto_research.engine.clients import ClientPool, check_process
from qalypto_research.engine.failures import to_damage, translated
from qalypto_research.engine.moments import Moments
from qalypto_research.engine.progress import Progress
from qalypto_research.engine.running import run_cancellable
from qalypto_research.engine.streams import read_stream
from qalypto_research.errors import ArchiveError, ClosedError, DamagedArchiveWarning, QueryError, warn_caller
from qalypto_research.schema.tables import Table

MOMENT: Final = "moment"
"""The bound parameter by which every statement of a snapshot says when it is."""


_SHOWN: Final = 3


def _tag(query_id: str) -> str:
    """Return what a statement begins with: the embedded client takes no query id, so it is found by this."""
    return f"/* {query_id} */"


class EmbeddedEngine:
    """Answers SQL over one or several archive folders that may grow while it is open.

    Parameters
    ----------
    roots : tuple of pathlib.Path
        Folders, absolute.
    strict : bool
        Whether a damaged file is an error; else it is left out, with a warning.
    left_out : sequence of ArchiveError
        What was left out before, to be said with the rest.

    Raises
    ------
    ArchiveError
        No market data there, or a damaged file.
    """

    def __init__(self, roots: tuple[Path, ...], *, strict: bool = True, left_out: Sequence[ArchiveError] = ()) -> None:
        self._strict = strict
        self._left_out_before = {DataFile(error.path, -1, 0, error.reason): error for error in left_out}
        self._said: set[DataFile] = set()
        self._pool = ClientPool()
        self._user_pool = ClientPool(read_only=True)
        # Again by the same thread: what an abandoned iteration holds is let go by the collector, which may run anywhere.
        self._lock = threading.RLock()
        self._moments: dict[str, Moments] = {}
        self._builder = Builder(self._pool.borrow, roots, strict)
        self._catalog: Catalog | None = None
        weakref.finalize(self, _abandon_all, self._moments).atexit = False
        try:
            self._catalog = self._build(None)
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._catalog is None

    @property
    def strict(self) -> bool:
        """Whether a damaged file is an error; else it is left out, from the call on that comes after the one that met it."""
        return self._strict

    def seen_bounds_us(self) -> tuple[int, int] | None:
        """Return when the first and the last row became known, microseconds since 1970 UTC; None if no row ever does."""
        with self.pinned() as catalog:
            return catalog.seen_bounds_us()

    def exchanges(self) -> set[str]:
        """Return the exchanges its rows are of, whenever they became known."""
        with self.pinned() as catalog:
            return {s.exchange for s in catalog.series()}

    def symbols(self) -> set[str]:
        """Return the symbols its rows are of, whenever they became known."""
        with self.pinned() as catalog:
            return {s.symbol for s in catalog.series()}

    def add_root(self, root: Path) -> None:
        """Read the files under another folder too, from the next call on."""
        with self._lock:
            self._builder = replace(self._builder, roots=(*self._builder.roots, root))

    def left_out(self) -> list[ArchiveError]:
        """Return what is wrong with each file left out, by path."""
        with self.pinned() as catalog:
            return sorted({**self._left_out_before, **catalog.damaged}.values(), key=lambda error: error.path)

    @contextmanager
    def snapshot(self, moment: pd.Timestamp, delay: dt.timedelta = dt.timedelta(0)) -> Iterator[EmbeddedSnapshot]:
        """Lend a view of the archive as it was known at `moment`: the same for all statements of one call.

        Parameters
        ----------
        moment : pandas.Timestamp
            The call's now.
        delay : datetime.timedelta
            How long after it was seen a row arrives in the tables.
        """
        with self.pinned() as catalog:
            yield EmbeddedSnapshot(self, catalog, moment, delay)

    def close(self) -> None:
        """Let go of the engine. A statement in flight ends as it would have; a call that needs another is told."""
        with self._lock:
            catalog, self._catalog = self._catalog, None
        if catalog is not None and not catalog.users:
            self._drop(catalog)
        self._user_pool.close()
        self._pool.close()

    def execute(self, sql: str, parameters: Mapping[str, Any], label: str | None, database: str | None = None) -> tuple[pa.Table, str]:
        """Run one statement to its end; see ``EmbeddedSnapshot.fetch``.

        Returns
        -------
        table : pyarrow.Table
            The answer.
        query_id : str
            The id it ran under.
        """
        query_id = uuid.uuid4().hex
        pool = self._pool if database is None else self._user_pool
        tagged = f"{_tag(query_id)} {sql}"

        def work() -> bytes:
            # Borrowed on the thread that runs it: one that was given up keeps its client until it is over.
            with translated(query_id), pool.borrow() as client:
                client.database = database or "default"
                return client.raw_query(tagged, parameters=dict(parameters), fmt="ArrowStream")

        with Progress(label or "") as progress:
            raw = run_cancellable(
                work,
                cancel=lambda: self._kill(query_id),
                waiting=(lambda: self._watch(query_id, progress)) if label else (lambda: None),
            )
        return read_stream(raw, query_id), query_id

    def _kill(self, query_id: str) -> None:
        with suppress(ClickHouseError, ClosedError), self._pool.borrow() as client:
            client.command(f"KILL QUERY WHERE query LIKE '{_tag(query_id)}%' ASYNC")

    def _watch(self, query_id: str, progress: Progress) -> None:
        with self._pool.borrow() as client:
            found = client.query(
                f"SELECT read_rows, total_rows_approx FROM system.processes WHERE query LIKE '{_tag(query_id)}%'"
            ).result_rows
        if found:
            progress.reach(int(found[0][0]), int(found[0][1]) or None)

    @contextmanager
    def public_database(self, catalog: Catalog, moment_us: int) -> Iterator[str]:
        """Lend the database whose tables show what `catalog` knew at `moment_us`."""
        with self._moments[catalog.database].at(moment_us) as database:
            yield database

    @contextmanager
    def blaming(self, catalog: Catalog) -> Iterator[None]:
        """Raise ``ArchiveError`` where a statement fails on a damaged file of `catalog`; one not strict goes on without it."""
        try:
            yield
        except QueryError as error:
            files = {f.path: f for f in catalog.files}
            found = to_damage(error.__cause__, files)
            if found is None:
                raise
            if not self._strict:
                catalog.found_damaged[files[found.path]] = found
            later = "qr.connect(..., strict=False) leaves such a file out, once a call has met it"
            way_out = f"write it again or move it away; {later}" if self._strict else "call again: from now on the file is left out"
            raise ArchiveError(found.path, f"{found.reason}; {way_out}", column=found.column) from error

    def _warn_of_damaged(self, catalog: Catalog) -> None:
        """Say which files are left out, each once."""
        with self._lock:
            new = {f: error for f, error in {**self._left_out_before, **catalog.damaged}.items() if f not in self._said}
            self._said.update(new)
        if new:
            shown = "; ".join(map(str, list(new.values())[:_SHOWN]))
            rest = f"; and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
            count = "1 file is" if len(new) == 1 else f"{len(new)} files are"
            warn_caller(f"{count} damaged and left out of every answer; con.left_out lists all. {shown}{rest}", DamagedArchiveWarning)

    @contextmanager
    def pinned(self) -> Iterator[Catalog]:
        """Lend the catalog of the files as they stand; it stays until it is given back, whatever files come."""
        catalog = self._pin()
        try:
            self._warn_of_damaged(catalog)
            yield catalog
        finally:
            with self._lock:
                catalog.users -= 1
                over = not catalog.users and catalog is not self._catalog
            if over:
                self._drop(catalog)

    def _pin(self) -> Catalog:
        """Return the catalog of the files as they stand, made anew if they have changed, and count the user."""
        check_process()  # before the lock: a thread that held it does not live on in a forked process
        with self._lock:
            current = self._catalog
            if current is None:
                raise ClosedError("this connection is closed; call qr.connect() for a new one")
            if current.found_damaged or self._builder.listings() != current.listings:
                before, self._catalog = current, self._build(current)
                if not before.users:
                    self._drop(before)
                current = self._catalog
            current.users += 1
            return current

    def _build(self, before: Catalog | None) -> Catalog:
        query_id = uuid.uuid4().hex

        def work() -> Catalog:
            with translated(query_id):
                return self._builder.build(before, _tag(query_id))

        with Progress("looking into the archive") as progress:
            catalog = run_cancellable(work, cancel=lambda: self._kill(query_id), waiting=lambda: self._watch(query_id, progress))
        self._moments[catalog.database] = Moments(self._pool.borrow, catalog.guarded)
        return catalog

    def _drop(self, catalog: Catalog) -> None:
        moments = self._moments.pop(catalog.database, None)
        if moments is None:
            return
        databases = [catalog.database, *moments.names()]
        try:
            moments.drop()
            self._builder.drop(catalog.database)
        except ClosedError:  # closed meanwhile: another connection may keep the databases alive
            abandon(databases)


def _abandon_all(moments: dict[str, Moments]) -> None:
    """Note the databases of an engine that went without being closed."""
    abandon([name for database, of_catalog in moments.items() for name in (database, *of_catalog.names())])


class EmbeddedSnapshot:
    """An archive as it was known at one moment.

    Attributes
    ----------
    moment : pandas.Timestamp
        The call's now.
    delay : datetime.timedelta
        How long after it was seen a row arrives in the tables.
    query_ids : list of str
        Ids of the statements run so far.
    """

    def __init__(self, engine: EmbeddedEngine, catalog: Catalog, moment: pd.Timestamp, delay: dt.timedelta) -> None:
        self._engine = engine
        self._catalog = catalog
        self._seen_by = moment - delay
        self.moment = moment
        self.delay = delay
        self.query_ids: list[str] = []

    def relation(self, table: Table) -> str:
        """Return what to write after FROM to read `table`; it also has the columns of ``arrival``."""
        return f"{self._catalog.guarded(table)}({MOMENT} = {{{MOMENT}:DateTime64(6, 'UTC')}})"

    def arrival(self, table: Table) -> tuple[str, ...]:
        """Return the columns of `table` that order what is equal otherwise: order of arrival."""
        return self._catalog.arrival(table)

    def fetch(self, sql: str, parameters: Mapping[str, Any] | None = None, *, label: str | None = None) -> pa.Table:
        """Run one of our own statements and return its answer.

        Parameters
        ----------
        sql : str
            Statement over ``relation(...)``.
        parameters : mapping of str to value, optional
            Bound values.
        label : str, optional
            What to call it on a progress bar; None for no bar.

        Raises
        ------
        QueryError
            ClickHouse refused it or broke off.
        """
        bound = dict(parameters or {}) | {MOMENT: f"{self._seen_by:%Y-%m-%d %H:%M:%S.%f}"}
        with self._engine.blaming(self._catalog):
            table, query_id = self._engine.execute(sql, bound, label)
        self.query_ids.append(query_id)
        return table

    def answer(self, sql: str, parameters: Mapping[str, Any], *, label: str) -> pd.DataFrame:
        """Return the answer to a user's SELECT over tables named as the service's, as they were known at the moment."""
        with self._engine.public_database(self._catalog, to_us(self._seen_by)) as database:
            described, _ = self._engine.execute(f"DESCRIBE TABLE ({sql}\n)", parameters, None, database)
            with self._engine.blaming(self._catalog):
                table, query_id = self._engine.execute(sql, parameters, label, database)
        self.query_ids.append(query_id)
        return to_answer(table, described.column("type").to_pylist())

    def series(self) -> list[Series]:
        """Return what the archive's files hold of each series known by the moment."""
        return [s for s in self._catalog.series() if 0 <= s.first_seen_us <= to_us(self._seen_by)]

    def paths_between(self, table: Table, after_us: int, until_us: int) -> list[str]:
        """Return the files of `table` with rows that became known in ``(after_us, until_us]``, microseconds since 1970 UTC."""
        return self._catalog.paths_between(table, after_us, until_us)

    def rows_at_most(self, table: Table, start: pd.Timestamp | None, end: pd.Timestamp | None) -> int:
        """Return how many rows the files that reach into ``[start, end)`` have, without asking ClickHouse."""
        return sum(f.rows for f in self._catalog.files_of(table) if f.reaches_into(start, end))

    def may_begin_after(self, table: Table, moment: pd.Timestamp) -> bool:
        """Return whether `table` may have no row by `moment`; False where the files do not say."""
        first = self._catalog.first_timestamp(table)
        return first is not None and first > moment

    def first_timestamp(self, table: Table) -> pd.Timestamp | None:
        """Return where `table` begins, None where that is not known."""
        return self._catalog.first_timestamp(table)
