"""Ten million messages through a buffer with fixed bounds: its memory stays where it is."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import psutil
from benchmarks.pumping import pumping
from benchmarks.test_live import intake, listening

from qalypto_research.schema.tables import TRADE

MESSAGES = 10_000_000
LOOK_EVERY = 1_000_000


def test_memory_is_flat(file: Path, messages: list[bytes]) -> None:
    ours = intake()
    ours.bound(10**18, 4_000_000)
    process, seen, begun = psutil.Process(), [], time.monotonic()
    with pumping(file, MESSAGES // len(messages)) as url, listening(url, ours) as hub:
        while hub.state != "finished":
            assert hub.state in ("new", "connecting", "live"), hub.reason
            time.sleep(0.2)
            assert len(ours.store.frame(TRADE)) >= 0
            if ours.counts.total() >= LOOK_EVERY * (len(seen) + 1):
                gc.collect()
                seen.append(process.memory_info().rss)
                print(f"{ours.counts.total():,} messages: {seen[-1] / 1e6:,.1f} MB, {ours.store.count():,} rows", flush=True)
    print(f"{ours.counts.total() / (time.monotonic() - begun):,.0f} messages a second")
    assert ours.counts.total() == MESSAGES
    assert ours.store.bad.total() == 0
    assert max(seen[1:]) <= 1.05 * seen[0]
