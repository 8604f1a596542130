"""Which series a server has, found without reading its tables from end to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from qalypto_research.schema.tables import KLINE, TABLES, Table
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS

_KEPT_S: Final = 60.0
_READ_WHOLE: Final = 50_000_000
"""Tables up to so many rows are looked through whole; of longer ones the last hour, beside the documented names."""


@dataclass(frozen=True, slots=True)
class Series:
    """A series that is there, by name; `interval` is "" but for candles."""

    table: str
    exchange: str
    symbol: str
    interval: str


class Known:
    """The series of a server, looked up anew after a minute.

    Parameters
    ----------
    monotonic : callable, optional
        Seconds of a clock that never goes back; tests hand in their own.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._found: list[Series] = []
        self._until = float("-inf")

    def series(self, fetch: Callable[[str], pa.Table]) -> list[Series]:
        """Return what there is, by `fetch` where it is not known yet."""
        with self._lock:
            if self._monotonic() >= self._until:
                self._found = _look(fetch)
                self._until = self._monotonic() + _KEPT_S
            return self._found


def _look(fetch: Callable[[str], pa.Table]) -> list[Series]:
    sizes = fetch(" UNION ALL ".join(f"SELECT '{t.name}' AS name, count() AS rows FROM {t.sql_name}" for t in TABLES.values()))
    rows = dict(zip(sizes.column("name").to_pylist(), sizes.column("rows").to_pylist(), strict=True))
    long = [t for t in TABLES.values() if rows[t.name] > _READ_WHOLE]
    found = {series for table in long for series in _documented(table)}
    answer = fetch(" UNION ALL ".join(_distinct(table, recent=table in long) for table in TABLES.values()))
    columns = [answer.column(name).to_pylist() for name in ("name", "exchange", "symbol", "interval")]
    found.update(Series(*names) for names in zip(*columns, strict=True))
    return sorted(found, key=lambda s: (s.table, s.exchange, s.symbol, s.interval))


def _distinct(table: Table, *, recent: bool) -> str:
    interval = "t.interval" if table is KLINE else "''"
    where = " WHERE t.timestamp >= now() - INTERVAL 1 HOUR" if recent else ""
    return (
        f"SELECT DISTINCT '{table.name}' AS name, t.exchange AS exchange, t.symbol AS symbol, {interval} AS interval "
        f"FROM {table.sql_name} AS t{where}"
    )


def _documented(table: Table) -> list[Series]:
    intervals = INTERVALS if table is KLINE else ("",)
    return [Series(table.name, exchange, symbol, interval) for exchange in EXCHANGES for symbol in SYMBOLS for interval in intervals]
