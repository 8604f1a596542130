"""Write a generated archive block by block, and go on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from qalypto_research.archive.manifest import FILE_NAME as MANIFEST_NAME
from qalypto_research.archive.manifest import Manifest
from qalypto_research.archive.writing import write_rows
from qalypto_research.errors import ConfigurationError
from qalypto_research.local.generator import market
from qalypto_research.local.generator.rows import Rows, length, named
from qalypto_research.local.generator.settings import Settings
from qalypto_research.schema import TABLES

SETTINGS_NAME: Final = "generator.json"
STATE_NAME: Final = "generator_state.npz"
SOURCE: Final = (
    "Synthetic: made by the seeded generator of qalypto_research. Prices, sizes and times are invented; they are no market's history."
)
# Raised whenever the same settings would give other rows than before.
MODEL_VERSION: Final = 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a call of `generate` did.

    Attributes
    ----------
    root : pathlib.Path
        The archive.
    start, end : datetime
        Span of the archive's ticks after the call, UTC, [start, end).
    blocks : int
        Blocks written by this call; 0 where all of them were there.
    rows : dict of str to int
        Rows written by this call, by table.
    """

    root: Path
    start: datetime
    end: datetime
    blocks: int
    rows: dict[str, int]


def write_blocks(root: Path, settings: Settings, end_ms: int, progress: Progress | None = None) -> Generated:
    """Write the blocks of the archive at `root` that are still missing before `end_ms`.

    A block's files are written first and the state after it last, each complete or not at all. A block that was broken off
    is written again, with the same rows under the same names.
    """
    wanted = max(-(-(end_ms - settings.start_ms) // settings.block_ms), 0)
    _claim(root, settings)
    rows = dict.fromkeys(settings.tables, 0)
    state = _load(root)
    if state is None:
        state, history = market.opening(settings)
        _write(root, settings, history, "history", rows)
        _save(root, state)
    first = state.block
    for number in range(first, wanted):
        state, tables = market.next_block(settings, state)
        _write(root, settings, tables, _block_name(settings, number), rows)
        _save(root, state)
        if progress is not None:
            progress(number + 1 - first, wanted - first)
    last = settings.start_ms + settings.block_ms * state.block
    return Generated(root, _utc(settings.start_ms), _utc(last), state.block - first, rows)


def _claim(root: Path, settings: Settings) -> None:
    """Note the settings in `root`, or check that they are those it was begun with."""
    path = root / SETTINGS_NAME
    ours = {"model_version": MODEL_VERSION, **settings.to_json()}
    if path.exists():
        try:
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigurationError(f"{path} cannot be read ({error}); generate into another folder") from error
        _compare(path, theirs, ours)
        return
    taken = [name for name in (MANIFEST_NAME, *TABLES, *(f"market_data_{t}.parquet" for t in TABLES)) if (root / name).exists()]
    if taken:
        raise ConfigurationError(
            f"{root} holds an archive this generator did not begin ({', '.join(taken)}); generate into an empty folder"
        )
    Manifest(source=SOURCE, synthetic=True).write(root)
    _replace(path, json.dumps(ours, indent=2).encode() + b"\n")


def _compare(path: Path, theirs: Any, ours: dict[str, Any]) -> None:
    if not isinstance(theirs, dict):
        raise ConfigurationError(f"{path} holds no settings; generate into another folder")
    other = [name for name in ours if theirs.get(name) != ours[name]]
    if other:
        listed = "; ".join(f"{name} is {theirs.get(name)!r} there, {ours[name]!r} here" for name in other)
        raise ConfigurationError(
            f"{path.parent} was generated with other settings: {listed}. Go on with the same ones, or generate into another folder"
        )


def _write(root: Path, settings: Settings, tables: dict[str, Rows], name: str, written: dict[str, int]) -> None:
    for table, rows in tables.items():
        if length(rows):
            write_rows(root, TABLES[table], named(rows, settings.exchanges, settings.symbols), name)
            written[table] += length(rows)


def _load(root: Path) -> market.State | None:
    path = root / STATE_NAME
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return market.State.from_arrays(dict(arrays))
    except (ValueError, KeyError, EOFError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}); delete it to generate this archive again from its start") from error


def _save(root: Path, state: market.State) -> None:
    partial = root / f".{STATE_NAME}.partial"
    with partial.open("wb") as file:
        np.savez(file, **state.arrays())  # type: ignore[arg-type]
    partial.replace(root / STATE_NAME)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _block_name(settings: Settings, number: int) -> str:
    return _utc(settings.start_ms + number * settings.block_ms).strftime("%Y%m%dT%H%M%SZ")


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000.0, tz=UTC)
