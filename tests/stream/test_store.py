"""What has arrived, as frames: the contract, the order, one row a candle, repeated trades once, bounds, and nothing torn."""

from __future__ import annotations

import random
import threading
import tracemalloc
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamed import book, kline, stored, ticker, trade, us

import qalypto_research as qr
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TICKER, TRADE
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.store import Store

TIME = "datetime64[us, UTC]"
BESIDE = {"exchange_event_time": TIME, "websocket_sent": TIME, "producer_received": TIME, "received": TIME, "origin": "category"}
NAMES = dict.fromkeys(("exchange", "symbol"), "category")
NUMBERS = {
    "ticker": [
        "last_price",
        "bid_price",
        "ask_price",
        "bid_size",
        "ask_size",
        "high_24h",
        "low_24h",
        "volume_24h",
        "quote_volume_24h",
        "open_24h",
    ],
    "kline": ["open", "high", "low", "close", "volume", "quote_volume", "num_trades"],
    "orderbook": ["bid_price", "ask_price", "bid_size", "ask_size"],
}
OPEN = ["mark_price", "index_price", "open_interest", "open_interest_value"]
NUMBER = {kind: dict.fromkeys(names, "float64") for kind, names in NUMBERS.items()}
COLUMNS = {
    "trade": NAMES | {"price": "float64", "amount": "float64", "side": "category", "trade_id": "str", "is_liquidation": "bool"},
    "ticker": NAMES | NUMBER["ticker"] | {"funding_rate": "float64", "next_funding_time": TIME} | dict.fromkeys(OPEN, "float64"),
    "kline": NAMES | {"interval": "category"} | NUMBER["kline"] | {"close_time": TIME, "is_final": "bool"},
    "orderbook": NAMES | NUMBER["orderbook"] | {"is_snapshot": "bool", "sequence_id": "str"},
}
TABLES = {"trade": TRADE, "ticker": TICKER, "kline": KLINE, "orderbook": ORDERBOOK}
ONE = {"trade": trade("12:00"), "ticker": ticker("12:00"), "kline": kline("12:00"), "orderbook": book("12:00")}
CALLS = {"trade": "trades", "ticker": "tickers", "kline": "klines", "orderbook": "orderbook_tops"}

# --- The contract --------------------------------------------------------------------------------------------------


@pytest.mark.contract
@pytest.mark.embedded
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("kind", TABLES)
def test_columns_dtypes_and_index(kind, rows):
    frame = stored(*[ONE[kind]] * rows).frame(TABLES[kind])
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == list((COLUMNS[kind] | BESIDE).items())
    assert str(frame.index.dtype) == TIME
    assert frame.index.name == "timestamp"
    assert len(frame) == (1 if kind == "kline" else rows) * bool(rows)
    assert list(frame["exchange"].cat.categories) == ["binance", "bitget", "bybit", "okx"]
    assert list(frame["origin"].cat.categories) == ["live", "backfill", "history"]
    assert not frame["symbol"].cat.ordered


@pytest.mark.contract
@pytest.mark.embedded
@pytest.mark.parametrize("kind", TABLES)
def test_with_history_it_concatenates_without_a_cast(kind, connect):
    history = getattr(connect("sample"), CALLS[kind])("BTCUSDT", **({"interval": "1m"} if kind == "kline" else {}), minutes=5)
    live = stored(ONE[kind]).frame(TABLES[kind])
    both = pd.concat([history, live[history.columns]])
    assert both.dtypes.equals(history.dtypes)
    assert both.index.dtype == history.index.dtype
    assert len(both) == len(history) + 1


