"""Spreads over exchanges, bucket by bucket: by literals, and against pandas on the same Parquet files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import ticker, trade, utc, write
from by_pandas import EXCHANGES, SPREAD_COLUMNS, SYMBOLS, spreads_by_pandas, stored_tickers

import qalypto_research as qr
from qalypto_research.archive.sample import sample_root
from qalypto_research.history import reading

pytestmark = pytest.mark.contract

AT = {"at": "2026-03-02 12:00:10"}
WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:00:10"}


def quote(when, exchange, bid, ask, last=100.0, **other):
    return ticker(when, last, exchange=exchange, bid_price=bid, ask_price=ask, **other)


def test_one_bucket_of_three_exchanges(connect, tmp_path):
    rows = [
        quote("12:00:00.100", "okx", 99.0, 101.0, 100.0),
        quote("12:00:00.999", "okx", 100.5, 102.0, 101.0),  # the last of okx
        quote("12:00:00.200", "binance", 100.0, 100.25, 100.0),
        quote("12:00:00.000", "bybit", 98.0, 103.0, 99.0),
    ]
    write(tmp_path, "ticker", rows)
    frame = connect(tmp_path, **AT).spreads("BTCUSDT", **WINDOW)
    assert list(frame.columns) == SPREAD_COLUMNS
    assert (len(frame), frame.index[0], str(frame.index.dtype)) == (1, utc("12:00"), "datetime64[us, UTC]")
    row = frame.iloc[0]
    assert list(row[:6]) == ["BTCUSDT", 3, 100.5, "okx", 100.25, "binance"]
    # One bids more than another asks.
    assert (row["mid_price"], row["spread"], row["spread_bps"]) == (100.375, -0.25, -0.25 / 100.375 * 10_000)
    assert (row["min_price"], row["max_price"], row["avg_price"], row["range_bps"]) == (99.0, 101.0, 100.0, 200.0)
    assert frame["exchanges"].dtype == np.int64


def test_nothing_is_carried_forward_and_an_empty_bucket_has_no_row(connect, tmp_path):
    rows = [quote("12:00:00", "okx", 99.0, 101.0), quote("12:00:00", "binance", 99.0, 101.0), quote("12:00:03.5", "okx", 98.0, 102.0)]
    write(tmp_path, "ticker", rows)
    frame = connect(tmp_path, **AT).spreads("BTCUSDT", "1s", **WINDOW)
    assert list(frame.index) == [utc("12:00:00"), utc("12:00:03")]
    assert list(frame["exchanges"]) == [2, 1]


def test_an_absent_side_does_not_count_and_both_absent_are_nan(connect, tmp_path):
    rows = [
        quote("12:00:00", "okx", None, 101.0),
        quote("12:00:00", "bybit", 98.0, None),
        quote("12:00:01", "okx", None, 101.0),
        quote("12:00:02", "okx", None, None, 7.0),
        quote("12:00:03", "okx", float("nan"), 101.0),
        quote("12:00:03", "bybit", 98.0, float("nan")),
    ]
    write(tmp_path, "ticker", rows)
    frame = connect(tmp_path, **AT).spreads("BTCUSDT", **WINDOW)
    assert frame["bid_price"].to_list() == pytest.approx([98.0, np.nan, np.nan, 98.0], nan_ok=True)
    assert frame["ask_price"].to_list() == pytest.approx([101.0, 101.0, np.nan, 101.0], nan_ok=True)
    assert [x if isinstance(x, str) else None for x in frame["bid_exchange"]] == ["bybit", None, None, "bybit"]
    assert [x if isinstance(x, str) else None for x in frame["ask_exchange"]] == ["okx", "okx", None, "okx"]
    assert list(frame["spread"].isna()) == list(frame["mid_price"].isna()) == list(frame["spread_bps"].isna()) == [False, True, True, False]
    assert list(frame["exchanges"]) == [2, 1, 1, 2]
    assert (frame["avg_price"].iloc[2], frame["range_bps"].iloc[2]) == (7.0, 0.0)
    for column in ("bid_exchange", "ask_exchange"):
        assert list(frame[column].cat.categories) == EXCHANGES
        assert not frame[column].cat.ordered


@pytest.mark.parametrize("names", [["okx", "bybit", "bitget"], ["bybit", "bitget", "okx"]])
def test_of_equal_best_prices_the_first_exchange_by_name_has_it(connect, tmp_path, names):
    write(tmp_path, "ticker", [quote(f"12:00:00.{n}", e, 99.0, 101.0) for n, e in enumerate(names)])
    frame = connect(tmp_path, **AT).spreads("BTCUSDT", **WINDOW)
    assert (frame["bid_exchange"].item(), frame["ask_exchange"].item()) == ("bitget", "bitget")


@pytest.mark.embedded
def test_the_last_of_equal_times_is_by_arrival(connect, tmp_path):
    seen = ["12:00:03", "12:00:05", "12:00:05", "12:00:04"]
    rows = [quote("12:00:00", "okx", 90.0 + n, 110.0, _seen=s, _seq=(9, 3, 2, 9)[n]) for n, s in enumerate(seen)]
    write(tmp_path, "ticker", rows)
    assert connect(tmp_path, **AT).spreads("BTCUSDT", **WINDOW)["bid_price"].item() == 91.0


@pytest.mark.embedded
def test_without_a_record_the_last_of_equal_times_is_the_last_in_the_file(connect, tmp_path):
    prices = np.random.default_rng(3).permutation(3_000).astype(float)
    write(tmp_path, "ticker", [quote("12:00", "okx", p, 9e9) for p in prices])
    assert connect(tmp_path, **AT).spreads("BTCUSDT", **WINDOW)["bid_price"].item() == prices[-1]


def test_only_the_exchanges_asked_for_count(connect, tmp_path):
    write(tmp_path, "ticker", [quote("12:00", e, 90.0 + n, 110.0) for n, e in enumerate(EXCHANGES)])
    con = connect(tmp_path, exchange="okx", **AT)
    frame = con.spreads("BTCUSDT", exchange=["bitget", "bybit"], **WINDOW)
    assert list(frame.iloc[0][["exchanges", "bid_price", "bid_exchange"]]) == [2, 92.0, "bybit"]
    # The connection's own exchange is no reason to compare with nobody.
    assert con.spreads("BTCUSDT", **WINDOW)["exchanges"].item() == 4
    assert con.spreads("BTCUSDT", exchange="binance", **WINDOW)["bid_exchange"].item() == "binance"


# --- Against pandas -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return an archive of 3,000 tickers of six series within a minute, many at equal times, some seen late, some without a side."""
    folder = tmp_path_factory.mktemp("spreads")
    random = np.random.default_rng(8)
    for name in ("a", "b"):
        rows = []
        for _ in range(1_500):
            when = utc("12:00") + pd.Timedelta(int(random.integers(0, 6_000)) * 10, "ms")
            bid, ask = (None if random.random() < 0.1 else float(random.integers(9_900, 10_100)) / 100 for _ in range(2))
            other = (
                {"_seen": when + pd.Timedelta(int(random.exponential(3e6)), "us"), "_seq": int(random.integers(0, 3))}
                if name == "b"
                else {}
            )
            exchange = ("okx", "binance", "zeta")[random.integers(3)]
            symbol = ("ETHUSDT", "BTCUSDT", "UNIUSDT")[random.integers(3)]
            rows.append(quote(when, exchange, bid, ask, float(random.integers(9_900, 10_100)) / 100, symbol=symbol, **other))
        write(folder, "ticker", rows, name=name)
    return folder


