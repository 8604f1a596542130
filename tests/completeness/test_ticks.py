"""Coverage of trades, tickers and order books: repeats and silences, on archives written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from archives import book, klines, ticker, trade, utc, write


def times(first, seconds):
    """Return moments `seconds` after `first`."""
    return [utc(first) + pd.Timedelta(milliseconds=round(1_000 * s)) for s in seconds]


def every(first, step, count):
    return times(first, np.arange(count) * step)


@pytest.fixture
def covered(connect, tmp_path):
    """Return a function that writes tables and returns their coverage."""

    def of(at=None, asked=None, **tables):
        for table, rows in tables.items():
            write(tmp_path, table, rows)
        return connect(tmp_path, at=at and utc(at)).coverage(**(asked or {}))

    return of


def repeats(there):
    return there.series["duplicated"].tolist()


def silences(there):
    found = there.holes
    return [(f"{a:%H:%M:%S}", f"{b:%H:%M:%S}", c) for a, b, c in zip(found["from"], found["to"], found["cause"], strict=True)]


# --- Repeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1", "2", "3"], 0),
        (["1", "2", "2", "2"], 2),
        (["", "", ""], 0),
        (["", "5", "", "5"], 1),
        (["7", "07", "+7", " 7", "7.0", "0007"], 0),  # Read as a number they are one; they are six.
        (["7", "07", "7"], 1),
        (["7", "+7"], 0),
        (["0", "0", "00"], 1),
        (["18446744073709551617", "1"], 0),  # 2 to the 64th and 1: the same in 64 bits
        (["9999999999999999999", "9999999999999999999", "99999999999999999999"], 1),
        (["b", "6294355645245719615"], 0),  # The second is the first one's xxh3.
        (["b", "6294355645245719615", "b"], 1),
        (["a-1", "a-2", "a-1", "A-1"], 1),
        (["a", "1", "a", "1", ""], 2),
        (["٣", "٣", "3"], 1),
    ],
)
@pytest.mark.parametrize("step", [1, 45, 4_000])
def test_repeated_trade_ids(covered, ids, expected, step):
    """Whether the repeats lie in one minute, in two or hours apart."""
    rows = [trade(t, trade_id=i) for t, i in zip(every("01:00", step, len(ids)), ids, strict=True)]
    there = covered(trade=rows)
    assert repeats(there) == [expected]
    assert there.series["rows"].tolist() == [len(ids)]


def test_one_id_on_two_series_is_no_repeat(covered):
    rows = [trade("10:00", trade_id="1"), trade("10:00", trade_id="1", symbol="ETHUSDT"), trade("10:00", trade_id="1", exchange="okx")]
    assert repeats(covered(trade=rows)) == [0, 0, 0]


def test_ids_that_run_backwards_or_interleave_are_counted_all_the_same(covered):
    ids = [50, 40, 60, 30, 41, 50, 10, 60, 41, 5]
    rows = [trade(t, trade_id=str(i)) for t, i in zip(every("10:00", 30, 10), ids, strict=True)]
    assert repeats(covered(trade=rows)) == [3]


@pytest.mark.parametrize("seed", range(5))
def test_repeats_against_pandas(covered, seed):
    rng = np.random.default_rng(seed)
    when = np.sort(rng.uniform(0, 3_600, 400))
    kinds = (
        [str(i) for i in rng.integers(1, 600, 200)],
        [f"x{i}" for i in rng.integers(1, 300, 100)],
        [str(i) for i in 10**6 + np.arange(100)],
    )
    ids = [i for kind in kinds for i in kind]
    rows = [
        trade(t, trade_id=i, symbol=s) for t, i, s in zip(times("10:00", when), ids, rng.choice(["BTCUSDT", "ETHUSDT"], 400), strict=True)
    ]
    frame = pd.DataFrame(rows)
    expected = frame.duplicated(["symbol", "trade_id"]).groupby(frame["symbol"]).sum()
    assert repeats(covered(trade=rows)) == expected.tolist()


def test_tickers_repeat_only_where_every_column_is_equal(covered):
    rows = [
        ticker("10:00"),
        ticker("10:00"),
        ticker("10:00", last_price=101.0),
        ticker("10:00", bid_price=1.0),
        ticker("10:01"),
        ticker("10:00"),
    ]
    assert repeats(covered(ticker=rows)) == [2]


def test_books_repeat_only_where_every_column_is_equal(covered):
    rows = [book("10:00"), book("10:00", sequence_id="2"), book("10:00"), book("10:00", bid=None), book("10:00", bid=None)]
    assert repeats(covered(orderbook=rows)) == [2]


def test_repeats_not_seen_yet_do_not_count(covered):
    rows = [
        trade("10:00", trade_id="1", _seen="10:00"),
        trade("10:00", trade_id="1", _seen="10:05"),
        trade("10:04", trade_id="2", _seen="10:04"),
    ]
    there = covered(at="10:04:30", trade=rows)
    assert (there.series["rows"].tolist(), repeats(there)) == ([2], [0])


# --- Silences --------------------------------------------------------------------------------------------------------


def test_a_silence_of_even_ticks(covered):
    there = covered(ticker=[ticker(t) for t in [*every("10:00", 15, 60), *every("10:17", 15, 60)]])
    assert silences(there) == [("10:14:45", "10:17:00", "silence")]
    assert there.holes["bars"].isna().all()
    assert there.series[["expected", "missing", "zero_volume"]].isna().all(axis=None)


def test_just_under_a_minute_is_no_silence(covered):
    assert covered(ticker=[ticker(t) for t in [*every("10:00", 1, 600), *times("10:00", [658.9]), *every("10:11", 1, 600)]]).holes.empty


def test_to_the_millisecond(covered):
    there = covered(ticker=[ticker(t) for t in [*every("10:00:00.250", 1, 600), *every("10:11:00.251", 1, 600)]])
    (hole,) = there.holes.to_dict("records")
    assert (hole["from"], hole["to"]) == (utc("10:09:59.250"), utc("10:11:00.251"))


def test_a_quiet_symbol_is_not_silent(covered):
    assert covered(ticker=[ticker(t) for t in every("2026-03-02 00:00", 600, 140)]).holes.empty


@pytest.mark.parametrize("pace", [0.5, 5, 60, 900])
@pytest.mark.parametrize("seed", range(3))
def test_ticks_that_come_at_random_are_not_silent(covered, seed, pace):
    waits = np.random.default_rng(seed).exponential(pace, 800)
    assert covered(trade=[trade(t) for t in times("2026-03-02 00:00", np.cumsum(waits))]).holes.empty


def test_random_ticks_with_an_outage(covered):
    waits = np.random.default_rng(1).exponential(2.0, 2_000)
    waits[700] = 400.0
    stamps = times("2026-03-02 00:00", np.cumsum(waits))
    there = covered(trade=[trade(t) for t in stamps])
    assert there.holes[["from", "to", "cause"]].to_numpy().tolist() == [[stamps[699], stamps[700], "silence"]]


def test_an_outage_longer_than_all_else_does_not_hide_a_shorter_one(covered):
    stamps = [*every("2026-03-02 00:00", 1, 1_000), *every("2026-03-02 00:20", 1, 1_000), *every("2026-03-12 00:00", 1, 1_000)]
    there = covered(ticker=[ticker(t) for t in stamps])
    assert there.holes[["from", "to"]].to_numpy().tolist() == [[stamps[999], stamps[1_000]], [stamps[1_999], stamps[2_000]]]


def test_too_few_rows_have_no_pace(covered):
    assert covered(at="23:00", ticker=[ticker(t) for t in every("10:00", 1, 9)]).holes.empty


def test_the_silence_up_to_now(covered):
    there = covered(at="10:12", ticker=[ticker(t) for t in every("10:00", 1, 600)])
    assert silences(there) == [("10:09:59", "10:12:00", "silence")]


def test_the_silence_up_to_the_end_of_the_range(covered):
    rows = [ticker(t) for t in [*every("10:00", 1, 600), *every("10:20", 1, 600)]]
    there = covered(asked={"end": "2026-03-02 10:15"}, ticker=rows)
    assert silences(there) == [("10:09:59", "10:15:00", "silence")]


def test_a_range_that_begins_before_the_series_does(covered):
    there = covered(asked={"start": "2026-03-02 09:00"}, ticker=[ticker(t) for t in every("10:00", 1, 600)])
    assert silences(there) == [("09:00:00", "10:00:00", "before the first row")]


def test_a_range_that_begins_in_a_silence(covered):
    rows = [ticker(t) for t in [*every("10:00", 1, 600), *every("10:20", 1, 600)]]
    there = covered(asked={"start": "2026-03-02 10:15"}, ticker=rows)
    assert silences(there) == [("10:15:00", "10:20:00", "silence")]


def test_a_range_without_a_row(covered):
    rows = [ticker(t) for t in [*every("10:00", 1, 600), *every("10:20", 1, 600)]]
    there = covered(asked={"start": "2026-03-02 10:12", "end": "2026-03-02 10:15"}, ticker=rows)
    assert silences(there) == [("10:12:00", "10:15:00", "silence")]
    assert there.series["rows"].tolist() == [0]
    assert there.series["last"].isna().all()


def test_rows_ahead_of_their_timestamps_are_not_looked_for(covered):
    rows = [ticker(t, _seen=t + pd.Timedelta("30s")) for t in every("10:00", 1, 900)]
    there = covered(at="10:12", ticker=rows)
    assert there.series[["rows", "last"]].to_numpy().tolist() == [[691, utc("10:11:30")]]
    assert there.holes.empty


# --- Outages ---------------------------------------------------------------------------------------------------------

UP = [*every("10:00", 1, 600), *every("10:13", 1, 600)]
SLOW = every("10:00", 40, 35)


def outage(exchange="bitget"):
    """Return tables of an exchange that was down from 10:10 to 10:13, one of its series too slow to show it."""
    slow = [t for t in SLOW if not utc("10:10") <= t < utc("10:13")]
    return {"ticker": [ticker(t, exchange=exchange) for t in UP], "trade": [trade(t, exchange=exchange) for t in random_ticks(slow)]}


def random_ticks(stamps):
    """Return `stamps` moved about by some seconds, but for those around the outage."""
    rng = np.random.default_rng(3)
    keep = (utc("10:09:20"), utc("10:13:20"))
    return sorted(t if t in keep else t + pd.Timedelta(milliseconds=int(rng.integers(0, 19_000))) for t in stamps)


def test_an_exchange_silent_as_a_whole(covered):
    there = covered(**outage())
    assert [c for *_, c in silences(there)] == ["silence, all of bitget"] * 2
    assert there.holes["table"].tolist() == ["trade", "ticker"]
    assert silences(there)[1][:2] == ("10:09:59", "10:13:00")


def test_another_exchange_has_no_part_in_it(covered):
    tables = outage()
    tables["ticker"] += [ticker(t) for t in every("10:00", 1, 1_400)]
    there = covered(**tables)
    assert set(there.holes["exchange"]) == {"bitget"}
    assert set(there.holes["cause"]) == {"silence, all of bitget"}


def test_where_one_series_goes_on_it_is_no_outage(covered):
    tables = outage()
    tables["ticker"] += [ticker(t, exchange="bitget", symbol="ETHUSDT") for t in every("10:00", 1, 1_400)]
    assert silences(covered(**tables)) == [("10:09:59", "10:13:00", "silence")]


def test_where_a_series_is_left_out_nothing_is_said_of_all(covered):
    assert silences(covered(asked={"tables": "ticker"}, **outage())) == [("10:09:59", "10:13:00", "silence")]


def test_a_lone_series_is_not_all(covered):
    assert silences(covered(ticker=[ticker(t) for t in UP])) == [("10:09:59", "10:13:00", "silence")]


def test_candles_are_no_ticks(covered):
    there = covered(ticker=[ticker(t) for t in UP], kline=klines("10:00", 22))
    assert silences(there) == [("10:09:59", "10:13:00", "silence")]
