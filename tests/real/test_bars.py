"""Bars of recorded trades: what is known of them comes out, by ClickHouse and by NumPy alike, and candles are held against them."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

import qalypto_research as qr

SERIES = [
    ("binance_spot_20240808", "binance", "ETHUSDT"),
    ("binance_spot_btc_20210108", "binance", "BTCUSDT"),
    ("bybit_linear_20210417", "bybit", "ADAUSDT"),
    ("bybit_linear_20210417", "bybit", "DOTUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "DASHUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "UNIUSDT"),
]
SUMS = ["volume", "quote_volume", "vwap", "buy_volume", "sell_volume"]
COLUMNS = ["open", "high", "low", "close", "volume", "quote_volume", "num_trades"]


@pytest.fixture(params=SERIES, ids=lambda s: f"{s[0]}-{s[2]}")
def series(request, case):
    """Return a connection, its trades of one series, what is known of it, and its symbol."""
    name, exchange, symbol = request.param
    one = case(name)
    return one.con, one.con.trades(symbol, limit=10_000), one.truths("market_data_trade")[f"{exchange}/{symbol}"], symbol


def bars_of(con, trades, symbol, every, by, *, final=False):
    start = trades.index[0].floor("1min")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", qr.errors.GapWarning)  # a recording may begin within the first bar
        return con.bars(symbol, every, by, start=start, final=final)


def test_bars_of_a_minute_are_the_known_candles(series):
    con, trades, truth, symbol = series
    bars = bars_of(con, trades, symbol, "1m", "time")
    candles = truth["candles_1m"]
    assert list(bars.index) == [pd.Timestamp(c["ts"]) for c in candles]
    for column in COLUMNS:
        assert list(bars[column]) == pytest.approx([c[column] for c in candles], rel=1e-12), column


@pytest.mark.parametrize(
    ("every", "by"), [("1m", "time"), ("1s", "time"), (7, "tick"), (3.3, "volume"), (10_000.0, "dollar"), (2.5, "imbalance")], ids=str
)
def test_clickhouse_and_numpy_agree(series, every, by):
    """Sums to a relative 1e-12, all else exactly."""
    con, trades, truth, symbol = series
    ours = bars_of(con, trades, symbol, every, by)
    # At the end the clock knows more than the last trade.
    now = pd.Timestamp(ours.attrs["qalypto"]["clock"])
    covered = {"end": now} if by == "time" and now > trades.index[-1] else {}
    theirs = qr.prep.bars(trades, every, by, final=False, **covered)
    exact = [c for c in ours.columns if c not in SUMS]
    pd.testing.assert_frame_equal(ours[exact], theirs[exact], check_exact=True)
    pd.testing.assert_frame_equal(ours[SUMS], theirs[SUMS], rtol=1e-12, atol=0)
    assert ours["num_trades"].sum() == truth["rows"]
    assert ours["volume"].sum() == pytest.approx(truth["sum_amount"], rel=1e-12)
    assert ours["buy_volume"].sum() == pytest.approx(truth["buy_amount"], rel=1e-12, abs=1e-12)
    assert ours["sell_volume"].sum() == pytest.approx(truth["sell_amount"], rel=1e-12, abs=1e-12)


def test_the_bar_in_which_a_recording_begins_is_not_whole(case):
    con = case("binance_spot_20240808").con
    with pytest.warns(qr.errors.GapWarning, match="begins at 2024-08-08 23:54:15"):
        bars = con.bars("ETHUSDT", "1m", start="2024-08-08 23:53", final=False)
    assert list(bars["is_final"]) == [False, True, True, True, True, True, False]
    assert len(con.bars("ETHUSDT", "1m", start="2024-08-08 23:54")) == 5
    trades = con.trades("ETHUSDT", limit=10_000)
    assert list(qr.prep.bars(trades, "1m", final=False)["is_final"]) == list(bars["is_final"])


def test_each_recording_begins_by_itself(case):
    """DASHUSDT begins at 00:05:34.9, UNIUSDT at 00:06:04.9."""
    con = case("extra_bitget_mix_20220407").con
    for names in ("UNIUSDT", ["UNIUSDT", "DASHUSDT"]):
        trades = con.trades(names, start="2022-04-07 00:05")
        for made in (con.bars(names, "1m", start="2022-04-07 00:05", final=False), qr.prep.bars(trades, "1m", final=False)):
            bars = made[made["symbol"] == "UNIUSDT"]
            assert list(bars["volume"]) == [283.0, 48.0, 49.0]  # of 292 that the venue tells for the first
            assert list(bars["is_final"]) == [False, True, False]
            assert list(bars["available_at"].isna()) == [True, False, True]


def test_flow_of_a_recording_begins_with_the_first_whole_bucket(case):
    con = case("binance_spot_20240808").con
    ask = {"symbols": "ETHUSDT", "start": "2024-08-08 23:54"}
    ours, theirs = con.flow(every="1m", **ask), qr.prep.flow(con.trades(**ask), "1m")
    for flow in (ours, theirs):
        assert [f"{at:%H:%M}" for at in flow.index] == ["23:55", "23:56", "23:57", "23:58", "23:59"]
        assert list(flow["num_trades"]) == [1029, 899, 764, 1275, 1403]


def test_bitget_opens_at_the_close_before_and_is_told_from_missing_trades(case):
    con = case("extra_bitget_mix_20220407").con
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", qr.errors.GapWarning)
        bars = con.bars(["UNIUSDT", "DASHUSDT"], "1m", start="2022-04-07 00:05", final=False)
        klines = con.klines(["UNIUSDT", "DASHUSDT"], "1m", start="2022-04-07", final=False, gaps="ignore")
    found = qr.prep.reconcile(bars, klines)
    rows = [(f"{t:%H:%M}", r.symbol, r.column, r.ours, r.theirs, r.cause) for t, r in zip(found.index, found.itertuples(), strict=True)]
    before, partial = "venue opens at the close before", "partial coverage"
    assert [row for row in rows if row[0] == "00:06"] == [
        ("00:06", "DASHUSDT", "open", 113.81, 113.89, before),
        ("00:06", "DASHUSDT", "high", 113.81, 113.89, before),
        ("00:06", "UNIUSDT", "open", 9.995, 10.006, partial),  # its recording begins within this minute, that of DASHUSDT before
        ("00:06", "UNIUSDT", "high", 10.003, 10.006, partial),
        ("00:06", "UNIUSDT", "volume", 283.0, 292.0, partial),
    ]
    assert [row[1:3] + row[5:] for row in rows if row[0] == "00:07"] == [("DASHUSDT", "volume", "no candle"), ("UNIUSDT", "open", before)]
    assert {row[5] for row in rows if row[:2] == ("00:05", "DASHUSDT")} == {"partial coverage"}
    # The running candle was built of the same trades.
    assert [row for row in rows if row[0] == "00:08"] == []


def test_returns_of_recorded_candles(case):
    one = case("extra_bitget_mix_20220407")
    for symbol in ("UNIUSDT", "DASHUSDT"):
        truth = one.truths("market_data_kline")[f"bitget/{symbol}/1m"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", qr.errors.GapWarning)
            klines = one.con.klines(symbol, "1m", start=truth["first"], gaps="ignore")
        returns = qr.prep.log_returns(klines, every="1m").dropna()
        assert len(returns) == len(klines) - 1
        largest = truth["largest_abs_log_return"]
        assert returns.abs().max() == pytest.approx(largest["value"], rel=1e-12)
        assert returns.abs().idxmax() == pd.Timestamp(largest["at"])
