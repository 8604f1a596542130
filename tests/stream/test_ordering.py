"""The order of rows while they come late, are let go of, move, and are looked at in between: what is remembered is never wrong."""

from __future__ import annotations

import random
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamed import stored, ticker, trade

from qalypto_research.schema.tables import TICKER, TRADE
from qalypto_research.stream import columns
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.store import Store

SYMBOLS = ["BTCUSDT", "ADAUSDT", "UNIUSDT"]
EXCHANGES = ["okx", "binance", "kraken"]
IDS = ["7", "10", "007", "0000000000001", "000000000001", "abcdefgh-2", "abcdefgh-10", "abcdefgh", "z", "", "", "9" * 20]


def sorted_by_pandas(rows):
    """Return the numbers (time, exchange, symbol, id, number) that rows have, in the total order; they are given as they arrived."""
    frame = pd.DataFrame(rows, columns=["t", "exchange", "symbol", "id", "n"])
    frame["number"] = np.array([int(i) if i.isdigit() and int(i) < 2**64 else 2**64 - 1 for i in frame["id"]], "uint64")
    return frame.sort_values(["t", "exchange", "symbol", "number", "id"], kind="stable")["n"].tolist()


def put(store, t, exchange, symbol, trade_id, n):
    when = f"12:{t // 60:02}:{t % 60:02}"
    store.put(decode(trade(when, price=float(n), exchange=exchange, symbol=symbol, trade_id=trade_id)), n)


PUT = st.tuples(st.integers(0, 5), st.sampled_from(EXCHANGES), st.sampled_from(SYMBOLS), st.sampled_from(IDS))
STEP = st.one_of(st.lists(PUT, max_size=12), st.sampled_from(["look", "flush"]), st.tuples(st.just("drop"), st.integers(1, 9)))


@given(st.lists(STEP, max_size=25))
def test_whatever_comes_and_goes_between_two_looks(steps):
    with pytest.MonkeyPatch.context() as patch:
        # So that rows move to other arrays all the time.
        patch.setattr(columns, "_LEAST", 2)
        go_through(steps)


def go_through(steps):
    """Look at each symbol's rows by themselves, and at all together, since that is how they are merged."""
    store, kept, n = Store(keep_us=10**15, max_bytes=10**12), {symbol: [] for symbol in SYMBOLS}, 0
    for step in [*steps, "look"]:
        if isinstance(step, list):
            for row in step:
                before = store.buffers().get(("trade", row[2]))
                repeated = 0 if before is None else before.repeated
                put(store, *row, n)
                if store.buffers()["trade", row[2]].repeated == repeated:
                    kept[row[2]].append((*row, n))
                n += 1
        elif step == "flush":
            for buffer in store.buffers().values():
                buffer.flush()
        elif step == "look":
            for symbol in SYMBOLS:
                assert store.frame(TRADE, symbols=[symbol])["price"].tolist() == sorted_by_pandas(kept[symbol])
            buffered = [row for symbol in SYMBOLS for row in kept[symbol]]
            assert store.frame(TRADE)["price"].tolist() == sorted_by_pandas(buffered)
            only = [row for row in buffered if row[1] == "okx"]
            assert store.frame(TRADE, exchanges=["okx"])["price"].tolist() == sorted_by_pandas(only)
        else:
            for (_, symbol), buffer in store.buffers().items():
                buffer.flush()
                buffer.drop(step[1])
                del kept[symbol][: step[1]]


def test_a_rolling_buffer_far_beyond_its_first_room(monkeypatch):
    """Rows move to larger arrays and back, some come an age late, and each look finds the order of the look before."""
    monkeypatch.setattr(columns, "_LEAST", 16)
    chance, kept = random.Random(3), []  # noqa: S311 - to be repeated
    store = Store(keep_us=10**15, max_bytes=10**12)
    for n in range(6_000):
        t = max(0, n // 4 - chance.choice([0, 1, 2] * 100 + [900]))
        row = (t, chance.choice(EXCHANGES), "BTCUSDT", str(n) if n % 3 else f"abcdefgh-{n}")
        put(store, *row, n)
        kept.append((*row, n))
        if n % 34 == 0:
            count = 4_000 if n == 5_100 else chance.choice([0, 0, 5, 30])
            (buffer,) = store.buffers().values()
            buffer.flush()
            buffer.drop(count)
            del kept[:count]
        if n % 17 == 0:
            assert store.frame(TRADE)["price"].tolist() == sorted_by_pandas(kept)
    assert store.buffers()["trade", "BTCUSDT"].dropped > 4_000


def test_who_looks_at_an_older_view_than_the_one_before_finds_its_order():
    seconds = [30, 10, 50, 20, 40, 0, 25, 15]
    store = stored(*(ticker(f"12:00:{s:02}", float(s)) for s in seconds[:6]))
    (buffer,) = store.buffers().values()
    buffer.flush()
    (older,) = buffer.views()
    for s in seconds[6:]:
        store.put(decode(ticker(f"12:00:{s:02}", float(s))), 10)
    buffer.flush()
    assert store.frame(TICKER)["last_price"].tolist() == [0.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0]
    for view, expected in (
        (older, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
        (older.since(older.start + 2), [0.0, 20.0, 40.0, 50.0]),
        (older.since(older.start + 3), [0.0, 20.0, 40.0]),
        (older, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
    ):
        buffer.views = lambda view=view: [view]
        assert store.frame(TICKER)["last_price"].tolist() == expected


def test_ids_that_are_one_number_stand_by_their_spelling():
    store = stored(*(trade("12:00", trade_id=i) for i in ("0000000000001", "2", "000000000001", "00000000000001", "1")))
    assert store.frame(TRADE)["trade_id"].tolist() == ["00000000000001", "0000000000001", "000000000001", "1", "2"]


def test_a_snapshot_shares_nothing_with_another():
    store = stored(*(trade(f"12:00:0{n}", float(n), trade_id=str(n)) for n in (2, 1, 3)))
    (buffer,) = store.buffers().values()
    buffer.flush()
    one, two = store.frame(TRADE), store.frame(TRADE)
    (view,) = buffer.views()
    for name in ("price", "is_liquidation", "received"):
        mine = one[name].array
        mine = np.asarray(mine.view("i8")) if name == "received" else np.asarray(mine)
        assert not np.shares_memory(mine, view.arrays[name])
        assert not np.shares_memory(mine, np.asarray(two[name].array.view("i8") if name == "received" else two[name].array))
    assert not np.shares_memory(np.asarray(one.index.asi8), view.arrays["timestamp"])
    assert not np.shares_memory(np.asarray(one.index.asi8), view.known.order[2])


@pytest.mark.usefixtures("hurried")
def test_the_order_holds_for_several_who_look_while_one_puts_in_and_lets_go():
    store, wrong, stop = Store(keep_us=10**15, max_bytes=10**12), [], threading.Event()
    messages = [decode(trade(f"12:{n // 60 % 60:02}:{n % 60:02}", float(n), trade_id=str(n))) for n in range(3_600)]
    chance = random.Random(5)  # noqa: S311 - to be repeated
    late = [messages[max(0, n - chance.choice([0, 0, 1, 40]))] for n in range(3_600)]

    def look():
        while not stop.is_set():
            frame = store.frame(TRADE)
            if not (frame.index.is_monotonic_increasing and (frame["price"].diff().dropna() > 0).all()):
                wrong.append(frame)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(15_000):
        store.put(late[n % 3_600], n)
        if n % 300 == 299:
            (buffer,) = store.buffers().values()
            buffer.flush()
            buffer.drop(250)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
