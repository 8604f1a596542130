"""How a live buffer is doing: rates, ages, latencies, and what was lost where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import in_order
from qalypto_research.schema.frames import category
from qalypto_research.schema.tables import KLINE, TABLES
from qalypto_research.schema.vocabulary import EXCHANGES
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.rows import FRAMES, RECEIVED, to_stamps

LATENCIES: Final = ("internal", "end_to_end", "arrival")
QUANTILES: Final = (50, 95, 99)
_MISSING: Final = np.iinfo(np.int64).min

Stamps = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Health:
    """How a live buffer is doing. Made by ``live.health``.

    Attributes
    ----------
    series : pandas.DataFrame
        One row a type of messages and exchange. Columns: type (str), exchange (category); messages (int64, so far);
        rate (float64, messages a second over the last minute); age (float64, seconds since the last one arrived);
        internal_p50, _p95, _p99 (float64, ms: websocket_sent - producer_received), end_to_end_p50 and so on (websocket_sent -
        exchange_event_time; NaN for candles, whose time is that of their open), arrival_p50 and so on (received -
        websocket_sent), of the messages that arrived in the window; clock_offset (bool: a latency was negative, so that two
        clocks disagree; nothing is clipped).
    state, reason : str
        Of the connection.
    totals : dict
        messages, bytes: received on the connection, whoever listens; rate: messages a second; rows, buffer_bytes, fill
        (a share of ``max_bytes``): kept here; dropped: rows let go of by the bounds; repeated: messages that had come before;
        bad: messages that could not be used; unknown: messages of types that are not known; missed: rows and events that
        callbacks were too slow for; callback_errors; reconnects; uptime: seconds since the connection came to live.
    bad : dict of str to str
        Of each sort of bad messages an example.
    refused : dict of str to str
        Channels that cannot be had, and why.
    """

    series: pd.DataFrame
    state: str
    reason: str
    totals: dict[str, float]
    bad: dict[str, str]
    refused: dict[str, str]

    def __repr__(self) -> str:
        shown = self.series.to_string(index=False, float_format=_shown) if len(self.series) else "no messages yet"
        return "\n".join([self._summary(), *self._wrong(), shown])

    def _repr_html_(self) -> str:
        lines = "".join(f"<div>{escape(line)}</div>" for line in [self._summary(), *self._wrong()])
        return lines + to_page(self.series)

    def _summary(self) -> str:
        t = self.totals
        return (
            f"{self.state}{f' ({self.reason})' if self.reason else ''}: {t['rate']:,.0f} messages/s, {t['rows']:,.0f} rows in "
            f"{t['buffer_bytes'] / 1e6:,.1f} MB ({t['fill']:.0%}), {t['dropped']:,.0f} dropped, {t['bad']:,.0f} bad, "
            f"{t['missed']:,.0f} missed, {t['reconnects']:,.0f} reconnects, up {t['uptime']:,.0f} s"
        )

    def _wrong(self) -> list[str]:
        told = [f"bad: {example}" for example in self.bad.values()]
        return told + [f"refused: {channel}: {why}" for channel, why in self.refused.items()]


def to_page(series: pd.DataFrame) -> str:
    """Return the rows as a table of a page, nothing where there are none."""
    return str(series.to_html(index=False, border=0, float_format=_shown)) if len(series) else ""


def build_series(intake: Intake, now_us: int, window_us: int) -> pd.DataFrame:
    """Return the rates, ages and latencies of each type and exchange, the latter of what arrived in the last `window_us`."""
    latest_us = intake.latest_us.copy()  # first: what is counted has its time by then
    counts = intake.counts.copy()
    rates = _rates(intake, counts)
    rows = []
    for kind in (k for k in FRAMES if k in intake.kinds()):
        stamps = _stamps(intake, kind, now_us - window_us)
        for exchange in in_order({e for k, e in latest_us if k == kind}, EXCHANGES):
            key = (kind, exchange)
            row: dict[str, Any] = {"type": kind, "exchange": exchange, "messages": counts[key], "rate": rates[key]}
            row["age"] = (now_us - latest_us[key]) / 1e6
            rows.append(row | _quantiles(stamps.get(exchange, {})))
    names = [f"{latency}_p{q}" for latency in LATENCIES for q in QUANTILES]
    frame = pd.DataFrame(rows, columns=["type", "exchange", "messages", "rate", "age", *names, "clock_offset"])
    kinds: dict[str, Any] = {
        "type": "str",
        "exchange": category("exchange", frame["exchange"]),
        "messages": "int64",
        "clock_offset": "bool",
    }
    return frame.astype(kinds | dict.fromkeys(("rate", "age", *names), "float64"))


def total_rate(intake: Intake) -> float:
    """Return the messages a second over the last minute."""
    return sum(_rates(intake, intake.counts.copy()).values())


def _rates(intake: Intake, counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], float]:
    """Return messages a second, as noted at the oldest and the newest beat that are remembered."""
    noted = list(intake.rates)
    if len(noted) < 2:
        return dict.fromkeys(counts, 0.0)
    (from_s, before), (to_s, after) = noted[0], noted[-1]
    return {key: (after[key] - before[key]) / (to_s - from_s) for key in counts}


def _stamps(intake: Intake, kind: str, since_us: int) -> dict[str, Stamps]:
    """Return, by exchange, when messages arrived from a moment on, were sent, were produced and happened, microseconds since 1970 UTC."""
    if kind != KLINE.name:
        return intake.store.stamps(TABLES[kind], since_us)
    found = {}
    for exchange, remembered in intake.lags.copy().items():
        lags = np.array([lag for lag in list(remembered) if lag[0] >= since_us], np.float64).reshape(-1, 3)
        found[exchange] = {
            RECEIVED: lags[:, 0].astype(np.int64),
            "websocket_sent": to_stamps(lags[:, 1]),
            "producer_received": to_stamps(lags[:, 2]),
        }
    return found


def _quantiles(stamps: Stamps) -> dict[str, Any]:
    ends = {
        "internal": ("websocket_sent", "producer_received"),
        "end_to_end": ("websocket_sent", "exchange_event_time"),
        "arrival": (RECEIVED, "websocket_sent"),
    }
    found: dict[str, Any] = {}
    negative = False
    for name, (later, earlier) in ends.items():
        ms = np.empty(0)
        if {later, earlier} <= stamps.keys():
            known = (stamps[later] != _MISSING) & (stamps[earlier] != _MISSING)
            ms = (stamps[later][known] - stamps[earlier][known]) / 1000
        negative |= bool((ms < 0).any())
        found |= dict(zip([f"{name}_p{q}" for q in QUANTILES], np.percentile(ms, QUANTILES) if len(ms) else [np.nan] * 3, strict=True))
    return found | {"clock_offset": negative}


def _shown(value: float) -> str:
    return f"{value:,.1f}"
