"""``every=`` gives the last row of each bucket, with its own time and values; a pandas groupby says the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import book, ticker, utc, write

import qalypto_research as qr
from qalypto_research.history import reading

pytestmark = pytest.mark.contract

BOTH = ["BTCUSDT", "UNIUSDT"]
WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1ms", ["12:00:00.000", "12:00:00.999", "12:00:01.000", "12:00:03.500", "12:07:59.999", "12:08:00.000"]),
        ("1s", ["12:00:00.999", "12:00:01.000", "12:00:03.500", "12:07:59.999", "12:08:00.000"]),
        ("2s", ["12:00:01.000", "12:00:03.500", "12:07:59.999", "12:08:00.000"]),
        ("1m", ["12:00:03.500", "12:07:59.999", "12:08:00.000"]),
        ("8m", ["12:07:59.999", "12:08:00.000"]),
        (pd.Timedelta("1h"), ["12:08:00.000"]),
        ("7d", ["12:08:00.000"]),
        ("100w", ["12:08:00.000"]),
    ],
)
def test_the_last_row_of_each_bucket_keeps_its_time(connect, tmp_path, every, expected):
    times = ["12:00:00.000", "12:00:00.999", "12:00:01.000", "12:00:03.500", "12:07:59.999", "12:08:00.000"]
    write(tmp_path, "ticker", [ticker(t, float(n)) for n, t in enumerate(times)])
    frame = connect(tmp_path).tickers("BTCUSDT", every=every, **WINDOW)
    assert list(frame.index) == [utc(t) for t in expected]
    assert list(frame["last_price"]) == [float(times.index(t)) for t in expected]


def test_buckets_that_do_not_divide_a_day_begin_in_1970(connect, tmp_path):
    write(tmp_path, "ticker", [ticker(utc("12:00") + pd.Timedelta(s, "s"), float(s)) for s in range(30)])
    frame = connect(tmp_path).tickers("BTCUSDT", every="7s", **WINDOW)
    # 2026-03-02 12:00 is 1 772 452 800 s after 1970, six seconds past a multiple of seven.
    assert list(frame["last_price"]) == [0.0, 7.0, 14.0, 21.0, 28.0, 29.0]


def test_a_bucket_cut_by_the_range_counts_with_its_rows_inside(connect, tmp_path):
    write(tmp_path, "orderbook", [book(f"12:{m:02}", float(m)) for m in range(30)])
    con = connect(tmp_path)
    tops = con.orderbook_tops("BTCUSDT", start="2026-03-02 12:07", end="2026-03-02 12:23", every="10m")
    assert list(tops["bid_price"]) == [9.0, 19.0, 22.0]
    books = con.orderbooks("BTCUSDT", start="2026-03-02 12:07", end="2026-03-02 12:23", every="10m", depth=1)
    assert list(books["bid_price_0"]) == [9.0, 19.0, 22.0]


@pytest.mark.embedded
def test_of_equal_times_the_last_by_arrival_is_the_last(connect, tmp_path):
    seen = ["12:00:03", "12:00:05", "12:00:05", "12:00:04"]
    rows = [ticker("12:00", float(n), _seen=s, _seq=q) for n, (s, q) in enumerate(zip(seen, [9, 3, 2, 8], strict=True))]
    write(tmp_path, "ticker", rows)
    assert list(connect(tmp_path).tickers("BTCUSDT", every="1m", **WINDOW)["last_price"]) == [1.0]


def test_without_a_record_of_arrival_the_last_in_the_file_is_the_last(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00", float(n)) for n in np.random.default_rng(5).permutation(3_000)], name="a")
    write(tmp_path, "ticker", [ticker("12:00", 7_777.0)], name="b")
    assert list(connect(tmp_path).tickers("BTCUSDT", every="1s", **WINDOW)["last_price"]) == [7_777.0]


def test_of_rows_not_known_yet_none_is_the_last(connect, tmp_path):
    late = ticker("12:00:30", 3.0, _seen="12:05")
    write(tmp_path, "ticker", [ticker("12:00:10", 1.0, _seen="12:00:11"), ticker("12:00:20", 2.0, _seen="12:00:21"), late])
    for at, expected in {"12:00:15": 1.0, "12:00:21": 2.0, "12:04:59": 2.0, "12:05": 3.0}.items():
        con = connect(tmp_path, at=f"2026-03-02 {at}")
        assert list(con.tickers("BTCUSDT", start="2026-03-02 12:00", every="1m")["last_price"]) == [expected], at


def test_nulls_of_the_last_row_are_not_filled_from_the_row_before(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00:01", bid_price=5.0, next_funding_time="16:00"), ticker("12:00:02")])
    (row,) = connect(tmp_path).tickers("BTCUSDT", every="1m", **WINDOW).to_dict("records")
    assert np.isnan(row["bid_price"])
    assert row["next_funding_time"] is pd.NaT


def test_the_bucket_is_in_the_facts(connect, tmp_path):
    write(tmp_path, "ticker", [ticker("12:00")])
    con = connect(tmp_path)
    assert con.tickers("BTCUSDT", limit=1, every="1s").attrs["qalypto"]["asked"]["every"] == "1s"
    assert "every" not in con.tickers("BTCUSDT", limit=1).attrs["qalypto"]["asked"]


# --- A random archive -----------------------------------------------------------------------------------------------

PAIRS = [(e, s) for e in ("binance", "okx") for s in BOTH]
COLUMN = {"tickers": "last_price", "orderbook_tops": "bid_price", "orderbooks": "bid_price_0"}


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(20260302)
    times = np.sort(random.integers(0, 3_600, 2_000)) * 1_000 + random.choice([0, 0, 250, 999], 2_000)
    pairs = [PAIRS[i] for i in random.integers(0, 4, 2_000)]
    stored = [
        (utc("12:00") + pd.Timedelta(int(t), "ms"), e, s, float(n + 1)) for n, (t, (e, s)) in enumerate(zip(times, pairs, strict=True))
    ]
    return pd.DataFrame(stored, columns=["timestamp", "exchange", "symbol", "value"])


@pytest.fixture(scope="module")
def con(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("every")
    for table, make in {"ticker": ticker, "orderbook": book}.items():
        write(folder, table, [make(r.timestamp, r.value, exchange=r.exchange, symbol=r.symbol) for r in rows.itertuples()])
    with qr.connect(folder) as connection:
        yield connection


def last_of_buckets(rows, every):
    """Return what is asked for, by pandas: rows are in the order of the file, so a stable sort keeps it."""
    ordered = rows.sort_values("timestamp", kind="stable")
    bucket = ordered["timestamp"].dt.floor(every)
    return ordered.groupby([bucket, "exchange", "symbol"]).tail(1).sort_values(["timestamp", "exchange", "symbol"])


def shown(frame, column):
    return list(zip(frame.index, frame["exchange"], frame["symbol"], frame[column], strict=True))


@pytest.mark.parametrize("slice_rows", [10**6, 300])
@pytest.mark.parametrize("limit", [None, 40])
@pytest.mark.parametrize("every", ["1s", "1min", "17min"])
@pytest.mark.parametrize("call", COLUMN)
def test_the_answer_is_that_of_pandas_in_one_piece_and_in_slices(con, rows, monkeypatch, call, every, limit, slice_rows):
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    frame = getattr(con, call)(BOTH, exchange="all", every=every, limit=limit, **WINDOW)
    expected = last_of_buckets(rows, every)
    expected = expected if limit is None else expected.tail(limit)
    assert shown(frame, COLUMN[call]) == list(expected.itertuples(index=False, name=None))
    if limit is None and slice_rows == 300:
        assert len(frame.attrs["qalypto"]["query_ids"]) > 3


@pytest.mark.parametrize(
    "window", [{"start": "12:10:03.25", "end": "12:31:07"}, {"start": "12:59:59"}, {"start": "12:00", "end": "12:00:00.001"}]
)
@pytest.mark.parametrize("symbols", ["BTCUSDT", BOTH])
@pytest.mark.parametrize("exchange", ["okx", "all"])
def test_windows_cut_buckets_and_names_choose_series(con, rows, monkeypatch, window, symbols, exchange):
    first, last = (utc(window.get(bound, "13:00")) for bound in ("start", "end"))
    wanted = rows[(rows["timestamp"] >= first) & (rows["timestamp"] < last)]
    wanted = wanted[wanted["symbol"].isin([symbols] if isinstance(symbols, str) else symbols)]
    wanted = wanted if exchange == "all" else wanted[wanted["exchange"] == exchange]
    expected = list(last_of_buckets(wanted, "1min").itertuples(index=False, name=None))
    for slice_rows in (10**6, 300):
        monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
        assert shown(con.tickers(symbols, exchange=exchange, start=first, end=last, every="1m"), "last_price") == expected


@pytest.mark.parametrize("call", COLUMN)
def test_max_bytes_counts_the_rows_that_are_left(con, rows, call):
    ask = getattr(con, call)
    with pytest.raises(qr.errors.ResultTooLargeError) as refused:
        ask(BOTH, exchange="all", max_bytes=2_000, every="1m", **WINDOW)
    assert refused.value.rows == len(last_of_buckets(rows, "1min"))
    # Two thousand rows would not fit, the last of each series does.
    assert len(ask(BOTH, exchange="all", max_bytes=2_000, every="1h", **WINDOW)) == 4


def test_an_empty_window_has_all_columns(con):
    empty = con.tickers(BOTH, start="2026-03-02 12:00:00.001", end="2026-03-02 12:00:00.002", every="1s")
    pd.testing.assert_frame_equal(
        empty, con.tickers(BOTH, start="2026-03-02 12:00", end="2026-03-02 12:01").head(0), check_categorical=False
    )
    assert empty.dtypes.map(str).to_dict() == con.tickers(BOTH, limit=5).dtypes.map(str).to_dict()


def test_a_zone_changes_only_how_the_index_is_shown(con):
    plain, tokyo = (con.orderbook_tops("UNIUSDT", every="1m", tz=tz, **WINDOW) for tz in (None, "Asia/Tokyo"))
    assert str(tokyo.index.dtype) == "datetime64[us, Asia/Tokyo]"
    pd.testing.assert_frame_equal(tokyo.tz_convert("UTC"), plain)
