"""The names the service documents: exchanges, symbols, candle intervals, sides."""

from __future__ import annotations

from typing import Final

EXCHANGES: Final = ("binance", "bitget", "bybit", "okx")

SYMBOLS: Final = (
    "BTCUSDT",
    "ETHUSDT",
    "SOLUSDT",
    "XRPUSDT",
    "BNBUSDT",
    "DOGEUSDT",
    "ADAUSDT",
    "DOTUSDT",
    "LINKUSDT",
    "AVAXUSDT",
)

SIDES: Final = ("buy", "sell")

ORIGINS: Final = ("live", "backfill", "history")
"""Where a row of a live frame comes from."""

INTERVAL_MS: Final = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}
"""Length of each candle interval in milliseconds. Every one divides a UTC day, so opens are multiples of it."""

INTERVALS: Final = tuple(INTERVAL_MS)
