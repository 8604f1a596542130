"""Executions: orders hit the quote and walk into the book, each exchange numbers them in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qalypto_research.local.generator import sizes
from qalypto_research.local.generator.arrivals import FILLS, Orders
from qalypto_research.local.generator.quotes import Quotes
from qalypto_research.local.generator.randomness import Bits, Bools, Floats, Ints, noise_bits
from qalypto_research.local.generator.series import Series

_UUID_VENUES: Final = ("bybit",)
_FIRST_ID: Final = {"binance": 3_198_000_000, "bitget": 1_412_700_000_000_000_000, "okx": 1_060_000_000}
_LIQUIDATIONS: Final = 0.0006
_HEX: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# Where the 32 hex digits of a UUID stand among its 36 characters.
_UUID_DIGITS: Final = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades of one series in their total order: by time, then by id.

    Attributes
    ----------
    t : array of int
        Time, UTC ms.
    price, lots : array of int
        Price in ticks, size in lots.
    buy, liquidation : array of bool
        Side of the aggressor; whether forced.
    first_number : int
        Running number of the first trade of the block in its series.
    """

    t: Ints
    price: Ints
    lots: Ints
    buy: Bools
    liquidation: Bools
    first_number: int


def execute(series: Series, orders: Orders, quotes: Quotes, heat: Floats, *, first_number: int, draws: np.random.Generator) -> Trades:
    """Turn the orders of one series into trades.

    Parameters
    ----------
    series : Series
        Which one.
    orders : Orders
        In order of time, all on this exchange.
    quotes : Quotes
        The exchange's best prices.
    heat : array, (seconds,)
        Relative volatility; liquidations come with it.
    first_number : int
        Running number of the first trade.
    draws : numpy.random.Generator
        Source of randomness.
    """
    instrument = series.instrument
    fills = draws.geometric(1.0 / FILLS, len(orders.t))
    row = np.repeat(np.arange(len(orders.t)), fills)
    t, buy = orders.t[row], orders.buy[row]
    first = np.cumsum(fills) - fills
    # The book is walked level by level; the first fill is always at the best price.
    steps = np.where(draws.random(len(t)) < 0.45, draws.geometric(instrument.occupancy, len(t)), 0)
    walked = np.cumsum(steps)
    depth = walked - walked[first][row] if len(row) else walked
    step = quotes.step_of(t)
    price = np.where(buy, quotes.ask[step] + depth, quotes.bid[step] - depth)
    second = (t - quotes.start_ms) // 1000
    forced = draws.random(len(t)) < np.minimum(_LIQUIDATIONS * heat[second] ** 3, 0.05)
    quote = sizes.draw_quote(len(t), draws) * np.where(forced, 4.0, 1.0)
    lots = sizes.to_lots(quote, instrument.price, instrument.lot_digits, draws)
    return Trades(t, price, lots, buy, forced, first_number)


def trade_ids(series: Series, trades: Trades) -> pa.Array:
    """Return the ids of `trades`: running numbers, on bybit UUIDs that ascend within a millisecond."""
    number = trades.first_number + np.arange(len(trades.t), dtype=np.int64)
    if series.exchange in _UUID_VENUES:
        high, low = (noise_bits(series.seed, series.salt(half), number) for half in ("high half of id", "low half of id"))
        return _uuids(high, low, trades.t)
    offset = int(noise_bits(series.seed, series.salt("first id")) % np.uint64(900_000_000))
    return pc.cast(pa.array(_FIRST_ID[series.exchange] + offset + number), pa.string())


def _uuids(high: Bits, low: Bits, t: Ints) -> pa.Array:
    # Version 4, variant 1. Ids that are no numbers order trades of one millisecond by spelling, so they are dealt in that order.
    high = (high & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x4000)
    low = (low & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
    order = np.lexsort((low, high, t))
    raw = np.stack([high[order], low[order]], axis=1).astype(">u8").view(np.uint8).reshape(len(t), 16)
    text = np.full((len(t), 36), ord("-"), dtype=np.uint8)
    digits = np.empty((len(t), 32), dtype=np.uint8)
    digits[:, 0::2], digits[:, 1::2] = _HEX[raw >> 4], _HEX[raw & 15]
    text[:, _UUID_DIGITS] = digits
    offsets = np.arange(0, 36 * (len(t) + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(len(t), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
