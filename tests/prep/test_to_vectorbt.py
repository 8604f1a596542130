"""Bars and signals as vectorbt takes them, held by portfolios that it makes and that are reckoned by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import qalypto_research as qr

to_vectorbt = qr.prep.to_vectorbt

# The engine calls rename(inplace=True), which pandas 4 will not know, where it shows its records.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:pandas.errors.Pandas4Warning:vectorbt")

HOURS = [f"2026-03-02 {hour:02}:00" for hour in range(8)]
CLOSES = [100, 103, 101, 106, 108, 104, 104, 104]
# Opens, each a unit below its close: 99, 102, 100, 105, 107, 103, 103, 103.


@pytest.fixture
def hours(candles):
    return candles(HOURS, CLOSES)


@pytest.fixture
def signals(hours):
    """Return when to buy and when to sell: a close above or below the one before."""
    change = hours["close"].diff()
    return change > 0, change < 0


def at(*hours):
    return [pd.Timestamp(f"2026-03-02 {hour:02}:00", tz="UTC") for hour in hours]


@pytest.mark.slow  # the engine compiles itself
@pytest.mark.timeout(240)
def test_signals_are_filled_at_the_open_of_the_next_bar(hours, signals):
    import vectorbt  # noqa: PLC0415 - slow to import

    portfolio = vectorbt.Portfolio.from_signals(**to_vectorbt(hours, *signals), size=2, init_cash=1_000)
    trades = portfolio.trades.records_readable
    assert trades["Column"].tolist() == ["BTCUSDT", "BTCUSDT"]
    assert trades["Entry Timestamp"].tolist() == at(2, 4)
    assert trades["Exit Timestamp"].tolist() == at(3, 6)
    assert trades["Avg Entry Price"].tolist() == [100.0, 107.0]
    assert trades["Avg Exit Price"].tolist() == [105.0, 103.0]
    assert trades["Size"].tolist() == [2.0, 2.0]
    assert trades["PnL"].tolist() == [10.0, -8.0]
    assert portfolio.final_value().tolist() == [1_002.0]
    assert portfolio.wrapper.freq == pd.Timedelta("1h")

    # The trap that the docstring names: left to itself the engine fills at the close that the signal was computed on.
    given = to_vectorbt(hours, *signals)
    entries, exits = (signal.to_frame("BTCUSDT") for signal in signals)
    trapped = vectorbt.Portfolio.from_signals(
        **(given | {"entries": entries, "exits": exits, "price": given["close"]}), size=2, init_cash=1_000
    )
    trades = trapped.trades.records_readable
    assert trades["Entry Timestamp"].tolist() == at(1, 3)
    assert trades["Avg Entry Price"].tolist() == [103.0, 106.0]
    assert trades["PnL"].tolist() == [-4.0, -4.0]

    # The other one: bought at 100 at 02:00, a stop 1.5 % below is passed by that very bar (its low is 98), and not sold.
    never = pd.Series(data=False, index=hours.index)
    stopped = vectorbt.Portfolio.from_signals(**to_vectorbt(hours, signals[0], never), size=2, init_cash=1_000, sl_stop=0.015)
    assert hours["low"].iloc[2] == 98.0
    assert stopped.trades.records_readable["Status"].tolist() == ["Open"]


@pytest.mark.slow  # the engine compiles itself
@pytest.mark.timeout(240)
def test_several_series_and_short_positions(hours, candles):
    import vectorbt  # noqa: PLC0415

    both = qr.concat([hours, candles(HOURS, [10, 9, 8, 7, 6, 7, 8, 9], symbol="ETHUSDT")]).sort_index(kind="stable")
    change = qr.prep.panel(both, "close").diff()
    # Short ETHUSDT from its first fall (01:00, filled at the open of 02:00: 7) to its first rise (05:00, filled at 06:00: 7).
    given = to_vectorbt(both, change > 1e9, change > 1e9, short_entries=change < 0, short_exits=change > 0)
    trades = vectorbt.Portfolio.from_signals(**given, size=1, init_cash=1_000).trades.records_readable
    ether = trades[trades["Column"] == "ETHUSDT"]
    assert ether["Direction"].tolist() == ["Short"]
    assert ether["Entry Timestamp"].tolist() == at(2)
    assert ether["Avg Entry Price"].tolist() == [7.0]
    assert ether["Exit Timestamp"].tolist() == at(6)
    assert ether["Avg Exit Price"].tolist() == [7.0]
    # BTCUSDT falls at 02:00 (filled at 105) and rises at 03:00 (filled at 107); falls at 05:00 (filled at 103) for good.
    coin = trades[trades["Column"] == "BTCUSDT"]
    assert coin["Entry Timestamp"].tolist() == at(3, 6)
    assert coin["Avg Entry Price"].tolist() == [105.0, 103.0]
    assert coin["PnL"].iloc[0] == -2.0


def test_what_it_is_given(hours, signals):
    given = to_vectorbt(hours.tz_convert("America/New_York"), *signals)
    assert list(given) == ["close", "open", "high", "low", "price", "entries", "exits", "freq"]
    index = pd.DatetimeIndex(HOURS, tz="UTC", name="timestamp").as_unit("us")
    names = pd.Index(["BTCUSDT"], dtype="str", name="symbol")
    entries = [False, False, True, False, True, True, False, False]
    assert_frame_equal(given["entries"], pd.DataFrame({"BTCUSDT": entries}, index=index).set_axis(names, axis=1), check_freq=False)
    opens = [99.0, 102.0, 100.0, 105.0, 107.0, 103.0, 103.0, 103.0]
    assert_frame_equal(given["price"], pd.DataFrame({"BTCUSDT": opens}, index=index).set_axis(names, axis=1), check_freq=False)
    given["price"].loc[:] = 0.0
    assert given["open"]["BTCUSDT"].tolist() == opens
    assert hours["open"].tolist() == opens


def test_bars_that_are_not_of_time_have_no_frequency(hours, signals):
    ticks = hours.drop(columns="interval").shift(1, freq="123ms")
    ticks = ticks.assign(first_time=ticks.index)
    given = to_vectorbt(ticks, *(signal.set_axis(ticks.index) for signal in signals))
    assert "freq" not in given
    assert to_vectorbt(hours.drop(columns="interval"), *signals, length="1h")["freq"] == pd.Timedelta("1h")


def test_columns_may_be_exchanges(candles):
    both = qr.concat([candles(HOURS[:2], [1_000, 1_001]), candles(HOURS[:2], [1_002, 1_003], exchange="okx")]).sort_index(kind="stable")
    one = pd.DataFrame({"okx": [True, False], "binance": [False, False]}, index=both.index.unique())
    given = to_vectorbt(both, one, one, by="exchange")
    assert list(given["close"].columns) == ["binance", "okx"]
    assert given["close"]["okx"].tolist() == [1_002.0, 1_003.0]
    assert list(given["exits"].columns) == ["binance", "okx"]
    assert given["exits"]["okx"].tolist() == [False, True]
    assert given["exits"]["binance"].tolist() == [False, False]
    with pytest.raises(qr.errors.InputError, match="mixes 2 exchanges"):
        to_vectorbt(both, one, one)


def test_a_bar_that_only_one_series_has_is_refused(hours, candles, signals):
    both = qr.concat([hours, candles(HOURS[:7], [10] * 7, symbol="ETHUSDT")]).sort_index(kind="stable")
    with pytest.raises(qr.errors.InputError, match=r"no bar of ETHUSDT at 2026-03-02 07:00:00\+00:00.*fill\(df, 'drop'\)"):
        to_vectorbt(both, *signals, gaps="ignore")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda signal: signal.iloc[:-1], "entries: is not over the times of df"),
        (lambda signal: signal.tz_localize(None), "entries: is not over the times of df"),
        (lambda signal: signal.shift(1, freq="1h"), "entries: is not over the times of df"),
        (lambda signal: signal.to_numpy(), "entries: is a ndarray"),
        (lambda signal: signal.astype(float), "entries: is not of flags"),
        (lambda signal: signal.astype("boolean").mask(signal), "entries: is not of flags"),
        (lambda signal: signal.to_frame("ETHUSDT"), "entries: has the columns ETHUSDT; the series are BTCUSDT"),
    ],
)
def test_signals_that_do_not_fit_are_refused(hours, signals, change, said):
    with pytest.raises(qr.errors.InputError, match=said):
        to_vectorbt(hours, change(signals[0]), signals[1])


def test_another_by_is_refused(hours, signals):
    with pytest.raises(qr.errors.UnknownNameError, match="did you mean 'symbol'"):
        to_vectorbt(hours, *signals, by="symbols")
