"""Which candles a range means."""

from __future__ import annotations

import pandas as pd
import pytest
from archives import MINUTES, kline, klines, trade, utc, write

import qalypto_research as qr

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """Return a connection at 13:37:30 to eight days of candles of every interval (of one minute: a day)."""
    folder = tmp_path_factory.mktemp("week")
    for interval, minutes in MINUTES.items():
        days = 1 if minutes == 1 else 8
        first = utc("2026-03-02") - pd.Timedelta(days=days - 1 if days > 1 else 0.5)
        count = int((utc("13:37:30") - first) / pd.Timedelta(minutes=minutes))
        write(folder, "kline", klines(first, count, interval), name=interval)
    with qr.connect(folder, at="2026-03-02 13:37:30") as con:
        yield con


@pytest.mark.parametrize(
    ("interval", "rows", "first", "last"),
    [
        ("5m", 2016, "2026-02-23 13:35", "2026-03-02 13:30"),
        ("15m", 672, "2026-02-23 13:30", "2026-03-02 13:15"),
        ("30m", 336, "2026-02-23 13:30", "2026-03-02 13:00"),
        ("1h", 168, "2026-02-23 13:00", "2026-03-02 12:00"),
        ("4h", 42, "2026-02-23 12:00", "2026-03-02 08:00"),
        ("12h", 14, "2026-02-23 12:00", "2026-03-02 00:00"),
        ("1d", 7, "2026-02-23 00:00", "2026-03-01 00:00"),
    ],
)
def test_seven_days_are_seven_times_24_hours_of_whole_candles(week, interval, rows, first, last):
    frame = week.klines("BTCUSDT", interval, days=7, gaps="raise")
    assert (len(frame), frame.index[0], frame.index[-1]) == (rows, utc(first), utc(last))
    assert frame["is_final"].all()


@pytest.mark.parametrize(
    ("window", "rows", "first", "last"),
    [
        ({"minutes": 30}, 30, "13:07", "13:36"),
        ({"hours": 2}, 120, "11:37", "13:36"),
        ({"minutes": 1}, 1, "13:36", "13:36"),
        ({"minutes": 1.5}, 1, "13:36", "13:36"),
        ({"limit": 3}, 3, "13:34", "13:36"),
        ({"hours": 2, "limit": 3}, 3, "13:34", "13:36"),
        ({"start": "2026-03-02 13:30"}, 7, "13:30", "13:36"),
        ({"start": "2026-03-02 13:30:00.001", "minutes": 2}, 2, "13:31", "13:32"),
        ({"minutes": 2, "end": "2026-03-02 12:00"}, 2, "11:58", "11:59"),
        ({"start": "2026-03-02 12:00", "end": "2026-03-02 12:02:30"}, 3, "12:00", "12:02"),
        ({"start": "2026-03-02 13:30", "end": "2026-03-05"}, 7, "13:30", "13:36"),
    ],
    ids=str,
)
def test_a_range_holds_the_candles_that_open_in_it(week, window, rows, first, last):
    frame = week.klines("BTCUSDT", "1m", gaps="raise", **window)
    assert (len(frame), frame.index[0], frame.index[-1]) == (rows, utc(first), utc(last))


@pytest.mark.parametrize(("interval", "window"), [("1h", {"minutes": 59}), ("1d", {"hours": 23.9}), ("1m", {"minutes": 0.5})], ids=str)
def test_a_range_shorter_than_one_candle_is_an_error(week, interval, window):
    with pytest.raises(qr.errors.RangeError, match=r"interval: .*shorter than one candle"):
        week.klines("BTCUSDT", interval, **window)


def test_the_interval_is_an_hour_unless_said(week):
    assert set(week.klines("BTCUSDT", days=1)["interval"]) == {"1h"}


