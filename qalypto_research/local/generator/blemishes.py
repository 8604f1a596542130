"""A few honest blemishes, as every recording has them. Nothing else in the package knows where they are."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator.randomness import Bools
from qalypto_research.local.generator.rows import Rows, concatenated, taken
from qalypto_research.local.generator.settings import Settings
from qalypto_research.schema import INTERVALS

_MINUTE_US: Final = 60_000_000
# One exchange's connection was lost: whatever would have been seen in these minutes since the start is not there, the ends
# of candles included. Candles that ended later are whole: the exchange itself had lost nothing.
_LOST_EXCHANGE: Final = "bitget"
_LOST_MINUTES: Final = (34 + 10 / 60, 36 + 20 / 60)
_LATE: Final = ("binance", "BNBUSDT", 72, 41_317_204)
_REPEATED_TRADE: Final = ("okx", "XRPUSDT", 51, 812_450)
_REPEATED_CANDLE: Final = ("bybit", "ETHUSDT", "15m", 15, 2_104_733)


def blemished(tables: dict[str, Rows], settings: Settings) -> dict[str, Rows]:
    """Return the sample's rows with an outage, a repeated trade, a repeated finished candle and a late trade."""
    out = {table: _without_outage(rows, settings) for table, rows in tables.items()}
    trades, candles = out["trade"], out["kline"]
    exchange, symbol, minute, delay = _LATE
    trades["_seen"][_first_trade(trades, settings, exchange, symbol, minute)] += delay
    exchange, symbol, minute, delay = _REPEATED_TRADE
    out["trade"] = _repeated(trades, _first_trade(trades, settings, exchange, symbol, minute), delay)
    exchange, symbol, interval, minute, delay = _REPEATED_CANDLE
    wanted = _of_series(candles, settings, exchange, symbol) & (candles["is_final"] == 1)
    wanted &= (candles["interval"] == INTERVALS.index(interval)) & (candles["timestamp"] == settings.start_ms + minute * 60_000)
    out["kline"] = _repeated(candles, int(np.flatnonzero(wanted)[0]), delay)
    return out


def _without_outage(rows: Rows, settings: Settings) -> Rows:
    first, stop = (settings.start_ms * 1000 + round(m * _MINUTE_US) for m in _LOST_MINUTES)
    there = rows["series"] // len(settings.symbols) == settings.exchanges.index(_LOST_EXCHANGE)
    lost = there & (rows["_seen"] >= first) & (rows["_seen"] < stop)
    return taken(rows, np.flatnonzero(~lost))


def _of_series(rows: Rows, settings: Settings, exchange: str, symbol: str) -> Bools:
    number = settings.exchanges.index(exchange) * len(settings.symbols) + settings.symbols.index(symbol)
    chosen: Bools = rows["series"] == number
    return chosen


def _first_trade(trades: Rows, settings: Settings, exchange: str, symbol: str, minute: int) -> int:
    after = trades["timestamp"] >= settings.start_ms + minute * 60_000
    return int(np.flatnonzero(_of_series(trades, settings, exchange, symbol) & after)[0])


def _repeated(rows: Rows, position: int, delay_us: int) -> Rows:
    again = taken(rows, np.array([position]))
    again["_seen"] = again["_seen"] + delay_us
    return concatenated([rows, again])
