"""Features: their values by hand, NaN where they are not defined, and the same values when what comes later is cut off."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

NAN = float("nan")


def frame(seconds, **columns):
    index = pd.DatetimeIndex([pd.Timestamp("2026-03-02 12:00", tz="UTC") + pd.Timedelta(s, "s") for s in seconds], name="timestamp")
    return pd.DataFrame(columns, index=index.as_unit("us"))


def values(series):
    return series.to_list()


def same(found, expected):
    assert values(found) == pytest.approx(expected, rel=1e-12, abs=1e-15, nan_ok=True)


TWO = ["BTCUSDT", "ETHUSDT"]

# --- Returns --------------------------------------------------------------------------------------------------------


def test_a_candle_that_is_there_twice_is_refused():
    df = frame([0, 60, 60, 120], close=[1.0, 2.0, 2.0, 3.0], interval="1m", exchange="okx", symbol="BTCUSDT")
    for make in (lambda: qr.prep.log_returns(df), lambda: qr.prep.realised_volatility(df, 2)):
        with pytest.raises(qr.errors.InputError, match=r"df: has 1 rows whose .* another row has too.*keep the final one of each"):
            make()
    trades = df.drop(columns="interval")
    same(qr.prep.log_returns(trades), [NAN, math.log(2), 0.0, math.log(1.5)])


def test_log_returns_of_each_series():
    df = frame([0, 0, 60, 60, 180], symbol=["A", "B", "A", "B", "A"], close=[100.0, 10.0, 110.0, 5.0, 121.0])
    same(qr.prep.log_returns(df), [NAN, NAN, math.log(1.1), math.log(0.5), math.log(1.1)])
    # The last of A is two minutes after the one before it.
    same(qr.prep.log_returns(df, every="1m"), [NAN, NAN, math.log(1.1), math.log(0.5), NAN])
    assert qr.prep.log_returns(df).name == "log_return"


def test_a_price_that_is_none_has_no_return():
    df = frame(range(6), close=[1.0, NAN, 2.0, 0.0, -1.0, 3.0])
    assert np.isnan(qr.prep.log_returns(df)).all()


def test_realised_volatility_is_the_root_of_the_sum_of_squares():
    df = frame(range(5), close=np.exp([0.0, 0.1, 0.3, 0.2, 0.2]))
    same(qr.prep.realised_volatility(df, 2), [NAN, NAN, math.sqrt(0.05), math.sqrt(0.05), 0.1])
    same(qr.prep.realised_volatility(df, 2, per_year=200), [NAN, NAN, math.sqrt(5), math.sqrt(5), 1.0])
    same(qr.prep.realised_volatility(df, 5), [NAN] * 5)
    same(qr.prep.realised_volatility(df, 1), [NAN, 0.1, 0.2, 0.1, 0.0])
    both = pd.concat([df.assign(symbol="A"), df.assign(symbol="B")]).sort_index(kind="stable")
    same(qr.prep.realised_volatility(both, 2)[both["symbol"] == "B"], [NAN, NAN, math.sqrt(0.05), math.sqrt(0.05), 0.1])


def test_a_hole_in_the_window_leaves_no_volatility():
    df = frame([0, 60, 120, 240, 300, 360], close=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert list(qr.prep.realised_volatility(df, 2, every="1m").isna()) == [True, True, False, True, True, False]


# --- Trades, quotes and books ---------------------------------------------------------------------------------------


def test_signed_volume():
    df = frame(range(4), amount=[1.0, 2.0, 3.0, NAN], side=["buy", "sell", "unknown", "buy"])
    same(qr.prep.signed_volume(df), [1.0, -2.0, NAN, NAN])
    assert math.isnan(qr.prep.signed_volume(df.assign(side=[None, "sell", "buy", "buy"])).iloc[0])


def quotes(bid, bid_size, ask, ask_size, **other):
    return frame(range(len(bid)), bid_price=bid, bid_size=bid_size, ask_price=ask, ask_size=ask_size, **other)


def test_order_flow_imbalance_as_defined():
    df = quotes(
        [100.0, 100.0, 101.0, 101.0, 99.0, 99.0, 99.0],
        [5.0, 7.0, 3.0, 3.0, 4.0, NAN, 4.0],
        [102.0, 102.0, 102.0, 103.0, 101.0, 101.0, 101.0],
        [6.0, 6.0, 2.0, 8.0, 9.0, 9.0, 9.0],
    )
    # By turns: bid grows by 2; a better bid of 3 and 4 fewer asked; the ask of 2 goes; the bid of 3 goes, a better ask of 9 comes.
    same(qr.prep.order_flow_imbalance(df), [NAN, 2.0, 3.0 + 4.0, 2.0, -3.0 - 9.0, NAN, NAN])


def test_order_flow_imbalance_of_each_series():
    one = quotes([1.0, 1.0], [5.0, 7.0], [2.0, 2.0], [6.0, 6.0])
    both = pd.concat([one.assign(exchange="okx"), one.assign(exchange="bybit")]).sort_index(kind="stable")
    same(qr.prep.order_flow_imbalance(both), [NAN, NAN, 2.0, 2.0])


def test_spread_microprice_and_depth_imbalance():
    df = quotes([99.0, 101.0, NAN, 99.0], [3.0, 1.0, 1.0, 0.0], [101.0, 99.0, 101.0, 101.0], [1.0, 1.0, 1.0, 0.0])
    same(qr.prep.spread_bps(df), [200.0, -200.0, NAN, 200.0])
    same(qr.prep.microprice(df), [100.5, 100.0, NAN, NAN])
    same(qr.prep.depth_imbalance(df), [0.5, 0.0, 0.0, NAN])


def test_depth_imbalance_over_levels():
    sizes = {"bid_size_0": [1.0, 1.0, 1.0], "bid_size_1": [5.0, NAN, 0.0], "ask_size_0": [2.0, 2.0, 0.0], "ask_size_1": [0.0, 1.0, 0.0]}
    df = frame(range(3), **sizes)
    same(qr.prep.depth_imbalance(df), [-1 / 3, -1 / 3, 1.0])
    same(qr.prep.depth_imbalance(df, 2), [0.5, NAN, 1.0])
    with pytest.raises(qr.errors.UnknownNameError, match="bid_size_2"):
        qr.prep.depth_imbalance(df, 3)


def test_basis_and_carry():
    df = frame(
        range(3),
        mark_price=[101.0, 99.5, NAN],
        last_price=[102.0, 1.0, 1.0],
        index_price=[100.0, 100.0, 100.0],
        funding_rate=[1e-4, -2e-4, NAN],
    )
    same(qr.prep.basis(df), [100.0, -50.0, NAN])
    same(qr.prep.basis(df, "last_price"), [200.0, -9900.0, -9900.0])
    same(qr.prep.funding_carry(df), [0.1095, -0.219, NAN])
    same(qr.prep.funding_carry(df, "1h"), [0.876, -1.752, NAN])


# --- Two exchanges --------------------------------------------------------------------------------------------------


def test_cross_spread_takes_what_was_known_and_not_too_old():
    df = frame(
        [0, 1, 2, 3, 9, 9],
        exchange=["okx", "bybit", "okx", "okx", "bybit", "okx"],
        bid_price=[99.0, 98.0, 100.0, NAN, 200.0, 101.0],
        ask_price=[101.0, 102.0, 102.0, 101.0, 202.0, 103.0],
    )
    found = qr.prep.cross_spread(df, "okx", "bybit", max_age="1s")
    assert list(found.index) == list(df.index[[0, 2, 3, 5]])
    same(found["base_mid"], [100.0, 101.0, NAN, 102.0])
    same(found["other_mid"], [NAN, 100.0, NAN, 201.0])  # at 3 s it is two seconds old
    same(found["spread_bps"], [NAN, 100.0, NAN, (102 - 201) / 201 * 1e4])
    same(found["buy_edge_bps"], [NAN, (100 - 102) / 100 * 1e4, NAN, (101 - 202) / 201 * 1e4])
    same(found["sell_edge_bps"], [NAN, (98 - 102) / 100 * 1e4, NAN, (200 - 103) / 201 * 1e4])
    assert list(found["age"] / pd.Timedelta("1s"))[1::2] == [1.0, 0.0]
    assert list(found["age"].isna()) == [True, False, True, False]


def test_cross_spread_waits_for_what_was_received():
    df = frame(
        [0, 1, 2, 3, 20],
        exchange=["bybit", "bybit", "okx", "bybit", "okx"],
        bid_price=[98.0, 198.0, 99.0, 298.0, 101.0],
        ask_price=[102.0, 202.0, 101.0, 302.0, 103.0],
    )
    came = [0.25, 10.0, 3.5, 3.25, 20.5]  # the quote of 1 s is overtaken by that of 3 s
    df["received"] = df.index[0] + pd.to_timedelta(came, unit="s")
    found = qr.prep.cross_spread(df, "okx", "bybit", max_age="1m")
    same(found["other_mid"], [300.0, 300.0])
    assert list(found["age"] / pd.Timedelta("1s")) == [0.5, 17.5]
    found = qr.prep.cross_spread(df.iloc[[0, 1, 2]], "okx", "bybit", max_age="1m")
    same(found["other_mid"], [100.0])
    assert list(found["age"] / pd.Timedelta("1s")) == [3.5]
    late = df.iloc[[1, 2, 4]].assign(received=df.index[0] + pd.to_timedelta([541.0, 3.5, 541.0], unit="s"))
    same(qr.prep.cross_spread(late, "okx", "bybit", max_age="540s")["other_mid"], [NAN, 200.0])  # as it comes it is 9 minutes old
    same(qr.prep.cross_spread(late, "okx", "bybit", max_age="539s")["other_mid"], [NAN, NAN])


def test_who_leads_is_found():
    random = np.random.default_rng(5)
    steps = random.normal(0, 0.01, 400)
    seconds = np.arange(400)
    leader = frame(seconds, exchange="okx", close=np.exp(np.cumsum(steps)))
    follower = frame(seconds, exchange="bybit", close=np.exp(np.cumsum(np.roll(steps, 3)) + random.normal(0, 1e-4, 400)))
    df = pd.concat([leader, follower]).sort_index(kind="stable")
    found = qr.prep.lead_lag(df, "okx", "bybit", every="1s", lags=5)
    assert list(found.index) == list(range(-5, 6))
    assert found["correlation"].idxmax() == 3
    assert found["correlation"].loc[3] > 0.95
    assert found["correlation"].drop(3).abs().max() < 0.3
    assert found["seconds"].loc[3] == 3.0
    assert found["pairs"].loc[3] == 396
    # The other way round it is the other who leads.
    assert qr.prep.lead_lag(df, "bybit", "okx", every="1s", lags=5)["correlation"].idxmax() == -3
    a, b = np.diff(np.log(leader["close"]))[:-2], np.diff(np.log(follower["close"]))[2:]
    assert found["correlation"].loc[2] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9)


def test_lead_lag_leaves_holes_out_and_needs_pairs():
    df = pd.concat(
        [
            frame([0, 1, 2, 5, 6, 7], exchange="okx", close=[1.0, 2, 3, 4, 5, 7]),
            frame(range(8), exchange="bybit", close=np.exp(np.arange(8.0) ** 2)),
        ]
    ).sort_index(kind="stable")
    found = qr.prep.lead_lag(df, "okx", "bybit", every="1s", lags=6)
    assert found["pairs"].loc[0] == 4
    assert np.isnan(found["correlation"].loc[-6])
    assert found["pairs"].loc[-6] <= 2
    flat = df.assign(close=1.0)
    assert np.isnan(qr.prep.lead_lag(flat, "okx", "bybit", every="1s", lags=0)["correlation"].iloc[0])


# --- On the sample: nothing looks ahead, nothing is changed, nothing is shared --------------------------------------


@pytest.fixture(scope="module")
def sample():
    window = {"start": "2026-03-02 12:10", "end": "2026-03-02 12:30"}
    with qr.connect("sample") as con:
        yield {
            "bars": con.bars(TWO, "10s", exchange="all", **window),
            "trades": con.trades(TWO, **window),
            "one series": con.trades("BTCUSDT", **window),
            "tickers": con.tickers("BTCUSDT", exchange=["okx", "bybit"], **window),
            "tops": con.orderbook_tops(TWO, exchange="all", **window),
            "books": con.orderbooks("BTCUSDT", depth=3, exchange="all", **window),
        }


FEATURES = {
    "log_returns": ("bars", qr.prep.log_returns),
    "log_returns, adjacent": ("bars", lambda df: qr.prep.log_returns(df, every="10s")),
    "realised_volatility": ("bars", lambda df: qr.prep.realised_volatility(df, 7)),
    "signed_volume": ("trades", qr.prep.signed_volume),
    "order_flow_imbalance": ("tops", qr.prep.order_flow_imbalance),
    "depth_imbalance": ("books", lambda df: qr.prep.depth_imbalance(df, 3)),
    "spread_bps": ("tickers", qr.prep.spread_bps),
    "microprice": ("tops", qr.prep.microprice),
    "basis": ("tickers", qr.prep.basis),
    "funding_carry": ("tickers", qr.prep.funding_carry),
    "cross_spread": ("tickers", lambda df: qr.prep.cross_spread(df, "okx", "bybit", max_age="2s")),
    "bars": ("trades", lambda df: qr.prep.bars(df, "20s").set_index("last_time", append=True)),
    # Of several series a bar that began before another may end after it.
    "ticks": ("one series", lambda df: qr.prep.bars(df, 20, by="tick")),
    "volumes": ("one series", lambda df: qr.prep.bars(df, 5.0, by="volume")),
    "imbalances": ("one series", lambda df: qr.prep.bars(df, 2.0, by="imbalance")),
    "flow": ("trades", lambda df: qr.prep.flow(df, "20s")),
}


@pytest.mark.parametrize("name", FEATURES)
def test_cutting_off_what_comes_later_changes_no_value(sample, name):
    """A mean over the whole frame, a fill from behind or a centred window would show here."""
    source, feature = FEATURES[name]
    df = sample[source]
    whole = feature(df)
    assert len(whole) > 5
    for share in (0.2, 0.5, 0.83):
        # At a whole moment: rows of equal time are known together.
        moment = df.index[int(len(df) * share)]
        cut = feature(df[df.index <= moment])
        then = whole[whole.index.isin(cut.index)] if name == "cross_spread" else whole.iloc[: len(cut)]
        (pd.testing.assert_series_equal if isinstance(cut, pd.Series) else pd.testing.assert_frame_equal)(
            cut, then, check_exact=True, check_freq=False
        )


@pytest.mark.parametrize("name", FEATURES)
def test_the_frame_is_neither_changed_nor_shared(sample, name):
    source, feature = FEATURES[name]
    df = sample[source]
    before = df.copy(deep=True)
    found = feature(df)
    found.iloc[:] = found.iloc[::-1].to_numpy() if isinstance(found, pd.Series) else found.iloc[::-1]
    pd.testing.assert_frame_equal(df, before)


@pytest.mark.parametrize("name", FEATURES)
def test_no_rows_give_no_values(sample, name):
    source, feature = FEATURES[name]
    if name == "cross_spread":
        return  # it has to know the two exchanges
    none = feature(sample[source].iloc[:0])
    assert len(none) == 0
    kinds = none.dtype if isinstance(none, pd.Series) else list(none.dtypes)
    whole = feature(sample[source])
    assert kinds == (whole.dtype if isinstance(whole, pd.Series) else list(whole.dtypes))


# --- Bad input ------------------------------------------------------------------------------------------------------

PRICES = frame(range(3), close=[1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("call", "argument", "said"),
    [
        (lambda: qr.prep.log_returns(PRICES.iloc[::-1]), "df", "sort_index"),
        (lambda: qr.prep.log_returns(PRICES, "clos"), "df", "did you mean 'close'?"),
        (lambda: qr.prep.log_returns(PRICES, every="0s"), "every", "longer than zero"),
        (lambda: qr.prep.log_returns(PRICES, every=5), "every", "a length of time"),
        (lambda: qr.prep.log_returns(PRICES.assign(close="1")), "df", "df['close'].astype('float64')"),
        (lambda: qr.prep.log_returns(PRICES.assign(close=True)), "df", "not of numbers"),
        (lambda: qr.prep.log_returns(PRICES.tz_localize(None)), "df", "tz_localize"),
        (lambda: qr.prep.realised_volatility(PRICES, 0), "window", "at least 1"),
        (lambda: qr.prep.realised_volatility(PRICES, 2.0), "window", "whole number"),
        (lambda: qr.prep.realised_volatility(PRICES, 2, per_year=0), "per_year", "above zero"),
        (lambda: qr.prep.realised_volatility(PRICES, 2, per_year=NAN), "per_year", "above zero"),
        (lambda: qr.prep.depth_imbalance(PRICES, 0), "depth", "whole number"),
        (lambda: qr.prep.depth_imbalance(PRICES), "df", "bid_size_0"),
        (lambda: qr.prep.depth_imbalance(None), "df", "NoneType"),
        (lambda: qr.prep.funding_carry(PRICES.assign(funding_rate=1.0), period=8), "period", "not a duration"),
        (
            lambda: qr.prep.cross_spread(quotes([1.0], [1.0], [1.0], [1.0], exchange="okx"), "okx", "bybt", max_age="1s"),
            "other",
            "allowed: okx",
        ),
        (
            lambda: qr.prep.cross_spread(quotes([1.0], [1.0], [1.0], [1.0], exchange="okx"), "okx", "okx", max_age="0s"),
            "max_age",
            "longer than zero",
        ),
        (
            lambda: qr.prep.cross_spread(
                quotes([1.0] * 2, [1.0] * 2, [1.0] * 2, [1.0] * 2, exchange="okx", symbol=TWO), "okx", "okx", max_age="1s"
            ),
            "df",
            "mixes 2 symbols (BTCUSDT, ETHUSDT) where two exchanges are set beside one another",
        ),
        (lambda: qr.prep.lead_lag(PRICES.assign(exchange="okx"), "okx", "okx", every="1s", lags=-1), "lags", "at least 0"),
        (lambda: qr.prep.lead_lag(PRICES.assign(exchange="okx"), "okx", "okx", every=1), "every", "a length of time"),
        (
            lambda: qr.prep.lead_lag(PRICES.iloc[[0, 0, 1]].assign(exchange=["okx", "okx", "bybit"]), "okx", "bybit", every="1s"),
            "df",
            "twice",
        ),
        (
            lambda: qr.prep.cross_spread(quotes([1.0], [1.0], [1.0], [1.0], exchange="okx"), "okx", "okx", max_age="1s"),
            "other",
            "as base is",
        ),
        (lambda: qr.prep.lead_lag(PRICES.assign(exchange="okx"), "okx", "okx", every="1s"), "other", "as base is"),
    ],
    ids=range(23),
)
def test_what_cannot_be_used_is_refused(call, argument, said):
    with pytest.raises(qr.errors.InputError) as caught:
        call()
    assert caught.value.argument == argument
    assert said in str(caught.value)


# --- What a frame says of itself is heeded --------------------------------------------------------------------------


def test_sides_written_otherwise_are_refused():
    trades = pd.DataFrame(
        {"price": 1.0, "amount": [1.0, 2.0], "side": ["BUY", "SELL"], "exchange": "okx", "symbol": "BTCUSDT"},
        index=pd.date_range("2026-03-02 12:00", periods=2, freq="1s", tz="UTC"),
    )
    for call in (qr.prep.signed_volume, lambda df: qr.prep.flow(df, "1m"), lambda df: qr.prep.bars(df, 1, by="tick")):
        with pytest.raises(qr.errors.InputError, match=r"df: has 'BUY' in 'side' where 'buy' or 'sell' is needed; .*str\.lower"):
            call(trades)
    assert qr.prep.signed_volume(trades.assign(side=trades["side"].str.lower())).tolist() == [1.0, -2.0]
    neither = trades.assign(side=pd.Categorical(["buy", "unknown"], categories=["buy", "SELL", "unknown"]))
    assert qr.prep.signed_volume(neither).tolist()[:1] == [1.0]  # a name that no row has is no fault


def test_updates_of_books_are_no_quotes():
    tops = quotes([1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [1.0, 1.0]).assign(is_snapshot=[True, False])
    for call in (qr.prep.order_flow_imbalance, qr.prep.spread_bps, qr.prep.microprice, qr.prep.depth_imbalance):
        with pytest.raises(qr.errors.InputError, match=r"df: holds 1 updates of books .* row 1, .*qr\.prep\.rebuild"):
            call(tops)
        assert len(call(tops.assign(is_snapshot=True))) == 2


def test_books_by_level_are_told_how_to_be_quotes():
    levels = {"bid_price": "bid_price_0", "bid_size": "bid_size_0", "ask_price": "ask_price_0", "ask_size": "ask_size_0"}
    books = quotes([1.0], [1.0], [2.0], [1.0]).rename(columns=levels)
    with pytest.raises(qr.errors.InputError, match=r"level by level; name the best one: df\.rename\(columns=\{'bid_price_0': 'bid_price'"):
        qr.prep.order_flow_imbalance(books)


def test_candles_of_several_intervals_are_not_mixed():
    mixed = PRICES.assign(interval=["1h"] + ["1m"] * (len(PRICES) - 1))
    for call in (qr.prep.log_returns, lambda df: qr.prep.realised_volatility(df, 2)):
        with pytest.raises(
            qr.errors.InputError,
            match=r"df: mixes 2 intervals \(1h, 1m\) where candles of one length are meant; choose one: df\[df\['interval'\] == '1h'\]",
        ):
            call(mixed)


def test_a_length_that_no_two_rows_lie_apart_is_refused():
    with pytest.raises(qr.errors.InputError, match="every: '7m' lies between no two rows; they are"):
        qr.prep.log_returns(PRICES, every="7m")
    with pytest.raises(qr.errors.InputError, match="every: lies between no two of these bars"):
        qr.prep.lead_lag(qr.concat([PRICES.assign(exchange=name) for name in ("okx", "bybit")]).sort_index(), "okx", "bybit", every="7m")
    with pytest.raises(qr.errors.InputError, match="column: 8760 must be the name of a column"):
        qr.prep.realised_volatility(PRICES, 2, 8760)
