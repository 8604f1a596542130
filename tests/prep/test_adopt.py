"""`adopt`: candles as others write them become frames as `qr.klines` gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

adopt = qr.prep.adopt
NAMES = {"exchange": "binance", "symbol": "BTCUSDT"}
MS = [1_772_445_600_000 + 3_600_000 * i for i in range(4)]  # 2026-03-02 10:00 UTC and on
HOURS = pd.date_range("2026-03-02 10:00", periods=4, freq="1h", tz="UTC", unit="us")
ROWS = [[ms, 100.0 + i, 102.0 + i, 99.0 + i, 101.0 + i, 7.0 * i] for i, ms in enumerate(MS)]


@pytest.fixture
def expected(connect):
    """Return what is meant, with the columns and dtypes of a frame of `klines`."""
    df = connect("sample").klines("BTCUSDT", "1h", hours=4).copy()
    df = df.set_axis(HOURS.rename("timestamp"))
    for place, name in enumerate(["open", "high", "low", "close", "volume"], start=1):
        df[name] = [row[place] for row in ROWS]
    df[["quote_volume", "num_trades"]] = np.nan
    df["close_time"] = pd.Series(pd.NaT, index=df.index, dtype="datetime64[us, UTC]")
    return df


def same(out, expected):
    assert_frame_equal(out, expected, check_freq=False)


def columns(*names):
    return pd.DataFrame(ROWS, columns=list(names))


def test_rows_of_ccxt(expected):
    same(adopt(ROWS, **NAMES), expected)
    same(adopt([tuple(row) for row in ROWS], **NAMES), expected)
    same(adopt(np.array(ROWS), **NAMES), expected)


def test_a_frame_of_ccxt(expected):
    same(adopt(columns("timestamp", "open", "high", "low", "close", "volume"), **NAMES), expected)


def test_a_frame_of_freqtrade(expected):
    df = columns("date", "open", "high", "low", "close", "volume")
    df["date"] = pd.to_datetime(df["date"], unit="ms", utc=True)
    same(adopt(df, **NAMES), expected)
    df["rsi"] = [50.0, 51.0, 52.0, 53.0]
    same(adopt(df, **NAMES), expected.assign(rsi=df["rsi"].to_numpy()))


def yfinance(tz):
    """Return a frame as yfinance gives it: columns of two levels, times in the index."""
    df = columns("Datetime", "Open", "High", "Low", "Close", "Volume").set_index("Datetime")
    df.index = pd.to_datetime(df.index, unit="ms", utc=True).tz_convert(tz)
    df.insert(4, "Adj Close", df["Close"])
    df.columns = pd.MultiIndex.from_product([df.columns, ["BTC-USD"]], names=["Price", "Ticker"])
    return df


def test_a_frame_of_yfinance(expected):
    wanted = expected.assign(**{"Adj Close": expected["close"]})
    same(adopt(yfinance("UTC"), **NAMES), wanted)
    same(adopt(yfinance("America/New_York"), **NAMES), wanted)
    same(adopt(yfinance("UTC").swaplevel(axis=1), **NAMES), wanted)
    naive = yfinance("America/New_York").tz_localize(None)
    same(adopt(naive, **NAMES, tz="America/New_York"), wanted)
    with pytest.raises(qr.errors.InputError, match="must be said: the times have no zone; tz='UTC'") as caught:
        adopt(naive, **NAMES)
    assert caught.value.argument == "tz"
    two = pd.concat([yfinance("UTC"), yfinance("UTC").rename(columns={"BTC-USD": "ETH-USD"})], axis=1)
    with pytest.raises(qr.errors.InputError, match=r"df.xs\('...', axis=1, level='Ticker'\)"):
        adopt(two, **NAMES)


def test_a_file_of_an_exchange(expected):
    """Its numbers are text, its times epochs."""
    df = columns("Open time", "Open", "High", "Low", "Close", "Volume")
    df = df.assign(**{"Close time": [ms + 3_599_999 for ms in MS], "Quote asset volume": "5.5", "Number of trades": [1, 2, 3, 4]})
    df[["Open", "Close"]] = df[["Open", "Close"]].astype("str")
    out = adopt(df, **NAMES)
    wanted = expected.assign(quote_volume=5.5, num_trades=[1.0, 2.0, 3.0, 4.0])
    wanted["close_time"] = HOURS + pd.Timedelta("59min 59.999s")
    same(out, wanted)


@pytest.mark.parametrize(("unit", "per"), [("s", 1e-3), ("ms", 1), ("us", 1e3), ("ns", 1e6)])
def test_units_of_epochs_are_told_apart(expected, unit, per):
    df = columns("time", "o", "h", "l", "c", "v")
    df["time"] = [int(ms * per) for ms in MS]
    same(adopt(df, **NAMES), expected)
    same(adopt(df, **NAMES, unit=unit), expected)
    df["time"] = df["time"].astype("float64")
    same(adopt(df, **NAMES), expected)


@given(st.integers(946_684_800, 4_102_358_400), st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]))
def test_any_epoch_of_this_century_has_one_unit(second, per):
    second -= second % 60
    rows = [[(second + 60 * i) * per, 1.0, 1.0, 1.0, 1.0, 1.0] for i in range(3)]
    out = adopt(rows, **NAMES)
    assert out.index[0] == pd.Timestamp(second, unit="s", tz="UTC")


def test_epochs_of_no_clear_unit():
    df = columns("time", "o", "h", "l", "c", "v")
    df["time"] = [0, 3_600, 7_200, 10_800]
    with pytest.raises(qr.errors.InputError, match="must be said: the times go from 0 to 10800") as caught:
        adopt(df, **NAMES)
    assert caught.value.argument == "unit"
    assert adopt(df, **NAMES, unit="s").index[1] == pd.Timestamp("1970-01-01 01:00", tz="UTC")
    with pytest.raises(qr.errors.UnknownNameError, match="allowed: s, ms, us, ns"):
        adopt(df, **NAMES, unit="minutes")


def test_text_is_iso_or_refused(expected):
    df = columns("date", "open", "high", "low", "close", "volume")
    df["date"] = [f"2026-03-02T{hour}:00:00Z" for hour in range(10, 14)]
    same(adopt(df, **NAMES), expected)
    df["date"] = [f"2026-03-02 {hour}:00" for hour in range(19, 23)]
    same(adopt(df, **NAMES, tz="Asia/Tokyo"), expected)
    df["date"] = [f"02.03.2026 {hour}:00" for hour in range(10, 14)]
    with pytest.raises(qr.errors.InputError, match="not ISO 8601"):
        adopt(df, **NAMES, tz="UTC")


def test_an_hour_that_is_there_twice_is_refused():
    df = columns("date", "open", "high", "low", "close", "volume")
    df["date"] = pd.date_range("2025-11-02 00:00", periods=4, freq="1h")
    with pytest.raises(qr.errors.InputError, match="where clocks change") as caught:
        adopt(df, **NAMES, tz="America/New_York")
    assert caught.value.argument == "tz"


def test_what_was_not_over_is_not_final(expected):
    out = adopt(ROWS, **NAMES, fetched="2026-03-02 13:30")
    assert out["is_final"].tolist() == [True, True, True, False]
    assert adopt(ROWS, **NAMES, fetched="2026-03-02 14:00")["is_final"].all()
    known = qr.prep.available_at(out)["available_at"]
    assert known.isna().tolist() == [False, False, False, True]
    assert len(expected) == 4


@pytest.mark.parametrize(
    ("exchange", "symbol", "becomes"),
    [("Binance", "BTC/USDT", ("binance", "BTCUSDT")), ("okx", "btc-usdt", ("okx", "BTCUSDT")), ("x", "PEPE/USDT:USDT", ("x", "PEPEUSDT"))],
)
def test_names(exchange, symbol, becomes):
    out = adopt(ROWS, exchange=exchange, symbol=symbol)
    assert (out["exchange"].iloc[0], out["symbol"].iloc[0]) == becomes
    assert out["symbol"].cat.categories[0] == "BTCUSDT"


def test_what_is_adopted_goes_with_history(connect, expected):
    con = connect("sample")
    both = qr.concat([con.klines("ETHUSDT", "1h", hours=3), adopt(ROWS, **NAMES)])
    assert both.dtypes.equals(expected.dtypes)
    assert len(qr.prep.fill(adopt([ROWS[0], ROWS[1], ROWS[3]], **NAMES), "zero")) == 4


def test_an_interval_that_cannot_be_told():
    uneven = [[MS[0] + 3_600_000 * hour, *ROWS[0][1:]] for hour in (0, 1, 3, 5)]
    for rows, said in [
        (uneven, r"\(0 days 02:00:00, 0 days 01:00:00\)"),
        (ROWS[:1], r"\(none\)"),
        ([ROWS[0], ROWS[2]], r"\(0 days 02:00:00\)"),
        ([ROWS[0], ROWS[1], ROWS[3]], None),
    ]:
        if said is None:
            assert adopt(rows, **NAMES)["interval"].iloc[0] == "1h"
            continue
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            adopt(rows, **NAMES)
        assert caught.value.argument == "interval"
    for rows in (uneven, ROWS[:1]):
        assert adopt(rows, **NAMES, interval="1h")["interval"].iloc[0] == "1h"
    with pytest.raises(qr.errors.UnknownNameError):
        adopt(ROWS, **NAMES, interval="2h")


@pytest.mark.parametrize(("rows", "interval"), [(ROWS, "1m"), (ROWS, "4h"), (ROWS[:2], "4h"), ([ROWS[0], ROWS[2]], "1h")])
def test_an_interval_that_no_two_candles_are_apart(rows, interval):
    """Hours that are said to be minutes would count as known 59 minutes early."""
    with pytest.raises(
        qr.errors.InputError, match=f"is '{interval}', but no two candles are that far apart: the shortest step is"
    ) as caught:
        adopt(rows, **NAMES, interval=interval)
    assert caught.value.argument == "interval"


@pytest.mark.parametrize("name", ["timestamp", "Open time", None])
def test_times_in_the_index(expected, name):
    """As epochs, text or datetimes, as in a column."""
    df = columns("timestamp", "open", "high", "low", "close", "volume").set_index("timestamp").rename_axis(name)
    same(adopt(df, **NAMES), expected)
    same(adopt(df.set_axis([ms // 1_000 for ms in MS]).rename_axis(name), **NAMES), expected)
    text = df.set_axis([f"2026-03-02T{hour}:00:00Z" for hour in range(10, 14)]).rename_axis(name)
    same(adopt(text, **NAMES), expected)
    same(adopt(text.set_axis(text.index.astype("object")).rename_axis(name), **NAMES), expected)


def test_an_index_of_row_numbers_is_none_of_times(expected):
    df = columns("timestamp", "open", "high", "low", "close", "volume")
    same(adopt(df.set_axis([3, 5, 8, 13]), **NAMES), expected)
    same(adopt(df.set_axis(list("abcd")), **NAMES), expected)
    with pytest.raises(qr.errors.InputError, match="has no times"):
        adopt(df.set_axis([3, 5, 8, 13]).drop(columns="timestamp"), **NAMES)
    with pytest.raises(qr.errors.InputError, match="both as its index and in 'timestamp'"):
        adopt(df.set_index("timestamp", drop=False).rename_axis("date"), **NAMES)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("high", 50.0, "1 bars with an open or close outside of low to high, the first at 2026-03-02 11:00"),
        ("high", 0.0, "1 bars with a price of 0 or less"),
        ("low", 0.0, "1 bars with a price of 0 or less"),
        ("volume", -1.0, "1 bars with a negative volume"),
    ],
)
def test_candles_that_no_market_made(name, value, said):
    df = columns("timestamp", "open", "high", "low", "close", "volume")
    df.loc[1, name] = value
    with pytest.raises(qr.errors.InputError, match=said) as caught:
        adopt(df, **NAMES)
    assert caught.value.argument == "df"


def test_text_that_is_no_time_is_named_in_one_line():
    df = columns("timestamp", "open", "high", "low", "close", "volume")
    for wrong, said in [
        (df.astype({"timestamp": "str"}), r"epochs as text in times, as '1772445600000' in row 0; make them numbers: pd.to_numeric"),
        (df.assign(timestamp=["2026-03-02T10:00Z", "2026-03-02T11:00Z", "noon", "1"]), r"not ISO 8601 in times, as 'noon' in row 2"),
        (df.assign(timestamp=pd.period_range("2026-03-02 10:00", periods=4, freq="h")), r"not ISO 8601 in times, as '2026-03-02 10:00'"),
        (df.assign(timestamp=["2026-03-02T10:00Z", "2026-03-02T12:00+01:00"] * 2), r"times of several zones in times"),
        (df.assign(timestamp=["2026-03-02T10:00Z", "2026-03-02T11:00"] * 2), r"or with and without one"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            adopt(wrong, **NAMES)
        assert "\n" not in str(caught.value)


def test_what_cannot_be_adopted():
    df = columns("date", "open", "high", "low", "close", "volume")
    df["date"] = pd.to_datetime(df["date"], unit="ms", utc=True)
    for wrong, argument, said in [
        (df.assign(time=df["date"]), "df", "'date' and 'time', which both mean timestamp; drop one"),
        (df.set_index("date", drop=False), "df", "both as its index and in 'date'"),
        (df.drop(columns="date"), "df", "has no times"),
        (df.drop(columns="low"), "df", "no column for low"),
        (df[::-1], "df", "3 candles that are there after a later one; sort them"),
        (pd.concat([df, df.tail(1)]), "df", "1 candles that are there twice; .* row 4"),
        (df.assign(symbol="BTC"), "df", "choose one series"),
        (df.assign(close=[1.0, np.nan, 1.0, 1.0]), "df", "'close' has no finite number"),
        (df.assign(close=["1", "2", "x", "4"]), "df", "what is no number"),
        (df.assign(date=df["date"].where(df.index != 2)), "df", "no time in row 2"),
        (df.assign(date=df["date"] + pd.Timedelta("30s")), "df", "grid of 1h"),
        ([[1, 2, 3]], "df", "rows of 6"),
        ("candles", "df", "is a str"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            adopt(wrong, **NAMES)
        assert caught.value.argument == argument
    for options, argument in [
        ({"tz": "UTC"}, "tz"),
        ({"unit": "ms"}, "unit"),
        ({"tz": "Mars"}, "tz"),
        ({"fetched": 3}, "fetched"),
        ({"symbol": ""}, "symbol"),
    ]:
        with pytest.raises(qr.errors.InputError) as caught:
            adopt(df, **(NAMES | options))
        assert caught.value.argument == argument


def test_no_rows():
    out = adopt([], **NAMES, interval="1h")
    assert len(out) == 0
    assert out["close"].dtype == "float64"
    assert out.index.dtype == "datetime64[us, UTC]"


def test_the_given_frame_stays():
    df = columns("timestamp", "open", "high", "low", "close", "volume").assign(extra=1.0)
    before = df.copy(deep=True)
    out = adopt(df, **NAMES)
    out.loc[:, ["close", "extra"]] = -1.0
    assert_frame_equal(df, before)
