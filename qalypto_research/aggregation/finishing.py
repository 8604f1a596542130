"""From bars as arrays to the frame that users get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.aggregation.parts import Ints, Parts, chosen
from qalypto_research.aggregation.placing import Standing
from qalypto_research.aggregation.rules import Rule
from qalypto_research.schema.frames import BARS, NEVER, FrameColumn, category

Series = Sequence[tuple[str, str]]
"""Exchange and symbol of each series, by its number."""


@dataclass(frozen=True, slots=True)
class Covered:
    """The time of which the trades of each series, by its number, are known: half-open, in microseconds since 1970.

    Attributes
    ----------
    start_us : array of int
        From here on all are known.
    until_us : array of int
        Before here all are known.
    """

    start_us: Ints
    until_us: Ints


def covered_from(first_us: Ints, rule: Rule) -> Ints:
    """Return from when a series is covered whose first known trade is at `first_us`, for bars of time.

    Nothing tells a series that was quiet from one that was not recorded yet. Each goes by itself: what begins elsewhere
    says nothing of it.
    """
    return first_us - rule.quiet_us


def whole(parts: Parts, rule: Rule, covered: Covered, carried: Mapping[int, Standing]) -> npt.NDArray[np.bool_]:
    """Return which bars are whole: all of their time is covered, or they have met their size."""
    if rule.by_time:
        opens = parts.place * rule.every
        return (opens >= covered.start_us[parts.series]) & (opens + rule.every <= covered.until_us[parts.series])
    final = np.ones(len(parts), bool)
    # Only the last of a series can be unfinished: the next begins where it ends.
    for at in np.append(np.flatnonzero(np.diff(parts.series)), len(parts) - 1) if len(parts) else ():
        final[at] = carried[int(parts.series[at])].is_over(int(parts.place[at]))
    return final


def to_frame(
    parts: Parts,
    is_final: npt.NDArray[np.bool_],
    rule: Rule,
    series: Series,
    *,
    columns: Sequence[FrameColumn] = BARS.columns,
    tz: Any = "UTC",
    lag_us: int = 0,
    arrived_us: Ints | None = None,
) -> pd.DataFrame:
    """Return bars as a frame, in order of time, exchange, symbol and place.

    Each reaches users `lag_us` after its end, and not before the last of its trades: where these were received, that is when
    `arrived_us` says, a moment a bar.
    """
    opens = parts.place * rule.every if rule.by_time else parts.first_us
    rank = np.empty(len(series), np.int64)
    rank[sorted(range(len(series)), key=series.__getitem__)] = np.arange(len(series))
    order = np.lexsort((parts.place, rank[parts.series], opens))
    parts, opens, is_final = chosen(parts, order), opens[order], is_final[order]
    index = pd.DatetimeIndex(opens.view("datetime64[us]"), name="timestamp").tz_localize("UTC")
    ends = opens + rule.every if rule.by_time else parts.last_us
    known = ends + lag_us
    if arrived_us is not None:
        known = np.maximum(known, arrived_us[order])
    known = np.where(is_final, known, NEVER)
    data = {column.name: _values(column, parts, is_final, known, series) for column in columns}
    return pd.DataFrame(data, index=index if tz == "UTC" else index.tz_convert(tz), copy=False)


def _values(column: FrameColumn, parts: Parts, is_final: npt.NDArray[np.bool_], known: Ints, series: Series) -> Any:
    made: dict[str, Callable[[], Any]] = {
        "is_final": lambda: is_final,
        "available_at": lambda: _times(known),
        "vwap": lambda: ratio(parts.quote_volume, parts.volume),
        "signed_volume": lambda: parts.buy_volume - parts.sell_volume,
        "imbalance": lambda: ratio(parts.buy_volume - parts.sell_volume, parts.buy_volume + parts.sell_volume),
        "first_time": lambda: _times(parts.first_us),
        "last_time": lambda: _times(parts.last_us),
        "exchange": lambda: _category(column, parts.series, [exchange for exchange, _ in series]),
        "symbol": lambda: _category(column, parts.series, [symbol for _, symbol in series]),
    }
    # The others are the arrays themselves, in the order just made: nobody else has them.
    return made[column.name]() if column.name in made else getattr(parts, column.name)


def _times(microseconds: Ints) -> Any:
    return pd.DatetimeIndex(microseconds.view("datetime64[us]")).tz_localize("UTC").array


def _category(column: FrameColumn, numbers: Ints, names: Sequence[str]) -> pd.Categorical:
    there = np.bincount(numbers, minlength=len(names)) > 0
    dtype = category(column.kind, [name for name, used in zip(names, there, strict=True) if used])
    place = {name: code for code, name in enumerate(dtype.categories)}
    codes = np.array([place.get(name, -1) for name in names], np.int16)
    return pd.Categorical.from_codes(codes[numbers] if len(numbers) else np.empty(0, np.int16), dtype=dtype)


def ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return one by the other, NaN where the other is zero."""
    made: npt.NDArray[np.float64] = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
    return made
