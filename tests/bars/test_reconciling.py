"""Where bars and candles differ, and what is said to be the cause."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qalypto_research as qr

NAN = float("nan")
LESS = "missing trades"
MORE = "more trades than the venue counts"
OPENED = "venue opens at the close before"


def at(minute):
    return pd.Timestamp("2026-03-02 12:00", tz="UTC") + pd.Timedelta(minute, "min")


def candles(*rows, symbol="BTCUSDT", interval="1m", **other):
    """Return candles given as (minute, open, high, low, close, volume, quote_volume, num_trades)."""
    names = ["open", "high", "low", "close", "volume", "quote_volume", "num_trades"]
    frame = pd.DataFrame([row[1:] for row in rows], columns=names, dtype=float)
    frame.index = pd.DatetimeIndex([at(row[0]) for row in rows], name="timestamp").as_unit("us")
    return frame.assign(exchange="binance", symbol=symbol, interval=interval, **{"is_final": True} | other)


def bars(*rows, **other):
    frame = candles(*rows)
    return frame.drop(columns="interval").assign(**{"last_time": frame.index} | other)


def found(*frames, **options):
    """Return what differs, by minute and column: ours, theirs, cause."""
    answer = qr.prep.reconcile(*frames, **options)
    assert list(answer.columns) == ["exchange", "symbol", "column", "ours", "theirs", "difference", "cause"]
    minutes = ((answer.index - at(0)) // pd.Timedelta("1min")).tolist()
    return list(zip(minutes, answer["column"], answer["ours"], answer["theirs"], answer["cause"], strict=True))


SAME = (0, 10.0, 12.0, 9.0, 11.0, 5.0, 55.0, 4)
NEXT = (1, 11.5, 12.0, 11.0, 11.25, 2.5, 28.0, 3)


def test_equal_bars_differ_nowhere():
    answer = qr.prep.reconcile(bars(SAME, NEXT), candles(SAME, NEXT))
    assert len(answer) == 0
    assert [str(d) for d in answer.dtypes] == ["category", "category", "str", "float64", "float64", "float64", "str"]
    assert answer.index.dtype == "datetime64[us, UTC]"


def test_what_the_venue_does_not_give_is_not_compared():
    assert found(bars(SAME), candles((*SAME[:6], NAN, NAN))) == []


def test_up_to_the_tolerance_numbers_are_the_same():
    near = (*SAME[:5], 5.0 * (1 + 1e-10), *SAME[6:])
    assert found(bars(SAME), candles(near)) == []
    assert [row[1] for row in found(bars(SAME), candles(near), rtol=1e-11)] == ["volume"]


def differing(cause, *columns):
    return [(column, cause) for column in columns]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((1, 11.5, 12.0, 11.0, 11.25, 2.0, 22.0, 2), NEXT, differing(LESS, "volume", "quote_volume", "num_trades")),
        ((1, 11.75, 12.0, 11.0, 11.25, 2.0, NAN, 3), (*NEXT[:6], NAN, NAN), differing(LESS, "open", "volume")),
        ((1, 11.5, 12.0, 11.0, 11.25, 3.0, 34.0, 4), NEXT, differing(MORE, "volume", "quote_volume", "num_trades")),
        ((1, 11.5, 12.0, 11.0, 11.25, 2.5, 28.0004, 3), NEXT, differing("venue rounds", "quote_volume")),
        (NEXT, (1, 11.0, 12.0, 11.0, 11.25, 2.5, 28.0, 3), differing(OPENED, "open")),
        ((1, 11.5, 12.0, 11.2, 11.25, 2.5, 28.0, 3), (1, 11.0, 12.0, 11.0, 11.25, 2.5, 28.0, 3), differing(OPENED, "open", "low")),
        (NEXT, (1, 11.5, 13.0, 11.0, 11.25, 2.5, 28.0, 3), differing("unexplained", "high")),
        (NEXT, (1, 11.5, 12.0, 11.0, 11.25, 2.5, 31.0, 3), differing("unexplained", "quote_volume")),
    ],
    ids=range(8),
)
def test_causes(ours, theirs, expected):
    # A third with decimals, by which it is seen how many the venue has.
    third = (2, 11.0, 11.0, 11.0, 11.0, 1.123, 12.34, 1)
    rows = found(bars(SAME, ours, third), candles(SAME, theirs, third))
    assert [(column, cause) for minute, column, _, _, cause in rows if minute == 1] == expected
    assert {row[0] for row in rows} == {1}


def test_the_close_before_is_that_of_the_candle_just_before():
    late = (2, 11.5, 12.0, 11.0, 11.25, 2.5, 28.0, 3)
    carried = (2, 11.0, 12.0, 11.0, 11.25, 2.5, 28.0, 3)  # opens at the close of two minutes before
    assert found(bars(SAME, late), candles(SAME, carried)) == [(2, "open", 11.5, 11.0, "unexplained")]
    # It may lie before the time that both span.
    assert found(bars(NEXT), candles(SAME, (1, 11.0, *NEXT[2:]))) == [(1, "open", 11.5, 11.0, OPENED)]


def test_a_bar_or_a_candle_that_is_not_there():
    last = (2, *NEXT[1:])
    none = pytest.approx(NAN, nan_ok=True)
    assert found(bars(SAME, last), candles(SAME, NEXT, last)) == [(1, "volume", none, 2.5, LESS)]
    assert found(bars(SAME, NEXT, last), candles(SAME, last)) == [(1, "volume", 2.5, none, "no candle")]
    silent = (1, 11.0, 11.0, 11.0, 11.0, 0.0, 0.0, 0)
    assert found(bars(SAME, last), candles(SAME, silent, last)) == []


NOTHING = (NAN,) * 7


def test_what_a_bar_does_not_give_differs():
    none = pytest.approx(NAN, nan_ok=True)
    last = (2, *NEXT[1:])
    # As it is left by fill: no bar.
    assert found(bars(SAME, (1, *NOTHING), last), candles(SAME, NEXT, last)) == [(1, "volume", none, 2.5, LESS)]
    assert found(bars(SAME, NEXT, last), candles(SAME, (1, *NOTHING), last)) == [(1, "volume", 2.5, none, "no candle")]
    assert found(bars(SAME, (1, *NOTHING), last), candles(SAME, (1, *NOTHING), last)) == []
    without = (1, NAN, *NEXT[2:])
    assert found(bars(SAME, without), candles(SAME, NEXT)) == [(1, "open", none, 11.5, "unexplained")]
    assert found(bars(SAME, NEXT), candles(SAME, without)) == []


@pytest.mark.parametrize(
    ("traded", "column", "value"),
    [
        ((NAN, NAN, 3), "num_trades", 3.0),
        ((NAN, 28.0, 3), "quote_volume", 28.0),
        ((2.5, NAN, NAN), "volume", 2.5),
        ((NAN, NAN, 0), None, 0),
    ],
    ids=str,
)
def test_a_candle_that_tells_of_trades_in_any_way_needs_a_bar(traded, column, value):
    last = (2, *NEXT[1:])
    rows = found(bars(SAME, last), candles(SAME, (*NEXT[:5], *traded), last))
    assert rows == ([(1, column, pytest.approx(NAN, nan_ok=True), value, LESS)] if column else [])


def test_bars_with_a_hole_that_was_filled_lack_what_was_left_out():
    window = {"exchange": "binance", "start": "2026-03-02 12:00", "end": "2026-03-02 12:10"}
    with qr.connect("sample") as con:
        made, theirs = con.bars("BTCUSDT", "1m", **window), con.klines("BTCUSDT", "1m", **window)
    holed = made.drop(made.index[4])
    for frame in (holed, qr.prep.fill(holed, "leave")):
        answer = qr.prep.reconcile(frame, theirs)
        assert [(f"{at:%H:%M}", cause) for at, cause in answer["cause"].items()] == [("12:04", LESS)]


def test_only_the_time_that_both_span():
    assert found(bars(SAME, NEXT), candles(NEXT)) == []
    assert found(bars(NEXT), candles(SAME, NEXT, (2, *NEXT[1:]))) == []


def test_what_is_not_whole_says_so_itself():
    less = (0, 10.0, 11.0, 9.0, 11.0, 1.0, 9.0, 1)
    for frames in ((bars(less, is_final=False), candles(SAME)), (bars(less), candles(SAME, is_final=False))):
        rows = found(*frames)
        assert {row[4] for row in rows} == {"partial coverage"}
        assert [row[1] for row in rows] == ["high", "volume", "quote_volume", "num_trades"]


def trades(ids, amounts, minute=0):
    index = pd.DatetimeIndex([at(minute) + pd.Timedelta(n, "s") for n in range(len(ids))], name="timestamp").as_unit("us")
    columns = {"exchange": "binance", "symbol": "BTCUSDT", "price": 10.0, "amount": amounts, "side": "buy", "trade_id": ids}
    return pd.DataFrame(columns, index=index)


@pytest.mark.parametrize("none", ["", None])
def test_repeated_ids_are_told_from_other_surplus(none):
    again = trades(["1", "2", "2", none, none], [1.0, 2.0, 2.0, 1.0, 1.0])
    made = qr.prep.bars(again, "1m", start=at(0), end=at(1))
    venue = candles((0, 10.0, 10.0, 10.0, 10.0, 5.0, 50.0, 4))
    assert {row[4] for row in found(made, venue, trades=again)} == {"repeated ids"}
    assert {row[4] for row in found(made, venue)} == {MORE}
    other = candles((0, 10.0, 10.0, 10.0, 10.0, 4.5, 45.0, 3))
    assert {row[4] for row in found(made, other, trades=again)} == {MORE}


def test_several_series_are_held_against_their_own():
    ours = pd.concat([bars(SAME), bars(SAME).assign(symbol="ETHUSDT")])
    theirs = pd.concat([candles(SAME), candles((*SAME[:5], 6.0, *SAME[6:]), symbol="ETHUSDT")])
    answer = qr.prep.reconcile(ours, theirs)
    assert list(answer["symbol"]) == ["ETHUSDT"]
    assert list(answer["difference"]) == [-1.0]


@pytest.mark.parametrize(
    ("frames", "argument", "said"),
    [
        ((bars(SAME, SAME), candles(SAME)), "bars", "twice"),
        ((bars(SAME), candles(SAME, SAME)), "klines", "binance BTCUSDT of 2026-03-02 12:00:00+00:00 twice"),
        ((bars(SAME), pd.concat([candles(SAME), candles(SAME, interval="5m")])), "klines", "mixes candles of 1m and 5m"),
        ((bars(NEXT), candles(SAME, interval="5m")), "bars", "no candle opens"),
        ((bars(SAME, last_time=at(1)), candles(SAME)), "bars", "reaches beyond its candle"),
        ((bars(NEXT, SAME), candles(SAME)), "bars", "not in order of time"),
        ((bars(SAME).drop(columns="volume"), candles(SAME)), "bars", "'volume'"),
        ((candles(SAME), bars(SAME)), "bars", "'last_time'"),
        (
            (bars(SAME), candles(NEXT)),
            "klines",
            "share no time with bars, so that nothing could be compared: bars go from 2026-03-02 12:00",
        ),
        ((bars(SAME).iloc[:0], candles(SAME)), "bars", "has no rows"),
        ((bars(SAME), candles(SAME).iloc[:0]), "klines", "has no rows"),
    ],
    ids=range(11),
)
def test_frames_that_cannot_be_compared(frames, argument, said):
    with pytest.raises(qr.errors.InputError) as caught:
        qr.prep.reconcile(*frames)
    assert caught.value.argument == argument
    assert said in str(caught.value)


@pytest.mark.parametrize("rtol", [-1, 1, NAN, "1e-9"])
def test_a_tolerance_that_is_none(rtol):
    with pytest.raises(qr.errors.InputError, match="rtol"):
        qr.prep.reconcile(bars(SAME), candles(SAME), rtol=rtol)


def test_the_frames_are_left_as_they_are():
    ours, theirs = bars(SAME, NEXT), candles(SAME, (*NEXT[:5], 9.0, *NEXT[6:]))
    before = ours.copy(deep=True), theirs.copy(deep=True)
    qr.prep.reconcile(ours, theirs)
    pd.testing.assert_frame_equal(ours, before[0])
    pd.testing.assert_frame_equal(theirs, before[1])


def test_the_blemishes_of_the_sample_are_found_and_nothing_else():
    """Bitget's connection is lost from 12:34:10 to 12:36:20, and okx sends a trade of 12:51 twice."""
    window = {"exchange": "all", "start": "2026-03-02 12:01"}  # the trades begin within the minute before
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]
    with qr.connect("sample") as con:
        made, trades_there = con.bars(symbols, "1m", **window), con.trades(symbols, **window)
        theirs = con.klines(symbols, "1m", gaps="ignore", **window)
    assert len(made) > 900
    answer = qr.prep.reconcile(made, theirs, trades=trades_there)
    causes = {(f"{t:%H:%M}", r.exchange, r.cause) for t, r in zip(answer.index, answer.itertuples(), strict=True)}
    assert causes == {
        ("12:34", "bitget", "no candle"),
        ("12:36", "bitget", LESS),
        ("12:51", "okx", "repeated ids"),
    }
    assert set(answer["symbol"][answer["exchange"] == "okx"]) == {"XRPUSDT"}
    assert np.isfinite(answer["ours"]).all()
