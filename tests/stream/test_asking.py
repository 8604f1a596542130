"""What is asked of a live buffer: which rows are meant, how they are shown, and what cannot be asked."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from streamed import DAY, Listened, book, kline, ticker, trade

import qalypto_research as qr
from qalypto_research.stream import api

TIMES = ["12:00:00", "12:05:00", "12:09:58", "12:09:59.500"]


@pytest.fixture
def live():
    """Return a buffer of trades of two symbols on two exchanges, ten minutes past twelve."""
    one = [trade(at, 100.0 + n, trade_id=str(n)) for n, at in enumerate(TIMES)]
    return Listened(*one, trade("12:09:50", 7.0, symbol="ETHUSDT", trade_id="4"), trade("12:00:01", 8.0, exchange="okx", trade_id="5"))


def ids(frame):
    return frame["trade_id"].astype(int).tolist()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [0, 1, 4, 2, 3]),
        ({"exchange": "all"}, [0, 5, 1, 4, 2, 3]),
        ({"exchange": "OKX"}, [5]),
        ({"exchange": ["okx", "binance"], "symbols": "btcusdt"}, [0, 5, 1, 2, 3]),
        ({"symbols": ["ETHUSDT"]}, [4]),
        ({"symbols": ["SOLUSDT"]}, []),
        ({"last": "2s"}, [2, 3]),  # from 12:09:58 on
        ({"last": "1.999s"}, [3]),
        ({"last": pd.Timedelta(minutes=5)}, [1, 4, 2, 3]),
        ({"limit": 2}, [2, 3]),
        ({"limit": 2, "exchange": "all", "last": "9m59s"}, [2, 3]),
        ({"last": "9m59s", "exchange": "all"}, [5, 1, 4, 2, 3]),
    ],
)
def test_rows_are_those_asked_for(live, asked, expected):
    assert ids(api.trades(live, **asked)) == expected


def test_columns_and_zone_change_what_is_shown_and_nothing_else(live):
    frame = api.trades(live, columns=["received", "price"], tz="Asia/Tokyo", limit=1)
    assert list(frame.columns) == ["price", "received"]
    assert str(frame.index.dtype) == "datetime64[us, Asia/Tokyo]"
    assert frame.index[0] == pd.Timestamp(f"{DAY} 12:09:59.500", tz="UTC")
    assert frame["received"].iloc[0] == pd.Timestamp(f"{DAY} 12:10", tz="UTC")


def test_the_facts_are_plain_json(live):
    frame = api.trades(live, "BTCUSDT", last="5m", exchange=["okx"])
    facts = json.loads(json.dumps(frame.attrs["qalypto"]))
    assert facts == {
        "asked": {"call": "live.trades", "symbols": "BTCUSDT", "exchange": ["okx"], "last": "5m"},
        "source": "a test",
        "synthetic": False,
        "window": ["2026-03-02T12:05:00+00:00", None],
        "clock": "2026-03-02T12:10:00+00:00",
        "channels": ["*"],
        "state": "live",
    }


def test_frames_are_the_users(live):
    for asked in ({}, {"limit": 1}, {"columns": ["price"]}, {"tz": "Asia/Tokyo"}):
        frame = api.trades(live, **asked)
        frame.loc[:, "price"] = -1.0
        assert (frame["price"] == -1.0).all()
    assert api.trades(live)["price"].tolist() == [100.0, 101.0, 7.0, 102.0, 103.0]


# --- Exchanges of calls that name none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "default", "came", "expected"),
    [
        (None, "binance", ["binance", "okx"], ["binance"]),
        (None, "binance", ["okx"], []),  # what has come does not decide what is meant
        (None, "okx", ["binance", "okx"], ["okx"]),
        (None, "all", ["binance", "okx"], ["binance", "okx"]),
        (frozenset(["okx", "bybit"]), ("bybit", "okx"), ["binance", "bybit", "okx"], ["bybit", "okx"]),
    ],
)
def test_the_default_exchange(kept, default, came, expected):
    live = Listened(*(trade(f"12:00:0{n}", exchange=name) for n, name in enumerate(came)), exchanges=kept, exchange=default)
    assert api.trades(live)["exchange"].tolist() == expected


def test_where_several_are_there_and_none_is_the_default_one_is_to_be_named():
    live = Listened(trade("12:00", exchange="bybit"), exchange=None)
    with pytest.raises(qr.errors.InputError, match="exchange: several are here and none is the default; name one of"):
        api.trades(live)


# --- Candles and books ----------------------------------------------------------------------------------------------


def test_candles_by_interval_closed_ones_by_default():
    live = Listened(
        kline("12:00", 1.0, is_final=True),
        kline("12:01", 2.0),
        kline("12:00", 3.0, interval="5m", is_final=True),
        kline("12:00", 4.0, interval="5m", exchange="okx"),
    )
    assert api.klines(live, "BTCUSDT", "1m")["close"].tolist() == [1.0]
    assert api.klines(live, "BTCUSDT", "60s", final=False)["close"].tolist() == [1.0, 2.0]
    assert api.klines(live, interval=["5m", "1m"])["close"].tolist() == [1.0, 3.0]
    assert api.klines(live, exchange="all", final=False)["close"].tolist() == [1.0, 3.0, 4.0, 2.0]


def test_the_levels_of_books_side_by_side():
    live = Listened(
        book("12:00", bids=[[99.0, 1.0], [98.0, 2.0], [97.0, 3.0]], asks=[[101.0, 4.0]], sequence_id="a"),
        book("12:01", bids=[], asks=[[102.0, 0.0], [103.5, 6.0]], is_snapshot=False, sequence_id="b"),
        book("12:00", bids=[[9.0, 1.0]], asks=[[10.0, 1.0]], symbol="ETHUSDT", sequence_id="c"),
    )
    frame = api.orderbooks(live, "btcusdt", depth=2)
    nan = np.nan
    expected = pd.DataFrame(
        {
            "bid_price_0": [99.0, nan],
            "bid_size_0": [1.0, nan],
            "ask_price_0": [101.0, 102.0],
            "ask_size_0": [4.0, 0.0],
            "bid_price_1": [98.0, nan],
            "bid_size_1": [2.0, nan],
            "ask_price_1": [nan, 103.5],
            "ask_size_1": [nan, 6.0],
        },
        index=frame.index,
    )
    pd.testing.assert_frame_equal(frame[list(expected.columns)], expected)
    assert list(frame.columns)[:2] + list(frame.columns)[10:] == [
        *("exchange", "symbol", "is_snapshot", "sequence_id"),
        *("exchange_event_time", "websocket_sent", "producer_received", "received", "origin"),
    ]
    assert frame["is_snapshot"].tolist() == [True, False]
    assert frame["sequence_id"].tolist() == ["a", "b"]
    assert api.orderbooks(live, depth=1)["sequence_id"].tolist() == ["a", "c", "b"]
    assert len(api.orderbooks(live, depth=1, max_bytes=3 * (100 + 32))) == 3
    with pytest.raises(qr.errors.ResultTooLargeError, match=r"3 rows of 1 levels, about 396 bytes .* max_bytes=396") as refused:
        api.orderbooks(live, depth=1, max_bytes=395)
    assert (refused.value.rows, refused.value.estimated_bytes, refused.value.max_bytes) == (3, 396, 395)
    empty = api.orderbooks(live, "SOLUSDT", depth=3)
    assert (len(empty), empty["ask_size_2"].dtype, str(empty["sequence_id"].dtype)) == (0, np.float64, "str")


# --- Age ------------------------------------------------------------------------------------------------------------


def test_what_is_new_enough_is_answered(live):
    assert len(api.trades(live, "BTCUSDT", max_age="500ms")) == 4
    assert len(api.trades(live, max_age="10s")) == 5


@pytest.mark.parametrize(
    ("asked", "said", "series"),
    [
        ({"symbols": "BTCUSDT", "max_age": "499ms"}, "older than max_age=0.499 s: binance BTCUSDT: 0.5 s", {("binance", "BTCUSDT")}),
        ({"max_age": "5s"}, "older than max_age=5 s: binance ETHUSDT: 10.0 s", {("binance", "ETHUSDT")}),
        ({"symbols": ["BTCUSDT", "SOLUSDT"], "max_age": "5s"}, "binance SOLUSDT: nothing yet", {("binance", "SOLUSDT")}),
        ({"symbols": "SOLUSDT", "exchange": "all", "max_age": "5s"}, "any exchange SOLUSDT: nothing yet", {("any exchange", "SOLUSDT")}),
        ({"symbols": "BTCUSDT", "exchange": "all", "max_age": "5s"}, "okx BTCUSDT: 599.0 s", {("okx", "BTCUSDT")}),
        ({"exchange": "bybit", "max_age": "5s"}, "there is no trade yet", set()),
    ],
)
def test_what_is_too_old_is_refused(live, asked, said, series):
    with pytest.raises(qr.errors.StaleDataError, match=said) as refused:
        api.trades(live, **asked)
    assert set(refused.value.series) == series


def test_a_refusal_says_what_the_stream_is_doing(live):
    live.state, live.reason = "waiting", "the connection broke off"
    with pytest.raises(qr.errors.StaleDataError, match=r"0.5 s \(the stream is waiting: the connection broke off\)$"):
        api.trades(live, "BTCUSDT", max_age="1ms")


def test_a_candle_is_as_old_as_its_latest_update():
    live = Listened(kline("12:00"), received="12:09:58")
    assert len(api.klines(live, final=False, max_age="2s")) == 1
    with pytest.raises(qr.errors.StaleDataError, match=r"binance BTCUSDT: 2.0 s"):
        api.klines(live, final=False, max_age="1999ms")


def test_what_is_cut_off_by_last_is_too_old_all_the_same():
    live = Listened(trade("12:00"), trade("12:09:59", symbol="ETHUSDT"))
    with pytest.raises(qr.errors.StaleDataError, match="binance BTCUSDT: 600"):
        api.trades(live, last="1m", max_age="5s")


def test_of_candles_each_interval_counts():
    live = Listened(kline("12:00", interval="5m"), received="12:00").take(kline("12:09"), received="12:09:59")
    assert len(api.klines(live, interval="1m", final=False, max_age="5s")) == 1
    with pytest.raises(qr.errors.StaleDataError, match="binance BTCUSDT: 600"):
        api.klines(live, interval=["1m", "5m"], final=False, max_age="5s")


def test_a_running_update_makes_no_closed_candle_new():
    live = Listened(kline("12:08", is_final=True), received="12:09").take(kline("12:09"), received="12:09:59")
    for asked in ({}, {"last": "1h"}):
        with pytest.raises(qr.errors.StaleDataError, match=r"binance BTCUSDT: 60\.0 s"):
            api.klines(live, max_age="5s", **asked)
        assert len(api.klines(live, max_age="5s", final=False, **asked)) == 2


def test_of_many_books_those_asked_for_are_read():
    live = Listened(*(book(f"12:00:{n:02}", bids=[[float(n), 1.0]], exchange=("binance", "okx")[n % 2]) for n in range(60)))
    assert api.orderbooks(live, depth=1, limit=3, exchange="all")["bid_price_0"].tolist() == [57.0, 58.0, 59.0]
    assert api.orderbooks(live, depth=1, limit=2)["bid_price_0"].tolist() == [56.0, 58.0]
    assert len(api.orderbooks(live, depth=1, limit=100)) == 30


# --- What cannot be asked ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "asked", "said"),
    [
        ("trades", {"symbols": "BTCUSD"}, "symbols: 'BTCUSD' is not known; did you mean 'BTCUSDT'?"),
        ("trades", {"symbols": []}, "symbols: is empty"),
        ("trades", {"symbols": 7}, "symbols: 7 is not a name"),
        ("trades", {"exchange": "binanc"}, "exchange: 'binanc' is not known; did you mean 'binance'?"),
        ("trades", {"last": "5"}, "last: '5' is not a duration"),
        ("trades", {"max_age": 5}, "max_age: 5 is not a duration"),
        ("trades", {"limit": 0}, "limit: 0 must be a whole number"),
        ("trades", {"columns": ["prize"]}, "columns: 'prize' is not known; did you mean 'price'?"),
        ("trades", {"tz": "Mars"}, "tz: 'Mars' is not a time zone"),
        ("klines", {"interval": "2m"}, "interval: '2m' is not known"),
        ("klines", {"final": "no"}, "final: 'no' must be True or False"),
        ("orderbooks", {"depth": 0}, "depth: 0 must be a whole number"),
        ("orderbooks", {"symbol": "X"}, "symbol: 'X' is not known"),
        ("orderbooks", {"columns": "bid_price_10"}, "depth=10 has the levels 0 to 9"),
    ],
)
def test_bad_arguments_are_named(live, call, asked, said):
    with pytest.raises(qr.errors.InputError) as refused:
        getattr(api, call)(live, **asked)
    assert said in str(refused.value)


def test_what_is_not_listened_to_is_said_with_the_way_out():
    live = Listened(channels=["trade:btcusdt", "kline:1m:btcusdt"], exchanges=frozenset(["okx"]), exchange=("okx",))
    for call, asked, said in (
        (api.tickers, {}, "channels: this buffer listens to trade:btcusdt, kline:1m:btcusdt, which brings no tickers; add 'ticker'"),
        (api.trades, {"symbols": "ethusdt"}, "allowed: BTCUSDT; listen to it: qr.live('trade:ethusdt')"),
        (api.klines, {"symbols": "ETHUSDT"}, "listen to it: qr.live('kline:1m:ethusdt')"),
        (api.klines, {"interval": "5m"}, "allowed: 1m; no such candles are listened to"),
        (api.trades, {"exchange": "binance"}, "this buffer keeps okx alone, as qr.live(exchange=) had it"),
    ):
        with pytest.raises(qr.errors.InputError) as refused:
            call(live, **asked)
        assert said in str(refused.value)


def test_a_symbol_beyond_the_documented_ones_can_be_asked_for_once_it_came():
    live = Listened(trade("12:00", symbol="PEPEUSDT"), ticker("12:00", symbol="WIFUSDT"))
    assert len(api.trades(live, "pepeusdt")) == 1
    with pytest.raises(qr.errors.UnknownNameError):
        api.trades(live, "WIFUSDT")


def test_exchanges_that_are_not_kept_take_no_room():
    live = Listened(trade("12:00"), trade("12:00", exchange="okx"), exchanges=frozenset(["okx"]), exchange=("okx",))
    assert live.intake.store.count() == 1
    assert api.trades(live, exchange="all")["exchange"].tolist() == ["okx"]
