"""Messages as rows: many at once, column by column."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np

from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES, VOCABULARY, Frame, FrameColumn
from qalypto_research.schema.tables import ORDERBOOK, TRADE, Kind, Table
from qalypto_research.stream.columns import Array, Texts
from qalypto_research.stream.decoding import BadMessage, decode_levels

FRAMES: Final = {f.table.name: f for f in (TRADES, TICKERS, KLINES, ORDERBOOK_TOPS)}
"""The frame that each table's messages become."""

TIME: Final = "timestamp"
RECEIVED: Final = "received"
STAMPS: Final = ("exchange_event_time", "websocket_sent", "producer_received", RECEIVED)
NUMBER: Final = "id as a number"
SPELLING: Final = "beginning of the id"
"""Columns by which trades are put in order: a number where the id is one, else the first eight bytes of its spelling."""
SIDES: Final = ("bids", "asks")
"""Columns of text that hold the sides of a book as they came."""

NOT_A_NUMBER: Final = np.uint64(2**64 - 1)
_NAT: Final = np.iinfo(np.int64).min
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECONDS: Final = len("2026-03-02 14:01:45")
_MICROSECONDS: Final = len(".100000")
_YEARS: Final = (1900, 2299)
"""What ClickHouse's times reach."""

Arrived = tuple[msgspec.Struct, int, int]
"""A message of data, its time floored to the millisecond, and when it arrived: microseconds since 1970 UTC."""