def test_at_the_very_close_the_candle_just_closed_is_in(connect, tmp_path):
    write(tmp_path, "kline", klines("12:00", 10))
    con = connect(tmp_path, at="2026-03-02 12:05")
    assert list(con.klines("BTCUSDT", "1m", minutes=3, gaps="raise").index.minute) == [2, 3, 4]


def test_a_microsecond_before_the_close_it_is_not(connect, tmp_path):
    write(tmp_path, "kline", [r | {"_seen": "12:00"} for r in klines("12:00", 10)])
    con = connect(tmp_path, at="2026-03-02 12:04:59.999999")
    assert list(con.klines("BTCUSDT", "1m", minutes=3, gaps="raise").index.minute) == [1, 2, 3]


SETTLED = [*klines("12:00", 5, _seen="12:05"), kline("12:05", 105.0, _seen="12:06:08")]


@pytest.mark.parametrize(
    ("at", "minutes"), [("12:06:00", [2, 3, 4]), ("12:06:07.999999", [2, 3, 4]), ("12:06:08", [3, 4, 5]), ("12:06:59", [3, 4, 5])]
)
def test_while_the_last_candle_has_not_arrived_the_range_ends_one_earlier(connect, tmp_path, at, minutes):
    write(tmp_path, "kline", SETTLED)
    frame = connect(tmp_path, at=f"2026-03-02 {at}").klines("BTCUSDT", "1m", minutes=3, gaps="raise")
    assert list(frame.index.minute) == minutes


@pytest.mark.parametrize(("at", "missing"), [("12:06:09.999999", False), ("12:06:10", True), ("12:06:30", True)])
def test_after_ten_seconds_it_is_a_hole(connect, tmp_path, at, missing):
    write(tmp_path, "kline", [*klines("12:00", 5), *klines("12:06", 1, _seen="12:07")])
    con = connect(tmp_path, at=f"2026-03-02 {at}")
    if not missing:
        assert list(con.klines("BTCUSDT", "1m", minutes=3, gaps="raise").index.minute) == [2, 3, 4]
        return
    with pytest.warns(qr.errors.GapWarning, match="2026-03-02 12:05 to 2026-03-02 12:06"):
        assert list(con.klines("BTCUSDT", "1m", minutes=3).index.minute) == [3, 4]


def test_all_series_of_a_length_alone_end_alike_while_one_settles(connect, tmp_path):
    late = [r | {"exchange": "okx"} for r in SETTLED]
    write(tmp_path, "kline", [*klines("12:00", 6, _seen="12:06:01"), *late])
    frame = connect(tmp_path, at="2026-03-02 12:06:05").klines("BTCUSDT", "1m", exchange="all", minutes=3, gaps="raise")
    for exchange in ("binance", "okx"):
        assert list(frame[frame["exchange"] == exchange].index) == [utc("12:02"), utc("12:03"), utc("12:04")]


def test_the_settling_candle_of_an_explicit_range_is_not_missed(connect, tmp_path):
    write(tmp_path, "kline", SETTLED)
    con = connect(tmp_path, at="2026-03-02 12:06:05")
    assert len(con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", gaps="raise")) == 5


def test_a_range_that_starts_after_now_is_an_error(week):
    with pytest.raises(qr.errors.RangeError, match="start"):
        week.klines("BTCUSDT", "1h", start="2026-03-03")


def test_a_limit_counts_the_rows_of_all_series_together(connect, tmp_path):
    write(tmp_path, "kline", [r | {"symbol": s} for s in ("BTCUSDT", "ETHUSDT") for r in klines("12:00", 5)])
    frame = connect(tmp_path).klines(["ETHUSDT", "BTCUSDT"], "1m", limit=3)
    assert list(zip(frame.index.minute, frame["symbol"], strict=True)) == [(3, "ETHUSDT"), (4, "BTCUSDT"), (4, "ETHUSDT")]


def test_ticks_alone_make_no_candle(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    con = connect(tmp_path, at="2026-03-02 13:00")
    assert con.klines("BTCUSDT", "1m", hours=1, gaps="ignore").empty
