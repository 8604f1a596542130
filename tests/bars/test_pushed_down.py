"""Bars and flow out of ClickHouse: as of the frame of the same trades, however sliced, and never of what is not known yet."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from archives import trade, utc, write
from bars_by_hand import COLUMNS
from hypothesis import example, given, settings
from hypothesis import strategies as st

import qalypto_research as qr
from qalypto_research.history import assembling, reading

pytestmark = pytest.mark.contract

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
BOTH = ["BTCUSDT", "UNIUSDT"]
KINDS = [("1m", "time"), ("7s", "time"), (7, "tick"), (2.5, "volume"), (300.0, "dollar"), (3.0, "imbalance")]


def assert_same(ours, theirs, **options):
    pd.testing.assert_frame_equal(ours, theirs, check_exact=not options, **options)


def of_frame(con, every, by, *, final=True, **window):
    """Return the bars that NumPy makes of the trades in `window`."""
    covered = {"start": window["start"], "end": window["end"]} if by == "time" else {}
    return qr.prep.bars(con.trades(BOTH, exchange="all", **window), every, by, final=final, **covered)


# --- Literals -------------------------------------------------------------------------------------------------------


def test_one_bar(connect, tmp_path):
    rows = [
        trade("12:00:59.999", 101.0, 4.0, side="sell"),
        trade("12:00:00.000", 100.0, 1.0),
        trade("12:00:00.500", 99.0, 1.0, trade_id="10"),
        trade("12:00:00.500", 102.0, 2.0, trade_id="9", side="sell"),
        trade("12:01:00.000", 1.0, 1.0),
        trade("11:59:59.999", 1.0, 1.0),
    ]
    write(tmp_path, "trade", rows)
    bars = connect(tmp_path, at="2026-03-02 12:02").bars("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 12:01")
    assert list(bars.columns) == COLUMNS
    assert (list(bars.index), str(bars.index.dtype), bars.index.name) == ([utc("12:00")], "datetime64[us, UTC]", "timestamp")
    assert bars.iloc[0].to_dict() == {
        "exchange": "binance", "symbol": "BTCUSDT", "open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0, "volume": 8.0,
        "quote_volume": 807.0, "vwap": 100.875, "num_trades": 4, "buy_volume": 2.0, "sell_volume": 6.0, "first_time": utc("12:00"),
        "last_time": utc("12:00:59.999"), "is_final": True, "available_at": utc("12:01"),
    }  # fmt: skip
    expected = (
        ["category"] * 2 + ["float64"] * 7 + ["int64"] + ["float64"] * 2 + ["datetime64[us, UTC]"] * 2 + ["bool", "datetime64[us, UTC]"]
    )
    assert [str(dtype) for dtype in bars.dtypes] == expected


@pytest.mark.parametrize(
    ("ids", "first", "last"),
    [
        (["10", "9", "11"], 1, 2),  # by value
        (["b", "a", "c"], 1, 2),  # by spelling
        (["b", "7", "a"], 1, 0),  # numbers first
        (["18446744073709551615", "7", "18446744073709551616"], 1, 2),
    ],
    ids=str,
)
def test_of_equal_times_the_ids_tell_the_first_and_the_last(connect, tmp_path, ids, first, last):
    write(tmp_path, "trade", [trade("12:00", float(n), trade_id=i) for n, i in enumerate(ids)])
    con = connect(tmp_path, at="2026-03-02 12:02")
    for every, by in (("1m", "time"), (3, "tick"), (3.0, "volume"), (3.0, "imbalance")):
        bars = con.bars("BTCUSDT", every, by, start="2026-03-02 12:00")
        assert (bars["open"].iloc[0], bars["close"].iloc[0]) == (first, last), by


@pytest.mark.embedded
def test_of_equal_ids_the_arrival_tells(connect, tmp_path):
    seen = ["12:00:03", "12:00:05", "12:00:05", "12:00:04"]
    rows = [trade("12:00", float(n), trade_id="5", _seen=s, _seq=q) for n, (s, q) in enumerate(zip(seen, [9, 3, 2, 8], strict=True))]
    write(tmp_path, "trade", rows)
    con = connect(tmp_path, at="2026-03-02 12:02")
    for every, by in (("1m", "time"), (4, "tick")):
        bars = con.bars("BTCUSDT", every, by, start="2026-03-02 12:00")
        assert (bars["open"].iloc[0], bars["close"].iloc[0]) == (0.0, 1.0)


def test_a_trade_of_neither_side_counts_in_the_volume_alone(connect, tmp_path):
    rows = [trade(f"12:00:0{n}", 5.0, 2.0**n, side=side) for n, side in enumerate(["buy", "none", "sell"])]
    write(tmp_path, "trade", rows)
    con = connect(tmp_path, at="2026-03-02 12:02")
    for every, by in (("1m", "time"), (3, "tick"), (3.0, "imbalance")):
        bars = con.bars("BTCUSDT", every, by, start="2026-03-02 12:00", final=False)
        assert bars.iloc[0][["volume", "buy_volume", "sell_volume"]].to_list() == [7.0, 1.0, 4.0], by
    flow = con.flow("BTCUSDT", "1m", start="2026-03-02 12:00")
    assert flow.iloc[0][["buy_volume", "sell_volume", "num_trades"]].to_list() == [1.0, 4.0, 3]


def test_whole_bars_alone_unless_asked(connect, tmp_path):
    write(tmp_path, "trade", [trade(f"12:0{m}:30", float(m)) for m in range(5)])
    con = connect(tmp_path, at="2026-03-02 12:04:40")
    # The table begins within the first, the last is not over.
    assert list(con.bars("BTCUSDT", "1m", start="2026-03-02 12:00")["open"]) == [1.0, 2.0, 3.0]
    running = con.bars("BTCUSDT", "1m", start="2026-03-02 12:00", final=False)
    assert list(running["open"]) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert list(running["is_final"]) == [False, True, True, True, False]
    assert list(con.bars("BTCUSDT", "1m", minutes=2)["open"]) == [2.0, 3.0]
    assert list(con.bars("BTCUSDT", "1m", minutes=2, final=False)["open"]) == [2.0, 3.0, 4.0]
    assert list(con.bars("BTCUSDT", "1m", limit=2)["open"]) == [2.0, 3.0]
    assert list(con.bars("BTCUSDT", "1m", start="2026-03-02 12:01:01", end="2026-03-02 12:03:01")["open"]) == [2.0, 3.0]
    assert list(con.bars("BTCUSDT", 2, "tick", start="2026-03-02 12:00")["open"]) == [0.0, 2.0]
    assert list(con.bars("BTCUSDT", 2, "tick", start="2026-03-02 12:00", final=False)["is_final"]) == [True, True, False]
    assert list(con.bars("BTCUSDT", 2, "tick", start="2026-03-02 12:00", limit=1)["open"]) == [2.0]
    assert list(con.flow("BTCUSDT", "1m", minutes=2)["buy_volume"]) == [1.0, 1.0]


LATE = [
    *[trade(f"12:0{m}:10", float(m), symbol="BTCUSDT") for m in range(6)],
    *[trade(f"12:0{m}:30", float(m), symbol="ETHUSDT") for m in (2, 3, 5)],
    *[trade(f"12:0{m}:00.400", float(m), symbol="ETHUSDT", exchange="okx") for m in (3, 4, 5)],
]
"""A recording of three series that begin apart; only the last with a bar."""


def test_a_series_begins_with_its_own_first_trade(connect, tmp_path):
    write(tmp_path, "trade", LATE)
    con = connect(tmp_path, at="2026-03-02 12:06")
    pairs = {"BTCUSDT": "binance", "ETHUSDT": "all"}
    bars = con.bars(list(pairs), "1m", exchange="all", start="2026-03-02 12:00", final=False)
    cut = bars[~bars["is_final"]]
    assert list(zip(cut.index, cut["exchange"], cut["symbol"], strict=True)) == [
        (utc("12:00"), "binance", "BTCUSDT"),
        (utc("12:02"), "binance", "ETHUSDT"),
    ]
    assert (len(bars), cut["available_at"].isna().all()) == (12, True)
    # What is asked of one series does not hang on what else is asked, nor on where the range begins.
    for symbol, exchange in pairs.items():
        for start in ("12:00", "12:02", "12:03"):
            mine = con.bars(symbol, "1m", exchange=exchange, start=f"2026-03-02 {start}", final=False)
            assert_same(mine, bars[(bars["symbol"] == symbol) & (bars.index >= utc(start))])
    # A quiet time is no begin.
    assert con.bars("ETHUSDT", "1m", start="2026-03-02 12:04")["is_final"].tolist() == [True]
    # Nor is one that is longer than is looked back at first.
    write(tmp_path, "trade", [trade("08:00", symbol="ETHUSDT"), trade("12:05:59", symbol="BTCUSDT", exchange="okx")], name="far")
    far = connect(tmp_path, at="2026-03-02 12:06")
    assert far.bars(list(pairs), "1m", exchange="all", start="2026-03-02 12:00", final=False)["is_final"].tolist().count(False) == 2


def test_flow_begins_where_its_series_does(connect, tmp_path):
    write(tmp_path, "trade", LATE)
    con = connect(tmp_path, at="2026-03-02 12:06")

    def opens(symbol, **ask):
        return [f"{at:%M}" for at in con.flow(symbol, "1m", **ask).index]

    since = {"start": "2026-03-02 12:00"}
    assert opens("BTCUSDT", **since) == ["01", "02", "03", "04", "05"]
    assert opens("ETHUSDT", **since) == ["03", "05"]
    assert opens("ETHUSDT", exchange="okx", **since) == ["03", "04", "05"]
    assert opens(["BTCUSDT", "ETHUSDT"], exchange="all", **since) == ["01", "02", "03", "03", "03", "04", "04", "05", "05", "05"]
    assert opens("ETHUSDT", start="2026-03-02 12:03", columns="imbalance") == ["03", "05"]
    assert con.flow("ETHUSDT", "1m", columns="imbalance", **since).columns.tolist() == ["imbalance"]
    # What is left out is made up for from further back, as far as there is more.
    assert opens("ETHUSDT", limit=3) == ["03", "05"]
    assert opens(["BTCUSDT", "ETHUSDT"], limit=6) == ["02", "03", "03", "04", "05", "05"]
    assert opens(["BTCUSDT", "ETHUSDT"], limit=8) == ["01", "02", "03", "03", "04", "05", "05"]


@pytest.mark.embedded
def test_what_was_not_seen_yet_is_in_no_bar(connect, tmp_path):
    rows = [trade("12:00:10", 1.0, _seen="12:00:11"), trade("12:00:20", 9.0, _seen="12:05"), trade("12:00:30", 2.0, _seen="12:00:31")]
    write(tmp_path, "trade", [trade("11:59:30", 5.0, _seen="11:59:31"), *rows])
    for at, high, count in (("12:01", 2.0, 2), ("12:04:59.999", 2.0, 2), ("12:05", 9.0, 3)):
        con = connect(tmp_path, at=f"2026-03-02 {at}")
        for every, by in (("1m", "time"), (10, "tick"), (100.0, "imbalance")):
            (bar,) = con.bars("BTCUSDT", every, by, start="2026-03-02 12:00", final=False).to_dict("records")
            assert (bar["high"], bar["num_trades"]) == (high, count)
        assert list(con.flow("BTCUSDT", "1m", start="2026-03-02 12:00")["num_trades"]) == [count]


@pytest.mark.embedded
def test_a_delay_moves_the_end_of_whole_bars(connect, tmp_path):
    write(tmp_path, "trade", [trade(f"12:0{m}", float(m)) for m in range(5)])
    bars = [
        connect(tmp_path, at="2026-03-02 12:03:10", **delay).bars("BTCUSDT", "1m", start="2026-03-02 12:00")
        for delay in ({}, {"ingestion_delay": "11s"})
    ]
    assert [len(b) for b in bars] == [3, 2]


def test_facts_columns_zone_and_size(connect, tmp_path):
    write(tmp_path, "trade", [trade(f"12:0{m}", float(m)) for m in range(5)])
    con = connect(tmp_path, at="2026-03-02 12:10")
    bars = con.bars("BTCUSDT", "1m", start="2026-03-02 12:00", columns=["close", "vwap"], tz="Asia/Tokyo")
    assert list(bars.columns) == ["vwap", "close"][::-1]
    assert str(bars.index.dtype) == "datetime64[us, Asia/Tokyo]"
    facts = bars.attrs["qalypto"]
    assert (facts["asked"]["call"], facts["asked"]["by"], facts["asked"]["every"]) == ("bars", "time", "1m")
    assert facts["window"] == ["2026-03-02T12:00:00+00:00", "2026-03-02T12:10:00+00:00"]
    assert con.bars("BTCUSDT", 2.5, "volume", start="2026-03-02 12:00").attrs["qalypto"]["asked"]["every"] == 2.5
    with pytest.raises(qr.errors.ResultTooLargeError, match="5 rows"):
        con.bars("BTCUSDT", "1m", start="2026-03-02 12:00", max_bytes=300)
    empty = con.bars("BTCUSDT", "1m", start="2026-03-02 12:08")
    assert (len(empty), list(empty.columns)) == (0, COLUMNS)
    assert empty.dtypes.equals(con.bars("BTCUSDT", "1m", limit=1).dtypes)


@pytest.mark.parametrize("broken", [{"price": float("nan")}, {"amount": float("inf")}], ids=str)
def test_what_is_no_number_is_refused_by_name(connect, tmp_path, broken):
    write(tmp_path, "trade", [trade("12:00", 1.0), trade("12:01:30", **{"price": 1.0} | broken), trade("12:02", 1.0)])
    con = connect(tmp_path, at="2026-03-02 12:10")
    for every, by in (("1m", "time"), (1, "tick"), (1.0, "volume"), (1.0, "imbalance")):
        with pytest.raises(qr.errors.DataError, match=r"binance BTCUSDT at 2026-03-02 12:01:30.*no.* a finite number"):
            con.bars("BTCUSDT", every, by, start="2026-03-02 12:00", final=False)


# --- Coins of which a hundred thousand make a dollar ----------------------------------------------------------------

COIN = 2.0**-17


def coins(connect, folder, amounts):
    """Return a connection to trades of so many coins, one a second, and the frame of them."""
    rows = [trade(utc("12:00") + pd.Timedelta(n, "s"), COIN, amount, trade_id=str(n)) for n, amount in enumerate(amounts)]
    write(folder, "trade", rows)
    con = connect(folder, at="2026-03-02 12:01")
    return con, con.trades("BTCUSDT", start="2026-03-02 12:00")


def outcomes(con, trades, every, by, **options):
    """Return what ClickHouse and NumPy make: bars, or the kind of error."""
    made = []
    covered = {"end": "2026-03-02 12:01"} if by == "time" else {}
    for make in (
        lambda: con.bars("BTCUSDT", every, by, start="2026-03-02 12:00", final=False, **options),
        lambda: qr.prep.bars(trades, every, by, final=False, **options, **covered),
    ):
        try:
            made.append(make())
        except (qr.errors.DataError, qr.errors.InputError) as error:
            made.append(error)
    return made


@pytest.mark.parametrize("slice_rows", [2, 1_000])
@pytest.mark.parametrize(("every", "by", "options"), [(4e10, "volume", {}), (4e10 * COIN, "dollar", {}), (4e10, "imbalance", {"bound": 1})])
def test_bars_of_very_many_coins_are_exact(connect, tmp_path, monkeypatch, every, by, options, slice_rows):
    con, trades = coins(connect, tmp_path, [3e10, 1e11, 2e10, 1e11, 5e10, 2e17, 7.0])
    monkeypatch.setattr(reading, "SLICE_ROWS", slice_rows)
    ours, theirs = outcomes(con, trades, every, by, **options)
    for bars in (ours, theirs):
        # End to end, in 1e10: 0 to 3 to 13, to 15 to 25, to 30, to twenty million more, and 7 coins.
        assert list(bars["volume"]) == [1.3e11, 1.2e11, 5e10, 2e17, 7.0]
        assert list(bars["num_trades"]) == [2, 2, 1, 1, 1]
        assert list(bars["is_final"]) == [True, True, True, True, False]
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("amount", "refused"),
    [(5e10, ()), (1e18, ()), (2e18, ("volume", "imbalance")), (2e23, ("volume", "dollar", "imbalance"))],
    ids=str,
)
def test_both_take_what_they_need_not_count_and_refuse_what_they_cannot(connect, tmp_path, amount, refused):
    con, trades = coins(connect, tmp_path, [1.0, amount, 2.0])
    for every, by in (("1s", "time"), (1, "tick"), (0.5, "volume"), (0.5, "dollar"), (0.5, "imbalance")):
        ours, theirs = outcomes(con, trades, every, by)
        if by in refused:
            assert (type(ours), type(theirs)) == (qr.errors.DataError, qr.errors.InputError), by
            assert "can be counted" in str(ours), by
            assert "can be counted" in str(theirs), by
        else:
            assert_same(ours, theirs)
            assert ours["volume"].max() == max(amount, 1.0 + amount if by == "dollar" else 0.0), by
    flow = con.flow("BTCUSDT", "1s", start="2026-03-02 12:00")
    assert list(flow["buy_volume"]) == [1.0, amount, 2.0]
    assert_same(flow, qr.prep.flow(trades, "1s", end="2026-03-02 12:01"))


def test_more_bars_than_can_be_told_apart_are_refused(connect, tmp_path):
    for made in outcomes(*coins(connect, tmp_path, [1.0, 1e17, 2.0]), 1e-8, "volume"):
        assert (type(made), made.argument) == (qr.errors.InputError, "every")


# --- The same as of the frame ---------------------------------------------------------------------------------------


def rows_of(random, count):
    """Return trades of four series with many ties: prices are quarters and amounts eighths, so that sums are exact."""
    offsets = np.sort(random.integers(0, 3_600_000, count) // 500 * 500)
    ids = [
        ["", "x", "aa"][k] if k < 3 else str(int(n))
        for k, n in zip(random.integers(0, 12, count), random.integers(0, 60, count), strict=True)
    ]
    return [
        trade(
            utc("12:00") + pd.Timedelta(int(ms), "ms"),
            float(price) / 4,
            float(amount) / 8,
            side=("buy", "sell")[side],
            exchange=("okx", "binance")[exchange],
            symbol=BOTH[symbol],
            trade_id=i,
            _seq=n,
            _seen=utc("12:00") + pd.Timedelta(int(ms), "ms"),
        )
        for n, (ms, price, amount, side, exchange, symbol, i) in enumerate(
            zip(
                offsets,
                random.integers(1, 400, count),
                random.integers(0, 40, count),
                *(random.integers(0, 2, count) for _ in range(3)),
                ids,
                strict=True,
            )
        )
    ]


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bars")
    # Each series has begun before: no bar of what follows is cut by that.
    begun = [trade("11:59:50", exchange=exchange, symbol=symbol) for exchange in ("binance", "okx") for symbol in BOTH]
    rows = begun + rows_of(np.random.default_rng(20260302), 3_000)
    for n in range(3):
        write(folder, "trade", rows[n::3], name=str(n))
    with qr.connect(folder, at="2026-03-02 14:00") as connection:
        yield connection


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(("every", "by"), KINDS)
def test_as_numpy_makes_them_to_the_last_bit(con, every, by, final):
    ours = con.bars(BOTH, every, by, exchange="all", final=final, **WINDOW)
    assert len(ours) > 50
    # The first bar of 7 s opens before the window: ClickHouse is asked for bars that open within it.
    theirs = of_frame(con, every, by, final=final, **WINDOW)
    theirs = theirs[theirs.index >= utc("12:00")]
    theirs = theirs[theirs.index + pd.Timedelta(every) <= utc("13:00")] if by == "time" else theirs
    ours = ours[ours.index + pd.Timedelta(every) <= utc("13:00")] if by == "time" else ours
    assert_same(ours, theirs)


@pytest.mark.parametrize(("every", "by"), [*KINDS, ("1h", "time")])
def test_slices_change_nothing(con, monkeypatch, every, by):
    """Bars reach over slices, one of an hour over all of them; and what a series has behind it is carried on."""
    ask = {"exchange": "all", "final": False, **WINDOW}
    whole = con.bars(BOTH, every, by, **ask)
    monkeypatch.setattr(reading, "SLICE_ROWS", 200)
    monkeypatch.setattr(assembling, "_WAITING", 100)
    sliced = con.bars(BOTH, every, by, **ask)
    assert len(sliced.attrs["qalypto"]["query_ids"]) > len(whole.attrs["qalypto"]["query_ids"])
    assert_same(sliced, whole)


@pytest.mark.embedded  # the service's clock cannot be set
def test_the_newest_bars_of_a_long_table_are_whole(con, connect, monkeypatch):
    """They are first looked for in the last hour, whose begin lies within a bar of seven seconds."""
    later = connect(con.target, at="2026-03-02 13:30")
    whole = later.bars(BOTH, "7s", exchange="all", start="2026-03-02 11:59")
    in_the_hour = int((whole.index >= utc("12:30")).sum())
    monkeypatch.setattr(reading, "SLICE_ROWS", 1_000)
    monkeypatch.setattr(assembling, "SLICE_ROWS", 1_000)
    for limit in (1, *range(in_the_hour - 2, in_the_hour + 5)):
        assert_same(later.bars(BOTH, "7s", exchange="all", limit=limit), whole.tail(limit))
    assert_same(later.bars(BOTH, "7s", exchange="all", limit=len(whole) + 5), whole)


def test_one_series_is_what_it_is_among_others(con):
    for every, by in KINDS:
        among = con.bars(BOTH, every, by, exchange="all", **WINDOW)
        mine = among[(among["exchange"] == "okx") & (among["symbol"] == "UNIUSDT")]
        alone = con.bars("UNIUSDT", every, by, exchange="okx", **WINDOW)
        assert len(alone)
        assert_same(alone, mine)


@pytest.mark.parametrize("every", ["1s", "7s", "1m", "1h"])
def test_flow_as_numpy_makes_it(con, monkeypatch, every):
    ours = con.flow(BOTH, every, exchange="all", **WINDOW)
    theirs = qr.prep.flow(con.trades(BOTH, exchange="all", **WINDOW), every, start="2026-03-02 12:00", end="2026-03-02 13:00")
    assert len(ours)
    ours = ours[ours.index + pd.Timedelta(every) <= utc("13:00")]
    assert_same(ours, theirs)
    bars = con.bars(BOTH, every, exchange="all", **WINDOW)
    bars = bars[bars.index + pd.Timedelta(every) <= utc("13:00")]
    assert_same(ours[["buy_volume", "sell_volume", "num_trades"]], bars[["buy_volume", "sell_volume", "num_trades"]])
    monkeypatch.setattr(reading, "SLICE_ROWS", 300)
    late = con.flow(BOTH, every, exchange="all", lag=pd.Timedelta("1500us"), **WINDOW)
    assert (late["available_at"] == late.index + pd.Timedelta(every) + pd.Timedelta("1500us")).all()
    sliced = con.flow(BOTH, every, exchange="all", **WINDOW)
    assert_same(sliced[sliced.index + pd.Timedelta(every) <= utc("13:00")], theirs)


@pytest.mark.embedded
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60), kind=st.sampled_from(KINDS), most=st.sampled_from([15, 1_000]))
@example(seed=241, count=19, kind=("7s", "time"), most=15)  # its first trade is in such a bar
def test_any_few_trades(tmp_path_factory, seed, count, kind, most):
    folder = tmp_path_factory.mktemp("few")  # of trades from 12:00 on, before which a bar of 7 s may open
    write(folder, "trade", rows_of(np.random.default_rng(seed), count))
    every, by = kind
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), qr.connect(folder, at="2026-03-02 14:00") as con:
        warnings.simplefilter("ignore", qr.errors.GapWarning)  # the trades may begin late
        patch.setattr(reading, "SLICE_ROWS", most)
        names = {"symbols": list(con.symbols()["symbol"].unique()), "exchange": "all"}
        trades = con.trades(**names, limit=100)
        ours = con.bars(**names, every=every, by=by, final=False, start="2026-03-02 11:59:50", end="2026-03-02 13:00")
        # Where each series begins they know alike; at the end the clock knows more.
        covered = {"end": "2026-03-02 14:00"} if by == "time" else {}
        theirs = qr.prep.bars(trades, every, by, final=False, **covered)
        assert_same(ours, theirs)
        if by == "time":
            flow = con.flow(**names, every=every, start="2026-03-02 11:59:50", end="2026-03-02 13:00")
            assert_same(flow, qr.prep.flow(trades, every, end="2026-03-02 14:00"))
