"""The example messages of the service's documentation, as it prints them, and the rows they are about."""

from __future__ import annotations

import json
from typing import Any

from archives import Row, book, kline, ticker, trade

TRADE = """{
  "type": "trade",
  "symbol": "SOLUSDT",
  "timestamp": "2026-03-02T14:01:45.300327",
  "data": {
    "_timestamps": {
      "websocket_sent": 1772460105301,
      "exchange_event_time": 1772460105100
    },
    "timestamp": "2026-03-02 14:01:45.100000",
    "exchange": "binance",
    "symbol": "SOLUSDT",
    "price": 82.98,
    "amount": 0.75,
    "side": "sell",
    "trade_id": "3198735563",
    "is_liquidation": false
  },
  "producer_received": 1772460105224.0476
}"""

TICKER = """{
  "type": "ticker",
  "symbol": "SOLUSDT",
  "timestamp": "2026-03-02T14:01:45.309347",
  "data": {
    "_timestamps": {
      "websocket_sent": 1772460105313,
      "exchange_event_time": 1772460105138
    },
    "timestamp": "2026-03-02 14:01:45.138000",
    "exchange": "bybit",
    "symbol": "SOLUSDT",
    "last_price": 82.98,
    "bid_price": 82.98,
    "ask_price": 82.99,
    "bid_size": 312.7,
    "ask_size": 455.4,
    "high_24h": 86.84,
    "low_24h": 81.63,
    "volume_24h": 15414549.2,
    "quote_volume_24h": 1292880761.203,
    "open_24h": null,
    "funding_rate": -5.129e-05,
    "next_funding_time": "2026-03-02 16:00:00+00:00",
    "mark_price": 82.989,
    "index_price": 83.051,
    "open_interest": 6893141.2,
    "open_interest_value": null
  },
  "producer_received": 1772460105223.4756
}"""

KLINE = """{
  "type": "kline",
  "symbol": "DOGEUSDT",
  "timestamp": "2026-03-02T14:01:45.299305",
  "data": {
    "_timestamps": {
      "websocket_sent": 1772460105300,
      "exchange_event_time": 1772460000000
    },
    "timestamp": "2026-03-02 14:00:00",
    "exchange": "binance",
    "symbol": "DOGEUSDT",
    "interval": "1h",
    "open": 0.0909,
    "high": 0.09093,
    "low": 0.09083,
    "close": 0.09083,
    "volume": 4784283.0,
    "quote_volume": 434786.04922,
    "num_trades": 1314,
    "close_time": "2026-03-02 14:59:59.999000",
    "is_final": false
  },
  "interval": "1h",
  "producer_received": 1772460105128.6987
}"""

ORDERBOOK = """{
  "type": "orderbook",
  "symbol": "XRPUSDT",
  "timestamp": "2026-03-02T14:01:45.275758",
  "data": {
    "_timestamps": {
      "websocket_sent": 1772460105301,
      "exchange_event_time": 1772460105156
    },
    "timestamp": "2026-03-02 14:01:45.156000",
    "exchange": "bybit",
    "symbol": "XRPUSDT",
    "bids": [
      [1.3388, 1000.0],
      [1.3387, 2500.0],
      [1.3386, 1800.0]
    ],
    "asks": [
      [1.3389, 800.0],
      [1.3390, 1500.0],
      [1.3391, 2200.0]
    ],
    "is_snapshot": true,
    "sequence_id": "233916094713"
  },
  "producer_received": 1772460105157.5078
}"""

MESSAGES = {"trade": TRADE, "ticker": TICKER, "kline": KLINE, "orderbook": ORDERBOOK}

ROWS: dict[str, Row] = {
    "trade": trade(
        "14:01:45.100", 82.98, 0.75, symbol="SOLUSDT", side="sell", trade_id="3198735563",
        _seen="14:01:45.300327", _producer_received=1772460105224.0476,
    ),
    "ticker": ticker(
        "14:01:45.138", 82.98, exchange="bybit", symbol="SOLUSDT", bid_price=82.98, ask_price=82.99, bid_size=312.7, ask_size=455.4,
        high_24h=86.84, low_24h=81.63, volume_24h=15414549.2, quote_volume_24h=1292880761.203, funding_rate=-5.129e-05,
        next_funding_time="16:00", mark_price=82.989, index_price=83.051, open_interest=6893141.2,
        _seen="14:01:45.309347", _producer_received=1772460105223.4756,
    ),
    "kline": kline(
        "14:00", symbol="DOGEUSDT", interval="1h", open=0.0909, high=0.09093, low=0.09083, close=0.09083, volume=4784283.0,
        quote_volume=434786.04922, num_trades=1314, close_time="14:59:59.999", is_final=0,
        _seen="14:01:45.299305", _producer_received=1772460105128.6987,
    ),
    "orderbook": book(
        "14:01:45.156", 1.3388, 1.3389, exchange="bybit", symbol="XRPUSDT",
        bids_json="[[1.3388, 1000.0], [1.3387, 2500.0], [1.3386, 1800.0]]",
        asks_json="[[1.3389, 800.0], [1.3390, 1500.0], [1.3391, 2200.0]]",
        sequence_id="233916094713", _seen="14:01:45.275758", _producer_received=1772460105157.5078,
    ),
}  # fmt: skip
"""What each example is about, as the tables hold it; seen at the moment at its top."""

# --- The messages that are no data ---------------------------------------------------------------------------------

CONNECTED = """{
  "type": "connected",
  "client_id": "my-client-001",
  "message": "Welcome to Qalypto Real-Time Data Stream",
  "available_subscriptions": [
    "trade", "ticker", "orderbook", "kline",
    "trade:btcusdt", "trade:ethusdt", "ticker:*", "*"
  ],
  "connection_guidelines": {
    "heartbeat": {
      "ping_interval_seconds": 20,
      "pong_timeout_seconds": 60,
      "description": "Server sends ping every 20s. Client must respond with pong within 60s."
    },
    "rate_limits": {
      "max_control_messages_per_second": 5,
      "max_subscriptions_per_connection": 50
    },
    "actions": ["subscribe", "unsubscribe", "ping", "pong", "status"]
  }
}"""

SUBSCRIBE = """{"action": "subscribe", "channels": ["trade", "ticker", "kline", "orderbook"]}"""
SUBSCRIBED = """{"type": "subscribed", "channels": ["trade", "ticker", "kline", "orderbook"]}"""
PING = """{"type": "ping", "timestamp": 1769604820123, "server_time": "2026-01-28T12:53:40.123Z"}"""
"""The documentation's own epoch is not of its server time; this one is."""
PONG_ACK = """{"type": "pong_ack", "timestamp": "2026-01-28T12:53:40.456Z"}"""
STATUS = """{
  "type": "status",
  "client_id": "my-client-001",
  "subscriptions": ["trade", "ticker", "kline", "orderbook"],
  "messages_received": 12847,
  "connected_since": "2026-01-28T12:00:00.000Z"
}"""
RATE_LIMITED = """{"error": "Rate limit exceeded. Max 5 control messages per second."}"""


def exactly(text: str | bytes) -> Any:
    """Return JSON in a form that is equal only where order, names, types and values are."""

    def typed(value: Any) -> Any:
        if isinstance(value, list):
            return [typed(v) for v in value]
        return value if isinstance(value, tuple) else (type(value).__name__, value)

    return json.loads(text, object_pairs_hook=lambda pairs: ("object", *((name, typed(value)) for name, value in pairs)))
