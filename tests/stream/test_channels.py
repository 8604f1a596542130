"""Which channels are subscribed to for what is wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qalypto_research.schema.wire import Channel
from qalypto_research.stream.channels import covered, distinct, planned

SYMBOLS = ("btcusdt", "ethusdt", "solusdt")
ALL = [
    *("*", "trade", "ticker", "kline", "orderbook"),
    *(f"{kind}:{symbol}" for kind in ("trade", "ticker", "orderbook") for symbol in SYMBOLS),
    *(f"kline:{interval}:{symbol}" for interval in ("1m", "1h") for symbol in SYMBOLS),
]


def channels(*texts):
    return [Channel.parse(text) for text in texts]


def texts(found):
    return [c.text for c in found]


@pytest.mark.parametrize(
    ("wanted", "most", "expected"),
    [
        (["trade:btcusdt", "ticker"], 50, ["trade:btcusdt", "ticker"]),
        (["trade:btcusdt", "trade", "trade:btcusdt", "trade:ethusdt"], 50, ["trade"]),
        (["trade", "*", "kline:1m:btcusdt"], 50, ["*"]),
        (["trade:btcusdt", "trade:ethusdt", "kline:1m:btcusdt"], 2, ["kline:1m:btcusdt", "trade"]),
        (["trade:btcusdt", "ticker:btcusdt", "orderbook:btcusdt"], 2, ["*"]),
        (["trade", "ticker", "kline", "orderbook"], 3, ["*"]),
        (
            ["trade:btcusdt", "trade:ethusdt", "kline:1m:btcusdt", "kline:1h:btcusdt", "kline:1m:ethusdt"],
            3,
            ["trade:btcusdt", "trade:ethusdt", "kline"],
        ),
    ],
)
def test_what_is_subscribed(wanted, most, expected):
    assert texts(planned(channels(*wanted), most)) == expected


@given(st.lists(st.sampled_from(ALL), min_size=1), st.integers(1, 20), st.sampled_from(ALL))
def test_it_covers_all_that_is_wanted_within_the_limit(wanted, most, other):
    wanted = channels(*wanted)
    plan = planned(wanted, most)
    assert 1 <= len(plan) <= most
    assert all(covered(c, plan) for c in wanted)
    assert distinct(plan) == plan
    if len(distinct(wanted)) <= most:
        # Nothing wider than what was asked for.
        assert covered(Channel.parse(other), plan) == covered(Channel.parse(other), wanted)


@pytest.mark.parametrize(
    ("wanted", "most", "refused", "expected"),
    [
        (["trade:btcusdt", "trade:ethusdt", "ticker:btcusdt"], 2, {"trade"}, ["*"]),
        (["trade:btcusdt", "trade:ethusdt", "ticker:btcusdt"], 2, {"trade", "*"}, ["trade:btcusdt", "trade:ethusdt"]),
        (["trade:btcusdt", "ticker", "kline"], 1, {"*", "ticker"}, ["trade:btcusdt"]),
        (["ticker"], 50, {"ticker"}, []),
    ],
)
def test_what_was_refused_is_not_planned(wanted, most, refused, expected):
    assert texts(planned(channels(*wanted), most, refused)) == expected
