"""Where series begin: a bar of time that holds the first known trade of its series may be half a bar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from qalypto_research.clock import from_us
from qalypto_research.history.barquery import TapeQuery, trades_query
from qalypto_research.history.calls import Call
from qalypto_research.history.query import Span
from qalypto_research.schema.tables import TRADE

_RECENT: Final = dt.timedelta(hours=1)
"""Where trades before a moment are looked for before all of the table is."""

Key = tuple[str, str]
"""Exchange and symbol."""


def without_before(call: Call, opens_us: Mapping[Key, int]) -> set[Key]:
    """Return the series that have no trade before a moment of their own, in microseconds since 1970."""
    left = dict(opens_us)
    for lookback in (_RECENT, None):
        if not left:
            break
        query, latest = _narrowed(call, left), from_us(max(left.values()))
        span = Span(None if lookback is None else from_us(min(left.values())) - lookback, latest)
        if call.snapshot.rows_at_most(TRADE, span.start, span.end):
            opens_ms = [left.get(pair, 0) // 1_000 for pair in query.pairs]
            found = call.snapshot.fetch(*query.there_before(span, opens_ms))
            for number in found.column("series").to_pylist():
                del left[query.pairs[number]]
    return set(left)


def first_times(call: Call, opens_us: Mapping[Key, int], length_us: int) -> dict[Key, int]:
    """Return the first trade, in microseconds since 1970, of series that have none before `opens_us` and one within `length_us`."""
    query = _narrowed(call, opens_us)
    span = Span(from_us(min(opens_us.values())), from_us(max(opens_us.values()) + length_us))
    found = call.snapshot.fetch(*query.first_times(span))
    times = zip(found.column("series").to_pylist(), found.column("ms").to_pylist(), strict=True)
    return {query.pairs[number]: ms * 1_000 for number, ms in times if query.pairs[number] in opens_us}


def _narrowed(call: Call, series: Mapping[Key, int]) -> TapeQuery:
    """Return what reads the trades of `series`, and of others of their names."""
    exchanges, symbols = zip(*series, strict=True)
    return trades_query(replace(call.query, exchanges=tuple(dict.fromkeys(exchanges)), symbols=tuple(dict.fromkeys(symbols))))
