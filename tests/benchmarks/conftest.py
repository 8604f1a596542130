"""The archives the benchmarks read: generated trades of one day in 24 files, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".bench"


def generated(name: str, trades: int) -> Path:
    """Return the folder of a day of about so many trades."""
    folder = FOLDER / name
    command = ["generate", str(folder), "--tables", "trade", "--start", "2026-03-02", "--hours", "24", "--trades", str(trades)]
    subprocess.run([sys.executable, "-m", "qalypto_research.cli", *command], check=True)
    return folder


@pytest.fixture(scope="session")
def trades_archive() -> Path:
    return generated("trades-5m", 5_000_000)


@pytest.fixture(scope="session")
def twenty_million_archive() -> Path:
    return generated("trades-20m", 20_000_000)
