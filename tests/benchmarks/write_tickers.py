"""Write eight hours of made-up tickers as an archive, one file an hour: ``write_tickers.py <folder>``. What is there already stays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from qalypto_research.archive.writing import write_rows
from qalypto_research.schema.tables import TICKER

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
ABSENT = [
    "high_24h", "low_24h", "volume_24h", "quote_volume_24h", "open_24h", "funding_rate", "next_funding_time", "mark_price", "index_price",
    "open_interest", "open_interest_value",
]  # fmt: skip
HOURS, ROWS = 8, 600_000
"""About four updates a second of each of forty series."""


def named(codes: Any, names: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), names).cast(pa.string())


def made_up(hour: int) -> dict[str, Any]:
    """Return the tickers of one hour, in the order in which they were seen."""
    random = np.random.default_rng([2026, hour])
    # No two at one time of one series: which of them comes last is not for plain pandas to say.
    moments = random.choice(3_600_000 * 40, ROWS, replace=False)
    moments.sort()
    series = moments % 40
    exchange, symbol = series // 10, series % 10
    times = moments // 40 + pd.Timestamp("2026-03-02", tz="UTC").value // 10**6 + hour * 3_600_000
    # A walk in whole ticks, the exchanges a little apart; now and then a side is missing.
    last = 10_000 * (symbol + 1) + np.cumsum(random.integers(-1, 2, ROWS)) % 1_000 + random.integers(-3, 4, ROWS)
    bid, ask = last - random.integers(1, 4, ROWS), last + random.integers(1, 4, ROWS)
    sides = {"bid_price": bid, "ask_price": ask}
    return {
        "timestamp": times,
        "exchange": named(exchange, EXCHANGES),
        "symbol": named(symbol, SYMBOLS),
        "last_price": last / 100,
        **{name: np.where(random.random(ROWS) < 0.01, np.nan, ticks / 100) for name, ticks in sides.items()},
        **{name: random.integers(1, 100, ROWS) / 10 for name in ("bid_size", "ask_size")},
        **{name: pa.nulls(ROWS) for name in ABSENT},
        "_seen": times * 1_000 + 50_000,
        "_seq": np.arange(ROWS) + hour * ROWS,
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for hour in range(HOURS):
        if not (folder / "ticker" / f"{hour:02}.parquet").exists():
            write_rows(folder, TICKER, made_up(hour), f"{hour:02}")
