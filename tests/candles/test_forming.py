"""The candle that is forming: its newest known update, else what closed finer candles and trades make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import kline, klines, trade, write

pytestmark = pytest.mark.contract


def forming(con, interval="1m", **options):
    """Return the rows that are not final."""
    frame = con.klines("BTCUSDT", interval, final=False, gaps="ignore", **({"limit": 50} | options))
    return frame[~frame["is_final"]]


@pytest.mark.embedded
def test_the_newest_known_update_is_given_after_the_closed_candles(connect, tmp_path):
    running = [kline("12:05", float(n), 9.0 - n, is_final=0, _seen=f"12:05:{n:02}") for n in range(1, 9)]
    write(tmp_path, "kline", [*klines("12:00", 5, _seen="12:05"), *running[::-1]])
    frame = connect(tmp_path, at="2026-03-02 12:05:04.5").klines("BTCUSDT", "1m", minutes=3, final=False)
    assert list(frame.index.minute) == [2, 3, 4, 5]
    assert list(frame["is_final"]) == [True, True, True, False]
    assert list(frame["close"]) == [102.0, 103.0, 104.0, 4.0]


@pytest.mark.embedded
def test_updates_of_one_moment_go_by_sequence(connect, tmp_path):
    running = [kline("12:05", float(s), 1.0, is_final=0, _seen="12:05:01", _seq=s) for s in (2, 10, 9)]
    write(tmp_path, "kline", running)
    assert list(forming(connect(tmp_path, at="2026-03-02 12:05:30"))["close"]) == [10.0]


def test_closed_candles_alone_are_the_rule(connect, tmp_path):
    write(tmp_path, "kline", [*klines("12:00", 5, _seen="12:05"), kline("12:05", 1.0, is_final=0, _seen="12:05:01")])
    frame = connect(tmp_path, at="2026-03-02 12:05:04.5").klines("BTCUSDT", "1m", minutes=3)
    assert list(frame.index.minute) == [2, 3, 4]


def test_a_limit_counts_the_forming_candle(connect, tmp_path):
    write(tmp_path, "kline", [*klines("12:00", 5, _seen="12:05"), kline("12:05", 1.0, is_final=0, _seen="12:05:01")])
    frame = connect(tmp_path, at="2026-03-02 12:05:04.5").klines("BTCUSDT", "1m", limit=3, final=False)
    assert list(frame.index.minute) == [3, 4, 5]


def test_a_range_that_ended_before_has_no_forming_candle(connect, tmp_path):
    write(tmp_path, "kline", [*klines("12:00", 5, _seen="12:05"), kline("12:05", 1.0, is_final=0, _seen="12:05:01")])
    con = connect(tmp_path, at="2026-03-02 12:05:04.5")
    assert forming(con, start="2026-03-02 12:00", end="2026-03-02 12:05").empty


# 12:00 to 12:07:30 of a five-minute candle that opened at 12:05, from minutes up to 12:07 and trades after them.
MINUTES = [
    kline("12:05", 11.0, 1.0, open=10.0, high=15.0, low=9.0, quote_volume=10.0, num_trades=1, _seen="12:06"),
    kline("12:06", 12.0, 2.0, open=11.0, high=13.0, low=8.0, quote_volume=20.0, num_trades=2, _seen="12:07"),
]
TRADES = [
    trade("12:06:59.999", 99.0, 99.0, trade_id="1"),
    trade("12:07:00", 20.0, 4.0, trade_id="2"),
    trade("12:07:10", 7.0, 8.0, trade_id="3"),
    trade("12:07:10", 7.0, 8.0, trade_id="3"),
    trade("12:07:20", 14.0, 16.0, trade_id="4"),
    trade("12:07:40", 999.0, 999.0, trade_id="5"),
]


def built(frame):
    return frame[["open", "high", "low", "close", "volume", "quote_volume", "num_trades"]].to_dict("records")


def test_without_an_update_it_is_built_from_finer_candles_and_the_trades_after_them(connect, tmp_path):
    write(tmp_path, "kline", [*klines("12:00", 1, "5m"), *MINUTES])
    write(tmp_path, "trade", TRADES)
    frame = forming(connect(tmp_path, at="2026-03-02 12:07:30"), "5m")
    assert list(frame.index) == [pd.Timestamp("2026-03-02 12:05", tz="UTC")]
    assert built(frame) == [
        {"open": 10.0, "high": 20.0, "low": 7.0, "close": 14.0, "volume": 31.0, "quote_volume": 390.0, "num_trades": 6.0}
    ]
    assert frame["close_time"].isna().all()
    assert list(frame["interval"]) == ["5m"]


def test_a_built_candle_has_the_dtypes_of_a_stored_one(connect, tmp_path):
    write(tmp_path, "kline", [*klines("12:00", 1, "5m"), *MINUTES])
    write(tmp_path, "trade", TRADES)
    con = connect(tmp_path, at="2026-03-02 12:07:30")
    with_it = con.klines("BTCUSDT", "5m", limit=5, final=False)
    assert len(with_it) == 2
    pd.testing.assert_frame_equal(with_it.head(1), con.klines("BTCUSDT", "5m", limit=5))
    assert with_it.dtypes.equals(con.klines("BTCUSDT", "5m", limit=5).dtypes)


def test_a_built_candle_of_a_symbol_beyond_the_vocabulary_keeps_its_category(connect, tmp_path):
    write(tmp_path, "kline", [r | {"symbol": "UNIUSDT"} for r in [*klines("12:00", 1, "5m"), *MINUTES]])
    frame = connect(tmp_path, at="2026-03-02 12:07:30").klines("UNIUSDT", "5m", limit=5, final=False)
    assert (str(frame["symbol"].dtype), list(frame["symbol"]), list(frame["is_final"])) == ("category", ["UNIUSDT"] * 2, [True, False])


def test_a_stored_update_goes_before_a_built_one(connect, tmp_path):
    write(tmp_path, "kline", [*MINUTES, kline("12:05", 5.5, 31.0, interval="5m", is_final=0, _seen="12:06:30")])
    write(tmp_path, "trade", TRADES)
    assert list(forming(connect(tmp_path, at="2026-03-02 12:07:30"), "5m")["close"]) == [5.5]


def test_coarser_candles_are_used_where_they_are(connect, tmp_path):
    half = kline("12:00", 11.0, 100.0, interval="30m", quote_volume=1.0, num_trades=1)
    write(tmp_path, "kline", [half, *klines("12:00", 31, volume=1.0)])
    frame = forming(connect(tmp_path, at="2026-03-02 12:31:00.5"), "1h")
    assert list(frame["volume"]) == [101.0]


def test_turnover_and_count_are_nan_where_a_piece_has_none(connect, tmp_path):
    write(tmp_path, "kline", [MINUTES[0], MINUTES[1] | {"num_trades": None}])
    frame = forming(connect(tmp_path, at="2026-03-02 12:07:00.5"), "5m")
    assert list(frame["quote_volume"]) == [30.0]
    assert np.isnan(frame["num_trades"].item())


def test_trades_alone_make_the_candle_where_they_reach_back_before_its_open(connect, tmp_path):
    rows = [trade("12:04:59", 50.0), trade("12:05:01", 10.0, 2.0), trade("12:05:02", 30.0, 1.0), trade("12:05:03", 20.0, 1.0)]
    write(tmp_path, "trade", rows)
    frame = forming(connect(tmp_path, at="2026-03-02 12:05:10"))
    assert built(frame) == [
        {"open": 10.0, "high": 30.0, "low": 10.0, "close": 20.0, "volume": 4.0, "quote_volume": 70.0, "num_trades": 3.0}
    ]


def test_trades_without_ids_are_each_counted(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:04:59"), *[trade("12:05:01", 10.0, 2.0)] * 3])
    assert list(forming(connect(tmp_path, at="2026-03-02 12:05:10"))["volume"]) == [6.0]


def test_trades_that_begin_within_the_candle_do_not_cover_it(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:05:01", 10.0), trade("12:05:02", 30.0)])
    write(tmp_path, "kline", [kline("11:00")])
    assert forming(connect(tmp_path, at="2026-03-02 12:05:10")).empty


def test_a_break_between_finer_candles_and_trades_leaves_the_candle_out(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", interval="5m"), kline("12:10", interval="5m")])
    write(tmp_path, "trade", [trade("12:14", 10.0), trade("12:16", 10.0)])
    assert forming(connect(tmp_path, at="2026-03-02 12:17"), "1h").empty


def test_what_is_not_known_yet_is_not_built_in(connect, tmp_path):
    write(tmp_path, "kline", MINUTES)
    late = [TRADES[1], TRADES[2] | {"_seen": "12:07:31"}, TRADES[4] | {"_seen": "12:07:30"}]
    write(tmp_path, "trade", late)
    assert list(forming(connect(tmp_path, at="2026-03-02 12:07:30"), "5m")["volume"]) == [1.0 + 2.0 + 4.0 + 16.0]


def test_each_series_is_built_for_itself(connect, tmp_path):
    okx = [r | {"exchange": "okx", "volume": 10.0} for r in MINUTES]
    stored = kline("12:05", 5.5, 3.0, interval="5m", is_final=0, _seen="12:06:30", exchange="bybit")
    write(tmp_path, "kline", [*MINUTES, *okx, stored])
    frame = forming(connect(tmp_path, at="2026-03-02 12:07:00.5"), "5m", exchange="all")
    assert list(zip(frame["exchange"], frame["volume"], strict=True)) == [("binance", 3.0), ("bybit", 3.0), ("okx", 20.0)]


def test_trades_before_the_end_of_a_series_own_candles_are_not_counted_again(connect, tmp_path):
    okx = MINUTES[0] | {"exchange": "okx"}
    write(tmp_path, "kline", [*MINUTES, okx])
    write(tmp_path, "trade", [trade("12:06:30", 10.0, 5.0, exchange=e) for e in ("binance", "okx")])
    frame = forming(connect(tmp_path, at="2026-03-02 12:07:00.5"), "5m", exchange="all")
    assert list(zip(frame["exchange"], frame["volume"], strict=True)) == [("binance", 3.0), ("okx", 6.0)]


def test_a_final_row_that_came_too_early_goes_before_a_running_one(connect, tmp_path):
    running = kline("12:05", 1.0, 9.0, is_final=0, _seen="12:05:59.4")
    write(tmp_path, "kline", [kline("12:05", 2.0, 5.0, _seen="12:05:59.2"), running])
    con = connect(tmp_path, at="2026-03-02 12:05:59.5")
    assert con.klines("BTCUSDT", "1m", limit=5, final=False)["close"].to_list() == [2.0]
    assert con.klines("BTCUSDT", "1m", limit=5, gaps="ignore").empty


def test_a_forming_candle_is_not_made_of_trades_on_both_sides_of_an_outage(connect, tmp_path):
    before, after = [f"11:59:{s}" for s in (10, 30)], [f"12:{m:02d}:00" for m in (0, 1, 2, 20, 21, 22)]
    write(tmp_path, "trade", [trade(t) for t in (*before, *after)])
    write(tmp_path, "kline", [kline("11:00", interval="1h")])
    assert connect(tmp_path, at="2026-03-02 12:22:30").klines("BTCUSDT", "1h", limit=5, final=False)["is_final"].to_list() == [True]


def test_trades_stamped_after_the_candle_are_not_in_it(connect, tmp_path):
    known = [("11:59:30", 9.0, None), *((f"12:{m:02d}:00", 1.0, None) for m in range(60)), ("13:00:00.500", 7.0, "12:59:59.4")]
    write(tmp_path, "trade", [trade(t, p, _seen=seen) for t, p, seen in known])
    write(tmp_path, "kline", [kline("11:00", interval="1h")])
    con = connect(tmp_path, at="2026-03-02 12:59:59.5")
    assert con.klines("BTCUSDT", "1h", limit=5, final=False)[["close", "volume"]].to_numpy().tolist()[-1] == [1.0, 60.0]
