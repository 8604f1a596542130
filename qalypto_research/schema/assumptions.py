"""What the vendor's documentation leaves open, and what we take it to mean until it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Assumption:
    """One open question of the documentation and the answer this package works with."""

    subject: str
    silent_on: str
    assumed: str


ASSUMPTIONS: Final = (
    Assumption("trade.amount", "its unit", "base currency (BTC for BTCUSDT), not contracts and not USDT"),
    Assumption("trade.side", "whose side it is", "the aggressor's: 'buy' lifted an offer, 'sell' hit a bid"),
    Assumption("symbols", "spot or perpetual", "USDT perpetuals, since tickers carry funding, mark and open interest"),
    Assumption("kline.timestamp", "open or close time", "open time, as in the example message (14:00 within 14:00 to 15:00)"),
    Assumption("kline.num_trades", "which exchanges lack it", "any may; NULL becomes NaN"),
    Assumption("kline.close_time", "which exchanges lack it", "any may; never used to decide whether a candle is over"),
    Assumption("ticker.funding_rate", "its period", "a fraction for the period that ends at next_funding_time, not annualised"),
    Assumption("next_funding_time", "precision of DateTime64", "milliseconds, as every other time"),
    Assumption("orderbook rows", "what is_snapshot = 0 means", "an update to the last snapshot; size 0 deletes the level"),
    Assumption("reply to 'unsubscribe'", "its form", "like 'subscribed', with type 'unsubscribed'; other forms are accepted"),
    Assumption("reply to 'ping'", "its form", "pong_ack or pong; either counts"),
    Assumption("unknown channel", "the reply", "an error message; the connection stays open"),
    Assumption("sixth connection", "what happens", "the handshake is refused"),
)
