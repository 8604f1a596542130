"""What a chart has been told of, against a dictionary of candles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_candles import START_S, candles

import qalypto_research as qr
from qalypto_research.charts.widgets.ledger import CLOSED, FORMING, MISSING, Ledger, seconds_of, to_rows

NAN = float("nan")


def minutes(rows):
    return ((rows[:, 0] - START_S) / 60).tolist()


def test_rows_are_seconds_prices_volume_and_state():
    rows = to_rows(candles((0, 1, 4, 0.5, 2, 10, True), (1, 2, 3, 2, 2.5, 5, False)))
    assert rows.tolist() == [[START_S, 1, 4, 0.5, 2, 10, 2], [START_S + 60, 2, 3, 2, 2.5, 5, 1]]
    assert (CLOSED, FORMING, MISSING) == (2, 1, 0)


def test_rows_are_ascending_the_last_of_a_time_counts_and_those_without_prices_are_left_out():
    frame = candles((2, 9, 9, 9, 9, 1, True), (1, 1, 1, 1, 1, 1, False), (1, 2, 2, 2, 2, NAN, True), (0, NAN, 1, 1, 1, 1, True))
    assert to_rows(frame)[:, [0, 4, 5, 6]].tolist() == [[START_S + 60, 2, 0, 2], [START_S + 120, 9, 1, 2]]
    assert to_rows(candles()).shape == (0, 7)


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
