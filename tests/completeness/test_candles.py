"""Coverage of candles: what is expected, missing, repeated and without trades, on archives written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import kline, klines, trade, utc, write


@pytest.fixture
def covered(connect, tmp_path):
    """Return a function that writes candles and returns their coverage."""

    def of(rows, *, at, **asked):
        write(tmp_path, "kline", rows)
        return connect(tmp_path, at=utc(at)).coverage(**asked)

    return of


def counts(there):
    (row,) = there.series[["rows", "expected", "missing", "duplicated", "zero_volume"]].to_numpy().tolist()
    return row


def holes(there):
    found = there.holes
    return [
        (f"{a:%H:%M}", f"{b:%H:%M}", n, c) for a, b, n, c in zip(found["from"], found["to"], found["bars"], found["cause"], strict=True)
    ]


def test_no_hole(covered):
    there = covered(klines("10:00", 5), at="10:05:30")
    assert counts(there) == [5, 5, 0, 0, 0]
    assert (there.series["first"].item(), there.series["last"].item()) == (utc("10:00"), utc("10:04"))
    assert there.holes.empty
    assert {name: str(kind) for name, kind in there.holes.dtypes.items()} == {
        "table": "str", "exchange": "category", "symbol": "category", "interval": "category", "from": "datetime64[us, UTC]",
        "to": "datetime64[us, UTC]", "bars": "float64", "cause": "str",
    }  # fmt: skip
    assert {name: str(kind) for name, kind in there.series.dtypes.items()} == {
        "table": "str", "exchange": "category", "symbol": "category", "interval": "category", "rows": "int64",
        "first": "datetime64[us, UTC]", "last": "datetime64[us, UTC]", "expected": "float64", "missing": "float64",
        "duplicated": "int64", "zero_volume": "float64",
    }  # fmt: skip


def test_missing_rows_between_and_at_the_end(covered):
    there = covered([*klines("10:00", 3), *klines("10:05", 2)], at="10:10:30")
    assert counts(there) == [5, 10, 5, 0, 0]
    assert holes(there) == [("10:03", "10:05", 2, "rows missing"), ("10:07", "10:10", 3, "rows missing")]


@pytest.mark.parametrize(
    ("interval", "end"), [("5m", "11:00"), ("15m", "13:00"), ("30m", "16:00"), ("1h", "22:00"), ("4h", "2026-03-04 10:00")]
)
def test_one_missing_candle_of_each_interval(covered, interval, end):
    rows = klines("2026-03-02 00:00", 12, interval)
    lost = rows.pop(3)["timestamp"]
    there = covered(rows, at=end, end=rows[-1]["timestamp"])
    assert counts(there) == [10, 11, 1, 0, 0]
    (hole,) = there.holes.to_dict("records")
    step = pd.Timedelta(interval.replace("m", "min"))
    assert (hole["from"], hole["to"], hole["bars"], hole["interval"]) == (lost, lost + step, 1, interval)


def test_a_hole_across_words_of_bits(covered):
    # 1m candles lie 64 to a word: a hole that reaches over several, and ends where one does.
    rows = klines("2026-03-02 00:00", 400)
    del rows[40:330]
    there = covered(rows, at="06:40:30")
    assert counts(there) == [110, 400, 290, 0, 0]
    assert holes(there) == [("00:40", "05:30", 290, "rows missing")]


@pytest.mark.parametrize("at", range(60, 70))
def test_a_missing_candle_at_the_edge_of_a_word(covered, at):
    rows = klines("2026-03-02 00:00", 130)
    lost = rows.pop(at)["timestamp"]
    there = covered(rows, at="02:10:30")
    assert there.holes[["from", "bars"]].to_numpy().tolist() == [[lost, 1.0]]


def test_a_candle_just_over_that_has_not_arrived_is_not_missed(covered):
    assert counts(covered(klines("10:00", 4), at="10:05:09.9")) == [4, 4, 0, 0, 0]


def test_ten_seconds_later_it_is_missed(covered):
    there = covered(klines("10:00", 4), at="10:05:10")
    assert counts(there) == [4, 5, 1, 0, 0]
    assert holes(there) == [("10:04", "10:05", 1, "rows missing")]


def test_a_candle_just_over_that_has_arrived_counts(covered):
    assert counts(covered(klines("10:00", 5), at="10:05:00")) == [5, 5, 0, 0, 0]


def test_nothing_beyond_the_clock_counts(covered):
    there = covered(klines("10:00", 60), at="10:05:30")
    assert counts(there) == [5, 5, 0, 0, 0]
    assert there.series["last"].item() == utc("10:04")


def test_never_finalised(covered):
    seen = [kline("10:02", is_final=0, _seen="10:02:20"), kline("10:02", is_final=0, _seen="10:02:40")]
    rows = [kline(f"10:0{i}", _seen=f"10:0{i + 1}") for i in (0, 1, 4)]
    there = covered([*rows, *seen], at="10:05:30")
    assert counts(there) == [5, 5, 2, 0, 0]
    assert holes(there) == [("10:02", "10:03", 1, "never finalised"), ("10:03", "10:04", 1, "rows missing")]


def test_running_rows_alone(covered):
    there = covered([kline("10:00", is_final=0, _seen="10:00:20"), kline("10:01", is_final=0, _seen="10:01:20")], at="10:01:30")
    assert counts(there) == [2, 1, 1, 0, 0]
    assert holes(there) == [("10:00", "10:01", 1, "never finalised")]


def test_a_forming_candle_alone_is_not_expected(covered):
    there = covered([kline("10:00", is_final=0, _seen="10:00:20")], at="10:00:30")
    assert counts(there) == [1, 0, 0, 0, 0]
    assert there.holes.empty


def test_running_rows_of_a_final_candle_are_no_repeats(covered):
    rows = [kline("10:00", is_final=0, _seen="10:00:20"), kline("10:00", is_final=0, _seen="10:00:40"), kline("10:00", _seen="10:01")]
    assert counts(covered(rows, at="10:01:30")) == [3, 1, 0, 0, 0]


def test_repeated_finals(covered):
    rows = [*klines("10:00", 5), kline("10:01"), kline("10:01"), kline("10:03", close=7.0)]
    assert counts(covered(rows, at="10:05:30")) == [8, 5, 0, 3, 0]


def test_runs_without_trades(covered):
    rows = klines("10:00", 8)
    for i in (2, 3, 4, 6):
        rows[i]["volume"] = 0.0
    there = covered(rows, at="10:08:30")
    assert counts(there) == [8, 8, 0, 0, 4]
    assert holes(there) == [("10:02", "10:05", 3, "present without trades"), ("10:06", "10:07", 1, "present without trades")]


def test_of_final_rows_one_with_volume_has_trades(covered):
    rows = [kline("10:00"), kline("10:01", volume=0.0), kline("10:01", volume=2.0)]
    assert counts(covered(rows, at="10:02:30")) == [3, 2, 0, 1, 0]


def test_a_candle_off_the_grid_is_nobodys(covered):
    rows = [*klines("10:00", 2), kline("10:02:30"), kline("10:02:30"), *klines("10:03", 1)]
    there = covered(rows, at="10:04:30")
    assert counts(there) == [5, 4, 1, 0, 0]
    assert holes(there) == [("10:02", "10:03", 1, "rows missing")]


def test_off_the_grid_alone(covered):
    there = covered([kline("10:02:30"), *klines("10:00", 1, symbol="ETHUSDT")], at="10:04:30", symbols="BTCUSDT")
    assert counts(there) == [1, 0, 0, 0, 0]
    assert there.series["first"].item() == utc("10:02:30")


def test_range_before_the_first_row(covered):
    there = covered(klines("10:00", 3), at="10:03:30", start="2026-03-02 09:55")
    assert counts(there) == [3, 8, 5, 0, 0]
    assert holes(there) == [("09:55", "10:00", 5, "before the first row")]


def test_a_range_that_begins_in_a_hole_is_not_before_the_first_row(covered):
    there = covered([*klines("09:50", 2), *klines("10:00", 3)], at="10:03:30", start="2026-03-02 09:55")
    assert counts(there) == [3, 8, 5, 0, 0]
    assert holes(there) == [("09:55", "10:00", 5, "rows missing")]


def test_range_with_no_candle_of_the_series(covered):
    there = covered([*klines("10:00", 2), *klines("12:00", 1)], at="12:01:30", start="2026-03-02 11:00", end="2026-03-02 11:30")
    assert counts(there) == [0, 30, 30, 0, 0]
    assert there.series["first"].isna().all()
    assert holes(there) == [("11:00", "11:30", 30, "rows missing")]
    assert str(there.series["first"].dtype) == "datetime64[us, UTC]"


def test_range_wholly_before_the_series(covered):
    there = covered(klines("10:00", 2), at="10:02:30", start="2026-03-02 09:00", end="2026-03-02 09:30")
    assert holes(there) == [("09:00", "09:30", 30, "before the first row")]


def test_an_end_alone(covered):
    there = covered([*klines("10:00", 2), *klines("10:04", 4)], at="10:09:30", end="2026-03-02 10:06")
    assert counts(there) == [4, 6, 2, 0, 0]
    assert holes(there) == [("10:02", "10:04", 2, "rows missing")]


def test_bounds_between_opens(covered):
    # From the first open at or after the start to the last before the end, as in klines.
    there = covered([*klines("10:00", 3), *klines("10:08", 2)], at="10:10:30", start="2026-03-02 10:00:30", end="2026-03-02 10:08:30")
    assert counts(there) == [3, 8, 5, 0, 0]
    assert holes(there) == [("10:03", "10:08", 5, "rows missing")]


def test_series_are_in_the_documented_order_and_apart(covered):
    rows = [
        *klines("10:00", 3, exchange="okx"),
        *klines("10:00", 2, symbol="PEPEUSDT"),
        *klines("10:00", 3),
        *klines("10:00", 1, interval="5m"),
        *klines("10:00", 3, symbol="ETHUSDT"),
    ]
    there = covered(rows, at="10:05:30")
    assert there.series[["exchange", "symbol", "interval", "expected", "missing"]].to_numpy().tolist() == [
        ["binance", "BTCUSDT", "1m", 5.0, 2.0],
        ["binance", "BTCUSDT", "5m", 1.0, 0.0],
        ["binance", "ETHUSDT", "1m", 5.0, 2.0],
        ["binance", "PEPEUSDT", "1m", 5.0, 3.0],
        ["okx", "BTCUSDT", "1m", 5.0, 2.0],
    ]
    assert list(there.series["symbol"].cat.categories)[-2:] == ["AVAXUSDT", "PEPEUSDT"]
    assert there.holes["symbol"].tolist() == ["BTCUSDT", "ETHUSDT", "PEPEUSDT", "BTCUSDT"]


def test_filters(covered, connect, tmp_path):
    rows = [
        *klines("10:00", 3),
        *klines("10:00", 3, exchange="okx"),
        *klines("10:00", 1, interval="5m"),
        *klines("10:00", 3, symbol="ETHUSDT"),
    ]
    covered(rows, at="10:05:30")
    write(tmp_path, "trade", [trade("10:00")])
    con = connect(tmp_path, at=utc("10:05:30"))
    assert len(con.coverage().series) == 5
    assert con.coverage(exchange="okx").series["exchange"].tolist() == ["okx"]
    assert con.coverage("ethusdt").series["symbol"].tolist() == ["ETHUSDT"]
    assert con.coverage(interval="5m").series[["table", "interval"]].to_numpy().tolist() == [["kline", "5m"]]
    assert con.coverage(tables=["trade", "kline"], interval="60s").series["table"].tolist() == ["trade", "kline", "kline", "kline"]
    assert con.coverage(tables="trade").series["table"].tolist() == ["trade"]
    assert con.coverage(["ETHUSDT", "BTCUSDT"], exchange=["okx", "binance"], interval=["1m"]).series["missing"].tolist() == [2, 2, 2]


@pytest.mark.parametrize("seed", range(6))
def test_against_a_count_by_hand(covered, seed):
    """Candles lost, repeated, unfinished and empty at random, counted again by sets."""
    rng = np.random.default_rng(seed)
    opens = pd.date_range(utc("00:00"), periods=300, freq="1min")
    state = rng.choice(["there", "lost", "running", "empty", "twice"], len(opens), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    state[0] = "there"
    rows = []
    for t, how in zip(opens, state, strict=True):
        later = t + pd.Timedelta("1min")
        if how == "running":
            rows.append(kline(t, is_final=0, _seen=t))
        elif how != "lost":
            rows += [kline(t, volume=0.0 if how == "empty" else 1.0, _seen=later)] * (2 if how == "twice" else 1)
    there = covered(rows, at=opens[-1] + pd.Timedelta("90s"))
    tally = pd.Series(state).value_counts()
    assert counts(there) == [len(rows), 300, tally["lost"] + tally["running"], tally["twice"], tally["empty"]]
    causes = {"lost": "rows missing", "running": "never finalised", "empty": "present without trades"}
    expected = []
    for i, how in enumerate(state):
        if how not in causes:
            continue
        if expected and i and state[i - 1] == how:
            expected[-1][1:3] = [opens[i] + pd.Timedelta("1min"), expected[-1][2] + 1]
        else:
            expected.append([opens[i], opens[i] + pd.Timedelta("1min"), 1.0, causes[how]])
    assert there.holes[["from", "to", "bars", "cause"]].to_numpy().tolist() == expected
