"""A live buffer beside the documented pattern while the stream goes on: looking at it often, and a busy main thread."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from benchmarks.measure import report
from benchmarks.pumping import documented, pumping
from pydantic import SecretStr

from qalypto_research.clock import wall_us
from qalypto_research.config import StreamAccess
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.hub import Hub
from qalypto_research.stream.intake import Intake

FOR_EVER = 10**18
ROWS, RATE, SECONDS, A_SECOND = 100_000, 800, 10, 10


def intake() -> Intake:
    return Intake([Channel()], None, keep_us=FOR_EVER, max_bytes=10**12, now_us=wall_us, pace=lambda: 1.0)


@contextmanager
def listening(url: str, to: Intake) -> Iterator[Hub]:
    hub = Hub(StreamAccess(url, {"CF-Access-Client-Id": SecretStr("x")}, "quant"), wall_us)
    hub.join(to)
    try:
        yield hub
    finally:
        hub.leave(to)


def history() -> list[bytes]:
    """Return as many trades of one symbol as are looked at, half of them out of order."""
    random = np.random.default_rng(0)
    at = pd.Timestamp("2026-03-02 10:00").value // 10**6 + np.cumsum(random.integers(0, 20, ROWS)) - random.integers(0, 60, ROWS)
    rows = []
    for n, ms in enumerate(at.tolist()):
        stamps = {"websocket_sent": ms + 180, "exchange_event_time": ms}
        row = {"_timestamps": stamps, "timestamp": str(pd.Timestamp(ms, unit="ms").to_pydatetime()), "symbol": "BTCUSDT"}
        row |= {"exchange": ("binance", "bitget", "bybit", "okx")[n % 4], "price": 60_000.0 + n % 100, "amount": 0.5, "side": "buy"}
        row |= {"trade_id": str(3_000_000_000 + n), "is_liquidation": False}
        rows.append(json.dumps({"type": "trade", "data": row, "producer_received": ms + 95.0}).encode())
    return rows


@pytest.fixture(scope="module")
def paced(messages: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the messages of some seconds."""
    path = tmp_path_factory.mktemp("pump") / "messages"
    path.write_bytes(b"\n".join(messages[: RATE * (SECONDS + 4)]))
    return path


def looks(look: Callable[[], int]) -> tuple[list[float], list[float], float]:
    """Look so often a second, as far as it can be done; return how long each look took, its CPU time, and looks a second."""
    took, cpu, begun = [], [], time.perf_counter()
    while (now := time.perf_counter()) < begun + SECONDS:
        used = time.thread_time()
        assert look() >= ROWS
        took.append(time.perf_counter() - now)
        cpu.append(time.thread_time() - used)
        time.sleep(max(0.0, begun + len(took) / A_SECOND - time.perf_counter()))
    return took, cpu, len(took) / (time.perf_counter() - begun)


def test_looking_ten_times_a_second_at_a_hundred_thousand_rows(paced: Path) -> None:
    there = history()
    ours = intake()
    for payload in there:
        ours.take(decode(payload), wall_us())
    with pumping(paced, 1, RATE) as url, listening(url, ours):
        while ours.store.count() < ROWS + RATE:
            time.sleep(0.05)
        took, cpu, often = looks(lambda: len(ours.store.frame(TRADE, symbols=["BTCUSDT"])))
        grown = ours.store.count() - ROWS
    rows = [json.loads(payload)["data"] for payload in there]
    with pumping(paced, 1, RATE) as url:
        thread = threading.Thread(target=documented, args=(url, rows), daemon=True)
        thread.start()
        while len(rows) < ROWS + RATE:
            time.sleep(0.05)
        theirs_took, theirs_cpu, theirs_often = looks(lambda: len(pd.DataFrame(list(rows))))  # a copy: the list grows meanwhile
        thread.join(SECONDS + 10)
    assert grown > RATE * SECONDS * 0.9
    assert len(ours.store.frame(TRADE, symbols=["BTCUSDT"])) > ROWS
    for name, seconds, reached in (("ours", took, often), ("the documented pattern", theirs_took, theirs_often)):
        print(f"\n{name}: {median(seconds) * 1e3:.1f} ms a look, {reached:.1f} a second")
    report("looks a second, asked for / reached", [A_SECOND / often], A_SECOND / 9)
    report("CPU of a look / the documented pattern", [median(cpu) / median(theirs_cpu)], 0.1)
    report("a look / the documented pattern", [median(took) / median(theirs_took)], 0.02)


def test_twenty_thousand_a_second_beside_a_busy_main_thread(file: Path, messages: list[bytes]) -> None:
    ours, wanted = intake(), 2 * len(messages)
    with pumping(file, 2, 20_000) as url, listening(url, ours) as hub:
        until = time.monotonic() + 30
        while hub.state != "finished":
            assert time.monotonic() < until, hub.messages
            sum(n * n for n in range(200_000))  # what holds the interpreter
    print(f"\n{ours.counts.total():,} of {wanted:,} messages, {hub.bad.total() + ours.store.bad.total()} bad")
    assert ours.counts.total() == wanted
    assert hub.bad.total() + ours.store.bad.total() == 0
