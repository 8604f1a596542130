"""Columns, their order, dtypes and categories: the same whichever way a frame was asked for and however many rows it has."""

from __future__ import annotations

import pandas as pd
import pytest
from archives import book, kline, ticker, trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

TIME = "datetime64[us, UTC]"

DTYPES = {
    "trades": {
        "exchange": "category",
        "symbol": "category",
        "price": "float64",
        "amount": "float64",
        "side": "category",
        "trade_id": "str",
        "is_liquidation": "bool",
    },
    "tickers": {
        "exchange": "category",
        "symbol": "category",
        "last_price": "float64",
        "bid_price": "float64",
        "ask_price": "float64",
        "bid_size": "float64",
        "ask_size": "float64",
        "high_24h": "float64",
        "low_24h": "float64",
        "volume_24h": "float64",
        "quote_volume_24h": "float64",
        "open_24h": "float64",
        "funding_rate": "float64",
        "next_funding_time": TIME,
        "mark_price": "float64",
        "index_price": "float64",
        "open_interest": "float64",
        "open_interest_value": "float64",
    },
    "klines": {
        "exchange": "category",
        "symbol": "category",
        "interval": "category",
        "open": "float64",
        "high": "float64",
        "low": "float64",
        "close": "float64",
        "volume": "float64",
        "quote_volume": "float64",
        "num_trades": "float64",
        "close_time": TIME,
        "is_final": "bool",
    },
    "funding": {
        "exchange": "category",
        "symbol": "category",
        "funding_rate": "float64",
        "next_funding_time": TIME,
        "mark_price": "float64",
        "index_price": "float64",
        "open_interest": "float64",
        "open_interest_value": "float64",
    },
    "orderbooks": {
        "exchange": "category",
        "symbol": "category",
        "bid_price_0": "float64",
        "bid_size_0": "float64",
        "ask_price_0": "float64",
        "ask_size_0": "float64",
        "bid_price_1": "float64",
        "bid_size_1": "float64",
        "ask_price_1": "float64",
        "ask_size_1": "float64",
        "is_snapshot": "bool",
        "sequence_id": "str",
    },
    "orderbook_tops": {
        "exchange": "category",
        "symbol": "category",
        "bid_price": "float64",
        "ask_price": "float64",
        "bid_size": "float64",
        "ask_size": "float64",
        "is_snapshot": "bool",
        "sequence_id": "str",
    },
}

CATEGORIES = {
    "exchange": ["binance", "bitget", "bybit", "okx"],
    "symbol": ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"],
    "side": ["buy", "sell"],
    "interval": ["1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d"],
}

OWN = {"klines": {"interval": "1m", "gaps": "ignore"}, "orderbooks": {"depth": 2}}

# One row at 12:00 and several between 12:10 and 12:20; from 12:30 on nothing.
WINDOWS = {0: ("12:30", "12:40"), 1: ("12:00", "12:01"), 3: ("12:10", "12:20")}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    times = ["12:00", "12:10", "12:11", "12:12", "12:40"]
    write(folder, "trade", [trade(t, trade_id=str(n), side="sell") for n, t in enumerate(times)])
    write(folder, "ticker", [ticker(t, next_funding_time="16:00", bid_price=1.0, funding_rate=n * 1e-4) for n, t in enumerate(times)])
    write(folder, "kline", [kline(t, num_trades=3, close_time="12:59") for t in times])
    write(folder, "orderbook", [book(t, sequence_id="7") for t in times])
    return folder


@pytest.fixture(scope="module")
def con(root):
    with qr.connect(root) as connection:
        yield connection


@pytest.fixture(params=["top level", "connection"])
def ask(request, con):
    """Return a function that makes a call for so many rows, at top level or on the connection."""

    def call(name, rows, **options):
        start, end = WINDOWS[rows]
        own = OWN.get(name, {})
        home = qr if request.param == "top level" else con
        return getattr(home, name)("BTCUSDT", start=f"2026-03-02 {start}", end=f"2026-03-02 {end}", **own, **options)

    return call


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("name", DTYPES)
def test_columns_and_dtypes_are_the_tables_for_any_number_of_rows(ask, name, rows):
    frame = ask(name, rows)
    assert len(frame) == rows
    assert {c: str(d) for c, d in frame.dtypes.items()} == DTYPES[name]
    assert list(frame.columns) == list(DTYPES[name])


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("name", DTYPES)
def test_index_is_timestamp_in_utc_microseconds(ask, name, rows):
    index = ask(name, rows).index
    assert type(index) is pd.DatetimeIndex
    assert (index.name, str(index.dtype)) == ("timestamp", TIME)


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("name", DTYPES)
def test_categories_are_the_documented_vocabularies_whole_and_unordered(ask, name, rows):
    frame = ask(name, rows)
    for column in frame.columns.intersection(list(CATEGORIES)):
        assert list(frame[column].cat.categories) == CATEGORIES[column], column
        assert frame[column].cat.ordered is False, column
        assert str(frame[column].cat.categories.dtype) == "str", column


@pytest.mark.parametrize("name", DTYPES)
def test_frames_of_no_one_and_many_rows_concatenate_without_a_cast(ask, name):
    parts = [ask(name, rows) for rows in (0, 1, 3)]
    whole = pd.concat(parts)
    assert whole.dtypes.equals(parts[0].dtypes)
    assert len(whole) == 4


@pytest.mark.parametrize("name", DTYPES)
def test_chosen_columns_keep_the_tables_order(ask, name):
    chosen = [list(DTYPES[name])[i] for i in (-1, 2, 0)]
    expected = [c for c in DTYPES[name] if c in chosen]
    frame = ask(name, 3, columns=chosen)
    assert list(frame.columns) == expected
    pd.testing.assert_frame_equal(frame, ask(name, 3)[expected])


def test_one_column_may_be_given_as_text(ask):
    assert list(ask("trades", 3, columns="price").columns) == ["price"]


def test_books_lie_in_the_archive_under_the_service_names(con):
    answer = con.sql("SELECT bids_price_0, asks_price_0, bids_size_0, asks_size_0 FROM market_data_orderbook LIMIT 1")
    assert answer.to_dict("records") == [{"bids_price_0": 99.0, "asks_price_0": 101.0, "bids_size_0": 2.0, "asks_size_0": 3.0}]


def test_hidden_columns_stay_hidden(con):
    names = ["timestamp", "exchange", "symbol", "price", "amount", "side", "trade_id", "is_liquidation"]
    assert list(con.sql("SELECT * FROM market_data_trade").columns) == names
