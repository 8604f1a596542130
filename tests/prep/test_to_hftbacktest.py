"""Trades and books as hftbacktest takes them, held by orders in its exchange that are reckoned by hand."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qalypto_research as qr
from qalypto_research.prep.engines.events import _in_both_orders

to_hftbacktest = qr.prep.to_hftbacktest

SECOND = 1_000_000_000
MS = 1_000_000
DAY = pd.Timestamp("2026-03-02", tz="UTC").value
"""Times are given in seconds from then."""


@pytest.fixture(scope="module")
def hft():
    import hftbacktest  # noqa: PLC0415 - loads numba

    return hftbacktest


def over(rows, columns, received):
    index = pd.DatetimeIndex([pd.Timestamp(DAY + round(row[0] * SECOND), tz="UTC") for row in rows], tz="UTC")
    frame = pd.DataFrame({"exchange": "binance", "symbol": "BTCUSDT", **columns}, index=index.as_unit("us").rename("timestamp"))
    if received is not None:
        frame["received"] = pd.DatetimeIndex([pd.Timestamp(DAY + round(at * SECOND), tz="UTC") for at in received], tz="UTC").as_unit("us")
    return frame.astype({"exchange": "category", "symbol": "category"})


def trades_of(*rows, received=None):
    """Return trades from (second, side, price, amount)."""
    columns = {
        "price": np.array([row[2] for row in rows], "float64"),
        "amount": np.array([row[3] for row in rows], "float64"),
        "side": pd.Categorical([row[1] for row in rows], categories=["buy", "sell"]),
        "trade_id": pd.Series([str(i) for i in range(len(rows))], dtype="str").array,
        "is_liquidation": False,
    }
    return over(rows, columns, received)


def books_of(*rows, received=None, levels=4):
    """Return books from (second, is_snapshot, bids, asks)."""
    columns = {}
    for level in range(levels):
        for side, place in (("bid", 2), ("ask", 3)):
            for field, name in enumerate(("price", "size")):
                values = [row[place][level][field] if level < len(row[place]) else np.nan for row in rows]
                columns[f"{side}_{name}_{level}"] = np.array(values, "float64")
    columns["is_snapshot"] = np.array([bool(row[1]) for row in rows])
    columns["sequence_id"] = pd.Series([str(i) for i in range(len(rows))], dtype="str").array
    return over(rows, columns, received)


BOOK = (1, True, [(100.0, 5), (99.9, 6)], [(100.1, 4), (100.2, 8)])


@pytest.fixture
def replay(hft):
    """Return a function that starts the engine on events: orders take 10 ms to the exchange and 10 ms back; no fees."""
    running = []

    def start(events, *, tick=0.1, lot=1.0):
        asset = (
            hft.BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(10 * MS, 10 * MS)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(tick)
            .lot_size(lot)
        )
        running.append((hft.HashMapMarketDepthBacktest([asset]), events))  # the engine reads the array in place
        running[-1][0].elapse(0)  # to its first event; before that it has no time
        return running[-1][0]

    yield start
    for engine, _ in running:
        engine.close()


def go_to(engine, second):
    """Let the engine run to a moment."""
    engine.elapse(DAY + round(second * SECOND) - engine.current_timestamp)


def top(engine):
    depth = engine.depth(0)
    return [round(depth.best_bid, 6), depth.best_bid_qty, round(depth.best_ask, 6), depth.best_ask_qty]


def since(timestamp):
    """Return a timestamp of the engine in seconds."""
    return (timestamp - DAY) / SECOND


# --- In the engine ----------------------------------------------------------------------------------------------------


def test_an_order_takes_the_best_of_the_book(hft, replay):
    """Bought at the ask of 100.1, sold after the book moved up at the bid of 100.3."""
    books = books_of(BOOK, (2, True, [(100.3, 2)], [(100.4, 3)]), (4, False, [(100.3, 3)], []))
    engine = replay(to_hftbacktest(trades_of((3, "buy", 100.4, 1)), books, tick_size=0.1, lot_size=1, latency="20ms"))
    go_to(engine, 1.5)
    engine.submit_buy_order(0, 1, 101.0, 2.0, hft.GTC, hft.LIMIT, False)  # noqa: FBT003 - numba takes them by place
    go_to(engine, 1.6)
    bought = engine.orders(0).get(1)
    assert (bought.status, round(bought.exec_price, 6), bought.exec_qty, since(bought.exch_timestamp)) == (hft.FILLED, 100.1, 2.0, 1.51)
    go_to(engine, 3)
    engine.submit_sell_order(0, 2, 99.0, 2.0, hft.GTC, hft.LIMIT, False)  # noqa: FBT003
    go_to(engine, 3.5)
    sold = engine.orders(0).get(2)
    assert (sold.status, round(sold.exec_price, 6), since(sold.exch_timestamp)) == (hft.FILLED, 100.3, 3.01)
    state = engine.state_values(0)
    assert (state.position, round(state.balance, 6), state.num_trades) == (0.0, 0.4, 2)  # 2 * (100.3 - 100.1)


def test_an_order_waits_in_the_queue(hft, replay):
    """Behind 5 at 100.0: 2 are sold to it, and the book has them off (3 left, not 1); then 2, and 2 more, of which 1 is ours."""
    books = books_of(BOOK, (3, False, [(100.0, 3)], []), (9, False, [(99.9, 5)], []))
    trades = trades_of((3, "sell", 100.0, 2), (4, "sell", 100.0, 2), (5, "buy", 100.1, 4), (6, "sell", 100.0, 2))
    engine = replay(to_hftbacktest(trades, books, tick_size=0.1, lot_size=1, latency="20ms"))
    go_to(engine, 2)
    engine.submit_buy_order(0, 1, 100.0, 1.0, hft.GTC, hft.LIMIT, False)  # noqa: FBT003
    go_to(engine, 5.9)
    assert engine.orders(0).get(1).status == hft.NEW
    go_to(engine, 6.2)
    filled = engine.orders(0).get(1)
    assert (filled.status, round(filled.exec_price, 6), since(filled.exch_timestamp)) == (hft.FILLED, 100.0, 6.0)
    assert engine.state_values(0).position == 1.0


def test_a_snapshot_bounds_the_queue(hft, replay):
    """Behind 5 at 100.0, of which a snapshot leaves 3: the fourth that is sold is ours."""
    books = books_of(BOOK, (3, True, [(100.0, 3)], [(100.1, 4)]), (9, False, [(99.9, 5)], []))
    events = to_hftbacktest(trades_of((4, "sell", 100.0, 3), (5, "sell", 100.0, 1)), books, tick_size=0.1, lot_size=1, latency="20ms")
    engine = replay(events)
    go_to(engine, 2)
    engine.submit_buy_order(0, 1, 100.0, 1.0, hft.GTC, hft.LIMIT, False)  # noqa: FBT003
    go_to(engine, 4.9)
    assert engine.orders(0).get(1).status == hft.NEW
    go_to(engine, 5.2)
    assert engine.orders(0).get(1).status == hft.FILLED


def test_nothing_is_seen_before_it_arrives(replay):
    """The trap that the docstring names: with no latency the book of 2.0 is there at 2.0."""
    trades, books = trades_of((3, "buy", 100.3, 1)), books_of(BOOK, (2, True, [(100.2, 7)], [(100.3, 1)]))
    late, early = (
        replay(to_hftbacktest(trades, books, tick_size=0.1, lot_size=1, latency=latency))
        for latency in ("250ms", "0s")  # and after
    )
    for engine in (late, early):
        go_to(engine, 2.2)
    assert top(late) == [100.0, 5.0, 100.1, 4.0]
    assert top(early) == [100.2, 7.0, 100.3, 1.0]
    go_to(late, 2.3)
    assert top(late) == [100.2, 7.0, 100.3, 1.0]


def test_what_overtakes_on_the_way_is_seen_first_and_happened_last(hft, replay):
    """The ask of 100.1 goes at 2.000 (seen at 2.050) and is back at 2.001 (seen at 2.030)."""
    books = books_of(
        BOOK, (2, False, [], [(100.1, 0)]), (2.001, False, [], [(100.1, 9)]), (5, False, [(99.9, 5)], []), received=[1.01, 2.05, 2.03, 5.01]
    )
    events = to_hftbacktest(trades_of((3, "buy", 100.1, 1), received=[3.01]), books, tick_size=0.1, lot_size=1)
    engine = replay(events)
    go_to(engine, 2.04)
    assert top(engine) == [100.0, 5.0, 100.1, 9.0]
    go_to(engine, 2.06)
    assert top(engine) == [100.0, 5.0, 100.2, 8.0]
    engine.submit_buy_order(0, 1, 101.0, 1.0, hft.GTC, hft.LIMIT, False)  # noqa: FBT003
    go_to(engine, 2.2)
    assert round(engine.orders(0).get(1).exec_price, 6) == 100.1  # at the exchange it was back


def test_the_book_of_the_engine_is_the_rebuilt_one(replay):
    books = books_of(
        BOOK,
        (2, False, [(100.0, 0), (99.8, 1)], [(100.1, 0), (100.3, 2)]),
        (3, False, [(100.2, 2)], [(100.2, 0)]),  # the bid moves to where an ask was
        (4, True, [(100.1, 3)], [(100.4, 4)]),
        (5, False, [(100.2, 1)], []),
        (9, False, [(100.2, 2)], []),
    )
    engine = replay(to_hftbacktest(trades_of((6, "buy", 100.4, 1)), books, tick_size=0.1, lot_size=1, latency="1ms"))
    rebuilt = qr.prep.rebuild(books)
    for row, second in enumerate((1, 2, 3, 4, 5)):
        go_to(engine, second + 0.5)
        assert top(engine) == rebuilt[["bid_price_0", "bid_size_0", "ask_price_0", "ask_size_0"]].iloc[row].tolist()
    depth = engine.depth(0)
    assert [depth.bid_qty_at_tick(tick) for tick in range(997, 1005)] == [0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 0.0, 0.0]
    assert [depth.ask_qty_at_tick(tick) for tick in range(997, 1005)] == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0]


@pytest.mark.parametrize(
    ("name", "symbol", "tick", "lot", "moments"),
    [("bybit_linear_xrp_book_20241201", "XRPUSDT", 0.0001, 1.0, 50), ("bybit_linear_20210417", "DOTUSDT", 0.005, 0.1, 407)],
)
def test_recorded_books_give_the_recorded_tops(recorded, connect, replay, tmp_path, name, symbol, tick, lot, moments):
    if not (recorded / name).is_dir():
        pytest.skip(f"no such recorded case: {recorded / name}")
    (tmp_path / "orderbook").mkdir()
    shutil.copyfile(recorded / name / "orderbook_top20.parquet", tmp_path / "orderbook" / "x.parquet")
    con = connect(recorded / name)
    books = con.orderbooks(symbol, depth=1_000, limit=5_000)
    trades = con.trades(symbol, limit=5_000) if "2021" in name else trades_of()
    events = to_hftbacktest(trades, books, tick_size=tick, lot_size=lot, latency="1ms")
    engine = replay(events, tick=tick, lot=lot)
    expected = connect(tmp_path).orderbooks(symbol, depth=20, limit=5_000)
    expected = expected[~expected.index.duplicated(keep="last")]
    seen = 0
    for moment, row in expected[["bid_price_0", "bid_size_0", "ask_price_0", "ask_size_0"]].iterrows():
        engine.elapse(moment.value + 1 * MS - engine.current_timestamp)
        assert top(engine) == row.tolist()
        seen += 1
    assert seen == moments


# --- The array --------------------------------------------------------------------------------------------------------


def test_the_array_is_of_the_engines_own_dtype_and_in_its_order(hft):
    from hftbacktest.data import validate_event_order  # noqa: PLC0415
    from hftbacktest.types import event_dtype  # noqa: PLC0415

    trades = trades_of((1, "sell", 100.0, 2), (1, "sell", 99.9, 1), (2, "buy", 100.1, 1))
    books = books_of(BOOK, (2, False, [(99.9, 0), (99.7, 1)], [(100.1, 3), (100.2, 0)]))
    before = trades.copy(), books.copy()
    events = to_hftbacktest(trades, books, tick_size=0.1, lot_size=1, latency="20ms")
    assert events.dtype == event_dtype
    validate_event_order(events)
    both, buy, sell = hft.EXCH_EVENT | hft.LOCAL_EVENT, hft.BUY_EVENT, hft.SELL_EVENT
    expected = [
        (both | hft.TRADE_EVENT | sell, 1, 100.0, 2.0),
        (both | hft.TRADE_EVENT | sell, 1, 99.9, 1.0),
        (both | hft.DEPTH_CLEAR_EVENT, 1, 0.0, 0.0),
        (both | hft.DEPTH_SNAPSHOT_EVENT | buy, 1, 100.0, 5.0),
        (both | hft.DEPTH_SNAPSHOT_EVENT | buy, 1, 99.9, 6.0),
        (both | hft.DEPTH_SNAPSHOT_EVENT | sell, 1, 100.1, 4.0),
        (both | hft.DEPTH_SNAPSHOT_EVENT | sell, 1, 100.2, 8.0),
        (both | hft.TRADE_EVENT | buy, 2, 100.1, 1.0),
        (both | hft.DEPTH_EVENT | buy, 2, 99.9, 0.0),
        (both | hft.DEPTH_EVENT | sell, 2, 100.2, 0.0),
        (both | hft.DEPTH_EVENT | buy, 2, 99.7, 1.0),
        (both | hft.DEPTH_EVENT | sell, 2, 100.1, 3.0),
    ]
    assert [(int(row["ev"]), since(int(row["exch_ts"])), row["px"], row["qty"]) for row in events] == expected
    assert (events["local_ts"] - events["exch_ts"] == 20 * MS).all()
    assert not any(events[name].any() for name in ("order_id", "ival", "fval"))
    for frame, as_it_was in zip((trades, books), before, strict=True):
        pd.testing.assert_frame_equal(frame, as_it_was)


def test_no_trades_are_no_mistake():
    assert len(to_hftbacktest(trades_of(), books_of(BOOK), tick_size=0.1, lot_size=1, latency="0s")) == 5


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_each_place_has_every_event_once_and_in_its_order(moments):
    events = np.zeros(len(moments), to_hftbacktest(trades_of(), books_of(BOOK), tick_size=0.1, lot_size=1, latency="0s").dtype)
    events["exch_ts"] = sorted(at for at, _ in moments)
    events["local_ts"] = events["exch_ts"] + [way for _, way in moments]
    events["order_id"] = np.arange(len(moments))
    out = _in_both_orders(events)
    exchange, local = (out[(out["ev"] >> bit) & 1 == 1] for bit in (31, 30))
    assert exchange["order_id"].tolist() == list(range(len(moments)))
    assert local["order_id"].tolist() == sorted(range(len(moments)), key=lambda i: events["local_ts"][i])
    if (np.diff(events["local_ts"]) >= 0).all():
        assert len(out) == len(events)


# --- What is refused --------------------------------------------------------------------------------------------------

TRADES = trades_of((2, "sell", 100.0, 2), (3, "buy", 100.1, 1))
BOOKS = books_of(BOOK, (2, False, [(99.9, 0)], [(100.1, 3)]))
GOOD = {"trades": TRADES, "books": BOOKS, "tick_size": 0.1, "lot_size": 1, "latency": "20ms"}

MISTAKES = {
    "unsorted trades": ({"trades": TRADES[::-1]}, "trades: is not in order of time"),
    "unsorted books": ({"books": BOOKS[::-1]}, "books: is not in order of time"),
    "candles": (
        {"trades": TRADES.drop(columns="amount")},
        "trades: 'amount' is not known; allowed: exchange, .*trades has no column 'amount'",
    ),
    "no books": ({"books": BOOKS[:0]}, "books: has no rows"),
    "two symbols": ({"trades": TRADES.assign(symbol=["BTCUSDT", "ETHUSDT"])}, "trades: mixes 2 symbols"),
    "two symbols of books": ({"books": BOOKS.assign(symbol=["BTCUSDT", "ETHUSDT"])}, "books: mixes 2 symbols"),
    "another symbol": ({"trades": TRADES.assign(symbol="ETHUSDT")}, "books: are of BTCUSDT, but the trades are of ETHUSDT"),
    "another exchange": ({"trades": TRADES.assign(exchange="okx")}, "books: are of binance, but the trades are of okx"),
    "a trade twice": ({"trades": TRADES.assign(trade_id=["7", "7"])}, "trades: has trades whose id another row has too; 1 rows"),
    "no side": ({"trades": TRADES.assign(side=["sell", None])}, "trades: has trades without a side.*the first at 2026-03-02 00:00:03"),
    "no price": ({"trades": TRADES.assign(price=[100.0, np.nan])}, "trades: column 'price' has no finite number"),
    "free": ({"trades": TRADES.assign(price=[100.0, 0.0])}, "trades: has trades with a price of 0 or less"),
    "nothing": ({"trades": TRADES.assign(amount=[0.0, 1.0])}, "trades: has trades with a amount of 0 or less"),
    "no snapshot": ({"books": BOOKS[1:]}, r"books: has updates before the first snapshot.*cumsum\(\) > 0"),
    "stale": (
        {
            "books": books_of(BOOK, (2, False, [(99.9, 1)], []), (3, False, [(99.9, 2)], [])).assign(sequence_id=["5", "9", "7"]),
            "sequence": True,
        },
        r"books: has stale updates.*the first at 2026-03-02 00:00:03.*rebuild\(books\)\['stale'\]",
    ),
    "cut off": ({"books": books_of(BOOK, (2, False, [(99.9, 1), (99.8, 1)], []), levels=2)}, "books: has updates that fill all 2 levels"),
    "crossed": ({"books": books_of((1, True, [(100.1, 1)], [(100.1, 1)]))}, "books: has snapshots whose best bid is at or above"),
    "large tick": (
        {"tick_size": 0.2},
        r"tick_size: is 0.2, but 1 values \(the first 100.1 at 2026-03-02 00:00:03.*\) in trades are no multiple",
    ),
    "large tick for books": (
        {"tick_size": 0.2, "trades": TRADES[:1]},
        r"tick_size: is 0.2, but 4 values \(the first 99.9 at.*\) in books are no multiple",
    ),
    "large lot": ({"lot_size": 2.5}, r"lot_size: is 2.5, but 1 values \(the first 1.0 at .*\) in trades are less than half of it"),
    "large lot for books": (
        {"lot_size": 7, "trades": trades_of()},
        r"lot_size: is 7, but 1 values \(the first 3.0 at .*\) in books are less",
    ),
    "no tick": ({"tick_size": 0}, "tick_size: is 0; give a number above 0"),
    "a lot of words": ({"lot_size": "1"}, "lot_size: is '1'; give a number above 0"),
    "no latency": ({"latency": None}, "latency: must be said: trades has no column 'received'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused(mistake):
    change, said = MISTAKES[mistake]
    with pytest.raises(qr.errors.InputError, match=said):
        to_hftbacktest(**(GOOD | change))


@pytest.mark.parametrize("ids", [["", ""], pd.array([None, None], dtype="str"), pd.array([None, None], dtype="string"), [None, None]])
def test_trades_without_an_id_repeat_none(ids):
    assert len(to_hftbacktest(**GOOD | {"trades": TRADES.assign(trade_id=ids)})) == len(to_hftbacktest(**GOOD))


def test_the_way_out_of_repeated_trades_keeps_those_without_an_id():
    trades = TRADES.iloc[[0, 0, 1, 1]].assign(trade_id=["7", "7", None, None])
    with pytest.raises(qr.errors.InputError, match=r"trades: has trades whose id another row has too; 1 rows, .*:02") as caught:
        to_hftbacktest(**GOOD | {"trades": trades})
    mended = eval(str(caught.value).rpartition("twice: ")[2], {"trades": trades})  # noqa: S307 - the advice itself
    assert mended["amount"].tolist() == [2, 1, 1]


def test_rounding_of_floats_is_no_mistake():
    """0.1 + 0.2 is no float multiple of 0.1, and 70,000.1 has an error of its own; a venue once gave 1403.7999 for 1403.8."""
    trades = trades_of((2, "sell", 0.1 + 0.2, 3e-8), (3, "buy", 70_000.1, 1403.7999))
    books = books_of((1, True, [(0.1, 1)], [(70_000.1, 1)]))
    assert len(to_hftbacktest(trades, books, tick_size=0.1, lot_size=5e-8, latency="0s")) == 5


def test_times_of_arrival_that_cannot_be_are_refused():
    early = trades_of((2, "sell", 100.0, 2), received=[1.9985])
    books = books_of(BOOK, received=[1.5])
    with pytest.raises(qr.errors.InputError, match=r"trades: has rows that were received before they happened; 1 rows.*by up to 1.5 ms"):
        to_hftbacktest(early, books, tick_size=0.1, lot_size=1)
    unknown = early.assign(received=pd.Series(pd.NaT, index=early.index, dtype="datetime64[us, UTC]"))
    with pytest.raises(qr.errors.InputError, match="trades: has rows without a time in 'received'"):
        to_hftbacktest(unknown, books, tick_size=0.1, lot_size=1)
    events = to_hftbacktest(early, books, tick_size=0.1, lot_size=1, latency="20ms")
    assert (events["local_ts"] - events["exch_ts"] == 20 * MS).all()
