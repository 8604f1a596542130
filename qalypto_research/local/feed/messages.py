"""Rows as messages of the stream, in the documented shapes.

A message carries the moment it is sent, which is known only then: it is kept as what stands before and after that.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qalypto_research.local.feed import lags
from qalypto_research.local.generator.randomness import Floats, Ints
from qalypto_research.schema.tables import KLINE, ORDERBOOK, Column, Table
from qalypto_research.schema.wire import Channel

SEEN: Final = "seen_us"
PRODUCED: Final = "produced_ms"
"""Columns of rows to be encoded beside the table's: microseconds since 1970 (int64), and epoch ms or NULL (float64)."""

_US: Final = dt.timedelta(microseconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC without saying so, as on the wire
_SENT_BEFORE: Final = b'","data":{"_timestamps":{"websocket_sent":'
_BOOKS: Final = (ORDERBOOK.column("bids_json"), ORDERBOOK.column("asks_json"))
_ZONED: Final = ("next_funding_time",)
"""Times that the documentation writes with their offset."""


class Message(NamedTuple):
    """One message on its way.

    Attributes
    ----------
    seen_us : int
        When it is due, microseconds since 1970 UTC.
    route : Channel
        The narrowest channel it belongs to.
    head, tail : bytes
        What stands before and after the moment it is sent; no tail where the message is whole already.
    """

    seen_us: int
    route: Channel
    head: bytes
    tail: bytes = b""

    def payload(self, stamp: bytes) -> bytes:
        """Return the message as sent at a moment given as `to_stamp` writes it."""
        return self.head + stamp + self.tail if self.tail else self.head


def to_stamp(now_us: int) -> bytes:
    """Return what messages sent at `now_us`, microseconds since 1970 UTC, say of it."""
    return to_iso(now_us).encode() + _SENT_BEFORE + b"%d" % (now_us // 1000)


def to_iso(us: int) -> str:
    """Return a moment as the top of a message has it: ``2026-03-02T14:01:45.300327``."""
    return (_EPOCH + us * _US).isoformat()


def to_iso_ms(us: int) -> str:
    """Return a moment as control messages have it: ``2026-01-28T12:53:40.123Z``."""
    return f"{(_EPOCH + us * _US).isoformat(timespec='milliseconds')}Z"


def to_json(content: Any) -> str:
    """Return JSON without spaces, as the stream's messages are."""
    return json.dumps(content, separators=(",", ":"))


def to_messages(table: Table, rows: pa.Table) -> list[Message]:
    """Return the messages of `rows`, in their order.

    Parameters
    ----------
    table : Table
        Whose rows they are.
    rows : pyarrow.Table
        The table's columns, ``SEEN`` and ``PRODUCED``.
    """
    seen = rows[SEEN].to_numpy()
    symbols = rows["symbol"].to_pylist()
    intervals = rows["interval"].to_pylist() if table is KLINE else [""] * len(rows)
    event_ms = pc.cast(rows["timestamp"], pa.int64())
    values: list[Sequence[str]] = [event_ms.to_pylist()]
    values += [_texts(c, rows[c.name]) for c in table.columns if c.field]
    values += [intervals] if table is KLINE else []
    values.append(list(map(repr, _produced(table, rows, seen, event_ms.to_numpy()).tolist())))
    template = _template(table)
    routes = _routes(table, symbols, intervals)
    heads = {
        symbol: f'{{"type":"{table.name}","symbol":{encode_basestring_ascii(symbol)},"timestamp":"'.encode() for symbol in set(symbols)
    }
    tails = [(template % row).encode() for row in zip(*values, strict=True)]
    return [Message(*parts) for parts in zip(seen.tolist(), routes, [heads[symbol] for symbol in symbols], tails, strict=True)]


def _routes(table: Table, symbols: Sequence[str], intervals: Sequence[str]) -> list[Channel]:
    """Return each row's channel; rows of one series share one."""
    known = {key: Channel(table.name, key[0].upper(), key[1]) for key in set(zip(symbols, intervals, strict=True))}
    return [known[key] for key in zip(symbols, intervals, strict=True)]


def _template(table: Table) -> str:
    """Return the end of a message of `table`, a place for each value."""
    fields = ",".join(f'"{c.field}":%s' for c in table.columns if c.field)
    again = ',"interval":"%s"' if table is KLINE else ""
    return f',"exchange_event_time":%s}},{fields}}}{again},"producer_received":%s}}'


def _texts(column: Column, values: pa.ChunkedArray) -> Sequence[str]:
    """Return a column's values as JSON."""
    if column in _BOOKS:
        # JSON in its row already; where a side is empty, it has no level.
        return [text or "[]" for text in values.to_pylist()]
    if column.kind == "time":
        return _times(values, zone="+00:00" if column.name in _ZONED else "")
    if column.kind == "flag":
        return ["true" if value else "false" for value in values.to_pylist()]
    if column.kind == "number":
        return _numbers(values)
    return [encode_basestring_ascii(text) for text in values.to_pylist()]


def _numbers(values: pa.ChunkedArray) -> list[str]:
    """Return numbers as JSON; NULL, and what JSON cannot say, is null."""
    if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
        values = pc.if_else(pc.is_finite(values), values, None)
    if values.null_count:
        return ["null" if value is None else repr(value) for value in values.to_pylist()]
    return list(map(repr, values.to_pylist()))


def _times(values: pa.ChunkedArray, zone: str) -> list[str]:
    """Return times as Python writes them, which drops a fraction of zero: ``"2026-03-02 14:00:00"``."""
    written = np.datetime_as_string(values.to_numpy().astype("datetime64[us]")).tolist()
    short = [text.removesuffix(".000000") for text in written]
    return ["null" if text == "NaT" else f'"{text[:10]} {text[11:]}{zone}"' for text in short]


def _produced(table: Table, rows: pa.Table, seen: Ints, event_ms: Ints) -> Floats:
    """Return when the producer had each row, epoch ms: as recorded, else so long before it was seen as is usual."""
    recorded = rows[PRODUCED].to_numpy().astype(np.float64)
    event_us = None if table is KLINE else event_ms * 1000
    drawn = (seen - lags.internal_us(table.name, seen, event_us)) / 1000.0
    return np.where(np.isnan(recorded), drawn, recorded)
