"""`qr.batches` over twenty million trades: memory that does not grow with them, and no slower than `qr.trades`."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from benchmarks.measure import interleaved, ratios, report

import qalypto_research as qr

MEMORY = """
    import sys
    import qalypto_research as qr

    def kilobytes(name):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

    con = qr.connect(sys.argv[1])
    symbols = list(con.symbols()["symbol"].cat.categories)
    con.trades(symbols, exchange="all", start="2026-03-02", minutes=10)
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    rows = sum(len(part) for part in con.batches("trades", symbols, exchange="all", start="2026-03-02"))
    assert rows > 20_000_000, rows
    print((kilobytes("VmHWM") - before) * 1024 / 10**6)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_peak_memory_over_twenty_million(twenty_million_archive: Path) -> None:
    peaks = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MEMORY), str(twenty_million_archive)], capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout))
    report("peak extra memory of batches over 20 million trades", peaks, 300, " MB")


def test_time_beside_the_single_call(trades_archive: Path) -> None:
    with qr.connect(trades_archive) as con:
        symbols = list(con.symbols()["symbol"].cat.categories)
        asked = {"exchange": "all", "start": "2026-03-02"}
        whole = con.trades(symbols, **asked)
        assert qr.concat(con.batches("trades", symbols, **asked)).equals(whole)
        del whole
        seconds = interleaved(
            ours=lambda: sum(len(part) for part in con.batches("trades", symbols, **asked)), theirs=lambda: con.trades(symbols, **asked)
        )
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.batches / qr.trades", ratios(seconds, "ours", "theirs"), 1.5)
