"""A stand-in's stream, a client for it, and what a test plays."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect

from qalypto_research.local.testing import qalypto_standin  # noqa: F401 - the fixture

PATIENCE_S = 20


class Client:
    """Sends what it is told, and gives back what comes."""

    def __init__(self, socket):
        self.socket = socket

    async def raw(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.socket.recv(decode=False)

    async def next(self):
        return json.loads(await self.raw())

    async def say(self, **content):
        await self.socket.send(json.dumps(content))

    async def ask(self, **content):
        """Return the answer to a message that is sent before any data can come."""
        await self.say(**content)
        return await self.next()

    async def subscribe(self, *channels):
        answer = await self.ask(action="subscribe", channels=list(channels))
        assert answer == {"type": "subscribed", "channels": list(channels)}

    async def all(self, most=None):
        """Return every message up to the end of the connection, or the first so many."""
        found = []
        async for text in self.rest():
            found.append(text)
            if len(found) == most:
                break
        return found

    async def rest(self):
        """Yield what comes, up to the end."""
        async with asyncio.timeout(4 * PATIENCE_S):
            async for text in self.socket:
                yield text.encode() if isinstance(text, str) else text


@asynccontextmanager
async def connected(standin, name="me", *, headers=None, welcome=True, **options):
    """Connect to the stream of a stand-in, and take its welcome."""
    tls = ssl.create_default_context(cafile=standin.ca_file) if standin.ca_file else None
    given = standin.stream_headers if headers is None else headers
    options = {"compression": None, "ping_interval": None, "max_size": None, "max_queue": None} | options
    async with connect(f"{standin.stream_url}/{name}", additional_headers=given, ssl=tls, **options) as socket:
        client = Client(socket)
        if welcome:
            assert (await client.next())["type"] == "connected"
        yield client


@pytest.fixture(scope="session")
def listen():
    """Return the function that connects to the stream of a stand-in."""
    return connected
