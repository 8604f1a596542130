"""The clock itself: it stands, runs, and tells the same time elsewhere."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pandas as pd
import pytest
from archives import kline, ticker, trade, utc, write

import qalypto_research as qr
from qalypto_research.clock import Clock, Reading

NOON_US = 1_772_452_800_000_000  # 2026-03-02 12:00 UTC


def test_the_clock_stands_still_until_it_is_started():
    wall = [5_000_000]
    clock = Clock(Reading(NOON_US), wall=lambda: wall[0])
    wall[0] += 3_600_000_000
    assert (clock.now(), clock.running) == (utc("12:00"), False)
    clock.start()
    assert (clock.now(), clock.running) == (utc("12:00"), True)
    wall[0] += 1_500_001
    assert clock.now() == utc("12:00:01.500001")


def test_now_is_a_utc_timestamp_in_microseconds():
    now = Clock(Reading(NOON_US)).now()
    assert (type(now), str(now.tz), now.unit) == (pd.Timestamp, "UTC", "us")


@pytest.mark.parametrize(("speed", "later"), [(1.0, "12:00:10"), (60.0, "12:10"), (0.5, "12:00:05")])
def test_a_running_clock_keeps_its_pace(speed, later):
    wall = [0]
    clock = Clock(Reading(NOON_US, speed=speed), wall=lambda: wall[0])
    clock.start()
    wall[0] = 10_000_000
    assert clock.now() == utc(later)


def test_starting_twice_and_stopping_twice_change_nothing():
    wall = [0]
    clock = Clock(Reading(NOON_US), wall=lambda: wall[0])
    clock.start()
    wall[0] = 1_000_000
    clock.start()
    wall[0] = 2_000_000
    clock.stop()
    wall[0] = 9_000_000
    clock.stop()
    assert clock.now() == utc("12:00:02")
    clock.start()
    wall[0] = 10_000_000
    assert clock.now() == utc("12:00:03")


def test_a_reading_tells_the_same_time_in_another_process():
    anchor = time.time_ns() // 1_000
    reading = Reading(NOON_US, anchor_us=anchor, speed=1_000.0)
    program = (
        "import pickle, sys; reading = pickle.loads(bytes.fromhex(sys.argv[1]));"
        "from qalypto_research.clock import Clock; print(reading.at(int(sys.argv[2])), Clock(reading).now().value // 1000)"
    )
    later = anchor + 7_000_000
    told = subprocess.run(
        [sys.executable, "-c", program, pickle.dumps(reading).hex(), str(later)], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    after = time.time_ns() // 1_000
    assert int(told[0]) == NOON_US + 7_000_000_000
    assert NOON_US < int(told[1]) <= NOON_US + (after - anchor) * 1_000


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clock_cannot_stand_or_run_backwards_by_its_speed(speed):
    with pytest.raises(qr.errors.InputError, match="speed"):
        Clock(Reading(NOON_US, speed=speed))


def test_the_sample_stands_in_the_middle_of_its_two_hours(connect):
    con = connect("sample")
    assert con.clock.now() == utc("13:00:30")
    assert con.clock.running is False


def test_a_folder_stands_just_past_its_last_row(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("12:00:05.001")])
    write(tmp_path, "ticker", [ticker("12:00:01", _seen="12:00:07.000002"), ticker("12:00:02", _seen="12:00:06")])
    con = connect(tmp_path)
    assert con.clock.now() == utc("12:00:07.000003")
    assert con.sql("SELECT count() AS n FROM market_data_trade")["n"].item() == 2
    assert con.sql("SELECT count() AS n FROM market_data_ticker")["n"].item() == 2


def test_a_folder_of_candles_stands_just_past_the_last_close(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", interval="1h", close_time="12:59:59.999"), kline("13:30", is_final=0)])
    assert connect(tmp_path).clock.now() == utc("13:00:00.000001")


def test_an_ingestion_delay_moves_the_end_of_the_folder_along(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    con = connect(tmp_path, ingestion_delay="2s")
    assert con.clock.now() == utc("12:00:02.000001")
    assert len(con.trades("BTCUSDT", limit=1)) == 1


@pytest.mark.parametrize("at", ["2026-03-02 12:00:00.000001", "2026-03-02T21:00:00.000001+09:00", utc("12:00:00.000001")])
def test_at_sets_the_clock_naive_times_being_utc(connect, tmp_path, at):
    write(tmp_path, "trade", [trade("12:00"), trade("13:00")])
    assert connect(tmp_path, at=at).clock.now() == utc("12:00:00.000001")


def test_at_may_be_the_very_moment_the_first_row_became_known_and_not_before(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", _seen="12:00:00.25"), trade("12:01", _seen="12:01:01")])
    con = connect(tmp_path, at="2026-03-02 12:00:00.25")
    assert con.sql("SELECT count() AS n FROM market_data_trade")["n"].item() == 1
    with pytest.raises(qr.errors.RangeError, match=r"at: .*first row became known at 2026-03-02 12:00:00\.25"):
        connect(tmp_path, at="2026-03-02 12:00:00.249999")


def test_a_manifest_may_say_where_the_clock_stands(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("13:00")])
    text = '{"source": "x", "synthetic": false, "schema_version": 1, "clock": "2026-03-02T12:30:00Z"}'
    (tmp_path / "manifest.json").write_text(text)
    assert connect(tmp_path).clock.now() == utc("12:30")
    assert connect(tmp_path, at="2026-03-02 12:45").clock.now() == utc("12:45")


def test_started_and_stopped_the_connection_shows_more(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00"), trade("12:30"), trade("13:30")])
    con = connect(tmp_path, at="2026-03-02 12:00", speed=3_600.0)
    wall = [0]
    con.clock._wall = lambda: wall[0]
    count = "SELECT count() AS n FROM market_data_trade"
    assert con.sql(count)["n"].item() == 1
    con.clock.start()
    wall[0] = 1_000_000
    assert con.sql(count)["n"].item() == 2
    con.clock.stop()
    wall[0] = 9_000_000
    assert con.sql(count)["n"].item() == 2


# --- Handed over ---------------------------------------------------------------------------------------------------


def test_whoever_follows_is_told_of_each_new_reading():
    wall = [1_000_000]
    clock = Clock(Reading(5_000_000, speed=2.0), wall=lambda: wall[0])
    told = []
    clock.follow(told.append)
    clock.start()
    clock.start()  # it runs already
    wall[0] += 500_000
    clock.stop()
    clock.stop()
    clock.set(Reading(9_000_000, 1_000_000))
    assert told == [Reading(5_000_000, 1_000_000, 2.0), Reading(6_000_000, None, 2.0), Reading(9_000_000, 1_000_000)]
    assert clock.now_us() == 9_500_000
    assert clock.running