@pytest.fixture(scope="module")
def con(root):
    with qr.connect(root, at="2026-03-02 12:01:30") as connection:
        yield connection


@pytest.fixture(scope="module")
def rows(root):
    # What has no record stands in the order of its file; equal in all else there is nothing else to go by.
    return stored_tickers(root)


THREE = ["BTCUSDT", "ETHUSDT", "UNIUSDT"]
MINUTE = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:01"}


@pytest.mark.embedded
@pytest.mark.parametrize(("every", "every_ms"), [("10ms", 10), ("250ms", 250), ("1s", 1_000), ("7s", 7_000), ("1m", 60_000)])
def test_many_exchanges_and_symbols_are_what_pandas_computes(con, rows, every, every_ms):
    frame = con.spreads(THREE, every, exchange="all", **MINUTE)
    expected = spreads_by_pandas(rows, every_ms, utc("12:00"), utc("12:01"))
    pd.testing.assert_frame_equal(frame, expected, rtol=1e-13)
    assert len(frame) >= 3
    assert list(frame["symbol"].cat.categories) == [*SYMBOLS, "UNIUSDT"]


@pytest.mark.embedded
@pytest.mark.parametrize("limit", [None, 1, 50, 100, 10_000])
@pytest.mark.parametrize(("every", "slice_rows"), [("1s", 100), ("7s", 1), ("30ms", 300)])
def test_slices_cut_no_bucket_and_a_limit_gives_the_newest(con, rows, monkeypatch, every, slice_rows, limit):
    whole = con.spreads(THREE, every, limit=limit, **MINUTE)
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    sliced = con.spreads(THREE, every, limit=limit, **MINUTE)
    pd.testing.assert_frame_equal(sliced, whole)
    every_ms = int(pd.Timedelta(every) / pd.Timedelta("1ms"))
    expected = spreads_by_pandas(rows, every_ms, utc("12:00"), utc("12:01"))
    pd.testing.assert_frame_equal(sliced, expected.tail(limit or len(expected)), rtol=1e-13, check_categorical=False)
    if limit is None:
        assert len(sliced.attrs["qalypto"]["query_ids"]) > 2


