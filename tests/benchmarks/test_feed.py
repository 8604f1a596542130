"""The stand-in's stream: how fast it can be, and how even at true pace.

60 % trades, 20 % quotes, 10 % candles, 10 % books of 20 levels a side.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from benchmarks.measure import report
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from qalypto_research.local.testing import StandIn

START = "2026-03-02 00:00:00"
A_SECOND = 800
SECONDS = 15


@asynccontextmanager
async def subscribed(standin: StandIn, name: str = "me", **options: Any) -> Any:
    settings: dict[str, Any] = {"compression": None, "ping_interval": None, "max_size": None, "max_queue": None} | options
    async with connect(f"{standin.stream_url}/{name}", additional_headers=standin.stream_headers, **settings) as socket:
        await socket.recv()
        await socket.send('{"action": "subscribe", "channels": ["*"]}')
        yield socket


async def flood(standin: StandIn) -> tuple[int, int, float]:
    """Return how many messages and bytes came up to the end, and in how many seconds from the first on."""
    async with subscribed(standin) as socket:
        messages = size = 0
        begun = 0.0
        try:
            while True:
                text = await socket.recv(decode=False)
                messages, size, begun = messages + 1, size + len(text), begun or time.perf_counter()
        except ConnectionClosed:
            return messages, size, time.perf_counter() - begun


async def paced(standin: StandIn, name: str = "me") -> tuple[np.ndarray, list[bytes]]:
    """Return how late each message came after the one that was earliest by its schedule, in ms, and the messages."""
    async with subscribed(standin, name) as socket:
        await socket.recv()
        texts, heard = [], []
        until = time.time() + SECONDS
        while time.time() < until:
            texts.append(await socket.recv(decode=False))
            heard.append(time.time())
    late = np.array(heard) - np.arange(len(heard)) / A_SECOND
    return (late - late.min()) * 1e3, texts


@pytest.fixture(scope="module")
def standin(stream_archive: Path) -> Iterator[StandIn]:
    with StandIn(stream_archive, at=START, http=True, history=False) as running:
        yield running


def test_messages_a_second_to_one_client_in_another_process(stream_archive: Path) -> None:
    took = []
    for _ in range(3):
        with StandIn(stream_archive, at=START, speed=0, http=True, history=False) as running:
            messages, size, seconds = asyncio.run(flood(running))
        assert messages == 600_000  # "subscribed", and all but the first, which is known at the start
        assert 500 < size / messages < 530
        took.append(seconds / messages * 1e6)
    print(f"\n{1e6 / np.median(took):,.0f} messages a second")
    report("as fast as one client takes it", took, 25.0, " us a message")


def test_true_pace(standin: StandIn) -> None:
    process = psutil.Process(standin.pid)
    cpu, late = [], []
    for _ in range(3):
        before = process.cpu_times()
        begun = time.perf_counter()
        moments, texts = asyncio.run(paced(standin))
        seconds = time.perf_counter() - begun
        after = process.cpu_times()
        cpu.append((after.user + after.system - before.user - before.system) / seconds)
        late.append(float(np.quantile(moments, 0.99)))
        kinds = Counter(json.loads(text)["type"] for text in texts)
        assert abs(len(texts) / SECONDS / A_SECOND - 1) < 0.05
        assert 0.58 < kinds["trade"] / len(texts) < 0.62
    report("part of a core at 800 messages a second", cpu, 0.25, "")
    report("99 % of messages are late by at most", late, 20.0, " ms")


def test_five_clients_and_one_of_them_stalled(standin: StandIn) -> None:
    async def stalled() -> None:
        async with subscribed(standin, "stalled", max_queue=1) as socket:
            await asyncio.sleep(SECONDS)
            socket.transport.abort()

    async def all_of_them() -> list[tuple[np.ndarray, list[bytes]]]:
        _, *heard = await asyncio.gather(stalled(), *(paced(standin, f"client-{n}") for n in range(4)))
        return heard

    late = []
    for moments, texts in asyncio.run(all_of_them()):
        ids = [int(json.loads(text)["data"]["sequence_id"]) for text in texts if b'"sequence_id"' in text]
        assert np.unique(np.diff(ids)).tolist() == [10]  # none is missing
        late.append(float(np.quantile(moments, 0.99)))
    report("beside a client that does not read, 99 % of messages to each other are late by at most", late, 20.0, " ms")
