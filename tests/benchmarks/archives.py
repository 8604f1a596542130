"""Archives for the benchmarks, written with NumPy and pyarrow alone and kept between runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EXCHANGES: Final = ("binance", "bitget", "bybit", "okx")
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT")
START_MS: Final = 1_772_409_600_000
"""2026-03-02, in milliseconds since 1970 UTC."""

_SERIES: Final = tuple((e, s) for e in EXCHANGES for s in SYMBOLS)

Array = npt.NDArray[Any]


def write_books(folder: Path, *, rows: int = 300_000, levels: int = 20, files: int = 6) -> None:
    """Write `rows` books of `levels` levels a side, over forty series in turn, one every 20 ms."""
    for part, at in enumerate(np.array_split(np.arange(rows), files)):
        random = np.random.default_rng(part)
        best = 600_000 + np.cumsum(random.integers(-3, 4, len(at)))
        columns: dict[str, Any] = _keys(at, 20)
        for side, direction in (("bids", -1), ("asks", 1)):
            gaps = random.integers(1, 4, (len(at), levels))
            prices = (best[:, None] + direction * np.cumsum(gaps, axis=1)) / 10
            sizes = np.ceil(random.exponential(5_000.0, prices.shape)) / 1_000
            columns |= {f"{side}_json": _as_json(prices, sizes), f"{side}_price_0": prices[:, 0], f"{side}_size_0": sizes[:, 0]}
        order = ("bids_json", "asks_json", "bids_price_0", "asks_price_0", "bids_size_0", "asks_size_0")
        columns = {name: columns[name] for name in ("timestamp", "exchange", "symbol", *order)}
        columns |= {"is_snapshot": np.ones(len(at), np.uint8), "sequence_id": pc.cast(pa.array(at), pa.string())}
        _write(folder / "orderbook" / f"{part:02}.parquet", columns)


def write_klines(folder: Path, *, minutes: int = 7_200, updates: int = 9, files: int = 10) -> None:
    """Write `minutes` one-minute candles of each of forty series: `updates` running rows and a final one each."""
    stages = updates + 1
    for part, opened in enumerate(np.array_split(np.arange(minutes), files)):
        random = np.random.default_rng(part)
        count = len(opened) * stages * len(_SERIES)
        minute = np.repeat(opened, stages * len(_SERIES))
        stage = np.tile(np.repeat(np.arange(1, stages + 1), len(_SERIES)), len(opened))
        price = np.round(100 + np.cumsum(random.normal(0, 0.01, count)), 2)
        width = np.round(random.exponential(0.5, count), 2)
        volume = np.round(stage * random.uniform(1, 2, count), 3)
        at = START_MS + minute * 60_000
        columns = _names(np.arange(count)) | {
            "interval": pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), ["1m"]),
            "open": price,
            "high": price + width,
            "low": price - width,
            "close": np.round(price + random.normal(0, 0.1, count), 2),
            "volume": volume,
            "quote_volume": volume * price,
            "num_trades": (stage * 10).astype(np.int32),
            "close_time": pa.array(at + 59_999).cast(_MS),
            "is_final": (stage == stages).astype(np.uint8),
            "_seen": pa.array((at + stage * 60_000 // stages) * 1_000).cast(pa.timestamp("us", tz="UTC")),
            "_seq": part * count + np.arange(count),
        }
        _write(folder / "kline" / f"{part:02}.parquet", {"timestamp": pa.array(at).cast(_MS)} | columns)


def write_stream(folder: Path, *, messages: int = 600_000, a_second: int = 800, levels: int = 20) -> None:
    """Write what a stream of `messages` is played from: 60 % trades, 20 % quotes, 10 % candles and 10 % books of `levels` a side."""
    random = np.random.default_rng(0)
    number = np.arange(messages)
    seen_us = START_MS * 1_000 + number * 1_000_000 // a_second
    at_ms = (seen_us - random.integers(100_000, 300_000, messages)) // 1_000
    price = np.round(60_000 + np.cumsum(random.normal(0, 0.5, messages)), 1)
    size = np.ceil(random.exponential(500.0, messages)) / 1_000
    kind = number % 10

    def written(table: str, chosen: Array, columns: dict[str, Any], *, opened: Array | None = None) -> None:
        at = number[chosen]
        times = at_ms[at] if opened is None else opened
        hidden = {"_seen": pa.array(seen_us[at]).cast(pa.timestamp("us", tz="UTC")), "_seq": at}
        _write(folder / table / "00.parquet", {"timestamp": pa.array(times).cast(_MS)} | _names(at // 10) | columns | hidden)

    trades, quotes, candles, books = kind < 6, (kind >= 6) & (kind < 8), kind == 8, kind == 9
    ids = pc.cast(pa.array(3_000_000_000 + number[trades]), pa.string())
    sides = pa.DictionaryArray.from_arrays(random.integers(0, 2, trades.sum()).astype(np.int8), ["buy", "sell"])
    flags = np.zeros(trades.sum(), np.uint8)
    written("trade", trades, {"price": price[trades], "amount": size[trades], "side": sides, "trade_id": ids, "is_liquidation": flags})
    p, n = price[quotes], quotes.sum()
    day = {"high_24h": p + 900, "low_24h": p - 900, "volume_24h": np.full(n, 91_234.567), "quote_volume_24h": np.round(p * 91_234.567, 3)}
    settled = pa.array(np.full(n, START_MS + 28_800_000)).cast(_MS)
    funding = {"open_24h": p - 150, "funding_rate": np.full(n, -5.129e-05), "next_funding_time": settled}
    rest = {
        "mark_price": p + 0.2,
        "index_price": p - 0.3,
        "open_interest": np.full(n, 88_123.4),
        "open_interest_value": np.round(p * 88_123.4),
    }
    quoted = {"last_price": p, "bid_price": p - 0.1, "ask_price": p + 0.1, "bid_size": size[quotes], "ask_size": size[quotes] + 1}
    written("ticker", quotes, quoted | day | funding | rest)
    p, n, opened = price[candles], candles.sum(), at_ms[candles] // 60_000 * 60_000
    prices = {
        "open": p - 1,
        "high": p + 5,
        "low": p - 5,
        "close": p,
        "volume": size[candles] * 100,
        "quote_volume": size[candles] * 100 * p,
    }
    counted = {"num_trades": random.integers(1, 2_000, n).astype(np.int32), "close_time": pa.array(opened + 59_999).cast(_MS)}
    names = pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), ["1m"])
    written("kline", candles, {"interval": names} | prices | counted | {"is_final": np.zeros(n, np.uint8)}, opened=opened)
    p, n, sides_of = price[books], books.sum(), {}
    for side, direction in (("bids", -1), ("asks", 1)):
        levels_of = np.round(p[:, None] + direction * np.cumsum(random.integers(1, 4, (n, levels)), axis=1) / 10, 1)
        sizes = np.ceil(random.exponential(5_000.0, levels_of.shape)) / 1_000
        sides_of |= {f"{side}_json": _as_json(levels_of, sizes), f"{side}_price_0": levels_of[:, 0], f"{side}_size_0": sizes[:, 0]}
    order = ("bids_json", "asks_json", "bids_price_0", "asks_price_0", "bids_size_0", "asks_size_0")
    ids = pc.cast(pa.array(number[books]), pa.string())
    written("orderbook", books, {k: sides_of[k] for k in order} | {"is_snapshot": np.ones(n, np.uint8), "sequence_id": ids})


_MS: Final = pa.timestamp("ms", tz="UTC")


def _keys(at: Array, step_ms: int) -> dict[str, Any]:
    return {"timestamp": pa.array(START_MS + at * step_ms).cast(_MS)} | _names(at)


def _names(at: Array) -> dict[str, Any]:
    """Return the names of the series in turn."""
    place = pa.array((at % len(_SERIES)).astype(np.int8))
    return {
        "exchange": pa.DictionaryArray.from_arrays(place, pa.array([e for e, _ in _SERIES])),
        "symbol": pa.DictionaryArray.from_arrays(place, pa.array([s for _, s in _SERIES])),
    }


def _as_json(prices: Array, sizes: Array) -> pa.Array:
    pairs = pc.binary_join_element_wise(pc.cast(pa.array(prices.ravel()), pa.string()), pc.cast(pa.array(sizes.ravel()), pa.string()), ", ")
    bounds = pa.array(np.arange(0, len(pairs) + 1, prices.shape[1], dtype=np.int32))
    return pc.binary_join_element_wise("[[", pc.binary_join(pa.ListArray.from_arrays(bounds, pairs), "], ["), "]]", "")


def _write(path: Path, columns: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: a.cast(pa.string()) if isinstance(a, pa.DictionaryArray) else a for name, a in columns.items()})
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="lz4", use_dictionary=["exchange", "symbol", "interval", "side"], row_group_size=1 << 17)
    partial.replace(path)


if __name__ == "__main__":  # in a process of its own, since a test may write only into its temporary folder
    target = Path(sys.argv[2])
    {"books": write_books, "klines": write_klines, "stream": write_stream}[sys.argv[1]](target)
    # Last, so that an archive that has one is whole.
    facts = {"source": "made for the benchmarks", "synthetic": True, "schema_version": 1}
    (target / "manifest.json").write_text(json.dumps(facts), encoding="utf-8")