@pytest.fixture
def in_files(tmp_path):
    """Return an archive of 600 tickers in ten files, one a minute."""
    random = np.random.default_rng(9)
    for minute in range(10):
        at = utc("12:00") + pd.Timedelta(minute, "min")
        moments = [at + pd.Timedelta(int(ms), "ms") for ms in random.integers(0, 60_000, 60)]
        rows = [quote(t, ("okx", "binance")[n % 2], 1.0 + n, 99.0 - n, symbol=THREE[n % 3]) for n, t in enumerate(moments)]
        write(tmp_path, "ticker", rows, name=f"{minute:02}")
    return tmp_path


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("slice_rows", "counted"), [(130, False), (400, False), (59, True)], ids=["by two files", "by halves", "a file is more than a slice"]
)
def test_slices_by_files_need_no_counting_and_cut_no_bucket(connect, in_files, monkeypatch, slice_rows, counted):
    con = connect(in_files, at="2026-03-02 12:10:07")
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    counts = []
    plan_slices = reading.plan_slices
    monkeypatch.setattr(reading, "plan_slices", lambda *args, **options: counts.append(1) or plan_slices(*args, **options))
    frame = con.spreads(THREE, "7s", start="2026-03-02 12:00")
    expected = spreads_by_pandas(stored_tickers(in_files), 7_000, utc("12:00"), utc("12:10:06"))
    pd.testing.assert_frame_equal(frame, expected, rtol=1e-13)
    assert bool(counts) == counted
    assert len(frame.attrs["qalypto"]["query_ids"]) > 1
    # A bound of the rows is no reason to refuse: they are counted then.
    assert len(con.spreads(THREE, "7s", start="2026-03-02 12:00", max_bytes=len(frame) * 100)) == len(frame)


def test_a_limit_needs_no_start(con, monkeypatch):
    whole = con.spreads(THREE, limit=40)
    monkeypatch.setattr(reading, "SLICE_ROWS", 100)
    pd.testing.assert_frame_equal(con.spreads(THREE, limit=40), whole)
    assert len(whole) == 40


def test_the_packaged_sample_is_what_pandas_computes():
    rows = stored_tickers(sample_root())
    with qr.connect("sample") as sample:
        frame = sample.spreads(SYMBOLS, "5s", minutes=10)
        expected = spreads_by_pandas(rows[rows["known"] <= sample.clock.now()], 5_000, utc("12:50:30"), utc("13:00:30"))
    pd.testing.assert_frame_equal(frame, expected, rtol=1e-13)
    assert len(frame) > 900


# --- The clock ------------------------------------------------------------------------------------------------------


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("window", "first"),
    [
        (MINUTE, lambda _: utc("12:00")),
        ({"start": "2026-03-02 12:00"}, lambda _: utc("12:00")),
        ({"minutes": 0.25}, lambda over: over - pd.Timedelta(seconds=15)),
        ({"limit": 10_000}, lambda _: None),
    ],
    ids=["bounds", "start", "length", "limit"],
)
@pytest.mark.parametrize("every_ms", [1_000, 7_000])
def test_a_bucket_shows_once_it_is_over_and_only_rows_known_by_then(root, rows, window, first, every_ms):
    for at in ("12:00:30.500", "12:00:31", "12:00:30.999999", "12:00:35.000001"):
        now = utc(at)
        over = now.floor(f"{every_ms}ms")
        with qr.connect(root, at=now) as con:
            frame = con.spreads(THREE, f"{every_ms}ms", **window)
        start = first(over)
        start = None if start is None else start.ceil(f"{every_ms}ms")
        expected = spreads_by_pandas(rows[rows["known"] <= now], every_ms, start, over)
        pd.testing.assert_frame_equal(frame, expected, rtol=1e-13, check_categorical=False)
        assert len(frame) > 5


def test_a_bucket_is_over_when_its_rows_have_had_time_to_arrive(root):
    with qr.connect(root, at="2026-03-02 12:00:30.5", ingestion_delay="600ms") as con:
        assert con.spreads(THREE, "1s", limit=1).index[0] == utc("12:00:28")


def test_a_row_ahead_of_the_clock_lies_in_a_bucket_that_is_not_over(connect, tmp_path):
    write(tmp_path, "ticker", [quote("12:00:00", "okx", 1.0, 2.0), quote("12:00:30", "okx", 3.0, 4.0, _seen="12:00:05")])
    assert list(connect(tmp_path, **AT).spreads("BTCUSDT", limit=5).index) == [utc("12:00:00")]


