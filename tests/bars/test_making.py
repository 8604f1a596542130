"""Bars of a frame, against bars made trade by trade; and literals for what a reader would check first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bars_by_hand import COLUMNS, TooCloseError, bars_by_hand, places_by_hand
from hypothesis import example, given, reject
from hypothesis import strategies as st

import qalypto_research as qr

NOON_US = 1_772_452_800_000_000
"""2026-03-02 12:00."""


def tape(*trades, exchange="binance", symbol="BTCUSDT"):
    """Return a frame of trades given as (seconds after noon, price, amount, side)."""
    index = pd.DatetimeIndex(np.array([NOON_US + round(t[0] * 1e6) for t in trades], "datetime64[us]"), name="timestamp", tz="UTC")
    columns = {"exchange": exchange, "symbol": symbol}
    columns |= {name: [t[at] for t in trades] for at, name in ((1, "price"), (2, "amount"), (3, "side"))}
    return pd.DataFrame(columns, index=index)


TRADES = tape(
    (0.0, 100.0, 1.0, "buy"),
    (0.5, 102.0, 2.0, "sell"),
    (0.5, 99.0, 1.0, "buy"),
    (59.999, 101.0, 4.0, "sell"),
    (60.0, 103.0, 0.5, "buy"),
    (125.0, 104.0, 0.5, "buy"),
)


def noon(seconds):
    return pd.Timestamp("2026-03-02 12:00", tz="UTC") + pd.Timedelta(seconds, "s")


def test_bars_of_a_minute():
    bars = qr.prep.bars(TRADES, "1m", start="2026-03-02 12:00", end="2026-03-02 12:03")
    assert list(bars.columns) == COLUMNS
    assert list(bars.index) == [noon(0), noon(60), noon(120)]
    first = bars.iloc[0].to_dict()
    assert first == {
        "exchange": "binance", "symbol": "BTCUSDT", "open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0, "volume": 8.0,
        "quote_volume": 807.0, "vwap": 100.875, "num_trades": 4, "buy_volume": 2.0, "sell_volume": 6.0, "first_time": noon(0),
        "last_time": noon(59.999), "is_final": True, "available_at": noon(60),
    }  # fmt: skip
    assert list(bars["num_trades"]) == [4, 1, 1]


def test_a_bar_of_live_trades_is_available_once_the_last_of_its_own_was_received():
    """Of the first bar the trade that comes latest is not its last; what was read from the history has no time of receipt."""
    other = TRADES.assign(symbol="ETHUSDT", received=pd.NaT)
    received = [noon(0.1), noon(61.5), noon(0.7), noon(60.2), noon(60.3), noon(125.4)]
    live = pd.concat([TRADES.assign(received=received), other]).astype({"received": "datetime64[us, UTC]"}).sort_index(kind="stable")
    covered = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:03"}
    bars = qr.prep.bars(live, "1m", **covered)
    by_symbol = {symbol: list(rows["available_at"]) for symbol, rows in bars.groupby("symbol", observed=True)}
    assert by_symbol == {"BTCUSDT": [noon(61.5), noon(120), noon(180)], "ETHUSDT": [noon(60), noon(120), noon(180)]}
    late = qr.prep.bars(live[live["symbol"] == "BTCUSDT"], "1m", lag="2s", **covered)
    assert list(late["available_at"]) == [noon(62), noon(122), noon(182)]
    ticks = qr.prep.bars(live, 3, by="tick")
    assert [list(rows["available_at"]) for _, rows in ticks.groupby("symbol", observed=True)] == [
        [noon(61.5), noon(125.4)],
        [noon(0.5), noon(125)],
    ]
    assert list(qr.prep.bars(live, 5, by="tick", final=False)["available_at"].isna()) == [False, False, True, True]
    flow = qr.prep.flow(live, "1m", **covered)
    assert list(flow.loc[flow["symbol"] == "BTCUSDT", "available_at"]) == [noon(61.5), noon(120), noon(180)]


def test_bars_of_live_trades_do_not_look_ahead():
    """Each trade comes by another delay, up to a second, and so in another order than it was made."""
    delays = np.random.default_rng(7).uniform(0.0, 1.0, 300)
    live = tape(*[(n * 0.1, 100.0 + n % 7, 1.0, "buy") for n in range(300)])
    live["received"] = (live.index + pd.to_timedelta(delays, unit="s")).as_unit("us")
    assert qr.prep.check_lookahead(lambda df: qr.prep.bars(df, 20, by="tick")[["close", "volume", "available_at"]], live).empty
    # With a trade of the time to come a bar of time is seen to be over.
    live["received"] = live["received"].cummax()
    assert qr.prep.check_lookahead(lambda df: qr.prep.bars(df, "2s")[["close", "volume", "available_at"]], live).empty


def test_a_bar_is_available_when_it_is_over_and_not_before():
    covered = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:02:30"}
    bars = qr.prep.bars(TRADES, "1m", final=False, **covered)
    assert list(bars["available_at"]) == [noon(60), noon(120), pd.NaT]
    late = qr.prep.bars(TRADES, "1m", lag="250ms", **covered)
    assert list(late["available_at"]) == [noon(60.25), noon(120.25)]
    ticks = qr.prep.bars(TRADES, 4, by="tick", final=False, lag="1s")
    assert list(ticks["available_at"]) == [noon(60.999), pd.NaT]
    with pytest.raises(qr.errors.InputError, match="lag: 'soon'"):
        qr.prep.bars(TRADES, "1m", lag="soon")


def test_a_join_goes_by_when_bars_were_available():
    bars = qr.prep.bars(TRADES, "1m", start="2026-03-02 12:00", end="2026-03-02 12:03")
    asked = pd.DataFrame(index=pd.DatetimeIndex([noon(59.9), noon(60), noon(119.9), noon(120)], name="timestamp"))
    joined = qr.prep.asof(qr.prep.available_at(asked, length="0s"), bars, max_age=None)
    assert joined["close_right"].tolist()[1:] == [101.0, 101.0, 103.0]
    assert np.isnan(joined["close_right"].iloc[0])


def test_dtypes_are_those_of_the_contract():
    bars = qr.prep.bars(TRADES, "1m", final=False)
    assert str(bars.index.dtype) == "datetime64[us, UTC]"
    assert bars.index.name == "timestamp"
    assert list(bars["exchange"].cat.categories) == ["binance", "bitget", "bybit", "okx"]
    assert bars["symbol"].cat.categories[0] == "BTCUSDT"
    expected = (
        ["category"] * 2 + ["float64"] * 7 + ["int64"] + ["float64"] * 2 + ["datetime64[us, UTC]"] * 2 + ["bool", "datetime64[us, UTC]"]
    )
    assert [str(dtype) for dtype in bars.dtypes] == expected


@pytest.mark.parametrize(
    ("options", "opens", "final"),
    [
        ({}, [0, 60], [True, True]),  # the minute of 12:02 may go on
        ({"final": False}, [0, 60, 120], [True, True, False]),
        ({"end": "2026-03-02 12:03"}, [0, 60, 120], [True, True, True]),
        ({"end": "2026-03-02 12:02:59.999"}, [0, 60], [True, True]),
        ({"start": "2026-03-02 11:58", "final": False}, [0, 60, 120], [True, True, False]),
    ],
    ids=str,
)
def test_whole_bars_alone_unless_asked(options, opens, final):
    bars = qr.prep.bars(TRADES, "1m", **options)
    assert list(bars.index) == [noon(s) for s in opens]
    assert list(bars["is_final"]) == final


@pytest.mark.parametrize(("seconds", "whole"), [(1.0, True), (1.001, False)])
def test_a_bar_in_which_the_trades_begin_late_is_not_whole(seconds, whole):
    late = tape((seconds, 1.0, 1.0, "buy"), (61.0, 1.0, 1.0, "buy"), (121.0, 1.0, 1.0, "buy"))
    assert list(qr.prep.bars(late, "1m", final=False)["is_final"]) == [whole, True, False]
    assert list(qr.prep.bars(late, "1m", start="2026-03-02 12:00", final=False)["is_final"]) == [True, True, False]


def test_each_series_is_covered_from_its_own_first_trade_to_its_own_last():
    btc = tape(*[(s, 1.0, 1.0, "buy") for s in (0, 70, 130, 190, 250)])
    eth = tape((75, 2.0, 1.0, "buy"), (130, 2.0, 1.0, "buy"), (195, 2.0, 1.0, "buy"), symbol="ETHUSDT")
    both = pd.concat([btc, eth]).sort_index(kind="stable")
    bars = qr.prep.bars(both, "1m", final=False)
    whole = {(name, int((at - noon(0)).total_seconds())) for at, name in bars[bars["is_final"]]["symbol"].items()}
    # Nothing tells whether there was no trade of ETH in the first 15 seconds of its first bar, or none recorded.
    assert whole == {("BTCUSDT", 0), ("BTCUSDT", 60), ("BTCUSDT", 120), ("BTCUSDT", 180), ("ETHUSDT", 120)}
    assert list(qr.prep.flow(both, "1m").query("symbol == 'ETHUSDT'").index) == [noon(120)]
    # Who knows says so.
    assert qr.prep.bars(both, "1m", start=noon(0), end=noon(300))["is_final"].sum() == 8


def test_a_bar_of_an_hour_may_begin_a_minute_late_and_no_later():
    late = tape((60.0, 1.0, 1.0, "buy"), (7201.0, 1.0, 1.0, "buy"))
    later = tape((60.001, 1.0, 1.0, "buy"), (7201.0, 1.0, 1.0, "buy"))
    assert [list(qr.prep.bars(df, "2h", final=False)["is_final"]) for df in (late, later)] == [[True, False], [False, False]]


def test_bars_of_trades():
    bars = qr.prep.bars(TRADES, 4, by="tick")
    assert list(bars.index) == [noon(0)]
    assert list(qr.prep.bars(TRADES, 4, by="tick", final=False)["num_trades"]) == [4, 2]
    assert list(qr.prep.bars(TRADES, 3, by="tick")["num_trades"]) == [3, 3]


def test_a_trade_that_crosses_belongs_to_the_bar_it_begins_in_and_what_is_beyond_counts_on():
    # Laid end to end: [0, 1), [1, 3), [3, 4), [4, 8), [8, 8.5), [8.5, 9).
    bars = qr.prep.bars(TRADES, 2.0, by="volume", final=False)
    assert list(bars["volume"]) == [3.0, 1.0, 4.0, 1.0]
    assert list(bars["is_final"]) == [True, True, True, False]
    assert list(bars["first_time"]) == list(bars.index) == [noon(0), noon(0.5), noon(59.999), noon(60)]


def test_a_trade_larger_than_a_bar_leaves_bars_out_and_is_whole():
    bars = qr.prep.bars(tape((0, 1.0, 10.0, "buy"), (1, 1.0, 1.0, "buy")), 3.0, by="volume", final=False)
    assert list(bars["volume"]) == [10.0, 1.0]
    assert list(bars["is_final"]) == [True, False]


def test_sums_that_floats_miss_are_met():
    tenths = tape(*[(n, 3.0, 0.1, "buy") for n in range(30)])
    assert 0.1 * 3 != 0.3
    assert list(qr.prep.bars(tenths, 1.0, by="volume")["num_trades"]) == [10, 10, 10]
    assert list(qr.prep.bars(tenths, 3.0, by="dollar")["num_trades"]) == [10, 10, 10]


def test_sums_beyond_64_bits_are_met():
    large = tape(*[(n, 1.0, 3e10, "buy") for n in range(40)])
    assert list(qr.prep.bars(large, 3e10, by="volume")["num_trades"]) == [1] * 40
    alternate = tape(*[(n, 1.0, 3e10, ("buy", "sell")[n // 2 % 2]) for n in range(40)])
    assert list(qr.prep.bars(alternate, 3e10, by="imbalance")["num_trades"]) == [1] * 40
    assert list(qr.prep.bars(large, 4e10, by="imbalance")["num_trades"]) == [2] * 20


def test_several_bars_may_begin_at_one_time_and_stand_in_their_order():
    at_once = tape(*[(0, float(n), 1.0, "buy") for n in range(1, 7)])
    bars = qr.prep.bars(at_once, 2, by="tick")
    assert list(bars.index) == [noon(0)] * 3
    assert list(bars["open"]) == [1.0, 3.0, 5.0]


def test_equal_trades_make_equal_bars_by_imbalance():
    bars = qr.prep.bars(tape(*[(n, 5.0, 0.106, "buy") for n in range(200)]), 0.1, by="imbalance")
    assert list(bars["num_trades"]) == [1] * 200


def test_an_imbalance_may_go_either_way():
    trades = tape(*[(n, 1.0, 1.0, "buy") for n in range(3)], *[(3 + n, 1.0, 1.0, "sell") for n in range(3)], (9, 1.0, 1.0, "buy"))
    bars = qr.prep.bars(trades, 3, by="imbalance", bound=1, final=False)
    assert list(bars["num_trades"]) == [3, 3, 1]
    assert list(bars["is_final"]) == [True, True, False]


@pytest.mark.parametrize("length", [256, 257, 768, 769])
def test_a_long_bar_by_imbalance_ends_where_it_should(length):
    """The end of a bar is looked for in ever longer stretches, of 256 trades first."""
    one_way = tape(*[(n, 1.0, 1.0, "sell") for n in range(2_000)])
    bars = qr.prep.bars(one_way, length, by="imbalance", bound=1)
    assert list(bars["num_trades"]) == [length] * (2_000 // length)


def test_the_threshold_stays_within_its_bounds():
    """Of trades that all go one way the textbook's threshold grows without end: each bar overshoots it."""
    random = np.random.default_rng(1)
    amounts = np.round(random.exponential(30, 20_000), 3)
    one_way = tape(*[(n / 10, 1.0, float(a), "buy") for n, a in enumerate(amounts)])
    for bound in (1, 2, 5.5):
        sums = qr.prep.bars(one_way, 100, by="imbalance", bound=bound)["volume"]
        assert sums.min() >= 100 / bound
        assert sums.max() <= 100 * bound + amounts.max()
    both_ways = one_way.assign(side=random.choice(["buy", "sell"], len(one_way)))
    bars = qr.prep.bars(both_ways, 100, by="imbalance")
    assert (bars["buy_volume"] - bars["sell_volume"]).abs().min() >= 50
    assert len(bars) > 1_000


