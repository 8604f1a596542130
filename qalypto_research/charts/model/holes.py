"""A calendar of holes: what there is of each series over time, and what is missing, by cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import Times, is_synthetic, pick_frame, pick_title
from qalypto_research.errors import InputError

CAUSES: Final = ("rows missing", "never finalised", "before the first row", "present without trades", "silence")
"""As ``qr.coverage`` names them."""

MOST_ROWS: Final = 200
_KEY: Final = ("table", "interval", "exchange", "symbol")


class Covered(Protocol):
    """What ``qr.coverage`` returns."""

    @property
    def series(self) -> pd.DataFrame: ...
    @property
    def holes(self) -> pd.DataFrame: ...


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """Series from top to bottom, time from left to right.

    Attributes
    ----------
    title : str
    synthetic : bool
    groups : tuple of str
        Of each row: table and interval.
    names : tuple of str
        Of each row: symbol and exchange.
    first_us, last_us : numpy.ndarray of int64
        Of each row: its first and last; equal to -1 where there is none.
    hole_row : numpy.ndarray of int64
        Of each hole: its series' row.
    hole_begin_us, hole_end_us : numpy.ndarray of int64
    hole_cause : tuple of str
    missing : numpy.ndarray of float64
        Of each row: candles that are missing; NaN for ticks.
    """

    title: str
    synthetic: bool
    groups: tuple[str, ...]
    names: tuple[str, ...]
    first_us: Times
    last_us: Times
    hole_row: npt.NDArray[np.int64]
    hole_begin_us: Times
    hole_end_us: Times
    hole_cause: tuple[str, ...]
    missing: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def begin_us(self) -> int:
        begins = np.concatenate([self.first_us[self.first_us >= 0], self.hole_begin_us])
        return int(begins.min()) if len(begins) else 0

    @property
    def end_us(self) -> int:
        ends = np.concatenate([self.last_us[self.last_us >= 0], self.hole_end_us])
        return int(ends.max()) if len(ends) else 0


def build_calendar(cov: Covered, *, title: str | None = None) -> Calendar:
    """Return what a calendar of `cov` shows.

    Raises
    ------
    InputError
        It is not what ``qr.coverage`` returns, or more series than fit.
    """
    if isinstance(cov, pd.DataFrame) or not (hasattr(cov, "series") and hasattr(cov, "holes")):
        raise InputError(
            "cov", f"is a {type(cov).__name__}; give what qr.coverage returns, whole: qr.charts.coverage(qr.coverage('BTCUSDT'))"
        )
    series = pick_frame(cov.series, (*_KEY, "first", "last", "missing"), "qr.coverage", "cov")
    holes = pick_frame(cov.holes, (*_KEY, "from", "to", "cause"), "qr.coverage", "cov")
    if len(series) > MOST_ROWS:
        raise InputError(
            "cov", f"has {len(series):,} series, more than {MOST_ROWS} rows can be read; ask for fewer: tables=, interval=, exchange="
        )
    series = series.iloc[_by_group(_keys(series))]
    keys = _keys(series)
    rows = {key: place for place, key in enumerate(keys)}
    hole_keys = _keys(holes)
    known = np.array([key in rows for key in hole_keys], dtype=bool)
    begin, end = _epoch(holes["from"])[known], _epoch(holes["to"])[known]
    return Calendar(
        title=pick_title(title, "Coverage"),
        synthetic=is_synthetic(series),
        groups=tuple(f"{table} {interval}".strip() for table, interval, _, _ in keys),
        names=tuple(f"{symbol} {exchange}" for _, _, exchange, symbol in keys),
        first_us=_epoch(series["first"]),
        last_us=_epoch(series["last"]),
        hole_row=np.array([rows[key] for key in hole_keys if key in rows], dtype=np.int64),
        hole_begin_us=begin,
        hole_end_us=end,
        hole_cause=tuple(str(cause) for cause, there in zip(holes["cause"], known, strict=True) if there),
        missing=series["missing"].to_numpy(dtype="float64", na_value=np.nan),
    )


def _keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = [frame[name].astype(object).where(frame[name].notna(), "") for name in _KEY]
    return list(zip(*columns, strict=True))


def _by_group(keys: list[tuple[Any, ...]]) -> list[int]:
    """Return the order in which series of one table and interval stand together, all else as it was."""
    groups = list(dict.fromkeys(key[:2] for key in keys))
    return sorted(range(len(keys)), key=lambda place: groups.index(keys[place][:2]))


def _epoch(column: pd.Series[Any]) -> Times:
    times = pd.to_datetime(column, utc=True)
    found = np.asarray(times.dt.as_unit("us").astype("int64"))
    return np.where(times.isna(), -1, found)
