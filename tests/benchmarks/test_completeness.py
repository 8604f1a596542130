"""`qr.coverage` over twenty million trades: time, memory, and the same numbers as pandas over the same files."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from benchmarks.measure import interleaved, report

import qalypto_research as qr

MINUTE = pd.Timedelta("1min")


def by_pandas(folder: Path) -> pd.DataFrame:
    """Return rows, first, last, repeats and the longest wait of each series, from the Parquet files alone."""
    columns = ["timestamp", "exchange", "symbol", "trade_id"]
    files = sorted((folder / "trade").glob("*.parquet"))
    frame = pd.concat([pq.ParquetFile(file).read(columns).to_pandas() for file in files], ignore_index=True)
    found = []
    for (exchange, symbol), part in frame.groupby(["exchange", "symbol"]):
        times = np.sort(part["timestamp"].to_numpy("datetime64[us]"))
        repeated = part.loc[part["trade_id"] != "", "trade_id"].duplicated().sum()
        found.append((exchange, symbol, len(part), times[0], times[-1], repeated, np.diff(times).max()))
    return pd.DataFrame(found, columns=["exchange", "symbol", "rows", "first", "last", "duplicated", "longest"])


def assert_same(there: qr.Coverage, theirs: pd.DataFrame) -> None:
    """Hold the coverage of trades against what pandas counted."""
    ours = there.series.astype({"exchange": "str", "symbol": "str"}).sort_values(["exchange", "symbol"], ignore_index=True)
    for column in ("exchange", "symbol", "rows", "duplicated"):
        assert ours[column].tolist() == theirs[column].tolist(), column
    for column in ("first", "last"):
        assert ours[column].dt.tz_localize(None).tolist() == theirs[column].tolist(), column
    silent = set(zip(there.holes["exchange"], there.holes["symbol"], strict=True))
    over_a_minute = theirs[theirs["longest"] >= MINUTE]
    assert silent <= set(zip(over_a_minute["exchange"], over_a_minute["symbol"], strict=True))


def test_the_same_numbers_as_pandas(trades_archive: Path) -> None:
    with qr.connect(trades_archive) as con:
        assert_same(con.coverage(), by_pandas(trades_archive))


def test_twenty_million_trades(twenty_million_archive: Path) -> None:
    with qr.connect(twenty_million_archive) as con:
        assert con.coverage(minutes=5).series["rows"].sum() > 0
        processor: list[float] = []
        seconds = interleaved(ours=lambda: on_processor(con.coverage, processor))["ours"]
        assert con.coverage().series["rows"].sum() > 20_000_000
    print(f"\nprocessor time, user and system: {statistics.median(processor[1:]):.3g} s")
    report("coverage of 20 million trades", seconds, 3.0, " s")


def on_processor(call: Callable[[], object], spent: list[float]) -> None:
    """Call, and note the processor time it took over all threads."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


MEMORY = """
    import sys
    import qalypto_research as qr

    def kilobytes(name):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

    con = qr.connect(sys.argv[1])
    con.coverage(minutes=10)
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    con.coverage()
    print((kilobytes("VmHWM") - before) / 1e6)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_peak_memory(twenty_million_archive: Path) -> None:
    peaks = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MEMORY), str(twenty_million_archive)], capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout))
    report("peak extra memory of the coverage of 20 million trades", peaks, 1.0, " GB")
