"""Missing candles are reported, never filled in."""

from __future__ import annotations

import pytest
from archives import kline, klines, trade, utc, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

RANGE = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:10"}


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    """Return a connection to ten minutes: of binance those from 3 to 4 and at 7 are missing, of okx the first and the last."""
    folder = tmp_path_factory.mktemp("gaps")
    rows = [r for r in klines("12:00", 10) if r["timestamp"].minute not in {3, 4, 7}]
    rows += [r for r in klines("12:00", 10, exchange="okx") if r["timestamp"].minute not in {0, 9}]
    write(folder, "kline", rows)
    write(folder, "trade", [trade("11:00", symbol="SOLUSDT")])
    with qr.connect(folder, at="2026-03-02 12:30:15") as connection:
        yield connection


def test_holes_are_warned_of_at_the_callers_line(con):
    with pytest.warns(qr.errors.GapWarning) as said:
        frame = con.klines("BTCUSDT", "1m", **RANGE)
    (warning,) = said
    text = str(warning.message)
    assert "3 candles of 1m" in text
    assert "binance BTCUSDT 2026-03-02 12:03 to 2026-03-02 12:05 (2)" in text
    assert "binance BTCUSDT 2026-03-02 12:07 to 2026-03-02 12:08 (1)" in text
    assert warning.filename == __file__
    assert list(frame.index.minute) == [0, 1, 2, 5, 6, 8, 9]


def test_holes_can_be_ignored(con):
    assert len(con.klines("BTCUSDT", "1m", gaps="ignore", **RANGE)) == 7


def test_holes_can_be_an_error_that_holds_them(con):
    with pytest.raises(qr.errors.GapError) as raised:
        con.klines("BTCUSDT", "1m", exchange=["okx", "binance"], gaps="raise", **RANGE)
    holes = raised.value.holes
    assert [(h.exchange, h.symbol, h.start, h.end, h.bars) for h in holes.itertuples()] == [
        ("binance", "BTCUSDT", utc("12:03"), utc("12:05"), 2),
        ("binance", "BTCUSDT", utc("12:07"), utc("12:08"), 1),
        ("okx", "BTCUSDT", utc("12:00"), utc("12:01"), 1),
        ("okx", "BTCUSDT", utc("12:09"), utc("12:10"), 1),
    ]
    assert holes.dtypes.map(str).to_dict() == {
        "exchange": "category",
        "symbol": "category",
        "start": "datetime64[us, UTC]",
        "end": "datetime64[us, UTC]",
        "bars": "int64",
    }


def test_a_range_without_holes_says_nothing(con):
    assert len(con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:03", gaps="raise")) == 3


def test_a_range_before_the_first_candle_is_a_hole(con):
    with pytest.warns(
        qr.errors.GapWarning, match=r"30 candles of 1m are missing in 1 hole: binance BTCUSDT 2026-03-02 11:30 to 2026-03-02 12:00"
    ):
        con.klines("BTCUSDT", "1m", start="2026-03-02 11:30", end="2026-03-02 12:03")


def test_a_range_after_the_last_candle_is_a_hole(con):
    with pytest.warns(qr.errors.GapWarning, match=r"binance BTCUSDT 2026-03-02 12:10 to 2026-03-02 12:30 \(20\)"):
        con.klines("BTCUSDT", "1m", start="2026-03-02 12:08")


def test_a_series_without_any_candle_is_one_hole(con):
    with pytest.warns(qr.errors.GapWarning, match=r"binance SOLUSDT 2026-03-02 12:00 to 2026-03-02 12:10 \(10\)"):
        assert con.klines("SOLUSDT", "1m", **RANGE).empty


def test_an_interval_that_is_not_there_is_one_hole(con):
    with pytest.warns(qr.errors.GapWarning, match=r"binance BTCUSDT 2026-03-02 12:00 to 2026-03-02 12:30 \(6\)"):
        assert con.klines("BTCUSDT", "5m", start="2026-03-02 12:00").empty


def test_a_limit_looks_for_holes_between_its_rows(con):
    with pytest.raises(qr.errors.GapError) as raised:
        con.klines("BTCUSDT", "1m", limit=3, end="2026-03-02 12:10", gaps="raise")
    assert [(h.start, h.bars) for h in raised.value.holes.itertuples()] == [(utc("12:07"), 1)]
    assert len(con.klines("BTCUSDT", "1m", limit=2, end="2026-03-02 12:10", gaps="raise")) == 2


def test_a_range_that_ends_within_a_candle_misses_it_if_it_is_not_there(con):
    with pytest.warns(qr.errors.GapWarning, match=r"2026-03-02 12:03 to 2026-03-02 12:04 \(1\)"):
        con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:03:30")


def test_the_candle_that_forms_is_never_missed(con):
    with pytest.raises(qr.errors.GapError) as raised:
        con.klines("BTCUSDT", "1h", start="2026-03-02 11:00", final=False, gaps="raise")
    assert [(h.start, h.end) for h in raised.value.holes.itertuples()] == [(utc("11:00"), utc("12:00"))]


@pytest.mark.parametrize("wrong", ["", "warning", None, True])
def test_another_policy_is_an_error(con, wrong):
    with pytest.raises(qr.errors.UnknownNameError, match="gaps"):
        con.klines("BTCUSDT", "1m", gaps=wrong, **RANGE)


def test_a_limit_reports_a_series_without_any_candle(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", 1.0, 1.0), kline("12:01", 1.0, 1.0)])
    write(tmp_path, "trade", [trade("12:00", 1.0, symbol="ETHUSDT")])
    con = connect(tmp_path, at="2026-03-02 12:05:30")
    with pytest.raises(qr.errors.GapError) as caught:
        con.klines(["BTCUSDT", "ETHUSDT"], "1m", limit=10, gaps="raise")
    holes = [(h.symbol, h.start.strftime("%H:%M"), h.end.strftime("%H:%M"), h.bars) for h in caught.value.holes.itertuples()]
    assert holes == [("BTCUSDT", "12:02", "12:05", 3), ("ETHUSDT", "11:55", "12:05", 10)]


def test_a_candle_off_the_grid_fills_no_place(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", 1.0, 1.0), kline("12:01:30", 1.0, 1.0), kline("12:02", 1.0, 1.0)])
    con = connect(tmp_path, at="2026-03-02 12:03")
    with pytest.raises(qr.errors.GapError) as caught:
        con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", gaps="raise")
    assert [(h.start.strftime("%H:%M"), h.bars) for h in caught.value.holes.itertuples()] == [("12:01", 1)]
