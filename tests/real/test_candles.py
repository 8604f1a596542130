"""Recorded candles: repeated and conflicting finals, and running rows at their end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

NAME = "extra_bitget_mix_20220407"
DISTINCT = {"UNIUSDT": 1_000, "DASHUSDT": 999}


def closed(case, symbol):
    """Return the closed candles of a symbol; DASHUSDT lacks the final row of one of them."""
    return case(NAME).con.klines(symbol, "1m", limit=5_000, gaps="ignore")


@pytest.mark.parametrize("symbol", DISTINCT)
def test_each_final_candle_is_there_once(case, symbol):
    frame = closed(case, symbol)
    assert len(frame) == DISTINCT[symbol]
    assert frame.index.is_unique
    assert frame["is_final"].all()
    assert frame.index[0] == pd.Timestamp(case(NAME).truths("market_data_kline")[f"bitget/{symbol}/1m"]["first"])


@pytest.mark.parametrize("symbol", DISTINCT)
def test_of_the_final_rows_the_largest_volume_is_taken(case, symbol):
    stored = case(NAME).stored("market_data_kline")
    mine = stored[(stored["symbol"] == symbol) & (stored["is_final"] == 1)]
    expected = mine.sort_values(["timestamp", "volume"], kind="stable").groupby("timestamp").last()
    frame = closed(case, symbol)
    assert list(frame.index) == list(expected.index)
    for column in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(frame[column].to_numpy(), expected[column].to_numpy(), err_msg=column)


@pytest.mark.parametrize("symbol", DISTINCT)
def test_first_open_and_extremes(case, symbol):
    truth = case(NAME).truths("market_data_kline")[f"bitget/{symbol}/1m"]
    frame = closed(case, symbol)
    assert (frame["open"].iloc[0], frame["low"].min(), frame["high"].max()) == (truth["first_open"], truth["min_low"], truth["max_high"])


@pytest.mark.parametrize("symbol", DISTINCT)
def test_all_rows_are_in_the_table_for_who_asks_by_sql_but_the_running_ones(case, symbol):
    query = "SELECT count() AS n FROM market_data_kline WHERE symbol = {s:String}"
    assert case(NAME).con.sql(query, {"s": symbol})["n"].item() == DISTINCT[symbol]


def test_of_running_rows_and_a_final_one_the_final_is_shown(case):
    last = closed(case, "UNIUSDT").iloc[-1]
    assert last.name == pd.Timestamp("2022-04-07 00:07", tz="UTC")
    assert tuple(last[["open", "high", "low", "close", "volume"]]) == (9.97, 9.977, 9.961, 9.977, 48.0)


def test_a_candle_that_was_never_final_is_a_hole(case):
    with pytest.raises(qr.errors.GapError) as raised:
        case(NAME).con.klines(["DASHUSDT", "UNIUSDT"], "1m", start="2022-04-06 07:28", gaps="raise")
    (hole,) = raised.value.holes.itertuples()
    assert (hole.symbol, hole.start, hole.bars) == ("DASHUSDT", pd.Timestamp("2022-04-07 00:07", tz="UTC"), 1)


@pytest.mark.parametrize("symbol", DISTINCT)
def test_the_forming_candle_is_what_its_trades_make(case, symbol):
    one = case(NAME)
    row = one.con.klines(symbol, "1m", limit=1, final=False, gaps="ignore").iloc[0]
    truth = one.truths("market_data_trade")[f"bitget/{symbol}"]["candles_1m"][-1]
    assert (row.name, row["is_final"]) == (pd.Timestamp(truth["ts"]), False)
    for column in ("open", "high", "low", "close", "volume", "quote_volume", "num_trades"):
        assert row[column] == pytest.approx(truth[column], rel=1e-12), column


@pytest.mark.parametrize("symbol", DISTINCT)
def test_whole_hours_follow_from_the_minutes(case, symbol):
    truth = pd.read_csv(case(NAME).path("truth_1h_from_1m.csv"), parse_dates=["hour"])
    truth = truth[(truth["symbol"] == symbol) & (truth["complete"] == 1)].set_index("hour")
    frame = closed(case, symbol)
    hours = frame.groupby(frame.index.floor("h"))
    made = pd.DataFrame(
        {
            "open": hours["open"].first(),
            "high": hours["high"].max(),
            "low": hours["low"].min(),
            "close": hours["close"].last(),
            "volume": hours["volume"].sum(),
        }
    )
    assert len(truth) == 16
    for column in made.columns:
        assert list(made.loc[truth.index, column]) == pytest.approx(list(truth[column]), rel=1e-12), column
    assert list(hours.size().loc[truth.index]) == [60] * 16


def test_a_symbol_beyond_the_vocabulary_is_a_category(case):
    frame = closed(case, "UNIUSDT")
    assert list(frame["symbol"].cat.categories)[-2:] == ["AVAXUSDT", "UNIUSDT"]
    assert set(frame["symbol"]) == {"UNIUSDT"}
