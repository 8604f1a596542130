"""One of every kind of public call over the packaged sample, to be answered by either engine."""

from __future__ import annotations

import pandas as pd

BOTH = ["BTCUSDT", "ETHUSDT"]
HALF = {"start": "2026-03-02 12:15", "end": "2026-03-02 12:45"}


def _batches(con):
    with con.batches("trades", "BTCUSDT", exchange="all", minutes=20, rows=1_000) as parts:
        return list(parts)


def _coverage(con, *args, **options):
    found = con.coverage(*args, **options)
    return [found.series, found.holes]


CALLS = {
    "klines": lambda con: con.klines("BTCUSDT", days=2),
    "forming": lambda con: con.klines(BOTH, "1m", exchange="all", hours=1, final=False, gaps="ignore"),
    "trades": lambda con: con.trades("BTCUSDT", minutes=10),
    "tickers": lambda con: con.tickers("BTCUSDT", exchange="all", minutes=10),
    "last_tickers": lambda con: con.tickers(BOTH, minutes=10, every="10s"),
    "orderbook_tops": lambda con: con.orderbook_tops("BTCUSDT", minutes=10),
    "orderbooks": lambda con: con.orderbooks("BTCUSDT", minutes=5, depth=5),
    "funding": lambda con: con.funding("BTCUSDT", minutes=50),
    "compare": lambda con: con.compare("BTCUSDT"),
    "spreads": lambda con: con.spreads(BOTH, minutes=5),
    "bars": lambda con: con.bars(BOTH, "1m", exchange="all", minutes=20),
    "flow": lambda con: con.flow(BOTH, "10s", minutes=20),
    "batches": _batches,
    "symbols": lambda con: con.symbols(),
    "coverage": lambda con: _coverage(con, "BTCUSDT", interval="1h", exchange="bybit", days=3),
    "sql": lambda con: con.sql(
        "SELECT symbol, side, count() AS n, max(timestamp) AS t, max(price) AS p, {now} AS now, {x:UInt32} AS x "
        "FROM market_data.market_data_trade WHERE timestamp >= {now} - INTERVAL 10 MINUTE GROUP BY ALL ORDER BY ALL",
        {"x": 3},
    ),
}
"""By name."""

VARIANTS = {
    "several, all exchanges": lambda con: con.trades(BOTH, exchange="all", minutes=3),
    "two exchanges": lambda con: con.trades("btcusdt", exchange=["okx", "bybit"], **HALF),
    "limit without a window": lambda con: con.trades(BOTH, exchange="all", limit=501),
    "candles, limit alone": lambda con: con.klines("ETHUSDT", "5m", limit=7),
    "tickers, limit alone": lambda con: con.tickers("BTCUSDT", limit=3),
    "tops, limit and every": lambda con: con.orderbook_tops("BTCUSDT", every="1m", limit=5, **HALF),
    "empty": lambda con: con.trades("BTCUSDT", start="2026-03-02 12:10:00", end="2026-03-02 12:10:00.001"),
    "empty tickers": lambda con: con.tickers("BTCUSDT", start="2026-03-02 12:10:00", end="2026-03-02 12:10:00.001"),
    "empty books": lambda con: con.orderbooks("BTCUSDT", start="2026-03-02 12:10:00.001", end="2026-03-02 12:10:00.002"),
    "empty answer to sql": lambda con: con.sql("SELECT * FROM market_data_trade WHERE price < 0"),
    "columns and zone": lambda con: con.trades("BTCUSDT", minutes=2, columns=["price", "side"], tz="Asia/Tokyo"),
    "holes": lambda con: con.klines("BTCUSDT", "1m", exchange="bitget", hours=1, gaps="ignore"),
    "bars by tick": lambda con: con.bars(BOTH, 50, by="tick", exchange="all", minutes=20, final=False),
    "bars by volume": lambda con: con.bars("BTCUSDT", 20.0, by="volume", columns="vwap", tz="Asia/Tokyo", **HALF),
    "bars by imbalance": lambda con: con.bars(BOTH, 10.0, by="imbalance", bound=3, minutes=20),
    "bars, limit alone": lambda con: con.bars("BTCUSDT", "5m", limit=3),
    "candles in parts": lambda con: list(con.batches("klines", BOTH, interval="5m", days=1, rows=100)),
    "books in parts": lambda con: list(con.batches("orderbook_tops", "BTCUSDT", limit=70, rows=33)),
    "nothing in parts": lambda con: list(con.batches("trades", "BTCUSDT", start="2026-03-02 12:10", end="2026-03-02 12:10:00.001")),
    "all that is there": _coverage,
    "rows of every table": lambda con: [con.sql(f"SELECT * FROM {t} ORDER BY ALL LIMIT 50") for t in _TABLES],
}
"""By what is particular about them."""

_TABLES = ("market_data_trade", "market_data_ticker", "market_data_kline", "market_data_orderbook")


def assert_same(ours, theirs):
    """Make sure that two answers are equal to the last bit, dtypes, categories and facts included, but for who answered."""
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
        return
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True, check_freq=True)
    own = {"source", "query_ids"}
    facts = [{k: v for k, v in frame.attrs.get("qalypto", {}).items() if k not in own} for frame in (ours, theirs)]
    assert facts[0] == facts[1]
