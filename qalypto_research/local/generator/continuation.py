"""The packaged sample gone on with after its end, and moved to other days: a process that writes block after block.

Each line of its standard input asks for the next block; when it is whole, a line of output says up to when the market is
there, in microseconds since 1970 UTC. The end of input ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qalypto_research.archive.manifest import Manifest
from qalypto_research.archive.sample import sample_root
from qalypto_research.archive.writing import arrow_type, write_rows
from qalypto_research.local.generator import market
from qalypto_research.local.generator.rows import length, named
from qalypto_research.local.generator.sample import BLOCKS, SETTINGS, SOURCE
from qalypto_research.schema.tables import HIDDEN, TABLES, Table

DAY_US: Final = 86_400_000_000
END_US: Final = (SETTINGS.start_ms + BLOCKS * SETTINGS.block_ms) * 1_000
"""Where the ticks of the sample end, microseconds since 1970 UTC."""
BLOCK_US: Final = SETTINGS.block_ms * 1_000

_A_SECOND: Final = {"ms": 1_000, "us": 1_000_000}


class Continuation:
    """The market of the sample from its end on.

    Parameters
    ----------
    folder : pathlib.Path
        Where blocks are written.
    days : int, optional
        By how many days their times are moved.
    """

    def __init__(self, folder: Path, days: int = 0) -> None:
        # First, since what comes before a block takes long.
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._days = days
        self._state, _ = market.opening(SETTINGS)
        for _ in range(BLOCKS):
            self._state, _ = market.next_block(SETTINGS, self._state)

    def write_next(self) -> int:
        """Write the next block and return where it ends, microseconds since 1970 UTC."""
        number = self._state.block
        self._state, tables = market.next_block(SETTINGS, self._state)
        for name, rows in tables.items():
            if length(rows):
                table = TABLES[name]
                write_rows(
                    self._folder, table, _moved(table, named(rows, SETTINGS.exchanges, SETTINGS.symbols), self._days), f"{number:06}"
                )
        return END_US + (self._state.block - BLOCKS) * BLOCK_US + self._days * DAY_US


def write_moved_sample(folder: Path, days: int) -> None:
    """Write the packaged sample into `folder`, its times moved by so many days."""
    root = sample_root()
    for table in TABLES.values():
        for path in sorted((root / table.name).rglob("*.parquet")):
            stored = pq.read_table(path)
            rows = dict(zip(stored.column_names, stored.columns, strict=True))
            write_rows(folder, table, _moved(table, rows, days), path.stem)
    Manifest(source=f"{SOURCE} Moved by {days} days.", synthetic=True).write(folder)


def _moved(table: Table, rows: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Return rows with every time in them moved."""
    moved = dict(rows)
    for column in (*table.columns, *HIDDEN):
        if column.kind == "time" and column.name in rows:
            wanted = arrow_type(column)
            values = rows[column.name]
            whole = (values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)).cast(pa.int64())
            moved[column.name] = pc.add(whole, days * 86_400 * _A_SECOND[wanted.unit]).cast(wanted)
    return moved


def main(folder: str, days: str) -> None:
    """Write a block for each line of standard input."""
    continuation = Continuation(Path(folder), int(days))
    for _ in sys.stdin:
        print(continuation.write_next(), flush=True)  # noqa: T201 - an answer


if __name__ == "__main__":
    main(*sys.argv[1:])
