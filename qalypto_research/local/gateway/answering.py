"""Answer a request: check it, run it as of one moment, hand on its bytes."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import threading
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Final

from qalypto_research.clock import Clock
from qalypto_research.engine.raw import RawError, RawHandle, to_literal
from qalypto_research.local.gateway.clockwords import at_moment
from qalypto_research.local.gateway.compression import Packer, accepted
from qalypto_research.local.gateway.failures import TAG_HEADER, to_frame
from qalypto_research.local.gateway.formats import ARROW_STREAM, CONCATENABLE, content_type, joined_arrow
from qalypto_research.local.gateway.request import Request
from qalypto_research.local.gateway.sessions import Sessions
from qalypto_research.local.gateway.settings import BASE, LABEL, PINNED, check_settings
from qalypto_research.local.gateway.statements import Known, Statement, check_database, killed_ids, read_statement
from qalypto_research.local.gateway.tables import Shown, to_label

_SELECTS: Final = ("SELECT", "WITH", "FROM")
_BEGINS_S: Final = 1.0
"""How long a query takes at most from being known to running."""

_AGAIN_S: Final = 0.01
_ANY_LENGTH: Final = str(1 << 30)
_TAG_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Answer:
    """An answer that has begun. What it reads stays as it is until it is closed.

    Attributes
    ----------
    headers : dict
        Header fields.
    body : iterator of bytes
        Runs the query; to be read by one thread at a time. Raises where it breaks off, after it has said why.
    """

    headers: dict[str, str]
    body: Generator[bytes, None, None] = field(repr=False)
    held: ExitStack = field(repr=False)

    def close(self) -> None:
        """Let go of the query. One that still runs must have been cancelled."""
        self.body.close()
        self.held.close()


class Answering:
    """Runs queries over what is shown, by the time of a clock.

    Parameters
    ----------
    shown : Shown
        The tables.
    clock : Clock
        What time it is.
    user : str
        Whose queries these are.
    name : str
        What the server calls itself.
    forbid_settings : bool
        Whether every change of a setting is refused.
    delay : datetime.timedelta, optional
        How long after it was seen a row arrives in the tables.
    """

    def __init__(
        self, shown: Shown, clock: Clock, *, user: str, name: str, forbid_settings: bool, delay: dt.timedelta = dt.timedelta(0)
    ) -> None:
        self._shown = shown
        self._clock = clock
        self._delay_us = delay // dt.timedelta(microseconds=1)
        self._user = user
        self._name = name
        self._forbid_settings = forbid_settings
        self._lock = threading.Lock()
        self._running: dict[str, tuple[str, str]] = {}
        self._sessions = Sessions()
        with RawHandle() as handle:
            functions = handle.query("SELECT lower(name) FROM system.table_functions", "TabSeparated").body
            guarding = handle.query(f"SELECT name FROM system.settings WHERE match(name, {to_literal(PINNED)})", "TabSeparated").body
            self._known = Known(frozenset(functions.decode().split()), frozenset(guarding.decode().split()) | {LABEL})
            self.version = handle.query("SELECT version()", "TabSeparated").body.decode().strip() + " (official build)"

    def answer(self, request: Request, query_id: str, fails_after: int | None = None) -> Answer:
        """Begin to answer; what goes wrong before the first byte of the body is raised, what goes wrong later is written into it.

        Parameters
        ----------
        request : Request
            What is asked.
        query_id : str
            What the query is to be called.
        fails_after : int, optional
            Bytes of the answer after which it is to fail, on purpose.

        Raises
        ------
        RawError
            The query was refused, or failed before its first row.
        """
        if not request.sql.strip():
            raise RawError(62, "Syntax error: failed at position 1 (end of query): . Expected one of: Query, SELECT query. (SYNTAX_ERROR)")
        tag = "".join(secrets.choice(_TAG_LETTERS) for _ in range(16))
        packer = Packer(accepted(request.headers.get("accept-encoding", "")) if request.compressed else "")
        with ExitStack() as held:
            session = held.enter_context(self._sessions.entered(request.parameters))
            statement = self._read(request)
            fmt = statement.format or request.default_format
            moment_us = self._clock.now_us()
            label = to_label(moment_us - self._delay_us, uuid.uuid4().hex)
            self._register(query_id, label, request.sql)
            held.callback(self._running.pop, query_id, None)
            held.enter_context(self._shown.current())
            handle = held.enter_context(RawHandle())
            self._prepare(handle, request, statement, label, session)
            began = time.monotonic_ns()
            pieces, summary = self._pieces(handle, self._sql(statement, moment_us), statement, fmt)
            held.callback(pieces.close)
            if fails_after is not None:
                pieces = _failing(pieces, fails_after)
            first = next(pieces, b"")
            if request.waits:
                pieces = _given(list(pieces))
            headers = self._headers(query_id, fmt, packer, tag, summary | {"elapsed_ns": time.monotonic_ns() - began})
            return Answer(headers, self._body(first, pieces, packer, tag), held.pop_all())

    def _body(self, first: bytes, pieces: Iterator[bytes], packer: Packer, tag: str) -> Generator[bytes, None, None]:
        try:
            yield packer.pack(first)
            for piece in pieces:
                yield packer.pack(piece)
        except RawError as error:
            yield packer.pack(to_frame(error, self.version, tag)) + packer.end()
            raise
        yield packer.end()

    def cancel(self, query_id: str) -> bool:
        """End a query if it runs now; one about to begin is not met. Return whether it was."""
        label, _ = self._running.get(query_id, ("", ""))
        if not label:
            return False
        with RawHandle() as handle:
            return bool(handle.query(f"KILL QUERY WHERE Settings['{LABEL}'] = {to_literal(label)} ASYNC", "TabSeparated").body)

    def kill(self, query_id: str) -> list[str]:
        """End a query, also one about to begin, and return its statement; nothing where there is none."""
        _, sql = self._running.get(query_id, ("", ""))
        until = time.monotonic() + _BEGINS_S
        while query_id in self._running and not self.cancel(query_id) and time.monotonic() < until:
            time.sleep(_AGAIN_S)
        return [sql] if sql else []

    def cancel_all(self) -> None:
        """End every running query."""
        for query_id in list(self._running):
            self.cancel(query_id)

    def _read(self, request: Request) -> Statement:
        try:
            return read_statement(request.sql, request.binds, self._known)
        except RawError as error:
            if error.code == 164:
                # Not one of ours: were it no SQL at all, the engine's own words say so best.
                with RawHandle() as handle:
                    handle.set(BASE)
                    handle.query(f"SELECT formatQuery({to_literal(request.sql)}) FORMAT Null", "Null")
            raise

    def _register(self, query_id: str, label: str, sql: str) -> None:
        with self._lock:
            if query_id in self._running:
                raise RawError(216, f"Query with id = {query_id} is already running. (QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)")
            self._running[query_id] = (label, sql)

    def _prepare(self, handle: RawHandle, request: Request, statement: Statement, label: str, session: dict[str, str]) -> None:
        forbidden = self._forbid_settings
        handle.use(check_database(request.database))
        if request.binds:
            # Bound in a SET, which may not be longer than other queries unless it is let.
            handle.set({"max_query_size": _ANY_LENGTH})
            handle.set({f"param_{name}": value for name, value in request.binds.items()})
        handle.set(BASE | {LABEL: label})
        wanted = check_settings(session | request.settings | statement.settings, forbidden=forbidden)
        if forbidden:
            handle.set({"readonly": "1"})
        handle.set(wanted)
        if statement.verb == "SET":
            session |= statement.settings
        if not forbidden:
            handle.set({"readonly": "1"})

    def _sql(self, statement: Statement, moment_us: int) -> str:
        if statement.verb != "KILL":
            return "".join(t.text for t in at_moment(statement.tokens, moment_us))
        killed = [f"({to_literal(i)}, {to_literal(sql)})" for i in killed_ids(statement) for sql in self.kill(i)]
        return (
            f"SELECT 'waiting' AS kill_status, k.1 AS query_id, {to_literal(self._user)} AS user, k.2 AS query "
            f"FROM (SELECT arrayJoin(CAST([{', '.join(killed)}], 'Array(Tuple(String, String))')) AS k)"
        )

    def _pieces(self, handle: RawHandle, sql: str, statement: Statement, fmt: str) -> tuple[Generator[bytes, None, None], dict[str, int]]:
        name = fmt.lower()
        if statement.verb in _SELECTS and name in CONCATENABLE:
            return handle.stream(sql, fmt), {}
        if statement.verb in _SELECTS and name == ARROW_STREAM:
            return _or_empty(joined_arrow(handle.stream(sql, fmt)), handle, sql, fmt), {}
        whole = handle.query(sql, fmt)
        summary = {"read_rows": whole.read_rows, "read_bytes": whole.read_bytes, "result_rows": whole.rows, "result_bytes": len(whole.body)}
        return _given([whole.body]), summary

    def _headers(self, query_id: str, fmt: str, packer: Packer, tag: str, summary: dict[str, int]) -> dict[str, str]:
        zeros = dict.fromkeys(
            ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows", "result_bytes"), 0
        )
        headers = {
            "Content-Type": content_type(fmt),
            "X-ClickHouse-Server-Display-Name": self._name,
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Format": fmt,
            "X-ClickHouse-Timezone": "UTC",
            TAG_HEADER: tag,
            "X-ClickHouse-Summary": json.dumps({name: str(n) for name, n in (zeros | summary).items()}, separators=(",", ":")),
        }
        return headers | ({"Content-Encoding": packer.encoding} if packer.encoding else {})


def _given(pieces: list[bytes]) -> Generator[bytes, None, None]:
    yield from pieces


def _failing(pieces: Generator[bytes, None, None], after: int) -> Generator[bytes, None, None]:
    """Yield so many bytes of `pieces`, then fail as a query does that needs too much memory."""
    for piece in pieces:
        yield piece[:after]
        after -= len(piece)
        if after <= 0:
            break
    raise RawError(241, "Memory limit exceeded, on purpose. (MEMORY_LIMIT_EXCEEDED)")


def _or_empty(pieces: Generator[bytes, None, None], handle: RawHandle, sql: str, fmt: str) -> Generator[bytes, None, None]:
    """Yield `pieces`, and where there are none the answer without rows, which has a schema."""
    some = False
    with closing(pieces):
        for piece in pieces:
            some = True
            yield piece
    if not some:
        yield handle.query(sql, fmt).body