def test_every_value_comes_through():
    payload = ticker(
        "12:00:00.123",
        1.5,
        bid_price=1.25,
        next_funding_time="2026-03-02 16:00:00+00:00",
        open_24h=None,
        funding_rate=-5e-05,
        produced=us("12:00:00.2") / 1000 + 0.25,
    )
    row = stored(payload, received_us=us("12:00:01.000007")).frame(TICKER).reset_index().iloc[0]
    assert row["timestamp"] == row["exchange_event_time"] == pd.Timestamp("2026-03-02 12:00:00.123", tz="UTC")
    assert (row["last_price"], row["bid_price"], row["funding_rate"]) == (1.5, 1.25, -5e-05)
    assert np.isnan(row["open_24h"])
    assert np.isnan(row["mark_price"])
    assert row["next_funding_time"] == pd.Timestamp("2026-03-02 16:00", tz="UTC")
    assert row["websocket_sent"] == pd.Timestamp("2026-03-02 12:00:00.303", tz="UTC")
    assert row["producer_received"] == pd.Timestamp("2026-03-02 12:00:00.200250", tz="UTC")
    assert row["received"] == pd.Timestamp("2026-03-02 12:00:01.000007", tz="UTC")
    assert row["origin"] == "live"


def test_times_with_microseconds_are_floored_as_history_has_them():
    frame = stored(
        trade("12:00:00.999999"),
        trade("12:00:00.000999"),
        trade("12:00:00"),
        trade("2026-03-02T12:00:00.5Z"),
        trade("2026-03-02 13:00:00.250999+01:00"),
    ).frame(TRADE)
    assert [t.microsecond for t in frame.index] == [0, 0, 250_000, 500_000, 999_000]
    assert {t.floor("s") for t in frame.index} == {pd.Timestamp("2026-03-02 12:00", tz="UTC")}


def test_missing_times_are_missing():
    frame = stored(kline("12:00"), kline("12:01", close_time="2026-03-02 12:01:59.999000", num_trades=7)).frame(KLINE)
    assert frame["close_time"].tolist() == [pd.NaT, pd.Timestamp("2026-03-02 12:01:59.999", tz="UTC")]
    assert np.isnan(frame["num_trades"].iloc[0])
    assert frame["num_trades"].iloc[1] == 7.0


def test_names_beyond_the_documented_are_appended_for_that_frame():
    store = stored(trade("12:00", symbol="UNIUSDT"), trade("12:01", symbol="AAVEUSDT"), trade("12:02"))
    frame = store.frame(TRADE)
    assert list(frame["symbol"]) == ["UNIUSDT", "AAVEUSDT", "BTCUSDT"]
    assert list(frame["symbol"].cat.categories)[-2:] == ["AAVEUSDT", "UNIUSDT"]
    assert len(store.frame(TRADE, symbols=["BTCUSDT"])["symbol"].cat.categories) == 10
    united = qr.concat([frame, store.frame(TRADE, symbols=["BTCUSDT"])])
    assert str(united["symbol"].dtype) == "category"


def test_a_frame_is_the_users():
    store = stored(trade("12:00", trade_id="1"), trade("12:01", trade_id="2"))
    mine = store.frame(TRADE)
    mine.loc[:, "price"] = -1.0
    mine.iloc[0, mine.columns.get_loc("trade_id")] = "mine"
    del mine["side"]
    assert store.frame(TRADE)["price"].tolist() == [100.0, 100.0]
    assert store.frame(TRADE)["trade_id"].tolist() == ["1", "2"]


def test_what_is_asked_for():
    store = stored(
        *(
            trade(f"12:0{n}", symbol=s, exchange=e, trade_id=str(n))
            for n, (s, e) in enumerate([("BTCUSDT", "binance"), ("BTCUSDT", "okx"), ("ETHUSDT", "okx"), ("ETHUSDT", "bybit")])
        )
    )
    assert store.frame(TRADE, symbols=["ETHUSDT"])["trade_id"].tolist() == ["2", "3"]
    assert store.frame(TRADE, exchanges=["okx"])["trade_id"].tolist() == ["1", "2"]
    assert store.frame(TRADE, since_us=us("12:02"))["trade_id"].tolist() == ["2", "3"]
    assert store.frame(TRADE, symbols=["BTCUSDT"], exchanges=["bybit"]).empty
    assert store.frame(TRADE, symbols=["SOLUSDT"]).dtypes.equals(store.frame(TRADE).dtypes)


# --- Order ---------------------------------------------------------------------------------------------------------


