"""A row is visible iff it was seen at or before now."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from archives import book, kline, klines, ticker, trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

ALL = {"start": "2026-03-02 12:00", "end": "2026-03-03 00:00", "exchange": "all"}


def prices(con):
    """Return the prices of the trades that a user's own SQL sees."""
    return con.sql("SELECT price FROM market_data_trade ORDER BY timestamp, price")["price"].to_list()


@pytest.mark.parametrize(("at", "seen"), [("12:00:00.999999", [1.0]), ("12:00:01", [1.0, 2.0]), ("12:00:01.000001", [1.0, 2.0])])
def test_without_a_record_a_tick_is_known_from_its_timestamp_on(connect, tmp_path, at, seen):
    write(tmp_path, "trade", [trade("12:00:00", 1.0), trade("12:00:01", 2.0)])
    assert prices(connect(tmp_path, at=f"2026-03-02 {at}")) == seen


@pytest.mark.parametrize(("table", "row", "column"), [("ticker", ticker, "last_price"), ("orderbook", book, "bids_price_0")])
def test_tickers_and_books_are_known_from_their_timestamp_on_too(connect, tmp_path, table, row, column):
    write(tmp_path, table, [row("12:00:00", 1.0), row("12:00:01", 2.0)])
    con = connect(tmp_path, at="2026-03-02 12:00:00.5")
    assert con.sql(f"SELECT {column} AS x FROM market_data_{table}")["x"].to_list() == [1.0]


@pytest.mark.parametrize(("at", "seen"), [("12:00:03.000199", [1.0]), ("12:00:03.0002", [1.0, 2.0]), ("12:00:09", [1.0, 2.0])])
def test_a_recorded_row_is_known_from_the_moment_it_was_seen(connect, tmp_path, at, seen):
    write(tmp_path, "trade", [trade("12:00:02", 1.0, _seen="12:00:02.5"), trade("12:00:01", 2.0, _seen="12:00:03.000200")])
    assert sorted(prices(connect(tmp_path, at=f"2026-03-02 {at}"))) == seen


