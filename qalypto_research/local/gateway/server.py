"""The HTTP side of the stand-in, as an ASGI application: who asks, which path, headers, and bodies in pieces."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from qalypto_research.engine.raw import RawError
from qalypto_research.local.credentials import Credentials
from qalypto_research.local.gateway.answering import Answer, Answering
from qalypto_research.local.gateway.failures import CODE_HEADER, status_of, to_text
from qalypto_research.local.gateway.faults import Fault, Faults
from qalypto_research.local.gateway.request import Request, read_credentials, read_request
from qalypto_research.local.gateway.tables import Shown

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

THREADS: Final = 32
"""Queries that run at once; more wait."""

_PLAIN: Final = "text/plain; charset=UTF-8"
_NOBODY: Final = "Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
_NO_HANDLE: Final = (
    "There is no handle {path}\n\nUse / or /ping for health checks.\nOr /replicas_status for more sophisticated health checks.\n\n"
    "Send queries from your program with POST method or GET /?query=...\n"
)


class GoneError(Exception):
    """The client has closed its connection."""


class BrokenOffError(Exception):
    """An answer ends before its end; the server closes the connection, and the client can tell."""


class Exchange:
    """One request and its answer on the way.

    Parameters
    ----------
    scope, receive, send
        As ASGI hands them in.
    """

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string: bytes = scope["query_string"]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """Return the body of the request."""
        pieces = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(pieces)

    async def gone(self) -> None:
        """Return when the client has closed its connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: dict[str, str]) -> None:
        """Send the head of the answer."""
        fields = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def text(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer of text."""
        body = text.encode()
        await self.begin(status, {"Content-Type": _PLAIN, "Content-Length": str(len(body))} | (headers or {}))
        await self.piece(body, more=False)


class Application:
    """ClickHouse's HTTP interface.

    Parameters
    ----------
    shown : Shown
        The tables.
    answering : Answering
        Runs the queries.
    credentials : Credentials
        Who may ask.
    faults : Faults
        What is to go wrong.
    require_cloudflare : bool
        Whether requests without the service token are turned away, as by Cloudflare Access.

    Attributes
    ----------
    queries : int
        Answered so far, or begun to be.
    """

    def __init__(self, shown: Shown, answering: Answering, credentials: Credentials, faults: Faults, *, require_cloudflare: bool) -> None:
        self._shown = shown
        self._faults = faults
        self._answering = answering
        self._credentials = credentials
        self._require_cloudflare = require_cloudflare
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="query")
        self.queries = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served")
        exchange = Exchange(scope, receive, send)
        with suppress(GoneError):
            await self._respond(exchange)

    def set_faults(self, faults: Faults) -> None:
        """Let something else go wrong from now on."""
        self._shown.show(faults.columns)
        self._faults = faults

    def stop(self) -> None:
        """End what runs."""
        self._answering.cancel_all()

    def close(self) -> None:
        """Let go of the threads."""
        self.stop()
        self._threads.shutdown(cancel_futures=True)

    async def _respond(self, exchange: Exchange) -> None:
        if self._require_cloudflare and not self._credentials.pass_cloudflare(exchange.headers):
            await exchange.text(403, "Forbidden\n")
        elif exchange.path in ("/ping", "/replicas_status") or (exchange.path == "/" and _only_looks(exchange)):
            await exchange.text(200, "Ok.\n")
        elif exchange.method == "OPTIONS":
            await exchange.begin(204, {"Allow": "GET, HEAD, POST, OPTIONS"})
            await exchange.piece(b"", more=False)
        elif exchange.path != "/" or exchange.method not in ("GET", "POST"):
            await exchange.text(404, _NO_HANDLE.format(path=exchange.path))
        else:
            await self._query(exchange)

    async def _query(self, exchange: Exchange) -> None:
        body = await exchange.body()
        query_id = str(uuid.uuid4())
        try:
            request = read_request(exchange.query_string, exchange.headers, body)
            query_id = request.parameters.get("query_id") or query_id
            _check(self._credentials, *read_credentials(request.parameters, request.headers))
            fault = self._faults.draw(request.sql)
            if fault is None or not await _instead(exchange, fault):
                await self._stream(exchange, request, query_id, fault)
        except RawError as error:
            names = {"X-ClickHouse-Query-Id": query_id, CODE_HEADER: str(error.code)}
            await exchange.text(status_of(error), to_text(error, self._answering.version) + "\n", names)

    async def _stream(self, exchange: Exchange, request: Request, query_id: str, fault: Fault | None) -> None:
        gone = asyncio.ensure_future(exchange.gone())
        fails_after = fault.after if fault and fault.kind == "exception" else None
        answer: Answer | None = None
        try:
            self.queries += 1
            answer = await self._threaded(lambda: self._answering.answer(request, query_id, fails_after), gone, query_id)
            await exchange.begin(200, answer.headers)
            body = answer.body
            sent = 0
            while (piece := await self._threaded(lambda: next(body, None), gone, query_id)) is not None:
                if piece:
                    await _send(exchange, piece, fault, sent, gone)
                    sent += len(piece)
            # Before the client knows that it is over: its session is free for its next query.
            await self._let_go(answer)
            answer = None
            await exchange.piece(b"", more=False)
        except RawError as error:
            if answer is None:
                raise
            # The body says why. Without an end of its own it cannot be taken for whole.
            raise BrokenOffError(str(error)) from None
        finally:
            gone.cancel()
            if answer is not None:
                self._answering.cancel(query_id)
                await self._let_go(answer)

    async def _let_go(self, answer: Answer) -> None:
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, answer.close))

    async def _threaded(self, work: Callable[[], T], gone: asyncio.Future[None], query_id: str) -> T:
        """Run `work` on a thread; a client that goes meanwhile ends its query."""
        running: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(self._threads, work)
        await asyncio.wait([running, gone], return_when=asyncio.FIRST_COMPLETED)
        while not running.done():
            self._answering.cancel(query_id)
            await asyncio.wait({running}, timeout=0.05)
        if gone.done():
            with suppress(RawError):
                result = running.result()
                if isinstance(result, Answer):
                    await self._let_go(result)
            raise GoneError
        outcome: T = running.result()
        return outcome


def _check(credentials: Credentials, user: str, password: str) -> None:
    if not credentials.match(user, password):
        raise RawError(516, f"{user}: {_NOBODY}")


def _only_looks(exchange: Exchange) -> bool:
    return exchange.method == "HEAD" or (exchange.method == "GET" and not exchange.query_string)


async def _instead(exchange: Exchange, fault: Fault) -> bool:
    """Let `fault` happen where it takes the place of an answer; return whether it did.

    Raises
    ------
    RawError
        It is an error of ClickHouse's.
    """
    if fault.kind == "status":
        wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        await exchange.text(fault.code, "On purpose.\n", wait)
    elif fault.kind == "redirect":
        await exchange.text(302, "", {"Location": fault.to})
    elif fault.kind == "hang":
        await exchange.gone()
    elif fault.kind == "quota":
        raise RawError(201, "Quota for user has been exceeded, on purpose. (QUOTA_EXCEEDED)")
    elif fault.kind == "denied":
        raise RawError(516, _NOBODY)
    else:
        return False
    return True


async def _send(exchange: Exchange, piece: bytes, fault: Fault | None, sent: int, gone: asyncio.Future[None]) -> None:
    """Send a piece of a body of which so many bytes are sent, as `fault` lets it."""
    if fault and fault.kind == "cut" and sent + len(piece) > fault.after:
        await exchange.piece(piece[: fault.after - sent])
        raise BrokenOffError("on purpose")
    if fault and fault.kind == "slow":
        step = max(1, fault.rate // 10)
        for at in range(0, len(piece), step):
            await exchange.piece(piece[at : at + step])
            if (await asyncio.wait([gone], timeout=step / fault.rate))[0]:
                raise GoneError
        return
    await exchange.piece(piece)
