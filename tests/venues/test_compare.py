"""Exchanges compared over a range: by literals, and against pandas on the same Parquet files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import ticker, trade, utc, write
from by_pandas import COMPARE_COLUMNS, SYMBOLS, compared_by_pandas, stored_tickers

import qalypto_research as qr
from qalypto_research.archive.sample import sample_root

pytestmark = pytest.mark.contract

AT = {"at": "2026-03-02 12:10"}


def quote(when, exchange, last, bid=None, ask=None, **other):
    return ticker(when, last, exchange=exchange, bid_price=bid, ask_price=ask, **other)


@pytest.fixture
def con(connect, tmp_path):
    rows = [
        quote("12:04:59.999", "okx", 1_000.0),  # before the last five minutes
        quote("12:05", "okx", 100.0, 99.0, 101.0),
        quote("12:09", "okx", 104.0, 103.0, None),
        quote("12:06", "binance", 98.0, 97.0, 99.0),
        quote("12:10:00.001", "binance", 500.0),  # after now
        quote("12:07", "bybit", 102.0, symbol="ETHUSDT"),
        quote("12:07", "zeta", 3.0, symbol="ABCUSDT"),
    ]
    write(tmp_path, "ticker", rows)
    return connect(tmp_path, **AT)


def test_the_last_five_minutes(con):
    frame = con.compare(["ABCUSDT", "ETHUSDT", "btcusdt"])
    assert list(frame.columns) == COMPARE_COLUMNS
    assert isinstance(frame.index, pd.RangeIndex)
    assert list(zip(frame["symbol"], frame["exchange"], strict=True)) == [
        ("BTCUSDT", "okx"),
        ("BTCUSDT", "binance"),
        ("ETHUSDT", "bybit"),
        ("ABCUSDT", "zeta"),
    ]
    assert frame["avg_price"].to_list() == [102.0, 98.0, 102.0, 3.0]
    assert (frame["max_price"][0], frame["min_price"][0], frame["updates"].to_list()) == (104.0, 100.0, [2, 1, 1, 1])
    assert (frame["last_price"][0], frame["last_update"][0], frame["bid_price"][0]) == (104.0, utc("12:09"), 103.0)
    assert np.isnan(frame["ask_price"][0])
    assert frame["diff_bps"].to_list() == pytest.approx([200.0, -200.0, 0.0, 0.0])
    assert {str(t) for t in frame[["avg_price", "max_price", "min_price", "last_price", "bid_price", "ask_price", "diff_bps"]].dtypes} == {
        "float64"
    }
    assert (str(frame["updates"].dtype), str(frame["last_update"].dtype)) == ("int64", "datetime64[us, UTC]")
    assert list(frame["symbol"].cat.categories) == [*SYMBOLS, "ABCUSDT"]


def test_equal_means_stand_by_the_name_of_the_exchange(connect, tmp_path):
    rows = [quote("12:09", e, p) for e in ("okx", "bybit", "binance") for p in (0.1, 0.2, 0.3)]
    write(tmp_path, "ticker", [quote("12:00", "okx", 1.0), *rows])
    frame = connect(tmp_path, **AT).compare("BTCUSDT")
    assert list(frame["exchange"]) == ["binance", "bybit", "okx"]
    assert frame["diff_bps"].to_list() == pytest.approx([0.0] * 3, abs=1e-9)


@pytest.mark.parametrize(
    ("window", "updates"),
    [
        ({}, 2),
        ({"minutes": 2}, 1),
        ({"hours": 1}, 3),
        ({"days": 1}, 3),
        ({"start": "2026-03-02 12:00"}, 3),
        ({"start": "2026-03-02 12:05", "end": "2026-03-02 12:09"}, 1),
        ({"end": "2026-03-02 12:09"}, 2),
        ({"end": "2026-03-02 12:09", "minutes": 4}, 1),
        ({"start": "2026-03-02 12:04", "minutes": 4}, 2),
    ],
)
def test_five_minutes_are_meant_only_where_nothing_else_is_said(con, window, updates):
    wide = {"days", "hours", "start"} & set(window)
    begins = window.get("start") == "2026-03-02 12:00" or wide & {"days", "hours"}
    if begins:
        with pytest.warns(qr.errors.GapWarning, match="market_data_ticker begins at 2026-03-02 12:04:59"):
            frame = con.compare("BTCUSDT", exchange="okx", **window)
    else:
        frame = con.compare("BTCUSDT", exchange="okx", **window)
    assert list(frame["updates"]) == [updates]


def test_minutes_come_second(con):
    assert list(con.compare("BTCUSDT", 2, exchange="okx")["updates"]) == [1]


@pytest.mark.embedded
def test_the_newest_of_equal_times_is_by_arrival(connect, tmp_path):
    rows = [quote("12:09", "okx", 100.0 + n, _seen=s, _seq=n) for n, s in enumerate(["12:09:03", "12:09:05", "12:09:04"])]
    write(tmp_path, "ticker", [quote("12:00", "okx", 1.0), *rows])
    assert connect(tmp_path, **AT).compare("BTCUSDT")["last_price"].item() == 101.0


def test_all_exchanges_whatever_the_connections_own(connect, tmp_path):
    write(tmp_path, "ticker", [quote(when, e, 100.0) for when in ("12:00", "12:09") for e in ("okx", "bybit")])
    con = connect(tmp_path, exchange="okx", **AT)
    assert len(con.compare("BTCUSDT")) == 2
    assert len(con.compare("BTCUSDT", exchange="okx")) == 1


def test_what_has_no_row_in_the_range_is_named(connect, tmp_path):
    rows = [quote("12:09", "okx", 100.0), quote("12:00", "binance", 100.0), quote("12:09", "okx", 1.0, symbol="ETHUSDT")]
    write(tmp_path, "ticker", rows)
    write(tmp_path, "trade", [trade("12:00", exchange="bybit")])
    con = connect(tmp_path, **AT)
    with pytest.warns(qr.errors.GapWarning, match="no row of binance BTCUSDT, bybit BTCUSDT from .* not compared") as caught:
        assert list(con.compare(["BTCUSDT", "ETHUSDT"])["exchange"]) == ["okx", "okx"]
    assert len(caught) == 1
    # Named, an exchange is missed for each symbol, also for one it does not have at all.
    with pytest.warns(qr.errors.GapWarning, match="no row of binance BTCUSDT, binance ETHUSDT from"):
        con.compare(["BTCUSDT", "ETHUSDT"], exchange=["okx", "Binance"])
    with pytest.warns(qr.errors.GapWarning, match=r"no row of binance BTCUSDT, bybit BTCUSDT from"):
        con.compare(["BTCUSDT", "ETHUSDT"], exchange=np.array(["ALL"]))
    with pytest.warns(qr.errors.GapWarning, match="no row of bybit BTCUSDT from"):
        empty = con.compare("BTCUSDT", exchange="bybit")
    assert list(empty.columns) == COMPARE_COLUMNS
    full = con.compare("ETHUSDT", exchange="okx")
    assert list(empty.dtypes) == list(full.dtypes)
    assert empty.index.equals(pd.RangeIndex(0))


@pytest.mark.parametrize("window", [{}, {"minutes": 1}, {"start": "2026-03-02 12:10", "end": "2026-03-02 12:40"}], ids=str)
def test_the_packaged_sample_is_what_pandas_computes(window):
    rows = stored_tickers(sample_root())
    with qr.connect("sample") as sample:
        frame = sample.compare(SYMBOLS, **window)
        now = sample.clock.now()
    start = utc(window["start"]) if "start" in window else now - pd.Timedelta(minutes=window.get("minutes", 5))
    end = utc(window["end"]) if "end" in window else now + pd.Timedelta(days=1)
    mine = rows[(rows["known"] <= now) & (rows["timestamp"] >= start) & (rows["timestamp"] < end)]
    pd.testing.assert_frame_equal(frame, compared_by_pandas(mine), rtol=1e-12, atol=1e-8)
    assert len(frame) == 40


def test_rows_not_seen_do_not_count(connect, tmp_path):
    rows = [quote("12:00", "okx", 1.0), quote("12:09", "okx", 100.0), quote("12:09:30", "okx", 500.0, _seen="12:10:00.000001")]
    write(tmp_path, "ticker", rows)
    frame = connect(tmp_path, **AT).compare("BTCUSDT")
    assert (frame["updates"].item(), frame["last_price"].item(), frame["last_update"].item()) == (1, 100.0, utc("12:09"))
