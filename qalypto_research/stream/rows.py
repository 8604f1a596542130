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
_DIGITS: Final = len(str(2**64 - 1))
_NAT: Final = np.iinfo(np.int64).min
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECONDS: Final = len("2026-03-02 14:01:45")
_MICROSECONDS: Final = len("2026-03-02 14:01:45.100000")
_YEARS: Final = (1900, 2299)
"""What ClickHouse's times reach."""

_STAMPS_MS: Final = (-2_208_988_800_000.0, 10_413_792_000_000.0)
"""The same in epoch milliseconds: a stamp beyond is none, and could not be shown."""
_MOST_NAMES: Final = 20_000

Arrived = tuple[msgspec.Struct, int, int]
"""A message of data, its time floored to the millisecond, and when it arrived: microseconds since 1970 UTC."""


class Codes(dict[str, int]):
    """Numbers for names: those documented first, others as they come, up to a bound. Safe for several threads."""

    def __init__(self, kind: Kind) -> None:
        super().__init__({name: code for code, name in enumerate(VOCABULARY[kind])})
        self._kind = kind
        self._ranks: Array = np.empty(0, np.int64)
        self._lock = threading.Lock()

    def __missing__(self, name: str) -> int:
        with self._lock:
            if len(self) >= _MOST_NAMES and name not in self:
                raise ValueError(f"{name} is one {self._kind} too many; {_MOST_NAMES:,} are known")
            return self.setdefault(name, len(self))

    def ranks(self) -> Array:
        """Return the place of each code in the order of the names; found out anew only where there are more of them."""
        ranks = self._ranks
        if len(ranks) < len(self):
            names = list(self)
            ranks = np.empty(len(names), np.int64)
            ranks[np.argsort(np.array(names))] = np.arange(len(names))
            self._ranks = ranks
        return ranks


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
    messages, times, received = zip(*arrived, strict=True) if arrived else ((), (), ())
    data = [message.data for message in messages]
    stamps = [d.stamps for d in data]
    arrays: dict[str, Array] = {TIME: np.array(times, np.int64)}
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
    arrays["exchange_event_time"] = to_stamps([s.exchange_event_time for s in stamps])
    arrays["websocket_sent"] = to_stamps([s.websocket_sent for s in stamps])
    arrays["producer_received"] = to_stamps([m.producer_received for m in messages])
    arrays[RECEIVED] = np.array(received, np.int64)
    if frame is TRADES:
        arrays[NUMBER] = _numbers([d.trade_id for d in data])
        arrays[SPELLING] = _beginnings(texts["trade_id"])
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
    if len(text) == _MICROSECONDS and text[_SECONDS] == "." and (fraction := text[_SECONDS + 1 :]).isdecimal():
        return _second_us(text[:_SECONDS]) + int(fraction[:3]) * 1000
    if len(text) == _SECONDS:
        return _second_us(text)
    return _us(dt.datetime.fromisoformat(text)) // 1000 * 1000


@lru_cache(maxsize=4096)
def _second_us(text: str) -> int:
    return _us(dt.datetime.fromisoformat(text))


def _us(moment: dt.datetime) -> int:
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise ValueError(f"{moment.isoformat()} is beyond {_YEARS[0]} to {_YEARS[1]}")
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def to_stamps(values: Sequence[float] | Array) -> Array:
    """Return epoch milliseconds in microseconds; what is no number, or beyond all times, is missing."""
    ms = np.asarray(values, np.float64)
    known = (ms >= _STAMPS_MS[0]) & (ms < _STAMPS_MS[1])
    return np.where(known, np.rint(np.where(known, ms, 0.0) * 1000.0), float(_NAT)).astype(np.int64)


def _numbers(ids: list[str]) -> Array:
    """Return ids as numbers."""
    joined = "".join(ids)
    if joined.isdecimal() and joined.isascii() and all(ids) and max(map(len, ids)) < _DIGITS:
        return np.array(list(map(int, ids)), np.uint64)
    return np.array(list(map(_number, ids)), np.uint64)


def _beginnings(texts: Texts) -> Array:
    """Return the first eight bytes of each text as a number."""
    at = texts.ends[:-1, None] + np.arange(8)
    there = at < texts.ends[1:, None]
    found = np.zeros(at.shape, np.uint8)
    found[there] = texts.bytes[at[there]]
    return found.view(">u8").ravel().astype(np.uint64)


def _number(text: str) -> int:
    """Return an id as a number, the largest there is where it is none: as ClickHouse reads it."""
    if text.isdecimal() and text.isascii() and len(text) <= _DIGITS:
        return min(int(text), int(NOT_A_NUMBER))
    return int(NOT_A_NUMBER)


def _top(side: str, raws: list[bytes], whole: Array) -> dict[str, Array]:
    """Return the best price and size of a side of each book; the first level of an update is not the best."""
    best = [levels[0] if levels else (np.nan, np.nan) for levels in map(decode_levels, raws)]
    top = np.where(whole[:, None], np.array(best, np.float64).reshape(-1, 2), np.nan)
    return {f"{side}_price": top[:, 0], f"{side}_size": top[:, 1]}
