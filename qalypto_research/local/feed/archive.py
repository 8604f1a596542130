"""An archive as a source: its rows in the order in which they were seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from qalypto_research.clock import from_us
from qalypto_research.engine.embedded import EmbeddedEngine, EmbeddedSnapshot
from qalypto_research.errors import ArchiveError
from qalypto_research.local.feed.messages import PRODUCED, SEEN, Message, to_messages
from qalypto_research.local.feed.source import AT_ONCE, Piece
from qalypto_research.local.generator.growth import Growth
from qalypto_research.local.generator.randomness import Ints
from qalypto_research.schema.tables import TABLES, Table

_SECOND_US: Final = 1_000_000
_SEQ: Final = "seq"
_PLACE: Final = ("path", "row_number")
_UNNUMBERED: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class _Plan:
    """How many rows were seen in each second of a stretch of time, when it was counted."""

    after_us: int
    until_us: int
    counts: list[tuple[int, int]]


class ArchiveSource:
    """Plays an archive.

    Rows come in the order of ``_seen``, then ``_seq``; what is equal still, or has no number, in the order of the tables and
    of its place in the files.

    Parameters
    ----------
    engine : EmbeddedEngine
        Over the archive's folders.
    growth : Growth, optional
        Goes on with the archive where it ends.
    """

    def __init__(self, engine: EmbeddedEngine, growth: Growth | None = None) -> None:
        self._engine = engine
        self._growth = growth
        self._plan = _Plan(0, 0, [])
        with engine.pinned() as catalog:
            self._symbols = {s.symbol.upper() for s in catalog.series()}

    def symbols(self) -> set[str]:
        """Return the symbols that its rows are about; see ``Source``."""
        return self._symbols

    def read(self, after_us: int, until_us: int) -> Piece | None:
        """Return what was seen after a moment and up to another; see ``Source``."""
        while True:
            try:
                return self._read(after_us, until_us)
            except ArchiveError:
                # One file more is left out from now on, where damaged ones are to be.
                if self._engine.strict:
                    raise

    def _read(self, after_us: int, until_us: int) -> Piece | None:
        until = self._reach(after_us, until_us)
        if until is None:
            return None
        plan = self._planned(after_us, until)
        stop = int(min(_cut(plan.counts, after_us), plan.until_us, until))
        messages = self._between(after_us, stop)
        self._symbols.update({m.route.symbol for m in messages})
        return Piece(messages, stop)

    def close(self) -> None:
        """Let nothing be waited for any more."""
        if self._growth is not None:
            self._growth.close()

    def _reach(self, after_us: int, until_us: int) -> int | None:
        """Return up to when, at most `until_us`, all rows are there; None where none comes after `after_us`."""
        if self._growth is not None:
            return self._growth.reach(after_us, until_us)
        bounds = self._engine.seen_bounds_us()
        return None if bounds is None or bounds[1] <= after_us else min(until_us, bounds[1])

    def _planned(self, after_us: int, until_us: int) -> _Plan:
        """Return in which seconds from a moment on rows were seen, and how many.

        It says how much is read at once, not what: a file that has come since is read all the same.
        """
        if not self._plan.after_us <= after_us < self._plan.until_us:
            self._plan = _Plan(after_us, until_us, self._counted(after_us, until_us))
        return self._plan

    def _counted(self, after_us: int, until_us: int) -> list[tuple[int, int]]:
        with self._engine.snapshot(from_us(until_us)) as snapshot:
            parts: list[str] = []
            bound: dict[str, Any] = {}
            for table in TABLES.values():
                source, values = _seen_between(snapshot, table, after_us, until_us)
                bound |= values
                parts.append(f"SELECT intDiv(toUnixTimestamp64Micro(t._seen), {_SECOND_US}) AS second {source}")
            sql = f"SELECT second, count() AS rows FROM ({' UNION ALL '.join(parts)}) GROUP BY second ORDER BY second"
            found = snapshot.fetch(sql, bound)
        return list(zip(found["second"].to_pylist(), found["rows"].to_pylist(), strict=True))

    def _between(self, after_us: int, until_us: int) -> list[Message]:
        """Return the messages of the rows seen in ``(after_us, until_us]``."""
        with self._engine.snapshot(from_us(until_us)) as snapshot:
            rows = [_rows(snapshot, table, after_us, until_us) for table in TABLES.values()]
        messages = [m for table, part in zip(TABLES.values(), rows, strict=True) for m in to_messages(table, part)]
        return [messages[i] for i in _order(rows)]


def _cut(counts: list[tuple[int, int]], after_us: int) -> float:
    """Return where a piece of so many rows ends, at the end of a second: microseconds, inclusive; endless where all fit."""
    rows = 0
    for second, here in counts:
        if (second + 1) * _SECOND_US - 1 <= after_us:
            continue
        if rows and rows + here > AT_ONCE:
            return second * _SECOND_US - 1
        rows += here
    return math.inf


def _rows(snapshot: EmbeddedSnapshot, table: Table, after_us: int, until_us: int) -> pa.Table:
    source, bound = _seen_between(snapshot, table, after_us, until_us)
    columns = ", ".join(f"t.`{c.name}` AS `{c.name}`" for c in table.columns if c.field)
    hidden = f"toUnixTimestamp64Micro(t._seen) AS {SEEN}, t._seq AS {_SEQ}, t._producer_received AS {PRODUCED}"
    place = ", ".join(f"t._{name} AS {name}" for name in _PLACE)
    return snapshot.fetch(f"SELECT {columns}, {hidden}, {place} {source} ORDER BY {SEEN}, {_SEQ}, {', '.join(_PLACE)}", bound)


def _seen_between(snapshot: EmbeddedSnapshot, table: Table, after_us: int, until_us: int) -> tuple[str, dict[str, Any]]:
    """Return SQL from FROM on for the rows of `table` seen in ``(after_us, until_us]``, and what it binds.

    The files that hold none are named too: their footers would not tell, and each would be read.
    """
    name = f"{table.name}_files"
    bound = {"after": f"{from_us(after_us):%Y-%m-%d %H:%M:%S.%f}", name: snapshot.paths_between(table, after_us, until_us)}
    return (
        f"FROM {snapshot.relation(table)} AS t WHERE t._path IN {{{name}:Array(String)}} AND t._seen > {{after:DateTime64(6, 'UTC')}}",
        bound,
    )


def _order(rows: list[pa.Table]) -> Ints:
    """Return the order of the rows of all tables, given one after another."""
    seen = np.concatenate([part[SEEN].to_numpy() for part in rows])
    seq = np.concatenate([part[_SEQ].fill_null(_UNNUMBERED).to_numpy() for part in rows])
    # Each table's rows are in order already, and stay so where they are equal.
    return np.lexsort((seq, seen))
