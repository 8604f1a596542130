"""What the other charts say they will draw; expected values are written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr
from qalypto_research.charts.model.books import build_book, build_depth
from qalypto_research.charts.model.holes import build_calendar
from qalypto_research.charts.model.lags import build_latency
from qalypto_research.charts.model.prints import build_tape
from qalypto_research.charts.model.quotes import build_comparison
from qalypto_research.charts.model.rates import build_funding

NOON = 1_772_452_800_000_000  # 2026-03-02 12:00 UTC, microseconds
SECOND = 1_000_000


def at(*seconds):
    return pd.DatetimeIndex([pd.Timestamp("2026-03-02 12:00", tz="UTC") + pd.Timedelta(seconds=s) for s in seconds], name="timestamp")


def seconds(times):
    return ((np.asarray(times) - NOON) / SECOND).tolist()


def known(values):
    return [None if np.isnan(v) else float(v) for v in values]


# --- Quotes ----------------------------------------------------------------------------------------------------------


def test_a_comparison_has_ages_behind_the_newest():
    df = pd.DataFrame(
        {
            "exchange": ["okx", "bybit"],
            "symbol": "BTCUSDT",
            "last_price": [100.0, 101.0],
            "bid_price": [99.5, np.nan],
            "ask_price": [100.5, 101.5],
            "min_price": [98.0, 99.0],
            "max_price": [103.0, 102.0],
            "last_update": at(3, 1.5),
        }
    )
    model = build_comparison(df)
    assert model.names == ("okx", "bybit")
    assert known(model.age_s) == [0.0, 1.5]
    assert known(model.spread_bps) == [100.0, None]
    assert (model.low.tolist(), model.high.tolist(), model.age_of) == ([98.0, 99.0], [103.0, 102.0], "behind")


def test_the_last_of_a_live_buffer_has_ages_of_its_own():
    df = pd.DataFrame(
        {"exchange": ["okx"], "last_price": [1.0], "bid_price": [1.0], "ask_price": [1.0], "price_age": [9.0], "quote_age": [2.5]}
    )
    model = build_comparison(df)
    assert (model.age_s.tolist(), model.age_of) == ([2.5], "old")


def test_a_quote_ends_after_five_usual_waits_and_never_before_ten_seconds():
    df = pd.DataFrame({"exchange": "okx", "bid_price": [1.0, 2.0, 3.0, 4.0], "ask_price": [2.0, 3.0, 4.0, 5.0]}, index=at(0, 1, 2, 60))
    (line,) = build_comparison(df).lines
    assert seconds(line.time_us) == [0, 1, 2, 12, 60]
    assert known(line.bid) == [1.0, 2.0, 3.0, None, 4.0]
    assert known(line.price) == [1.5, 2.5, 3.5, None, 4.5]
    (line,) = build_comparison(df, stale_us=70 * SECOND).lines
    assert known(line.bid) == [1.0, 2.0, 3.0, 4.0]
    assert seconds(line.age_time_us) == [0, 1, 1, 2, 2, 60, 60, 60]
    assert line.age_s.tolist() == [0, 1, 0, 1, 0, 58, 0, 0]


def test_an_exchange_that_stopped_is_held_to_the_end_only_while_it_counts():
    df = pd.DataFrame(
        {"exchange": ["okx", "bybit", "bybit", "okx"], "bid_price": 1.0, "ask_price": 2.0, "last_price": [5.0, 6.0, 7.0, 8.0]},
        index=at(0, 1, 2, 8),
    )
    bybit, okx = build_comparison(df).lines
    assert (bybit.name, seconds(bybit.time_us), known(bybit.price)) == ("bybit", [1, 2, 8], [6.0, 7.0, 7.0])
    assert (okx.name, seconds(okx.time_us)) == ("okx", [0, 8])
    bybit, _ = build_comparison(df, stale_us=3 * SECOND).lines
    assert (seconds(bybit.time_us), known(bybit.price)) == ([1, 2, 5], [6.0, 7.0, None])


def test_the_best_of_all_stops_where_a_bucket_is_missing():
    df = pd.DataFrame(
        {
            "bid_price": [1.0, 2.0, 3.0],
            "ask_price": [2.0, 3.0, 4.0],
            "spread_bps": [1.0, -1.0, 2.0],
            "bid_exchange": ["okx", "okx", None],
            "ask_exchange": "bybit",
        },
        index=at(0, 1, 4),
    )
    model = build_comparison(df)
    assert seconds(model.time_us) == [0, 1, 2, 4, 5]
    assert known(model.bid) == [1.0, 2.0, None, 3.0, None]
    assert model.bid_exchange == ("okx", "okx", "", "", "")
    assert model.ask_exchange == ("bybit", "bybit", "", "bybit", "")


# --- Books and trades ------------------------------------------------------------------------------------------------


@pytest.fixture
def books():
    return pd.DataFrame(
        {
            "exchange": "okx",
            "symbol": "ETHUSDT",
            "bid_price_0": [99.0, 98.0, 97.0],
            "bid_size_0": [1.0, 2.0, 9.0],
            "ask_price_0": [101.0, 102.0, 103.0],
            "ask_size_0": [3.0, 4.0, 9.0],
            "bid_price_1": [98.0, 97.0, np.nan],
            "bid_size_1": [10.0, 20.0, np.nan],
            "ask_price_1": [102.0, np.nan, np.nan],
            "ask_size_1": [30.0, np.nan, np.nan],
            "is_snapshot": [True, True, False],
        },
        index=at(0, 10, 20),
    )


def test_depth_adds_up_from_the_best_level(books):
    model = build_book(books, at="2026-03-02 12:00:09")
    assert (model.bid_price.tolist(), model.bid_depth.tolist()) == ([99.0, 98.0], [1.0, 11.0])
    assert (model.ask_price.tolist(), model.ask_depth.tolist()) == ([101.0, 102.0], [3.0, 33.0])
    assert model.time_us == NOON


def test_the_newest_whole_book_is_shown_and_missing_levels_are_none(books):
    model = build_book(books)
    assert model.time_us == NOON + 10 * SECOND  # the last row is an update
    assert (model.ask_price.tolist(), model.ask_depth.tolist()) == ([102.0], [4.0])
    assert (model.base, model.updates) == ("ETH", 1)


def test_depth_over_time_counts_levels_together(books):
    model = build_depth(books)
    assert model.levels == (1, 2)
    assert model.bid.tolist() == [[1.0, 2.0], [11.0, 22.0]]
    assert model.ask.tolist() == [[3.0, 4.0], [33.0, 4.0]]
    assert model.mid.tolist() == [100.0, 100.0]
    assert seconds(model.time_us) == [0, 10]


@pytest.mark.parametrize("size", [-10.0, np.inf, np.nan])
def test_a_level_whose_size_cannot_be_is_left_out_and_counted(books, size):
    books.loc[books.index[:2], "bid_size_1"] = [size, 20.0]
    model = build_book(books, at="2026-03-02 12:00:09")
    assert (model.bid_price.tolist(), model.bid_depth.tolist(), model.without_size) == ([99.0], [1.0], 1)
    over_time = build_depth(books)
    assert over_time.bid.tolist() == [[1.0, 2.0], [1.0, 22.0]]
    assert over_time.without_size == 1
    assert "1 level left out, with no size that can be" in words(qr.charts.depth(books, at="2026-03-02 12:00:09"))
    assert "; 1 level left out, with no size that can be" in words(qr.charts.depth(books, view="time"))
    books.loc[books.index[0], ["ask_price_0", "ask_price_1"]] = np.nan
    assert "1 level left out, with no size that can be" in words(qr.charts.depth(books, at="2026-03-02 12:00:09"))


def test_a_best_level_whose_size_cannot_be_leaves_the_others(books):
    books["bid_size_0"] = -1.0
    model = build_depth(books)
    assert model.bid.tolist() == [[0.0, 0.0], [10.0, 20.0]]
    assert (model.ask.tolist(), model.without_size) == ([[3.0, 4.0], [33.0, 4.0]], 2)


@pytest.mark.parametrize("there", ["bid", "ask"])
def test_books_of_one_side_are_books(books, there):
    other = {"bid": "ask", "ask": "bid"}[there]
    books.loc[:, books.columns.str.startswith(other)] = np.nan
    assert "no books" not in words(qr.charts.depth(books, view="time"))
    assert "no books" in words(qr.charts.depth(books.assign(**{f"{there}_size_{n}": np.nan for n in (0, 1)}), view="time"))


def words(figure):
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


@pytest.mark.parametrize("amount", [-7.0, np.inf, np.nan])
def test_an_amount_that_cannot_be_is_counted_and_adds_nothing(amount):
    df = pd.DataFrame({"price": [100.0, 101.0, 102.0], "amount": [1.0, amount, 4.0], "side": ["buy"] * 3}, index=at(0, 1, 2))
    model = build_tape(df)
    assert (model.without_amount, model.bought.sum(), model.sold.sum()) == (1, 5.0, 0.0)
    assert "3 trades, the largest 4, 1 row with no amount that can be" in words(qr.charts.tape(df))
    assert "no amount" not in words(qr.charts.tape(df.dropna().iloc[[0, -1]]))


def test_a_side_or_a_name_that_is_not_known_is_no_traceback():
    df = pd.DataFrame({"price": [100.0, 101.0], "amount": [1.0, 2.0], "side": pd.array([pd.NA, "buy"], dtype="string")}, index=at(0, 1))
    model = build_tape(df)
    assert (model.buys.tolist(), model.sells.tolist()) == ([False, True], [False, False])
    rows = {"bid_price": [1.0, 2.0], "ask_price": [1.5, 2.5], "last_price": [1.2, 2.2]}
    quotes = pd.DataFrame({"exchange": pd.array([pd.NA, "okx"], dtype="string"), "symbol": "BTCUSDT"} | rows, index=at(0, 1))
    assert [line.name for line in build_comparison(quotes).lines] == ["okx"]


def test_depth_stops_where_books_do_not_come(books):
    df = pd.concat([books.iloc[:2], books.iloc[:1].set_axis(at(200))])
    model = build_depth(df)
    longest = 5 * 100  # the median of 10 and 190 s is 100 s
    assert longest > 190
    assert len(model.time_us) == 3
    times = at(*range(0, 60, 10), 300)
    many = pd.concat([books.iloc[[0]]] * 7).set_axis(times)
    model = build_depth(many)
    assert seconds(model.time_us) == [0, 10, 20, 30, 40, 50, 100, 300]
    assert known(model.mid) == [100.0] * 6 + [None, 100.0]


def test_the_tape_adds_up_sides_in_buckets():
    df = pd.DataFrame(
        {
            "price": [100.0, 101.0, np.nan, 102.0],
            "amount": [1.0, 2.0, 9.0, 4.0],
            "side": ["buy", "sell", "buy", "buy"],
            "is_liquidation": [False, True, False, False],
        },
        index=at(0, 1, 2, 179),
    )
    model = build_tape(df)
    assert (model.price.tolist(), model.without_price) == ([100.0, 101.0, 102.0], 1)
    assert (model.buys.tolist(), model.sells.tolist(), model.liquidation.tolist()) == (
        [True, False, True],
        [False, True, False],
        [False, True, False],
    )
    assert model.bucket_us == 2 * SECOND
    assert seconds(model.bucket_begin_us) == [0, 178]
    assert (model.bought.tolist(), model.sold.tolist()) == ([1.0, 4.0], [2.0, 0.0])


def test_the_tape_of_the_sample_adds_up_to_its_amounts(sample):
    df = sample.trades("BTCUSDT", minutes=30)
    model = build_tape(df)
    by_side = df.groupby("side", observed=True)["amount"].sum()
    assert model.bought.sum() == pytest.approx(by_side["buy"])
    assert model.sold.sum() == pytest.approx(by_side["sell"])


# --- Records ---------------------------------------------------------------------------------------------------------


def test_a_calendar_keeps_series_of_one_interval_together(sample):
    there = sample.coverage("BTCUSDT", tables=["kline", "trade"], interval=["1m", "1h"], days=1)
    model = build_calendar(there)
    assert model.groups == ("trade",) * 4 + ("kline 1m",) * 4 + ("kline 1h",) * 4
    assert model.names[4:8] == ("BTCUSDT binance", "BTCUSDT bitget", "BTCUSDT bybit", "BTCUSDT okx")
    holes = there.holes
    assert len(model.hole_row) == len(holes) > 4
    for place, (row, cause) in enumerate(zip(model.hole_row, model.hole_cause, strict=True)):
        hole = holes.iloc[place]
        assert model.names[row] == f"{hole['symbol']} {hole['exchange']}"
        assert model.groups[row].startswith(hole["table"])
        assert cause == hole["cause"]
        assert pd.Timestamp(model.hole_begin_us[place], unit="us", tz="UTC") == hole["from"]
        assert pd.Timestamp(model.hole_end_us[place], unit="us", tz="UTC") == hole["to"]


def test_a_series_without_rows_has_no_bar(sample):
    there = sample.coverage("BTCUSDT", tables="kline", interval="1m", start="2026-02-01", days=1)
    model = build_calendar(there)
    assert model.first_us.tolist() == [-1] * 4
    assert model.begin_us == int(pd.Timestamp("2026-02-01", tz="UTC").timestamp() * 1e6)


def test_latency_of_each_row_and_its_median():
    df = pd.DataFrame(
        {
            "exchange": ["okx", "bybit", "okx"],
            "exchange_event_time": at(0, 0, 1),
            "websocket_sent": at(0.2, 0.1, 1.4),
            "producer_received": at(0.1, 0.05, 1.1),
            "received": at(0.25, 0.13, 1.5),
        },
        index=at(0, 0, 1),
    )
    model = build_latency(df)
    assert list(model.lags) == ["internal", "end_to_end", "arrival"]
    bybit, okx = model.lags["end_to_end"]
    assert (okx.name, okx.ms.tolist(), okx.median) == ("okx", [200.0, 400.0], 300.0)
    assert bybit.ms.tolist() == [100.0]
    assert [lag.ms.tolist() for lag in model.lags["arrival"]] == [[30.0], [50.0, 100.0]]
    assert [lag.ms.tolist() for lag in model.lags["internal"]] == [[50.0], [100.0, 300.0]]
    # A candle's event is its open.
    assert list(build_latency(df.assign(interval="1m")).lags) == ["internal", "arrival"]
    assert (model.title, model.synthetic) == ("Latency", False)
    of_two = df.assign(symbol=["BTCUSDT", "ETHUSDT", "BTCUSDT"])
    assert build_latency(of_two).title == "Latency"
    of_one = df.assign(symbol="BTCUSDT")
    of_one.attrs["qalypto"] = {"synthetic": True}
    assert (build_latency(of_one).title, build_latency(of_one).synthetic) == ("Latency · BTCUSDT", True)


def test_latency_of_a_live_buffer(sample):
    with qr.connect("sample") as con:
        live = con.live("trade:btcusdt", exchange="all").wait(rows=10, timeout=60)
        health = live.health()
        live.stop()
    model = build_latency(health)
    assert model.names == tuple(f"{t} {e}" for t, e in zip(health.series["type"], health.series["exchange"], strict=True))
    np.testing.assert_array_equal(model.ms["end_to_end"][:, 1], health.series["end_to_end_p95"])
    assert build_latency(health.series).names == model.names


def test_a_negative_latency_is_said():
    names = [f"{latency}_p{q}" for latency in ("internal", "end_to_end", "arrival") for q in (50, 95, 99)]
    df = pd.DataFrame({"type": ["trade"], "exchange": ["okx"], "rate": [1.0], "age": [0.1], **{name: [1.0] for name in names}})
    assert not build_latency(df).clock_offset
    assert build_latency(df.assign(arrival_p50=-1.0)).clock_offset
    assert "clocks disagree" in qr.charts.latency(df.assign(arrival_p50=-1.0)).axes[0].get_title(loc="left")


def test_funding_holds_to_the_last_row_of_the_frame():
    df = pd.DataFrame(
        {
            "exchange": ["okx", "bybit", "okx"],
            "funding_rate": [0.0001, 0.0002, 0.0003],
            "open_interest": [5.0, 6.0, 7.0],
            "open_interest_value": [50.0, np.nan, 70.0],
        },
        index=at(0, 10, 20),
    )
    bybit, okx = build_funding(df).venues
    assert (seconds(bybit.time_us), bybit.rate_percent.tolist(), bybit.interest.tolist()) == ([10, 20], [0.02, 0.02], [6.0, 6.0])
    assert (seconds(okx.time_us), known(okx.interest)) == ([0, 20], [5.0, 7.0])
    assert build_funding(df).silent == ()
    assert build_funding(df, unit="usd").silent == ("bybit",)
