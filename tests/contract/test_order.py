"""Rows ascend by time; equal times stand in the table's total order."""

from __future__ import annotations

import numpy as np
import pytest
from archives import book, ticker, trade, write

pytestmark = pytest.mark.contract

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}


@pytest.mark.parametrize("name", ["trades", "tickers", "orderbook_tops", "orderbooks"])
def test_times_ascend_whatever_the_order_of_the_file(connect, tmp_path, name):
    table, row = {
        "trades": ("trade", trade),
        "tickers": ("ticker", ticker),
        "orderbook_tops": ("orderbook", book),
        "orderbooks": ("orderbook", book),
    }[name]
    minutes = np.random.default_rng(7).permutation(50)
    write(tmp_path, table, [row(f"12:{m:02}") for m in minutes])
    frame = getattr(connect(tmp_path), name)("BTCUSDT", **WINDOW)
    assert list(frame.index.minute) == list(range(50))


def test_equal_times_stand_by_exchange_then_symbol_by_spelling(connect, tmp_path):
    pairs = [("okx", "BTCUSDT"), ("bitget", "SOLUSDT"), ("bitget", "ETHUSDT"), ("binance", "ETHUSDT"), ("bitget", "BTCUSDT")]
    write(tmp_path, "trade", [trade("12:00", exchange=e, symbol=s) for e, s in pairs])
    frame = connect(tmp_path).trades(["ETHUSDT", "SOLUSDT", "BTCUSDT"], exchange="all", **WINDOW)
    assert list(zip(frame["exchange"], frame["symbol"], strict=True)) == [
        ("binance", "ETHUSDT"),
        ("bitget", "BTCUSDT"),
        ("bitget", "ETHUSDT"),
        ("bitget", "SOLUSDT"),
        ("okx", "BTCUSDT"),
    ]


@pytest.mark.parametrize(
    ("in_file", "expected"),
    [
        (["10", "9", "100"], ["9", "10", "100"]),
        (["b2", "10", "a10", "9", "a9"], ["9", "10", "a10", "a9", "b2"]),
        (["9999999999999999999", "18446744073709551614", "1"], ["1", "9999999999999999999", "18446744073709551614"]),
        (["3f-2a", "", "12"], ["12", "", "3f-2a"]),
    ],
    ids=["numbers", "mixed", "64 bits", "none and hex"],
)
def test_trades_of_equal_time_stand_by_id_numerically_where_numeric(connect, tmp_path, in_file, expected):
    write(tmp_path, "trade", [trade("12:00", trade_id=i) for i in in_file])
    assert list(connect(tmp_path).trades("BTCUSDT", **WINDOW)["trade_id"]) == expected


def test_ids_come_before_arrival(connect, tmp_path):
    rows = [trade("12:00", trade_id="11", _seen="12:00:01", _seq=1), trade("12:00", trade_id="2", _seen="12:00:02", _seq=2)]
    write(tmp_path, "trade", rows)
    assert list(connect(tmp_path).trades("BTCUSDT", **WINDOW)["trade_id"]) == ["2", "11"]


@pytest.mark.embedded
def test_equal_rows_stand_by_the_moment_seen(connect, tmp_path):
    seen = ["12:00:03", "12:00:01", "12:00:02.000001", "12:00:02"]
    write(tmp_path, "ticker", [ticker("12:00", n, _seen=s, _seq=9 - n) for n, s in enumerate(seen)])
    assert list(connect(tmp_path).tickers("BTCUSDT", **WINDOW)["last_price"]) == [1.0, 3.0, 2.0, 0.0]


@pytest.mark.embedded
def test_equal_moments_stand_by_sequence(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00", n, _seen="12:00:01", _seq=s) for n, s in enumerate([10, 9, 100])])
    assert list(connect(tmp_path).tickers("BTCUSDT", **WINDOW)["last_price"]) == [1.0, 0.0, 2.0]


@pytest.mark.embedded
@pytest.mark.parametrize(("name", "table", "row", "column"), [
    ("trades", "trade", trade, "price"),
    ("tickers", "ticker", ticker, "last_price"),
    ("orderbook_tops", "orderbook", book, "bid_price"),
    ("orderbooks", "orderbook", book, "bid_price_0"),
])  # fmt: skip
def test_without_a_record_of_arrival_equal_rows_keep_the_files_order(connect, tmp_path, name, table, row, column):
    prices = np.random.default_rng(3).permutation(3_000).astype(float)
    write(tmp_path, table, [row("12:00", p) for p in prices])
    assert list(getattr(connect(tmp_path), name)("BTCUSDT", **WINDOW)[column]) == list(prices)


@pytest.mark.parametrize("limit", [1, 4, 7])
def test_the_newest_rows_are_the_last_of_the_total_order(connect, tmp_path, limit):
    rows = [trade("12:00", float(n), trade_id=i) for n, i in enumerate(["10", "9", "", "x", "", "8", "9"])]
    write(tmp_path, "trade", rows)
    # By id: 8, 9 (row 1), 9 (row 6), 10, then the empty in file order, then x.
    assert list(connect(tmp_path).trades("BTCUSDT", limit=limit)["price"]) == [5.0, 1.0, 6.0, 0.0, 2.0, 4.0, 3.0][-limit:]
