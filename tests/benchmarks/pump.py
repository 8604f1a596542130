"""Sends prepared messages to whoever connects, so many a second or as fast as they are taken, from a process of its own; then closes."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

AT_ONCE = 200
WELCOME = '{"type": "connected", "client_id": "me"}'


async def main(messages: list[bytes], rate: float) -> None:
    over = asyncio.Event()

    async def pump(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        await connection.send('{"type": "subscribed", "channels": ["*"]}')
        begun, at_once = time.monotonic(), max(1, min(AT_ONCE, int(rate / 50)))
        for at in range(0, len(messages), at_once):
            await asyncio.sleep(begun + at / rate - time.monotonic())
            for message in messages[at : at + at_once]:
                connection.protocol.send_text(message)
            connection.transport.write(b"".join(connection.protocol.data_to_send()))
            await connection.drain()
        await connection.close(1000, "replay finished")

    async with serve(pump, "127.0.0.1", 0, compression=None, ping_interval=None, write_limit=1 << 20) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await over.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_bytes().splitlines() * int(sys.argv[2]), float(sys.argv[3])))
