"""When a row could be known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import qalypto_research as qr

known = qr.prep.available_at


def utc(*texts):
    return pd.DatetimeIndex(pd.to_datetime(list(texts), utc=True, format="ISO8601")).as_unit("us")


def test_a_candle_is_known_once_it_is_over(candles):
    df = candles(["2026-03-02 00:00", "2026-03-02 01:00"], [1, 2])
    out = known(df, lag="250ms")
    assert list(out["available_at"]) == list(utc("2026-03-02 01:00:00.250", "2026-03-02 02:00:00.250"))
    assert out["available_at"].dtype == "datetime64[us, UTC]"
    assert_frame_equal(out.drop(columns="available_at"), df)


def test_each_by_its_own_length(candles):
    df = qr.concat([candles(["2026-03-02"], [1], interval="1d"), candles(["2026-03-02"], [1], interval="1m")])
    assert list(known(df)["available_at"]) == list(utc("2026-03-03 00:00", "2026-03-02 00:01"))


def test_what_happens_is_known_when_it_happens(quotes):
    df = quotes(["2026-03-02 00:00:00.5"], [1])
    assert list(known(df)["available_at"]) == list(df.index)


def test_the_zone_and_unit_of_the_index_do_not_matter(candles):
    df = candles(["2026-03-02 00:00", "2026-03-02 01:00"], [1, 2])
    shown = df.tz_convert("Asia/Tokyo")
    shown.index = shown.index.as_unit("ns")
    assert list(known(shown)["available_at"]) == list(known(df)["available_at"])


def test_a_live_row_is_not_known_before_it_arrived(candles, quotes):
    late = quotes(["2026-03-02 00:00:01", "2026-03-02 00:00:02"], [1, 2])
    late["received"] = utc("2026-03-02 00:00:01.200", "2026-03-02 00:00:01.700")  # the second by a clock that lags behind
    assert list(known(late)["available_at"]) == list(utc("2026-03-02 00:00:01.200", "2026-03-02 00:00:02"))
    forming = candles(["2026-03-02 00:00"], [1], final=False)
    assert known(forming)["available_at"].isna().all()
    forming["received"] = utc("2026-03-02 00:20")
    assert list(known(forming)["available_at"]) == list(utc("2026-03-02 00:20"))


def test_other_frames_say_it(candles):
    df = candles(["2026-03-02 00:00"], [1])[["close"]]
    with pytest.raises(qr.errors.InputError, match="length='1h'"):
        known(df)
    assert list(known(df, length="4h")["available_at"]) == list(utc("2026-03-02 04:00"))
    assert list(known(df, length="0s", lag="1s")["available_at"]) == list(utc("2026-03-02 00:00:01"))


def test_a_column_may_tell_it(candles):
    df = candles(["2026-03-02 00:00", "2026-03-02 01:00"], [1, 2])[["close"]]
    df["last_time"] = utc("2026-03-02 00:07", "2026-03-02 01:30:00.5")
    assert list(known(df, ends="last_time", lag="1s")["available_at"]) == list(utc("2026-03-02 00:07:01", "2026-03-02 01:30:01.5"))
    for options, said in [
        ({"ends": "close"}, "a time with a zone"),
        ({"ends": "last"}, "did you mean 'last_time'"),
        ({"ends": "last_time", "length": "1h"}, "twice"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            known(df, **options)
        assert caught.value.argument == "ends"


def test_no_row_is_complete_before_its_time(candles):
    df = candles(["2026-03-02 00:00", "2026-03-02 01:00"], [1, 2])
    for length in ("0s", "59m"):
        with pytest.raises(qr.errors.InputError, match=r"2 rows complete before it was over.*the first at 2026-03-02 00:00") as caught:
            known(df, length=length)
        assert caught.value.argument == "length"
    assert list(known(df, length="2h")["available_at"]) == list(utc("2026-03-02 02:00", "2026-03-02 03:00"))
    df["told"] = utc("2026-03-02 00:30", "2026-03-02 00:59:59")
    with pytest.raises(qr.errors.InputError, match="1 rows complete before it began, the first at 2026-03-02 01:00") as caught:
        known(df, ends="told")
    assert caught.value.argument == "ends"


@pytest.mark.parametrize("call", ["trades", "tickers", "orderbook_tops", "orderbooks", "funding"])
def test_frames_of_events_tell(connect, call):
    df = getattr(connect("sample"), call)("BTCUSDT", minutes=5)
    assert list(known(df)["available_at"]) == list(df.index)


def test_frames_that_cannot_be_used(candles):
    df = candles(["2026-03-02 00:00", "2026-03-02 01:00"], [1, 2])
    for wrong, said in [
        (df.tz_localize(None), "naive"),
        (df.reset_index(drop=True), "not of times"),
        (df["close"], "give a DataFrame"),
        (known(df), "already"),
        (df.set_axis(pd.DatetimeIndex([pd.NaT, df.index[0]])), "NaT in its index"),
        (pd.concat([df, df[["close"]]], axis=1), "'close' twice"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said) as caught:
            known(wrong)
        assert caught.value.argument == "df"
    with pytest.raises(qr.errors.InputError, match="lag"):
        known(df, lag="-1s")


def test_a_frame_of_no_rows(candles):
    out = known(candles([], []))
    assert len(out) == 0
    assert out["available_at"].dtype == "datetime64[us, UTC]"


def test_the_given_frame_stays(candles):
    df = candles(["2026-03-02 00:00"], [1])
    out = known(df)
    out.loc[:, "close"] = -1.0
    assert df["close"].tolist() == [1.0]
    assert "available_at" not in df
    assert not np.shares_memory(out["open"].to_numpy(), df["open"].to_numpy())
