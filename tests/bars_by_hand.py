"""Bars made trade by trade, in exact decimals, for tests to hold answers against."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

COLUMNS = [
    "exchange", "symbol", "open", "high", "low", "close", "volume", "quote_volume", "vwap", "num_trades", "buy_volume", "sell_volume",
    "first_time", "last_time", "is_final", "available_at",
]  # fmt: skip

Trade = dict[str, Any]
"""Keys: exchange, symbol, us (microseconds since 1970), price, amount, side."""


def places_by_hand(trades: list[Trade], by: str, every: Any, bound: float = 2.0) -> tuple[list[int], bool]:
    """Return the bar of each trade of one series, and whether the last of them is full."""
    if by == "time":
        return [t["us"] // every for t in trades], False
    if by == "imbalance":
        return _by_imbalance(trades, float(every), bound)
    size = {"tick": lambda _: Decimal(1), "volume": _amount, "dollar": lambda t: Decimal(repr(t["price"])) * _amount(t)}[by]
    places, reached, length = [], Decimal(0), Decimal(repr(every))
    for trade in trades:
        places.append(int(reached // length))
        reached += size(trade)
    return places, bool(places) and reached // length > places[-1]


def bars_by_hand(trades: list[Trade], places: list[int]) -> list[dict[str, Any]]:
    """Return the bars of one series whose trades lie at `places`."""
    bars = []
    for place in dict.fromkeys(places):
        inside = [t for t, p in zip(trades, places, strict=True) if p == place]
        prices = [t["price"] for t in inside]
        volume = math.fsum(t["amount"] for t in inside)
        quote = math.fsum(t["price"] * t["amount"] for t in inside)
        bar = {
            "place": place,
            "exchange": inside[0]["exchange"],
            "symbol": inside[0]["symbol"],
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "close": prices[-1],
            "volume": volume,
            "quote_volume": quote,
            "vwap": quote / volume if volume else math.nan,
            "num_trades": len(inside),
            "first_us": inside[0]["us"],
            "last_us": inside[-1]["us"],
        }
        for side in ("buy", "sell"):
            bar[f"{side}_volume"] = math.fsum(t["amount"] for t in inside if t["side"] == side)
        bars.append(bar)
    return bars


def _amount(trade: Trade) -> Decimal:
    return Decimal(repr(trade["amount"]))


def _by_imbalance(trades: list[Trade], every: float, bound: float) -> tuple[list[int], bool]:
    places, bar, imbalance, count = [], 0, Decimal(0), 0
    threshold, mean_count, mean_imbalance = every, 0.0, 0.0
    for trade in trades:
        places.append(bar)
        imbalance += {"buy": 1, "sell": -1}[trade["side"]] * _amount(trade)
        count += 1
        if abs(float(imbalance)) < threshold:
            continue
        share = 2 / 21 if bar else 1.0
        mean_count = (1 - share) * mean_count + share * count
        mean_imbalance = (1 - share) * mean_imbalance + share * float(imbalance) / count
        threshold = min(max(mean_count * abs(mean_imbalance), every / bound), every * bound)
        bar, imbalance, count = bar + 1, Decimal(0), 0
    return places, bool(places) and places[-1] < bar
