"""Count the series of a call: a statement or two a table, and the holes out of their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.clock import to_us
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.history.census import MINUTE_MS, Census
from qalypto_research.history.presence import BEFORE, Candles, read_candles_there
from qalypto_research.history.silences import Pace, Waits, silent_of_all, within
from qalypto_research.schema.tables import KLINE, TABLES
from qalypto_research.schema.vocabulary import INTERVAL_MS
from qalypto_research.timerange import Window

Key = tuple[str, str, str, str]
"""Table, exchange, symbol, interval ("" of ticks)."""

SILENCE: Final = "silence"
_LABEL: Final = "counting"


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of one series; times in milliseconds since 1970, None where there are none."""

    rows: int = 0
    first: int | None = None
    last: int | None = None
    expected: int | None = None
    missing: int | None = None
    duplicated: int = 0
    zero_volume: int | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """One hole, in milliseconds since 1970."""

    key: Key
    begin: int
    end: int
    bars: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What one call counts, and when.

    Attributes
    ----------
    snapshot : Snapshot
        What is known.
    window : Window
        The range; a start of None is each series' own first row.
    series : tuple of Key
        What to count.
    known : frozenset of Key
        All there is.
    now_us : int
        The call's now, microseconds since 1970.
    settling_us : int
        How long a candle that is over may take to arrive.
    """

    snapshot: Snapshot
    window: Window
    series: tuple[Key, ...]
    known: frozenset[Key]
    now_us: int
    settling_us: int

    @property
    def start_ms(self) -> int | None:
        return None if self.window.start is None else _ceil(to_us(self.window.start), 1_000)

    @property
    def end_ms(self) -> int:
        return _ceil(to_us(self.window.end), 1_000)

    def census(self, table: str) -> Census:
        """Return the statements about `table`."""
        exchanges, symbols, intervals = (self._narrowed(table, i) for i in (1, 2, 3))
        relation = self.snapshot.relation(TABLES[table])
        return Census(TABLES[table], relation, exchanges, symbols, intervals, self.window.start, self.window.until)

    def _narrowed(self, table: str, part: int) -> tuple[str, ...] | None:
        """Return the names of one part of the keys of `table`; None where no series of it is left out by them."""
        asked = {key[part] for key in self.series if key[0] == table}
        there = {key[part] for key in self.known if key[0] == table}
        return None if asked == there else tuple(sorted(asked))


def count_all(scope: Scope) -> tuple[dict[Key, Counted], list[Hole]]:
    """Return what was counted of each series that has rows in the range or is expected to, and all holes."""
    counted: dict[Key, Counted] = {}
    holes: list[Hole] = []
    paces: dict[Key, Pace | None] = {}
    for table in dict.fromkeys(key[0] for key in scope.series):
        if table == KLINE.name:
            of_candles, holes_of_candles = _count_candles(scope)
            counted |= of_candles
            holes += holes_of_candles
        else:
            of_ticks, paces_of_ticks = _count_ticks(scope, table)
            counted |= of_ticks
            paces |= paces_of_ticks
    holes += _silences(scope, paces)
    return counted, holes


def _count_candles(scope: Scope) -> tuple[dict[Key, Counted], list[Hole]]:
    census = scope.census(KLINE.name)
    answer: pd.DataFrame = scope.snapshot.fetch(*census.candles(), label=_LABEL).to_pandas()
    mine = {key: answer.iloc[:0] for key in scope.series if key[0] == KLINE.name}
    for names, part in answer.groupby(["exchange", "symbol", "interval"], sort=False):
        key = (KLINE.name, *map(str, names))
        if key in mine:
            mine[key] = part
    there = {key: _candles_there(scope, key, part) for key, part in mine.items()}
    lead = scope.start_ms is not None and any(candles.late for candles in there.values())
    begun = _begun_before(scope, census) if lead else set()
    counted, holes = {}, []
    for key, candles in there.items():
        part = mine[key]
        finals = part["final"].to_numpy(np.uint64)
        repeated = int(part["finals"].sum()) - int(np.bitwise_count(finals).sum())
        counted[key] = Counted(
            rows=int(part["rows"].sum()),
            first=None if part.empty else int(part["first"].min()),
            last=None if part.empty else int(part["last"].max()),
            expected=candles.expected,
            missing=candles.missing,
            duplicated=repeated,
            zero_volume=candles.zero_volume,
        )
        step = INTERVAL_MS[key[3]]
        found = candles.holes(first_ever=scope.start_ms is not None and key not in begun)
        holes += [Hole(key, a * step, b * step, b - a, cause) for a, b, cause in found]
    return counted, holes


def _candles_there(scope: Scope, key: Key, part: pd.DataFrame) -> Candles:
    step = INTERVAL_MS[key[3]]
    newest = scope.now_us // (step * 1_000)
    end = min(newest, _ceil(scope.end_ms, step))
    words, *masks = (part[name].to_numpy() for name in ("word", "known", "final", "traded"))
    return read_candles_there(
        words,
        *masks,
        begin=None if scope.start_ms is None else _ceil(scope.start_ms, step),
        end=end,
        settling=end == newest and scope.now_us - newest * step * 1_000 < scope.settling_us,
    )


def _count_ticks(scope: Scope, table: str) -> tuple[dict[Key, Counted], dict[Key, Pace | None]]:
    """Return counts and paces of a table of ticks; a series without rows has neither."""
    census = scope.census(table)
    counted: dict[Key, Counted] = {}
    paces: dict[Key, Pace | None] = {key: None for key in scope.series if key[0] == table}
    doubtful: list[Key] = []
    for row in _rows(scope.snapshot, *census.ticks()):
        key = (table, row["exchange"], row["symbol"], "")
        if key not in paces:
            continue
        counted[key] = Counted(row["rows"], row["first"], row["last"], duplicated=row["duplicated"])
        # Apart as they are, their ends sorted by themselves stay in pairs.
        waits = np.array([sorted(row["quiet_from"]), sorted(row["quiet_to"])], np.int64).T
        paces[key] = Pace(row["rows"], row["first"], row["last"], row["squares"], waits)
        if row["hashed"]:
            doubtful.append(key)
    if doubtful:
        for row in _rows(scope.snapshot, *census.repeated_ids([key[1] for key in doubtful], [key[2] for key in doubtful])):
            key = (table, row["exchange"], row["symbol"], "")
            counted[key] = replace(counted[key], duplicated=row["duplicated"])
    return counted, paces


def _silences(scope: Scope, paces: dict[Key, Pace | None]) -> list[Hole]:
    """Return the silences of ticks."""
    down = {exchange: _outages(scope, exchange, paces) for exchange in {key[1] for key in paces}}
    found = []
    for key, pace in paces.items():
        # A range without a single row is one hole, whatever the pace was.
        usual = MINUTE_MS - 1 if pace is None else pace.usual_ms()
        for wait in _absences(scope.start_ms, scope.end_ms, pace):
            length = int(wait[1] - wait[0])
            common = 2 * within(wait, down[key[1]]) > length
            if common or length > usual:
                found.append(Hole(key, int(wait[0]), int(wait[1]), None, f"{SILENCE}, all of {key[1]}" if common else SILENCE))
    leads = {hole.key[0] for hole in found if hole.begin == scope.start_ms}
    begun = {key for table in leads for key in _begun_before(scope, scope.census(table))}
    return [replace(hole, cause=BEFORE) if hole.begin == scope.start_ms and hole.key not in begun else hole for hole in found]


def _outages(scope: Scope, exchange: str, paces: dict[Key, Pace | None]) -> Waits:
    """Return when no series of ticks of `exchange` had a row, though together they come often enough."""
    none = np.empty((0, 2), np.int64)
    there = {key for key in scope.known if key[0] != KLINE.name and key[1] == exchange}
    counted = [pace for key, pace in paces.items() if key[1] == exchange and pace is not None]
    if len(there) < 2 or not there <= paces.keys() or not counted:
        return none
    first, last = min(pace.first for pace in counted), max(pace.last for pace in counted)
    begin = first if scope.start_ms is None else scope.start_ms
    silent = silent_of_all([_absences(begin, scope.end_ms, paces[key]) for key in there])
    between = silent[(silent[:, 0] >= first) & (silent[:, 1] <= last)]
    together = Pace(sum(pace.rows for pace in counted), first, last, None, between)
    return silent[silent[:, 1] - silent[:, 0] > together.usual_ms()]


def _absences(begin: int | None, end: int, pace: Pace | None) -> Waits:
    """Return when a series has no row for a minute or more, from `begin` (None: its first row) to `end`."""
    if pace is None:
        waits = np.array([[end if begin is None else begin, end]], np.int64)
    else:
        waits = np.array([[pace.first if begin is None else begin, pace.first], *pace.waits.tolist(), [pace.last, end]], np.int64)
    return np.compress(waits[:, 1] - waits[:, 0] >= MINUTE_MS, waits, axis=0)


def _begun_before(scope: Scope, census: Census) -> set[Key]:
    rows = _rows(scope.snapshot, *census.begun_before())
    return {(census.table.name, row["exchange"], row["symbol"], row["interval"]) for row in rows}


def _rows(snapshot: Snapshot, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = snapshot.fetch(sql, parameters, label=_LABEL).to_pylist()
    return rows


def _ceil(value: int, step: int) -> int:
    return -(-value // step)
