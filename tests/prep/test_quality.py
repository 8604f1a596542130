"""`report`: each fault by itself, put into a frame that has none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import qalypto_research as qr

report = qr.prep.report
T = "2026-03-02 "


def utc(text):
    return pd.Timestamp(text, tz="UTC").as_unit("us")


def found(df, **options):
    """Return the findings as tuples: check, column, count, first, last, example."""
    table = report(df, **options).findings
    return [tuple(row) for row in table[["check", "column", "count", "first", "last", "example"]].itertuples(index=False)]


@pytest.fixture
def hours(candles):
    """Return ten candles with nothing wrong."""
    return candles(pd.date_range("2026-03-02", periods=10, freq="1h", tz="UTC"), 100 + np.array([0, 1, 0, 1, 2, 1, 0, 1, 0, 1.0]))


@pytest.fixture
def seconds(quotes):
    """Return thirty tickers, two seconds apart, with nothing wrong."""
    return quotes(pd.date_range("2026-03-02", periods=30, freq="2s", tz="UTC"), 100 + np.arange(30) % 2)


def test_nothing(hours, seconds):
    clean = report(hours)
    assert len(clean) == 0
    assert clean.looked_for == (
        "order", "duplicates", "gaps", "off_grid", "missing", "not_numbers", "not_positive", "ohlc", "outliers",
        "zero_volume", "running",
    )  # fmt: skip
    assert list(clean.findings.columns) == ["check", "exchange", "symbol", "interval", "column", "count", "first", "last", "example"]
    assert repr(clean).startswith("Quality of 10 rows of 1 series: nothing found (looked for: order, duplicates,")
    assert found(seconds) == []
    looked_for = ("order", "duplicates", "gaps", "missing", "not_numbers", "not_positive", "outliers", "crossed", "stale")
    assert report(seconds).looked_for == looked_for


def test_prices_that_are_text(hours, seconds):
    """They are said to be so, and nothing is said of what could not be looked at."""
    texts = report((hours.assign(close=-hours["close"])).astype({"close": "str", "volume": "str"}))
    assert [(row.check, row.column, row.count) for row in texts.findings[["check", "column", "count"]].itertuples()] == [
        ("not_numbers", "close", 10)
    ]
    assert not {"not_positive", "ohlc", "zero_volume"} & set(texts.looked_for)
    quoted = report(seconds.astype({"bid_price": "str"}))
    assert "crossed" not in quoted.looked_for
    assert ("not_numbers", "bid_price") in [tuple(pair) for pair in quoted.findings[["check", "column"]].to_numpy()]


def test_gaps_of_candles(hours):
    df = hours.drop(hours.index[[2, 5, 6]])
    assert found(df) == [("gaps", "", 3, utc(T + "02:00"), utc(T + "06:00"), "2026-03-02 05:00:00 to 2026-03-02 07:00:00: 2 candles")]


def test_gaps_of_bars_of_time(hours):
    """They have no interval: when they were known tells their length."""
    bars = hours.drop(columns="interval").assign(first_time=hours.index + pd.Timedelta("1s"), last_time=hours.index + pd.Timedelta("58min"))
    bars["available_at"] = bars.index + pd.Timedelta("1h")
    df = bars.drop(bars.index[[2, 5, 6]])
    assert [row[:3] for row in found(df) if row[0] == "gaps"] == [("gaps", "", 3)]
    assert [row for row in found(bars) if row[0] == "gaps"] == []


def test_silences(seconds):
    df = seconds.drop(seconds.index[10:14])
    assert found(df, silence="9999ms") == [
        ("gaps", "", 1, utc(T + "00:00:18"), utc(T + "00:00:28"), "2026-03-02 00:00:18 to 2026-03-02 00:00:28: 10 s")
    ]
    assert found(df, silence="10s") == []


@pytest.mark.parametrize("call", ["flow", "spreads"])
def test_whole_frames_in_buckets_have_no_gaps(connect, call):
    df = getattr(connect("sample"), call)("BTCUSDT", "1m", minutes=30)
    assert len(df) == 30
    assert [row for row in found(df) if row[0] == "gaps"] == []
    assert [row[:3] for row in found(df.drop(df.index[4])) if row[0] == "gaps"] == [("gaps", "", 1)]


def test_order(hours):
    df = hours.iloc[[0, 1, 3, 2, 4, 5, 6, 7, 8, 9]]
    assert found(df) == [("order", "", 1, utc(T + "02:00"), utc(T + "02:00"), "2026-03-02 02:00:00 after 2026-03-02 03:00:00")]


def test_what_is_out_of_order_is_looked_at_in_order(seconds):
    df = seconds.iloc[[*range(10), 29, *range(10, 29)]]
    assert [row[0] for row in found(df, silence="10s")] == ["order"]


def test_duplicates_of_candles_trades_and_tickers(hours, seconds, connect):
    assert found(hours.iloc[[0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]])[0][:3] == ("duplicates", "", 1)
    assert found(seconds.iloc[sorted([*range(30), 4, 4])])[0][:5] == ("duplicates", "", 2, utc(T + "00:00:08"), utc(T + "00:00:08"))
    other = seconds.iloc[[4]].assign(bid_price=99.0)
    assert found(pd.concat([seconds, other]).sort_index(kind="stable")) == []  # another quote of the same time
    trades = connect("sample").trades("BTCUSDT", minutes=1)
    again = trades.iloc[[7]]
    twice = [row for row in found(pd.concat([trades, again]).sort_index(kind="stable")) if row[0] == "duplicates"]
    assert [row[1:3] for row in twice] == [("trade_id", 1)]
    assert twice[0][5].endswith(trades["trade_id"].iloc[7])


def test_trades_without_an_id_are_no_duplicates(seconds):
    trades = seconds[["exchange", "symbol"]].assign(price=100.0, trade_id=[None, None, "", "", "a", "b", "a", *map(str, range(23))])
    for dtype in ("str", "string", "object", "category"):
        assert [row for row in found(trades.astype({"trade_id": dtype})) if row[0] == "duplicates"] == [
            ("duplicates", "trade_id", 1, utc(T + "00:00:12"), utc(T + "00:00:12"), "2026-03-02 00:00:12: a")
        ]


def test_candles_that_open_between(hours):
    odd = hours.iloc[[4]].shift(freq="1s")
    assert ("off_grid", "", 1, utc(T + "04:00:01"), utc(T + "04:00:01"), "2026-03-02 04:00:01") in found(
        pd.concat([hours, odd]).sort_index()
    )


def test_missing_values_and_prices_that_are_none(hours):
    df = hours.copy()
    df.loc[df.index[[3, 4]], "quote_volume"] = np.nan
    df.loc[df.index[8], "low"] = 0.0
    df["num_trades"] = np.nan
    assert [(*row[:3], row[5]) for row in found(df)] == [
        ("missing", "quote_volume", 2, "2026-03-02 03:00:00"),
        ("missing", "num_trades", 10, "every row"),
        ("not_positive", "low", 1, "2026-03-02 08:00:00"),
    ]


def test_candles_that_contradict_themselves(hours):
    df = hours.copy()
    df.loc[df.index[3], "high"] = 99.0
    df.loc[df.index[[5, 6]], "low"] = 104.0
    assert [row[:4] for row in found(df) if row[0] == "ohlc"] == [
        ("ohlc", "high", 3, utc(T + "03:00")),
        ("ohlc", "low", 2, utc(T + "05:00")),
    ]


def test_missing_values_of_any_number_or_flag(hours):
    df = hours.assign(
        sma_5=[np.nan] * 4 + [1.0] * 6,
        rsi_14=np.array([np.nan] + [1.0] * 9, "float32"),
        close=hours["close"].astype("Float64"),
        volume=hours["volume"].astype("Int64"),
        is_final=pd.array([True, None, *[True] * 8], dtype="boolean"),
        ok=True,
        count=3,
    )
    df.loc[df.index[[2, 3]], "close"] = pd.NA
    df.loc[df.index[7], "volume"] = pd.NA
    assert [(*row[:3], row[5]) for row in found(df)] == [
        ("missing", "close", 2, "2026-03-02 02:00:00"),
        ("missing", "volume", 1, "2026-03-02 07:00:00"),
        ("missing", "is_final", 1, "2026-03-02 01:00:00"),
        ("missing", "sma_5", 4, "2026-03-02 00:00:00"),
        ("missing", "rsi_14", 1, "2026-03-02 00:00:00"),
    ]


def test_the_best_level_of_a_whole_book_is_missed(seconds):
    names = {
        f"{side}_{field}_{level}": 99.0 + 2 * (side == "ask") for side in ("bid", "ask") for field in ("price", "size") for level in (0, 1)
    }
    df = seconds[["exchange", "symbol"]].assign(**names, is_snapshot=pd.array([True] * 30, dtype="boolean"))
    df.loc[df.index[[3, 4]], "bid_price_0"] = np.nan
    df.loc[df.index[5], ["bid_price_1", "ask_size_1"]] = np.nan
    assert [row[:4] for row in found(df)] == [("missing", "bid_price_0", 2, utc(T + "00:00:06"))]
    df.loc[df.index[3], "is_snapshot"] = False
    assert [row[:4] for row in found(df)] == [("missing", "bid_price_0", 1, utc(T + "00:00:08"))]
    df.loc[df.index[4], "is_snapshot"] = pd.NA
    assert [row[:4] for row in found(df)] == [("missing", "is_snapshot", 1, utc(T + "00:00:08"))]


def test_prices_without_end(hours, seconds):
    df = hours.assign(close=hours["close"].where(np.arange(10) != 5, np.inf), high=hours["high"].where(np.arange(10) != 5, np.inf))
    assert [(*row[:3], row[5]) for row in found(df)] == [
        ("not_numbers", "high", 1, "2026-03-02 05:00:00"),
        ("not_numbers", "close", 1, "2026-03-02 05:00:00"),
    ]
    ends = seconds.assign(bid_price=seconds["bid_price"].where(np.arange(30) > 1, -np.inf))
    assert [row[:3] for row in found(ends)] == [("not_numbers", "bid_price", 2), ("not_positive", "bid_price", 2)]


def test_prices_of_nullable_numbers(seconds):
    df = seconds.astype({"last_price": "Float64", "bid_price": "Float64", "ask_price": "Float64"})
    df.loc[df.index[4], "ask_price"] = 50.0
    df.loc[df.index[6], "last_price"] = 0.0
    df.loc[df.index[8], "bid_price"] = pd.NA
    assert [row[:4] for row in found(df)] == [
        ("missing", "bid_price", 1, utc(T + "00:00:16")),
        ("not_positive", "last_price", 1, utc(T + "00:00:12")),
        ("crossed", "bid_price", 1, utc(T + "00:00:08")),
    ]


def test_a_column_of_the_indexs_name(seconds):
    df = seconds.assign(timestamp=seconds.index, index=1, level_0=1).iloc[[*range(30), 29]]
    assert [row[:3] for row in found(df)] == [("duplicates", "", 1)]


def test_jumps(hours):
    df = hours.copy()
    df.loc[df.index[5], ["open", "high", "low", "close"]] = [200.0, 250.0, 150.0, 220.0]
    (check, column, count, first, last, example) = found(df)[0]
    assert (check, column, count, first, last) == ("outliers", "close", 2, utc(T + "05:00"), utc(T + "06:00"))
    # ln(220/102) and ln(220/100) against 1.4826 times the median of the returns: here that of 101/100 in the log.
    assert example == f"2026-03-02 06:00:00: 220 to 100, {np.log(220 / 100) / (1.4826 * np.log(101 / 100)):.0f} deviations"
    assert found(df, outlier=100) == []


def test_crossed_and_standing_quotes(seconds):
    df = seconds.copy()
    df.loc[df.index[[4, 9]], "ask_price"] = [99.0, 101.0]
    df.loc[df.index[9], "bid_price"] = 103.0
    crossed = [row for row in found(df) if row[0] == "crossed"]
    assert crossed == [("crossed", "bid_price", 2, utc(T + "00:00:08"), utc(T + "00:00:18"), "2026-03-02 00:00:18: 103 at or above 101")]
    locked = seconds.assign(ask_price=np.where(np.arange(30) == 7, seconds["bid_price"], seconds["ask_price"]))
    assert [row[:4] for row in found(locked)] == [("crossed", "bid_price", 1, utc(T + "00:00:14"))]
    df = seconds.copy()
    df.loc[df.index[10:16], ["bid_price", "ask_price"]] = [107.0, 108.0]
    stale = [row for row in found(df, stale="10s") if row[0] == "stale"]
    assert stale == [
        ("stale", "bid_price", 1, utc(T + "00:00:20"), utc(T + "00:00:30"), "2026-03-02 00:00:20 to 2026-03-02 00:00:30: 10 s")
    ]
    assert [row for row in found(df, stale="11s") if row[0] == "stale"] == []


def test_updates_of_books_are_no_books(seconds):
    df = seconds.drop(columns="last_price").assign(is_snapshot=True)
    df.loc[df.index[4], ["ask_price", "is_snapshot"]] = [50.0, False]
    assert found(df) == []
    df.loc[df.index[4], "is_snapshot"] = True
    assert [row[0] for row in found(df)] == ["crossed"]


def test_candles_without_trades(hours):
    df = hours.copy()
    df.loc[df.index[[2, 6, 7, 8]], "volume"] = 0.0
    assert found(df) == [
        ("zero_volume", "volume", 4, utc(T + "02:00"), utc(T + "08:00"), "2026-03-02 06:00:00 to 2026-03-02 08:00:00: 3 candles")
    ]


def test_rows_received_before_they_happened(seconds):
    df = seconds.assign(received=seconds.index + pd.Timedelta("50ms"))
    assert found(df) == []
    df.loc[df.index[3], "received"] = df.index[3] - pd.Timedelta("1270ms")
    assert found(df) == [
        ("clock", "received", 1, utc(T + "00:00:06"), utc(T + "00:00:06"), "median 0.050 s, earliest -1.270 s after it happened")
    ]


@pytest.fixture
def arriving(quotes):
    """Return a function that makes 1,000 tickers, one a second, from by how many milliseconds each of ten hundreds is late at least."""

    def make(*late, **columns):
        df = quotes(pd.date_range("2026-03-02", periods=1_000, freq="1s", tz="UTC"), 100 + np.arange(1_000) % 2)
        waited = np.arange(1_000) % 7 * 10  # up to 60 ms, at random as it were
        return df.assign(received=df.index + pd.to_timedelta(np.repeat(late, 100) + waited, "ms"), **columns)

    return make


def test_clocks_that_run_apart(arriving):
    ahead = arriving(*range(50, 350, 30))
    said = ("clock_drift", "received", 1_000, utc(T + "00:00:00"), utc(T + "00:16:39"))
    assert found(ahead) == [(*said, "0.050 s after it happened at first, 0.320 s at last")]
    assert found(ahead, drift="270ms") == []
    assert len(found(ahead, drift="269ms")) == 1
    assert found(arriving(*range(320, 20, -30))) == [(*said, "0.320 s after it happened at first, 0.050 s at last")]
    assert "clock_drift" in report(arriving(*[50] * 10)).looked_for
    assert found(arriving(*[50] * 10)) == []


def test_what_is_late_for_a_while_is_no_drift(arriving):
    assert found(arriving(50, 50, 50, 50, 50, 50, 50, 5_000, 9_000, 5_000)) == []
    assert found(arriving(50, 500, 100, 550, 40, 700, 60, 650, 300, 720)) == []  # up by 256 ms, but off by 211
    fetched = arriving(*range(9_000, 3_000, -1_000), *[50] * 4)
    assert [row[0] for row in found(fetched)] == ["clock_drift"]
    assert found(fetched.assign(origin=["backfill"] * 600 + ["live"] * 400)) == []


def test_of_few_rows_no_drift_is_told(arriving):
    many = arriving(*range(50, 350, 30))
    for few in (many[::60], many.iloc[[*range(180), *range(820, 1_000)]]):  # in each tenth, or in but four of them
        looked_for = report(few).looked_for
        assert "clock" in looked_for
        assert "clock_drift" not in looked_for


def test_what_other_functions_marked(hours):
    filled = qr.prep.fill(hours.drop(hours.index[[3, 4]]), "zero")
    assert [row[:3] for row in found(filled)] == [("zero_volume", "volume", 2), ("filled", "filled", 2)]
    with pytest.warns(qr.errors.GapWarning):
        longer = qr.prep.resample(hours, "4h", partial="mark")
    assert [row[:3] for row in found(longer)] == [("incomplete", "complete", 1)]
    hours.loc[hours.index[-1], "is_final"] = False
    assert [row[:3] for row in found(hours)] == [("running", "is_final", 1)]


def test_each_series_by_itself(hours, candles):
    other = candles(
        pd.date_range("2026-03-02", periods=10, freq="1h", tz="UTC"), np.full(10, 5.0), exchange="okx", symbol="ETHUSDT", volume=0.0
    )
    table = report(qr.concat([hours, other]).sort_index(kind="stable")).findings
    assert table[["check", "exchange", "symbol", "interval", "count"]].to_numpy().tolist() == [["zero_volume", "okx", "ETHUSDT", "1h", 10]]
    assert [str(dtype) for dtype in table.dtypes] == [
        "str", "category", "category", "category", "str", "int64", "datetime64[us, UTC]", "datetime64[us, UTC]", "str",
    ]  # fmt: skip


def test_the_page(hours):
    df = hours.copy()
    df.loc[df.index[2], "volume"] = 0.0
    page = report(df)._repr_html_()
    assert page.startswith("<div><b>Quality of 10 rows of 1 series: 1 findings of 1 kinds; none of: order,")
    assert "<td>zero_volume</td>" in page
    assert "zero_volume" in repr(report(df))
    assert "<table" not in report(hours)._repr_html_()


def test_recorded_clock_and_books(recorded, connect):
    if not (recorded / "binance_spot_20240808").is_dir():
        pytest.skip("no such recorded case")
    con = connect(recorded / "binance_spot_20240808")
    assert [row[0] for row in found(con.tickers("ETHUSDT", limit=20_000)) if row[0] in {"crossed", "order"}] == []
    books = qr.prep.rebuild(con.orderbooks("ETHUSDT", depth=1_000, limit=5_000), depth=5)
    assert [row[0] for row in found(books) if row[0] in {"crossed", "order", "duplicates"}] == []


@pytest.mark.parametrize("call", ["trades", "tickers", "orderbook_tops", "orderbooks", "funding"])
def test_frames_of_the_sample(connect, call):
    """Of the sample's faults none is of order, sign or sides."""
    df = getattr(connect("sample"), call)(["BTCUSDT", "ETHUSDT"], exchange="all", minutes=10)
    kinds = {row[0] for row in found(df)}
    assert kinds <= {"missing", "gaps", "stale", "outliers"}


def test_input(hours):
    for call, argument in [
        (lambda: report(hours.tz_localize(None)), "df"),
        (lambda: report([1]), "df"),
        (lambda: report(hours, outlier=0), "outlier"),
        (lambda: report(hours, silence="0s"), "silence"),
        (lambda: report(hours, stale=3), "stale"),
        (lambda: report(hours, drift="0s"), "drift"),
    ]:
        with pytest.raises(qr.errors.InputError) as caught:
            call()
        assert caught.value.argument == argument


def test_no_rows_and_the_given_frame_stays(hours):
    assert len(report(hours[:0])) == 0
    before = hours.copy(deep=True)
    report(hours)
    assert_frame_equal(hours, before)
