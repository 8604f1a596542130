"""What a live buffer keeps stays within bounds: whatever the clock does, and however many names a stream makes up."""

from __future__ import annotations

import json
import tracemalloc
from types import SimpleNamespace

import pytest
from streamed import NEVER_TOO_OLD, ROOM_FOR_ALL, book, kline, stored, ticker, trade

from qalypto_research.config import Settings
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.health import build_series
from qalypto_research.stream.hub import Hub
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.rows import Codes
from qalypto_research.stream.ticks import Ticks

HOUR_US = 3_600_000_000
NOON_US = 1_772_452_800_000_000
LOSSES = {"cf_access_client_id": "a", "cf_access_client_secret": "b"}


class Time:
    """A clock that may jump, and the seconds that have passed by the loop's, which cannot."""

    def __init__(self, pace=1.0):
        self.us, self.passed_s, self.pace = NOON_US, 0.0, pace

    def pass_(self, seconds):
        self.passed_s += seconds
        self.us += round(seconds * self.pace * 1e6)


@pytest.fixture
def clock():
    return Time()


def intake(clock, *, keep_us=60_000_000, max_bytes=ROOM_FOR_ALL):
    return Intake([Channel.parse("*")], None, keep_us=keep_us, max_bytes=max_bytes, now_us=lambda: clock.us, pace=lambda: clock.pace)


def take(into, clock, name):
    into.take(decode(trade("12:00", trade_id=name)), clock.us)


def ids(into):
    return "".join(into.store.frame(TRADE)["trade_id"])


def beat(into, clock, times, every_s=1):
    """Let time pass from beat to beat; return what was kept after each."""
    kept = []
    for _ in range(times):
        clock.pass_(every_s)
        into.beat(clock.passed_s)
        kept.append(ids(into))
    return kept


def told(into):
    return [(event.what, event.detail) for event in into.happenings()[0]]


# --- Clocks that jump ----------------------------------------------------------------------------------------------


def test_rows_are_kept_for_a_minute_by_a_clock_that_goes_right(clock):
    into = intake(clock)
    into.beat(0.0)
    take(into, clock, "a")
    clock.pass_(0.5)
    take(into, clock, "b")
    assert beat(into, clock, 62) == ["ab"] * 59 + ["b", "", ""]
    assert told(into) == []


def test_a_clock_that_goes_an_hour_ahead_ages_nothing_that_was_there(clock):
    into = intake(clock)
    into.beat(0.0)
    take(into, clock, "a")
    clock.us += HOUR_US
    assert beat(into, clock, 1) == ["a"]
    assert told(into) == [("clock", "the clock went 3,600 s ahead")]
    take(into, clock, "b")  # a second after the first, by any clock but this one
    assert beat(into, clock, 62) == ["ab"] * 59 + ["b", "", ""]
    assert len(told(into)) == 1


def test_a_clock_that_goes_an_hour_back_drops_nothing_early_and_rows_stay_as_they_arrived(clock):
    into = intake(clock)
    into.beat(0.0)
    take(into, clock, "a")
    clock.us -= HOUR_US
    assert beat(into, clock, 1) == ["a"]
    assert told(into) == [("clock", "the clock went 3,600 s back")]
    take(into, clock, "b")
    clock.pass_(1)
    take(into, clock, "c")
    frame = into.store.frame(TRADE)
    assert frame["trade_id"].tolist() == ["a", "b", "c"]
    assert [f"{at:%H:%M:%S}" for at in frame["received"]] == ["12:00:00", "11:00:01", "11:00:02"]
    kept = beat(into, clock, 370, every_s=10)
    assert kept == ["abc"] * 365 + [""] * 5  # up to a minute after the clock is where it was
    assert len(told(into)) == 1


def test_ahead_and_back_again(clock):
    into = intake(clock)
    into.beat(0.0)
    take(into, clock, "a")
    clock.us += HOUR_US
    assert beat(into, clock, 10) == ["a"] * 10
    take(into, clock, "b")
    clock.us -= HOUR_US
    assert beat(into, clock, 10) == ["ab"] * 10
    take(into, clock, "c")
    assert [detail for _, detail in told(into)] == ["the clock went 3,600 s ahead", "the clock went 3,600 s back"]
    # None of the three is a minute old before the 60th, 70th and 80th second.
    kept = beat(into, clock, 60)
    assert kept[:39] == ["abc"] * 39
    assert all("b" in names and "c" in names for names in kept[:49])
    assert all("c" in names for names in kept)
    assert beat(into, clock, 370, every_s=10)[-1] == ""
    assert len(told(into)) == 2


