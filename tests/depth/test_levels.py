"""Levels come out of their JSON to the bit, or not at all."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from archives import book, utc, write

import qalypto_research as qr
from qalypto_research.history import reading

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
NAN = np.nan


def levels(frame, depth, side="bid"):
    """Return prices and sizes of each row, side by side."""
    return frame[[f"{side}_{field}_{n}" for n in range(depth) for field in ("price", "size")]].to_numpy()


@pytest.mark.contract
def test_a_book_comes_out_level_by_level(connect, tmp_path):
    sides = {"bids_json": "[[99.5, 2.0], [99.25, 0.125]]", "asks_json": "[[100.5, 3], [101, 0.5], [102.75, 7e-3]]"}
    write(tmp_path, "orderbook", [book("12:00:00.200", **sides, is_snapshot=1, sequence_id="17")])
    (row,) = connect(tmp_path).orderbooks("BTCUSDT", depth=3, **WINDOW).reset_index().to_dict("records")
    assert [np.isnan(row.pop(name)) for name in ("bid_price_2", "bid_size_2")] == [True, True]
    assert row == {
        "timestamp": pd.Timestamp("2026-03-02 12:00:00.200", tz="UTC"),
        "exchange": "binance",
        "symbol": "BTCUSDT",
        "bid_price_0": 99.5,
        "bid_size_0": 2.0,
        "ask_price_0": 100.5,
        "ask_size_0": 3.0,
        "bid_price_1": 99.25,
        "bid_size_1": 0.125,
        "ask_price_1": 101.0,
        "ask_size_1": 0.5,
        "ask_price_2": 102.75,
        "ask_size_2": 0.007,
        "is_snapshot": True,
        "sequence_id": "17",
    }


@pytest.mark.contract
def test_updates_come_out_as_stored_with_their_zeros_and_their_order(connect, tmp_path):
    update = {"bids_json": "[[98.0, 0.0], [99.0, 1.5], [97.0, 0]]", "asks_json": "[]", "is_snapshot": 0}
    write(tmp_path, "orderbook", [book("12:00"), book("12:01", None, None, **update)])
    frame = connect(tmp_path).orderbooks("BTCUSDT", depth=2, **WINDOW)
    np.testing.assert_array_equal(levels(frame, 2), [[99.0, 2.0, NAN, NAN], [98.0, 0.0, 99.0, 1.5]])
    np.testing.assert_array_equal(levels(frame, 2, "ask"), [[101.0, 3.0, NAN, NAN], [NAN] * 4])
    assert list(frame["is_snapshot"]) == [True, False]


@pytest.mark.contract
def test_the_depth_is_ten_unless_said(connect, tmp_path):
    write(tmp_path, "orderbook", [book("12:00")])
    columns = list(connect(tmp_path).orderbooks("BTCUSDT", **WINDOW).columns)
    assert (len(columns), columns[2], columns[-3]) == (2 + 40 + 2, "bid_price_0", "ask_size_9")


@pytest.mark.parametrize("depth", [1, 499, 500, 501, 1_000])
def test_books_of_five_hundred_levels(connect, tmp_path, depth):
    random = np.random.default_rng(5)
    stored = random.uniform(1, 2, (3, 500, 2))
    rows = [book(f"12:0{n}", bids_json=json.dumps(side.tolist()), asks_json="[]") for n, side in enumerate(stored)]
    write(tmp_path, "orderbook", rows)
    frame = connect(tmp_path).orderbooks("BTCUSDT", depth=depth, **WINDOW)
    expected = np.full((3, depth, 2), NAN)
    expected[:, : min(depth, 500)] = stored[:, :depth]
    np.testing.assert_array_equal(levels(frame, depth), expected.reshape(3, -1))
    assert np.isnan(levels(frame, depth, "ask")).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", [NAN] * 4),
        (" [ ] ", [NAN] * 4),
        ("\n[\t]", [NAN] * 4),
        ('[["1.5", "2.0"], ["1e-3", "2.5E2"]]', [1.5, 2.0, 0.001, 250.0]),
        ('[["0.1", 3], [0.30000000000000004, "67123.123456789"]]', [0.1, 3.0, 0.30000000000000004, 67123.123456789]),
        ("[ [ 1 , 2 ] ]", [1.0, 2.0, NAN, NAN]),
        ("[[5e-324, 1.7976931348623157e308], [-1.5, -0.0]]", [5e-324, 1.7976931348623157e308, -1.5, -0.0]),
        ("[[18446744073709551615, 12345678901234567890123]]", [18446744073709551615.0, 12345678901234567890123.0, NAN, NAN]),
        ("[[9007199254740993, -9223372036854775808]]", [9007199254740992.0, -9223372036854775808.0, NAN, NAN]),
    ],
)
def test_what_says_numbers_is_read_right(connect, tmp_path, text, expected):
    write(tmp_path, "orderbook", [book("12:00", bids_json=text), book("12:01", asks_json=text)])
    frame = connect(tmp_path).orderbooks("BTCUSDT", depth=2, **WINDOW)
    np.testing.assert_array_equal(levels(frame, 2)[0], expected)
    np.testing.assert_array_equal(levels(frame, 2, "ask")[1], expected)
    assert np.array_equal(np.signbit(levels(frame, 2)[0]), np.signbit(expected)) or np.isnan(expected).any()


BROKEN = [
    "", " ", "null", "5", '"[]"', "[[1, 2], [3", "[[1, 2]] x", "[[1, 2],]", "[[1, 2]]\0", "[[01, 2]]", "[[+1, 2]]", "{}",
    '{"bids": [[1, 2]]}', '[{"price": 1, "size": 2}]', "[1, 2, 3, 4]", "[[1, 2, 3]]", "[[1, 2], [3, 4, 5]]", "[[1]]", "[[1, 2], [3]]",
    "[[]]", "[[1, 2], []]", "[[1, null]]", "[[null, 1]]", "[null]", "[null, [1, 2]]", "[[1, 2], null]", "[[true, 2]]", "[[1, false]]",
    '[["abc", 2]]', '[["", 2]]', '[[" 1", 2]]', '[["1x", 2]]', '[["0x10", 2]]', '[["nan", 2]]', '[[1, "inf"]]', '[["-Infinity", 2]]',
    "[[NaN, 2]]", "[[Infinity, 2]]", "[[1e999, 2]]", '[["1e999", 2]]', "[[1, [2]]]", "[[[1], [2]]]", "[[1, 2], [[3, 4]]]",
    '[[1, {"a": 2}]]', '[[1, 2], "x"]', "[[1, 2], 3]", '["1", "2"]', "[][]", "[[1, 2]] [[3, 4]]", "[[1 2]]", "[[1, 2]",
]  # fmt: skip


@pytest.mark.parametrize("column", ["bids_json", "asks_json"])
def test_what_is_no_side_of_a_book_is_an_error_that_says_where(connect, tmp_path, column):
    times = [utc("12:00:00.007") + pd.Timedelta(n, "min") for n in range(len(BROKEN))]
    rows = [book(when, exchange="okx", symbol="UNIUSDT", **{column: text}) for when, text in zip(times, BROKEN, strict=True)]
    write(tmp_path, "orderbook", [*rows, *(book(when) for when in times)])
    con = connect(tmp_path)
    for when, text in zip(times, BROKEN, strict=True):
        with pytest.raises(qr.errors.DataError) as caught:
            con.orderbooks(["BTCUSDT", "UNIUSDT"], exchange="all", depth=1, start=when, minutes=1)
        error = caught.value
        assert (error.exchange, error.symbol, error.timestamp, error.column) == ("okx", "UNIUSDT", when, column), text
        assert str(error).startswith(f"okx UNIUSDT at {when}, {column}: {text!r} is not [[price, size], ...]")


@pytest.fixture
def broken(connect, tmp_path):
    """Return a connection to books of which one, in the middle and of one symbol, has no bids that can be read."""
    rows = [book(f"12:{m:02}", float(m), symbol=s) for m in range(30) for s in ("BTCUSDT", "ETHUSDT")]
    write(tmp_path, "orderbook", [*rows, book("12:15:30", bids_json="[[1, null]]", _seen="12:20:01")])
    return connect(tmp_path)


def test_a_side_that_cannot_be_read_stands_in_nobody_elses_way(broken, connect, tmp_path):
    assert len(broken.orderbooks("ETHUSDT", **WINDOW)) == 30
    assert len(broken.orderbooks("BTCUSDT", start="2026-03-02 12:00", end="2026-03-02 12:15:30")) == 16
    assert len(broken.orderbooks("BTCUSDT", start="2026-03-02 12:15:30.001", end="2026-03-02 13:00")) == 14
    assert len(broken.orderbooks("BTCUSDT", limit=14)) == 14
    assert len(broken.orderbooks("BTCUSDT", columns=["ask_price_0", "symbol"], **WINDOW)) == 31
    assert len(broken.orderbooks("BTCUSDT", columns=["exchange"], **WINDOW)) == 31
    assert len(broken.orderbooks("BTCUSDT", every="1h", **WINDOW)) == 1
    before_it_was_known = connect(tmp_path, at="2026-03-02 12:20")
    assert len(before_it_was_known.orderbooks("BTCUSDT", start="2026-03-02 12:00")) == 21


@pytest.mark.parametrize("options", [{}, {"limit": 15}, {"every": "1m"}, {"columns": "bid_size_9"}, {"columns": "bid_price_0"}], ids=str)
@pytest.mark.parametrize("slice_rows", [10**6, 7])
def test_a_side_that_cannot_be_read_is_never_passed_over(broken, monkeypatch, options, slice_rows):
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    with pytest.raises(qr.errors.DataError, match=r"binance BTCUSDT at 2026-03-02 12:15:30\+00:00, bids_json: '\[\[1, null\]\]'"):
        broken.orderbooks("BTCUSDT", **WINDOW | options)


def test_a_long_text_is_shown_by_its_beginning(connect, tmp_path):
    write(tmp_path, "orderbook", [book("12:00", asks_json="[" + "[1, 2], " * 500 + "[3]]")])
    with pytest.raises(qr.errors.DataError, match=r"\[1, \.\.\.' is not") as caught:
        connect(tmp_path).orderbooks("BTCUSDT", **WINDOW)
    assert len(str(caught.value)) < 250


def test_another_failure_stays_what_it_is(connect, tmp_path, monkeypatch):
    write(tmp_path, "orderbook", [book("12:00")])
    con = connect(tmp_path)
    monkeypatch.setattr("qalypto_research.history.query._sides", lambda _: ["nothing_of_this_name AS bids_json_values"])
    with pytest.raises(qr.errors.QueryError, match="nothing_of_this_name"):
        con.orderbooks("BTCUSDT", **WINDOW)


# --- A random archive -----------------------------------------------------------------------------------------------

BOTH = ["BTCUSDT", "UNIUSDT"]
PAIRS = [(e, s) for e in ("binance", "okx") for s in BOTH]


@pytest.fixture(scope="module")
def rows():
    """Return rows in the order of the file: equal times among them, from no level to eight a side."""
    random = np.random.default_rng(3)
    stored = []
    for when in random.integers(0, 600, 800):
        exchange, symbol = PAIRS[random.integers(4)]
        sides = {name: random.uniform(1, 2, (int(random.integers(0, 9)), 2)).tolist() for name in ("bids", "asks")}
        stored.append({"timestamp": utc("12:00") + pd.Timedelta(int(when), "s"), "exchange": exchange, "symbol": symbol, **sides})
    return pd.DataFrame(stored)


@pytest.fixture(scope="module")
def con(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("books")
    made = [
        book(
            r.timestamp,
            exchange=r.exchange,
            symbol=r.symbol,
            bids_json=json.dumps(r.bids),
            asks_json=json.dumps(r.asks),
            sequence_id=str(n),
        )
        for n, r in enumerate(rows.itertuples())
    ]
    write(folder, "orderbook", made)
    with qr.connect(folder) as connection:
        yield connection


@pytest.mark.parametrize("slice_rows", [10**6, 90])
@pytest.mark.parametrize("limit", [None, 1, 100])
@pytest.mark.parametrize("depth", [1, 5, 12])
def test_the_answer_is_that_of_json_in_one_piece_and_in_slices(con, rows, monkeypatch, depth, limit, slice_rows):
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    frame = con.orderbooks(BOTH, exchange="all", depth=depth, limit=limit, **WINDOW)
    expected = rows.assign(sequence_id=rows.index.map(str)).sort_values(["timestamp", "exchange", "symbol"], kind="stable")
    expected = expected if limit is None else expected.tail(limit)
    assert list(frame.index) == list(expected["timestamp"])
    for column in ("exchange", "symbol", "sequence_id"):
        assert list(frame[column]) == list(expected[column]), column
    for side in ("bid", "ask"):
        wide = np.full((len(expected), depth, 2), NAN)
        for row, stored in enumerate(expected[f"{side}s"]):
            for level, pair in enumerate(stored[:depth]):
                wide[row, level] = pair
        np.testing.assert_array_equal(levels(frame, depth, side), wide.reshape(len(expected), -1))
    if limit is None:
        statements = len(frame.attrs["qalypto"]["query_ids"])
        assert statements > 5 if slice_rows == 90 else statements == 1


@pytest.mark.contract
def test_frames_are_of_floats_for_no_row_too(con):
    empty = con.orderbooks(BOTH, depth=3, start="2026-03-02 12:00:00.001", end="2026-03-02 12:00:00.002")
    some = con.orderbooks("BTCUSDT", depth=3, limit=2)
    assert len(empty) == 0
    assert empty.dtypes.map(str).equals(some.dtypes.map(str))
    assert set(some.filter(regex="price|size").dtypes.map(str)) == {"float64"}
    tokyo = con.orderbooks("BTCUSDT", depth=3, limit=2, tz="Asia/Tokyo")
    assert str(tokyo.index.dtype) == "datetime64[us, Asia/Tokyo]"
    pd.testing.assert_frame_equal(tokyo.tz_convert("UTC"), some)


@pytest.mark.contract
def test_chosen_columns_are_those_of_the_whole_frame(con):
    whole = con.orderbooks(BOTH, exchange="all", depth=9, **WINDOW)
    for chosen in (["ask_price_8"], ["bid_size_3", "exchange", "bid_price_0"], ["sequence_id"], ["timestamp", "ask_size_0", "bid_size_0"]):
        kept = [c for c in whole.columns if c in chosen]
        pd.testing.assert_frame_equal(con.orderbooks(BOTH, exchange="all", depth=9, columns=chosen, **WINDOW), whole[kept])


def test_only_the_sides_shown_are_read(con, monkeypatch):
    sent = []
    engine = type(con.engine)
    execute = engine.execute
    monkeypatch.setattr(engine, "execute", lambda self, sql, *rest: sent.append(sql) or execute(self, sql, *rest))
    con.orderbooks("BTCUSDT", columns=["ask_price_2"], limit=1)
    assert ("JSONExtract(t.asks_json" in sent[0], "JSONExtract(t.bids_json" in sent[0]) == (True, False)
    assert "arrayResize(arrayFlatten" in sent[0]
    assert ", 5 + throwIf" in sent[0]


def test_max_bytes_is_the_room_of_the_wide_frame(con):
    frame = con.orderbooks(BOTH, exchange="all", depth=100, **WINDOW)
    room = int(frame.memory_usage(deep=True).sum())
    with pytest.raises(qr.errors.ResultTooLargeError) as refused:
        con.orderbooks(BOTH, exchange="all", depth=100, max_bytes=room // 2, **WINDOW)
    assert refused.value.rows == 800
    assert 0.9 < refused.value.estimated_bytes / room < 1.1
    assert len(con.orderbooks(BOTH, exchange="all", depth=100, columns=["bid_price_99"], max_bytes=room // 2, **WINDOW)) == 800


def test_wide_frames_are_read_in_slices_that_stay_small(con, monkeypatch):
    monkeypatch.setattr(reading, "SLICE_BYTES", 1_000_000)
    wide = con.orderbooks(BOTH, exchange="all", depth=200, **WINDOW)
    narrow = con.orderbooks(BOTH, exchange="all", depth=1, **WINDOW)
    assert len(wide.attrs["qalypto"]["query_ids"]) > 4
    assert len(narrow.attrs["qalypto"]["query_ids"]) == 1
    pd.testing.assert_frame_equal(wide[list(narrow.columns)], narrow)
