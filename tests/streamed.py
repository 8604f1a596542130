"""Messages as the stream sends them, written by hand, and a store to put them into."""

from __future__ import annotations

import datetime as dt
import json

import pandas as pd

from qalypto_research.schema.wire import Channel
from qalypto_research.stream.decoding import decode
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.store import Store

DAY = "2026-03-02"
NEVER_TOO_OLD = 10**15
ROOM_FOR_ALL = 10**12


def us(when):
    when = f"{DAY} {when}" if "-" not in when else when
    return (pd.Timestamp(when, tz="UTC").to_pydatetime() - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def message(kind, when, symbol="BTCUSDT", exchange="binance", *, produced=None, **data):
    """Return a message in bytes; `when` as it is written, or a time of day."""
    text = f"{DAY} {when}" if "-" not in when else when
    event = us(when) // 1000
    content = {
        "type": kind,
        "symbol": symbol,
        "timestamp": text,
        "data": {
            "_timestamps": {"websocket_sent": event + 180, "exchange_event_time": event},
            "timestamp": text,
            "exchange": exchange,
            "symbol": symbol,
        }
        | data,
        "producer_received": float(event + 95) if produced is None else produced,
    }
    return json.dumps(content).encode()


def trade(when, price=100.0, amount=1.0, side="buy", trade_id="", *, is_liquidation=False, **other):
    data = {"price": price, "amount": amount, "side": side, "trade_id": trade_id, "is_liquidation": is_liquidation}
    return message("trade", when, **data, **other)


def ticker(when, last_price=100.0, **other):
    return message("ticker", when, last_price=last_price, **other)


def kline(when, close=100.0, volume=1.0, interval="1m", *, is_final=False, **other):
    prices = {"open": close, "high": close, "low": close, "close": close}
    return message("kline", when, interval=interval, **prices, volume=volume, is_final=is_final, **other)


def book(when, bids=((99.0, 2.0),), asks=((101.0, 3.0),), *, is_snapshot=True, sequence_id="1", **other):
    return message(
        "orderbook",
        when,
        bids=[list(b) for b in bids],
        asks=[list(a) for a in asks],
        is_snapshot=is_snapshot,
        sequence_id=sequence_id,
        **other,
    )


def stored(*payloads, keep_us=NEVER_TOO_OLD, max_bytes=ROOM_FOR_ALL, received_us=0, step_us=1):
    """Return a store that has taken messages, one every so often."""
    store = Store(keep_us=keep_us, max_bytes=max_bytes)
    for n, payload in enumerate(payloads):
        store.put(decode(payload), received_us + n * step_us)
    return store


class Listened:
    """A live buffer without a connection, as the calls see one: what it has taken, and its clock."""

    source, synthetic = "a test", False

    def __init__(self, *payloads, channels=("*",), exchanges=None, exchange="binance", now="12:10", received=None, **bounds):
        self.now_us = us(now)
        self.intake = Intake(
            [Channel.parse(text) for text in channels],
            exchanges,
            keep_us=bounds.get("keep_us", NEVER_TOO_OLD),
            max_bytes=bounds.get("max_bytes", ROOM_FOR_ALL),
            now_us=lambda: self.now_us,
            pace=lambda: 1.0,
        )
        self.exchange, self.state, self.reason, self.refused = exchange, "live", "", {}
        self.take(*payloads, received=received)

    def take(self, *payloads, received=None):
        """Take messages in bytes that arrive at a time of day, by default at the clock's."""
        for payload in payloads:
            self.intake.take(decode(payload), self.now_us if received is None else us(received))
        return self
