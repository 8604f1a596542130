"""What is known last of each exchange and symbol, and how far apart the exchanges are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamed import DAY, Listened, book, kline, ticker, trade

import qalypto_research as qr
from qalypto_research.stream.latest import last, spreads


def at(time):
    return pd.Timestamp(f"{DAY} {time}", tz="UTC")


def test_the_newest_of_each_source_with_its_time():
    live = Listened(
        ticker("12:00:01", 10.0, bid_price=9.0, bid_size=1.0, ask_price=11.0, ask_size=2.0),
        ticker("12:00:09", 12.0, bid_price=11.5, bid_size=3.0, ask_price=12.5, ask_size=4.0, exchange="okx"),
        trade("12:00:05", 10.5, trade_id="2"),
        trade("12:00:04", 10.4, trade_id="1"),  # came later, and is older
        book("12:00:03", bids=[[9.5, 5.0]], asks=[[10.5, 6.0]]),
        book("12:00:08", bids=[[1.0, 0.0]], asks=[], is_snapshot=False),  # of an update the top is not known
        trade("12:00:02", 7.0, symbol="WIFUSDT"),
        book("12:00:02", bids=[[3.0, 1.0]], asks=[], symbol="ETHUSDT"),
        now="12:00:10",
    )
    frame = last(live)
    assert frame["symbol"].tolist() == ["BTCUSDT", "BTCUSDT", "ETHUSDT", "WIFUSDT"]
    assert frame["exchange"].tolist() == ["binance", "okx", "binance", "binance"]
    np.testing.assert_array_equal(frame["last_price"], [10.5, 12.0, np.nan, 7.0])
    assert frame["price_time"].tolist() == [at("12:00:05"), at("12:00:09"), pd.NaT, at("12:00:02")]
    np.testing.assert_array_equal(frame["bid_price"], [9.5, 11.5, 3.0, np.nan])
    np.testing.assert_array_equal(frame["bid_size"], [5.0, 3.0, 1.0, np.nan])
    np.testing.assert_array_equal(frame["ask_price"], [10.5, 12.5, np.nan, np.nan])
    np.testing.assert_array_equal(frame["ask_size"], [6.0, 4.0, np.nan, np.nan])
    assert frame["quote_time"].tolist() == [at("12:00:03"), at("12:00:09"), at("12:00:02"), pd.NaT]
    np.testing.assert_array_equal(frame["price_age"], [5.0, 1.0, np.nan, 8.0])
    np.testing.assert_array_equal(frame["quote_age"], [7.0, 1.0, 8.0, np.nan])
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "symbol": "category",
        "exchange": "category",
        "last_price": "float64",
        "price_time": "datetime64[us, UTC]",
        **dict.fromkeys(("bid_price", "bid_size", "ask_price", "ask_size"), "float64"),
        "quote_time": "datetime64[us, UTC]",
        "price_age": "float64",
        "quote_age": "float64",
    }
    assert frame.attrs["qalypto"]["asked"] == {"call": "live.last"}


def test_of_equal_times_the_one_that_came_last():
    live = Listened(*(ticker("12:00", float(n)) for n in range(600)), ticker("12:00", -1.0))
    assert last(live)["last_price"].tolist() == [-1.0]


@pytest.mark.parametrize(("channels", "price", "bid"), [(["trade"], 2.0, -1.0), (["orderbook"], -1.0, 99.0), (["ticker"], 1.0, 9.0)])
def test_from_what_is_listened_to(channels, price, bid):
    live = Listened(channels=channels)
    (source,) = channels
    live.take({"trade": trade("12:00", 2.0), "ticker": ticker("12:00", 1.0, bid_price=9.0), "orderbook": book("12:00")}[source])
    assert last(live)[["last_price", "bid_price"]].fillna(-1.0).to_numpy().tolist() == [[price, bid]]


def test_some_of_it():
    live = Listened(trade("12:00", exchange="okx"), trade("12:00"), trade("12:00", symbol="ETHUSDT"))
    assert last(live, exchange="okx")["exchange"].tolist() == ["okx"]
    assert last(live, "eth" + "usdt")["symbol"].tolist() == ["ETHUSDT"]
    assert len(last(live, "SOLUSDT")) == 0
    assert str(last(live, "SOLUSDT")["quote_age"].dtype) == "float64"
    with pytest.raises(qr.errors.UnknownNameError, match="symbols: 'X'"):
        last(live, "X")
    with pytest.raises(qr.errors.InputError, match="brings no tickers"):
        last(Listened(kline("12:00"), channels=["kline"]))


def test_of_trades_of_one_moment_the_one_with_the_last_id_as_in_frames():
    live = Listened(trade("12:00", 2.0, trade_id="11"), trade("12:00", 1.0, trade_id="10"))
    assert last(live)["last_price"].tolist() == [2.0]
    live.intake.store.buffers()["trade", "BTCUSDT"].flush()
    live.take(trade("12:00", 3.0, trade_id="9"))
    assert last(live)["last_price"].tolist() == [2.0]


def test_a_ticker_without_a_quote_hides_none():
    live = Listened(quote("12:00", 9.0, 11.0), ticker("12:01", 10.0))
    row = last(live).iloc[0]
    assert (row["last_price"], row["bid_price"], row["quote_age"], row["price_age"]) == (10.0, 9.0, 600.0, 540.0)


def test_symbols_of_any_of_its_tables():
    live = Listened(trade("12:00"), ticker("12:00", symbol="ETHUSDT"), channels=["trade:btcusdt", "ticker:ethusdt"])
    assert last(live, ["BTCUSDT", "ETHUSDT"])["symbol"].tolist() == ["BTCUSDT", "ETHUSDT"]
    for call in (last, spreads):
        with pytest.raises(qr.errors.InputError, match="exchange: is empty"):
            call(live, exchange=[])


# --- Spreads --------------------------------------------------------------------------------------------------------


def quote(when, bid, ask, price=100.0, exchange="binance", **other):
    return ticker(when, price, bid_price=bid, ask_price=ask, exchange=exchange, **other)


def test_the_best_over_the_exchanges_bucket_by_bucket():
    live = Listened(
        quote("12:00:00.100", 98.0, 102.0),
        quote("12:00:00.900", 99.0, 101.0, 100.5),  # the last of its bucket counts
        quote("12:00:00.500", 99.0, 100.0, 99.5, exchange="okx"),
        quote("12:00:02.000", 98.0, None, 100.0, exchange="bybit"),
        quote("12:00:02.500", 50.0, 51.0, 50.0, symbol="ETHUSDT"),
        quote("12:00:03.100", 1.0, 2.0),  # its bucket is not over
        now="12:00:03.900",
    )
    frame = spreads(live)
    nan = np.nan
    expected = pd.DataFrame(
        {
            "symbol": ["BTCUSDT", "BTCUSDT", "ETHUSDT"],
            "exchanges": [2, 1, 1],
            "bid_price": [99.0, 98.0, 50.0],
            "bid_exchange": ["binance", "bybit", "binance"],  # the first by name where both have it
            "ask_price": [100.0, nan, 51.0],
            "ask_exchange": ["okx", None, "binance"],
            "mid_price": [99.5, nan, 50.5],
            "spread": [1.0, nan, 1.0],
            "spread_bps": [1.0 / 99.5 * 10_000, nan, 1.0 / 50.5 * 10_000],
            "min_price": [99.5, 100.0, 50.0],
            "max_price": [100.5, 100.0, 50.0],
            "avg_price": [100.0, 100.0, 50.0],
            "range_bps": [100.0, 0.0, 0.0],
        },
        index=pd.DatetimeIndex([at("12:00:00"), at("12:00:02"), at("12:00:02")], name="timestamp").as_unit("us"),
    )
    names = dict.fromkeys(("symbol", "bid_exchange", "ask_exchange"), object)
    assert [str(frame[name].dtype) for name in names] == ["category"] * 3
    pd.testing.assert_frame_equal(frame.astype(names), expected.astype(names), check_exact=True)


def test_spreads_of_a_part():
    live = Listened(*(quote(f"12:00:0{n}", 99.0, 101.0) for n in range(6)), now="12:00:06")
    assert len(spreads(live, every="2s")) == 3
    assert spreads(live, last="2s").index.second.tolist() == [4, 5]
    assert spreads(live, limit=1, columns="spread").to_dict("list") == {"spread": [2.0]}
    assert spreads(live, exchange="okx").empty
    assert list(spreads(live, exchange="okx").dtypes) == list(spreads(live).dtypes)
    with pytest.raises(qr.errors.InputError, match="every: is None"):
        spreads(live, every=None)
    with pytest.raises(qr.errors.InputError, match="brings no tickers"):
        spreads(Listened(channels=["trade"]))


PRICES = st.one_of(st.none(), st.integers(90, 110).map(float))
TICKERS = st.lists(st.tuples(st.integers(0, 4_999), st.sampled_from(["binance", "okx", "bybit"]), PRICES, PRICES), max_size=30)


@given(TICKERS)
def test_spreads_by_going_through_the_rows(rows):
    live = Listened(*(quote(f"12:00:0{ms // 1000}.{ms % 1000:03}", bid, ask, exchange=name) for ms, name, bid, ask in rows), now="12:00:04")
    buckets = {}
    for ms, name, bid, ask in sorted(rows, key=lambda row: (row[0], row[1])):
        if ms < 4_000:
            buckets.setdefault(ms // 1000, {})[name] = (bid, ask)
    frame = spreads(live, exchange="all")
    assert frame.index.second.tolist() == sorted(buckets)
    for (_, row), second in zip(frame.iterrows(), sorted(buckets), strict=True):
        bids = {name: bid for name, (bid, _) in buckets[second].items() if bid is not None}
        asks = {name: ask for name, (_, ask) in buckets[second].items() if ask is not None}
        assert row["exchanges"] == len(buckets[second])
        for best, side, column in ((max, bids, "bid"), (min, asks, "ask")):
            if not side:
                assert np.isnan(row[f"{column}_price"])
                assert pd.isna(row[f"{column}_exchange"])
            else:
                assert row[f"{column}_price"] == best(side.values())
                assert row[f"{column}_exchange"] == min(name for name, price in side.items() if price == best(side.values()))
