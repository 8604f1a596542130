"""`panel`: wide, and never filled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import qalypto_research as qr

panel = qr.prep.panel
HOURS = pd.date_range("2026-03-02", periods=3, freq="1h", tz="UTC")


@pytest.fixture
def two(candles):
    parts = [candles(HOURS, [1, 2, 3], symbol="ETHUSDT"), candles(HOURS[[0, 2]], [10, 30])]
    return qr.concat(parts).sort_index(kind="stable")


def test_symbols_side_by_side(two):
    wide = panel(two, "close")
    expected = pd.DataFrame(
        {"BTCUSDT": [10.0, np.nan, 30.0], "ETHUSDT": [1.0, 2.0, 3.0]},
        index=HOURS.as_unit("us").rename("timestamp"),
        columns=["BTCUSDT", "ETHUSDT"],
    )
    expected.columns.name = "symbol"
    expected.columns = expected.columns.astype("str")
    assert_frame_equal(wide, expected, check_freq=False)


def test_exchanges_side_by_side(candles):
    df = qr.concat([candles(HOURS, [1, 2, 3], exchange="okx"), candles(HOURS, [4, 5, 6])]).sort_index(kind="stable")
    wide = panel(df, "close", by="exchange")
    assert wide.columns.tolist() == ["binance", "okx"]
    assert wide.columns.name == "exchange"
    assert wide.to_numpy().tolist() == [[4, 1], [5, 2], [6, 3]]


def test_both(candles):
    df = qr.concat([candles(HOURS, [1, 2, 3], exchange="okx"), candles(HOURS, [4, 5, 6], symbol="ETHUSDT")]).sort_index(kind="stable")
    wide = panel(df, "close", by=["exchange", "symbol"])
    assert wide.columns.tolist() == [("binance", "ETHUSDT"), ("okx", "BTCUSDT")]
    assert wide[("okx", "BTCUSDT")].tolist() == [1, 2, 3]


def test_the_same_as_pivot(connect):
    df = connect("sample").klines(["SOLUSDT", "BTCUSDT", "ETHUSDT"], "1h", hours=12)
    wide = panel(df, "volume")
    expected = df.reset_index().pivot(index="timestamp", columns="symbol", values="volume")
    assert wide.columns.tolist() == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    np.testing.assert_array_equal(wide.to_numpy(), expected[wide.columns.tolist()].to_numpy())


def test_zone_and_attributes_of_the_index_stay(two):
    wide = panel(two.tz_convert("Asia/Tokyo"), "close")
    assert str(wide.index.tz) == "Asia/Tokyo"
    assert wide.index.unit == "us"


def test_what_cannot_be_laid_out(two, candles):
    other = qr.concat([two, candles(HOURS, [1, 2, 3], exchange="okx")]).sort_index(kind="stable")
    longer = qr.concat([two, candles(HOURS[:1], [1], interval="4h")]).sort_index(kind="stable")
    for df, said in [
        (other, r"mixes 2 exchanges \(binance, okx\).*choose one"),
        (longer, "mixes 2 intervals"),
        (
            qr.concat([two, two]).sort_index(kind="stable"),
            "5 rows whose timestamp, symbol another row has too, the first at 2026-03-02 00:00:00",
        ),
        (two[::-1], "sort_index"),
        (two.drop(columns="symbol"), "no column 'symbol'"),
        (two.tz_localize(None), "naive"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            panel(df, "close")
        assert caught.value.argument == "df"
    with pytest.raises(qr.errors.UnknownNameError, match="did you mean 'close'"):
        panel(two, "closee")
    with pytest.raises(qr.errors.UnknownNameError, match="allowed: symbol, exchange"):
        panel(two, "close", by="interval")


def test_the_given_frame_stays(two):
    before = two.copy(deep=True)
    wide = panel(two, "close")
    wide.iloc[:, :] = -1.0
    assert_frame_equal(two, before)


def test_one_series_may_begin_where_another_ends(candles):
    df = qr.concat([candles(HOURS[:2], [1, 2]), candles(HOURS[1:], [3, 4], symbol="ETHUSDT")]).sort_index(kind="stable")
    assert panel(df, "close").count().tolist() == [2, 2]


def test_no_rows(two):
    assert panel(two.iloc[:0], "close").shape == (0, 0)
