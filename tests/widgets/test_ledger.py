"""What a chart has been told of, against a dictionary of candles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_candles import START_S, candles

import qalypto_research as qr
from qalypto_research.charts.widgets.ledger import CLOSED, FORMING, MISSING, Ledger, is_shown, seconds_of, to_rows

NAN = float("nan")


def minutes(rows):
    return ((rows[:, 0] - START_S) / 60).tolist()


def test_rows_are_seconds_prices_volume_and_state():
    rows = to_rows(candles((0, 1, 4, 0.5, 2, 10, True), (1, 2, 3, 2, 2.5, 5, False)))
    assert rows.tolist() == [[START_S, 1, 4, 0.5, 2, 10, 2], [START_S + 60, 2, 3, 2, 2.5, 5, 1]]
    assert (CLOSED, FORMING, MISSING) == (2, 1, 0)


def test_rows_are_ascending_the_last_of_a_time_counts_and_those_without_prices_are_left_out():
    frame = candles((2, 9, 9, 9, 9, 1, True), (1, 1, 1, 1, 1, 1, False), (1, 2, 2, 2, 2, NAN, True), (0, NAN, 1, 1, 1, 1, True))
    assert to_rows(frame)[:, [0, 4, 6]].tolist() == [[START_S + 60, 2, 2], [START_S + 120, 9, 2]]
    assert to_rows(candles()).shape == (0, 7)


@pytest.mark.parametrize("volume", [NAN, -1.0, float("inf")])
def test_a_volume_that_cannot_be_is_not_known(volume):
    rows = to_rows(candles((0, 1, 4, 0.5, 2, volume, True), (1, 1, 4, 0.5, 2, 0.0, True)))
    assert np.array_equal(rows[:, 5], [NAN, 0.0], equal_nan=True)
    ledger = Ledger(60)
    ledger.put(rows)
    assert not len(ledger.put(rows)), "nothing is new in it"


INF = float("inf")
IMPOSSIBLE_PRICES = {
    "a close above the high": (2, 3, 1, 4),
    "an open below the low": (0.5, 3, 1, 2),
    "free": (2, 3, 0, 2),
    "infinite": (2, INF, 1, 2),
    "infinite and unknown": (2, INF, NAN, 2),
}


@pytest.mark.parametrize("prices", IMPOSSIBLE_PRICES.values(), ids=IMPOSSIBLE_PRICES)
def test_a_candle_that_no_market_makes_is_neither_missing_nor_shown(prices):
    rows = to_rows(candles((0, 2, 3, 1, 2, 1, True), (1, *prices, 1, True), (2, *prices, 1, False)))
    assert rows[:, 6].tolist() == [2, 3, 4]
    assert np.array_equal(rows[1, 1:5], prices, equal_nan=True)
    assert is_shown(rows).tolist() == [True, False, False]
    ledger = Ledger(60)
    ledger.put(rows)
    assert ledger.rows[:, 6].tolist() == [2, 3, 4], "nothing is missing"
    assert not len(ledger.put(to_rows(candles((1, 2, 3, 1, 2, 1, False))))), "it is over, and a running update comes late"
    assert ledger.put(to_rows(candles((2, 2, 3, 1, 2, 1, False))))[:, 6].tolist() == [1]


def test_a_frame_of_something_else_is_refused():
    with pytest.raises(qr.errors.InputError, match=r"klines: has no column 'volume'; give what live.klines"):
        to_rows(candles((0, 1, 1, 1, 1, 1, True)).drop(columns="volume"))


def test_frames_are_not_changed():
    frame = candles((1, 1, 1, 1, 1, NAN, True), (0, 1, 1, 1, 1, 1, True))
    before = frame.copy()
    Ledger(60).put(to_rows(frame))[:] = 0
    assert frame.equals(before)


def test_what_is_missing_between_is_told_and_what_comes_late_takes_its_place():
    ledger = Ledger(60)
    ledger.put(to_rows(candles((0, 1, 1, 1, 1, 1, True))))
    told = ledger.put(to_rows(candles((3, 2, 2, 2, 2, 1, False))))
    assert minutes(told) == [1, 2, 3]
    assert told[:, 6].tolist() == [MISSING, MISSING, FORMING]
    assert np.isnan(told[:2, 1:6]).all()
    late = ledger.put(to_rows(candles((2, 5, 5, 5, 5, 1, True))))
    assert (minutes(late), late[:, 6].tolist()) == ([2], [CLOSED])
    assert ledger.rows[:, 6].tolist() == [CLOSED, MISSING, CLOSED, FORMING]


def test_a_hole_wider_than_all_that_is_held_begins_anew():
    ledger = Ledger(60, most=50)
    ledger.put(to_rows(candles((0, 1, 1, 1, 1, 1, True), (1, 1, 1, 1, 1, 1, True))))
    for minute in (10_000, 10_002):
        ledger.put(to_rows(candles((minute, 2, 2, 2, 2, 1, True))))
    assert minutes(ledger.rows) == [10_000, 10_001, 10_002]


def test_the_oldest_are_let_go_of_and_do_not_come_back():
    ledger = Ledger(60, most=40)
    for minute in range(200):
        ledger.put(to_rows(candles((minute, 1, 1, 1, 1, minute, True))))
        assert len(ledger.rows) <= 45
    assert minutes(ledger.rows)[-40:] == list(range(160, 200))
    assert len(ledger.put(to_rows(candles((3, 9, 9, 9, 9, 9, True))))) == 0


PRICES = st.sampled_from([1.0, 2.0, 3.5])
UPDATES = st.lists(st.tuples(st.integers(0, 12), PRICES, st.booleans()), max_size=4)


@given(st.lists(UPDATES, max_size=8))
def test_it_holds_and_tells_what_a_dictionary_would(batches):
    ledger, model, page = Ledger(60), {}, {}
    for batch in batches:
        latest = {minute: (price, final) for minute, price, final in batch}
        for minute, (price, final) in latest.items():
            if final or not model.get(minute, (0, False))[1]:
                model[minute] = (price, final)
        told = ledger.put(to_rows(candles(*[(m, p, p, p, p, 1, f) for m, p, f in batch])))
        assert minutes(told) == sorted(set(minutes(told)))
        for minute, row in zip(minutes(told), told, strict=True):
            new = (None, None) if row[6] == MISSING else (row[4], row[6] == CLOSED)
            assert page.get(minute) != new, "told again what was known"
            page[minute] = new
        span = range(min(model), max(model) + 1) if model else ()
        assert page == {minute: model.get(minute, (None, None)) for minute in span}
        assert minutes(ledger.rows) == list(span)


def test_each_interval_has_its_length():
    assert [seconds_of(name) for name in ("1m", "15m", "1h", "1d")] == [60, 900, 3600, 86400]
