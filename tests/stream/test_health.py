"""How a live buffer is doing: literal messages, literal figures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamed import Listened, kline, message, trade, us

from qalypto_research.stream.health import Health, build_series, total_rate

MINUTE_US = 60_000_000


def stamped(when, sent_ms, produced_ms, **other):
    """Return a trade that was sent and produced so many milliseconds after it happened."""
    content = json.loads(trade(when, **other))
    content["data"]["_timestamps"]["websocket_sent"] = us(when) // 1000 + sent_ms
    content["producer_received"] = us(when) / 1000 + produced_ms
    return json.dumps(content).encode()


def row_of(live, kind, exchange="binance", window_us=MINUTE_US):
    frame = build_series(live.intake, live.now_us, window_us)
    (row,) = frame[(frame["type"] == kind) & (frame["exchange"] == exchange)].to_dict("records")
    return row


def test_latencies_by_type_and_exchange():
    live = Listened(now="12:01:10")
    for n in range(101):
        live.take(stamped("12:01:00", 100 + n, 40, trade_id=str(n)), received="12:01:00.300")
    live.take(stamped("12:01:00", 500, 400, exchange="okx"), received="12:01:01")
    row = row_of(live, "trade")
    assert (row["messages"], row["age"], row["clock_offset"]) == (101, 9.7, False)
    assert [row[f"internal_p{q}"] for q in (50, 95, 99)] == [110.0, 155.0, 159.0]
    assert [row[f"end_to_end_p{q}"] for q in (50, 95, 99)] == [150.0, 195.0, 199.0]
    assert [row[f"arrival_p{q}"] for q in (50, 95, 99)] == [150.0, 195.0, 199.0]
    other = row_of(live, "trade", "okx")
    assert (other["internal_p50"], other["end_to_end_p99"], other["arrival_p50"], other["age"]) == (100.0, 500.0, 500.0, 9.0)


def test_a_negative_latency_is_shown_and_flagged():
    live = Listened(now="12:00:01").take(stamped("12:00:00", 100, 150), received="12:00:00.080")
    row = row_of(live, "trade")
    assert (row["internal_p50"], row["arrival_p50"], row["end_to_end_p50"]) == (-50.0, -20.0, 100.0)
    assert row["clock_offset"]


def test_candles_count_each_update_and_have_no_latency_from_the_exchange():
    live = Listened(now="12:00:10")
    for n in range(3):
        payload = kline("12:00", volume=float(n), produced=us("12:00:05") / 1000 + n)
        content = json.loads(payload)
        content["data"]["_timestamps"]["websocket_sent"] = us("12:00:05") // 1000 + 100
        live.take(json.dumps(content).encode(), received="12:00:05.150")
    row = row_of(live, "kline")
    assert (row["messages"], row["internal_p50"], row["arrival_p50"], row["age"]) == (3, 99.0, 50.0, 4.85)
    assert np.isnan(row["end_to_end_p50"])
    assert live.intake.store.count("kline") == 1


def test_only_what_arrived_in_the_window_counts():
    live = Listened(now="12:05")
    live.take(stamped("12:00:00", 1000, 0), received="12:00:02").take(stamped("12:04:30", 10, 0), received="12:04:31")
    assert row_of(live, "trade")["internal_p50"] == 10.0
    assert row_of(live, "trade", window_us=10 * MINUTE_US)["internal_p50"] == 505.0
    assert np.isnan(row_of(live, "trade", window_us=1_000_000)["internal_p50"])


def test_the_age_is_that_of_the_last_message_also_once_it_has_been_let_go_of():
    live = Listened(now="12:05", keep_us=MINUTE_US)
    live.take(stamped("12:00:00", 10, 0), received="12:00:00").take(stamped("12:00:00", 10, 0), received="12:00:30")
    live.intake.store.tidy(live.now_us)
    assert live.intake.store.count() == 0
    assert row_of(live, "trade")["age"] == 270.0


def test_a_message_that_does_not_say_when_is_left_out():
    content = json.loads(message("trade", "12:00", price=1.0, amount=1.0, side="buy", trade_id="", is_liquidation=False))
    del content["producer_received"]
    live = Listened().take(json.dumps(content).encode())
    row = row_of(live, "trade")
    assert np.isnan(row["internal_p50"])
    assert row["end_to_end_p50"] == 180.0


def test_rates_over_the_last_minute():
    live = Listened()
    live.intake.beat(0.0)
    live.take(*(trade("12:00", trade_id=str(n)) for n in range(30)))
    assert total_rate(live.intake) == 0.0
    live.intake.beat(10.0)
    assert (row_of(live, "trade")["rate"], total_rate(live.intake)) == (3.0, 3.0)
    for second in range(11, 100):
        live.intake.beat(float(second))
    assert total_rate(live.intake) == 0.0


def test_no_messages_no_rows_and_the_same_columns():
    frame = build_series(Listened().intake, 0, MINUTE_US)
    there = build_series(Listened(trade("12:00")).intake, us("12:10"), MINUTE_US)
    assert len(frame) == 0
    assert frame.dtypes.to_dict() == there.dtypes.to_dict()


@pytest.mark.parametrize("full", [True, False])
def test_it_can_be_looked_at(full):
    live = Listened(*[trade("12:00")] * full)
    totals = dict.fromkeys(("rate", "rows", "buffer_bytes", "fill", "dropped", "bad", "missed", "reconnects", "uptime"), 0.0)
    health = Health(build_series(live.intake, live.now_us, MINUTE_US), "waiting", "cut", totals, {"trade": "<no> number"}, {"x": "why"})
    assert repr(health).startswith("waiting (cut): 0 messages/s, 0 rows in 0.0 MB (0%)")
    assert ("binance" in repr(health)) == full
    page = health._repr_html_()
    assert "bad: &lt;no&gt; number" in page
    assert ("binance" in page) == full
