"""The public API as a type checker sees it. Read by mypy, never run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import assert_type

import pandas as pd

import qalypto_research as qr

con = qr.connect()
assert_type(con, qr.Connection)
assert_type(qr.connect("sample", at="2026-03-02 13:00", speed=2.0, exchange="okx", ingestion_delay="2s"), qr.Connection)
assert_type(qr.connect([Path("a"), "b"], at=pd.Timestamp("2026-03-02")), qr.Connection)

assert_type(qr.klines("BTCUSDT", "1h", days=7), pd.DataFrame)
assert_type(qr.klines(["BTCUSDT", "ETHUSDT"], exchange="all", start=dt.date(2026, 3, 1), final=False, gaps="raise", limit=5), pd.DataFrame)
assert_type(con.klines("BTCUSDT", "1h", days=7, columns=["close"], tz="Asia/Tokyo"), pd.DataFrame)
assert_type(qr.trades("BTCUSDT", minutes=0.5, max_bytes=10**9), pd.DataFrame)
assert_type(con.trades(["BTCUSDT"], start=dt.datetime(2026, 3, 2, tzinfo=dt.UTC), hours=1), pd.DataFrame)
assert_type(qr.tickers("BTCUSDT", limit=10), pd.DataFrame)
assert_type(qr.tickers("BTCUSDT", hours=1, every="1s"), pd.DataFrame)
assert_type(qr.orderbook_tops("BTCUSDT", limit=10), pd.DataFrame)
assert_type(qr.orderbook_tops("BTCUSDT", hours=1, every=dt.timedelta(seconds=1)), pd.DataFrame)
assert_type(qr.orderbooks("BTCUSDT", depth=5, minutes=5, every="1s"), pd.DataFrame)
assert_type(con.orderbooks(["BTCUSDT", "ETHUSDT"], limit=10, columns="bid_price_0"), pd.DataFrame)
assert_type(qr.funding(["BTCUSDT"], exchange="all", days=7), pd.DataFrame)
for part in qr.batches("trades", "BTCUSDT", days=7, rows=10_000):
    assert_type(part, pd.DataFrame)
with con.batches("klines", ["BTCUSDT"], interval="1m", limit=5) as parts:
    assert_type(next(parts), pd.DataFrame)
assert_type(qr.compare("BTCUSDT"), pd.DataFrame)
assert_type(con.compare(["BTCUSDT"], 5, exchange=["okx", "bybit"]), pd.DataFrame)
assert_type(qr.spreads("BTCUSDT", "1s", minutes=5), pd.DataFrame)
assert_type(con.spreads(["BTCUSDT"], dt.timedelta(seconds=1), start="2026-03-02", limit=5, columns="spread"), pd.DataFrame)
assert_type(qr.symbols(), pd.DataFrame)
assert_type(qr.coverage(), qr.Coverage)
assert_type(con.coverage(["BTCUSDT"], tables=["kline"], interval="1h", exchange="all", start="2026-03-01", days=1).series, pd.DataFrame)
assert_type(qr.coverage(tables="trade", hours=1).holes, pd.DataFrame)
assert_type(qr.sql("SELECT {x:UInt8} AS x", {"x": 1}), pd.DataFrame)
assert_type(qr.concat([qr.trades("BTCUSDT", limit=1)], axis=0), pd.DataFrame)
assert_type(con.clock.now(), pd.Timestamp)
assert_type(con.synthetic, bool)
assert_type(qr.connect("folder", strict=False).left_out, pd.DataFrame)

with qr.connect("sample") as inner:
    assert_type(inner, qr.Connection)

# What a checker must refuse.
qr.klines(3)  # type: ignore[arg-type]
qr.klines("BTCUSDT", "1h", 7)  # type: ignore[arg-type, call-arg]
qr.trades("BTCUSDT", days="7")  # type: ignore[arg-type]
qr.coverage("BTCUSDT", "trade")  # type: ignore[call-arg]
qr.trades("BTCUSDT", every="1s")  # type: ignore[call-arg]
qr.connect("sample", strict="no")  # type: ignore[arg-type]
qr.funding("BTCUSDT", days=7, every="1s")  # type: ignore[call-arg]
con.exchange = "okx"  # type: ignore[misc]
