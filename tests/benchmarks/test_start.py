"""What a user waits for before the first answer."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import interleaved, ratios, report


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_import() -> None:
    seconds = interleaved(ours=lambda: run("import qalypto_research"), theirs=lambda: run("import pandas, pyarrow"))
    report("import qalypto_research / import pandas, pyarrow", ratios(seconds, "ours", "theirs"), 1.3)


def test_first_answer_of_a_fresh_process() -> None:
    call = "import qalypto_research as qr; assert len(qr.connect('sample').klines('BTCUSDT', '1h', days=7)) == 168"
    report("first klines of a fresh process", interleaved(ours=lambda: run(call))["ours"], 2.5, " s")
