"""Bars out of ClickHouse: parts of them, span by span of time, merged by the same rule as bars of a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from qalypto_research.aggregation.finishing import Covered, covered_from, to_frame, whole
from qalypto_research.aggregation.parts import Floats, Ints, Parts, Tape, chosen, of_trades, united
from qalypto_research.aggregation.placing import Position, Standing, counted, place_trades
from qalypto_research.aggregation.rules import MOST_COUNTED, Rule, check_bars
from qalypto_research.clock import from_us, to_us
from qalypto_research.engine.progress import Progress
from qalypto_research.errors import DataError
from qalypto_research.history.barquery import TapeQuery, tape_query
from qalypto_research.history.beginnings import without_before
from qalypto_research.history.buckets import over_us, whole_buckets
from qalypto_research.history.calls import Call
from qalypto_research.history.reading import SLICE_ROWS, looks_back, spans_to_read, too_large
from qalypto_research.schema.frames import bytes_per_row
from qalypto_research.schema.tables import TRADE
from qalypto_research.timerange import Window

_WAITING: Final = 500_000
"""So many parts, or as many as were merged before, may wait until they are merged."""

Carried = dict[int, Standing]


def read_bars(call: Call, rule: Rule, *, final: bool, lag_us: int) -> tuple[pd.DataFrame, Window]:
    """Return the bars of `call`, with `final` the whole ones alone, and the window that they are of.

    Raises
    ------
    RangeError
        The range is a length up to now, and shorter than one bar.
    ResultTooLargeError
        The frame would take more than the call allows.
    DataError
        A price or an amount in the table is no number.
    """
    window = whole_buckets(call, rule.every // 1_000, running=not final) if rule.by_time else call.window
    pairs = tape_query(call.query, rule, {}).pairs
    for recent in _looks(call, rule, window):
        bars, is_final = _kept(call, rule, recent, final=final)
        if len(bars) >= (call.limit or 0):
            break
    else:
        bars, is_final = _kept(call, rule, window, final=final)
    frame = to_frame(bars, is_final, rule, pairs, columns=call.columns, tz=call.tz, lag_us=lag_us)
    return frame if call.limit is None else frame.tail(call.limit).copy(), window


def _kept(call: Call, rule: Rule, window: Window, *, final: bool) -> tuple[Parts, npt.NDArray[np.bool_]]:
    """Return the bars in `window` and which are whole; with `final` those alone."""
    carried: Carried = {}
    bars = _read(call, rule, window, carried)
    _check_numbers(bars, tape_query(call.query, rule, carried).pairs)
    is_final = whole(bars, rule, _covered(call, rule, bars), carried)
    return (chosen(bars, is_final), is_final[is_final]) if final else (bars, is_final)


def _looks(call: Call, rule: Rule, window: Window) -> Iterator[Window]:
    """Yield where the newest bars of a long table are looked for before all of it is."""
    if window.start is None and call.snapshot.rows_at_most(TRADE, None, window.until) > SLICE_ROWS:
        for recent in looks_back(call.query, window, call.snapshot.moment):
            if recent.start is not None:
                # No bar is cut where the look begins.
                yield replace(recent, start=from_us(-(-to_us(recent.start) // rule.every) * rule.every))


def _read(call: Call, rule: Rule, window: Window, carried: Carried) -> Parts:
    """Return all bars in `window`, series by series; where each series stands at its end is written into `carried`."""
    parts: list[Parts] = []
    per_row = bytes_per_row(call.columns)
    spans = spans_to_read(call.snapshot, tape_query(call.query, rule, carried), window)
    with Progress("bars", len(spans)) as progress:
        for done, span in enumerate(spans, 1):
            query = tape_query(call.query, rule, carried)
            table = call.snapshot.fetch(*query.select(span), label="bars" if len(spans) == 1 else None)
            parts.append(_parts(query, table, rule, carried))
            if sum(map(len, parts[1:])) > max(_WAITING, len(parts[0])):
                parts = [united(parts)]
                if len(parts[0]) * per_row > call.max_bytes:
                    raise too_large(len(parts[0]), per_row, call.max_bytes, at_least=True)
            progress.reach(done)
    bars = united(parts)
    if len(bars) * per_row > call.max_bytes:
        raise too_large(len(bars), per_row, call.max_bytes)
    return bars


def _parts(query: TapeQuery, table: pa.Table, rule: Rule, carried: Carried) -> Parts:
    """Return the parts of bars in an answer, and note in `carried` where each series stands after it."""
    values = {name: table.column(name).to_numpy() for name in table.column_names}
    if rule.by == "imbalance":
        tape = Tape(values["series"], values["ms"] * 1_000, values["price"], values["amount"], values["sign"])
        _check_counted(query, counted(tape, rule), tape.series, tape.time_us)
        return of_trades(tape, place_trades(tape, rule, carried))
    times = {f"{end}_us": values[f"{end}_ms"] * 1_000 for end in ("first", "last")}
    behind = np.zeros(len(query.pairs), np.int64)
    if not rule.by_time:
        for number, standing in carried.items():
            behind[number] = standing.bars
        _check_counted(query, values["most"], values["series"], times["first_us"])
        _carry(values, carried, behind)
    values |= times | {"place": values["place"] + behind[values["series"]]}
    return Parts(**{f.name: values[f.name] for f in fields(Parts)})


def _carry(values: dict[str, npt.NDArray[Any]], carried: Carried, behind: Ints) -> None:
    last = np.lexsort((values["place"], values["series"]))
    last = last[np.append(np.diff(values["series"][last]) != 0, True)] if len(last) else last
    for at in last:
        number = int(values["series"][at])
        carried[number] = Position(int(behind[number] + values["bars"][at]), int(values["rest"][at]))
        check_bars(carried[number].bars)


def _covered(call: Call, rule: Rule, bars: Parts) -> Covered:
    """Return the time of which the trades of each series are known: from its begin, where that may cut its first bar here."""
    pairs = tape_query(call.query, rule, {}).pairs
    start = np.full(len(pairs), np.iinfo(np.int64).min)
    until = np.full(len(pairs), over_us(call))
    if rule.by_time and len(bars):
        first = np.flatnonzero(np.diff(bars.series, prepend=-1))
        opens, begins = bars.place[first] * rule.every, covered_from(bars.first_us[first], rule)
        late = begins > opens
        numbers = {pairs[number]: number for number in bars.series[first][late]}
        begins_at = dict(zip(numbers, begins[late], strict=True))
        for pair in without_before(call, dict(zip(numbers, opens[late].tolist(), strict=True))):
            start[numbers[pair]] = begins_at[pair]
    return Covered(start, until)


def _check_counted(query: TapeQuery, volume: Floats, series: Ints, time_us: Ints) -> None:
    """Refuse trades, or bars by the largest of their trades, of more than can be counted."""
    above = np.flatnonzero(np.isfinite(volume) & (volume > MOST_COUNTED))
    if not len(above):
        return
    at = above[0]
    exchange, symbol = query.pairs[int(series[at])]
    raise DataError(
        f"a trade of {volume[at]:.3g} is there or soon after, of more than the {MOST_COUNTED:.0e} that can be counted. "
        "Ask for a range without it, or for bars by time or tick",
        exchange=exchange,
        symbol=symbol,
        timestamp=from_us(int(time_us[at])),
        column="price, amount",
    )


def _check_numbers(bars: Parts, pairs: list[tuple[str, str]]) -> None:
    """Refuse what was made of a price or an amount that is no number."""
    wrong = np.flatnonzero(~np.isfinite(bars.quote_volume))
    if not len(wrong):
        return
    at = wrong[0]
    exchange, symbol = pairs[int(bars.series[at])]
    raise DataError(
        f"a price or an amount is not a finite number in the {bars.num_trades[at]} trades that begin there; "
        f"{len(wrong)} bars have one. Ask for a range without them",
        exchange=exchange,
        symbol=symbol,
        timestamp=from_us(int(bars.first_us[at])),
        column="price, amount",
    )
