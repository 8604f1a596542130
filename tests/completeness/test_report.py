"""How coverage looks: totals first, few lines, nothing unescaped."""

from __future__ import annotations

import pickle
import re

import pandas as pd
import pytest
from archives import klines, trade, utc, write
from pandas.testing import assert_frame_equal

import qalypto_research as qr


@pytest.fixture
def con(connect, tmp_path):
    rows = [*klines("09:00", 60), *klines("09:00", 60, symbol="<b>&USDT")]
    del rows[10:13], rows[90:92]
    write(tmp_path, "kline", rows)
    write(tmp_path, "trade", [trade("09:00", trade_id="1"), trade("09:00", trade_id="1")])
    return connect(tmp_path, at=utc("10:00:30"))


def test_totals_come_first(con):
    first = repr(con.coverage()).splitlines()[0]
    assert first == (
        "Coverage: 3 series, 117 rows, 2026-03-02 09:00:00 to 2026-03-02 09:59:00 UTC, "
        "5 of 120 candles missing (4.17%), 0 without trades, 1 rows repeated"
    )


def test_text_names_series_and_holes(con):
    lines = [line.split() for line in repr(con.coverage()).splitlines()]
    assert ["kline", "binance", "BTCUSDT", "1m", "57", "60", "3", "0"] in lines
    assert ["2026-03-02", "09:10:00", "2026-03-02", "09:13:00", "kline", "1m", "binance", "BTCUSDT", "3", "rows", "missing"] in lines


def test_html_is_escaped_and_well_formed(con):
    html = con.coverage()._repr_html_()
    assert "<b>&USDT" not in html
    assert "&lt;b&gt;&amp;USDT" in html
    for tag in ("table", "tr", "td", "th", "div", "b"):
        assert len(re.findall(f"<{tag}[ >]", html)) == html.count(f"</{tag}>"), tag


def test_text_and_html_say_the_same(con):
    there = con.coverage()
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", there._repr_html_())
    text = repr(there)
    assert all(cell.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") in text for cell in cells)


def test_it_stays_short(connect, tmp_path):
    rows = [row for i in range(40) for row in klines("09:00", 60, symbol=f"C{i:02}USDT") if row["timestamp"].minute % 7]
    write(tmp_path, "kline", rows)
    there = connect(tmp_path, at=utc("10:00:30")).coverage()
    assert len(there.holes) == 320
    assert len(repr(there).splitlines()) < 35
    assert "(10 of 40; all in .series)" in repr(there)


def test_what_several_symbols_lack_together_is_one_line(connect, tmp_path):
    rows = [row for i in range(5) for row in klines("09:00", 60, symbol=f"C{i}USDT") if not 20 <= row["timestamp"].minute < 20 + i + 1]
    write(tmp_path, "kline", rows)
    text = repr(connect(tmp_path, at=utc("10:00:30")).coverage())
    assert ["2026-03-02", "09:20:00", "2026-03-02", "09:25:00", "kline", "1m", "binance", "5", "symbols", "15", "rows", "missing"] in [
        t.split() for t in text.splitlines()
    ]


def test_nothing_missing_says_so(connect, tmp_path):
    write(tmp_path, "kline", klines("09:00", 60))
    text = repr(connect(tmp_path, at=utc("10:00:30")).coverage())
    assert "0 of 60 candles missing, " in text
    assert "No candle missing, no row repeated" in text
    assert "No holes" in text


def test_no_series(con):
    empty = qr.Coverage(con.coverage().series.iloc[:0], con.coverage().holes.iloc[:0])
    assert repr(empty).startswith("Coverage: no series")
    assert "<td" not in empty._repr_html_()


def test_it_is_a_value(con):
    there = con.coverage()
    with pytest.raises(AttributeError):
        there.series = pd.DataFrame()
    again = pickle.loads(pickle.dumps(there))  # noqa: S301 (our own)
    assert_frame_equal(again.holes, there.holes)


def test_two_calls_give_the_same(con):
    one, other = con.coverage(), con.coverage()
    assert_frame_equal(one.series, other.series)
    assert_frame_equal(one.holes, other.holes)