@pytest.mark.parametrize(
    ("window", "begins"),
    [
        ({"start": "2026-03-02 12:00:00.5", "end": "2026-03-02 12:00:02.5"}, ["12:00:01", "12:00:02"]),
        ({"start": "2026-03-02 12:00:01", "end": "2026-03-02 12:00:02"}, ["12:00:01"]),
        ({"start": "2026-03-02 12:00:01.2", "end": "2026-03-02 12:00:01.8"}, []),
        ({"end": "2026-03-02 12:00:03", "minutes": 2 / 60}, ["12:00:01", "12:00:02"]),
        ({"start": "2026-03-02 12:00:07"}, ["12:00:07", "12:00:08"]),
        ({"minutes": 2.5 / 60}, ["12:00:07", "12:00:08"]),
    ],
)  # fmt: skip
def test_the_window_is_of_the_buckets_begins_and_each_is_read_whole(connect, tmp_path, window, begins):
    rows = [quote(utc("12:00") + pd.Timedelta(100 * n, "ms"), "okx", 1.0 + n, 2e3) for n in range(100)]
    write(tmp_path, "ticker", rows)
    frame = connect(tmp_path, at="2026-03-02 12:00:09.5").spreads("BTCUSDT", **window)
    assert list(frame.index) == [utc(b) for b in begins]
    assert list(frame["bid_price"]) == [10.0 + 10 * int(b[-2:]) for b in begins]


# --- The rest of the contract ---------------------------------------------------------------------------------------


def test_a_length_below_one_bucket_is_refused(con):
    with pytest.raises(qr.errors.RangeError, match=r"^every: .*shorter than one bucket"):
        con.spreads("BTCUSDT", "1m", minutes=0.9)


def test_no_bucket_is_an_empty_frame_of_all_columns(con):
    frame = con.spreads(THREE, start="2026-03-02 12:01:10", end="2026-03-02 12:01:20")
    expected = spreads_by_pandas(stored_tickers_of_none(), 1_000)
    pd.testing.assert_frame_equal(frame, expected)


def stored_tickers_of_none():
    return pd.DataFrame(columns=["timestamp", "exchange", "symbol", "last_price", "bid_price", "ask_price"]).astype(
        {"timestamp": "datetime64[us, UTC]"}
    )


def test_a_zone_moves_neither_buckets_nor_range(con):
    here, there = (con.spreads("BTCUSDT", "7s", tz=tz, **MINUTE) for tz in (None, "Asia/Tokyo"))
    assert str(there.index.dtype) == "datetime64[us, Asia/Tokyo]"
    pd.testing.assert_frame_equal(there.tz_convert("UTC"), here)


def test_columns_keep_their_order(con):
    whole = con.spreads(THREE, **MINUTE)
    some = con.spreads(THREE, columns=["ask_exchange", "symbol", "spread"], **MINUTE)
    pd.testing.assert_frame_equal(some, whole[["symbol", "ask_exchange", "spread"]])


def test_too_large_an_answer_is_refused_by_its_rows_not_by_those_it_is_made_of(con):
    rows = len(con.spreads(THREE, "7s", **MINUTE))
    with pytest.raises(qr.errors.ResultTooLargeError, match=r"^max_bytes: ") as caught:
        con.spreads(THREE, "7s", max_bytes=100, **MINUTE)
    assert caught.value.rows == rows == 27
    assert len(con.spreads(THREE, "7s", max_bytes=caught.value.estimated_bytes, **MINUTE)) == rows


def test_frames_with_exchanges_beyond_the_documented_are_united(con):
    parts = [con.spreads("BTCUSDT", exchange=e, **MINUTE) for e in ("okx", "zeta")]
    united = qr.concat(parts)
    for column in ("bid_exchange", "ask_exchange"):
        assert list(parts[0][column].cat.categories) == EXCHANGES
        assert list(united[column].cat.categories) == [*EXCHANGES, "zeta"]
        assert united[column].isna().sum() == sum(p[column].isna().sum() for p in parts) > 0


def test_what_is_not_there_is_named(connect, tmp_path):
    write(tmp_path, "ticker", [quote("12:00", "okx", 1.0, 2.0), quote("12:00", "okx", 1.0, 2.0, symbol="ETHUSDT")])
    write(tmp_path, "ticker", [quote("12:00", "binance", 1.0, 2.0)], name="b")
    write(tmp_path, "trade", [trade("12:00", exchange="bybit")])
    con = connect(tmp_path, **AT)
    with pytest.warns(qr.errors.GapWarning, match="market_data_ticker has no row of bybit BTCUSDT here"):
        con.spreads("BTCUSDT", **WINDOW)
    with pytest.warns(qr.errors.GapWarning, match=r"^there is no binance ETHUSDT here"):
        con.spreads(["BTCUSDT", "ETHUSDT"], exchange=["okx", "binance"], **WINDOW)
    with pytest.warns(qr.errors.GapWarning, match="market_data_ticker begins at"):
        con.spreads("ETHUSDT", start="2026-03-01")
