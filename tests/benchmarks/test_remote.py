"""`qr.trades` over HTTPS from the stand-in, against the ways a careful user would go without it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from benchmarks.measure import interleaved, ratios, report
from benchmarks.test_trades import all_trades, assert_same, to_contract
from clickhouse_connect.driver.client import Client

import qalypto_research as qr
from qalypto_research.local.testing import StandIn

DAY = """
    SELECT timestamp, exchange, symbol, price, amount, side, trade_id, is_liquidation FROM market_data.market_data_trade
    ORDER BY timestamp, exchange, symbol, ifNull(toUInt64OrNull(trade_id), 18446744073709551615), trade_id
"""


@pytest.fixture(scope="module")
def gateway(trades_archive: Path) -> Iterator[StandIn]:
    with StandIn(trades_archive) as running:
        yield running


@pytest.fixture(scope="module")
def con(gateway: StandIn) -> Iterator[qr.Connection]:
    with qr.connect(gateway.url, username=gateway.username, password=gateway.password, ca_file=gateway.ca_file) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(gateway: StandIn) -> Iterator[Client]:
    """Yield a plain client, as its documentation says to make one."""
    host, port = gateway.url.removeprefix("https://").split(":")
    with clickhouse_connect.get_client(
        host=host, port=int(port), secure=True, username=gateway.username, password=gateway.password, ca_cert=gateway.ca_file
    ) as plain:
        yield plain


def test_five_million_trades_over_https(con: qr.Connection, client: Client) -> None:
    expected = to_contract(client.query_arrow(DAY, use_strings=True).to_pandas())
    ours = all_trades(con)
    assert len(ours) > 4_000_000
    assert_same(ours, expected)
    assert_same(ours, to_contract(client.query_df(DAY)))
    del ours, expected
    seconds = interleaved(
        ours=lambda: all_trades(con),
        arrow=lambda: to_contract(client.query_arrow(DAY, use_strings=True).to_pandas()),
        frame=lambda: to_contract(client.query_df(DAY)),
    )
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.trades over HTTPS / query_arrow().to_pandas() and conversion", ratios(seconds, "ours", "arrow"), 0.65)
    report("qr.trades over HTTPS / query_df and conversion", ratios(seconds, "ours", "frame"), 0.45)


def test_a_heartbeat_beside_a_read(con: qr.Connection) -> None:
    async def beat() -> float:
        latest = 0.0
        reading = asyncio.create_task(asyncio.to_thread(all_trades, con))
        while not reading.done():
            due = time.perf_counter() + 0.02
            await asyncio.sleep(0.02)
            latest = max(latest, time.perf_counter() - due)
        assert len(await reading) > 4_000_000
        return latest

    report("a heartbeat beside a read of five million trades is late by", [asyncio.run(beat()) for _ in range(3)], 0.3, " s")


MEMORY = """
    import qalypto_research as qr

    def kilobytes(name):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

    con = qr.connect("service")
    symbols = list(con.symbols()["symbol"].cat.categories)
    con.trades(symbols, exchange="all", start="2026-03-02", minutes=10)
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    df = con.trades(symbols, exchange="all", start="2026-03-02")
    print((kilobytes("VmHWM") - before) * 1024 / df.memory_usage(deep=True).sum())
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_the_clients_peak_memory(gateway: StandIn) -> None:
    peaks = []
    for _ in range(3):
        command = [sys.executable, "-c", textwrap.dedent(MEMORY)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | gateway.environment())
        peaks.append(float(done.stdout))
    report("the client's peak extra memory / the frame", peaks, 2.2)
