"""Flow out of ClickHouse, of the buckets that the trades cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.aggregation.finishing import covered_from
from qalypto_research.aggregation.rules import Rule
from qalypto_research.history.barquery import flow_query
from qalypto_research.history.beginnings import first_times, without_before
from qalypto_research.history.calls import Call
from qalypto_research.schema.frames import FLOW, category, epoch_us
from qalypto_research.timerange import Window


def read_flow(call: Call, rule: Rule, window: Window, *, lag_us: int) -> pd.DataFrame:
    """Return the flow in `window`, in buckets as bars by `rule`, without those that the begin of their series cuts.

    Raises
    ------
    ResultTooLargeError
        The frame would take more than the call allows.
    """
    # The names tell whose begin it is, whether they were asked for or not.
    named = tuple(column for column in FLOW.columns if column in call.columns or column.name in ("exchange", "symbol"))
    query = flow_query(replace(call.query, columns=named), rule.every // 1_000, lag_us)
    more = 0
    while True:
        limit = None if call.limit is None else call.limit + more
        frame = call.read(query, window, "flow", limit=limit, tz=call.tz)
        cut = _cut(call, rule, frame)
        if limit is None or len(frame) < limit or cut.sum() == more:
            break
        more = int(cut.sum())
    names = [column.name for column in call.columns]
    if cut.any():
        frame = frame[~cut]
        # As if their names had not come: beyond the documented ones only those have a category that are there.
        frame = frame.astype({name: category(name, frame[name].unique()) for name in ("exchange", "symbol")})
    return frame if names == list(frame.columns) else frame[names].copy()


def _cut(call: Call, rule: Rule, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows of `frame` are of buckets in which their series begins, later than it may."""
    cut = np.zeros(len(frame), bool)
    exchange, symbol = frame["exchange"].cat, frame["symbol"].cat
    codes, rows = np.unique(exchange.codes.to_numpy() * np.int64(len(symbol.categories)) + symbol.codes.to_numpy(), return_index=True)
    exchanges, symbols = exchange.categories[codes // len(symbol.categories)], symbol.categories[codes % len(symbol.categories)]
    opens = epoch_us(frame)
    row_of = dict(zip(zip(exchanges, symbols, strict=True), rows.tolist(), strict=True))
    begun = without_before(call, {key: int(opens[row]) for key, row in row_of.items()})
    if begun:
        first_us = first_times(call, {key: int(opens[row_of[key]]) for key in begun}, rule.every)
        at = [row_of[key] for key in first_us]
        cut[at] = covered_from(np.array(list(first_us.values())), rule) > opens[at]
    return cut
