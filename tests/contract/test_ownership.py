"""Frames are the user's: writable, and what is written into one is seen nowhere else."""

from __future__ import annotations

import pandas as pd
import pytest
from archives import book, kline, ticker, trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

TIMES = ["12:00", "12:01", "12:02"]


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ownership")
    for table, row in {"trade": trade, "ticker": ticker, "kline": kline, "orderbook": book}.items():
        write(folder, table, [row(t, **({"funding_rate": n * 1e-4} if table == "ticker" else {})) for n, t in enumerate(TIMES)])
    with qr.connect(folder) as connection:
        yield connection


CALLS = {
    "trades": lambda con: con.trades("BTCUSDT", limit=3),
    "tickers": lambda con: con.tickers("BTCUSDT", limit=3),
    "orderbook_tops": lambda con: con.orderbook_tops("BTCUSDT", limit=3),
    "orderbooks": lambda con: con.orderbooks("BTCUSDT", depth=2, limit=3),
    "funding": lambda con: con.funding("BTCUSDT", limit=3),
    "klines": lambda con: con.klines("BTCUSDT", "1m", limit=3),
    "sql": lambda con: con.sql("SELECT * FROM market_data_trade ORDER BY timestamp"),
    "symbols": lambda con: con.symbols(),
}

ANEW = {
    "float64": -1.0,
    "bool": True,
    "str": "mine",
    "category": None,
    "datetime64[us, UTC]": pd.Timestamp("1999-01-01", tz="UTC"),
    "uint8": 7,
}


@pytest.mark.parametrize("name", CALLS)
def test_every_column_can_be_written(con, name):
    frame = CALLS[name](con)
    for column, dtype in frame.dtypes.map(str).items():
        value = ANEW[dtype] if dtype != "category" else frame[column].cat.categories[-1]
        frame.loc[frame.index[0], column] = value
        assert frame[column].iloc[0] == value, column
        assert str(frame[column].dtype) == dtype, column


@pytest.mark.parametrize("name", CALLS)
def test_what_is_written_into_one_answer_is_not_in_the_next_nor_in_another(con, name):
    mine, other = CALLS[name](con), CALLS[name](con)
    kept = other.copy(deep=True)
    for column, dtype in mine.dtypes.map(str).items():
        mine.loc[:, column] = ANEW[dtype] if dtype != "category" else mine[column].cat.categories[-1]
    pd.testing.assert_frame_equal(other, kept)
    pd.testing.assert_frame_equal(CALLS[name](con), kept)


def test_rows_can_be_added_and_the_index_replaced(con):
    frame = con.trades("BTCUSDT", limit=3)
    frame.index = frame.index + pd.Timedelta(days=1)
    frame["notional"] = frame["price"] * frame["amount"]
    assert list(con.trades("BTCUSDT", limit=3).index.day) == [2, 2, 2]


def test_facts_written_into_one_answer_are_not_in_the_next(con):
    asked = ["BTCUSDT"]
    con.trades(asked, limit=1).attrs["qalypto"]["asked"]["symbols"].append("mine")
    assert asked == ["BTCUSDT"]
    assert con.trades(asked, limit=1).attrs["qalypto"]["asked"]["symbols"] == ["BTCUSDT"]


def test_a_frame_outlives_its_connection(con, tmp_path):
    write(tmp_path, "trade", [trade(t, 5.0, trade_id="x") for t in TIMES])
    with qr.connect(tmp_path) as short:
        frame = short.trades("BTCUSDT", limit=3)
    assert (list(frame["price"]), list(frame["trade_id"])) == ([5.0] * 3, ["x"] * 3)
