"""Where an archive keeps its files.

``<root>/<table>/**/*.parquet``, or flat ``<root>/market_data_<table>.parquet``. Files being written have other endings
and are not there yet.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final, NamedTuple

from qalypto_research.errors import ArchiveError
from qalypto_research.schema.tables import TABLES, Table

_GLOB_CHARACTERS: Final = frozenset("*?{}[]'\\\n")


class DataFile(NamedTuple):
    """One Parquet file as it stood when the folder was read; a changed file is another one.

    Attributes
    ----------
    problem : str
        Why it cannot even be looked at; "" where it can.
    """

    path: str
    size: int
    changed_ns: int
    problem: str = ""


Listing = dict[str, tuple[DataFile, ...]]
"""Files of each table, by table name, sorted by path."""


def check_root(root: Path, argument: str) -> Path:
    """Return `root`, which the user gave as `argument`, made absolute, if an archive can stand there.

    Raises
    ------
    ArchiveError
        No such folder, a file, or a path that ClickHouse would take for a pattern.
    """
    try:
        absolute = root.expanduser().absolute()
        there = absolute.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise ArchiveError(root, f"{argument} is no path to a folder ({error})") from error
    if not there:
        raise ArchiveError(absolute, f"no such folder; {argument} must be 'sample' or the folder of an archive")
    if not absolute.is_dir():
        raise ArchiveError(absolute, f"is a file; give the folder that holds the tables as {argument}")
    bad = sorted(_GLOB_CHARACTERS.intersection(str(absolute)))
    if bad:
        shown = " ".join(map(repr, bad))
        raise ArchiveError(absolute, f"the path holds {shown}, which ClickHouse reads as a pattern; rename or link the folder")
    return absolute


def list_files(root: Path) -> Listing:
    """Return the data files under `root`, by table, those that cannot be looked at among them.

    Raises
    ------
    ArchiveError
        The folder is gone, a folder in it cannot be listed, or links lead in a circle: what is missing then is unknown.
    """
    if not root.is_dir():
        raise ArchiveError(root, "the folder is gone; put it back, or call qr.connect() on where it is now")
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
            # What cannot be looked at must not be passed over: its rows would be missing and nobody would know.
            try:
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.name.endswith(".parquet"):
                    found.append(_data_file(entry.path, entry.stat()))
                elif entry.is_symlink() and not entry.name.startswith("."):
                    entry.stat()
            except OSError as error:
                found.append(_unreadable(entry.path, error))
    flat = root / f"{table.sql_name}.parquet"
    try:
        found.append(_data_file(str(flat), flat.stat()))
    except OSError as error:
        if flat.is_symlink() or not isinstance(error, FileNotFoundError):
            found.append(_unreadable(str(flat), error))
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.path.islink(folder):  # noqa: PTH114 - a Path a folder is dear on every call
            return []
        raise ArchiveError(folder, f"is a link that leads to no folder ({error.strerror}); mend or remove it") from error
    except OSError as error:
        raise ArchiveError(folder, f"cannot be read ({error.strerror})") from error


def _unreadable(path: str, error: OSError) -> DataFile:
    if error.errno == errno.ELOOP:  # ClickHouse would read nothing of the folder
        raise ArchiveError(path, f"cannot be read ({error.strerror}); remove the link") from error
    return DataFile(path, -1, 0, f"cannot be read ({error.strerror}); remove it or mend the link")


def _data_file(path: str, stat: os.stat_result) -> DataFile:
    # ClickHouse passes such names over.
    problem = "" if path.isascii() or _is_utf8(path) else "has a name that is not UTF-8; rename it"
    return DataFile(path, stat.st_size, stat.st_mtime_ns, problem)


def _is_utf8(path: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in path)
