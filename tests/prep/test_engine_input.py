"""What no engine over bars gets: each mistake is refused, with the way out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

HOURS = [f"2026-03-02 {hour:02}:00" for hour in range(4)]


def never(df):
    return pd.Series(data=False, index=df.index) if isinstance(df, pd.DataFrame) else df


ENGINES = {
    "backtesting": qr.prep.to_backtesting,
    "backtrader": qr.prep.to_backtrader,
    "numpy": qr.prep.to_numpy,
    "vectorbt": lambda df, **options: qr.prep.to_vectorbt(df, never(df), never(df), **options),
}


@pytest.fixture
def hours(candles):
    return candles(HOURS, [100, 101, 102, 103])


def put(name, at, value):
    def change(df):
        column = df[name].copy()
        column.iloc[at] = value
        return df.assign(**{name: column})

    return change


def double(df):
    return pd.concat([df.iloc[:2], df.iloc[1:]])


MISTAKES = {
    "no frame": (lambda df: df["close"], "df: is a Series"),
    "no rows": (lambda df: df.iloc[:0], "has no rows"),
    "no volume": (lambda df: df.drop(columns="volume"), "has no column 'volume'"),
    "naive times": (lambda df: df.tz_localize(None), "naive times"),
    "unsorted": (lambda df: df.iloc[[0, 2, 1, 3]], "not in order of time"),
    "one twice": (double, r"the first at 2026-03-02 01:00:00.*keep one"),
    "two lengths": (lambda df: df.assign(interval=["1h", "1h", "1h", "4h"]), "mixes 2 intervals"),
    "two exchanges": (lambda df: df.assign(exchange=["okx", "okx", "okx", "bybit"]), "mixes 2 exchanges"),
    "not over": (put("is_final", 3, value=False), r"1 bars that are not over, the first of 2026-03-02 03:00:00.*df\['is_final'\]"),
    "no close": (put("close", 2, np.nan), r"'close' has no finite number in 1 rows, the first at 2026-03-02 02:00:00"),
    "endless high": (put("high", 1, np.inf), "'high' has no finite number"),
    "no volume at one": (put("volume", 1, np.nan), "'volume' has no finite number"),
    "free": (put("low", 1, 0.0), "a price of 0 or less, the first at 2026-03-02 01:00:00"),
    "close above high": (put("close", 1, 104.0), "an open or close outside of low to high"),
    "open below low": (put("open", 1, 97.0), "an open or close outside of low to high"),
    "less than nothing": (put("volume", 1, -1.0), "a negative volume"),
    "a hole": (lambda df: df.drop(df.index[1:3]), r"1 holes, the first.* after 2026-03-02 00:00:00\+00:00, 2 bars long.*gaps='ignore'"),
    "off the grid": (lambda df: df.shift(1, freq="10min"), "do not open on the grid"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_mistake_is_refused(hours, engine, mistake):
    change, said = MISTAKES[mistake]
    with pytest.raises(qr.errors.InputError, match=said):
        ENGINES[engine](change(hours))


@pytest.mark.parametrize("engine", ["backtesting", "backtrader", "numpy"])
def test_two_symbols_are_refused_where_one_is_meant(hours, candles, engine):
    both = qr.concat([hours, candles(HOURS, [1_000] * 4, symbol="ETHUSDT")]).sort_index(kind="stable")
    with pytest.raises(qr.errors.InputError, match=r"mixes 2 symbols \(BTCUSDT, ETHUSDT\).*df\[df\['symbol'\] == 'BTCUSDT'\]"):
        ENGINES[engine](both)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hole_can_be_said_to_be_meant(hours, engine):
    ENGINES[engine](hours.drop(hours.index[1]), gaps="ignore")
    with pytest.raises(qr.errors.UnknownNameError, match="gaps: 'warn' is not known"):
        ENGINES[engine](hours, gaps="warn")


@pytest.mark.parametrize("engine", ENGINES)
def test_bars_without_an_interval_have_holes_when_their_length_is_said(hours, engine):
    bars = hours.drop(columns="interval").drop(hours.index[1])
    with pytest.raises(qr.errors.InputError, match="1 bars long"):
        ENGINES[engine](bars, length="1h")
    with pytest.raises(qr.errors.InputError, match="length: is '1m', but the column 'interval' says '1h'"):
        ENGINES[engine](hours, length="1m")


def test_bars_of_ticks_may_lie_anywhere(hours):
    ticks = hours.drop(columns="interval").shift(1, freq="10ms")
    ticks = ticks.assign(first_time=ticks.index)
    assert len(qr.prep.to_backtesting(ticks)) == 4
    assert len(qr.prep.to_numpy(qr.prep.available_at(ticks, length="1h"))["close"]) == 4


@pytest.mark.parametrize("engine", ENGINES)
def test_bars_that_do_not_tell_whether_they_are_of_time_are_no_bars_of_ticks(minutes, engine):
    """A hole in them would not be seen."""
    bare = minutes([100, 101, 102, 103]).drop(columns=["first_time", "available_at"])
    for bars in (bare, bare.drop(bare.index[1])):
        with pytest.raises(qr.errors.InputError, match=r"length: must be said: none of .*length='1m'.*assign\(first_time=df.index\)"):
            ENGINES[engine](bars)
    with pytest.raises(qr.errors.InputError, match="1 holes"):
        ENGINES[engine](bare.drop(bare.index[1]), length="1m")
    ENGINES[engine](bare, length="1m")
    ENGINES[engine](bare.assign(first_time=bare.index), gaps="ignore")


def test_the_message_of_a_repeated_bar_mends_it(hours):
    mended = double(hours)
    mended = mended[~mended.index.duplicated(keep="last")]
    assert len(qr.prep.to_backtesting(mended)) == 4


def test_a_filled_hole_is_taken(hours):
    filled = qr.prep.fill(hours.drop(hours.index[1]), "zero")
    given = qr.prep.to_backtesting(filled, columns="filled")
    assert given["Volume"].tolist() == [1.0, 0.0, 1.0, 1.0]
    assert given["filled"].tolist() == [False, True, False, False]


def test_a_hole_of_one_series_hides_behind_no_other(hours, candles):
    other = candles(HOURS, [1_000] * 4, symbol="ETHUSDT")
    both = qr.concat([hours, other.drop(other.index[1])]).sort_index(kind="stable")
    flags = pd.DataFrame(data=False, index=hours.index, columns=["BTCUSDT", "ETHUSDT"])
    with pytest.raises(qr.errors.InputError, match="1 holes, the first of ETHUSDT after 2026-03-02 00:00:00"):
        qr.prep.to_vectorbt(both, flags, flags)


@pytest.mark.parametrize("engine", ["backtesting", "backtrader", "vectorbt"])
def test_bars_that_are_known_late_are_refused_where_the_engine_would_not_wait(hours, engine):
    late = qr.prep.available_at(hours, lag="2s")
    with pytest.raises(
        qr.errors.InputError, match=r"4 bars are known only after their end, by up to 0 days 00:00:02.*drop\(columns='available_at'\)"
    ):
        ENGINES[engine](late)
    ENGINES[engine](qr.prep.available_at(hours))
    assert qr.prep.to_numpy(late)["available_at"][0] == np.datetime64("2026-03-02T01:00:02")


def test_bars_made_of_trades_go_in():
    """As `qr.bars` and `qr.prep.bars` give them: without an interval, those of ticks off any grid."""
    with qr.connect("sample"):
        trades = qr.trades("BTCUSDT", start="2026-03-02 12:00", end="2026-03-02 12:20")
        minutes = qr.bars("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:20")
    ticks = qr.prep.bars(trades, 100, by="tick")
    for engine in ENGINES.values():
        engine(minutes)
        engine(minutes, length="1m")
        engine(ticks)
    assert len(qr.prep.to_backtesting(minutes)) == 20
    assert (qr.prep.to_numpy(minutes)["available_at"] == (minutes.index + pd.Timedelta("1min")).tz_localize(None).to_numpy()).all()
    known = qr.prep.to_numpy(ticks)["available_at"]
    assert (known == ticks["last_time"].dt.tz_localize(None).to_numpy()).all()
    assert (known[:-1] <= ticks.index[1:].tz_localize(None).to_numpy()).all()
    running = qr.prep.bars(trades, 100, by="tick", final=False)
    with pytest.raises(qr.errors.InputError, match="1 bars that are not over"):
        qr.prep.to_backtesting(running)


@pytest.mark.parametrize("lag", ["0s", "250ms", "90s"])
def test_bars_of_time_tell_their_length(minutes, lag):
    """By `available_at`, whatever its lag: it lies the same time after each open, and neighbours are a length apart."""
    df = minutes(range(100, 106), lag=lag)
    known = df.index + pd.Timedelta("1min") + pd.Timedelta(lag)
    assert (qr.prep.to_numpy(df)["available_at"] == known.tz_localize(None).to_numpy()).all()
    with pytest.raises(qr.errors.InputError, match=r"1 holes, the first of.* after 2026-03-02 12:01:00\+00:00, 2 bars long"):
        qr.prep.to_vectorbt(df.drop(df.index[2:4]), never(df), never(df))
    with pytest.raises(qr.errors.InputError, match=r"1 holes.*qr.prep.fill\(df, 'zero', length='1m'\)"):
        qr.prep.to_numpy(df.drop(df.index[2:4]))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_trade_of_a_bar_of_time_is_not_its_end(minutes, engine):
    df = minutes(range(100, 104)).drop(columns="available_at")
    with pytest.raises(qr.errors.InputError, match=r"must be said: the bars open before their first trade.*length='1m'") as caught:
        ENGINES[engine](df)
    assert caught.value.argument == "length"
    ENGINES[engine](df, length="1m")


@pytest.mark.parametrize("engine", ["backtesting", "backtrader", "vectorbt"])
def test_the_advice_on_a_lag_keeps_the_end(minutes, engine):
    late = minutes(range(100, 104), lag="2s")
    with pytest.raises(qr.errors.InputError, match=r"0 days 00:00:02,.*drop\(columns='available_at'\) with length='1m' accepts"):
        ENGINES[engine](late)
    taken = late.drop(columns="available_at")
    ENGINES[engine](taken, length="1m")
    assert qr.prep.to_numpy(taken, length="1m")["available_at"][0] == np.datetime64("2026-03-02T12:01:00")


def test_a_length_beyond_what_was_known_is_refused(minutes):
    with pytest.raises(qr.errors.InputError, match="known 0 days 00:01:00 after its open: before it was over") as caught:
        qr.prep.to_numpy(minutes(range(100, 104)), length="2m")
    assert caught.value.argument == "length"


def test_bars_of_one_trade_are_not_of_time(minutes):
    """They too are known the same time after their open."""
    df = minutes(range(100, 104))
    df.index = df.index[:1].append([df.index[:1] + pd.Timedelta(n, "ms") for n in (1, 2, 3)]).as_unit("us")
    trades = df.assign(first_time=df.index, last_time=df.index, available_at=df.index + pd.Timedelta("250ms"))
    assert len(qr.prep.to_numpy(trades)["close"]) == 4
    with pytest.raises(qr.errors.InputError, match=r"4 bars are known only after their end.*'available_at'\) accepts"):
        qr.prep.to_backtesting(trades)


@pytest.mark.parametrize(("rows", "lag"), [([0, 2, 4, 9], "0s"), ([0, 2, 4, 6], "2s"), ([0, 2, 4, 6], "0s"), ([0, 7], "2s")])
def test_bars_without_neighbours_tell_their_length_where_only_one_can_be(minutes, rows, lag):
    """A minute divides the opens, and is longer than the 57 seconds to the last trades and no longer than what was waited."""
    with pytest.raises(qr.errors.InputError, match=f"{len(rows) - 1} holes, the first of"):
        qr.prep.to_vectorbt(minutes(range(100, 110), lag=lag).iloc[rows], *[never(minutes(range(100, 110)).iloc[rows])] * 2)


ASKED = {
    "every other minute, known a minute late, may be two": lambda df: df.iloc[::2],
    "two of them": lambda df: df.iloc[[0, 2]],
    "one of them": lambda df: df.iloc[:1],
    "trades in the first half only": lambda df: df.assign(last_time=df.index + pd.Timedelta("20s")).iloc[:2],
    "without their last trades": lambda df: df.drop(columns=["first_time", "last_time"]),
}


@pytest.mark.parametrize("case", ASKED)
@pytest.mark.parametrize("engine", ENGINES)
def test_bars_of_which_two_lengths_are_possible_ask_for_it(minutes, engine, case):
    df = ASKED[case](minutes(range(100, 110), lag="1m"))
    with pytest.raises(qr.errors.InputError, match=r"must be said.*length='1m' for bars of a minute") as caught:
        ENGINES[engine](df)
    assert caught.value.argument == "length"
    for call in (lambda: qr.prep.fill(df, "leave"), lambda: qr.prep.resample(df, "10m")):
        with pytest.raises(qr.errors.InputError, match="must be said"):
            call()
    assert len(qr.prep.to_numpy(df, length="1m", gaps="ignore")["close"]) == len(df)


@pytest.fixture
def even():
    """Bars of a minute whose first trades lie on their opens, and whose trades come every 20 seconds; without one of the minutes."""
    first = pd.Timestamp("2026-03-02", tz="UTC")
    seconds = [second for second in range(0, 600, 20) if not 240 <= second < 300]
    tape = {"exchange": "okx", "symbol": "BTCUSDT", "price": 100.0, "amount": 1.0, "side": "buy"}
    trades = pd.DataFrame(tape, index=(first + pd.to_timedelta(seconds, unit="s")).as_unit("us"))
    return qr.prep.bars(trades, "1m", start=first, end=first + pd.Timedelta("10min"))


@pytest.mark.parametrize("engine", ENGINES)
def test_bars_of_time_that_begin_with_a_trade_are_not_taken_for_those_of_trades(even, engine):
    """They may be of three ticks with a lag of 20 seconds."""
    for df in (even, even.drop(columns="available_at")):
        with pytest.raises(qr.errors.InputError, match=r"must be said: the bars lie on a grid.*length='1m'.*gaps='ignore' for") as caught:
            ENGINES[engine](df)
        assert caught.value.argument == "length"
        with pytest.raises(qr.errors.InputError, match=r"1 holes, the first.* after 2026-03-02 00:03:00"):
            ENGINES[engine](df, length="1m")
    assert len(qr.prep.to_numpy(even, gaps="ignore")["close"]) == 9


def test_bars_of_time_that_begin_with_a_trade_tell_their_length_by_their_last_trades(even):
    """Those of ticks are known the same time after them."""
    even.iloc[0, even.columns.get_loc("last_time")] += pd.Timedelta("3s")
    with pytest.raises(qr.errors.InputError, match="1 holes"):
        qr.prep.to_numpy(even)
    assert len(qr.prep.fill(even, "zero")) == 10


def test_bars_of_ticks_on_whole_seconds_are_known_when_they_end(even):
    """No bar of time is known when its last trade is."""
    ticks = even.assign(available_at=even["last_time"])
    given = qr.prep.to_numpy(ticks, gaps="ignore")
    assert given["available_at"][0] == np.datetime64("2026-03-02T00:00:40")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bar_that_is_never_known_is_not_over(minutes, engine):
    """As the running one of `qr.bars(..., final=False)` without its `is_final`."""
    df = minutes(range(100, 104)).drop(columns="is_final")
    df.iloc[3, df.columns.get_loc("available_at")] = pd.NaT
    said = r"1 bars that are not over, the first of 2026-03-02 12:03:00.*df\[df\['available_at'\].notna\(\)\]"
    with pytest.raises(qr.errors.InputError, match=said):
        ENGINES[engine](df)
    ENGINES[engine](df[df["available_at"].notna()])