def in_total_order(rows):
    """Return rows (time, exchange, symbol, id) as the contract has them: ids by number where they are one, then by spelling."""
    frame = pd.DataFrame(rows, columns=["t", "exchange", "symbol", "id"])
    frame["number"] = [int(i) if i.isdigit() and int(i) < 2**64 else 2**64 - 1 for i in frame["id"]]
    frame["number"] = frame["number"].astype("uint64")
    return frame.sort_values(["t", "exchange", "symbol", "number", "id"], kind="stable")["id"].tolist()


IDS = st.one_of(
    st.integers(0, 300).map(str),
    st.sampled_from(["abcdefgh", "abcdefgh-2", "abcdefgh-10", "abcdefgh-1", "b", "zz", "18446744073709551614", "9" * 20, "007"]),
    st.uuids().map(str),
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["okx", "binance", "kraken"]), st.sampled_from(["BTCUSDT", "ADAUSDT", "UNIUSDT"]), IDS
        ),
        max_size=40,
        unique_by=lambda r: (r[1], r[2], r[3]),
    )
)
def test_trades_stand_in_the_total_order(rows):
    store = stored(*(trade(f"12:00:0{t}", exchange=e, symbol=s, trade_id=i) for t, e, s, i in rows))
    assert store.frame(TRADE)["trade_id"].tolist() == in_total_order(rows)


def test_what_is_equal_stays_as_it_arrived():
    store = stored(*(trade("12:00", price=float(p)) for p in (5, 3, 4)), *(ticker("12:00", last_price=float(p)) for p in (5, 3, 4)))
    assert store.frame(TRADE)["price"].tolist() == store.frame(TICKER)["last_price"].tolist() == [5.0, 3.0, 4.0]


def test_many_with_ids_that_begin_alike():
    texts = [str(uuid.UUID(int=n)) for n in range(2000)]
    shuffled = random.Random(1).sample(texts, len(texts))  # noqa: S311 - to be repeated
    assert stored(*(trade("12:00", trade_id=i) for i in shuffled)).frame(TRADE)["trade_id"].tolist() == sorted(texts)


def test_candles_of_one_open_stand_by_their_length():
    store = stored(*(kline("12:00", interval=i) for i in ("1d", "1m", "1h", "5m")), kline("11:00", interval="12h"))
    assert store.frame(KLINE)["interval"].tolist() == ["12h", "1m", "5m", "1h", "1d"]


# --- Candles -------------------------------------------------------------------------------------------------------


def candle(*updates):
    """Return the one row that comes of updates (close, volume, final, produced)."""
    store = stored(*(kline("12:00", close, volume, is_final=final, produced=produced) for close, volume, final, produced in updates))
    frame = store.frame(KLINE)
    assert len(frame) == 1
    return frame["close"].iloc[0], bool(frame["is_final"].iloc[0])


NONE = None


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        ([(1.0, 1.0, False, 10.0), (2.0, 2.0, False, 20.0)], (2.0, False)),
        ([(2.0, 2.0, False, 20.0), (1.0, 1.0, False, 10.0)], (2.0, False)),  # overtaken on the way
        ([(1.0, 1.0, True, 10.0), (2.0, 2.0, False, 20.0)], (1.0, True)),
        ([(1.0, 1.0, True, 10.0), (2.0, 2.0, True, 20.0)], (2.0, True)),
        ([(2.0, 2.0, False, 10.0), (1.0, 1.0, False, 10.0)], (2.0, False)),
        ([(1.0, 1.0, False, 10.0), (2.0, 1.0, False, 10.0)], (2.0, False)),
    ],
)
def test_a_candle_is_its_latest_update_and_a_final_one_stays(updates, expected):
    assert candle(*updates) == expected


def test_where_the_producer_says_nothing_the_larger_volume_is_later():
    payloads = [kline("12:00", 2.0, 2.0), kline("12:00", 1.0, 1.0)]
    payloads = [p.replace(b'"producer_received"', b'"other"') for p in payloads]
    assert stored(*payloads).frame(KLINE)["close"].tolist() == [2.0]


def test_closed_candles_alone():
    store = stored(kline("12:00", is_final=True), kline("12:01"), kline("12:00", interval="5m"))
    assert store.frame(KLINE, final=True).index.tolist() == [pd.Timestamp("2026-03-02 12:00", tz="UTC")]
    assert store.frame(KLINE, intervals=["5m"])["interval"].tolist() == ["5m"]


