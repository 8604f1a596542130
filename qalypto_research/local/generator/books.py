"""Order books: what stands at each level at one moment."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qalypto_research.local.generator.ladder import SHOWN
from qalypto_research.local.generator.randomness import Floats, Ints, noise_bits
from qalypto_research.local.generator.rows import Rows
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.tape import Tape

_SEQUENCE_ORIGIN_MS: Final = 1_735_689_600_000


def book_rows(series: Series, tape: Tape, every_ms: int, floor_us: int) -> Rows:
    """Return the books of one series over a block, one every `every_ms`; none is seen before `floor_us`."""
    seed, start = series.seed, tape.start_ms
    offset = int(noise_bits(seed, series.salt("book")) % np.uint64(every_ms))
    at = np.arange(start - start % every_ms + offset, tape.end_ms, every_ms, dtype=np.int64)
    at = at[at >= start]
    rows: Rows = {"timestamp": at}
    for name in ("bids", "asks"):
        ticks, lots = tape.standing(series, name, at, SHOWN)
        price, size = ticks / series.ticks_per_unit, lots / series.lots_per_unit
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
