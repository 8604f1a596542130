"""Rows as messages: the documented examples to the letter, and what rows may hold beyond them."""

from __future__ import annotations

import json
import math

import archives
import numpy as np
import pytest
import wire_examples as docs
from archives import book, kline, ticker, trade, utc, write
from wire_examples import exactly

from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.local.feed.archive import ArchiveSource
from qalypto_research.local.feed.messages import to_iso, to_stamp
from qalypto_research.schema.wire import Channel


def us(when):
    return utc(when).value // 1000


@pytest.fixture
def played(tmp_path):
    """Return a function that writes rows, plays them, and returns the messages."""
    engines = []

    def play(**tables):
        for table, rows in tables.items():
            write(tmp_path, table, rows)
        engines.append(EmbeddedEngine((tmp_path,)))
        source = ArchiveSource(engines[-1])
        return list(source.read(0, us("2100-01-01")).messages)

    yield play
    for engine in engines:
        engine.close()


def sent(message, when_us=None):
    return message.payload(to_stamp(message.seen_us if when_us is None else when_us))


def data(message):
    return json.loads(sent(message))["data"]


@pytest.mark.parametrize("kind", docs.MESSAGES)
def test_a_documented_example_comes_from_its_row(played, kind):
    (message,) = played(**{kind: [docs.ROWS[kind]]})
    # The documentation's servers take a moment more from the message to the socket; a stand-in's is one moment.
    expected = docs.MESSAGES[kind].replace('"websocket_sent": 1772460105313', '"websocket_sent": 1772460105309')
    expected = expected.replace(
        '"websocket_sent": 1772460105301', f'"websocket_sent": {1772460105275 if kind == "orderbook" else 1772460105300}'
    )
    expected = expected.replace(
        '"websocket_sent": 1772460105300', f'"websocket_sent": {1772460105299 if kind == "kline" else 1772460105300}'
    )
    assert exactly(sent(message)) == exactly(expected)


def test_what_is_sent_says_when_it_is_sent_and_nothing_else_changes(played):
    (message,) = played(trade=[docs.ROWS["trade"]])
    late = us("14:01:47.000001")
    first, second = json.loads(sent(message)), json.loads(sent(message, late))
    assert second["timestamp"] == "2026-03-02T14:01:47.000001"
    assert second["data"]["_timestamps"].pop("websocket_sent") == 1772460107000
    first["data"]["_timestamps"].pop("websocket_sent")
    assert first | {"timestamp": second["timestamp"]} == second


@pytest.mark.parametrize(
    ("when", "written"),
    [
        ("14:00:00", "2026-03-02T14:00:00"),
        ("14:00:00.000001", "2026-03-02T14:00:00.000001"),
        ("1969-12-31 23:59:59", "1969-12-31T23:59:59"),
    ],
)
def test_a_moment_without_a_fraction_has_none(when, written):
    assert to_iso(us(when)) == written


def test_times_are_written_as_documented_with_and_without_a_fraction(played):
    row = ticker("12:00:00", next_funding_time="16:00:00.001")
    assert data(played(ticker=[row])[0])["timestamp"] == "2026-03-02 12:00:00"
    assert data(played(ticker=[row])[0])["next_funding_time"] == "2026-03-02 16:00:00.001000+00:00"


def test_null_and_what_json_cannot_say_is_null(played):
    quotes = data(played(ticker=[ticker("12:00", math.nan, bid_price=math.inf, ask_price=None, bid_size=0.0, open_24h=-math.inf)])[0])
    assert [quotes[name] for name in ("last_price", "bid_price", "ask_price", "bid_size", "open_24h")] == [None, None, None, 0.0, None]
    assert quotes["next_funding_time"] is None
    candle = data(played(kline=[kline("12:00")])[-1])
    assert [candle[name] for name in ("num_trades", "close_time", "quote_volume")] == [None, None, None]


