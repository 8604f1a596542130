"""The public API as a type checker sees it. Read by mypy, never run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

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
assert_type(qr.bars("BTCUSDT", "1m", minutes=5), pd.DataFrame)
assert_type(con.bars(["BTCUSDT"], 1000, by="tick", exchange="all", days=1, final=False, columns="vwap"), pd.DataFrame)
assert_type(qr.flow("BTCUSDT", "1s", minutes=5), pd.DataFrame)
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

df = qr.klines("BTCUSDT", "1h", days=7)
assert_type(qr.charts.candles(df, overlays=["sma:20"], theme="dark"), Figure)
assert_type(qr.charts.coverage(qr.coverage()), Figure)
tape, quotes = qr.trades("BTCUSDT", minutes=5), qr.tickers("BTCUSDT", exchange=["binance", "okx"], minutes=5)
books = qr.orderbooks("BTCUSDT", depth=1_000, minutes=5)
assert_type(qr.prep.bars(tape, "1m", final=False, lag="1s"), pd.DataFrame)
assert_type(qr.prep.bars(tape, 20.0, "imbalance", bound=2.0), pd.DataFrame)
assert_type(qr.prep.flow(tape, dt.timedelta(seconds=1), start="2026-03-02", lag="1s"), pd.DataFrame)
assert_type(qr.prep.reconcile(qr.bars("BTCUSDT", "1m", days=1), df, trades=tape, rtol=1e-6), pd.DataFrame)
assert_type(qr.prep.panel(df, "close", by=["exchange", "symbol"]), pd.DataFrame)
assert_type(qr.prep.resample(df, "4h", partial="mark", lag="1s", length="1h"), pd.DataFrame)
assert_type(qr.prep.fill(df, "carry", max_age={"binance": "1m"}, columns=["close"], length="1h"), pd.DataFrame)
assert_type(qr.prep.available_at(df, lag="250ms", length="1h"), pd.DataFrame)
assert_type(qr.prep.asof(df, qr.funding("BTCUSDT", days=7), max_age="8h", suffix="_funding"), pd.DataFrame)
assert_type(qr.prep.asof(df, quotes, max_age=None, by=[], exact=False), pd.DataFrame)
assert_type(qr.prep.check_lookahead(lambda frame: frame["close"].pct_change(), df), pd.DataFrame)
assert_type(
    qr.prep.check_lookahead(lambda frame, other: other["last_price"].reindex(frame.index), df, quotes, evaluations=20), pd.DataFrame
)
assert_type(qr.prep.rebuild(books, depth=5, sequence=True), pd.DataFrame)
assert_type(qr.prep.log_returns(df, every="1h"), pd.Series)
assert_type(qr.prep.realised_volatility(df, 24, per_year=8_760), pd.Series)
assert_type(qr.prep.signed_volume(tape), pd.Series)
assert_type(qr.prep.order_flow_imbalance(quotes), pd.Series)
assert_type(qr.prep.spread_bps(quotes), pd.Series)
assert_type(qr.prep.microprice(quotes), pd.Series)
assert_type(qr.prep.depth_imbalance(books, 5), pd.Series)
assert_type(qr.prep.basis(quotes, "last_price"), pd.Series)
assert_type(qr.prep.funding_carry(quotes, dt.timedelta(hours=8)), pd.Series)
assert_type(qr.prep.cross_spread(quotes, "binance", "okx", max_age="5s"), pd.DataFrame)
assert_type(qr.prep.lead_lag(quotes, "binance", other="okx", every="1s", lags=5, column="last_price"), pd.DataFrame)
assert_type(qr.prep.walk_forward(df, train="2d", test="1d", horizon="1h"), qr.prep.Folds)
assert_type(qr.prep.purged_kfold(df, horizon=pd.Series(df.index), folds=3, embargo="1h").summary(), pd.DataFrame)
assert_type(qr.prep.adopt([[0.0]], exchange="okx", symbol="BTC/USDT", interval="1h", tz="UTC", fetched="2026-03-02"), pd.DataFrame)
assert_type(qr.prep.report(df, drift="1s", outlier=5), qr.prep.Report)
assert_type(qr.prep.report(df).findings, pd.DataFrame)
assert_type(qr.prep.to_backtesting(df, columns="vwap", length="1h", gaps="ignore"), pd.DataFrame)
up = df["close"] > df["open"]
assert_type(qr.prep.to_vectorbt(df, up, ~up, short_entries=up), dict[str, Any])
assert_type(qr.prep.to_backtrader(df, columns=["vwap"]), Any)
assert_type(qr.prep.to_hftbacktest(tape, books, tick_size=0.1, lot_size=0.001, latency="20ms"), npt.NDArray[np.void])
assert_type(qr.prep.to_numpy(df), dict[str, npt.NDArray[Any]])

# What a checker must refuse.
qr.prep.asof(df, df)  # type: ignore[call-arg]
qr.prep.asof(df, df, "1h")  # type: ignore[call-arg]
qr.prep.fill(df)  # type: ignore[call-arg]
qr.prep.walk_forward(df, train="2d", test="1d")  # type: ignore[call-arg]
qr.prep.adopt(df, exchange="okx")  # type: ignore[call-arg]
qr.prep.cross_spread(quotes, "binance", "okx")  # type: ignore[call-arg]
qr.prep.resample(df, 4)  # type: ignore[arg-type]
qr.prep.depth_imbalance(books, "5")  # type: ignore[arg-type]
qr.klines(3)  # type: ignore[arg-type]
qr.klines("BTCUSDT", "1h", 7)  # type: ignore[arg-type, call-arg]
qr.trades("BTCUSDT", days="7")  # type: ignore[arg-type]
qr.coverage("BTCUSDT", "trade")  # type: ignore[call-arg]
qr.trades("BTCUSDT", every="1s")  # type: ignore[call-arg]
qr.bars("BTCUSDT", minutes=5)  # type: ignore[call-arg]
qr.connect("sample", strict="no")  # type: ignore[arg-type]
qr.funding("BTCUSDT", days=7, every="1s")  # type: ignore[call-arg]
con.exchange = "okx"  # type: ignore[misc]

live = qr.live("trade:btcusdt", "ticker", keep="1h", max_bytes="1GB", exchange=["okx", "bybit"], name="mine")
assert_type(live, qr.Live)
assert_type(con.live("*", keep=dt.timedelta(hours=1)), qr.Live)
assert_type(live.trades("BTCUSDT", exchange="all", last="5m", max_age="5s", columns=["price"], limit=5, tz="Asia/Tokyo"), pd.DataFrame)
assert_type(live.klines(["BTCUSDT"], "1m", final=False), pd.DataFrame)
assert_type(live.orderbooks("BTCUSDT", depth=5), pd.DataFrame)
assert_type(live.last(), pd.DataFrame)
assert_type(live.spreads("BTCUSDT", "1s", last="5m"), pd.DataFrame)
assert_type(live.since(live.since().cursor), qr.Batch)
assert_type(live.wait(rows=100, timeout=None, table="trade"), qr.Live)
assert_type(live.health(window="5m"), qr.Health)
assert_type(live.health().series, pd.DataFrame)
assert_type(live.events, pd.DataFrame)
assert_type(live.run(seconds=1), None)
end = live.on("trade", print)
assert_type(end(), None)


async def listen() -> None:
    await live.arun(seconds=1.0)
    async for batch in live:
        assert_type(batch.trades, pd.DataFrame)