def test_each_series_by_itself_in_order_of_time_exchange_and_symbol():
    eth = tape((0, 5.0, 1.0, "buy"), (70, 6.0, 1.0, "sell"), symbol="ETHUSDT")
    okx = tape((30, 7.0, 1.0, "buy"), (59, 8.0, 2.0, "sell"), exchange="okx")
    both = pd.concat([TRADES, eth, okx]).sort_index(kind="stable")
    bars = qr.prep.bars(both, "1m", start="2026-03-02 12:00", end="2026-03-02 12:03")
    found = list(zip(bars.index, bars["exchange"], bars["symbol"], bars["num_trades"], strict=True))
    assert found == [
        (noon(0), "binance", "BTCUSDT", 4),
        (noon(0), "binance", "ETHUSDT", 1),
        (noon(0), "okx", "BTCUSDT", 2),
        (noon(60), "binance", "BTCUSDT", 1),
        (noon(60), "binance", "ETHUSDT", 1),
        (noon(120), "binance", "BTCUSDT", 1),
    ]
    ticks = qr.prep.bars(both, 2, by="tick")
    assert list(ticks["exchange"]) == ["binance", "binance", "binance", "okx", "binance"]


def test_a_symbol_beyond_the_documented_ones_is_appended():
    bars = qr.prep.bars(tape((0, 1.0, 1.0, "buy"), symbol="UNIUSDT"), 1, by="tick")
    assert list(bars["symbol"]) == ["UNIUSDT"]
    assert bars["symbol"].cat.categories[-1] == "UNIUSDT"


