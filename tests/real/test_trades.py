"""Recorded trades: what is known of them comes out of the frame."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import qalypto_research as qr

SERIES = [
    ("binance_spot_20240808", "binance", "ETHUSDT"),
    ("binance_spot_btc_20210108", "binance", "BTCUSDT"),
    ("bybit_linear_20210417", "bybit", "ADAUSDT"),
    ("bybit_linear_20210417", "bybit", "DOTUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "DASHUSDT"),
    ("extra_bitget_mix_20220407", "bitget", "UNIUSDT"),
]


@pytest.fixture(params=SERIES, ids=lambda s: f"{s[0]}-{s[2]}")
def series(request, case):
    """Return the frame of one series, what is known of it, and its rows in the file's order."""
    name, exchange, symbol = request.param
    one = case(name)
    stored = one.stored("market_data_trade")
    stored = stored[stored["symbol"] == symbol]
    return one.con.trades(symbol, limit=10_000), one.truths("market_data_trade")[f"{exchange}/{symbol}"], stored


def test_rows_and_bounds(series):
    frame, truth, _ = series
    assert len(frame) == truth["rows"]
    assert frame.index[0] == pd.Timestamp(truth["first_ts"])
    assert frame.index[-1] == pd.Timestamp(truth["last_ts"])
    assert frame.index.nunique() == truth["distinct_timestamps"]
    assert frame.index.is_monotonic_increasing


def test_sums_and_extremes(series):
    frame, truth, _ = series
    notional = frame["price"] * frame["amount"]
    assert frame["amount"].sum() == pytest.approx(truth["sum_amount"], rel=1e-12)
    assert notional.sum() == pytest.approx(truth["sum_notional"], rel=1e-12)
    assert notional.sum() / frame["amount"].sum() == pytest.approx(truth["vwap"], rel=1e-12)
    assert (frame["price"].min(), frame["price"].max()) == (truth["min_price"], truth["max_price"])
    assert (frame["amount"].min(), frame["amount"].max()) == (truth["min_amount"], truth["max_amount"])


def test_sides(series):
    frame, truth, _ = series
    for side in ("buy", "sell"):
        mine = frame[frame["side"] == side]
        assert len(mine) == truth[f"{side}_rows"]
        assert mine["amount"].sum() == pytest.approx(truth[f"{side}_amount"], rel=1e-12)


def test_first_and_last_by_time_with_ties_as_they_arrived(series):
    frame, truth, _ = series
    assert frame["price"].iloc[0] == truth["first_price_by_time_stable"]
    assert frame["price"].iloc[-1] == truth["last_price_by_time_stable"]


def test_the_whole_frame_is_the_file_sorted_by_time_and_id(series):
    frame, _, stored = series
    numeric = pd.to_numeric(stored["trade_id"], errors="coerce")
    expected = stored.assign(number=numeric).sort_values(["timestamp", "number", "trade_id"], kind="stable")
    assert list(frame.index) == list(expected["timestamp"])
    for column in ("price", "amount", "side", "trade_id"):
        assert list(frame[column]) == list(expected[column]), column
    assert list(frame["is_liquidation"]) == list(expected["is_liquidation"] == 1)


def test_ids_repeat_as_often_as_recorded(series):
    frame, truth, _ = series
    ids = frame["trade_id"][frame["trade_id"] != ""]
    assert len(ids) - ids.nunique() == truth["duplicate_trade_ids"]["extra_rows"]
    assert (frame["trade_id"] == "").sum() == truth.get("rows_with_empty_trade_id", 0)


def test_candles_of_a_minute_follow_from_the_trades(series):
    frame, truth, _ = series
    notional = frame["price"] * frame["amount"]
    minutes = frame.assign(notional=notional).groupby(frame.index.floor("min"))
    made = pd.DataFrame(
        {
            "open": minutes["price"].first(),
            "high": minutes["price"].max(),
            "low": minutes["price"].min(),
            "close": minutes["price"].last(),
            "volume": minutes["amount"].sum(),
            "quote_volume": minutes["notional"].sum(),
            "num_trades": minutes.size(),
        }
    )
    candles = truth["candles_1m"]
    assert list(made.index) == [pd.Timestamp(c["ts"]) for c in candles]
    for column in made.columns:
        assert list(made[column]) == pytest.approx([c[column] for c in candles], rel=1e-12), column


def test_backlog_newest_first_comes_out_in_order_of_time(case):
    one = case("extra_bitget_mix_20220407")
    stored = one.stored("market_data_trade")
    stored = stored[stored["symbol"] == "UNIUSDT"]
    assert (stored["timestamp"].diff() < pd.Timedelta(0)).sum() == 49
    frame = one.con.trades("UNIUSDT", limit=1_000)
    assert list(frame["price"]) == list(stored.sort_values("timestamp", kind="stable")["price"])


def test_empty_ids_of_one_moment_keep_the_order_of_arrival(case, tmp_path):
    """The recording has no ties among them, so its rows are laid on a single moment."""
    table = pq.ParquetFile(case("extra_bitget_mix_20220407").path("market_data_trade.parquet")).read()
    moment = table.column("timestamp")[0].as_py()
    at_once = table.set_column(0, table.schema.field(0), pa.array([moment] * len(table), table.schema.field(0).type))
    pq.write_table(at_once, tmp_path / "market_data_trade.parquet")
    with qr.connect(tmp_path) as con:
        frame = con.trades("DASHUSDT", limit=1_000)
    stored = table.to_pandas()
    assert list(frame["price"]) == list(stored.loc[stored["symbol"] == "DASHUSDT", "price"])
    assert set(frame["trade_id"]) == {""}
