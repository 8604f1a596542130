"""Values come out as they were stored; what is NULL there is NaN or NaT here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import book, kline, ticker, trade, utc, write

pytestmark = pytest.mark.contract

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}

NULLABLE_IN_TICKERS = [
    "bid_price", "ask_price", "bid_size", "ask_size", "high_24h", "low_24h", "volume_24h", "quote_volume_24h", "open_24h",
    "funding_rate", "mark_price", "index_price", "open_interest", "open_interest_value",
]  # fmt: skip


def test_a_trade_comes_out_as_stored(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00:00.123", 82.98, 0.75, side="sell", trade_id="3198735563", is_liquidation=1)])
    (row,) = connect(tmp_path).trades("BTCUSDT", **WINDOW).reset_index().to_dict("records")
    assert row == {
        "timestamp": pd.Timestamp("2026-03-02 12:00:00.123", tz="UTC"),
        "exchange": "binance",
        "symbol": "BTCUSDT",
        "price": 82.98,
        "amount": 0.75,
        "side": "sell",
        "trade_id": "3198735563",
        "is_liquidation": True,
    }


@pytest.mark.embedded
def test_numbers_keep_every_bit(connect, tmp_path):
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -5.129e-05, float(2**53 + 2)]
    write(tmp_path, "ticker", [ticker("12:00", funding_rate=v) for v in values])
    assert list(connect(tmp_path).tickers("BTCUSDT", **WINDOW)["funding_rate"]) == values


def test_a_null_number_of_a_ticker_is_nan_and_zero_stays_zero(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00", **dict.fromkeys(NULLABLE_IN_TICKERS, 0.0)), ticker("12:01")])
    frame = connect(tmp_path).tickers("BTCUSDT", **WINDOW)
    for column in NULLABLE_IN_TICKERS:
        np.testing.assert_array_equal(frame[column].to_numpy(), [0.0, np.nan], err_msg=column)


def test_next_funding_time_is_in_utc_and_nat_where_null(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00", next_funding_time="16:00:00.001"), ticker("12:01")])
    first, second = connect(tmp_path).tickers("BTCUSDT", **WINDOW)["next_funding_time"]
    assert first == utc("16:00:00.001")
    assert second is pd.NaT


def test_nulls_of_a_candle_are_nan_and_nat(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00"), kline("12:01", num_trades=1314, quote_volume=0.0, close_time="12:01:59.999")])
    frame = connect(tmp_path).klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:02")
    np.testing.assert_array_equal(frame["num_trades"].to_numpy(), [np.nan, 1314.0])
    np.testing.assert_array_equal(frame["quote_volume"].to_numpy(), [np.nan, 0.0])
    assert list(frame["close_time"].isna()) == [True, False]
    assert frame["close_time"].iloc[1] == utc("12:01:59.999")


def test_a_column_of_nulls_alone_keeps_its_dtype(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00")])
    frame = connect(tmp_path).klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:01")
    assert frame[["num_trades", "close_time"]].dtypes.map(str).to_list() == ["float64", "datetime64[us, UTC]"]


def test_a_side_of_the_book_that_is_not_there_is_nan(connect, tmp_path):
    write(tmp_path, "orderbook", [book("12:00", bid=None, is_snapshot=0), book("12:01", ask=None), book("12:02")])
    tops = connect(tmp_path).orderbook_tops("BTCUSDT", **WINDOW)
    np.testing.assert_array_equal(tops["bid_price"].to_numpy(), [np.nan, 99.0, 99.0])
    np.testing.assert_array_equal(tops["bid_size"].to_numpy(), [np.nan, 2.0, 2.0])
    np.testing.assert_array_equal(tops["ask_price"].to_numpy(), [101.0, np.nan, 101.0])
    np.testing.assert_array_equal(tops["ask_size"].to_numpy(), [3.0, np.nan, 3.0])
    assert list(tops["is_snapshot"]) == [False, True, True]


@pytest.mark.embedded
def test_ids_are_text_to_the_letter(connect, tmp_path):
    texts = ["", "007", "é'\";--", "a" * 300]
    write(tmp_path, "orderbook", [book("12:00", sequence_id=t) for t in texts])
    assert list(connect(tmp_path).orderbook_tops("BTCUSDT", **WINDOW)["sequence_id"]) == texts


def test_repeated_trades_are_given_as_often_as_stored(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", trade_id="5")] * 3)
    assert list(connect(tmp_path).trades("BTCUSDT", **WINDOW)["trade_id"]) == ["5", "5", "5"]


def test_symbols_are_case_blind_and_text_or_list(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    con = connect(tmp_path)
    for spelt in ("btcusdt", "BtcUsdt", " BTCUSDT ", ["btcusdt"], ["BTCUSDT", "btcusdt"]):
        assert list(con.trades(spelt, **WINDOW)["symbol"]) == ["BTCUSDT"], spelt


def test_a_symbol_beyond_the_vocabulary_is_appended_for_that_frame(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", symbol=s) for s in ("UNIUSDT", "BTCUSDT", "DASHUSDT")])
    con = connect(tmp_path)
    documented = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
    both = con.trades(["UNIUSDT", "DASHUSDT", "BTCUSDT"], **WINDOW)
    assert list(both["symbol"].cat.categories) == [*documented, "DASHUSDT", "UNIUSDT"]
    assert list(both["symbol"]) == ["BTCUSDT", "DASHUSDT", "UNIUSDT"]
    assert list(con.trades("UNIUSDT", **WINDOW)["symbol"].cat.categories) == [*documented, "UNIUSDT"]
    assert list(con.trades("BTCUSDT", **WINDOW)["symbol"].cat.categories) == documented
