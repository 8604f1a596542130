"""Frames and arguments that bars cannot be made of: what the message says, and that nothing is sent."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedEngine

TRADES = pd.DataFrame(
    {"exchange": "binance", "symbol": "BTCUSDT", "price": [1.0, 2.0, 3.0], "amount": 1.0, "side": "buy"},
    index=pd.DatetimeIndex(["2026-03-02 12:00", "2026-03-02 12:00:01", "2026-03-02 12:00:02"], name="timestamp", tz="UTC"),
)

MAKERS = {
    "bars": lambda df: qr.prep.bars(df, "1s"),
    "ticks": lambda df: qr.prep.bars(df, 2, by="tick"),
    "flow": lambda df: qr.prep.flow(df, "1s"),
}


def refused(call, argument, *said):
    with pytest.raises(qr.errors.InputError) as caught:
        call()
    message = str(caught.value)
    assert caught.value.argument == argument
    assert [part for part in said if part not in message] == [], message


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    ("df", "said"),
    [
        (TRADES.iloc[::-1], ("not in order of time", "row 1", "2026-03-02 12:00:01", "sort_index")),
        (TRADES.tz_localize(None), ("naive times", "tz_localize")),
        (TRADES.reset_index(drop=True), ("int64", "set_index(pd.to_datetime(")),
        (TRADES.set_index([TRADES.index[:2].append(pd.DatetimeIndex([pd.NaT], tz="UTC"))]), ("NaT", "1 times", "notna")),
        (TRADES.drop(columns="side"), ("'side'", "allowed: exchange", "trades")),
        (TRADES.rename(columns={"amount": "amuont"}), ("'amount'", "did you mean 'amuont'")),
        (pd.concat([TRADES, TRADES["price"]], axis=1), ("'price' twice", "duplicated")),
        (TRADES.assign(price=[1.0, np.nan, 2.0]), ("'price' has no finite number in 1 rows", "12:00:01", "dropna")),
        (TRADES.assign(amount=[1.0, -1.0, -2.0]), ("-1.0 in 'amount'", "2 such rows")),
        (TRADES.assign(amount=[1.0, math.inf, 2.0]), ("'amount' has no finite number in 1 rows",)),
        (TRADES.assign(price="1.0"), ("'price'", "df['price'].astype('float64')")),
        (TRADES.assign(side=["buy", None, "sell"]), ("no side", "row 1", "dropna")),
        (TRADES.assign(symbol=["BTCUSDT", None, "BTCUSDT"]), ("no symbol", "row 1", "dropna")),
        (TRADES["price"], ("Series", "give a DataFrame")),
        (None, ("NoneType",)),
    ],
    ids=range(15),
)
def test_what_is_no_tape_is_refused_with_the_way_to_mend_it(make, df, said):
    refused(lambda: make(df), "df", *said)


EVERY = [
    ("tick", "5m", ("whole number of trades", "by='time'")),
    ("tick", pd.Timedelta("5m"), ("whole number of trades", "by='time'")),
    ("tick", np.timedelta64(5, "m"), ("whole number of trades", "by='time'")),
    ("tick", 2.5, ("whole number of trades",)),
    ("tick", 0, ("above zero",)),
    ("tick", -3, ("above zero",)),
    ("tick", True, ("whole number of trades",)),
    ("tick", None, ("whole number of trades",)),
    ("volume", "5m", ("base currency", "by='time'")),
    ("volume", 0.0, ("above zero",)),
    ("volume", math.nan, ("above zero and finite",)),
    ("volume", math.inf, ("finite",)),
    ("volume", 1e-9, ("from 1e-8",)),
    ("dollar", 1e12, ("4e10",)),
    ("dollar", "1000", ("quote currency",)),
    ("imbalance", -1.0, ("above zero",)),
    ("time", 5, ("a length of time", "by='tick'")),
    ("time", 5.0, ("a length of time",)),
    ("time", None, ("a length of time",)),
    ("time", "0s", ("longer than zero",)),
    ("time", "1500us", ("unknown unit",)),
    ("time", "1M", ("unknown unit",)),
    ("time", pd.Timedelta("1500us"), ("whole milliseconds",)),
]


@pytest.fixture(scope="module")
def con():
    with qr.connect("sample") as connection:
        yield connection


@pytest.fixture
def unsent(monkeypatch):
    """Fail where a statement is sent."""
    monkeypatch.setattr(EmbeddedEngine, "execute", lambda *_: pytest.fail("a statement was sent"))


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize(("by", "every", "said"), EVERY, ids=repr)
def test_a_length_of_the_wrong_kind_is_refused(con, by, every, said):
    refused(lambda: qr.prep.bars(TRADES, every, by), "every", *said)
    refused(lambda: con.bars("BTCUSDT", every, by, hours=1), "every", *said)
    if by == "time":
        refused(lambda: qr.prep.flow(TRADES, every), "every")
        refused(lambda: con.flow("BTCUSDT", every, hours=1), "every")


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize(
    ("options", "argument", "said"),
    [
        ({"every": 5, "by": "ticks"}, "by", ("did you mean 'tick'?", "allowed: time, tick, volume, dollar, imbalance")),
        ({"every": 5, "by": None}, "by", ("allowed",)),
        ({"every": 5, "by": "tick", "bound": 2}, "bound", ("belongs to by='imbalance'",)),
        ({"every": "5m", "bound": 2}, "bound", ("belongs to by='imbalance'",)),
        ({"every": 5, "by": "imbalance", "bound": 0.5}, "bound", ("at least 1",)),
        ({"every": 5, "by": "imbalance", "bound": math.inf}, "bound", ("at least 1",)),
        ({"every": 5, "by": "imbalance", "bound": "2"}, "bound", ("at least 1",)),
        ({"every": "5m", "final": 1}, "final", ("True or False",)),
    ],
    ids=str,
)
def test_other_arguments_that_mean_nothing(con, options, argument, said):
    refused(lambda: qr.prep.bars(TRADES, **options), argument, *said)
    refused(lambda: con.bars("BTCUSDT", hours=1, **options), argument, *said)


@pytest.mark.usefixtures("unsent")
def test_bars_that_are_counted_need_a_place_to_count_from(con):
    refused(lambda: con.bars("BTCUSDT", 5, "tick", limit=10), "start", "counted from a first trade", "days=7")
    refused(lambda: con.bars("BTCUSDT", 5, "tick"), "start", "days=7")
    refused(lambda: con.bars("BTCUSDT", "1m"), "start", "days=7")


def test_a_range_shorter_than_a_bar(con):
    for call in (con.bars, con.flow):
        with pytest.raises(qr.errors.RangeError, match="shorter than one"):
            call("BTCUSDT", "1h", minutes=30)


def test_trades_outside_what_is_said_to_be_covered():
    refused(lambda: qr.prep.bars(TRADES, "1s", start="2026-03-02 12:00:00.001"), "start", "after the first trade", "loc")
    refused(lambda: qr.prep.bars(TRADES, "1s", end="2026-03-02 12:00:02"), "end", "not after the last trade", "excluded")
    refused(lambda: qr.prep.flow(TRADES, "1s", end="2026-03-02 12:00:02"), "end")
    refused(lambda: qr.prep.bars(TRADES, 2, "tick", start="2026-03-02"), "start", "bars by time")
    refused(lambda: qr.prep.bars(TRADES, 2, "tick", end="2026-03-03"), "end", "bars by time")


@pytest.mark.usefixtures("unsent")
def test_names_are_checked_as_everywhere(con):
    refused(lambda: con.bars("BTCUSD", "1m", hours=1), "symbols", "did you mean 'BTCUSDT'?")
    refused(lambda: con.bars("BTCUSDT", "1m", hours=1, columns=["opn"]), "columns", "did you mean 'open'?")
    refused(lambda: con.flow("BTCUSDT", "1m", hours=1, exchange="kraken"), "exchange")
