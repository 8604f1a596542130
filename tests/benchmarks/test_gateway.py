"""What the stand-in adds to the engine it stands on: time, memory, and how long it takes to go."""

from __future__ import annotations

import time
from pathlib import Path

import chdb
import psutil
import pyarrow as pa
import pytest
import urllib3
from benchmarks.measure import interleaved, ratios, report

from qalypto_research.local.testing import StandIn

ALL = "SELECT * FROM market_data.market_data_trade FORMAT ArrowStream"
TIME_AND_NAMES = "timestamp DateTime64(3), exchange String, symbol String"
COLUMNS = f"{TIME_AND_NAMES}, price Float64, amount Float64, side String, trade_id String, is_liquidation UInt8"


class Asking:
    """A client that keeps its connection."""

    def __init__(self, gateway):
        self.url = gateway.url
        headers = urllib3.make_headers(basic_auth=f"{gateway.username}:{gateway.password}")
        self.pool = urllib3.PoolManager(ca_certs=gateway.ca_file, retries=False, headers=headers)

    def ask(self, sql):
        answer = self.pool.request("POST", self.url, body=sql)
        assert answer.status == 200, answer.data
        return answer.data


@pytest.fixture(scope="module")
def gateway(trades_archive):
    with StandIn(trades_archive) as started:
        yield started


def test_the_shortest_answer(gateway):
    asking = Asking(gateway)
    asking.ask("SELECT 1")
    took = []
    for _ in range(300):
        begun = time.perf_counter()
        asking.ask("SELECT 1")
        took.append((time.perf_counter() - begun) * 1e3)
    report("SELECT 1 over TLS, connection kept", took, 10, " ms")


def test_all_of_five_million_trades_as_arrow(gateway, trades_archive):
    asking = Asking(gateway)
    owner = chdb.connect(":memory:")

    def of_the_engine():
        sql = f"SELECT * FROM file('{trades_archive}/trade/**/*.parquet', Parquet, '{COLUMNS}')"
        return pa.ipc.open_stream(owner.query(sql, "ArrowStream").bytes()).read_all()

    def through_the_gateway():
        return pa.ipc.open_stream(asking.ask(ALL)).read_all()

    assert of_the_engine().sort_by("trade_id").column("price").equals(through_the_gateway().sort_by("trade_id").column("price"))
    seconds = interleaved(ours=through_the_gateway, theirs=of_the_engine)
    report("5 M trades as ArrowStream over TLS / by the engine in process", ratios(seconds, "ours", "theirs"), 3)
    owner.close()


def test_memory_stays(gateway):
    asking = Asking(gateway)
    process = psutil.Process(gateway.pid)
    window = "SELECT * FROM market_data.market_data_trade WHERE timestamp < toDateTime64('2026-03-02 00:01:00', 3) FORMAT Native"

    def thousand():
        for n in range(1_000):
            asking.ask("SELECT 1" if n % 10 else window)
        return process.memory_info().rss / 2**20

    before = thousand()
    report("memory after 1,000 queries more", [thousand() - before], 30, " MiB")


def test_it_goes_when_told(trades_archive):
    took = []
    for _ in range(3):
        started = StandIn(trades_archive)
        folder = Path(started.ca_file).parent
        begun = time.perf_counter()
        started.stop()
        took.append(time.perf_counter() - begun)
        assert not folder.exists()
    report("until a stand-in that was told to stop is gone", took, 2, " s")
