"""Long answers are read slice by slice; neither that nor a limit changes what comes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import kline, ticker, trade, utc, write

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedSnapshot
from qalypto_research.history import reading

pytestmark = pytest.mark.contract

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
BOTH = ["BTCUSDT", "ETHUSDT"]


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    """Return a connection to 2,000 trades, 300 of them in one millisecond, and to updates of 240 candles."""
    folder = tmp_path_factory.mktemp("slices")
    random = np.random.default_rng(5)
    times = [utc("12:00") + pd.Timedelta(int(ms), "ms") for ms in random.integers(0, 3_600_000, 1_700)]
    times += [utc("12:20")] * 300
    pairs = random.integers(0, 2, (2_000, 2))
    rows = [
        trade(t, float(n), exchange=("okx", "binance")[a], symbol=BOTH[b], trade_id=str(random.integers(0, 500)))
        for n, (t, (a, b)) in enumerate(zip(times, pairs, strict=True))
    ]
    write(folder, "trade", [rows[i] for i in random.permutation(2_000)])
    candles = [
        kline(utc("12:00") + pd.Timedelta(m, "min"), volume=v, exchange=e, symbol=s, num_trades=m)
        for m in range(60)
        for e in ("binance", "okx")
        for s in BOTH
        for v in (1.0, 3.0, 2.0)
    ]
    write(folder, "kline", candles)
    with qr.connect(folder) as connection:
        yield connection


def both_ways(monkeypatch, call, slice_rows):
    """Return the answer in one statement and in slices of about so many rows."""
    whole = call()
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    return whole, call()


def statements(frame):
    return len(frame.attrs["qalypto"]["query_ids"])


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("slice_rows", "limit"), [(100, None), (700, None), (1, 7), (60, 299), (300, 1_000), (700, 1_999), (700, 5_000), (5_000, 1)]
)
def test_trades_in_slices_are_the_trades_in_one_piece(con, monkeypatch, slice_rows, limit):
    whole, sliced = both_ways(monkeypatch, lambda: con.trades(BOTH, exchange="all", limit=limit, **WINDOW), slice_rows)
    pd.testing.assert_frame_equal(sliced, whole)
    assert len(whole) == min(limit or 2_000, 2_000)
    if limit is None:
        assert statements(sliced) > 2 > statements(whole)


@pytest.mark.parametrize("limit", [None, 1, 100, 1_000])
def test_candles_in_slices_are_the_candles_in_one_piece(con, monkeypatch, limit):
    whole, sliced = both_ways(monkeypatch, lambda: con.klines(BOTH, "1m", exchange="all", limit=limit, **WINDOW), 20)
    pd.testing.assert_frame_equal(sliced, whole)
    assert len(whole) == min(limit or 240, 240)
    assert set(whole["volume"]) == {3.0}


def test_slices_need_no_start(con, monkeypatch):
    whole, sliced = both_ways(monkeypatch, lambda: con.trades("BTCUSDT", exchange="okx", limit=400), 10)
    pd.testing.assert_frame_equal(sliced, whole)


def test_an_empty_answer_in_slices_is_the_empty_answer(con, monkeypatch):
    empty = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:00:00.001"}
    whole, sliced = both_ways(monkeypatch, lambda: con.trades("BTCUSDT", exchange="okx", **empty), 0)
    assert whole.empty
    pd.testing.assert_frame_equal(sliced, whole)


@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_limit_gives_the_newest_rows_over_all_series_ascending(con, limit):
    options = {"exchange": "all", **WINDOW}
    pd.testing.assert_frame_equal(con.trades(BOTH, limit=limit, **options), con.trades(BOTH, **options).tail(limit))


def test_chosen_columns_come_in_slices_too(con, monkeypatch):
    whole, sliced = both_ways(monkeypatch, lambda: con.trades(BOTH, exchange="all", columns=["trade_id", "price"], **WINDOW), 100)
    pd.testing.assert_frame_equal(sliced, whole)
    assert list(sliced.columns) == ["price", "trade_id"]


@pytest.mark.parametrize("slice_rows", [20, 500])
def test_slices_begin_where_the_window_does_to_the_microsecond(tmp_path, monkeypatch, slice_rows):
    for hour in (12, 13):
        candles = [kline(utc(f"{hour}:00") + pd.Timedelta(m, "min"), volume=v) for m in range(60) for v in (1.0, 2.0, 3.0, 4.0, 5.0)]
        write(tmp_path, "kline", candles, name=str(hour))
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    with qr.connect(tmp_path) as con:
        frame = con.klines("BTCUSDT", "1m", start="2026-03-02 12:00:00.000001", end="2026-03-02 13:30:00.000001")
    assert (len(frame), frame.index[0], frame.index[-1]) == (90, utc("12:01"), utc("13:30"))
    assert set(frame["volume"]) == {5.0}


@pytest.mark.parametrize("limit", [1, 299, 1_999, 5_000])
def test_the_newest_of_a_long_table_are_the_newest_of_all(con, monkeypatch, limit):
    whole, sliced = both_ways(monkeypatch, lambda: con.trades(BOTH, exchange="all", limit=limit), 100)
    pd.testing.assert_frame_equal(sliced, whole)


@pytest.mark.embedded
def test_the_newest_of_a_long_table_are_looked_for_where_they_lie(con, monkeypatch):
    asked = []
    fetch = EmbeddedSnapshot.fetch
    monkeypatch.setattr(reading, "SLICE_ROWS", 100)
    monkeypatch.setattr(EmbeddedSnapshot, "fetch", lambda *args, **named: asked.append(args[2]) or fetch(*args, **named))
    assert len(con.trades(BOTH, exchange="all", limit=3)) == 3
    an_hour_ago = con.clock.now().floor("ms") - pd.Timedelta("1h")
    assert [parameters.get("start") for parameters in asked] == [f"{an_hour_ago:%Y-%m-%d %H:%M:%S.%f}"[:-3]]


@pytest.mark.parametrize("limit", [1, 5, 200])
def test_the_newest_buckets_of_a_long_table_are_whole(tmp_path, monkeypatch, limit):
    """The last row of each hour, and the spreads of it: the hour in which a look back begins is not cut."""
    rows = [
        ticker(
            utc("00:00") + pd.Timedelta(13 * n, "min"), 100.0 + n, exchange=("okx", "binance")[n % 2], bid_price=1.0 + n, ask_price=2.0 + n
        )
        for n in range(60)
    ]
    write(tmp_path, "ticker", rows)
    with qr.connect(tmp_path) as con:
        calls = [
            lambda: con.tickers("BTCUSDT", exchange="all", every="1h", limit=limit),
            lambda: con.spreads("BTCUSDT", every="1h", limit=limit),
        ]
        whole = [call() for call in calls]
        monkeypatch.setattr(reading, "SLICE_ROWS", 7)
        for before, call in zip(whole, calls, strict=True):
            pd.testing.assert_frame_equal(call(), before)
