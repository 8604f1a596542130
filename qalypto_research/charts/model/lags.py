"""How late data come: percentiles as ``live.health`` gives them, or each row of a live frame over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import Floats, Times, is_synthetic, names_in, pick_frame, pick_numbers, pick_title, rows_of
from qalypto_research.errors import InputError
from qalypto_research.schema.vocabulary import EXCHANGES

LATENCIES: Final = {
    "internal": ("producer_received", "websocket_sent"),
    "end_to_end": ("exchange_event_time", "websocket_sent"),
    "arrival": ("websocket_sent", "received"),
}
"""Each latency, from when to when."""

WORDS: Final = {
    "internal": "internal: producer received to sent",
    "end_to_end": "end to end: exchange to sent",
    "arrival": "arrival: sent to received here",
}
_QUANTILES: Final = (50, 95, 99)
_SOURCES: Final = "live.health() or live.trades"


@dataclass(frozen=True, slots=True, eq=False)
class Percentiles:
    """Latencies of each type of messages and exchange.

    Attributes
    ----------
    title : str
    names : tuple of str
        Type and exchange, from top to bottom.
    rate, age_s : numpy.ndarray of float64
        Messages a second; seconds since the last.
    ms : dict of str to numpy.ndarray of float64
        Of each latency a row for each name: its 50th, 95th and 99th percentile, ms.
    clock_offset : bool
        Whether some latency was negative: two clocks disagree.
    """

    title: str
    names: tuple[str, ...]
    rate: Floats
    age_s: Floats
    ms: dict[str, npt.NDArray[np.float64]]
    clock_offset: bool


@dataclass(frozen=True, slots=True, eq=False)
class Lag:
    """One latency of one exchange, a row each.

    Attributes
    ----------
    name : str
        The exchange.
    time_us : numpy.ndarray of int64
        When it arrived, microseconds since 1970 UTC, ascending.
    ms : numpy.ndarray of float64
    median : float
        Of all of them, ms.
    """

    name: str
    time_us: Times
    ms: Floats
    median: float


@dataclass(frozen=True, slots=True, eq=False)
class Lags:
    """Latencies over time: of each its exchanges."""

    title: str
    synthetic: bool
    lags: dict[str, tuple[Lag, ...]]


def build_latency(data: Any, *, title: str | None = None) -> Percentiles | Lags:
    """Return what a chart of latencies shows.

    Raises
    ------
    InputError
        Neither a health, nor its frame, nor a live frame.
    """
    series = getattr(data, "series", None)
    given = series if not isinstance(data, pd.DataFrame) and isinstance(series, pd.DataFrame) else data
    frame = pick_frame(given, (), _SOURCES, "data")
    if "internal_p50" in frame.columns:
        return _build_percentiles(frame, title)
    if "received" in frame.columns and "websocket_sent" in frame.columns:
        return _build_lags(frame, title)
    raise InputError("data", f"has neither percentiles nor the columns of live frames (websocket_sent, received); give {_SOURCES}")


def _build_percentiles(df: pd.DataFrame, title: str | None) -> Percentiles:
    names = [f"{latency}_p{q}" for latency in LATENCIES for q in _QUANTILES]
    frame = pick_frame(df, ("type", "exchange", "rate", "age", *names), "live.health()", "data")
    offset = bool(frame["clock_offset"].any()) if "clock_offset" in frame.columns else False
    ms = {latency: np.array([pick_numbers(frame, f"{latency}_p{q}", "data") for q in _QUANTILES]).T for latency in LATENCIES}
    return Percentiles(
        title=pick_title(title, "Latency"),
        names=tuple(f"{kind} {exchange}" for kind, exchange in zip(frame["type"], frame["exchange"], strict=True)),
        rate=pick_numbers(frame, "rate", "data"),
        age_s=pick_numbers(frame, "age", "data"),
        ms=ms,
        clock_offset=offset or any(bool((values < 0).any()) for values in ms.values()),
    )


def _build_lags(df: pd.DataFrame, title: str | None) -> Lags:
    """Return the latencies of each row. The event of a candle is its open, which says nothing of how late it comes."""
    parts = [(name, part.sort_values("received", kind="stable")) for name, part in rows_of(df, "exchange", EXCHANGES) if len(part)]
    found = {}
    for latency, (earlier, later) in LATENCIES.items():
        if earlier not in df.columns or (latency == "end_to_end" and "interval" in df.columns):
            continue
        found[latency] = tuple(lag for name, part in parts if len((lag := _lag(name, part, earlier, later)).ms))
    symbols = names_in(df, "symbol")
    return Lags(pick_title(title, "Latency", *symbols if len(symbols) == 1 else ()), is_synthetic(df), found)


def _lag(name: str, rows: pd.DataFrame, earlier: str, later: str) -> Lag:
    stamps = [pick_stamps(rows, column) for column in (earlier, later, "received")]
    known = np.logical_and.reduce([s.notna().to_numpy() for s in stamps])
    first, last, arrived = (np.asarray(s[known].dt.as_unit("us").astype("int64")) for s in stamps)
    ms = (last - first) / 1_000
    return Lag(name, arrived, ms, float(np.median(ms)) if len(ms) else float("nan"))


def pick_stamps(df: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column of times.

    Raises
    ------
    InputError
        It holds something else.
    """
    column = df[name]
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise InputError("data", f"has {column.dtype} in the column {name!r} where times belong; give {_SOURCES}")
    return column
