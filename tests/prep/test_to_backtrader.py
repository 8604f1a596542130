"""Bars as feeds of backtrader, held by strategies that run in it and are reckoned by hand."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pandas as pd
import pytest

import qalypto_research as qr

to_backtrader = qr.prep.to_backtrader

HOURS = [f"2026-03-02 {hour:02}:00" for hour in range(8)]
CLOSES = [100, 103, 101, 106, 108, 104, 104, 104]
# Opens, each a unit below its close: 99, 102, 100, 105, 107, 103, 103, 103.


@pytest.fixture
def bt():
    import backtrader  # noqa: PLC0415 - not needed by what is only collected

    return backtrader


@pytest.fixture
def hours(candles):
    return candles(HOURS, CLOSES, volume=[1, 2, 3, 4, 5, 6, 7, 8])


def last_moment(of):
    """Return the last millisecond of the bar that ends then; the engine keeps times as floats of days."""
    return pd.Timestamp(f"2026-03-02 {of}") - pd.Timedelta("1ms")


def near(moments):
    return [pd.Timestamp(moment).round("1ms") for moment in moments]


def follow(bt, feed, *, close=False):
    """Buy two units when a close is above the one before, and sell when it is below; return fills and profits."""
    fills, profits = [], []

    class Follow(bt.Strategy):
        def next(self):
            if len(self) < 2:
                return
            last, before = self.data.close[0], self.data.close[-1]
            if last > before and not self.position:
                self.buy(size=2)
            elif last < before and self.position:
                self.close()

        def notify_order(self, order):
            if order.status == order.Completed:
                done = order.executed
                fills.append((near([bt.num2date(done.dt)])[0], done.price, done.size))

        def notify_trade(self, trade):
            if trade.isclosed:
                profits.append(trade.pnl)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.setcash(1_000)
    cerebro.broker.set_coc(close)
    cerebro.adddata(feed)
    cerebro.addstrategy(Follow)
    cerebro.run()
    return fills, profits, cerebro.broker.getvalue()


def test_orders_are_filled_at_the_open_of_the_next_bar(bt, hours):
    fills, profits, value = follow(bt, to_backtrader(hours))
    assert fills == [  # each under the last moment of the bar at whose open it was filled
        (last_moment("03:00"), 100.0, 2),
        (last_moment("04:00"), 105.0, -2),
        (last_moment("05:00"), 107.0, 2),
        (last_moment("07:00"), 103.0, -2),
    ]
    assert profits == [10.0, -8.0]
    assert value == 1_002.0


def test_cheat_on_close_fills_at_the_close_that_was_decided_on(bt, hours):
    """The trap that the docstring names: it is the engine's, and our feed cannot close it."""
    fills, profits, _ = follow(bt, to_backtrader(hours), close=True)
    assert [price for _, price, _ in fills] == [103.0, 101.0, 106.0, 104.0]
    assert profits == [-4.0, -4.0]


def test_an_hour_is_not_seen_before_it_is_over(bt, candles):
    """By open times the hour of 00:00, which closes at 199, would be seen with its first quarter."""
    quarters = candles([f"2026-03-02 {h:02}:{m:02}" for h in range(2) for m in (0, 15, 30, 45)], range(101, 109), interval="15m")
    seen = []

    class Look(bt.Strategy):
        def prenext(self):
            self.next()

        def next(self):
            quarter, hour = self.datas
            seen.append((quarter.close[0], hour.close[0] if len(hour) else None))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(to_backtrader(quarters))
    cerebro.adddata(to_backtrader(candles(HOURS[:2], [199, 299])))
    cerebro.addstrategy(Look)
    cerebro.run()
    assert seen == [(101, None), (102, None), (103, None), (104, 199), (105, 199), (106, 199), (107, 199), (108, 299)]