# --- Repeated, bad, bounded ----------------------------------------------------------------------------------------


def test_a_repeated_trade_counts_once_and_one_without_an_id_each_time():
    store = stored(
        trade("12:00", trade_id="1"),
        trade("12:00:01", trade_id="1"),
        trade("12:00", trade_id="1", exchange="okx"),
        trade("12:00"),
        trade("12:00"),
    )
    frame = store.frame(TRADE)
    assert len(frame) == 4
    assert store.buffers()["trade", "BTCUSDT"].repeated == 1
    assert frame[frame["trade_id"] == "1"]["exchange"].tolist() == ["binance", "okx"]


def test_a_trade_that_was_let_go_of_may_come_again():
    store = stored(*(trade("12:00", trade_id=str(n)) for n in (1, 2)), keep_us=10, step_us=100)
    store.tidy(105)
    assert store.frame(TRADE)["trade_id"].tolist() == ["2"]
    for n in (1, 2):
        store.put(decode(trade("12:00", trade_id=str(n))), 200)
    assert store.frame(TRADE)["trade_id"].tolist() == ["1", "2"]


def test_what_makes_no_row_is_counted_and_costs_no_other():
    good = [trade(f"12:00:0{n}", trade_id=str(n)) for n in range(4)]
    # Their ids are those of good ones that come after them.
    bad = [good[n].replace(b"12:00:0%d" % n, text) for n, text in ((1, b"noon-ish"), (3, b"25:61:00"))]
    store = stored(good[0], bad[0], good[1], good[2], bad[1], good[3])
    assert store.frame(TRADE)["trade_id"].tolist() == ["0", "1", "2", "3"]
    assert store.bad == {"trade": 2}
    assert store.wrong["trade"].startswith("trade: ")
    sides = stored(book("12:00", sequence_id="1"), book("12:00", bids=((1.0,),), sequence_id="2"))
    assert sides.frame(ORDERBOOK)["sequence_id"].tolist() == ["1"]
    assert sides.bad == {"orderbook": 0} or not sides.bad  # only looked at so far
    sides.tidy(0)
    assert sides.bad == {"orderbook": 1}


def test_an_empty_side_has_no_best_price():
    row = stored(book("12:00", bids=())).frame(ORDERBOOK).iloc[0]
    assert np.isnan(row["bid_price"])
    assert (row["ask_price"], row["ask_size"]) == (101.0, 3.0)


def test_the_first_level_of_an_update_is_not_the_best():
    row = stored(book("12:00", is_snapshot=False)).frame(ORDERBOOK).iloc[0]
    assert np.isnan(row[["bid_price", "bid_size", "ask_price", "ask_size"]].astype(float)).all()
    assert not row["is_snapshot"]


@pytest.mark.parametrize(
    "when",
    [
        *("1772460105300", "2026", "2026-03", "noon", "", "2026-03-02 12:00:00.12345x", "1899-12-31 23:59:59", "2300-01-01 00:00:00"),
        "9" * 30,
    ],
)
def test_a_time_that_is_none_makes_no_row(when):
    payload = trade("12:00:00").replace(b"2026-03-02 12:00:00", b"2026-03-02 12:00:00")
    content = payload.replace(b'"timestamp": "2026-03-02 12:00:00", "exchange"', b'"timestamp": "%s", "exchange"' % when.encode())
    assert content != payload
    store = stored(trade("12:00:01", trade_id="a"), content)
    assert store.frame(TRADE)["trade_id"].tolist() == ["a"]
    assert store.bad == {"trade": 1}


def test_other_times_of_candles_and_quotes_are_floored_too():
    frame = stored(kline("12:00", close_time="2026-03-02 12:00:59.999999")).frame(KLINE)
    assert frame["close_time"].tolist() == [pd.Timestamp("2026-03-02 12:00:59.999", tz="UTC")]


