"""Times and numbers along axes: whole ones, of the zone's own day, no more than fit."""

from __future__ import annotations

import locale
import zoneinfo
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qalypto_research.charts.model.numbers import amount_text, axis_texts, decimals_of, price_text, price_texts
from qalypto_research.charts.model.ticks import context_text, length_text, time_text, time_ticks

UTC = zoneinfo.ZoneInfo("UTC")
TOKYO = zoneinfo.ZoneInfo("Asia/Tokyo")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def us(text, tz="UTC"):
    return pd.Timestamp(text, tz=tz).value // 1_000  # nanoseconds, whatever its unit


def ticks(begin, end, width=90.0, zone=UTC):
    times, labels = time_ticks(us(begin), us(end), width, zone)
    return list(zip([str(pd.Timestamp(t, unit="us"))[5:16] for t in times.tolist()], labels, strict=True))


def test_hours_of_a_day_name_the_day_where_it_begins():
    assert ticks("2026-03-01 20:30", "2026-03-02 04:10", 60) == [
        ("03-01 22:00", "22:00"),
        ("03-02 00:00", "2 Mar"),
        ("03-02 02:00", "02:00"),
        ("03-02 04:00", "04:00"),
    ]


def test_the_day_is_the_zones():
    assert ticks("2026-03-02 11:50", "2026-03-02 15:20", 60, TOKYO) == [
        ("03-02 12:00", "21:00"),
        ("03-02 13:00", "22:00"),
        ("03-02 14:00", "23:00"),
        ("03-02 15:00", "3 Mar"),
    ]


def test_days_name_the_year_where_it_begins():
    assert [label for _, label in ticks("2025-12-30 12:00", "2026-01-02 12:00", 60)] == ["31 Dec", "1 Jan 2026", "2 Jan"]
    assert [label for _, label in ticks("2025-12-31 11:00", "2026-01-01 13:00", 60)] == ["12:00", "18:00", "1 Jan 2026", "06:00", "12:00"]


def test_months_and_years():
    assert [label for _, label in ticks("2025-10-15", "2026-03-15")] == ["Nov", "Dec", "2026", "Feb", "Mar"]
    assert [label for _, label in ticks("2020-06-01", "2026-03-01", 60)] == ["2022", "2024", "2026"]


def test_seconds_and_milliseconds():
    assert [label for _, label in ticks("2026-03-02 12:00:00", "2026-03-02 12:00:20")] == [
        "12:00:00",
        "12:00:05",
        "12:00:10",
        "12:00:15",
        "12:00:20",
    ]
    assert [label for _, label in ticks("2026-03-02 12:00:00", "2026-03-02 12:00:00.004")][:2] == ["12:00:00.000", "12:00:00.001"]


def test_a_clock_put_back_shows_an_hour_twice_and_one_put_forward_leaves_it_out():
    back = [label for _, label in ticks("2026-11-01 04:00", "2026-11-01 08:00", 60, NEW_YORK)]
    assert back == ["00:00", "01:00", "01:00", "02:00", "03:00"]
    forward = [label for _, label in ticks("2026-03-08 05:00", "2026-03-08 09:00", 60, NEW_YORK)]
    assert forward == ["00:00", "01:00", "03:00", "04:00", "05:00"]


def test_what_labels_leave_out_is_said_once():
    times, _ = time_ticks(us("2026-03-02 12:00"), us("2026-03-02 13:00"), 90, TOKYO)
    assert context_text(us("2026-03-02 12:00"), us("2026-03-02 13:00"), times, TOKYO) == "2 Mar 2026, Tokyo"
    times, _ = time_ticks(us("2026-03-02"), us("2026-03-12"), 90, UTC)
    assert context_text(us("2026-03-02"), us("2026-03-12"), times, UTC) == "2026, UTC"
    assert context_text(us("2026-03-02"), us("2026-03-12"), times, NEW_YORK) == "2026, New York"


@given(
    st.integers(us("1990-01-01"), us("2100-01-01")),
    st.floats(3, 17.5).map(lambda power: int(10**power)),
    st.floats(10, 400),
    st.sampled_from([UTC, TOKYO, NEW_YORK]),
)
@example(us("1990-01-01"), int(10**17.5), 10.0, NEW_YORK)  # past year 9999
def test_labels_never_need_more_room_than_there_is(begin, span, width, zone):
    times, labels = time_ticks(begin, begin + span, width, zone)
    assert len(times) == len(labels)
    assert (np.diff(times) > 0).all()
    assert len(times) < 2 or (times[0] >= begin and times[-1] <= begin + span)
    if span < 20 * 365 * 86_400_000_000:
        places = (times - begin) / span * width
        widths = [max(map(len, label.split("\n"))) for label in labels]
        for (at, one), (after, other) in zip(zip(places, widths, strict=True), list(zip(places, widths, strict=True))[1:], strict=False):
            assert after - at >= (one + other) / 2 + 0.5


def test_no_locale_has_a_say():
    before = locale.setlocale(locale.LC_TIME)
    try:
        with suppress(locale.Error):
            locale.setlocale(locale.LC_TIME, "de_DE.UTF-8")
        assert time_text(us("2026-05-02 13:00:30"), UTC) == "2 May 2026 13:00:30"
    finally:
        locale.setlocale(locale.LC_TIME, before)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([66_000.0, 66_250.0, 66_500.0], ["66,000", "66,250", "66,500"]),
        ([0.0, 0.005, 0.01], ["0.000", "0.005", "0.010"]),
        ([1e-5, 2e-5], ["0.00001", "0.00002"]),
        ([2.5, 5.0], ["2.5", "5.0"]),
        ([-1.0, 0.0], ["-1", "0"]),
        ([1e15, 2e15], ["1e+15", "2e+15"]),
        ([], []),
    ],
)
def test_prices_are_written_out(values, texts):
    assert price_texts(values) == texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 50.0, 100.0], ["0", "50", "100"]),
        ([0.0, 5_000.0, 10_000.0], ["0", "5k", "10k"]),
        ([0.0, 2.5e9, 5e9], ["0", "2.5B", "5.0B"]),
        ([-25.0, 0.0, 25.0], ["-25", "0", "25"]),
        ([1e18, 2e18], ["1e+18", "2e+18"]),
    ],
)
def test_amounts_have_suffixes(values, texts):
    assert axis_texts(values) == texts


def test_prices_are_quoted_with_the_decimals_they_need():
    assert decimals_of(np.array([66_219.3, 66_220.0])) == 1
    assert decimals_of(np.array([0.00001234])) == 8
    assert decimals_of(np.array([92.7772922195])) == 4  # no market quotes twelve digits: it was computed
    assert decimals_of(np.array([])) == 0
    assert price_text(66_219.3, 1) == "66,219.3"
    assert price_text(1e14, 0) == "1e+14"
    assert [amount_text(v) for v in (1e-8, 1e-300, 0.0213, 13_480.0, 1.2e9, float("nan"))] == [
        "0.00000001",
        "1e-300",
        "0.0213",
        "13.5k",
        "1.2B",
        "",
    ]
    assert [length_text(v * 1e6) for v in (0.5, 15, 180, 7_200, 864_000)] == ["500 ms", "15 s", "3 min", "2 h", "10 d"]
