"""What errors and warnings say, where the plain fact would not help."""

from __future__ import annotations

import pytest
from archives import klines, trade, write

import qalypto_research as qr


def test_too_many_positional_arguments_are_counted_without_the_connection(con):
    with pytest.raises(TypeError, match=r"^trades\(\) too many positional arguments; it is trades\(symbols, \*, exchange=None"):
        qr.trades("BTCUSDT", "1h")
    with pytest.raises(TypeError, match=r"^klines\(\) missing a required argument: 'symbols'; it is klines\(symbols, interval='1h', \*"):
        qr.klines()
    with pytest.raises(TypeError, match=r"^klines\(\) got an unexpected keyword argument 'day'"):
        qr.klines("BTCUSDT", day=3)


def test_an_interval_that_is_not_there_at_all_says_which_are(connect, tmp_path):
    write(tmp_path, "kline", klines("12:00", 10) + klines("12:00", 2, "5m"))
    con = connect(tmp_path)
    with pytest.warns(qr.errors.GapWarning, match=r"candles of 1h are missing.*no candles of 1h here at all; there are 1m, 5m$"):
        con.klines("BTCUSDT", "1h", start="2026-03-02 10:00")
    with pytest.warns(qr.errors.GapWarning, match=r"candles of 1m are missing.*makes it an error$"):
        con.klines("BTCUSDT", "1m", start="2026-03-02 11:59", end="2026-03-02 12:05")


def test_candles_where_there_are_none_of_any_interval_say_so(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("12:30")])
    with pytest.warns(qr.errors.GapWarning, match="There are no candles here at all$"):
        connect(tmp_path).klines("BTCUSDT", "1m", start="2026-03-02 12:00")


def test_frames_of_several_zones_are_refused_with_the_way_out(con):
    utc, tokyo = (con.klines("BTCUSDT", "1h", hours=2, tz=tz) for tz in ("UTC", "Asia/Tokyo"))
    with pytest.raises(qr.errors.InputError, match=r"^frames: are in several time zones \(UTC, Asia/Tokyo\).*tz_convert\('UTC'\)"):
        qr.concat([utc, tokyo])
    assert qr.concat([utc, tokyo.tz_convert("UTC")]).index.dtype == "datetime64[us, UTC]"
    assert str(qr.concat([tokyo, tokyo]).index.tz) == "Asia/Tokyo"