def test_a_clock_at_another_pace_jumps_where_its_own_pace_does_not_tell():
    clock = Time(pace=3600.0)
    into = intake(clock, keep_us=100 * HOUR_US)
    into.beat(0.0)
    take(into, clock, "a")
    for late_s in (0.003, -0.002, 0.004, 0.0, -0.003):
        clock.pass_(1)
        clock.us += round(late_s * 3600e6)  # it is looked at a little before or after the loop's
        into.beat(clock.passed_s)
    assert told(into) == []
    clock.us += 10 * HOUR_US
    beat(into, clock, 1)
    assert told(into) == [("clock", "the clock went 36,000 s ahead")]


def test_a_clock_that_stands_is_no_jump():
    clock = Time(pace=0.0)
    into = intake(clock)
    into.beat(0.0)
    take(into, clock, "a")
    assert beat(into, clock, 100) == ["a"] * 100
    assert told(into) == []


# --- Names made up -------------------------------------------------------------------------------------------------


def named(kind, count, *, of="symbol", first=0):
    """Return so many messages of a kind, each of another symbol or exchange, decoded."""
    made = {"trade": lambda **o: trade("12:00", trade_id="1", **o), "kline": lambda **o: kline("12:00", **o)}[kind]
    template = made(**{of: "MADEUP"})
    return [decode(template.replace(b"MADEUP", b"N%d" % n)) for n in range(first, first + count)]


def test_of_ten_times_too_many_symbols_those_there_is_room_for_are_kept(clock, monkeypatch):
    into = intake(clock, keep_us=NEVER_TOO_OLD)
    into.beat(0.0)
    for message in named("trade", 100_000):
        into.take(message, clock.us)
    take(into, clock, "late")  # of a symbol that is no exception
    clock.pass_(1)
    into.beat(clock.passed_s)
    assert into.store.count() == len(into.store.buffers()) == 10_000
    assert into.store.bad == {"trade": 90_001}
    assert [what for what, _ in told(into)] == ["bad"]
    assert told(into)[0][1].endswith("is one symbol too many; 10,000 are kept, of all types together")
    assert into.counts.total() == 100_001
    ordered, ranks = [], Codes.ranks
    monkeypatch.setattr(Codes, "ranks", lambda codes: (ordered.append(ranks(codes)), ordered[-1])[1])
    assert len(into.store.frame(TRADE)) == 10_000
    assert len(ordered) > 10_000
    assert len({id(order) for order in ordered}) == 2  # exchanges and symbols; not for each symbol all names anew


def test_what_many_symbols_take_is_counted_and_bounded(clock):
    into = intake(clock, keep_us=NEVER_TOO_OLD)
    first, second = named("trade", 5_000), named("kline", 5_000)
    tracemalloc.start()
    for message in (*first, *second):
        into.take(message, clock.us)
    into.store.tidy(0)
    taken = tracemalloc.get_traced_memory()[0]
    into.bound(NEVER_TOO_OLD, 20_000_000)
    into.store.tidy(0)
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 1.3 * 90_000_000
    assert 10_000_000 < into.store.nbytes <= 20_000_000
    assert left < 0.5 * taken
    assert into.store.count() + into.store.dropped == 10_000


def test_the_work_it_takes_grows_as_the_symbols_do(clock, monkeypatch):
    into = intake(clock, keep_us=NEVER_TOO_OLD, max_bytes=20_000_000)
    messages = named("trade", 10_000)
    there = into.store._buffers
    for message in messages:
        into.take(message, clock.us)
    assert into.store._buffers is there  # and no copy of it for each
    looks, squeezes = [], []
    nbytes, squeeze = Ticks.nbytes.fget, Ticks.squeeze
    monkeypatch.setattr(Ticks, "nbytes", property(lambda ticks: (looks.append(1), nbytes(ticks))[1]))
    monkeypatch.setattr(Ticks, "squeeze", lambda ticks: (squeezes.append(1), squeeze(ticks))[1])
    into.store.tidy(0)
    assert 1_000 < len(squeezes) <= 2 * 10_000
    assert len(looks) <= 10_000 + len(squeezes)  # each once, and whoever took less; not all of them for each
    assert into.store.nbytes <= 20_000_000