class Codes(dict[str, int]):
    """Numbers for names: those documented first, others as they come. Safe for several threads."""

    def __init__(self, kind: Kind) -> None:
        super().__init__({name: code for code, name in enumerate(VOCABULARY[kind])})
        self._lock = threading.Lock()

    def __missing__(self, name: str) -> int:
        with self._lock:
            return self.setdefault(name, len(self))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table.

    Attributes
    ----------
    arrays : dict of str to array
        Columns of fixed width: times in microseconds since 1970 UTC, names as codes.
    texts : dict of str to Texts
        Columns of text.
    arrived : sequence of Arrived
        The messages that they were made of, row by row.
    """

    arrays: dict[str, Array]
    texts: dict[str, Texts]
    arrived: Sequence[Arrived]


def types_of(table: Table) -> tuple[dict[str, Any], list[str]]:
    """Return the columns that rows of `table` have: those of fixed width with their types, and those of text."""
    frame = FRAMES[table.name]
    kept: dict[Kind, Any] = {"time": np.int64, "number": np.float64, "flag": np.bool_}
    types: dict[str, Any] = {TIME: np.int64} | {c.name: kept.get(c.kind, np.int32) for c in frame.columns if c.kind != "text"}
    types |= dict.fromkeys(STAMPS, np.int64)
    if table is TRADE:
        types |= {NUMBER: np.uint64, SPELLING: np.uint64}
    return types, [*(c.name for c in frame.columns if c.kind == "text"), *(SIDES if table is ORDERBOOK else ())]


def to_rows(table: Table, arrived: Sequence[Arrived], codes: dict[Kind, Codes], bad: Callable[[str], None]) -> Rows:
    """Return messages of `table` as rows, in their order.

    Parameters
    ----------
    table : Table
        Whose messages they are.
    arrived : sequence of Arrived
        The messages.
    codes : dict of str to Codes
        Of each kind of names.
    bad : callable
        Told of each message that makes no row, and why.
    """
    try:
        return _rows(FRAMES[table.name], arrived, codes)
    except Exception:  # noqa: BLE001 - one message that cannot be used must not cost the others
        good = []
        for one in arrived:
            try:
                _rows(FRAMES[table.name], [one], codes)
            except Exception as error:  # noqa: BLE001 - likewise
                bad(str(error) if isinstance(error, BadMessage) else f"{table.name}: {error}")
            else:
                good.append(one)
        return _rows(FRAMES[table.name], good, codes)


def _rows(frame: Frame, arrived: Sequence[Arrived], codes: dict[Kind, Codes]) -> Rows:
    data = [message.data for message, _, _ in arrived]  # type: ignore[attr-defined] # made by msgspec
    stamps = [d.stamps for d in data]
    arrays: dict[str, Array] = {TIME: np.fromiter((at for _, at, _ in arrived), np.int64, len(arrived))}
    texts: dict[str, Texts] = {}
    if frame is ORDERBOOK_TOPS:
        whole = np.array([d.is_snapshot for d in data], np.bool_)
        for name in SIDES:
            raws = [bytes(getattr(d, name)) for d in data]
            texts[name] = Texts.of_bytes(raws)
            arrays |= _top(name.removesuffix("s"), raws, whole)
    for column in frame.columns:
        if column.name in arrays:
            continue
        values = list(map(attrgetter(str(column.source.field)), data))
        if column.kind == "text":
            texts[column.name] = Texts.of(values)
        else:
            arrays[column.name] = _array(column, values, codes)
    arrays["exchange_event_time"] = _from_ms([s.exchange_event_time for s in stamps])
    arrays["websocket_sent"] = _from_ms([s.websocket_sent for s in stamps])
    arrays["producer_received"] = _from_ms([m.producer_received for m, _, _ in arrived])  # type: ignore[attr-defined]
    arrays[RECEIVED] = np.fromiter((at for _, _, at in arrived), np.int64, len(arrived))
    if frame is TRADES:
        ids = [d.trade_id for d in data]
        arrays[NUMBER] = np.fromiter((_number(text) for text in ids), np.uint64, len(ids))
        arrays[SPELLING] = np.fromiter((int.from_bytes(text.encode()[:8].ljust(8, b"\0")) for text in ids), np.uint64, len(ids))
    return Rows(arrays, texts, arrived)


def _array(column: FrameColumn, values: list[Any], codes: dict[Kind, Codes]) -> Array:
    if column.kind == "number":
        return np.array(values, np.float64)
    if column.kind == "flag":
        return np.array(values, np.bool_)
    if column.kind == "time":
        return _times(values)
    return np.fromiter(map(codes[column.kind].__getitem__, values), np.int32, len(values))


def _times(values: list[str | None]) -> Array:
    """Return times, some of which may be missing; there are few distinct ones."""
    known = {text: _NAT if text is None else to_us(text) for text in set(values)}
    return np.array([known[text] for text in values], np.int64)


def to_us(text: str) -> int:
    """Return a time as the stream writes it in microseconds since 1970 UTC, floored to the millisecond as the tables have it.

    Raises
    ------
    ValueError
        It is no time, or none that ClickHouse knows.
    """
    second, rest = text[:_SECONDS], text[_SECONDS:]
    if not rest:
        return _second_us(second)
    if len(rest) == _MICROSECONDS and rest[0] == "." and rest[1:].isdecimal():
        return _second_us(second) + int(rest[1:4]) * 1000
    return _us(dt.datetime.fromisoformat(text)) // 1000 * 1000


@lru_cache(maxsize=4096)
def _second_us(text: str) -> int:
    return _us(dt.datetime.fromisoformat(text))


def _us(moment: dt.datetime) -> int:
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise ValueError(f"{moment.isoformat()} is beyond {_YEARS[0]} to {_YEARS[1]}")
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _from_ms(values: list[float]) -> Array:
    """Return epoch milliseconds in microseconds; what is no number is missing."""
    ms = np.array(values, np.float64)
    return np.where(np.isfinite(ms), np.rint(ms * 1000.0), float(_NAT)).astype(np.int64)


def _number(text: str) -> int:
    """Return an id as a number, the largest there is where it is none: as ClickHouse reads it."""
    if text.isdecimal() and text.isascii() and len(text) <= 20:
        return min(int(text), int(NOT_A_NUMBER))
    return int(NOT_A_NUMBER)


def _top(side: str, raws: list[bytes], whole: Array) -> dict[str, Array]:
    """Return the best price and size of a side of each book; the first level of an update is not the best."""
    best = [levels[0] if levels else (np.nan, np.nan) for levels in map(decode_levels, raws)]
    top = np.where(whole[:, None], np.array(best, np.float64).reshape(-1, 2), np.nan)
    return {f"{side}_price": top[:, 0], f"{side}_size": top[:, 1]}
