"""The service's engine: ClickHouse at the other end of HTTPS."""

from __future__ import annotations

import datetime as dt
import os
import threading
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.config import Access
from qalypto_research.engine.answers import to_answer
from qalypto_research.engine.failures import forbids_settings, translated
from qalypto_research.engine.known import Known, Series
from qalypto_research.engine.progress import Progress
from qalypto_research.engine.running import run_cancellable
from qalypto_research.engine.served import check_columns, fits_names
from qalypto_research.engine.streams import gather, read_stream
from qalypto_research.engine.transport import Patience, Pool, open_client
from qalypto_research.errors import ArchiveError, ClosedError, QalyptoError, QueryError, QueryTimeoutError, SchemaError
from qalypto_research.schema.tables import Table

_SETTINGS: Final[dict[str, Any]] = {
    "session_timezone": "UTC",
    # Arrow that can be taken over column by column, its buffers compressed on the way.
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_compression_method": "lz4_frame",
    "max_block_size": 65_409,
    "preferred_block_size_bytes": 0,
}

_PIECE_BYTES: Final = 1 << 20

_UNKNOWN_SIZE: Final = 2**62
"""More rows than any table has: an answer of unknown size is counted before it is read."""


class RemoteEngine:
    """Answers SQL by a ClickHouse server over HTTP. It serves any number of threads at once.

    Parameters
    ----------
    access : Access
        Where, and as whom.
    patience : Patience, optional
        How long it is waited for.

    Raises
    ------
    ServiceError
        The server cannot be reached, or refuses the login.
    """

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        self._access = access
        self._patience = patience or Patience()
        self._opened: tuple[int, Client, Pool] | None = None
        self._settings = dict(_SETTINGS)
        self.closed = False
        self.renew()
        self._open()
        _ENGINES.add(self)

    def renew(self) -> None:
        """Forget what a process that was forked cannot use: locks that a thread of its parent may have held."""
        self._lock = threading.Lock()
        self.known = Known()

    @property
    def server_name(self) -> str:
        """What the server calls itself."""
        return self._open()[1].server_name

    def check_tables(self) -> None:
        """Make sure that the server has the documented tables.

        Raises
        ------
        SchemaError
            A table or a column is missing or of another type.
        """
        check_columns(self.execute)

    def now(self) -> pd.Timestamp:
        """Return the server's time, UTC in microseconds."""
        answer, _ = self.execute("SELECT now64(6, 'UTC') AS now", {}, None)
        return pd.Timestamp(answer.column("now")[0].as_py()).as_unit("us")

    @contextmanager
    def snapshot(self, moment: pd.Timestamp, delay: dt.timedelta = dt.timedelta(0)) -> Iterator[RemoteSnapshot]:
        """Lend a view of the tables for one call.

        Parameters
        ----------
        moment : pandas.Timestamp
            The call's now, by the server's clock.
        delay : datetime.timedelta
            How long after it was seen a row arrives in the tables.
        """
        yield RemoteSnapshot(self, moment, delay)

    def left_out(self) -> tuple[ArchiveError, ...]:
        """Return the files that no answer includes: a server has none."""
        return ()

    def execute(self, sql: str, parameters: Mapping[str, Any], label: str | None) -> tuple[pa.Table, str]:
        """Run one statement to its end.

        Returns
        -------
        table : pyarrow.Table
            The answer, whole.
        query_id : str
            The id it ran under.
        """
        query_id = uuid.uuid4().hex
        client, _ = self._open()

        def work() -> pa.Table:
            try:
                return self._ask(client, sql, parameters, query_id)
            except QueryTimeoutError:
                # Nobody waits for it any more, which a server need not notice.
                self._cancel(query_id)
                raise
            except QueryError as error:
                if not self._settings or not forbids_settings(error):
                    raise
                self._settings = {}
                return self._ask(client, sql, parameters, query_id)

        with Progress(label or ""):
            return run_cancellable(work, cancel=lambda: self._kill(query_id)), query_id

    def close(self) -> None:
        """Let go of the connections. A statement in flight ends as it would have."""
        with self._lock:
            opened, self._opened, self.closed = self._opened, None, True
        if opened is not None and opened[0] == os.getpid():
            opened[1].close()
            opened[2].clear()

    def _open(self) -> tuple[Client, Pool]:
        """Return the client and its connections; a process that was forked opens its own."""
        with self._lock:
            if self.closed:
                raise ClosedError("this connection is closed; call qr.connect() for a new one")
            if self._opened is None or self._opened[0] != os.getpid():
                with translated(None):
                    client, pool = open_client(self._access, self._patience)
                # Settings the account may not change are known beforehand; one that shows only then costs one refusal.
                fixed = {name for name, s in client.server_settings.items() if s.readonly}
                self._settings = {name: value for name, value in self._settings.items() if name not in fixed}
                self._opened = (os.getpid(), client, pool)
            return self._opened[1], self._opened[2]

    def _ask(self, client: Client, sql: str, parameters: Mapping[str, Any], query_id: str) -> pa.Table:
        with translated(query_id):
            settings = self._settings | {"query_id": query_id}
            # Streamed: else the server would hold the whole answer back until its end.
            response: Any = client.raw_stream(sql, parameters=dict(parameters), settings=settings, fmt="ArrowStream")
            with closing(response):
                raw = gather(response.stream(_PIECE_BYTES), query_id)
        return read_stream(raw, query_id)

    def _cancel(self, query_id: str) -> None:
        """End a statement at the server, without waiting for a server that does not answer."""
        threading.Thread(target=self._kill, args=(query_id,), name="qalypto-kill", daemon=True).start()

    def _kill(self, query_id: str) -> None:
        with suppress(ClickHouseError, QalyptoError):
            self._open()[0].raw_query(f"KILL QUERY WHERE query_id = '{query_id}' ASYNC")


