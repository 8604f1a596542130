"""Spreads and comparisons computed by plain pandas from the rows of a Parquet file, for tests to hold answers against."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
FLOATS = ["bid_price", "ask_price", "mid_price", "spread", "spread_bps", "min_price", "max_price", "avg_price", "range_bps"]
SPREAD_COLUMNS = [
    "symbol", "exchanges", "bid_price", "bid_exchange", "ask_price", "ask_exchange", "mid_price", "spread", "spread_bps",
    "min_price", "max_price", "avg_price", "range_bps",
]  # fmt: skip
COMPARE_COLUMNS = [
    "symbol", "exchange", "avg_price", "max_price", "min_price", "updates", "last_price", "last_update", "bid_price", "ask_price",
    "diff_bps",
]  # fmt: skip


def stored_tickers(root: Path) -> pd.DataFrame:
    """Return the tickers under `root` in their total order, with the moment each became ``known``."""
    files = sorted([*root.glob("ticker/**/*.parquet"), *root.glob("market_data_ticker.parquet")])
    rows = pd.concat([pq.ParquetFile(f).read().to_pandas() for f in files], ignore_index=True)
    rows["timestamp"] = rows["timestamp"].astype("datetime64[us, UTC]")
    seen = rows["_seen"].astype("datetime64[us, UTC]") if "_seen" in rows else pd.Series(pd.NaT, rows.index, dtype="datetime64[us, UTC]")
    rows["known"] = seen.fillna(rows["timestamp"])
    rows["sequence"] = rows["_seq"].fillna(math.inf) if "_seq" in rows else 0
    return rows.sort_values(["timestamp", "known", "sequence"], kind="stable", ignore_index=True)


def categorical(values: list[Any], documented: list[str]) -> pd.Categorical:
    beyond = sorted({v for v in values if isinstance(v, str)} - set(documented))
    return pd.Categorical(values, dtype=pd.CategoricalDtype(pd.Index([*documented, *beyond], dtype="str")))


def spreads_by_pandas(rows: pd.DataFrame, every_ms: int, start: Any = None, end: Any = None) -> pd.DataFrame:
    """Return the spreads of the buckets that begin in ``[start, end)``; `rows` are those asked for, in total order."""
    ms = rows["timestamp"].astype("int64") // 1_000
    rows = rows.assign(bucket=pd.to_datetime(ms // every_ms * every_ms, unit="ms", utc=True).astype("datetime64[us, UTC]"))
    rows = rows if start is None else rows[rows["bucket"] >= start]
    rows = rows if end is None else rows[rows["bucket"] < end]
    last = rows.drop_duplicates(["bucket", "symbol", "exchange"], keep="last")
    found = [_spread(bucket, symbol, group) for (bucket, symbol), group in last.groupby(["bucket", "symbol"])]
    index = pd.DatetimeIndex([f.pop("timestamp") for f in found], dtype="datetime64[us, UTC]", name="timestamp")
    frame = pd.DataFrame(found, columns=SPREAD_COLUMNS, index=index)
    frame = frame.astype({"exchanges": "int64", **dict.fromkeys(FLOATS, "float64")})
    for column, documented in (("symbol", SYMBOLS), ("bid_exchange", EXCHANGES), ("ask_exchange", EXCHANGES)):
        frame[column] = categorical(frame[column].to_list(), documented)
    return frame


def _spread(bucket: pd.Timestamp, symbol: str, group: pd.DataFrame) -> dict[str, Any]:
    """Return the row of one bucket and symbol; `group` has one row an exchange."""
    bids = sorted((-p, e) for p, e in zip(group["bid_price"], group["exchange"], strict=True) if not np.isnan(p))
    asks = sorted((p, e) for p, e in zip(group["ask_price"], group["exchange"], strict=True) if not np.isnan(p))
    bid, bidder = (-bids[0][0], bids[0][1]) if bids else (np.nan, None)
    ask, asker = asks[0] if asks else (np.nan, None)
    prices = sorted(group["last_price"])
    mean = sum(prices) / len(prices)
    return {
        "timestamp": bucket, "symbol": symbol, "exchanges": len(group),
        "bid_price": bid, "bid_exchange": bidder, "ask_price": ask, "ask_exchange": asker,
        "mid_price": (bid + ask) / 2, "spread": ask - bid, "spread_bps": (ask - bid) / ((bid + ask) / 2) * 10_000,
        "min_price": prices[0], "max_price": prices[-1], "avg_price": mean, "range_bps": (prices[-1] - prices[0]) / mean * 10_000,
    }  # fmt: skip


def compared_by_pandas(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison over `rows`, which are those of the range, in total order."""
    grouped = rows.groupby(["symbol", "exchange"])["last_price"]
    totals = grouped.agg(avg_price="mean", max_price="max", min_price="min", updates="size")
    newest = rows.drop_duplicates(["symbol", "exchange"], keep="last").set_index(["symbol", "exchange"])
    for column, stored in (
        ("last_price", "last_price"),
        ("last_update", "timestamp"),
        ("bid_price", "bid_price"),
        ("ask_price", "ask_price"),
    ):
        totals[column] = newest[stored]
    frame = totals.reset_index()
    order = pd.Series({s: n for n, s in enumerate([*SYMBOLS, *sorted(set(frame["symbol"]) - set(SYMBOLS))])})
    frame = frame.assign(place=frame["symbol"].map(order), down=-frame["avg_price"])
    frame = frame.sort_values(["place", "down", "exchange"], ignore_index=True)
    mean = frame.groupby("symbol")["avg_price"].transform("mean")
    frame["diff_bps"] = (frame["avg_price"] - mean) / mean * 10_000
    frame["symbol"] = categorical(frame["symbol"].to_list(), SYMBOLS)
    frame["exchange"] = categorical(frame["exchange"].to_list(), EXCHANGES)
    return frame[COMPARE_COLUMNS]
