"""Names of symbols, exchanges, intervals and columns: refused with what is allowed and what was probably meant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

CALLS = ("klines", "trades", "tickers", "orderbook_tops", "orderbooks", "funding", "spreads", "flow")
SYMBOLS = "BTCUSDT, ETHUSDT, SOLUSDT, XRPUSDT, BNBUSDT, DOGEUSDT, ADAUSDT, DOTUSDT, LINKUSDT, AVAXUSDT"
SYMBOLS_OF = {call: "symbol" if call == "orderbooks" else "symbols" for call in (*CALLS, "compare")}
INTERVALS = "1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d"

NASTY = (
    "BTCUSDT'",
    "BTCUSDT' OR '1' = '1",
    'BTCUSDT"',
    "BTCUSDT`",
    "BTCUSDT; DROP TABLE market_data_trade",
    "BTCUSDT -- ",
    "BTCUSDT /* */",
    "BTC\nUSDT",
    "BTCUSDT\\",
    "\\'",
    "{x:String}",
    "{now}",
    "%(x)s",
    "$$BTCUSDT$$",
    "BTCUSDT\0",
    "\uff22\uff34\uff23USDT",
    "日本",
    "",
    " ",
)


@pytest.mark.parametrize("call", [*CALLS, "compare"])
@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC-USDT", "BTCUSD", "BTCUSTD"])
def test_a_mistyped_symbol_is_refused_with_the_one_meant(con, refused, call, symbol):
    refused(lambda: getattr(con, call)(symbol, hours=1), SYMBOLS_OF[call], repr(symbol), "did you mean 'BTCUSDT'?", f"allowed: {SYMBOLS}")


@pytest.mark.parametrize("call", [*CALLS, "compare"])
@pytest.mark.parametrize("symbols", [None, 5, b"BTCUSDT", ["BTCUSDT", None], [["BTCUSDT"]], []])
def test_what_is_no_name_is_refused_as_symbols(con, refused, call, symbols):
    refused(lambda: getattr(con, call)(symbols, hours=1), SYMBOLS_OF[call])


@pytest.mark.parametrize("exchange", ["binanse", "binance.com"])
def test_a_mistyped_exchange_is_refused_with_the_one_meant(con, refused, exchange):
    refused(
        lambda: con.trades("BTCUSDT", exchange=exchange, hours=1),
        "exchange",
        repr(exchange),
        "did you mean 'binance'?",
        "allowed: binance, bitget, bybit, okx, all",
    )


@pytest.mark.parametrize("exchange", [5, [], [None], b"okx", ["okx", "kraken"], ["all", "kraken"]])
def test_what_is_no_exchange_is_refused(con, refused, exchange):
    refused(lambda: con.tickers("BTCUSDT", exchange=exchange, hours=1), "exchange")


@pytest.mark.parametrize("exchange", ["all", "ALL", ["all"], ["all", "okx"], ["binance", "bitget", "bybit", "okx"]])
def test_all_means_every_exchange(con, exchange):
    frame = con.klines("ETHUSDT", "1h", exchange=exchange, hours=2)
    assert list(frame["exchange"]) == ["binance", "bitget", "bybit", "okx"] * 2


@pytest.mark.parametrize(
    "interval", ["1M", "2h", "1mo", "1w", "0m", "-5m", "5", "", "hour", "1h1m", "1h; DROP", "1h'", "5m -- ", 60, None, 1.0]
)
def test_an_interval_that_is_not_there_is_refused_with_those_that_are(con, refused, interval):
    refused(lambda: con.klines("BTCUSDT", interval, days=1), "interval", repr(interval), INTERVALS)


@pytest.mark.parametrize(("interval", "rows"), [("60m", 24), ("1H", 24), ("60min", 24), ("24h", 1), ("1 d", 1), ("90s", None)])
def test_the_same_interval_in_other_words_is_understood(con, refused, interval, rows):
    if rows is None:
        refused(lambda: con.klines("BTCUSDT", interval, days=1), "interval")
    else:
        assert len(con.klines("BTCUSDT", interval, days=1)) == rows


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("columns", ["symbl", ["symbol", "symbl"]])
def test_a_mistyped_column_is_refused_with_the_one_meant(con, refused, call, columns):
    refused(
        lambda: getattr(con, call)("BTCUSDT", hours=1, columns=columns),
        "columns",
        "'symbl'",
        "did you mean 'symbol'?",
        "allowed: symbol," if call == "spreads" else "allowed: exchange,",
    )


@pytest.mark.parametrize("columns", [[], 5, [None], b"price", ["price", 5]])
def test_what_is_no_column_is_refused(con, refused, columns):
    refused(lambda: con.trades("BTCUSDT", hours=1, columns=columns), "columns")


def test_the_stored_name_of_a_top_of_book_is_not_the_public_one(con, refused):
    refused(lambda: con.orderbook_tops("BTCUSDT", hours=1, columns="bids_price_0"), "columns", "bid_price")


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("call", CALLS)
def test_sql_in_a_name_is_refused_by_name_and_never_sent(con, refused, call, nasty):
    ask = getattr(con, call)
    refused(lambda: ask(nasty, hours=1), SYMBOLS_OF[call])
    refused(lambda: ask(["ETHUSDT", nasty], hours=1), SYMBOLS_OF[call])
    refused(lambda: ask("BTCUSDT", exchange=nasty, hours=1), "exchange")
    refused(lambda: ask("BTCUSDT", columns=["symbol", nasty], hours=1), "columns")
    refused(lambda: ask("BTCUSDT", start=nasty), "start")
    refused(lambda: ask("BTCUSDT", start="2026-03-01", end=nasty), "end")
    refused(lambda: ask("BTCUSDT", tz=nasty, hours=1), "tz")
    refused(lambda: ask("BTCUSDT", max_bytes=nasty, hours=1), "max_bytes")
    refused(lambda: ask("BTCUSDT", hours=nasty), "hours")
    refused(lambda: ask("BTCUSDT", limit=nasty), "limit")


@pytest.mark.parametrize("nasty", NASTY)
def test_sql_in_the_arguments_of_candles_is_refused_by_name_and_never_sent(con, refused, nasty):
    refused(lambda: con.klines("BTCUSDT", nasty, days=1), "interval")
    refused(lambda: con.klines("BTCUSDT", days=1, gaps=nasty), "gaps")
    refused(lambda: con.klines("BTCUSDT", days=1, final=nasty), "final")


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("call", ["tickers", "orderbook_tops", "orderbooks"])
def test_sql_in_a_bucket_or_depth_is_refused_by_name_and_never_sent(con, refused, call, nasty):
    refused(lambda: getattr(con, call)("BTCUSDT", hours=1, every=nasty), "every")
    refused(lambda: con.orderbooks("BTCUSDT", hours=1, depth=nasty), "depth")


@pytest.mark.parametrize("every", ["1500us", "0s", "-1s", "1M", "s", 5, 1.0, True, pd.Timedelta(0), np.timedelta64("NaT")])
@pytest.mark.parametrize("call", ["tickers", "orderbook_tops", "orderbooks"])
def test_what_is_no_bucket_is_refused(con, refused, call, every):
    refused(lambda: getattr(con, call)("BTCUSDT", hours=1, every=every), "every")


@pytest.mark.parametrize("depth", [0, -1, 1_001, 10**30, 1.0, 10.5, True, False, np.True_, None, "10", [10], np.float64(5), float("nan")])
def test_a_depth_is_a_whole_number_of_levels(con, refused, depth):
    refused(lambda: con.orderbooks("BTCUSDT", hours=1, depth=depth), "depth", "from 1 to 1,000")


@pytest.mark.parametrize("column", ["bid_price_3", "ask_size_9", "bid_price", "bids_json", "bids_price_0", "bid_price_-1", "bid_price_00"])
def test_a_level_beyond_the_depth_is_no_column(con, refused, column):
    refused(lambda: con.orderbooks("BTCUSDT", hours=1, depth=3, columns=column), "columns", "depth=3 has the levels 0 to 2")


@pytest.mark.parametrize(
    "symbols", ["btcusdt", " BTCUSDT ", ("BTCUSDT",), {"BTCUSDT"}, np.array(["btcusdt"]), pd.Index(["BtcUsdt"]), ["BTCUSDT", "btcusdt"]]
)
def test_names_are_taken_in_either_case_and_from_any_collection(con, symbols):
    frame = con.klines(symbols, "1h", hours=3)
    assert list(frame["symbol"]) == ["BTCUSDT"] * 3


def test_an_error_of_a_name_says_what_was_asked_and_what_is_allowed(con):
    with pytest.raises(qr.errors.UnknownNameError) as caught:
        con.klines("BTCUSDT", "1h", days=1, exchange="kraken")
    error = caught.value
    assert (error.value, error.allowed) == ("kraken", ("binance", "bitget", "bybit", "okx", "all"))
    assert isinstance(error, qr.QalyptoError)
    assert isinstance(error, ValueError)


def test_a_name_that_resembles_none_is_refused_without_a_guess(con):
    with pytest.raises(qr.errors.UnknownNameError) as caught:
        con.trades("ZZZ", hours=1)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("gaps", "said"), [("wran", "did you mean 'warn'?"), (None, "allowed: warn, raise, ignore"), (["warn"], "allowed"), (True, "allowed")]
)
def test_an_unknown_way_with_gaps_is_refused(con, refused, gaps, said):
    refused(lambda: con.klines("BTCUSDT", days=1, gaps=gaps), "gaps", said)


@pytest.mark.parametrize("final", ["no", 0, 1, None, "False"])
def test_final_is_true_or_false(con, refused, final):
    refused(lambda: con.klines("BTCUSDT", days=1, final=final), "final", "True or False")