@pytest.mark.parametrize(
    ("interval", "freq", "rows", "into", "expected"),
    [
        ("1m", "1min", 10, ("Minutes", 5), [(1.0, 5.0, 5.0), (6.0, 10.0, 5.0)]),
        ("1h", "1h", 48, ("Days", 1), [(1.0, 24.0, 24.0), (25.0, 48.0, 24.0)]),
        ("1d", "1D", 14, ("Weeks", 1), [(1.0, 7.0, 7.0), (8.0, 14.0, 7.0)]),
    ],
)
def test_the_engine_makes_right_longer_bars(bt, candles, interval, freq, rows, into, expected):
    """2026-03-02 is a Monday. By closing times the last hour of each day would fall into the next."""
    feed = to_backtrader(candles(pd.date_range("2026-03-02", periods=rows, freq=freq, tz="UTC"), range(102, rows + 102), interval=interval))
    seen = []

    class Look(bt.Strategy):
        def next(self):
            seen.append((self.data.open[0] - 100, self.data.close[0] - 101, self.data.volume[0]))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(feed, timeframe=getattr(bt.TimeFrame, into[0]), compression=into[1])
    cerebro.addstrategy(Look)
    cerebro.run()
    assert seen == expected


def test_what_a_bar_holds(bt, hours):
    hours["slope"] = hours["close"].diff().fillna(0.0)
    hours["up"] = hours["slope"] > 0
    before = hours.copy()
    seen = []

    class Look(bt.Strategy):
        def next(self):
            lines = ("open", "high", "low", "close", "volume", "slope", "up")
            seen.append((near([self.data.datetime.datetime(0)])[0], *(getattr(self.data, line)[0] for line in lines)))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(to_backtrader(hours.tz_convert("Asia/Tokyo"), columns=["slope", "up"]))
    cerebro.addstrategy(Look)
    cerebro.run()
    assert len(seen) == 8
    assert seen[1] == (last_moment("02:00"), 102.0, 105.0, 100.0, 103.0, 2.0, 3.0, 1.0)
    assert seen[2] == (last_moment("03:00"), 100.0, 103.0, 98.0, 101.0, 3.0, -2.0, 0.0)
    pd.testing.assert_frame_equal(hours, before)


@pytest.mark.parametrize(
    ("interval", "freq", "unit", "compression"),
    [("1m", "1min", "Minutes", 1), ("4h", "4h", "Minutes", 240), ("1d", "1D", "Days", 1)],
)
def test_the_engine_is_told_how_long_a_bar_is(bt, candles, interval, freq, unit, compression):
    feed = to_backtrader(candles(pd.date_range("2026-03-02", periods=2, freq=freq, tz="UTC"), [100, 101], interval=interval))
    assert (feed.p.timeframe, feed.p.compression) == (getattr(bt.TimeFrame, unit), compression)
    assert feed._name == "BTCUSDT"


def test_bars_that_are_not_of_time_bear_their_last_moment(bt, hours):
    ticks = hours.drop(columns=["interval", "close_time"]).shift(1, freq="123ms")
    ticks["first_time"] = ticks.index
    with pytest.raises(qr.errors.InputError, match="length: must be said where the bars have neither 'interval' nor 'last_time'"):
        to_backtrader(ticks)
    ticks["last_time"] = ticks.index + pd.Timedelta("7min")
    feed = to_backtrader(ticks)
    assert feed.p.timeframe == bt.TimeFrame.Ticks
    assert feed.p.dataname.index[1] == pd.Timestamp("2026-03-02 01:07:00.123")
    half = to_backtrader(ticks[:1].shift(-1, freq="123ms"), length="30s")
    assert (half.p.timeframe, half.p.compression) == (bt.TimeFrame.Seconds, 30)
    assert half.p.dataname.index[0] == dt.datetime(2026, 3, 2, 0, 0, 29, 999_000)  # noqa: DTZ001 - the engine's times are naive


@pytest.mark.parametrize("name", ["datetime", "a b"])
def test_names_that_cannot_be_lines_are_refused(hours, name):
    hours[name] = 1.0
    with pytest.raises(qr.errors.InputError, match="cannot be the name of a line"):
        to_backtrader(hours, columns=[name])


def test_a_missing_engine_is_named_with_the_way_to_it():
    """In a process of its own, in which the package cannot be found."""
    program = """
import sys
sys.modules["backtrader"] = None
import qalypto_research as qr
try:
    qr.prep.to_backtrader(None)
except ImportError as error:
    assert isinstance(error, qr.errors.MissingPackageError) and error.extra == "backtrader" and error.name == "backtrader"
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert 'pip install "qalypto-research[backtrader]"' in done.stdout