_ENGINES: Final[weakref.WeakSet[RemoteEngine]] = weakref.WeakSet()


def _renew_all() -> None:
    for engine in list(_ENGINES):
        engine.renew()


os.register_at_fork(after_in_child=_renew_all)


class RemoteSnapshot:
    """The service's tables, as one call sees them.

    Attributes
    ----------
    moment : pandas.Timestamp
        The call's now, by the server's clock.
    delay : datetime.timedelta
        How long after it was seen a row arrives in the tables.
    query_ids : list of str
        Ids of the statements run so far.
    """

    def __init__(self, engine: RemoteEngine, moment: pd.Timestamp, delay: dt.timedelta) -> None:
        self._engine = engine
        self.moment = moment
        self.delay = delay
        self.query_ids: list[str] = []

    def relation(self, table: Table) -> str:
        """Return what to write after FROM to read `table`."""
        return table.sql_name

    def arrival(self, table: Table) -> tuple[str, ...]:  # noqa: ARG002 - the service records no order of arrival
        """Return the columns of `table` that order what is equal otherwise: none are known here."""
        return ()

    def fetch(self, sql: str, parameters: Mapping[str, Any] | None = None, *, label: str | None = None) -> pa.Table:
        """Run one of our own statements and return its answer.

        Raises
        ------
        QueryError
            ClickHouse refused it or broke off.
        ServiceError
            The service cannot be reached.
        SchemaError
            Its tables are no longer the documented ones.
        """
        try:
            table, query_id = self._engine.execute(sql, parameters or {}, label)
        except QueryError as error:
            if error.code is not None:
                self._check_tables()
            raise
        self.query_ids.append(query_id)
        if not fits_names(table.schema):
            self._check_tables()
        return table

    def _check_tables(self) -> None:
        """Say that the tables have changed since the connection was made, if that is it."""
        try:
            self._engine.check_tables()
        except SchemaError as error:
            raise error from None
        except QalyptoError:
            pass

    def answer(self, sql: str, parameters: Mapping[str, Any], *, label: str) -> pd.DataFrame:
        """Return the answer to a user's SELECT."""
        described, _ = self._engine.execute(f"DESCRIBE TABLE ({sql}\n)", parameters, None)
        table, query_id = self._engine.execute(sql, parameters, label)
        self.query_ids.append(query_id)
        return to_answer(table, described.column("type").to_pylist())

    def series(self) -> Sequence[Series]:
        """Return the series there are, as far as can be told without reading everything."""
        return self._engine.known.series(self.fetch)

    def rows_at_most(self, table: Table, start: pd.Timestamp | None, end: pd.Timestamp | None) -> int:  # noqa: ARG002
        """Return an upper bound of the rows of `table` in ``[start, end)``: here only a count can tell."""
        return _UNKNOWN_SIZE

    def first_timestamp(self, table: Table) -> pd.Timestamp | None:  # noqa: ARG002
        """Return where `table` begins: not known, for finding it would take a look through all of it."""
        return None

    def may_begin_after(self, table: Table, moment: pd.Timestamp) -> bool:
        """Return whether `table` has no row by `moment`. One row is enough to know that it has."""
        statement = f"SELECT 1 AS one FROM {self.relation(table)} AS t WHERE t.timestamp <= {{moment:DateTime64(3, 'UTC')}} LIMIT 1"
        found = self.fetch(statement, {"moment": f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3]})
        return not found.num_rows
