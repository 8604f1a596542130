"""What a server has: its tables held against the documented ones, and its series found without reading everything."""

from __future__ import annotations

import pyarrow as pa
import pytest

import qalypto_research as qr
from qalypto_research.engine.known import Known
from qalypto_research.engine.served import check_columns

# As the vendor's documentation lists them.
DOCUMENTED = {
    "market_data_trade": {
        "timestamp": "DateTime64(3)", "exchange": "String", "symbol": "String", "price": "Float64", "amount": "Float64",
        "side": "String", "trade_id": "String", "is_liquidation": "UInt8",
    },
    "market_data_ticker": {
        "timestamp": "DateTime64(3)", "exchange": "String", "symbol": "String", "last_price": "Float64",
        "bid_price": "Nullable(Float64)", "ask_price": "Nullable(Float64)", "bid_size": "Nullable(Float64)",
        "ask_size": "Nullable(Float64)", "high_24h": "Nullable(Float64)", "low_24h": "Nullable(Float64)",
        "volume_24h": "Nullable(Float64)", "quote_volume_24h": "Nullable(Float64)", "open_24h": "Nullable(Float64)",
        "funding_rate": "Nullable(Float64)", "next_funding_time": "Nullable(DateTime64(3))", "mark_price": "Nullable(Float64)",
        "index_price": "Nullable(Float64)", "open_interest": "Nullable(Float64)", "open_interest_value": "Nullable(Float64)",
    },
    "market_data_kline": {
        "timestamp": "DateTime64(3)", "exchange": "String", "symbol": "String", "interval": "String", "open": "Float64",
        "high": "Float64", "low": "Float64", "close": "Float64", "volume": "Float64", "quote_volume": "Nullable(Float64)",
        "num_trades": "Nullable(Int32)", "close_time": "Nullable(DateTime64(3))", "is_final": "UInt8",
    },
    "market_data_orderbook": {
        "timestamp": "DateTime64(3)", "exchange": "String", "symbol": "String", "bids_json": "String", "asks_json": "String",
        "bids_price_0": "Nullable(Float64)", "asks_price_0": "Nullable(Float64)", "bids_size_0": "Nullable(Float64)",
        "asks_size_0": "Nullable(Float64)", "is_snapshot": "UInt8", "sequence_id": "String",
    },
}  # fmt: skip


def check(tables):
    rows = [(table, name, kind) for table, columns in tables.items() for name, kind in columns.items()]
    answer = pa.table(dict(zip(("table", "name", "type"), map(list, zip(*rows, strict=True)), strict=True)))
    check_columns(lambda *_: (answer, "q"))


def changed(table, column, kind):
    tables = {name: dict(columns) for name, columns in DOCUMENTED.items()}
    tables[table][column] = kind
    return tables


def test_the_documented_tables_fit():
    check(DOCUMENTED)


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("market_data_trade", "timestamp", "DateTime64(3, 'Europe/Berlin')"),
        ("market_data_trade", "exchange", "LowCardinality(String)"),
        ("market_data_trade", "trade_id", "Nullable(String)"),
        ("market_data_trade", "is_liquidation", "Bool"),
        ("market_data_trade", "price", "Nullable(Float64)"),
        ("market_data_kline", "num_trades", "UInt64"),
        ("market_data_trade", "beyond", "Map(String, String)"),
    ],
)
def test_what_reads_the_same_fits_and_more_columns_are_fine(table, column, kind):
    check(changed(table, column, kind))


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("market_data_trade", "timestamp", "DateTime64(6)"),
        ("market_data_trade", "timestamp", "DateTime"),
        ("market_data_trade", "price", "Decimal(18, 8)"),
        ("market_data_trade", "price", "Float32"),
        ("market_data_trade", "exchange", "Nullable(String)"),
        ("market_data_trade", "side", "Enum8('buy' = 1, 'sell' = 2)"),
        ("market_data_kline", "is_final", "Nullable(UInt8)"),
        ("market_data_ticker", "next_funding_time", "Nullable(UInt64)"),
    ],
)
def test_what_would_be_read_wrongly_is_named(table, column, kind):
    with pytest.raises(qr.errors.SchemaError) as caught:
        check(changed(table, column, kind))
    assert caught.value.columns == (f"{table}.{column}",)
    assert f"{table}.{column} is {kind}, not " in str(caught.value)


def test_all_that_is_missing_is_named_at_once():
    tables = {name: dict(columns) for name, columns in DOCUMENTED.items()}
    del tables["market_data_orderbook"], tables["market_data_trade"]["price"], tables["market_data_kline"]["is_final"]
    with pytest.raises(qr.errors.SchemaError) as caught:
        check(tables)
    assert caught.value.columns == ("market_data_trade.price", "market_data_kline.is_final", "market_data_orderbook")


class Server:
    """Answers the two statements by which series are found."""

    def __init__(self, rows, found):
        self.sizes = pa.table({"name": list(rows), "rows": list(rows.values())})
        self.found = pa.table(dict(zip(("name", "exchange", "symbol", "interval"), map(list, zip(*found, strict=True)), strict=True)))
        self.asked = []

    def __call__(self, statement):
        self.asked.append(statement)
        return self.sizes if "count()" in statement else self.found


SMALL = {"trade": 10, "ticker": 0, "kline": 7, "orderbook": 0}
FOUND = [("trade", "okx", "PEPEUSDT", ""), ("kline", "binance", "BTCUSDT", "1m")]


def test_small_tables_are_looked_through_whole():
    server = Server(SMALL, FOUND)
    assert {(s.table, s.exchange, s.symbol, s.interval) for s in Known().series(server)} == set(FOUND)
    assert "INTERVAL 1 HOUR" not in server.asked[1]


def test_of_long_tables_the_documented_names_and_the_last_hours_are_known():
    server = Server(SMALL | {"trade": 3_000_000_000}, FOUND)
    series = {(s.table, s.exchange, s.symbol, s.interval) for s in Known().series(server)}
    assert len([s for s in series if s[0] == "trade"]) == 41  # 4 exchanges of 10 symbols, and the one beyond them
    assert [s for s in series if s[0] == "kline"] == [("kline", "binance", "BTCUSDT", "1m")]
    assert server.asked[1].count("INTERVAL 1 HOUR") == 1


def test_series_are_looked_up_again_after_a_minute():
    now = [0.0]
    known, server = Known(monotonic=lambda: now[0]), Server(SMALL, FOUND)
    for moment, statements in ((0, 2), (59, 2), (60, 4), (119, 4), (121, 6)):
        now[0] = float(moment)
        known.series(server)
        assert len(server.asked) == statements