def test_whoever_looks_is_not_disturbed_by_what_is_added(clock):
    into = intake(clock)
    take(into, clock, "a")
    for _ in into.store.buffers():
        into.take(*(named("trade", 1)), clock.us)
    assert len(into.store.buffers()) == 2


def test_too_many_exchanges_are_counted_together(clock):
    into = intake(clock, keep_us=NEVER_TOO_OLD)
    into.beat(0.0)
    for message in (*named("trade", 30_000, of="exchange"), *named("kline", 30_000, of="exchange")):
        into.take(message, clock.us)
    for _ in range(70):
        clock.pass_(1)
        into.beat(clock.passed_s)
    # Four are documented, and of 20,000 names there is room for 19,996 more; candles come when the names are taken.
    assert len(into.store.frame(TRADE)) == 30_000 - into.store.bad["trade"] <= 20_000
    assert into.store.count("kline") == 30_000 - into.store.bad["kline"] <= 20_000
    assert len(into.store._codes["exchange"]) == 20_000
    assert len(into.store.buffers()["trade", "BTCUSDT"]._ids) == into.store.count("trade")
    assert into.counts.total() == 60_000
    assert into.counts["trade", "(others)"] == 29_600
    assert len(into.counts) == 402
    assert max(len(counts) for _, counts in into.rates) == 402
    assert set(into.lags) == {"(others)"}
    assert {what for what, _ in told(into)} == {"bad"}
    assert len(told(into)) == 2
    series = build_series(into, clock.us, 60_000_000)
    assert series["messages"].sum() == 60_000


def test_the_routes_of_a_hub_are_bounded(clock):
    hub = Hub(Settings.read({"username": "q", "password": "x"} | LOSSES).stream_access(), lambda: clock.us)
    into = intake(clock)
    hub._change((into,))
    for message in named("trade", 25_000):
        hub._take(message)
    assert into.counts.total() == 25_000
    assert len(hub._routes) == 5_000
    hub.stop()


def test_what_a_server_says_may_be_long_and_what_is_kept_of_it_is_not(clock):
    into = intake(clock)
    for n in range(1_100):
        into.notice(SimpleNamespace(what="error", detail=f"{n}" + "x" * 100_000))
    events, happened = into.happenings()
    assert (len(events), happened) == (1_000, 1_100)
    assert max(len(event.detail) for event in events) == 1_000


# --- Stamps that are no times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", [1e300, 1e306, -1e306, 1e15, -1e15, 10_413_792_000_000])
def test_a_stamp_beyond_all_times_is_missing_and_costs_no_row(stamp):
    content = json.loads(trade("12:00", trade_id="1"))
    content["data"]["_timestamps"]["websocket_sent"] = stamp
    frame = stored(json.dumps(content).encode(), trade("12:00", trade_id="2")).frame(TRADE)
    assert frame["websocket_sent"].isna().tolist() == [True, False]
    assert frame["trade_id"].tolist() == ["1", "2"]
    assert "NaT" in frame.to_string()


def test_candles_with_such_stamps_leave_latencies_as_they_are(clock):
    into = intake(clock)
    content = json.loads(kline("12:00"))
    content["data"]["_timestamps"]["websocket_sent"] = 1e300
    for payload in (json.dumps(content).encode(), kline("12:00"), book("12:00"), ticker("12:00")):
        into.take(decode(payload), NOON_US + 200_000)
    series = build_series(into, NOON_US + 200_000, 60_000_000).set_index("type")
    assert series["arrival_p50"].to_dict() == {"ticker": 20.0, "kline": 20.0, "orderbook": 20.0}


def test_messages_that_are_read_and_make_no_row_are_counted_and_the_first_of_each_sort_is_told(clock):
    into = intake(clock)
    into.beat(0.0)
    spoilt = [
        *(trade("12:00").replace(b" 12:", h) for h in (b" 25:", b" 26:")),
        book("12:00", bids=[(1.0,)]),
        kline("12:00", close_time="soon"),
    ]
    for payload in (*spoilt, trade("12:00", trade_id="a")):
        into.take(decode(payload), clock.us)
    assert beat(into, clock, 3) == ["a"] * 3
    assert into.store.bad == {"trade": 2, "orderbook": 1, "kline": 1}
    assert sorted(what for what, _ in told(into)) == ["bad"] * 3
    assert {detail.partition(":")[0] for _, detail in told(into)} == {"trade", "orderbook", "kline"}
