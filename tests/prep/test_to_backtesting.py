"""Bars as backtesting.py takes them, held by a strategy that runs in it and is reckoned by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import qalypto_research as qr

# The engine uses what pandas 4 will remove, in its statistics of a run.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning:backtesting")

HOURS = [f"2026-03-02 {hour:02}:00" for hour in range(8)]
CLOSES = [100, 103, 101, 106, 108, 104, 104, 104]
# Opens, each a unit below its close: 99, 102, 100, 105, 107, 103, 103, 103.


@pytest.fixture
def hours(candles):
    return candles(HOURS, CLOSES, volume=[1, 2, 3, 4, 5, 6, 7, 8])


def run(data, **options):
    """Buy two units when a close is above the one before, and sell when it is below; return the trades."""
    from backtesting import Backtest, Strategy  # noqa: PLC0415 - slow to import

    class Follow(Strategy):
        def init(self):
            pass

        def next(self):
            last, before = self.data.Close[-1], self.data.Close[-2]
            if last > before and not self.position:
                self.buy(size=2)
            elif last < before and self.position:
                self.position.close()

    return Backtest(data, Follow, cash=1_000, **options).run()["_trades"]


def test_orders_are_filled_at_the_open_of_the_next_bar(hours):
    trades = run(qr.prep.to_backtesting(hours))
    assert trades["EntryTime"].tolist() == [pd.Timestamp("2026-03-02 02:00", tz="UTC"), pd.Timestamp("2026-03-02 04:00", tz="UTC")]
    assert trades["ExitTime"].tolist() == [pd.Timestamp("2026-03-02 03:00", tz="UTC"), pd.Timestamp("2026-03-02 06:00", tz="UTC")]
    assert trades["EntryBar"].tolist() == [2, 4]
    assert trades["ExitBar"].tolist() == [3, 6]
    assert trades["EntryPrice"].tolist() == [100.0, 107.0]
    assert trades["ExitPrice"].tolist() == [105.0, 103.0]
    assert trades["Size"].tolist() == [2, 2]
    assert trades["PnL"].tolist() == [10.0, -8.0]


def test_trade_on_close_fills_at_the_close_that_was_decided_on(hours):
    """The trap that the docstring names: it is the engine's, and our frame cannot close it."""
    trades = run(qr.prep.to_backtesting(hours), trade_on_close=True)
    assert trades["EntryTime"].tolist() == [pd.Timestamp("2026-03-02 01:00", tz="UTC"), pd.Timestamp("2026-03-02 03:00", tz="UTC")]
    assert trades["EntryPrice"].tolist() == [103.0, 106.0]
    assert trades["PnL"].tolist() == [-4.0, -4.0]


def test_a_longer_timeframe_inside_the_engine_shows_whole_bars_only(hours):
    """Open times are what `resample_apply` needs: the bar of 03:00 sees the two hours before 02:00, never its own."""
    from backtesting import Backtest, Strategy  # noqa: PLC0415
    from backtesting.lib import resample_apply  # noqa: PLC0415

    seen = {}

    class Look(Strategy):
        def init(self):
            self.longer = resample_apply("2h", None, self.data.Close)

        def next(self):
            seen[self.data.index[-1].hour] = float(self.longer[-1])

    Backtest(qr.prep.to_backtesting(hours), Look, cash=1_000).run()
    assert seen == {3: 103.0, 4: 106.0, 5: 106.0, 6: 104.0, 7: 104.0}


def test_the_engine_takes_fractions_of_dear_coins(hours):
    """Volume is in coins: the fractional engine turns it, too, into its units."""
    from backtesting import Strategy  # noqa: PLC0415
    from backtesting.lib import FractionalBacktest  # noqa: PLC0415

    class Hold(Strategy):
        def init(self):
            pass

        def next(self):
            if len(self.data) == 2:
                self.buy(size=500)
            if len(self.data) == 5:
                self.position.close()

    trades = FractionalBacktest(qr.prep.to_backtesting(hours), Hold, cash=60, fractional_unit=0.001).run()["_trades"]
    assert trades["Size"].tolist() == [0.5]
    assert trades["EntryPrice"].tolist() == [pytest.approx(100.0)]
    assert trades["ExitPrice"].tolist() == [pytest.approx(103.0)]
    assert trades["PnL"].tolist() == [pytest.approx(1.5)]


def test_the_frame(hours):
    before = hours.copy()
    given = qr.prep.to_backtesting(hours.tz_convert("Asia/Tokyo"))
    index = pd.DatetimeIndex(HOURS, tz="UTC", name="timestamp").as_unit("us")
    opens = [99.0, 102.0, 100.0, 105.0, 107.0, 103.0, 103.0, 103.0]
    expected = pd.DataFrame(
        {
            "Open": opens,
            "High": [102.0, 105.0, 103.0, 108.0, 110.0, 106.0, 106.0, 106.0],
            "Low": [97.0, 100.0, 98.0, 103.0, 105.0, 101.0, 101.0, 101.0],
            "Close": [float(close) for close in CLOSES],
            "Volume": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        },
        index=index,
    )
    assert_frame_equal(given, expected, check_freq=False)
    given.loc[:, "Close"] = 0.0
    assert_frame_equal(hours, before)


def test_features_come_along_when_named(hours):
    hours["slope"] = hours["close"].diff()
    hours["up"] = hours["slope"] > 0
    given = qr.prep.to_backtesting(hours, columns=["slope", "up"])
    assert list(given.columns) == ["Open", "High", "Low", "Close", "Volume", "slope", "up"]
    assert np.isnan(given["slope"].iloc[0])
    assert given["up"].tolist() == [False, True, False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("clsoe", "did you mean 'close'"),
        ("close", "is always there"),
        ("symbol", "takes numbers and flags"),
        ("Open", "what the engine calls the open of a bar"),
    ],
)
def test_columns_that_cannot_come_along(hours, column, said):
    hours["Open"] = 1.0
    with pytest.raises(qr.errors.InputError, match=said):
        qr.prep.to_backtesting(hours, columns=column)
