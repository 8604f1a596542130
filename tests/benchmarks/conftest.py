"""The archives the benchmarks read, kept between runs: generated trades of one day in 24 files, books and candles made here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".bench"


def generated(name: str, trades: int) -> Path:
    """Return the folder of a day of about so many trades; at such rates a tenth fewer come about."""
    folder = FOLDER / name
    command = ["generate", str(folder), "--tables", "trade", "--start", "2026-03-02", "--hours", "24", "--trades", str(trades)]
    program = [sys.executable, "-m", "qalypto_research.cli", *command]
    if subprocess.run(program, check=False, capture_output=True).returncode:
        # What an older generator has begun cannot be gone on with.
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(program, check=True)
    return folder


def made(kind: str, name: str) -> Path:
    """Return the folder of an archive that `archives` writes."""
    folder = FOLDER / name
    if not (folder / "manifest.json").exists():
        subprocess.run([sys.executable, str(Path(__file__).with_name("archives.py")), kind, str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def trades_archive() -> Path:
    return generated("trades-5m", 5_700_000)


@pytest.fixture(scope="session")
def twenty_million_archive() -> Path:
    return generated("trades-20m", 23_000_000)


@pytest.fixture(scope="session")
def books_archive() -> Path:
    """300,000 books of 20 levels a side, over 40 series."""
    return made("books", "books-20")


@pytest.fixture(scope="session")
def klines_archive() -> Path:
    """288,000 candles of 1m, over 40 series, in ten rows each."""
    return made("klines", "klines-10")


@pytest.fixture(scope="session")
def stream_archive() -> Path:
    """600,000 rows in the mix of a stream, 800 a second."""
    return made("stream", "stream-800")
