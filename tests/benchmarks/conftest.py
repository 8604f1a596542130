"""The archives the benchmarks read, kept between runs: generated trades of one day in 24 files, books and candles made here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import conftest as browser

from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.local.feed.archive import ArchiveSource
from qalypto_research.local.feed.messages import to_stamp

# One browser and one server for all that need them.
chromium, lab, open_notebook = browser.chromium, browser.lab, browser.open_notebook

FOLDER = Path(__file__).resolve().parents[2] / ".bench"


def generated(name: str, *options: str) -> Path:
    """Return the folder of a day that is generated with these options."""
    folder = FOLDER / name
    command = ["generate", str(folder), "--start", "2026-03-02", "--hours", "24", *options]
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


@pytest.fixture(scope="module")
def idle(open_notebook):
    """Return a page of JupyterLab where nothing goes on."""
    return open_notebook("idle", "1 + 1").page


@pytest.fixture(scope="session")
def trades_archive() -> Path:
    return generated("trades-5m", "--tables", "trade", "--trades", "5700000")  # a tenth fewer come about


@pytest.fixture(scope="session")
def twenty_million_archive() -> Path:
    return generated("trades-20m", "--tables", "trade", "--trades", "23000000")  # a tenth fewer come about


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


@pytest.fixture(scope="session")
def messages(stream_archive: Path) -> list[bytes]:
    """40,000 messages in the mix, as they are sent."""
    engine = EmbeddedEngine((stream_archive,))
    source, found, at = ArchiveSource(engine), [], engine.seen_bounds_us()[0]
    while len(found) < 40_000:
        piece = source.read(at, at + 10**12)
        found += [m.payload(to_stamp(m.seen_us)) for m in piece.messages]
        at = piece.until_us
    engine.close()
    return found[:40_000]


@pytest.fixture(scope="session")
def file(messages: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pump") / "messages"
    path.write_bytes(b"\n".join(messages))
    return path