def test_no_trades_make_no_bars_with_all_columns():
    for every, by in (("1m", "time"), (5, "tick"), (5, "volume"), (5, "dollar"), (5, "imbalance")):
        bars = qr.prep.bars(TRADES.iloc[:0], every, by)
        assert (len(bars), list(bars.columns)) == (0, COLUMNS)
        assert bars.dtypes.equals(qr.prep.bars(TRADES, "1m").dtypes)
        assert bars.index.dtype == "datetime64[us, UTC]"


def test_the_zone_and_the_unit_of_the_frame():
    tokyo = TRADES.set_axis(TRADES.index.tz_convert("Asia/Tokyo").as_unit("ns"), axis=0)
    bars = qr.prep.bars(tokyo, "1m")
    assert str(bars.index.dtype) == "datetime64[us, Asia/Tokyo]"
    assert list(bars.index) == [noon(0), noon(60)]


def test_the_frame_is_neither_changed_nor_shared():
    before = TRADES.copy(deep=True)
    bars = qr.prep.bars(TRADES, 1, by="tick")
    bars.loc[:, "open"] = -1.0
    bars.loc[:, "volume"] = -1.0
    pd.testing.assert_frame_equal(TRADES, before)
    assert (bars["high"] > 0).all()


def test_volume_of_nothing_has_no_average_price():
    bars = qr.prep.bars(tape((0, 5.0, 0.0, "buy")), 1, by="tick")
    assert np.isnan(bars["vwap"].iloc[0])
    assert bars["quote_volume"].iloc[0] == 0.0