@pytest.mark.parametrize("value", [0.1, 1e-9, 123456789.123, 1e22, 5e-324, 1.7976931348623157e308, 3.0, -0.0])
def test_numbers_come_back_to_the_bit(played, value):
    content = sent(played(trade=[trade("12:00", value)])[0])
    assert np.float64(json.loads(content)["data"]["price"]).tobytes() == np.float64(value).tobytes()
    assert b'"price":3,' not in content


@pytest.mark.parametrize("text", ['a "quoted" id', "back\\slash", "line\nbreak", "\x00", "é", "日本", "\u2028"])
def test_texts_come_back(played, text):
    assert data(played(trade=[trade("12:00", trade_id=text)])[0])["trade_id"] == text


def test_a_book_is_its_rows_json_and_an_empty_side_has_no_level(played):
    one_sided = book("12:00:01", bid=None, asks_json="[[101.0, 3.0], [101.5, 0.0]]", is_snapshot=0)
    unsaid = book("12:00:02", bid=None, bids_json="")
    messages = played(orderbook=[one_sided, unsaid])
    assert [data(m)["bids"] for m in messages] == [[], []]
    assert data(messages[0])["asks"] == [[101.0, 3.0], [101.5, 0.0]]
    assert [data(m)["is_snapshot"] for m in messages] == [False, True]


def test_each_message_has_the_narrowest_channel(played):
    messages = played(
        trade=[trade("12:00")], kline=[kline("11:00", interval="5m", symbol="SOLUSDT")], ticker=[ticker("12:01")], orderbook=[book("12:02")]
    )
    assert [m.route for m in messages] == [
        Channel("kline", "SOLUSDT", "5m"),
        Channel("trade", "BTCUSDT"),
        Channel("ticker", "BTCUSDT"),
        Channel("orderbook", "BTCUSDT"),
    ]


# --- When the producer had it --------------------------------------------------------------------------------------


def latencies(messages):
    """Return the internal and the end-to-end latency of each message in ms."""
    internal, whole = [], []
    for message in messages:
        content = json.loads(sent(message))
        at = content["data"]["_timestamps"]
        internal.append(at["websocket_sent"] - content["producer_received"])
        whole.append(at["websocket_sent"] - at["exchange_event_time"])
    return np.array(internal), np.array(whole)


def test_lags_that_were_not_recorded_are_as_documented(played):
    random = np.random.default_rng(1)
    way_ms = 180 * np.exp(0.485 * random.normal(size=4000))
    at = [utc("12:00") + archives.pd.Timedelta(milliseconds=100 * n) for n in range(4000)]
    rows = [trade(t, _seen=t + archives.pd.Timedelta(microseconds=int(ms * 1000))) for t, ms in zip(at, way_ms, strict=True)]
    internal, whole = latencies(played(trade=rows))
    assert 170 < np.quantile(whole, 0.5) < 190
    assert 75 < np.quantile(internal, 0.5) < 95
    assert 160 < np.quantile(internal, 0.95) < 200
    assert (internal >= -1).all()
    assert (internal <= whole + 1).all()  # nothing is produced before it happens; sent is in whole ms


def test_a_lag_is_the_same_whenever_it_is_played(played):
    rows = [trade(f"12:00:{n:02}", _seen=f"12:00:{n:02}.3") for n in range(60)]
    first = [sent(m) for m in played(trade=rows)]
    assert [sent(m) for m in played(trade=rows[30:])] == first[30:]
    assert len({json.loads(text)["producer_received"] % 1000 for text in first}) > 50


def test_an_archive_without_arrivals_has_no_lag(played):
    internal, whole = latencies(played(trade=[trade("12:00:00.500"), trade("12:00:01")]))
    assert internal.tolist() == whole.tolist() == [0, 0]


def test_a_recorders_clock_behind_the_exchanges_is_shown_as_it_was(played):
    internal, whole = latencies(played(trade=[trade("12:00:02", _seen="12:00:01")]))
    assert whole.tolist() == [-1000]
    assert internal[0] > 0


def test_a_candle_was_produced_shortly_before_it_was_sent(played):
    internal, _ = latencies(played(kline=[kline("12:00", is_final=0, interval="1h", _seen="12:40")]))
    assert 0 < internal[0] < 500
