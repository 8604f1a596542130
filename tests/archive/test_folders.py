"""Folders as people keep them: named by value, with dead links, in other letter cases."""

from __future__ import annotations

import pytest
from archives import klines, ticker, trade, write

import qalypto_research as qr


def test_a_folder_named_by_a_value_does_not_stand_in_for_the_column(tmp_path):
    write(tmp_path, "trade", [trade("12:00", 100.0)])
    named = tmp_path / "trade" / "symbol=ETHUSDT" / "price=7"
    named.mkdir(parents=True)
    (tmp_path / "trade" / "a.parquet").replace(named / "a.parquet")
    with qr.connect(tmp_path) as con:
        frame = con.trades("BTCUSDT", limit=5)
    assert (frame["symbol"].to_list(), frame["price"].to_list()) == (["BTCUSDT"], [100.0])


def test_a_dead_link_is_named_and_hides_nothing(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "trade" / "0.parquet").symlink_to(tmp_path / "gone.parquet")
    with pytest.raises(qr.errors.ArchiveError, match=r"0\.parquet: cannot be read"):
        qr.connect(tmp_path)


def test_names_are_found_whatever_their_letter_case(tmp_path):
    write(tmp_path, "trade", [trade("12:00", symbol="kPEPE", exchange="Binance")])
    with qr.connect(tmp_path) as con:
        assert con.trades("KPEPE", exchange="binance", limit=1)["symbol"].to_list() == ["kPEPE"]


def test_ties_without_a_recorded_order_keep_that_of_the_file_even_where_the_columns_are_there(tmp_path):
    rows = [ticker("12:00", float(n), _seen=None, _seq=None) for n in range(2_000)]
    write(tmp_path, "ticker", rows)
    with qr.connect(tmp_path) as con:
        assert con.tickers("BTCUSDT", limit=5_000)["last_price"].to_list() == [float(n) for n in range(2_000)]


def test_a_mistyped_table_is_not_answered_with_a_table_below_the_guard(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    with qr.connect(tmp_path) as con, pytest.raises(qr.errors.QueryError, match="the tables are market_data_trade") as caught:
        con.sql("SELECT price FROM trades")
    assert "qalypto_" not in str(caught.value)


def test_rows_ahead_of_the_clock_count_against_max_bytes(tmp_path):
    write(tmp_path, "trade", [trade("11:55", _seen="11:55"), *(trade("12:00:05", _seen="12:00:00") for _ in range(499))])
    with qr.connect(tmp_path, at="2026-03-02 12:00:01") as con, pytest.raises(qr.errors.ResultTooLargeError, match="499 rows"):
        con.trades("BTCUSDT", minutes=5, max_bytes=1_000)


def test_the_ingestion_delay_is_waited_for(tmp_path):
    write(tmp_path, "kline", klines("12:00", 6))
    with qr.connect(tmp_path, at="2026-03-02 12:06:30", ingestion_delay="60s") as con:
        assert list(con.klines("BTCUSDT", "1m", minutes=3, gaps="raise").index.minute) == [2, 3, 4]


def test_the_connection_before_is_the_default_again_also_after_several(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / name, "trade", [trade("12:00", symbol="BTCUSDT", price=float(ord(name)))])
    first, second, third = (qr.connect(tmp_path / name) for name in ("a", "b", "c"))
    third.close()
    second.close()
    assert qr.trades("BTCUSDT", limit=1)["price"].to_list() == [97.0]
    first.close()
