"""Where an archive keeps its files.

``<root>/<table>/**/*.parquet``, or flat ``<root>/market_data_<table>.parquet``. Files being written have other endings
and are not there yet.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import TABLES, Table

_GLOB_CHARACTERS: Final = frozenset("*?{}[]'\\\n")


@dataclass(frozen=True, slots=True, order=True)
class DataFile:
    """One Parquet file as it stood when the folder was read; a changed file is another one."""

    path: str
    size: int
    changed_ns: int


Listing = dict[str, tuple[DataFile, ...]]
"""Files of each table, by table name, sorted by path."""


def check_root(root: Path) -> Path:
    """Return `root` made absolute, if an archive can stand there.

    Raises
    ------
    ArchiveError
        No such folder, a file, or a path that ClickHouse would take for a pattern.
    """
    try:
        absolute = root.expanduser().absolute()
        there = absolute.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise ArchiveError(root, f"is no path to a folder ({error})") from error
    if not there:
        raise ArchiveError(absolute, "no such folder")
    if not absolute.is_dir():
        raise ArchiveError(absolute, "is a file; give the folder that holds the tables")
    bad = sorted(_GLOB_CHARACTERS.intersection(str(absolute)))
    if bad:
        shown = " ".join(map(repr, bad))
        raise ArchiveError(absolute, f"the path holds {shown}, which ClickHouse reads as a pattern; rename or link the folder")
    return absolute


def list_files(root: Path) -> Listing:
    """Return the data files under `root`, by table."""
    return {table.name: tuple(sorted(_files_of(root, table))) for table in TABLES.values()}


def patterns(root: Path, table: Table, files: tuple[DataFile, ...]) -> list[str]:
    """Return the patterns by which ClickHouse finds exactly `files`, the files of `table` under `root`."""
    flat = f"{root}/{table.sql_name}.parquet"
    found = []
    if any(f.path != flat for f in files):
        found.append(f"{root}/{table.name}/**/*.parquet")
    if any(f.path == flat for f in files):
        found.append(flat)
    return found


def _files_of(root: Path, table: Table) -> list[DataFile]:
    found = []
    folders = [str(root / table.name)]
    while folders:
        for entry in _entries(folders.pop()):
            # What cannot be looked at must not be passed over: ClickHouse would read its neighbours unchecked.
            try:
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.name.endswith(".parquet"):
                    found.append(_data_file(entry.path, entry.stat()))
            except OSError as error:
                raise ArchiveError(entry.path, f"cannot be read ({error.strerror}); remove it or mend the link") from error
    flat = root / f"{table.sql_name}.parquet"
    if flat.is_file():
        found.append(_data_file(str(flat), flat.stat()))
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ArchiveError(folder, f"cannot be read ({error.strerror})") from error


def _data_file(path: str, stat: os.stat_result) -> DataFile:
    return DataFile(path, stat.st_size, stat.st_mtime_ns)
