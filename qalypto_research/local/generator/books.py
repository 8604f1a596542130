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
from qalypto_research.local.generator.settings import STEP_MS, Cadence
from qalypto_research.local.generator.tape import Tape

_SEQUENCE_ORIGIN_MS: Final = 1_735_689_600_000


def book_rows(series: Series, tape: Tape, cadence: Cadence, floor_us: int) -> Rows:
    """Return the books of one series over a block as often as `cadence` says; none is seen before `floor_us`."""
    at = sampled(tape, cadence, int(noise_bits(series.seed, series.salt("book")) % np.uint64(cadence.book)))
    rows: Rows = {"timestamp": at}
    for name in ("bids", "asks"):
        ticks, lots = tape.standing(series, name, at, SHOWN)
        price, size = ticks / series.ticks_per_unit, lots / series.lots_per_unit
        rows |= {f"{name}_json": _json(price, size), f"{name}_price_0": price[:, 0], f"{name}_size_0": size[:, 0]}
    rows["is_snapshot"] = np.ones(len(at), dtype=np.uint8)
    rows["sequence_id"] = pc.cast(pa.array(_sequence(series, at)), pa.string())
    rows["_seen"] = tape.delay.seen(at, series.salt("book delay"), floor_us)
    return rows


def sampled(tape: Tape, cadence: Cadence, offset_ms: int) -> Ints:
    """Return when a book is looked at over a block, UTC ms: in even steps, and sooner where it has changed often since then.

    Each trade changes a book, and each refresh of a best price.
    """
    start, every = tape.start_ms, cadence.book
    even = np.arange(start - start % every + offset_ms, tape.end_ms, every, dtype=np.int64)
    even = even[even >= start]
    if not cadence.book_updates or not len(even):
        return even
    quotes, steps = tape.quotes, np.arange(len(tape.quotes.bid))
    refreshed = [start + STEP_MS * steps[since == steps] for since in (quotes.bid_since, quotes.ask_since)]
    changes = np.sort(np.concatenate([tape.trades.t, *refreshed]))
    seen = np.append(np.searchsorted(changes, even, side="right"), len(changes))
    often = np.diff(seen) // cadence.book_updates
    nth = np.arange(often.sum()) - np.repeat(np.cumsum(often) - often, often) + 1
    return np.unique(np.append(even, changes[np.repeat(seen[:-1], often) + nth * cadence.book_updates - 1]))


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
