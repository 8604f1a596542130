"""The stream of an archive's connection: a stand-in of its own, by the connection's clock."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import pandas as pd
import pytest
from archives import trade, utc, write
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import ConnectionClosedOK

import qalypto_research as qr
from qalypto_research.archive.sample import sample_root

PATIENCE_S = 60
SAME_S = 0.005
"""So far two processes may tell the same time."""


@pytest.fixture
def folder(tmp_path):
    """Return a folder of ten minutes of trades, one every tenth of a second."""
    step = (utc("12:00:01") - utc("12:00")) / 10
    write(tmp_path, "trade", [trade(utc("12:00") + n * step, trade_id=str(n)) for n in range(6000)])
    return tmp_path


async def hear(access, channel="trade", *, count=None, until=None, seconds=PATIENCE_S, found=None):
    """Return what comes, so many or up to what happened at a time of day, and when it came, by the wall; at most for so long."""
    headers = {name: value.get_secret_value() for name, value in access.headers.items()}
    found = [] if found is None else found
    async with websocket(access.address(), additional_headers=headers, ping_interval=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"action": "subscribe", "channels": [channel]}))
        await socket.recv()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(found) != count and (until is None or not found or utc(found[-1][0]["data"]["timestamp"]) < utc(until)):
                    found.append((json.loads(await socket.recv()), time.time()))
    return found


def lags(con, found):
    """Return for how many seconds each message was on its way, by the wall: from when the connection's clock said what it says."""
    reading = con.clock.reading
    sent_us = [message["data"]["_timestamps"]["websocket_sent"] * 1000 for message, _ in found]
    return [(reading.at(round(heard * 1e6)) - us) / 1e6 / reading.speed for us, (_, heard) in zip(sent_us, found, strict=True)]


def ids(found):
    return [int(message["data"]["trade_id"]) for message, _ in found]


def test_nothing_runs_until_it_is_asked_for(connect, folder):
    con = connect(folder, at="2026-03-02 12:01")
    assert not con.clock.running
    con.trades("BTCUSDT", minutes=1)
    assert not con.clock.running
    con.stream_access()
    assert con.clock.running
    assert con.stream_access().url == con.stream_access().url


def test_what_is_streamed_is_found_by_calls_and_nothing_before_its_time(connect, folder):
    con = connect(folder, at="2026-03-02 12:01")
    found = asyncio.run(hear(con.stream_access(), count=15))
    assert len(found) == 15
    numbers = ids(found)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] > 600  # what was known at 12:01 is not streamed
    known = set(con.trades("BTCUSDT", minutes=1)["trade_id"].astype(int))
    assert set(numbers) <= known
    assert min(lags(con, found)) >= -SAME_S


def test_the_stream_halts_and_goes_on_with_the_connections_clock(connect, folder):
    con = connect(folder, at="2026-03-02 12:01")
    access = con.stream_access()
    con.clock.stop()
    stood_at = con.clock.now()
    # What was due already when the clock was stopped may still come.
    assert [m for m, _ in asyncio.run(hear(access, seconds=0.7)) if utc(m["data"]["timestamp"]) > stood_at] == []
    begun = time.monotonic()
    con.clock.start()
    found = asyncio.run(hear(access, count=3))
    assert con.clock.now() - stood_at <= pd.Timedelta(seconds=time.monotonic() - begun + SAME_S)  # it stood meanwhile
    assert utc(found[-1][0]["data"]["timestamp"]) > stood_at


def test_a_faster_clock_is_a_faster_stream(connect, folder):
    con = connect(folder, at="2026-03-02 12:01", speed=20)
    found = asyncio.run(hear(con.stream_access(), until="12:02:30"))
    numbers = ids(found)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[-1] == 1500
    ways = lags(con, found)
    assert min(ways) >= -SAME_S
    # One at half the pace would be two seconds behind by now, whatever holds up some messages.
    assert min(ways[len(ways) // 2 :]) < 1


def test_a_clock_that_ran_before_is_taken_over(connect, folder):
    con = connect(folder, at="2026-03-02 12:01", speed=10)
    con.clock.start()
    ways = lags(con, asyncio.run(hear(con.stream_access(), count=30)))
    assert -SAME_S <= min(ways) < 1


@pytest.mark.slow
def test_the_sample_goes_on_in_calls_too(connect):
    con = connect("sample", at="2026-03-02 13:59:50", speed=4)
    found = asyncio.run(hear(con.stream_access(), "trade:btcusdt", until="14:00:05"))
    told = {m["data"]["trade_id"] for m, _ in found if utc(m["data"]["timestamp"]) >= utc("14:00")}
    assert told
    assert told <= set(con.trades("BTCUSDT", exchange="all", minutes=5)["trade_id"])
    assert con.klines("BTCUSDT", "1h", days=1).index[-1] == utc("13:00")
    assert con.target == "sample"


def test_what_the_connection_leaves_out_the_stream_leaves_out(connect, folder):
    (folder / "trade" / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.warns(qr.errors.DamagedArchiveWarning):
        con = connect(folder, at="2026-03-02 12:01", strict=False)
    assert len(ids(asyncio.run(hear(con.stream_access(), count=4)))) == 4


def test_closing_the_connection_ends_it(connect, folder):
    con = connect(folder, at="2026-03-02 12:01")
    access = con.stream_access()
    con.close()
    with pytest.raises(OSError, match=r"Connect call failed|refused"):
        asyncio.run(hear(access))
    with pytest.raises(qr.errors.ClosedError):
        con.stream_access()
    con.close()


def test_a_connection_that_is_dropped_takes_it_along(folder):
    con = qr.connect(folder, at="2026-03-02 12:01")
    access = con.stream_access()
    del con
    with qr.connect("sample"), qr.connect("sample"):
        pass
    qr.default._kept.clear()
    gc.collect()
    with pytest.raises(OSError, match=r"Connect call failed|refused"):
        asyncio.run(hear(access))


def test_a_process_that_ends_leaves_nothing(folder):
    program = f"""
        import qalypto_research as qr
        con = qr.connect({str(folder)!r}, at="2026-03-02 12:01")
        con.stream_access()
        print(con.stream._held.process.pid, flush=True)
        {{ending}}
    """
    for ending in ("", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program).format(ending=ending)], capture_output=True, text=True, timeout=60, check=False
        )
        pid = int(done.stdout)
        until = time.monotonic() + 20
        while alive(pid):
            assert time.monotonic() < until, f"still there after {ending or 'its end'}"
            time.sleep(0.05)
        assert done.stderr == ""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_secrets_do_not_show(connect, folder):
    access = connect(folder, at="2026-03-02 12:01").stream_access()
    secrets = [value.get_secret_value() for value in access.headers.values()]
    assert all(len(secret) > 30 for secret in secrets)
    assert not [secret for secret in secrets if secret in repr(access)]


def test_why_it_does_not_start(connect):
    con = connect("sample", speed=1000)
    with pytest.raises(qr.errors.ConfigurationError, match="speed: 1000 is more than the sample can be gone on with"):
        con.stream_access()
    assert not con.clock.running


def test_the_sample_in_a_list_of_folders_ends(connect, tmp_path):
    write(tmp_path, "trade", [trade("2026-03-02 15:00", trade_id="1")])
    con = connect([sample_root(), tmp_path], at="2026-03-02 14:59:59")
    found = []
    with pytest.raises(ConnectionClosedOK) as caught:
        asyncio.run(hear(con.stream_access(), found=found))
    assert ids(found) == [1]
    assert caught.value.rcvd.reason == "replay finished"
