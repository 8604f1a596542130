"""Candles: finished ones, and updates of forming ones that show what had happened by then."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator import latency
from qalypto_research.local.generator.minutes import Bars, join_minutes, join_two
from qalypto_research.local.generator.randomness import Ints, noise_bits
from qalypto_research.local.generator.rows import NEVER, Rows, concatenated
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import MINUTE_MS, Cadence
from qalypto_research.local.generator.tape import Tape
from qalypto_research.schema import INTERVAL_MS, INTERVALS

_COUNT_VENUES: Final = ("binance",)
_CLOSE_TIME_VENUES: Final = ("binance", "bybit")
_NO_TURNOVER_VENUES: Final = ("bitget",)


def candle_rows(series: Series, interval: str, open_ms: Ints, bars: Bars, *, final: bool) -> Rows:
    """Return the rows of candles of one series and interval but for ``_seen``; floats are made here, by one division each."""
    exchange, n = series.exchange, len(open_ms)
    price, lot = series.ticks_per_unit, series.lots_per_unit
    nan = np.full(n, np.nan)
    close_ms = open_ms + INTERVAL_MS[interval] - 1
    return {
        "timestamp": open_ms,
        "interval": np.full(n, INTERVALS.index(interval), dtype=np.int64),
        "open": bars.open / price,
        "high": bars.high / price,
        "low": bars.low / price,
        "close": bars.close / price,
        "volume": bars.lots / lot,
        "quote_volume": nan if exchange in _NO_TURNOVER_VENUES else bars.quote / (price * lot),
        "num_trades": bars.count.astype(np.float64) if exchange in _COUNT_VENUES else nan,
        "close_time": close_ms if exchange in _CLOSE_TIME_VENUES else np.full(n, NEVER),
        "is_final": np.full(n, final, dtype=np.uint8),
    }


def finished(minutes: Bars, minutes_start_ms: int, interval: str, from_ms: int, to_ms: int) -> tuple[Ints, Bars]:
    """Return open times and aggregates of the candles that end in (from_ms, to_ms]."""
    length = INTERVAL_MS[interval]
    ends = np.arange(from_ms // length + 1, to_ms // length + 1, dtype=np.int64) * length
    first = (ends - length - minutes_start_ms) // MINUTE_MS
    return ends - length, join_minutes(minutes, first, first + length // MINUTE_MS)


def history_rows(series: Series, interval: str, open_ms: Ints, bars: Bars) -> Rows:
    """Return finished candles of the time before the ticks."""
    end_ms = open_ms + INTERVAL_MS[interval]
    seen = end_ms * 1000 + latency.past_candle_delay_us(series, interval, end_ms)
    return {**candle_rows(series, interval, open_ms, bars, final=True), "_seen": seen}


def block_rows(series: Series, tape: Tape, cadence: Cadence, floor_us: int) -> Rows:
    """Return the candle rows of one series over a block: updates of forming candles, and finished ones.

    Parameters
    ----------
    series : Series
        Which one.
    tape : Tape
        What happened there.
    cadence : Cadence
        How often forming candles are looked at.
    floor_us : int
        When the last row of the series before the block was seen.
    """
    minutes, start, end = tape.minutes, tape.start_ms, tape.end_ms
    minutes_start = end - minutes.count.shape[-1] * MINUTE_MS
    offset = int(noise_bits(series.seed, series.salt("candle updates")) % np.uint64(cadence.minute_candle))
    moments = np.arange(start + offset, end, cadence.minute_candle, dtype=np.int64)
    so_far = tape.minute_up_to(moments)
    parts, events = [], []
    for interval in INTERVALS:
        every = cadence.minute_candle if interval == "1m" else cadence.longer_candle
        chosen = (moments - start - offset) % every == 0
        at = moments[chosen]
        open_ms = at // INTERVAL_MS[interval] * INTERVAL_MS[interval]
        bars = _so_far(minutes, minutes_start, open_ms, at, so_far.at(chosen))
        parts.append(candle_rows(series, interval, open_ms, bars, final=False))
        events.append(at)
        open_ms, bars = finished(minutes, minutes_start, interval, start, end)
        parts.append(candle_rows(series, interval, open_ms, bars, final=True))
        events.append(open_ms + INTERVAL_MS[interval])
    rows = concatenated(parts)
    rows["_seen"] = _seen(series, tape, np.concatenate(events), rows["is_final"], floor_us)
    return rows


def _so_far(minutes: Bars, minutes_start: int, open_ms: Ints, at: Ints, partial: Bars) -> Bars:
    """Return candles opened at `open_ms` as they stand at `at`: whole minutes, then the partial one."""
    first = (open_ms - minutes_start) // MINUTE_MS
    stop = (at - minutes_start) // MINUTE_MS
    whole = stop > first
    if not whole.any():
        return partial
    out = [a.copy() for a in partial.arrays()]
    joined = join_two(join_minutes(minutes, first[whole], stop[whole]), partial.at(whole))
    for target, values in zip(out, joined.arrays(), strict=True):
        target[whole] = values
    return Bars(*out)


def _seen(series: Series, tape: Tape, event_ms: Ints, final: Ints, floor_us: int) -> Ints:
    """Return when each row is seen; no update arrives after the finished candle it belongs to."""
    order = np.lexsort((final, event_ms))
    event, closes = event_ms[order], final[order] == 1
    seen = tape.delay.seen(event, series.salt("candle delay"), floor_us)
    seen += np.where(closes, latency.closing_us(series, event), 0)
    out = np.empty_like(seen)
    out[order] = np.maximum.accumulate(seen)
    return out