def test_a_candle_with_a_bad_update_stays_as_it_was():
    store = stored(kline("12:00", 1.0, is_final=True), kline("12:00", 2.0, is_final=True, close_time="noon"))
    for _ in range(3):
        assert store.frame(KLINE)["close"].tolist() == [1.0]
    assert store.bad == {"kline": 1}


def test_one_candle_however_its_open_is_written():
    store = stored(
        *(
            kline(when, float(n))
            for n, when in enumerate(("12:01:00", "2026-03-02T12:01:00", "12:01:00.000000", "2026-03-02 13:01:00+01:00"))
        )
    )
    assert store.frame(KLINE)["close"].tolist() == [3.0]


def test_the_order_holds_to_the_ends_of_time():
    whens = ["2299-12-31 23:59:59", "1969-12-31 23:59:59.999", "2026-03-02 12:00:00", "1900-01-01 00:00:00"]
    frame = stored(*(ticker(when, float(n)) for n, when in enumerate(whens))).frame(TICKER)
    assert frame["last_price"].tolist() == [3.0, 1.0, 2.0, 0.0]


def test_the_order_holds_with_more_names_than_there_are():
    store = stored(*(ticker("12:00", float(n), symbol=f"S{n:04}USDT", exchange=f"e{n % 3}") for n in range(2_000)))
    frame = store.frame(TICKER)
    assert list(zip(frame["exchange"], frame["symbol"], strict=True)) == sorted(zip(frame["exchange"], frame["symbol"], strict=True))


def test_what_is_let_go_of_gives_its_room_back():
    tracemalloc.start()
    store = stored(
        *(book(f"12:{n // 60:02}:{n % 60:02}", [(99.0 - k, 1.5) for k in range(20)], sequence_id=str(n)) for n in range(3_000)), keep_us=10
    )
    before = tracemalloc.get_traced_memory()[0]
    counted = store.nbytes
    store.tidy(10**9)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert not store.buffers()
    assert store.nbytes == 0
    # What is counted is what it takes, and it is given back.
    assert before - after > 0.6 * counted


def test_looking_changes_nothing_and_may_be_broken_off_anywhere():
    store = stored(*(trade("12:00", trade_id=str(n)) for n in range(100)))
    for _ in range(3):
        assert len(store.frame(TRADE)) == 100
    (ticks,) = store.buffers().values()
    view, pending = ticks._published
    assert (len(view), len(pending)) == (0, 100)


def test_a_clock_set_back_does_not_make_rows_older():
    store = Store(keep_us=100, max_bytes=10**9)
    for received, name in ((1_000, "a"), (10, "b"), (1_050, "c")):
        store.put(decode(trade("12:00", trade_id=name)), received)
    store.tidy(1_101)
    assert store.frame(TRADE)["trade_id"].tolist() == ["c"]


def test_the_candles_that_go_first_are_those_that_changed_first_whatever_the_clock_says():
    store = Store(keep_us=100, max_bytes=10**9)
    for received, minute in ((1_000, 0), (1_010, 1), (10, 0), (20, 2), (1_050, 3)):
        store.put(decode(kline(f"12:0{minute}", volume=float(received < 100))), received)
    store.buffers()["kline", "BTCUSDT"].drop(1)
    assert store.frame(KLINE).index.minute.tolist() == [0, 2, 3]
    store.tidy(1_101)
    assert store.frame(KLINE).index.minute.tolist() == [3]


