"""One row a candle, out of its updates and of repeated and conflicting final rows."""

from __future__ import annotations

import pytest
from archives import kline, klines, write

pytestmark = pytest.mark.contract


def closes(con, **options):
    options = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:01"} | options
    return con.klines("BTCUSDT", "1m", **options)["close"].to_list()


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("rows", "close"),
    [
        ([kline("12:00", 1.0, 5.0), kline("12:00", 1.0, 5.0)], 1.0),
        ([kline("12:00", 1.0, 5.0), kline("12:00", 2.0, 7.0), kline("12:00", 3.0, 6.0)], 2.0),
        ([kline("12:00", 1.0, 5.0), kline("12:00", 2.0, 9.0, is_final=0, _seen="12:00:59")], 1.0),
        ([kline("12:00", 1.0, 5.0, _seen="12:01:01"), kline("12:00", 2.0, 9.0, is_final=0, _seen="12:01:02")], 1.0),
        ([kline("12:00", 1.0, 7.0, _seen="12:01:01"), kline("12:00", 2.0, 5.0, _seen="12:01:05")], 1.0),
        ([kline("12:00", 2.0, 5.0, _seen="12:01:05"), kline("12:00", 1.0, 5.0, _seen="12:01:01")], 2.0),
        ([kline("12:00", 1.0, 5.0), kline("12:00", 2.0, 5.0)], 2.0),
    ],
    ids=[
        "repeated",
        "largest volume",
        "no record",
        "final first",
        "volume before arrival",
        "then the last seen",
        "then the last in the file",
    ],
)
def test_the_final_row_wins_then_the_largest_volume(connect, tmp_path, rows, close):
    write(tmp_path, "kline", rows)
    con = connect(tmp_path, at="2026-03-02 12:30")
    assert closes(con) == [close]
    assert closes(con, final=False) == [close]


def test_rows_of_one_candle_in_several_files_are_one_candle(connect, tmp_path):
    write(tmp_path, "kline", klines("12:00", 5, volume=1.0), name="a")
    write(tmp_path, "kline", [r | {"close": 7.0, "volume": 2.0} for r in klines("12:00", 3)], name="b")
    frame = connect(tmp_path).klines("BTCUSDT", "1m", minutes=5)
    assert frame["close"].to_list() == [7.0, 7.0, 7.0, 103.0, 104.0]


def test_a_final_row_that_arrives_later_replaces_the_one_before(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", 1.0, 5.0, _seen="12:01:01"), kline("12:00", 2.0, 6.0, _seen="12:09")])
    assert closes(connect(tmp_path, at="2026-03-02 12:08")) == [1.0]
    assert closes(connect(tmp_path, at="2026-03-02 12:09")) == [2.0]


def test_a_candle_that_only_ran_and_is_over_is_a_hole(connect, tmp_path):
    rows = [*klines("12:00", 2, _seen="12:02:01"), kline("12:02", 9.0, is_final=0, _seen="12:02:59"), kline("12:03", 3.0, _seen="12:04")]
    write(tmp_path, "kline", rows)
    con = connect(tmp_path, at="2026-03-02 12:30")
    for final in (True, False):
        frame = con.klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:04", gaps="ignore", final=final)
        assert list(frame.index.minute) == [0, 1, 3]
        assert frame["is_final"].all()


def test_intervals_do_not_mix(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", n, interval=i) for n, i in enumerate(["1m", "5m", "1h"])])
    con = connect(tmp_path, at="2026-03-02 14:00")
    hour = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00", "gaps": "ignore"}
    assert [con.klines("BTCUSDT", i, **hour)["close"].to_list() for i in ("1m", "5m", "1h")] == [[0.0], [1.0], [2.0]]
    assert con.klines("BTCUSDT", "5m", **hour)["interval"].to_list() == ["5m"]


@pytest.mark.parametrize("spelt", ["60m", "1H", "60min", "3600s"])
def test_an_interval_may_be_said_in_other_words(connect, tmp_path, spelt):
    write(tmp_path, "kline", [kline("12:00", interval="1h")])
    assert len(connect(tmp_path).klines("BTCUSDT", spelt, limit=5)) == 1


def test_series_of_several_exchanges_and_symbols_keep_apart(connect, tmp_path):
    rows = [
        kline("12:00", close, volume, exchange=e, symbol=s)
        for close, volume, e, s in [
            (1.0, 1.0, "okx", "ETHUSDT"),
            (2.0, 9.0, "binance", "ETHUSDT"),
            (3.0, 5.0, "okx", "BTCUSDT"),
            (4.0, 2.0, "okx", "BTCUSDT"),
        ]
    ]
    write(tmp_path, "kline", rows)
    frame = connect(tmp_path).klines(["BTCUSDT", "ETHUSDT"], "1m", exchange="all", limit=9)
    assert list(zip(frame["exchange"], frame["symbol"], frame["close"], strict=True)) == [
        ("binance", "ETHUSDT", 2.0),
        ("okx", "BTCUSDT", 3.0),
        ("okx", "ETHUSDT", 1.0),
    ]