def test_a_row_without_a_record_in_a_file_with_one_goes_by_its_timestamp(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00:00", 1.0, _seen="12:30"), trade("12:10", 2.0, _seen=None), trade("12:20", 3.0, _seen=None)])
    assert prices(connect(tmp_path, at="2026-03-02 12:15")) == [2.0]


def test_files_with_and_without_a_record_stand_side_by_side(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00:00", 1.0, _seen="12:30")], name="recorded")
    write(tmp_path, "trade", [trade("12:00:01", 2.0)], name="bare")
    assert prices(connect(tmp_path, at="2026-03-02 12:15")) == [2.0]
    assert prices(connect(tmp_path, at="2026-03-02 12:30")) == [1.0, 2.0]


@pytest.mark.parametrize("close_time", [None, "12:00:00", "12:59:59.999", "12:30"])
def test_a_final_candle_is_known_when_its_time_is_over_whatever_its_close_time(connect, tmp_path, close_time):
    write(tmp_path, "trade", [trade("11:00")])
    write(tmp_path, "kline", [kline("12:00", interval="1h", close_time=close_time)])
    count = "SELECT count() AS n FROM market_data_kline"
    assert connect(tmp_path, at="2026-03-02 12:59:59.999999").sql(count)["n"].item() == 0
    assert connect(tmp_path, at="2026-03-02 13:00").sql(count)["n"].item() == 1


@pytest.mark.parametrize(
    ("interval", "over"),
    [("1m", "00:01"), ("5m", "00:05"), ("15m", "00:15"), ("30m", "00:30"), ("1h", "01:00"), ("4h", "04:00"), ("12h", "12:00")],
)
def test_candles_of_every_interval_are_known_at_open_and_interval(connect, tmp_path, interval, over):
    write(tmp_path, "trade", [trade("00:00")])
    write(tmp_path, "kline", [kline("00:00", interval=interval)])
    con = connect(tmp_path, at=f"2026-03-02 {over}")
    assert con.sql("SELECT interval FROM market_data_kline")["interval"].to_list() == [interval]
    before = connect(tmp_path, at=con.clock.now() - pd.Timedelta(1, "us"))
    assert before.sql("SELECT interval FROM market_data_kline").empty


def test_a_daily_candle_does_not_show_its_days_future(connect, tmp_path):
    write(tmp_path, "trade", [trade("00:00")])
    write(tmp_path, "kline", [kline("00:00", 777.0, interval="1d")])
    con = connect(tmp_path, at="2026-03-02 23:59:59.999999")
    assert con.klines("BTCUSDT", "1d", start="2026-03-02", final=False, gaps="ignore").empty
    assert con.sql("SELECT * FROM market_data_kline").empty
    assert connect(tmp_path, at="2026-03-03").sql("SELECT close FROM market_data_kline")["close"].item() == 777.0


def test_a_running_candle_without_a_record_is_never_shown(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", 1.0, is_final=0), kline("12:00", 2.0)])
    con = connect(tmp_path, at="2026-03-05")
    assert con.sql("SELECT close FROM market_data_kline")["close"].to_list() == [2.0]


@pytest.mark.embedded
def test_a_running_candle_is_shown_from_the_moment_it_was_seen(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", float(n), is_final=0, _seen=f"12:00:{n:02}") for n in (10, 20, 30)])
    con = connect(tmp_path, at="2026-03-02 12:00:20")
    assert con.sql("SELECT close FROM market_data_kline ORDER BY close")["close"].to_list() == [10.0, 20.0]
    assert con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", final=False)["close"].to_list() == [20.0]


@pytest.mark.parametrize(("delay", "seen"), [(None, [1.0, 2.0]), ("1s", [1.0]), ("500ms", [1.0, 2.0]), ("501ms", [1.0])])
def test_a_row_arrives_so_much_later_as_the_ingestion_delay_says(connect, tmp_path, delay, seen):
    write(tmp_path, "trade", [trade("12:00:00", 1.0), trade("12:00:09.5", 2.0)])
    con = connect(tmp_path, at="2026-03-02 12:00:10", **({"ingestion_delay": delay} if delay else {}))
    assert prices(con) == seen
    assert con.trades("BTCUSDT", **ALL)["price"].to_list() == seen


def test_names_not_yet_known_are_not_named(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("13:00", symbol="XRPUSDT"), trade("14:00", exchange="okx")])
    write(tmp_path, "kline", klines("12:30", 1, interval="30m"))
    con = connect(tmp_path, at="2026-03-02 12:59")
    assert con.symbols()[["exchange", "symbol", "klines"]].to_numpy().tolist() == [["binance", "BTCUSDT", ""]]
    with pytest.raises(qr.errors.UnknownNameError) as no_symbol:
        con.trades("XRPUSDTT", limit=1)
    with pytest.raises(qr.errors.UnknownNameError) as no_exchange:
        con.trades("BTCUSDT", exchange="okex", limit=1)
    assert no_symbol.value.allowed == ("BTCUSDT",)
    assert no_exchange.value.allowed == ("binance", "all")
    assert "XRPUSDT," not in str(no_symbol.value)
    assert set(con.trades("BTCUSDT", exchange="all", limit=5)["exchange"]) == {"binance"}
    assert "XRPUSDT" not in repr(con)


def test_a_symbol_not_yet_known_is_unknown_and_known_later(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("13:00", symbol="XRPUSDT")])
    with pytest.raises(qr.errors.UnknownNameError, match="XRPUSDT"):
        connect(tmp_path, at="2026-03-02 12:59").trades("XRPUSDT", limit=1)
    assert len(connect(tmp_path, at="2026-03-02 13:00:01").trades("XRPUSDT", limit=1)) == 1


def test_a_warning_of_a_short_range_does_not_tell_when_the_future_begins(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "ticker", [ticker("15:15")])
    con = connect(tmp_path, at="2026-03-02 12:30")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert con.tickers("BTCUSDT", hours=2).empty
    assert "15:15" not in " ".join(str(w.message) for w in said)


def test_a_warning_of_a_short_range_names_the_first_row_known(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", _seen="12:40"), trade("12:05", _seen="12:05:01")])
    with pytest.warns(qr.errors.GapWarning, match=r"begins at 2026-03-02 12:05:00\+00:00"):
        connect(tmp_path, at="2026-03-02 12:30").trades("BTCUSDT", hours=2)


def test_a_row_ahead_of_the_clock_that_was_seen_is_shown(connect, tmp_path):
    # An exchange whose clock runs ahead: the trade is known before its own time.
    write(tmp_path, "trade", [trade("12:00", 1.0, _seen="11:59:58.7"), trade("12:00:05", 2.0, _seen="12:00:03.7")])
    con = connect(tmp_path)
    assert con.trades("BTCUSDT", limit=5)["price"].to_list() == [1.0, 2.0]
    assert con.trades("BTCUSDT", minutes=1)["price"].to_list() == [1.0, 2.0]
    assert con.trades("BTCUSDT", start="2026-03-02 11:59:30", end="2026-03-03")["price"].to_list() == [1.0, 2.0]
    assert con.trades("BTCUSDT", start="2026-03-02 11:59:30", end="2026-03-02 12:00:05")["price"].to_list() == [1.0]