def test_a_trade_of_neither_side_counts_in_the_volume_alone():
    bars = qr.prep.bars(tape((0, 5.0, 1.0, "buy"), (1, 5.0, 2.0, "none"), (2, 5.0, 4.0, "sell")), 3, by="tick")
    assert bars.iloc[0][["volume", "buy_volume", "sell_volume"]].to_list() == [7.0, 1.0, 4.0]


def test_flow():
    flow = qr.prep.flow(TRADES, "1m", start="2026-03-02 12:00")
    sums = ["buy_volume", "sell_volume", "signed_volume", "imbalance"]
    assert list(flow.columns) == ["exchange", "symbol", *sums, "num_trades", "available_at"]
    assert list(flow.index) == [noon(0), noon(60)]
    assert [list(flow[c]) for c in sums] == [
        [2.0, 0.5],
        [6.0, 0],
        [-4.0, 0.5],
        [-0.5, 1],
    ]
    assert list(flow["num_trades"]) == [4, 1]
    assert str(flow["available_at"].dtype) == "datetime64[us, UTC]"
    assert list(flow["available_at"]) == [noon(60), noon(120)]
    assert list(qr.prep.flow(TRADES, "1m", start="2026-03-02 12:00", lag="250ms")["available_at"]) == [noon(60.25), noon(120.25)]
    none = qr.prep.flow(tape((0, 5.0, 0.0, "buy"), (61, 5.0, 0.0, "buy")), "1m")
    assert list(none["imbalance"].isna()) == [True]


