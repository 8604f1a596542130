"""What is wrong with a frame, told before anything is computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.availability import as_times
from qalypto_research.prep.checks import check_frame
from qalypto_research.prep.inspecting import Bounds, Finding, inspect
from qalypto_research.prep.series import SERIES, by_series
from qalypto_research.schema.frames import epoch_us
from qalypto_research.timerange import DurationLike

_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report:
    """What was found in a frame. Made by `report`, which says what its columns mean.

    Attributes
    ----------
    findings : pandas.DataFrame
        One row a finding.
    looked_for : tuple of str
        The checks that the frame's columns allow.
    rows, series : int
        How many rows and series were looked at.
    """

    findings: pd.DataFrame
    looked_for: tuple[str, ...]
    rows: int
    series: int

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return self._headline() if self.findings.empty else f"{self._headline()}\n{self.findings.to_string(index=False, max_rows=_SHOWN)}"

    def _repr_html_(self) -> str:
        table = "" if self.findings.empty else self.findings.to_html(index=False, max_rows=_SHOWN, na_rep="", border=0)
        return f"<div><b>{escape(self._headline())}</b></div>{table}"

    def _headline(self) -> str:
        clean = [name for name in self.looked_for if name not in set(self.findings["check"])]
        kinds = len(self.looked_for) - len(clean)
        found = f"{len(self)} findings of {kinds} kinds" if kinds else "nothing found"
        without = f"; none of: {', '.join(clean)}" if kinds and clean else ""
        looked = "" if kinds else f" (looked for: {', '.join(clean)})"
        return f"Quality of {self.rows:,} rows of {self.series:,} series: {found}{without}{looked}"


def report(
    df: pd.DataFrame, *, silence: DurationLike = "1m", stale: DurationLike = "1m", drift: DurationLike = "100ms", outlier: float = 10.0
) -> Report:
    """Look for what is wrong with a frame, and say where.

    Each series is looked at by itself, and what is looked for depends on the columns: "order" (rows before the row
    above), "duplicates" (candles of one time, trades of one id, other rows that are equal), "gaps" (missing candles;
    elsewhere nothing for longer than `silence`), "off_grid" (candles that open between), "missing" (NaN or NA in a column of
    numbers or flags; of books only in the best level, and not of updates), "not_numbers" (prices that are text, or
    infinite), "not_positive" (prices),
    "ohlc" (a high or low that is none), "outliers" (jumps), "crossed" (best bid at or above best ask; of books the whole
    ones), "stale" (quotes that stand still for `stale` while rows come), "zero_volume" (candles without trades), "clock"
    (rows received before they happened), "clock_drift" (the least delay from an event to its arrival, of each tenth of the
    time, moves along: two clocks run apart, or the way grows longer; rows that were fetched afterwards do not count, and
    of fewer than some hundred rows it is not told), "running" (candles that are not final), "incomplete" and "filled" (as
    ``qr.prep.resample`` and ``qr.prep.fill`` mark them).

    Parameters
    ----------
    df : pandas.DataFrame
        A frame of history or live, or one made of it, with an index of times. It may be unsorted: that is a finding.
    silence : str or timedelta
        Frames without candles have a gap where a series has no row for longer than this. Frames in buckets, such as
        ``qr.flow`` and ``qr.spreads`` give, need their length at least.
    stale : str or timedelta
        How long a quote may stand still.
    drift : str or timedelta
        How far the least delay may move over the frame.
    outlier : float
        A jump is a log return beyond so many robust standard deviations (1.4826 times the median absolute return
        among those that are not 0) of its series.

    Returns
    -------
    Report
        With ``findings``, one row a finding: check (str); exchange, symbol, interval where `df` has them (category);
        column (str, empty where it is the row); count (int64: rows; of gaps of candles the candles, of silences and
        standing quotes how many); first, last (``datetime64[us, UTC]``, where it is found first and last); example (str,
        the worst one). In a notebook it shows as a page.

    Raises
    ------
    InputError
        No frame over times, or a bound that is none.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> found = qr.prep.report(qr.klines("BTCUSDT", "1m", exchange="bitget", hours=1, gaps="ignore"))
    >>> found.findings["check"].iloc[0], found.findings["example"].iloc[0]
    ('gaps', '2026-03-02 12:34:00 to 2026-03-02 12:36:00: 2 candles')
    """
    check_frame(df, ordered=False)
    if isinstance(outlier, bool) or not isinstance(outlier, (int, float)) or not outlier > 0:
        raise InputError("outlier", f"{outlier!r} must be a number above 0: standard deviations, as 10")
    bounds = Bounds(pick_length(silence, "silence"), pick_length(stale, "stale"), pick_length(drift, "drift"), float(outlier))
    series = by_series(df, SERIES)
    times = epoch_us(df)
    found: list[tuple[tuple[Any, ...], Finding]] = []
    looked: dict[str, None] = {}
    for code, label in enumerate(series.labels):
        rows = np.flatnonzero(series.codes == code)
        for check, findings in inspect(df.iloc[rows], times[rows], bounds):
            looked[check] = None
            found += [(label, finding) for finding in findings]
    table: dict[str, Any] = {"check": pd.Series([finding.check for _, finding in found], dtype="str")}
    for place, name in enumerate(series.names):
        table[name] = pd.Series([label[place] for label, _ in found], dtype=df[name].dtype)
    table["column"] = pd.Series([finding.column for _, finding in found], dtype="str")
    table["count"] = np.array([finding.count for _, finding in found], "int64")
    for end in ("first", "last"):
        table[end] = as_times(np.array([getattr(finding, end) for _, finding in found], "int64"))
    table["example"] = pd.Series([finding.example for _, finding in found], dtype="str")
    return Report(pd.DataFrame(table), tuple(looked), len(df), len(series.labels) if len(df) else 0)
