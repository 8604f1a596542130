"""Order books: levels and sizes that belong to a price and stay there until they are refreshed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qalypto_research.local.generator.randomness import Bools, Floats, Ints, noise_bits, noise_normal, noise_uniform
from qalypto_research.local.generator.rows import Rows
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.tape import Tape

DEPTH: Final = 20
_LEVEL_QUOTE: Final = 22_000.0
_SIZE_SPREAD: Final = 0.85
_BEST_LIFE_MS: Final = 2_000
_LEVEL_LIFE_MS: Final = 45_000
_PLACE_LIFE_MS: Final = 600_000
_DEEPER: Final = 0.05
_POWERS: Final = 10.0 ** np.arange(16)
_SEQUENCE_ORIGIN_MS: Final = 1_735_689_600_000


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of one series' book: what its hashed noise is drawn from, and which way it goes from the best price."""

    series: Series
    name: str
    direction: int

    def salt(self, purpose: str) -> int:
        return self.series.salt(f"{self.name} {purpose}")


def best_sizes(series: Series, bid: Ints, ask: Ints, at: Ints) -> tuple[Ints, Ints]:
    """Return the sizes in lots at the best bid and offer, the same in tickers and books of one moment."""
    best = np.zeros(len(at), dtype=np.int64)
    return _sizes(_Side(series, "bids", -1), bid, best, at), _sizes(_Side(series, "asks", 1), ask, best, at)


def _sizes(side: _Side, ticks: Ints, depth: Ints, at: Ints) -> Ints:
    """Return sizes in lots of levels at `ticks`, `depth` levels from the best; each lives for a while of its own."""
    seed, instrument = side.series.seed, side.series.instrument
    life = np.where(depth == 0, _BEST_LIFE_MS, _LEVEL_LIFE_MS)
    phase = (noise_bits(seed, side.salt("phase"), ticks) % np.uint64(_LEVEL_LIFE_MS)).astype(np.int64)
    era = (at + phase) // life
    quote = _LEVEL_QUOTE * np.exp(_SIZE_SPREAD * noise_normal(seed, side.salt("size"), ticks, era) + _DEEPER * depth)
    lots = np.maximum(np.rint(quote / instrument.price * side.series.lots_per_unit), 1.0)
    # Two leading digits, as people like them.
    unit = np.maximum(_POWERS[np.searchsorted(_POWERS, lots, side="right") - 1] / 10.0, 1.0)
    rounded: Ints = (np.rint(lots / unit) * unit).astype(np.int64)
    return rounded


def _levels(side: _Side, best: Ints, at: Ints) -> Ints:
    """Return the prices in ticks, (rows, DEPTH), of the occupied levels from `best` away from the other side."""
    seed, occupancy = side.series.seed, side.series.instrument.occupancy
    reach = int(np.ceil(DEPTH / occupancy * 1.6)) + 12
    ticks = best[:, None] + side.direction * np.arange(reach, dtype=np.int64)
    phase = (noise_bits(seed, side.salt("coming"), ticks) % np.uint64(_PLACE_LIFE_MS)).astype(np.int64)
    era = (at[:, None] + phase) // _PLACE_LIFE_MS
    occupied: Bools = noise_uniform(seed, side.salt("place"), ticks, era) < occupancy
    occupied[:, 0] = True
    # The farthest are taken to be occupied, so that there always are enough.
    occupied[:, reach - DEPTH :] = True
    chosen = np.argsort(~occupied, axis=1, kind="stable")[:, :DEPTH]
    levels: Ints = np.take_along_axis(ticks, chosen, axis=1)
    return levels


def book_rows(series: Series, tape: Tape, every_ms: int, floor_us: int) -> Rows:
    """Return the books of one series over a block, one every `every_ms`; none is seen before `floor_us`."""
    seed, start = series.seed, tape.start_ms
    offset = int(noise_bits(seed, series.salt("book")) % np.uint64(every_ms))
    at = np.arange(start - start % every_ms + offset, tape.end_ms, every_ms, dtype=np.int64)
    at = at[at >= start]
    step = tape.quotes.step_of(at)
    depth = np.broadcast_to(np.arange(DEPTH, dtype=np.int64), (len(at), DEPTH))
    rows: Rows = {"timestamp": at}
    for name, prices, direction in (("bids", tape.quotes.bid, -1), ("asks", tape.quotes.ask, 1)):
        side = _Side(series, name, direction)
        ticks = _levels(side, prices[step], at)
        price, size = ticks / series.ticks_per_unit, _sizes(side, ticks, depth, at[:, None]) / series.lots_per_unit
        rows |= {f"{name}_json": _json(price, size), f"{name}_price_0": price[:, 0], f"{name}_size_0": size[:, 0]}
    rows["is_snapshot"] = np.ones(len(at), dtype=np.uint8)
    rows["sequence_id"] = pc.cast(pa.array(_sequence(series, at)), pa.string())
    rows["_seen"] = tape.delay.seen(at, series.salt("book delay"), floor_us)
    return rows


def _sequence(series: Series, at: Ints) -> Ints:
    """Return numbers that grow with time, by more than the noise added to them."""
    base = 10_000_000_000 + int(noise_bits(series.seed, series.salt("first sequence")) % np.uint64(90_000_000_000))
    pace = 4 + series.key % 6
    noise = (noise_bits(series.seed, series.salt("sequence"), at) % np.uint64(200)).astype(np.int64)
    return base + (at - _SEQUENCE_ORIGIN_MS) * pace + noise


def _json(prices: Floats, sizes: Floats) -> pa.Array:
    """Return ``[[price, size], ...]`` for each row, numbers as JSON writes them."""
    pairs = pc.binary_join_element_wise(_numbers(prices), _numbers(sizes), ", ")
    rows = pa.ListArray.from_arrays(pa.array(np.arange(0, pairs.__len__() + 1, prices.shape[1], dtype=np.int32)), pairs)
    inner = pc.binary_join(rows, "], [")
    return pc.binary_join_element_wise("[[", inner, "]]", "")


def _numbers(values: Floats) -> pa.Array:
    """Return each number as Python prints it; every distinct one is printed once."""
    distinct, which = np.unique(values.ravel(), return_inverse=True)
    return pa.array([repr(v) for v in distinct.tolist()]).take(pa.array(which))
