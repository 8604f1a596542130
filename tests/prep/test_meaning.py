"""Candles and buckets that look like something shorter are refused: taken for it they would be known before they are over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import qalypto_research as qr

asof, available_at = qr.prep.asof, qr.prep.available_at
ELEVEN, NOON, ONE = (f"2026-03-02 {hour}:00" for hour in (11, 12, 13))


@pytest.fixture
def con(connect):
    return connect("sample")


@pytest.fixture
def klines(con):
    return con.klines("BTCUSDT", "1m", start=ELEVEN, end=ONE)


def without_freq(df):
    """Return the same rows over an index that does not know its step."""
    return df.set_axis(pd.DatetimeIndex(df.index.to_list()).as_unit("us"), axis=0)


def by_the_clock(df, minutes):
    return df[(df.index.hour * 60 + df.index.minute) % minutes == 0]


# --- Candles that were made longer, and kept their interval --------------------------------------------------------


LONGER = {
    "two hours": (lambda k: without_freq(k.resample("1h").last()), "0 days 01:00:00"),
    "one hour": (lambda k: k.resample("1h").last()[:1], "0 days 01:00:00"),
    "of five minutes": (lambda k: without_freq(k.resample("5min").first()), "0 days 00:05:00"),
    "with holes": (lambda k: without_freq(k.resample("5min").first()).iloc[[0, 1, 4, 9]], "0 days 00:05:00"),
    "on no grid of the day": (lambda k: without_freq(k.resample("7min", origin="start").first()), "0 days 00:07:00"),
    "of a minute and a half": (lambda k: without_freq(k.resample("90s").first()), "0 days 00:01:30"),
    "a choice like them": (lambda k: by_the_clock(k, 15), "0 days 00:15:00"),
}


@pytest.mark.parametrize("case", LONGER)
def test_longer_candles_that_kept_their_interval_are_refused(klines, case):
    make, shortest = LONGER[case]
    h = make(klines)
    said = rf"has '1m' in 'interval', but no two .* shortest step is {shortest},.*available_at\(frame, length='1m'\)"
    for call in (
        lambda: asof(klines, h, max_age=None, by=[]),
        lambda: asof(h, klines, max_age=None, by=[]),
        lambda: available_at(h),
        lambda: qr.prep.fill(h, "zero"),
        lambda: qr.prep.resample(h, "4h"),
        lambda: qr.prep.to_numpy(h.assign(exchange="binance", symbol="BTCUSDT", is_final=True), gaps="ignore"),
    ):
        with pytest.raises(qr.errors.InputError, match=f"{said}|do not open on the grid"):
            call()


def test_the_way_out_for_longer_candles(klines):
    """At 12:11 the hour from 11:00 on is known, and that from 12:00 on is not."""
    h = klines.resample("1h").last()
    minutes = klines.loc[klines.index >= NOON]
    joined = asof(minutes, available_at(h, length="1h"), max_age=None, by=[])
    assert joined["close_right"].iloc[10] == klines["close"].iloc[59]  # known at 12:11, and so is that of 11:59
    assert joined["close_right"].iloc[59] == klines["close"].iloc[119]  # known at 13:00
    assert len(qr.prep.fill(h.assign(interval="1h").iloc[[0, 1]], "zero")) == 2


CHOICES = {
    "two neighbours": lambda k: k.iloc[[0, 1, 60]],
    "here and there": lambda k: k.iloc[[3, 10, 31, 60]],
    "one": lambda k: k.iloc[:1],
    "none": lambda k: k.iloc[:0],
    "two of no grid": lambda k: k.iloc[[3, 10]],
}


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_of_candles_that_cannot_be_mistaken_is_taken(klines, case):
    df = CHOICES[case](klines)
    assert list(available_at(df)["available_at"] - df.index) == [pd.Timedelta("1min")] * len(df)


def test_a_choice_that_can_be_mistaken_says_its_length(klines):
    df = by_the_clock(klines, 60)
    assert (available_at(df, length="1m")["available_at"] - df.index == pd.Timedelta("1min")).all()
    assert len(qr.prep.fill(df, "zero", length="1m")) == 61
    assert len(qr.prep.to_numpy(df, length="1m", gaps="ignore")["close"]) == 2


def test_each_series_is_looked_at_by_itself(klines):
    """But for one of few rows, which lies on a grid by chance: for that the others vouch."""
    coarse = by_the_clock(klines, 15).assign(symbol="ETHUSDT")
    both = pd.concat([klines.astype({"symbol": "str"}), coarse]).sort_index(kind="stable")
    with pytest.raises(qr.errors.InputError, match="0 days 00:15:00"):
        available_at(both)
    few = pd.concat([klines.astype({"symbol": "str"}), coarse[:3]]).sort_index(kind="stable")
    assert len(available_at(few)) == 123


# --- Buckets of events ---------------------------------------------------------------------------------------------


def trades_by(con, freq):
    return con.trades("BTCUSDT", minutes=59).resample(freq).agg({"price": "last", "amount": "sum"})


BUCKETS = {
    "tickers": lambda con: con.tickers("BTCUSDT", minutes=59)[["last_price"]].resample("5min").last(),
    "tickers by seconds": lambda con: without_freq(con.tickers("BTCUSDT", minutes=5)[["last_price"]].resample("5s").last().dropna()),
    "two buckets of a minute": lambda con: without_freq(con.tickers("BTCUSDT", minutes=5)[["last_price"]].resample("1min").last())[:2],
    "trades": lambda con: trades_by(con, "5min"),
    "trades by parts of a second": lambda con: without_freq(trades_by(con, "100ms").dropna()),
    "one bucket": lambda con: trades_by(con, "100ms")[:1],
    "closes as prices": lambda con: con.klines("BTCUSDT", "1m", minutes=59)[["close"]].rename(columns={"close": "price"}),
    **{
        f"{n} spreads of {'{}'.format(' and '.join(names))} by {every}": lambda con, n=n, names=names, every=every: con.spreads(
            "BTCUSDT", every, minutes=5, columns=names
        )[:n]
        for n in (1, 2, 100)
        for names in (["bid_price", "ask_price"], ["symbol", "bid_price", "ask_price"], ["ask_price"])
        for every in ("1s", "100ms")
    },
    "spreads by few milliseconds": lambda con: con.spreads("BTCUSDT", "10ms", minutes=1, columns=["bid_price", "ask_price"]),
    "spreads": lambda con: con.spreads("BTCUSDT", "1s", minutes=1),
}


@pytest.mark.parametrize("case", BUCKETS)
def test_buckets_are_not_taken_for_moments(con, case):
    h = BUCKETS[case](con)
    assert len(h)
    tickers = con.tickers("BTCUSDT", minutes=5)
    for call in (lambda: asof(tickers, h, max_age=None, by=[]), lambda: available_at(h)):
        with pytest.raises(qr.errors.InputError, match=r"does not tell whether.*length='0s' where the index is that moment"):
            call()
    assert (available_at(h, length="5m")["available_at"] - h.index == pd.Timedelta("5min")).all()
    assert asof(tickers, available_at(h, length="0s"), max_age=None, by=[]).shape[0] == len(tickers)


EVENTS = {
    "trades": lambda con: con.trades("BTCUSDT", minutes=5),
    "tickers": lambda con: con.tickers("BTCUSDT", minutes=5),
    "tickers of no exchange": lambda con: con.tickers("BTCUSDT", minutes=5, columns=["bid_price", "ask_price"]),
    "the last ticker of each second": lambda con: con.tickers("BTCUSDT", every="1s", minutes=5),
    "the last ticker of each minute": lambda con: con.tickers("BTCUSDT", every="1m", minutes=30),
    "tops": lambda con: con.orderbook_tops("BTCUSDT", minutes=5),
    "tops of each minute": lambda con: con.orderbook_tops("BTCUSDT", every="1m", minutes=30),
    "books": lambda con: con.orderbooks("BTCUSDT", minutes=5),
    "funding": lambda con: con.funding("BTCUSDT", minutes=59),
}


@pytest.mark.parametrize("case", EVENTS)
def test_events_are_known_when_they_happen(con, case):
    df = EVENTS[case](con)
    for part in (df, df[:1], df[:2], df[:3], df[::10]):
        assert len(part)
        assert list(available_at(part)["available_at"]) == list(part.index)


def test_recorded_events_are_taken_for_moments(recorded):
    """Of each series, whole and of any few rows."""
    files = sorted(path for path in recorded.glob("*/market_data_*.parquet") if "kline" not in path.name)
    assert files
    for path in files:
        table = pq.read_table(path, columns=["exchange", "symbol", "timestamp"]).to_pandas()
        for _, rows in table.groupby(["exchange", "symbol"], observed=True):
            index = pd.DatetimeIndex(np.sort(rows["timestamp"].dt.as_unit("us")))
            index = index.tz_localize("UTC") if index.tz is None else index
            df = pd.DataFrame({"exchange": "x", "price": 1.0}, index=index)
            for part in (df, *(df[at : at + 4] for at in range(0, len(df), 20))):
                assert (available_at(part)["available_at"] == part.index).all(), path
