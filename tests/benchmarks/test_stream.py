"""The live buffer's lower half against the documented pattern: websockets, json.loads, a list of dicts, a DataFrame at each look.

Messages: 60 % trades, 20 % quotes, 10 % candles, 10 % books of 20 levels a side; about 510 bytes.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.measure import RUNS, interleaved, ratios, report
from benchmarks.pumping import documented, pumping
from pydantic import SecretStr

from qalypto_research.config import StreamAccess
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.protocol import Protocol
from qalypto_research.stream.store import Store
from qalypto_research.stream.transport import Transport

FOR_EVER = 10**18
REPEATS = 3


def test_decoding(messages: list[bytes]) -> None:
    one = [decode(text) for text in messages]
    two = [json.loads(text) for text in messages]
    assert [m.data.symbol for m in one] == [m["data"]["symbol"] for m in two]
    assert sum(m.data.price for m in one if hasattr(m.data, "price")) == sum(m["data"]["price"] for m in two if m["type"] == "trade")
    del one, two
    seconds = interleaved(ours=lambda: [decode(text) for text in messages], theirs=lambda: [json.loads(text) for text in messages])
    report("decoding / json.loads", ratios(seconds, "ours", "theirs"), 0.2)


def ours(url: str) -> int:
    """Receive all, decode, and keep it in buffers; return how many messages of data there were."""
    store, over = Store(keep_us=FOR_EVER, max_bytes=10**12), threading.Event()
    access = StreamAccess(url, {"CF-Access-Client-Id": SecretStr("x")}, "quant")
    clock = time.time_ns
    transport = Transport(
        access,
        Protocol(jitter=lambda: 0.5),
        data=lambda message: store.put(message, clock() // 1000),
        notice=lambda told: over.set() if told.what == "finished" else None,
        bad=pytest.fail,
        beat=lambda _: None,
    )
    transport.start([Channel()])
    assert over.wait(120)
    transport.stop()
    assert not store.bad
    assert all(sum(len(view) for view in buffer.views()) for buffer in store.buffers().values())
    return transport.messages - 2  # the welcome, and the confirmation


def test_receiving_decoding_and_appending(messages: list[bytes], file: Path) -> None:
    count = len(messages) * REPEATS
    took: dict[str, list[float]] = {"ours": [], "theirs": []}
    for run in range(RUNS + 1):
        for name, listen in (("ours", ours), ("theirs", lambda url: documented(url, []))):
            with pumping(file, REPEATS) as url:
                begun = time.perf_counter()
                got = listen(url)
                seconds = time.perf_counter() - begun
            assert (got if name == "ours" else len(got)) == count
            if run:
                took[name].append(seconds)
    mine, theirs = (count / np.median(seconds) for seconds in took.values())
    print(f"\n{mine:,.0f} messages a second, connecting included; the documented pattern {theirs:,.0f}")
    report("receiving, decoding and appending / the documented pattern", [a / b for a, b in zip(*took.values(), strict=True)], 0.5)
    report("receiving, decoding and appending", [s / count * 1e6 for s in took["ours"]], 25.0, " us a message")


@pytest.fixture(scope="module")
def filled() -> tuple[Store, list[dict]]:
    """A buffer of 100,000 trades of one symbol on four exchanges, and the same as a list of dicts. About half arrive out of order."""
    random = np.random.default_rng(0)
    store = Store(keep_us=FOR_EVER, max_bytes=10**12)
    rows = []
    at = pd.Timestamp("2026-03-02 12:00").value // 10**6 + np.cumsum(random.integers(0, 20, 100_000)) - random.integers(0, 60, 100_000)
    for n, ms in enumerate(at.tolist()):
        when = str(pd.Timestamp(ms, unit="ms").to_pydatetime())
        exchange = ("binance", "bitget", "bybit", "okx")[n % 4]
        row = {
            "_timestamps": {"websocket_sent": ms + 180, "exchange_event_time": ms},
            "timestamp": when,
            "exchange": exchange,
            "symbol": "BTCUSDT",
        }
        row |= {"price": 60_000.0 + n % 100, "amount": 0.5, "side": "buy", "trade_id": str(3_000_000_000 + n), "is_liquidation": False}
        store.put(decode(json.dumps({"type": "trade", "data": row, "producer_received": ms + 95.0}).encode()), n)
        rows.append(row)
    return store, rows


def test_a_snapshot_of_a_hundred_thousand_rows(filled: tuple[Store, list[dict]]) -> None:
    store, rows = filled
    store.buffers()["trade", "BTCUSDT"].flush()
    (view,) = store.buffers()["trade", "BTCUSDT"].views()
    ids = view.texts["trade_id"].part(view.start, view.stop).to_arrow()

    def copies() -> list:
        """Fresh copies of the columns, in order."""
        order = np.lexsort((view.column("id as a number"), view.column("exchange"), view.column("timestamp")))
        names = [n for n in view.arrays if n not in ("id as a number", "beginning of the id")]
        return [*(view.column(name)[order] for name in names), pd.array(ids.take(order), dtype="str")]

    frame = store.frame(TRADE)
    there = copies()
    names = [n for n in view.arrays if n not in ("id as a number", "beginning of the id")]
    assert (frame["price"].to_numpy() == there[names.index("price")]).all()
    assert (frame["trade_id"].array == there[-1]).all()
    seconds = interleaved(ours=lambda: store.frame(TRADE), copies=copies, documented=lambda: pd.DataFrame(rows))
    print("\nmedians in ms:", {name: round(sorted(runs)[len(runs) // 2] * 1e3, 1) for name, runs in seconds.items()})
    report("a snapshot / sorted copies of its columns", ratios(seconds, "ours", "copies"), 2.0)
    report("a snapshot / a DataFrame of a list of dicts", ratios(seconds, "ours", "documented"), 0.02)
