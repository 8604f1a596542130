"""The names of channels: which there are, how they are written, which messages each asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qalypto_research.errors import InputError
from qalypto_research.schema import wire
from qalypto_research.schema.wire import Channel

DOCUMENTED = {
    "trade": ("trade", "", ""),
    "ticker": ("ticker", "", ""),
    "kline": ("kline", "", ""),
    "orderbook": ("orderbook", "", ""),
    "trade:btcusdt": ("trade", "BTCUSDT", ""),
    "ticker:ethusdt": ("ticker", "ETHUSDT", ""),
    "kline:1m:solusdt": ("kline", "SOLUSDT", "1m"),
    "orderbook:xrpusdt": ("orderbook", "XRPUSDT", ""),
    "*": ("", "", ""),
}


@pytest.mark.parametrize(("text", "parts"), DOCUMENTED.items())
def test_a_documented_channel_is_read_and_written(text, parts):
    assert Channel.parse(text) == Channel(*parts)
    assert Channel.parse(text).text == text


def test_a_type_and_a_star_is_the_type():
    assert Channel.parse("ticker:*") == Channel("ticker")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trades", "did you mean 'trade'?"),
        ("", "allowed: trade, ticker, kline, orderbook, *"),
        ("kline:2m:btcusdt", "allowed: 1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d"),
        ("kline:btcusdt", "candles have an interval before the symbol"),
        ("kline:1m", "cannot be read"),
        ("trade:1m:btcusdt", "cannot be read"),
        ("trade:BTCUSDT", "cannot be read"),
        ("trade:", "cannot be read"),
        ("trade:btc usdt", "cannot be read"),
        ("*:btcusdt", "allowed:"),
    ],
)
def test_what_is_no_channel_says_how_to_write_one(text, said):
    with pytest.raises(InputError, match=r"^channel: ") as caught:
        Channel.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "covered", "not_covered"),
    [
        ("*", ["trade", "kline:1m:btcusdt", "*"], []),
        ("trade", ["trade", "trade:btcusdt"], ["*", "ticker:btcusdt"]),
        ("trade:btcusdt", ["trade:btcusdt"], ["trade", "trade:ethusdt", "ticker:btcusdt"]),
        ("kline:1m:btcusdt", ["kline:1m:btcusdt"], ["kline:5m:btcusdt", "kline:1m:ethusdt", "kline"]),
    ],
)
def test_what_a_channel_covers(asked, covered, not_covered):
    channel = Channel.parse(asked)
    assert [text for text in covered if not channel.covers(Channel.parse(text))] == []
    assert [text for text in not_covered if channel.covers(Channel.parse(text))] == []


@given(st.text(alphabet="trade:klin*1mbcus TD", max_size=20))
def test_whatever_can_be_read_is_written_so_that_it_can_be_read_again(text):
    try:
        channel = Channel.parse(text)
    except InputError:
        return
    assert Channel.parse(channel.text) == channel


def test_the_documented_limits():
    assert (wire.CONNECTIONS, wire.SUBSCRIPTIONS, wire.CONTROLS_A_SECOND) == (5, 50, 5)
    assert (wire.PING_EVERY_S, wire.PONG_WITHIN_S, wire.PONGS_MISSED) == (20, 60, 3)
    assert wire.ACTIONS == ("subscribe", "unsubscribe", "ping", "pong", "status")
