"""A stream of prepared messages, and the documented way to take it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websockets

FAST = 1e9
"""Messages a second: as fast as they are taken."""


@contextmanager
def pumping(file: Path, repeats: int, rate: float = FAST) -> Iterator[str]:
    """Have messages sent from a process of its own; yield its address."""
    program = [sys.executable, str(Path(__file__).with_name("pump.py")), str(file), str(repeats), str(rate)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"ws://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def documented(url: str, rows: list[dict]) -> list[dict]:
    """Receive all as the documentation shows it, into a list."""

    async def listen() -> None:
        async with websockets.connect(f"{url}/me", ping_interval=None, ping_timeout=None, max_queue=None) as ws:
            await ws.recv()
            await ws.send(json.dumps({"action": "subscribe", "channels": ["*"]}))
            async for message in ws:
                msg = json.loads(message)
                if msg.get("type") == "ping":
                    await ws.send(json.dumps({"action": "pong"}))
                    continue
                if "data" in msg:
                    rows.append(msg["data"])

    asyncio.run(listen())
    return rows
