"""Bars made trade by trade, in exact decimals, for tests to hold answers against."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

COLUMNS = [
    "exchange", "symbol", "open", "high", "low", "close", "volume", "quote_volume", "vwap", "num_trades", "buy_volume", "sell_volume",
    "first_time", "last_time", "is_final", "available_at",
]  # fmt: skip

Trade = dict[str, Any]
"""Keys: exchange, symbol, us (microseconds since 1970), price, amount, side."""


class TooCloseError(Exception):
    """Whether a bar ends with a trade hangs on the last digit of a double."""


def places_by_hand(trades: list[Trade], by: str, every: Any, bound: float = 2.0) -> tuple[list[int], bool]:
    """Return the bar of each trade of one series, and whether the last of them is full.

    Raises
    ------
    TooCloseError
        Of bars by imbalance the exact answer may not be that of doubles.
    """
    if by == "time":
        return [t["us"] // every for t in trades], False
    if by == "imbalance":
        return _by_imbalance(trades, Fraction(repr(every)), Fraction(repr(bound)))
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


def _by_imbalance(trades: list[Trade], every: Fraction, bound: Fraction) -> tuple[list[int], bool]:
    low, high = every / bound, every * bound
    places, bar, imbalance, count = [], 0, Fraction(0), 0
    threshold, mean_count, mean_imbalance = every, Fraction(0), Fraction(0)
    for trade in trades:
        places.append(bar)
        imbalance += {"buy": 1, "sell": -1}[trade["side"]] * Fraction(_amount(trade))
        count += 1
        # A threshold of means is a double where it is used, and so may lie a hair from what it is.
        if bar and low < threshold < high and abs(abs(imbalance) / threshold - 1) < Fraction(1, 10**9):
            raise TooCloseError
        if abs(imbalance) < threshold:
            continue
        share = Fraction(2, 21) if bar else Fraction(1)
        mean_count += share * (count - mean_count)
        mean_imbalance += share * (imbalance / count - mean_imbalance)
        threshold = min(max(mean_count * abs(mean_imbalance), low), high)
        bar, imbalance, count = bar + 1, Fraction(0), 0
    return places, bool(places) and places[-1] < bar
