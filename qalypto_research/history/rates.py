"""Funding: the changes of its rate and time, found in ClickHouse among the tickers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names
from qalypto_research.engine.frames import FrameBuilder
from qalypto_research.history.calls import Ask, Call, calling, warn_of_less, with_facts
from qalypto_research.history.query import TableQuery
from qalypto_research.history.reader import Reader
from qalypto_research.history.reading import read_slices, too_large
from qalypto_research.schema.frames import FUNDING, bytes_per_row, category, concat, empty_frame
from qalypto_research.timerange import TimeLike

_SERIES: Final = ("exchange", "symbol")
_SAID: Final = ("funding_rate", "next_funding_time")


def funding(
    con: Reader,
    symbols: Names,
    *,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
    max_bytes: str | int = "2GB",
) -> pd.DataFrame:
    """Return funding, one row a change of its rate or of the next funding time, found in ClickHouse.

    The first ticker of the range that says either is given as well: how things stood at the start. A ticker that
    leaves one out says nothing of it, so that is no change of it: it is compared with what was said of it last in the
    range, and the first time it is said is a change. Source table: ``market_data_ticker``.

    Parameters
    ----------
    symbols : str or list of str
        Pairs such as ``"BTCUSDT"``; upper or lower case.
    exchange : str or list of str, optional
        A name, several, or "all". By default the connection's: "binance", or the only one there is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.
    columns : str or list of str, optional
        Only these; they keep the table's order.
    limit : int, optional
        Only the newest so many rows (over all symbols and exchanges together), ascending. The whole range is still
        looked through.
    tz : str or tzinfo, optional
        Zone in which to show the index; the range is not moved by it.
    max_bytes : int or str
        Refuse an answer whose frame would be larger.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, when the ticker said so, ``datetime64[us, UTC]``, ascending; ties by exchange, symbol, then
        arrival. Columns, all as that ticker has them: exchange, symbol (category); funding_rate (float64, a fraction a
        funding period); next_funding_time (``datetime64[us, UTC]``); mark_price, index_price in quote currency,
        open_interest in contracts, open_interest_value in USD (float64); NaN and NaT where it says nothing.

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used, or no range at all.
    ResultTooLargeError
        The frame would take more than `max_bytes`.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> rates = con.funding("BTCUSDT", hours=1, columns=["funding_rate", "next_funding_time"])
    >>> rates["next_funding_time"].iloc[-1]
    Timestamp('2026-03-02 16:00:00+0000', tz='UTC')
    >>> con.close()
    """
    ask = Ask(symbols, exchange, start, end, days, hours, minutes, columns, limit, tz, max_bytes)
    with calling(con, FUNDING, ask) as call:
        warn_of_less(call)
        answer = _read_changes(call)
        return with_facts(answer, con, call.snapshot, call.window, {"call": FUNDING.name, **ask.as_facts()})


@dataclass(frozen=True, slots=True)
class ChangeQuery(TableQuery):
    """The rows that say of funding what none before them in the span said last, and the first to say it."""

    def _rows(self, where: str) -> str:
        # A window's anyLast passes over NULL; a rate of NaN is none either.
        said = "*, if(isNaN(t.funding_rate), NULL, t.funding_rate) AS said_rate, t.next_funding_time AS said_time"
        order = ", ".join(["t.timestamp", *self.ties, "t.funding_rate", "t.next_funding_time"])
        before = f"PARTITION BY t.exchange, t.symbol ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
        known = "*, anyLast(t.said_rate) OVER before AS known_rate, anyLast(t.said_time) OVER before AS known_time"
        # Whatever is compared with NULL is not unequal to it.
        changed = " OR ".join(f"(t.said_{f} IS NOT NULL AND (t.known_{f} IS NULL OR t.said_{f} != t.known_{f}))" for f in ("rate", "time"))
        return (
            f"(SELECT {known} FROM (SELECT {said} FROM {self.relation} AS t WHERE {where}) AS t "
            f"WHERE t.said_rate IS NOT NULL OR t.said_time IS NOT NULL WINDOW before AS ({before})) AS t WHERE {changed}"
        )


def _read_changes(call: Call) -> pd.DataFrame:
    """Return the changes in the call's window.

    Each slice of time gives its own, and those it begins with as far as it can tell: they are held against what the
    slices before it said last. What is kept is never more than one slice's changes and the answer.
    """
    columns = tuple(c for c in FUNDING.columns if c in call.columns or c.name in (*_SERIES, *_SAID))
    base = {f.name: getattr(call.query, f.name) for f in fields(call.query)}
    query = ChangeQuery(**base | {"columns": columns})
    per_row = bytes_per_row(call.columns)
    kept = known = empty_frame(columns)
    for table in read_slices(call.snapshot, query, call.window, label=FUNDING.name):
        builder = FrameBuilder(columns, table.num_rows)
        builder.append(table)
        whole = concat([known, builder.finish()])
        changed, said = _compare(whole)
        kept = concat([kept, whole[changed & (np.arange(len(whole)) >= len(known))]])
        kept = kept if call.limit is None else kept.tail(call.limit)
        known = said.groupby(list(_SERIES), observed=True).tail(1)
        if len(kept) * per_row > call.max_bytes:
            raise too_large(len(kept), per_row, call.max_bytes, at_least=True)
    # Names beyond the documented ones are categories where a row has them.
    kept = kept.astype({name: category(name, kept[name].unique()) for name in _SERIES})
    shown = kept[[c.name for c in call.columns]].copy()
    return shown if call.tz == "UTC" else shown.tz_convert(call.tz)


def _compare(rows: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], pd.DataFrame]:
    """Return which of `rows` say of funding what their series did not say last, and the rows with what it has said by then."""
    series = rows.groupby(list(_SERIES), observed=True).ngroup().to_numpy()
    said = rows[list(_SAID)]
    by_then = said.groupby(series).ffill()
    before = by_then.groupby(series).shift()
    changed = np.zeros(len(rows), bool)
    for name in _SAID:
        # NaN equals nothing: neither what is not said, nor what was never said before.
        changed |= (said[name].notna() & (said[name] != before[name])).to_numpy()
    return changed, rows.assign(**{name: by_then[name] for name in _SAID})
