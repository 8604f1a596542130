"""``symbols`` says what there is."""

from __future__ import annotations

import pytest
from archives import book, kline, ticker, trade, write

pytestmark = pytest.mark.contract


def test_symbols_is_one_row_an_exchange_and_symbol_in_the_documented_order(connect, tmp_path):
    write(
        tmp_path, "trade", [trade("12:00", exchange=e, symbol=s) for e, s in [("okx", "ETHUSDT"), ("okx", "UNIUSDT"), ("okx", "BTCUSDT")]]
    )
    write(tmp_path, "ticker", [ticker("12:00", exchange="okx", symbol="BTCUSDT")])
    write(tmp_path, "orderbook", [book("12:00", exchange="bitget", symbol="AVAXUSDT")])
    write(tmp_path, "kline", [kline("12:00", exchange="okx", symbol="ETHUSDT", interval=i) for i in ("1h", "1m", "30m")])
    frame = connect(tmp_path).symbols()
    assert frame.dtypes.map(str).to_dict() == {
        "exchange": "category",
        "symbol": "category",
        "trades": "bool",
        "tickers": "bool",
        "orderbooks": "bool",
        "klines": "str",
    }
    assert list(frame.itertuples(index=False, name=None)) == [
        ("bitget", "AVAXUSDT", False, False, True, ""),
        ("okx", "BTCUSDT", True, True, False, ""),
        ("okx", "ETHUSDT", True, False, False, "1m, 30m, 1h"),
        ("okx", "UNIUSDT", True, False, False, ""),
    ]
    assert list(frame["symbol"].cat.categories)[9:] == ["AVAXUSDT", "UNIUSDT"]
    assert list(frame["exchange"].cat.categories) == ["binance", "bitget", "bybit", "okx"]


def test_the_only_exchange_there_is_is_the_default_and_binance_goes_before(connect, tmp_path):
    write(tmp_path / "one", "trade", [trade("12:00", exchange="okx")])
    write(tmp_path / "two", "trade", [trade("12:00", exchange=e) for e in ("bybit", "binance")])
    assert list(connect(tmp_path / "one").trades("BTCUSDT", limit=5)["exchange"]) == ["okx"]
    assert list(connect(tmp_path / "two").trades("BTCUSDT", limit=5)["exchange"]) == ["binance"]
    assert list(connect(tmp_path / "two", exchange="bybit").trades("BTCUSDT", limit=5)["exchange"]) == ["bybit"]
