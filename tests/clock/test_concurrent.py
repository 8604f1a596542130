"""Calls at the same time, on a clock that runs fast: each sees one moment, whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from archives import trade, utc, write

import qalypto_research as qr

ROWS = 5_000


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    """Return a connection whose clock runs through 5,000 trades, one a second, by one of them each time it is read."""
    folder = tmp_path_factory.mktemp("concurrent")
    write(folder, "trade", [trade(utc("12:00") + pd.Timedelta(n, "s"), float(n)) for n in range(ROWS)])
    with qr.connect(folder, at="2026-03-02 12:10") as connection:
        yield connection


@pytest.fixture
def running(con):
    """Return a list of how often the clock was read while it ran, each reading a second later than the one before."""
    read, lock = [], threading.Lock()
    con.clock.stop()

    def wall():
        with lock:
            read.append(1)
            return len(read) * 1_000_000

    con.clock._wall = wall
    con.clock.start()
    read.clear()
    yield read
    con.clock._wall = lambda: 0
    con.clock.stop()


CALLS = {
    "trades": lambda con: con.trades("BTCUSDT", limit=5),
    "klines": lambda con: con.klines("BTCUSDT", "1m", minutes=3, final=False, gaps="ignore"),
    "sql": lambda con: con.sql("SELECT {now} AS now, count() AS n, max(timestamp) AS last FROM market_data_trade"),
    "symbols": lambda con: con.symbols(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_reads_the_clock_once(con, running, call):
    frame = CALLS[call](con)
    assert len(running) == 1
    clock = pd.Timestamp(frame.attrs["qalypto"]["clock"])
    assert clock == con.clock.now() - pd.Timedelta(1, "s")


def test_concurrent_calls_see_each_its_own_moment_whole(con, running):
    def by_sql(_):
        frame = con.sql("SELECT {now} AS now, (SELECT count() FROM market_data_trade) AS n, max(timestamp) AS last FROM market_data_trade")
        now, n, last = frame.iloc[0]
        # One trade a second from 12:00:00 on: what is known is every one up to now.
        assert n == (now - utc("12:00")) // pd.Timedelta(1, "s") + 1
        assert last == now.floor("s")
        return now

    def by_call(_):
        frame = con.trades("BTCUSDT", start="2026-03-02 12:00")
        np.testing.assert_array_equal(frame["price"].to_numpy(), np.arange(len(frame)))
        now = pd.Timestamp(frame.attrs["qalypto"]["clock"])
        assert len(frame) == (now - utc("12:00")) // pd.Timedelta(1, "s") + 1
        return now

    with ThreadPoolExecutor(8) as pool:
        moments = [m for pair in zip(pool.map(by_sql, range(40)), pool.map(by_call, range(40)), strict=True) for m in pair]
    assert len(set(moments)) == 80


def test_concurrent_calls_meet_a_growing_folder_whole(tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    with qr.connect(tmp_path, at="2026-03-02 13:00") as con, ThreadPoolExecutor(4) as pool:
        for n in range(2, 8):
            asked = [pool.submit(con.sql, "SELECT count() AS n, sum(price) AS s FROM market_data_trade") for _ in range(4)]
            write(tmp_path / "new", "trade", [trade("12:30", 1.0)])
            (tmp_path / "new" / "trade" / "a.parquet").replace(tmp_path / "trade" / f"{n}.parquet")
            for answer in (a.result(timeout=30) for a in asked):
                assert answer["n"].item() in {n - 1, n}
                assert answer["s"].item() == answer["n"].item()
            assert len(con.trades("BTCUSDT", limit=100)) == n
