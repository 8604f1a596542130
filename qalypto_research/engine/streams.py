"""Arrow streams as ClickHouse sends them: whole, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import urllib3.exceptions as http

from qalypto_research.engine.failures import to_error
from qalypto_research.errors import IncompleteAnswerError, QueryError

_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What closes every Arrow stream. Without it pyarrow takes a stream that was cut between two blocks for whole."""

_TAIL_BYTES: Final = 32_768
_EXCEPTION: Final = re.compile(rb"Code: \d+\. DB::Exception: .*?(?=\n\d+ \w+\r\n__exception__|\Z)", re.DOTALL)
"""What the server says; its length and a mark may close it."""


def gather(pieces: Iterable[bytes], query_id: str) -> bytearray:
    """Return the bytes of an answer that comes in pieces.

    Raises
    ------
    QueryError
        The server broke off with an exception, which it writes behind what it had sent.
    """
    raw = bytearray()
    try:
        for piece in pieces:
            raw += piece
    except http.ProtocolError:
        # A server that fails cuts the connection after it has said why.
        _raise_told(raw, query_id)
        raise
    return raw


def read_stream(raw: bytes | bytearray | memoryview, query_id: str) -> pa.Table:
    """Return the table of an Arrow stream, its columns lying in `raw` where they can.

    Raises
    ------
    QueryError
        The server broke off with an exception, which it writes behind what it had sent.
    IncompleteAnswerError
        The stream was cut.
    """
    view = memoryview(raw)
    if bytes(view[-len(_END) :]) != _END:
        _raise_told(view, query_id)
        raise IncompleteAnswerError("the answer broke off before its end; nothing of it was kept, try again", query_id=query_id)
    try:
        return pa.ipc.open_stream(pa.py_buffer(raw)).read_all()
    except pa.ArrowException as error:
        raise IncompleteAnswerError(f"the answer cannot be read ({error}); try again", query_id=query_id) from error


def _raise_told(raw: bytearray | memoryview, query_id: str) -> None:
    """Raise what the server has told at the end of `raw`, if it has."""
    said = _EXCEPTION.search(bytes(raw[-_TAIL_BYTES:]))
    if said is not None:
        raise to_error(QueryError(said[0].decode(errors="replace")), query_id) from None
