"""The archive the benchmarks read: five million generated trades of one day in 24 files, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".bench" / "trades-5m"


@pytest.fixture(scope="session")
def trades_archive() -> Path:
    command = ["generate", str(FOLDER), "--tables", "trade", "--start", "2026-03-02", "--hours", "24", "--trades", "5000000"]
    subprocess.run([sys.executable, "-m", "qalypto_research.cli", *command], check=True)
    return FOLDER
