"""Write eight hours of made-up tickers, one file an hour: ``write_tickers.py <folder>``. What is there already stays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
MS = pa.timestamp("ms", tz="UTC")
ABSENT = [
    "high_24h", "low_24h", "volume_24h", "quote_volume_24h", "open_24h", "funding_rate", "next_funding_time", "mark_price", "index_price",
    "open_interest", "open_interest_value",
]  # fmt: skip
HOURS, ROWS = 8, 600_000
"""Four updates a second of each of forty series."""


def write_hour(path: Path, hour: int) -> None:
    random = np.random.default_rng([2026, hour])
    # No two at one time of one series: with such, what comes last is not for plain pandas to say.
    moments = random.choice(3_600_000 * 40, ROWS, replace=False)
    moments.sort()
    milliseconds, series = moments // 40, moments % 40
    exchange, symbol = series // 10, series % 10
    start = pd.Timestamp("2026-03-02", tz="UTC").value // 10**6 + hour * 3_600_000
    # A walk in whole ticks for each symbol, the exchanges a little apart.
    walk = 10_000 * (symbol + 1) + np.cumsum(random.integers(-1, 2, ROWS)) % 1_000 + random.integers(-3, 4, ROWS)
    away = random.integers(1, 4, (2, ROWS))
    none = random.random((2, ROWS)) < 0.01
    prices = {"last_price": pa.array(walk / 100), "bid_price": pa.array((walk - away[0]) / 100, mask=none[0])}
    prices["ask_price"] = pa.array((walk + away[1]) / 100, mask=none[1])
    sizes = {name: pa.array(random.integers(1, 100, ROWS) / 10) for name in ("bid_size", "ask_size")}
    columns = {
        "timestamp": pa.array(milliseconds + start, pa.int64()).cast(MS),
        "exchange": pa.DictionaryArray.from_arrays(pa.array(exchange, pa.int8()), EXCHANGES).cast(pa.string()),
        "symbol": pa.DictionaryArray.from_arrays(pa.array(symbol, pa.int8()), SYMBOLS).cast(pa.string()),
        **prices,
        **sizes,
        **{name: pa.nulls(ROWS, MS if name == "next_funding_time" else pa.float64()) for name in ABSENT},
    }
    pq.write_table(pa.table(columns), path.with_suffix(".part"), compression="lz4")
    path.with_suffix(".part").rename(path)


def main(folder: Path) -> None:
    (folder / "ticker").mkdir(parents=True, exist_ok=True)
    for hour in range(HOURS):
        path = folder / "ticker" / f"{hour:02}.parquet"
        if not path.exists():
            write_hour(path, hour)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
