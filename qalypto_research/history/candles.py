"""Which candles a call means, and which of them are not there."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from qalypto_research.clock import from_us, to_us
from qalypto_research.errors import RangeError
from qalypto_research.history.calls import Call
from qalypto_research.history.forming import build_forming
from qalypto_research.history.gaps import find_holes
from qalypto_research.history.query import CandleQuery, Span, candle_query
from qalypto_research.schema.frames import KLINES, concat, epoch_us
from qalypto_research.schema.tables import KLINE
from qalypto_research.schema.vocabulary import INTERVAL_MS
from qalypto_research.timerange import Window

SETTLING_US: Final = 10_000_000
"""A candle that is over may take this long to arrive. Until then it is not missed, and whole candles end before it."""

_NEEDED: Final = ("exchange", "symbol", "is_final")


def read_candles(call: Call, interval: str, *, final: bool) -> tuple[pd.DataFrame, Window, pd.DataFrame]:
    """Return the candles of `call`, the window they stand for, and the holes in it."""
    step_us = INTERVAL_MS[interval] * 1_000
    now_us = to_us(call.snapshot.moment)
    newest_us = now_us // step_us * step_us
    window = _whole(call.window, newest_us, step_us, interval, final=final) if call.window.relative else call.window
    columns = tuple(c for c in KLINES.columns if c in call.columns or c.name in _NEEDED)
    query = candle_query(replace(call.query, columns=columns), interval, call.snapshot.moment, final=final)
    # One candle more in front: it is needed where the last one has not arrived yet.
    early = replace(window, start=window.start - pd.Timedelta(microseconds=step_us)) if window.relative and window.start else window
    frame = call.read(query, early, f"klines {interval}", limit=call.limit)

    # Every candle that opens before the end is meant, be it cut by the end or not.
    expected_us = min(-(-to_us(window.end) // step_us) * step_us, newest_us)
    settling_us = SETTLING_US + call.snapshot.delay // dt.timedelta(microseconds=1)
    fresh = expected_us == newest_us and now_us - newest_us < settling_us
    # A candle just over may arrive yet: in one series or in all, it is not missed.
    missed_until_us = expected_us - step_us if fresh else expected_us
    arrived = frame[epoch_us(frame) == newest_us - step_us]
    settling = fresh and len(arrived) < len(call.pairs)
    if settling:
        expected_us -= step_us
    if window.relative:
        window = early if settling else window
        window = replace(window, end=from_us(expected_us) if final else call.snapshot.moment)
        frame = frame[frame.index >= window.start] if window.start is not None else frame
        # All series end alike: one that arrived sooner than another waits for it.
        frame = frame[epoch_us(frame) < expected_us] if final else frame
    if not final:
        frame = _with_forming(frame, call, interval, window, newest_us)

    from_first = call.limit is not None and len(frame) >= call.limit
    start = None if from_first else window.start
    # Fewer than the newest n, of as far back as there is: a series without any lacks them all.
    wanted = None if from_first else call.limit
    holes = find_holes(frame, call.pairs, step_us, start, from_us(missed_until_us), if_none=wanted)
    shown = frame[[c.name for c in call.columns]].copy()
    return shown if call.tz == "UTC" else shown.tz_convert(call.tz), window, holes


def hint_of_intervals(call: Call, interval: str) -> str:
    """Return which intervals there are where `interval` is not, for a message; "" where it is."""
    there = {s.interval for s in call.snapshot.series() if s.table == KLINE.name and (s.exchange, s.symbol) in call.pairs}
    if interval in there:
        return ""
    listed = ", ".join(name for name in INTERVAL_MS if name in there)
    return f". There are no candles of {interval} here at all; there are {listed}" if there else ". There are no candles here at all"


def whole_candles(call: Call, interval: str) -> tuple[CandleQuery, Window]:
    """Return the query for the final candles of `call` and the window they stand for; that of ``read_candles``."""
    step_us = INTERVAL_MS[interval] * 1_000
    now_us = to_us(call.snapshot.moment)
    newest_us = now_us // step_us * step_us
    query = candle_query(call.query, interval, call.snapshot.moment, final=True)
    if not call.window.relative:
        return query, call.window
    window = _whole(call.window, newest_us, step_us, interval, final=True)
    settling_us = SETTLING_US + call.snapshot.delay // dt.timedelta(microseconds=1)
    if now_us - newest_us < settling_us:
        last = Span(from_us(newest_us - step_us), from_us(newest_us))
        arrived = call.snapshot.fetch(*query.count_by(last, INTERVAL_MS[interval])).column("rows").to_pylist()
        if sum(arrived) < len(call.pairs):
            shift = pd.Timedelta(microseconds=step_us)
            window = replace(window, start=window.start and window.start - shift, end=window.end - shift, until=window.end - shift)
    return query, window


def _whole(window: Window, newest_us: int, step_us: int, interval: str, *, final: bool) -> Window:
    """Return a window that ended at now, moved back to the last candle's end; running candles behind it may be asked for."""
    if window.start is None or to_us(window.end) - to_us(window.start) < step_us:
        raise RangeError("interval", f"the range is shorter than one candle of {interval}; ask for a longer one or a finer interval")
    end = from_us(newest_us)
    return replace(window, start=end - (window.end - window.start), end=end, until=end if final else None)


def _with_forming(frame: pd.DataFrame, call: Call, interval: str, window: Window, open_us: int) -> pd.DataFrame:
    """Return `frame` with the forming candle of each series that has no update of it, where it can be built."""
    if not (window.start is None or to_us(window.start) <= open_us) or open_us >= to_us(window.end):
        return frame
    latest = frame[epoch_us(frame) >= open_us]
    there = set(zip(latest["exchange"], latest["symbol"], strict=True))
    wanted = set(call.pairs) - there
    if not wanted:
        return frame
    built = build_forming(call.snapshot, call.query, interval, wanted)
    if built.empty:
        return frame
    whole = concat([frame, built[list(frame.columns)]])
    order = np.lexsort((whole["symbol"].astype("str"), whole["exchange"].astype("str"), epoch_us(whole)))
    whole = whole.iloc[order]
    return whole if call.limit is None else whole.tail(call.limit)
