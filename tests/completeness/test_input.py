"""Bad input to coverage: the error names the argument and the way out."""

from __future__ import annotations

import pytest
from archives import klines, trade, utc, write

import qalypto_research as qr


@pytest.fixture
def con(connect, tmp_path):
    write(tmp_path, "kline", [*klines("10:00", 5), *klines("10:00", 5, exchange="okx", symbol="ETHUSDT")])
    write(tmp_path, "trade", [trade("10:00")])
    return connect(tmp_path, at=utc("10:05:30"))


@pytest.mark.parametrize(
    ("asked", "argument", "said"),
    [
        ({"tables": "candles"}, "tables", "allowed: trade, kline"),
        ({"tables": "klines"}, "tables", "did you mean 'kline'"),
        ({"tables": "ticker"}, "tables", "no row of it is here"),
        ({"tables": []}, "tables", "is empty"),
        ({"symbols": "BTCUSD"}, "symbols", "did you mean 'BTCUSDT'"),
        ({"symbols": "ETHUSDT", "exchange": "binance"}, "symbols", "ETHUSDT"),
        ({"symbols": "ETHUSDT", "tables": "trade"}, "symbols", "ETHUSDT"),
        ({"exchange": "binanse"}, "exchange", "did you mean 'binance'"),
        ({"exchange": "okx", "tables": "trade"}, "exchange", "allowed: binance"),
        ({"interval": "7m"}, "interval", "allowed: 1m, 5m"),
        ({"interval": "1h"}, "interval", "no candle of it is here"),
        ({"interval": 5}, "interval", "5"),
        ({"interval": "1m", "tables": "trade"}, "interval", "leaves them out"),
        ({"days": 1, "hours": 1}, "days", "one duration"),
        ({"days": -1}, "days", "above zero"),
        ({"start": "2027-01-01"}, "start", "after this connection's now"),
        ({"start": "2026-03-02 10:04", "end": "2026-03-02 10:00"}, "start", "not before"),
        ({"end": "yesterday"}, "end", "ISO 8601"),
    ],
)
def test_what_cannot_be_used_is_named(con, asked, argument, said):
    with pytest.raises(qr.errors.InputError) as raised:
        con.coverage(**asked)
    assert raised.value.argument == argument
    assert said in str(raised.value)


def test_quotes_are_values(con):
    with pytest.raises(qr.errors.UnknownNameError):
        con.coverage("BTCUSDT' OR 1=1 --")


def test_facts_say_what_was_asked(con):
    there = con.coverage("btcusdt", tables=["kline"], days=1)
    for frame in (there.series, there.holes):
        facts = frame.attrs["qalypto"]
        assert facts["asked"] == {"call": "coverage", "symbols": "btcusdt", "tables": ["kline"], "days": 1}
        assert facts["clock"] == "2026-03-02T10:05:30+00:00"


def test_the_default_exchange_does_not_narrow_it(connect, tmp_path, con):
    assert len(connect(tmp_path, exchange="okx").coverage().series) == 3


def test_before_anything_was_known_there_is_nothing(connect, tmp_path, con):
    there = connect(tmp_path, at=utc("10:00:00")).coverage()
    assert there.series["table"].tolist() == ["trade"]
    assert there.holes.empty
