"""The vendor's two Python clients, as its documentation prints them but for one argument's new name, in an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import websockets

from qalypto_research.local.testing import StandIn

# The documentation's `extra_headers` is `additional_headers` today; what the programs are told to connect to, and the
# words by which they end, are ours.
CONNECT = """
    import asyncio
    import websockets
    import json

    async def connect():
        uri = "{url}/my-client-001"
        headers = {{
            "CF-Access-Client-Id": "{CF-Access-Client-Id}",
            "CF-Access-Client-Secret": "{CF-Access-Client-Secret}"
        }}

        async with websockets.connect(uri, additional_headers=headers,
                                      ping_interval=None, ping_timeout=None) as ws:
            # Subscribe to channels
            await ws.send(json.dumps({{
                "action": "subscribe",
                "channels": ["trade", "ticker", "kline"]
            }}))

            # Receive messages
            async for message in ws:
                msg = json.loads(message)
                # Handle server heartbeat
                if msg.get("type") == "ping":
                    await ws.send(json.dumps({{"action": "pong"}}))
                    continue
                data = msg.get("data", {{}})
                print(f"[{{data.get('exchange')}}] {{data.get('symbol')}}: {{data}}")

    asyncio.run(connect())
"""

RECONNECT = """
    import asyncio
    import websockets
    import json
    from datetime import datetime

    class QalyptoClient:
        def __init__(self, username, cf_client_id, cf_client_secret):
            self.uri = f"{url}/{{username}}"
            self.headers = {{
                "CF-Access-Client-Id": cf_client_id,
                "CF-Access-Client-Secret": cf_client_secret
            }}
            self.channels = ["trade", "ticker"]
            self.reconnect_delay = 1
            self.max_reconnect_delay = 60

        async def connect(self):
            while True:
                try:
                    async with websockets.connect(
                        self.uri,
                        additional_headers=self.headers,
                        ping_interval=None,  # Disable library pings - we use server's JSON heartbeat
                        ping_timeout=None
                    ) as ws:
                        print(f"[{{datetime.now()}}] Connected")
                        self.reconnect_delay = 1  # Reset on success

                        # Subscribe
                        await ws.send(json.dumps({{
                            "action": "subscribe",
                            "channels": self.channels
                        }}))

                        async for message in ws:
                            await self.handle_message(json.loads(message), ws)

                except Exception as e:
                    print(f"[{{datetime.now()}}] Error: {{e}}")
                    print(f"Reconnecting in {{self.reconnect_delay}}s...")
                    await asyncio.sleep(self.reconnect_delay)
                    self.reconnect_delay = min(
                        self.reconnect_delay * 2,
                        self.max_reconnect_delay
                    )

        async def handle_message(self, msg, ws):
            msg_type = msg.get("type")

            # IMPORTANT: Respond to server pings to keep connection alive
            if msg_type == "ping":
                await ws.send(json.dumps({{"action": "pong"}}))
                return

            # Handle market data
            data = msg.get("data", {{}})
            if msg_type in ["trade", "ticker", "kline", "orderbook"]:
                print(f"[{{msg_type}}] {{data.get('exchange')}}: {{data.get('price', data.get('last_price', 'N/A'))}}")

    # Usage
    client = QalyptoClient("quant", "{CF-Access-Client-Id}", "{CF-Access-Client-Secret}")
    asyncio.run(client.connect())
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Return a Python of a fresh environment in which there is nothing but the websockets library."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "websockets").symlink_to(Path(websockets.__file__).parent)
    missing = subprocess.run([str(python), "-I", "-c", "import qalypto_research"], capture_output=True, text=True, check=False)
    assert "No module named 'qalypto_research'" in missing.stderr
    return python


@pytest.fixture
def start(elsewhere, tmp_path):
    """Return a function that starts a program there."""
    processes = []

    def run(program, standin):
        script = tmp_path / "client.py"
        script.write_text(textwrap.dedent(program).format(url=standin.stream_url, **standin.stream_headers), encoding="utf-8")
        env = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
        processes.append(
            subprocess.Popen([str(elsewhere), "-I", str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def lines_until(process, done):
    """Return what a program prints up to the line that `done` waits for."""
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if done(lines):
            return lines
    raise AssertionError(f"the client ended:\n{process.stderr.read()}")


@pytest.fixture
def standin():
    """Yield a stand-in over the sample, which plays once somebody listens."""
    with StandIn("sample", http=True, history=False) as started:
        yield started


def test_the_first_example_prints_trades_quotes_and_candles(standin, start):
    client = start(CONNECT, standin)
    lines = lines_until(
        client, lambda lines: all(any(word in line for line in lines) for word in ("'trade_id'", "'bid_price'", "'is_final'"))
    )
    assert lines[0] == "[None] None: {}"  # the welcome
    assert lines[1] == "[None] None: {}"  # subscribed
    data = [line for line in lines[2:] if "'price'" in line]
    assert all(line.startswith(("[binance] ", "[bitget] ", "[bybit] ", "[okx] ")) for line in lines[2:])
    assert "USDT: {'_timestamps': {'websocket_sent': 17724564" in data[0]


def test_the_second_example_comes_back_after_each_loss(standin, start):
    standin.fault("drop", after=20, times=2)
    client = start(RECONNECT, standin)
    lines = lines_until(client, lambda lines: sum("Connected" in line for line in lines) == 3 and len(lines) > 100)
    assert [line for line in lines if line.startswith("Reconnecting")] == ["Reconnecting in 1s..."] * 2
    assert sum("Error: no close frame received or sent" in line for line in lines) == 2
    assert {line.partition("]")[0] for line in lines if line.startswith(("[trade", "[ticker"))} == {"[trade", "[ticker"}
    before_first_loss = lines[: next(n for n, line in enumerate(lines) if "Error" in line)]
    assert sum(line.startswith(("[trade]", "[ticker]")) for line in before_first_loss) == 20
