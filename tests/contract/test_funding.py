"""``funding`` gives one row a change; a plain loop over the rows says the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import ticker, utc, write

import qalypto_research as qr
from qalypto_research.history import reading

pytestmark = pytest.mark.contract

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
NAN = np.nan


def said(*rows):
    """Return tickers a minute apart, each of a rate and an hour of settlement (None: not said)."""
    return [
        ticker(f"12:{n:02}", funding_rate=rate, next_funding_time=None if hour is None else f"{hour}:00")
        for n, (rate, hour) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "minutes"),
    [
        ([(1e-4, 16), (1e-4, 16), (2e-4, 16), (2e-4, 16), (1e-4, 16)], [0, 2, 4]),
        ([(1e-4, 16), (1e-4, 20), (2e-4, 20), (3e-4, 23)], [0, 1, 2, 3]),
        ([(None, None), (None, None), (1e-4, 16), (None, None), (1e-4, 16)], [2]),
        ([(1e-4, 16), (None, 16), (1e-4, None), (None, None), (1e-4, 16)], [0]),
        ([(1e-4, 16), (None, 20), (1e-4, None), (2e-4, None), (2e-4, 20)], [0, 1, 3]),
        ([(1e-4, None), (1e-4, None), (1e-4, 16), (None, 16)], [0, 2]),
        ([(None, 16), (1e-4, None), (1e-4, 16)], [0, 1]),
        ([(0.0, 16), (-0.0, 16), (0.0, 16), (-1e-4, 16)], [0, 3]),
        ([(1e-4, 16), (NAN, 16), (1e-4, 16), (NAN, 20)], [0, 3]),
        ([(0.1 + 0.2, 16), (0.3, 16)], [0, 1]),
        ([(None, None), (None, None)], []),
        ([(1e-4, 16)], [0]),
    ],
)
@pytest.mark.parametrize("slice_rows", [10**6, 1, 2])
def test_a_change_is_what_was_not_said_last(connect, tmp_path, monkeypatch, rows, minutes, slice_rows):
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    write(tmp_path, "ticker", said(*rows))
    con = connect(tmp_path)
    frame = con.funding("BTCUSDT", **WINDOW)
    assert [t.minute for t in frame.index] == minutes
    np.testing.assert_array_equal(frame["funding_rate"].to_numpy(), np.array([rows[m][0] for m in minutes], float))
    hours = [pd.NaT if rows[m][1] is None else utc(f"{rows[m][1]}:00") for m in minutes]
    assert [*map(str, frame["next_funding_time"])] == [*map(str, hours)]
    for limit in (1, 2):
        pd.testing.assert_frame_equal(con.funding("BTCUSDT", limit=limit, **WINDOW), frame.tail(limit))


def test_the_other_figures_are_those_of_that_row_and_not_of_the_one_before(connect, tmp_path):
    first = ticker("12:00", funding_rate=1e-4, mark_price=1.0, index_price=2.0, open_interest=3.0, open_interest_value=4.0)
    same = ticker("12:01", funding_rate=1e-4, mark_price=9.0, index_price=9.0)
    write(tmp_path, "ticker", [first, same, ticker("12:02", funding_rate=2e-4, open_interest=5.0)])
    rows = connect(tmp_path).funding("BTCUSDT", **WINDOW).drop(columns=["exchange", "symbol"])
    np.testing.assert_array_equal(
        rows.drop(columns="next_funding_time").to_numpy(), [[1e-4, 1.0, 2.0, 3.0, 4.0], [2e-4, NAN, NAN, 5.0, NAN]]
    )
    assert rows["next_funding_time"].isna().all()


def test_the_state_at_the_start_of_the_range_is_given(connect, tmp_path):
    write(tmp_path, "ticker", said(*[(1e-4, 16)] * 5, *[(2e-4, 16)] * 5))
    frame = connect(tmp_path).funding("BTCUSDT", start="2026-03-02 12:03", end="2026-03-02 12:08")
    assert [t.minute for t in frame.index] == [3, 5]


@pytest.mark.embedded
def test_ties_are_told_apart_by_arrival(connect, tmp_path):
    rates = {"12:00:05": 3e-4, "12:00:03": 1e-4, "12:00:04": 1e-4, "12:00:06": 3e-4}
    write(tmp_path, "ticker", [ticker("12:00", n, funding_rate=rate, _seen=seen) for n, (seen, rate) in enumerate(rates.items())])
    frame = connect(tmp_path).funding("BTCUSDT", **WINDOW)
    assert list(frame["funding_rate"]) == [1e-4, 3e-4]


def test_a_change_not_known_yet_is_none(connect, tmp_path):
    rows = [ticker("12:00", funding_rate=1e-4, _seen="12:00:01"), ticker("12:01", funding_rate=5e-4, _seen="12:30")]
    write(tmp_path, "ticker", [*rows, ticker("12:02", funding_rate=1e-4, _seen="12:02:01")])
    for at, expected in {"12:10": [1e-4], "12:30": [1e-4, 5e-4, 1e-4]}.items():
        con = connect(tmp_path, at=f"2026-03-02 {at}")
        assert list(con.funding("BTCUSDT", start="2026-03-02 12:00")["funding_rate"]) == expected


# --- A random archive -----------------------------------------------------------------------------------------------

BOTH = ["BTCUSDT", "UNIUSDT"]
PAIRS = [(e, s) for e in ("binance", "okx") for s in BOTH]


@pytest.fixture(scope="module")
def rows():
    """Return rows in the order of the file: equal times, rare changes, and fields left out each on its own."""
    random = np.random.default_rng(11)
    when = np.sort(random.integers(0, 3_600, 3_000))
    pairs = [PAIRS[i] for i in random.integers(0, 4, 3_000)]
    rate = [None if u < 0.3 else float(r) for u, r in zip(random.random(3_000), np.cumsum(random.random(3_000) < 0.01) * 1e-5, strict=True)]
    hour = [None if u < 0.3 else utc("13:00") + pd.Timedelta(int(t) // 900, "h") for u, t in zip(random.random(3_000), when, strict=True)]
    named = {"exchange": [e for e, _ in pairs], "symbol": [s for _, s in pairs], "funding_rate": rate, "next_funding_time": hour}
    times = [utc("12:00") + pd.Timedelta(int(t), "s") for t in when]
    return pd.DataFrame({"timestamp": times, **named, "mark_price": np.arange(3_000.0)})


@pytest.fixture(scope="module")
def con(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("funding")
    stored = rows.astype(object).where(rows.notna(), None).to_dict("records")
    write(folder, "ticker", [ticker(r.pop("timestamp"), **r) for r in stored])
    with qr.connect(folder) as connection:
        yield connection


def changes(rows):
    """Return the ``mark_price`` of each change, row after row."""
    ordered = rows.sort_values(["timestamp", "exchange", "symbol"], kind="stable")
    known, found = {}, []
    for row in ordered.itertuples():
        fresh = {
            (row.exchange, row.symbol, name): value
            for name, value in (("rate", row.funding_rate), ("time", row.next_funding_time))
            if not pd.isna(value) and known.get((row.exchange, row.symbol, name)) != value
        }
        if fresh:
            known |= fresh
            found.append(row.mark_price)
    return found


@pytest.mark.embedded
@pytest.mark.parametrize("slice_rows", [10**6, 100])
@pytest.mark.parametrize("limit", [None, 3, 10_000])
@pytest.mark.parametrize(("symbols", "exchange"), [(BOTH, "all"), ("UNIUSDT", "okx"), ("BTCUSDT", ["okx", "binance"])])
def test_the_answer_is_that_of_a_loop_in_one_piece_and_in_slices(con, rows, monkeypatch, symbols, exchange, limit, slice_rows):
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    frame = con.funding(symbols, exchange=exchange, limit=limit, **WINDOW)
    wanted = rows[rows["symbol"].isin([symbols] if isinstance(symbols, str) else symbols)]
    wanted = wanted if exchange != "okx" else wanted[wanted["exchange"] == "okx"]
    expected = changes(wanted)
    assert 10 < len(expected) < 300
    assert list(frame["mark_price"]) == (expected if limit is None else expected[-limit:])
    beyond = ["UNIUSDT"] if "UNIUSDT" in set(frame["symbol"]) else []
    assert list(frame["symbol"].cat.categories)[10:] == beyond
    if slice_rows == 100:
        assert len(frame.attrs["qalypto"]["query_ids"]) > 4


@pytest.mark.parametrize("columns", ["mark_price", ["symbol", "next_funding_time"], ["open_interest", "exchange"]])
@pytest.mark.parametrize("tz", [None, "Asia/Tokyo"])
def test_columns_and_zone_change_only_what_is_shown(con, columns, tz):
    whole = con.funding(BOTH, exchange="all", **WINDOW)
    kept = [c for c in whole.columns if c in columns]
    shown = con.funding(BOTH, exchange="all", columns=columns, tz=tz, **WINDOW)
    assert str(shown.index.dtype) == f"datetime64[us, {tz or 'UTC'}]"
    pd.testing.assert_frame_equal(shown.tz_convert("UTC"), whole[kept])


@pytest.mark.embedded
def test_max_bytes_is_the_room_of_the_changes(con, monkeypatch):
    changed = len(con.funding(BOTH, exchange="all", **WINDOW))
    for slice_rows in (10**6, 100):
        monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
        assert len(con.funding(BOTH, exchange="all", max_bytes=changed * 70, **WINDOW)) == changed
        with pytest.raises(qr.errors.ResultTooLargeError, match=r"^max_bytes: the answer has at least .*shorter window") as refused:
            con.funding(BOTH, exchange="all", max_bytes=changed * 30, **WINDOW)
        assert changed * 0.4 < refused.value.rows <= changed
        assert len(con.funding(BOTH, exchange="all", max_bytes=changed * 30, limit=5, **WINDOW)) == 5


def test_a_window_without_funding_is_empty_with_all_columns(connect, tmp_path, con):
    write(tmp_path, "ticker", [ticker("12:00"), ticker("12:01")])
    empty = connect(tmp_path).funding("BTCUSDT", **WINDOW)
    assert len(empty) == 0
    assert empty.dtypes.equals(con.funding("BTCUSDT", limit=1).dtypes)
    assert str(empty.index.dtype) == "datetime64[us, UTC]"
