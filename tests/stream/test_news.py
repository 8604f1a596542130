"""What is new beyond a cursor: each row once, whatever arrives, goes or is put anew meanwhile."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamed import Listened, book, kline, ticker, trade

import qalypto_research as qr
from qalypto_research.stream.news import Cursor, end_of, read_news, since


def ids(batch):
    return batch.trades["trade_id"].astype(int).tolist()


def test_batch_after_batch():
    live = Listened(trade("12:00:02", trade_id="1"), trade("12:00:01", trade_id="2"), ticker("12:00"))
    first = since(live)
    assert (ids(first), len(first.tickers), len(first), first.missed) == ([2, 1], 1, 3, 0)
    assert len(since(live, first.cursor)) == 0
    live.take(
        trade("12:00:00", trade_id="3"), trade("12:00:00", trade_id="3"), book("12:00"), trade("12:00", symbol="ETHUSDT", trade_id="4")
    )
    second = since(live, first.cursor)
    assert (ids(second), len(second.orderbook_tops), len(second)) == ([3, 4], 1, 3)
    assert ids(since(live, first.cursor)) == [3, 4]  # a cursor is a value
    assert repr(second) == "<Batch: 2 trades, 0 tickers, 0 klines, 1 orderbook_tops>"
    assert list(second.klines.columns)[-1] == "origin"


def test_of_a_candle_its_latest_update_if_it_has_changed():
    live = Listened(kline("12:00", 1.0), kline("12:01", 5.0))
    first = since(live)
    live.take(kline("12:00", 2.0, volume=2.0), kline("12:00", 3.0, volume=3.0, is_final=True), kline("12:00", 9.0, volume=9.0))
    second = since(live, first.cursor)
    assert second.klines["close"].tolist() == [3.0]
    assert len(since(live, second.cursor)) == 0


def test_rows_that_went_unread_are_counted():
    live = Listened(*(trade("12:00", trade_id=str(n)) for n in range(600)))
    cursor = since(live).cursor
    live.take(*(trade("12:00", trade_id=str(n)) for n in range(600, 2000)))
    live.intake.store.buffers()["trade", "BTCUSDT"].flush()
    live.intake.store.buffers()["trade", "BTCUSDT"].drop(1500)
    batch = since(live, cursor)
    assert (ids(batch), batch.missed) == (list(range(1500, 2000)), 900)
    assert repr(batch).endswith("; 900 missed>")
    assert since(live).missed == 0  # who has read nothing has missed nothing


def test_a_buffer_that_was_emptied_and_filled_anew_begins_anew():
    live = Listened(*(trade("12:00", trade_id=str(n)) for n in range(10)), keep_us=1_000_000)
    cursor = since(live).cursor
    live.intake.store.tidy(live.now_us + 2_000_000)
    assert live.intake.store.count() == 0
    live.now_us += 2_000_000
    live.take(*(trade("12:00", trade_id=str(n)) for n in range(20, 23)))
    assert ids(since(live, cursor)) == [20, 21, 22]


def test_unread_rows_of_a_symbol_that_is_gone_are_counted():
    live = Listened(trade("12:00", trade_id="0"), keep_us=1_000_000)
    cursor = since(live).cursor
    live.take(*(trade("12:00", trade_id=str(n)) for n in range(1, 6)))
    live.intake.store.tidy(live.now_us + 2_000_000)
    batch = since(live, cursor)
    assert (len(batch), batch.missed) == (0, 5)
    assert since(live, batch.cursor).missed == 0


def test_unread_candles_that_are_gone_are_counted_each_once():
    live = Listened(kline("11:00"), kline("12:00"), kline("12:01"), keep_us=1_000_000)
    cursor = since(live).cursor
    candles = live.intake.store.buffers()["kline", "BTCUSDT"]
    candles.drop(3)
    assert since(live, cursor).missed == 0  # all were read
    live.take(*(kline(f"12:0{n}", float(n), volume=float(v)) for n in (1, 2, 3) for v in (2, 3)))  # twice each
    candles.drop(1)
    batch = since(live, cursor)
    assert (batch.klines.index.minute.tolist(), batch.missed) == ([2, 3], 1)
    assert since(live, batch.cursor).missed == 0
    live.intake.store.tidy(live.now_us + 2_000_000)
    gone = since(live, cursor)
    assert (len(gone), gone.missed) == (0, 3)
    assert since(live, batch.cursor).missed == 0


def test_at_most_so_many_rows_the_newest():
    live = Listened(trade("12:00", trade_id="0"))
    cursor = end_of(live.intake)
    live.take(*(trade(f"12:00:0{n}", trade_id=str(n)) for n in range(1, 8)), ticker("12:00"))
    batch = read_news(live.intake, cursor, ["trade"], most=3)
    assert (ids(batch), batch.missed, len(batch.tickers)) == ([5, 6, 7], 4, 0)


@pytest.mark.parametrize(("cursor", "said"), [(7, "cursor: 7 is no cursor"), ("other", "cursor: is of another buffer; begin anew")])
def test_what_is_no_cursor_of_this_buffer(cursor, said):
    live = Listened(trade("12:00"))
    with pytest.raises(qr.errors.InputError, match=said):
        since(live, since(Listened()).cursor if cursor == "other" else cursor)


def test_a_cursor_says_how_far_it_is():
    assert repr(since(Listened(trade("12:00"), trade("12:01"))).cursor) == "<Cursor behind 2 rows and updates>"
    assert isinstance(since(Listened()).cursor, Cursor)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 1300), min_size=1, max_size=6))
def test_each_row_comes_once_whatever_the_steps(steps):
    live, cursor, seen, there = Listened(), None, [], 0
    for step in steps:
        live.take(*(trade("12:00", trade_id=str(n)) for n in range(there, there + step)))
        there += step
        batch = since(live, cursor)
        cursor = batch.cursor
        seen += ids(batch)
    assert seen == list(range(there))


def test_each_row_comes_once_while_another_thread_puts():
    live, over = Listened(), threading.Event()

    def put():
        for n in range(20_000):
            live.take(trade("12:00", trade_id=str(n)), kline("12:00", float(n), volume=float(n)))
        over.set()

    writer = threading.Thread(target=put)
    writer.start()
    cursor, seen, closes = None, [], []
    while True:
        ended = over.is_set()
        batch = since(live, cursor)
        cursor = batch.cursor
        seen += ids(batch)
        closes += batch.klines["close"].tolist()
        if ended:
            break
    writer.join()
    assert seen == list(range(20_000))
    assert closes[-1] == 19_999.0
    assert closes == sorted(set(closes))