def test_many_small_series_are_bounded_too():
    store = stored(*(ticker(f"12:00:{n}", symbol=f"S{k}USDT") for n in range(10, 30) for k in range(50)), max_bytes=10**9)
    store.tidy(0)
    store.bound(10**9, store.nbytes // 2)
    store.tidy(0)
    assert store.nbytes <= store.max_bytes
    assert 400 <= store.count() < 600


def test_rows_go_by_their_age_since_they_arrived():
    store = stored(*(trade("12:00", trade_id=str(n)) for n in range(2000)), *(kline(f"12:0{n}") for n in range(5)), keep_us=500)
    store.tidy(2004)
    assert store.frame(TRADE)["trade_id"].astype(int).min() == 1504
    assert len(store.frame(KLINE)) == 5
    store.tidy(2502)
    assert store.frame(KLINE).index.minute.tolist() == [2, 3, 4]
    assert ("trade", "BTCUSDT") not in store.buffers()
    assert store.buffers()["kline", "BTCUSDT"].dropped == 2


def test_where_there_is_too_much_the_busy_ones_oldest_rows_go_and_a_quiet_one_stays():
    busy = [trade(f"12:{n // 60:02}:{n % 60:02}", trade_id=str(n)) for n in range(3000)]
    store = stored(trade("12:00", symbol="DOTUSDT"), *busy, book("12:00"), max_bytes=100_000)
    before = store.nbytes
    store.tidy(0)
    assert before > 100_000 >= store.nbytes > 50_000
    assert len(store.frame(TRADE, symbols=["DOTUSDT"])) == len(store.frame(ORDERBOOK)) == 1
    kept = store.frame(TRADE, symbols=["BTCUSDT"])["trade_id"].astype(int).tolist()
    assert kept == list(range(kept[0], 3000))


def test_room_that_no_row_takes_is_given_back_before_rows_are_let_go_of():
    store = stored(*(book(f"12:{n // 60:02}:{n % 60:02}", sequence_id=str(n)) for n in range(2_100)), max_bytes=10**12)
    store.tidy(0)
    room = store.nbytes
    store.bound(10**12, int(0.7 * room))
    store.tidy(0)
    assert store.count() == 2_100
    assert store.nbytes <= 0.7 * room
    store.bound(10**12, int(0.1 * room))
    store.tidy(0)
    assert store.nbytes <= 0.1 * room
    assert 100 < store.count() == 2_100 - store.dropped


def test_the_memory_that_rows_take_stays_within_their_bounds():
    """As tracemalloc counts it, and also while the rows, far more than there is room for, roll on."""
    most = 4_000_000
    store = Store(keep_us=10**15, max_bytes=most)
    sides = [(99.0 - k, 1.5) for k in range(20)]
    messages = [decode(book(f"12:{n // 60:02}:{n % 60:02}", sides, sequence_id=str(n))) for n in range(2_000)]
    taken = []
    tracemalloc.start()
    for n in range(20_000):
        store.put(messages[n % len(messages)], n)
        if n % 500 == 0:
            store.tidy(n)
            taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(taken) < 1.1 * most
    assert min(taken[10:]) > 0.5 * most


# --- Nothing torn, nothing shared ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
def test_snapshots_are_never_torn_and_never_change():
    """Each row says the same thing in every column; a snapshot is looked at again once much has gone on behind it."""
    store = Store(keep_us=10**9, max_bytes=2_000_000)
    messages = [decode(trade(f"12:{n // 60 % 60:02}:{n % 60:02}", float(n), float(n), trade_id=str(n))) for n in range(20_000)]
    stop = threading.Event()

    def put():
        n = 0
        while not stop.is_set():
            message = messages[n % len(messages)]
            store.put(message, n)
            n += 1
            if n % 5_000 == 0:
                for buffer in store.buffers().values():
                    buffer.drop(3_000)
                store.tidy(n)

    thread = threading.Thread(target=put)
    thread.start()
    kept = []
    try:
        for _ in range(200):
            frame = store.frame(TRADE)
            kept.append((frame, frame.copy(deep=True)))
    finally:
        stop.set()
        thread.join()
    assert sum(len(frame) for frame, _ in kept) > 10_000
    for frame, copy in kept:
        numbers = frame["trade_id"].astype(int)
        assert (frame["price"] == numbers).all()
        assert (frame["amount"] == numbers).all()
        assert frame.equals(copy)


@pytest.mark.usefixtures("hurried")
def test_nothing_is_lost_between_whoever_puts_in_and_whoever_looks():
    store = Store(keep_us=10**15, max_bytes=10**12)
    messages = [decode(trade("12:00:00", float(n), trade_id=str(n))) for n in range(30_000)]
    thread = threading.Thread(target=lambda: [store.put(message, n) for n, message in enumerate(messages)])
    thread.start()
    while thread.is_alive():
        store.frame(TRADE)
    assert store.frame(TRADE)["trade_id"].astype(int).tolist() == list(range(30_000))
