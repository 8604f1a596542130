"""Small archives for tests, written with pyarrow alone.

Columns and types are spelled out from the vendor's documentation, so that a mistake of the package's schema shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAY = "2026-03-02"

_MS = pa.timestamp("ms", tz="UTC")
_F = pa.float64()
_S = pa.string()

COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "trade": {
        "timestamp": _MS, "exchange": _S, "symbol": _S, "price": _F, "amount": _F, "side": _S, "trade_id": _S, "is_liquidation": pa.uint8(),
    },
    "ticker": {
        "timestamp": _MS, "exchange": _S, "symbol": _S, "last_price": _F, "bid_price": _F, "ask_price": _F, "bid_size": _F, "ask_size": _F,
        "high_24h": _F, "low_24h": _F, "volume_24h": _F, "quote_volume_24h": _F, "open_24h": _F, "funding_rate": _F,
        "next_funding_time": _MS, "mark_price": _F, "index_price": _F, "open_interest": _F, "open_interest_value": _F,
    },
    "kline": {
        "timestamp": _MS, "exchange": _S, "symbol": _S, "interval": _S, "open": _F, "high": _F, "low": _F, "close": _F, "volume": _F,
        "quote_volume": _F, "num_trades": pa.int32(), "close_time": _MS, "is_final": pa.uint8(),
    },
    "orderbook": {
        "timestamp": _MS, "exchange": _S, "symbol": _S, "bids_json": _S, "asks_json": _S, "bids_price_0": _F, "asks_price_0": _F,
        "bids_size_0": _F, "asks_size_0": _F, "is_snapshot": pa.uint8(), "sequence_id": _S,
    },
}  # fmt: skip

HIDDEN = {"_seen": pa.timestamp("us", tz="UTC"), "_seq": pa.int64(), "_producer_received": _F}

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440}

Row = dict[str, Any]


def utc(when: str | pd.Timestamp) -> pd.Timestamp:
    """Return a moment in UTC; a bare time of day is one of `DAY`."""
    if isinstance(when, str) and "-" not in when:
        when = f"{DAY} {when}"
    stamp = pd.Timestamp(when)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp


def trade(when: str | pd.Timestamp, price: float = 100.0, amount: float = 1.0, **other: Any) -> Row:
    return _key(when) | {"price": price, "amount": amount, "side": "buy", "trade_id": "", "is_liquidation": 0} | other


def ticker(when: str | pd.Timestamp, last_price: float = 100.0, **other: Any) -> Row:
    return _key(when) | {"last_price": last_price} | other


def kline(when: str | pd.Timestamp, close: float = 100.0, volume: float = 1.0, **other: Any) -> Row:
    prices = {"open": close, "high": close, "low": close, "close": close}
    return _key(when) | {"interval": "1m"} | prices | {"volume": volume, "is_final": 1} | other


def klines(first: str | pd.Timestamp, count: int, interval: str = "1m", **other: Any) -> list[Row]:
    """Return `count` final candles one after another; the n-th closes at 100 + n."""
    opens = pd.date_range(utc(first), periods=count, freq=f"{MINUTES[interval]}min")
    return [kline(t, 100.0 + n, interval=interval, **other) for n, t in enumerate(opens)]


def book(when: str | pd.Timestamp, bid: float | None = 99.0, ask: float | None = 101.0, **other: Any) -> Row:
    sides = {
        "bids_json": "[]" if bid is None else f"[[{bid}, 2.0]]",
        "asks_json": "[]" if ask is None else f"[[{ask}, 3.0]]",
        "bids_price_0": bid,
        "asks_price_0": ask,
        "bids_size_0": None if bid is None else 2.0,
        "asks_size_0": None if ask is None else 3.0,
    }
    return _key(when) | sides | {"is_snapshot": 1, "sequence_id": ""} | other


def write(root: Path, table: str, rows: list[Row], *, name: str = "a", flat: bool = False) -> Path:
    """Write `rows` in their order as one file of `table`; hidden columns where any row has them."""
    types = COLUMNS[table] | {c: kind for c, kind in HIDDEN.items() if any(c in row for row in rows)}
    unknown = {key for row in rows for key in row} - set(types)
    assert not unknown, unknown
    arrays = [pa.array([_plain(row.get(c), kind) for row in rows], kind) for c, kind in types.items()]
    path = root / f"market_data_{table}.parquet" if flat else root / table / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays, names=list(types)), path)
    return path


def break_page(path, column):
    """Overwrite the values of a column; the footer stays as it is."""
    group = pq.read_metadata(path).row_group(0)
    chunk = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + chunk.total_compressed_size // 2] = b"\xff" * (chunk.total_compressed_size // 2)
    path.write_bytes(data)


def _key(when: str | pd.Timestamp) -> Row:
    return {"timestamp": utc(when), "exchange": "binance", "symbol": "BTCUSDT"}


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_timestamp(kind):
        return value
    return utc(value).as_unit(kind.unit).value // {"ms": 1_000_000, "us": 1_000}[kind.unit]
