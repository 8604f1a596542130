"""Recorded cases: opened as they lie there, with what is known of them and the rows as pyarrow reads them."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import qalypto_research as qr


class Case:
    """One recorded case.

    Attributes
    ----------
    name : str
        Its folder.
    con : Connection
        To that folder, at its end.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder
        self.con = qr.connect(folder)

    @functools.cache  # noqa: B019 (a handful, for the length of the session)
    def truths(self, table: str) -> dict[str, Any]:
        """Return what is known of `table`: a dict for each ``exchange/symbol``."""
        return json.loads((self._folder / "truths.json").read_text())[table]["groups"]

    @functools.cache  # noqa: B019
    def stored(self, table: str) -> pd.DataFrame:
        """Return the rows of `table` in the order of the file."""
        return pq.ParquetFile(self._folder / f"{table}.parquet").read().to_pandas()

    def path(self, name: str) -> Path:
        return self._folder / name


@pytest.fixture(scope="session")
def case(recorded):
    """Return a function that gives a case by name, opened once."""
    opened: dict[str, Case] = {}

    def get(name):
        if name not in opened:
            if not (recorded / name).is_dir():
                pytest.skip(f"no such recorded case: {recorded / name}")
            opened[name] = Case(recorded / name)
        return opened[name]

    yield get
    for one in reversed(opened.values()):
        one.con.close()


@pytest.fixture(scope="session")
def as_books(recorded, tmp_path_factory):
    """Return a function that copies one file of a case into an archive of its own as order books, and opens it."""
    opened = []

    def open_copy(name, file):
        folder = tmp_path_factory.mktemp("books")
        (folder / "orderbook").mkdir()
        shutil.copyfile(recorded / name / file, folder / "orderbook" / "x.parquet")
        opened.append(qr.connect(folder))
        return opened[-1]

    yield open_copy
    for con in reversed(opened):
        con.close()
