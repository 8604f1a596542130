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
    Assumption("times in messages", "their fraction", "six digits, and none where it is zero, as Python writes times"),
    Assumption("trade and its like", "a message that several channels cover", "comes once"),
    Assumption("channels", "letter case, and kline:1m or kline:btcusdt", "small letters, and no such form, as documented"),
    Assumption("reply to 'subscribe'", "which channels it lists", "those asked for in that message"),
    Assumption("reply to 'unsubscribe'", "its form", "like 'subscribed', with type 'unsubscribed'; other forms are accepted"),
    Assumption("reply to 'ping'", "its form", "pong_ack or pong; either counts"),
    Assumption("reply to 'pong'", "whether each is acknowledged", "pong_ack to each"),
    Assumption("status", "what messages_received counts", "messages of data sent to the client"),
    Assumption("unknown channel", "the reply", "an error message; the connection stays open, and nothing of that message is carried out"),
    Assumption("fifty-first subscription", "what happens", "an error message; nothing of that message is carried out"),
    Assumption("sixth control message", "whether it counts", "it is answered by the error, not carried out, and does not count"),
    Assumption("pong timeout", "from when it counts, and the close code", "from the oldest ping without a pong; 1008"),
    Assumption("slow client", "how far it may fall behind", "some megabytes; then it is closed with 1008, or cut off"),
    Assumption("wrong service token", "the reply", "403 to the handshake"),
    Assumption("sixth connection", "what happens", "the handshake is refused"),
    Assumption("compression", "whether the stream has it", "none; a client may offer it"),
)
