"""History and stream of one stand-in: the same rows, by the same clock."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
import urllib3
from archives import trade, utc, write

import qalypto_research as qr
from qalypto_research.local.generator import generate
from qalypto_research.local.testing import StandIn

NAMES = {"trade": ("trade_id",), "ticker": ("last_price",), "kline": ("interval", "close"), "orderbook": ("sequence_id",)}


def ask(standin, sql):
    user = urllib3.make_headers(basic_auth=f"{standin.username}:{standin.password}")
    answer = urllib3.request("POST", standin.url, body=sql, headers=user)
    assert answer.status == 200, answer.data
    return answer.data.decode()


def counted(standin, kind):
    """Return how often history has each row of a table."""
    names = ("toUnixTimestamp64Milli(timestamp)", "exchange", "symbol", *NAMES[kind])
    sql = f"SELECT {', '.join(names)} FROM market_data.market_data_{kind} FORMAT JSONCompactEachRow"
    return Counter(tuple(json.loads(line)) for line in ask(standin, sql).splitlines())


def told(messages, kind):
    """Return how often a stream has told of each row of a table."""
    found = Counter()
    for data in (message["data"] for message in messages if message["type"] == kind):
        at = data["_timestamps"]["exchange_event_time"]
        found[(at, data["exchange"], data["symbol"], *(data[name] for name in NAMES[kind]))] += 1
    return found


def test_what_is_streamed_is_what_comes_into_history(tmp_path, listen):
    made = generate(tmp_path, hours=0.1, rate=30, symbols=["BTCUSDT", "XRPUSDT"], exchanges=["binance", "okx"], block="6m")

    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("*")
            return [json.loads(text) for text in await client.all()], client.socket.close_reason

    with StandIn(tmp_path, at="2026-03-02 12:02", speed=0, http=True) as standin:
        before = {kind: counted(standin, kind) for kind in NAMES}
        messages, reason = asyncio.run(work(standin))
        after = {kind: counted(standin, kind) for kind in NAMES}
        now_ms = int(ask(standin, "SELECT toUnixTimestamp64Milli(now64(3))"))
    assert reason == "replay finished"
    assert now_ms == messages[-1]["data"]["_timestamps"]["websocket_sent"] >= utc("12:06").value // 1_000_000
    for kind in NAMES:
        assert sum(before[kind].values()) > 50
        assert sum(after[kind].values()) == made.rows[kind]
        assert told(messages, kind) == after[kind] - before[kind]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    write(root, "trade", [trade(f"12:00:{s:02}", trade_id=str(s), _seen=f"12:00:{s:02}.500") for s in range(60)])
    return root


def test_the_tables_have_a_row_so_long_after_it_was_streamed(archive, listen):
    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe("trade")
            return [json.loads(await client.raw())["data"]["trade_id"] for _ in range(2)]

    ids = "SELECT trade_id FROM market_data.market_data_trade ORDER BY timestamp"
    with StandIn(archive, at="2026-03-02 12:00:20.750", ingestion_delay="5s", http=True) as standin:
        assert ask(standin, ids).split()[-1] == "15"
        assert ask(standin, "SELECT now64(3)") == "2026-03-02 12:00:20.750\n"
        # The clock runs from the first subscription on: the stream is five seconds ahead of the tables.
        assert asyncio.run(work(standin)) == ["21", "22"]
        now, last = ask(standin, f"SELECT toUnixTimestamp64Milli(now64(3)), max(toInt64(trade_id)) FROM ({ids})").split()
    at = (int(now) - utc("12:00").value // 1_000_000) / 1000
    assert int(last) == int(at - 5.5)


def test_a_connection_over_the_wire_sees_the_same_clock(archive):
    with (
        StandIn(archive, at="2026-03-02 12:00:20.750", http=True) as standin,
        qr.connect(standin.url, username=standin.username, password=standin.password) as con,
    ):
        assert con.trades("BTCUSDT", minutes=1)["trade_id"].iloc[-1] == "20"
