"""The packaged sample: two hours of ticks on ten symbols and four exchanges, candles before and with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from qalypto_research.archive.manifest import Manifest
from qalypto_research.archive.writing import write_rows
from qalypto_research.errors import ConfigurationError
from qalypto_research.local.generator import market
from qalypto_research.local.generator.blemishes import blemished
from qalypto_research.local.generator.rows import Rows, concatenated, named, numbered, taken
from qalypto_research.local.generator.settings import Cadence, Settings
from qalypto_research.schema import EXCHANGES, SYMBOLS, TABLES

SETTINGS: Final = Settings(
    seed=439,
    start_ms=1_772_452_800_000,  # 2026-03-02 12:00 UTC
    block_ms=1_800_000,
    exchanges=tuple(sorted(EXCHANGES)),
    symbols=tuple(sorted(SYMBOLS)),
    tables=tuple(TABLES),
    rate=18.5,
    busy=Cadence(ticker=1_000, book=10_000, minute_candle=5_000, longer_candle=60_000),
    other=Cadence(ticker=5_000, book=30_000, minute_candle=30_000, longer_candle=300_000),
)
BLOCKS: Final = 4
# Half a minute past the middle, so that the candle of the first hour has been seen.
CLOCK: Final = "2026-03-02T13:00:30+00:00"
SOURCE: Final = (
    "Synthetic: made by the seeded generator of qalypto_research, recorded nowhere. "
    "Prices, sizes and times are invented; they are no market's history."
)
_LEVEL: Final = 19


def sample_rows() -> dict[str, Rows]:
    """Return the sample's rows by table, numbered in the order of arrival, in the order in which they are stored."""
    state, history = market.opening(SETTINGS)
    blocks = [history]
    for _ in range(BLOCKS):
        state, rows = market.next_block(SETTINGS, state)
        blocks.append(rows)
    tables = {table: _without_seq([b[table] for b in blocks if table in b]) for table in TABLES}
    tables = blemished(tables, SETTINGS)
    numbered(tables, 0)
    return {table: _stored(rows) for table, rows in tables.items()}


def _without_seq(parts: list[Rows]) -> Rows:
    return concatenated([{k: v for k, v in part.items() if k != "_seq"} for part in parts])


def _stored(rows: Rows) -> Rows:
    """Put the rows of a series together: like stands by like, which compresses best."""
    keys = [rows["_seen"], rows["timestamp"]]
    if "interval" in rows:
        keys.append(rows["interval"])
    return taken(rows, np.lexsort([*keys, rows["series"]]))


def _files(table: str, rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Yield the files of a table: candles one file an exchange, so that none grows large."""
    if table != "kline":
        yield "sample", rows
        return
    venue = rows["series"] // len(SETTINGS.symbols)
    for i, exchange in enumerate(SETTINGS.exchanges):
        yield exchange, taken(rows, np.flatnonzero(venue == i))


def generate_sample(root: str | Path) -> Path:
    """Make the packaged sample: two hours of ticks on every exchange and symbol, and the candles before and with them.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder; made if it is not there. A sample made before is replaced, other files stay.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigurationError
        The folder holds Parquet files of another archive.
    """
    folder = Path(root).expanduser()
    ours = {folder / "kline" / f"{exchange}.parquet" for exchange in SETTINGS.exchanges}
    ours |= {folder / table / "sample.parquet" for table in TABLES if table != "kline"}
    others = sorted(p for p in folder.rglob("*.parquet") if p not in ours)
    if others:
        raise ConfigurationError(
            f"{folder} holds another archive ({others[0].relative_to(folder)}); make the sample in a folder of its own"
        )
    for table, rows in sample_rows().items():
        for name, part in _files(table, rows):
            write_rows(folder, TABLES[table], named(part, SETTINGS.exchanges, SETTINGS.symbols), name, level=_LEVEL)
    Manifest(source=SOURCE, synthetic=True, clock=CLOCK).write(folder)
    return folder