def test_flow_is_joined_once_it_is_known():
    flow = qr.prep.flow(TRADES, "1m", start="2026-03-02 12:00")
    asked = pd.DataFrame({"symbol": "BTCUSDT"}, index=pd.DatetimeIndex([noon(s) for s in (30, 59.999, 60, 119.999, 120)]))
    asked["available_at"] = asked.index
    joined = qr.prep.asof(asked, flow, max_age="1h", by="symbol", suffix="_flow")
    assert list(joined["num_trades_flow"].fillna(0)) == [0, 0, 4, 4, 1]

    late = qr.prep.flow(TRADES, "1m", start="2026-03-02 12:00", lag="1s")
    assert list(qr.prep.asof(asked, late, max_age="1h", by="symbol")["num_trades_right"].fillna(0)) == [0, 0, 0, 4, 4]


# --- Against bars made trade by trade -------------------------------------------------------------------------------

KINDS = st.one_of(
    st.tuples(st.just("time"), st.sampled_from([1, 7, 1000, 60_000])),
    st.tuples(st.just("tick"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["volume", "imbalance"]), st.sampled_from([0.01, 0.1, 0.3, 1.0, 2.5])),
    st.tuples(st.just("dollar"), st.sampled_from([0.07, 1.0, 33.3, 500.0])),
)

SOME_TRADES = st.lists(
    st.tuples(
        st.sampled_from(["binance", "okx"]),
        st.sampled_from(["BTCUSDT", "UNIUSDT"]),
        st.integers(0, 400),  # milliseconds to the trade before
        st.integers(1, 20_000),  # ticks of 0.01
        st.integers(0, 300),  # lots of 0.001
        st.sampled_from(["buy", "sell"]),
    ),
    max_size=60,
)


def buys(*lots):
    return [("binance", "BTCUSDT", 0, 1, size, "buy") for size in lots]


@example(rows=buys(90, 300, 200, 150, 1), kind=("imbalance", 0.1), bound=3.5)  # the most that a threshold can be is met exactly
@given(rows=SOME_TRADES, kind=KINDS, bound=st.sampled_from([1.0, 2.0, 3.5]))
def test_as_made_trade_by_trade(rows, kind, bound):
    by, every = kind
    times = NOON_US + 1_000 * np.cumsum([0, *[row[2] for row in rows]])[1:]
    trades = [
        {"exchange": e, "symbol": s, "us": int(us), "price": price / 100, "amount": lots / 1_000, "side": side}
        for (e, s, _, price, lots, side), us in zip(rows, times, strict=True)
    ]
    index = pd.DatetimeIndex(times.astype("datetime64[us]"), name="timestamp", tz="UTC")
    frame = pd.DataFrame(trades, index=index, columns=["exchange", "symbol", "price", "amount", "side"]).astype(
        {"price": float, "amount": float}
    )
    expected = []
    for series in sorted({(t["exchange"], t["symbol"]) for t in trades}):
        mine = [t for t in trades if (t["exchange"], t["symbol"]) == series]
        try:
            places, full = places_by_hand(mine, by, every * 1_000 if by == "time" else every, bound)
        except TooCloseError:
            reject()
        bars = bars_by_hand(mine, places)
        for bar in bars:
            opened = bar["place"] * every * 1_000 if by == "time" else bar["first_us"]
            whole = bar["place"] < bars[-1]["place"] or full
            if by == "time":
                begun, ended = mine[0]["us"] - every * 1_000 // 60, mine[-1]["us"]
                whole = begun <= opened and opened + every * 1_000 <= ended
            expected.append(bar | {"opened": opened, "whole": whole})
    expected.sort(key=lambda bar: (bar["opened"], bar["exchange"], bar["symbol"], bar["place"]))
    options = {"bound": bound} if by == "imbalance" else {}
    made = qr.prep.bars(frame, f"{every}ms" if by == "time" else every, by, final=False, **options)
    assert list(made.index.as_unit("us").asi8) == [bar["opened"] for bar in expected]
    assert list(made["first_time"].astype("int64")) == [bar["first_us"] for bar in expected]
    assert list(made["last_time"].astype("int64")) == [bar["last_us"] for bar in expected]
    for column in ("exchange", "symbol", "open", "high", "low", "close", "num_trades"):
        assert list(made[column]) == [bar[column] for bar in expected], column
    for column in ("volume", "quote_volume", "buy_volume", "sell_volume", "vwap"):
        assert list(made[column]) == pytest.approx([bar[column] for bar in expected], rel=1e-12, nan_ok=True), column
    assert list(made["is_final"]) == [bar["whole"] for bar in expected]
