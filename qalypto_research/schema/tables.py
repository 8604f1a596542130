"""The four tables, each column stated once.

A column says its ClickHouse type, what it becomes in a frame, where it stands in a WebSocket message, its unit and
its meaning. A table says its total order, its identity and when a row without ``_seen`` becomes visible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from qalypto_research.schema.vocabulary import INTERVAL_MS

Kind = Literal["time", "number", "count", "flag", "text", "exchange", "symbol", "side", "interval", "origin"]
"""What a column becomes in a frame: see ``schema.frames``. The last five are categories."""


_WRAPPER: Final = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)", re.DOTALL)


def bare_type(clickhouse: str) -> str:
    """Return a ClickHouse type without ``Nullable`` and ``LowCardinality``."""
    while found := _WRAPPER.fullmatch(clickhouse):
        clickhouse = found[1]
    return clickhouse


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    clickhouse: str
    kind: Kind
    wire: str
    unit: str
    meaning: str

    @property
    def nullable(self) -> bool:
        return self.clickhouse.startswith("Nullable(")

    @property
    def bare_type(self) -> str:
        """The ClickHouse type without ``Nullable``."""
        return bare_type(self.clickhouse)

    @property
    def field(self) -> str | None:
        """Its name among a message's ``data``; None where it is none of its own."""
        return None if "[" in self.wire or not self.wire.startswith("data.") else self.wire.removeprefix("data.")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the service.

    Attributes
    ----------
    name : str
        Short name: the archive's sub-folder and the WebSocket message type.
    columns : tuple of Column
        In the service's order; the first is always ``timestamp``.
    identity : tuple of str
        Columns that make two rows the same fact (a non-empty ``trade_id``; a candle's open time).
    tie_break : tuple of str
        SQL, over a row ``t``, that orders rows of equal timestamp, exchange and symbol.
    last_ties : tuple of str
        SQL, over a row ``t``, that ends the order where no arrival is recorded, so that an answer comes out alike each
        time, whichever columns are asked for.
    seen_without_record : str
        SQL, over a row ``t``, for the moment it became known where the archive has no ``_seen``; NULL is never.
    """

    name: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    tie_break: tuple[str, ...]
    last_ties: tuple[str, ...]
    seen_without_record: str

    @property
    def sql_name(self) -> str:
        """Name in ClickHouse, without the database."""
        return f"market_data_{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


_MS: Final = "DateTime64(3, 'UTC')"

HIDDEN: Final = (
    Column("_seen", "Nullable(DateTime64(6, 'UTC'))", "time", "", "UTC, us", "when the row was first known to whoever recorded it"),
    Column("_seq", "Nullable(Int64)", "number", "", "", "order of arrival among rows of equal _seen"),
    Column("_producer_received", "Nullable(Float64)", "number", "producer_received", "epoch ms", "when the producer had it"),
)
"""Columns an archive may carry beside the service's. They never appear in frames or in ``SELECT *``."""


def _key_columns() -> tuple[Column, ...]:
    return (
        Column("timestamp", _MS, "time", "data.timestamp", "UTC, ms", "when it happened at the exchange"),
        Column("exchange", "String", "exchange", "data.exchange", "", "venue"),
        Column("symbol", "String", "symbol", "data.symbol", "", "pair, base then quote"),
    )


def _number(name: str, unit: str, meaning: str, *, nullable: bool = True, wire: str = "") -> Column:
    return Column(name, "Nullable(Float64)" if nullable else "Float64", "number", wire or f"data.{name}", unit, meaning)


TRADE: Final = Table(
    name="trade",
    columns=(
        *_key_columns(),
        _number("price", "quote currency", "price of the execution", nullable=False),
        _number("amount", "base currency", "size of the execution", nullable=False),
        Column("side", "String", "side", "data.side", "", "side of the aggressor"),
        Column("trade_id", "String", "text", "data.trade_id", "", "the exchange's id; empty where it gives none"),
        Column("is_liquidation", "UInt8", "flag", "data.is_liquidation", "", "whether a forced liquidation"),
    ),
    identity=("exchange", "symbol", "trade_id"),
    # Numeric ids by value, the others after them by spelling.
    tie_break=("ifNull(toUInt64OrNull(t.trade_id), 18446744073709551615)", "t.trade_id"),
    last_ties=("t.price", "t.amount", "t.side"),
    seen_without_record="toDateTime64(t.timestamp, 6, 'UTC')",
)

TICKER: Final = Table(
    name="ticker",
    columns=(
        *_key_columns(),
        _number("last_price", "quote currency", "price of the last trade", nullable=False),
        _number("bid_price", "quote currency", "best bid"),
        _number("ask_price", "quote currency", "best ask"),
        _number("bid_size", "base currency", "size at the best bid"),
        _number("ask_size", "base currency", "size at the best ask"),
        _number("high_24h", "quote currency", "highest trade of the last 24 hours"),
        _number("low_24h", "quote currency", "lowest trade of the last 24 hours"),
        _number("volume_24h", "base currency", "volume of the last 24 hours"),
        _number("quote_volume_24h", "quote currency", "turnover of the last 24 hours"),
        _number("open_24h", "quote currency", "price 24 hours ago"),
        _number("funding_rate", "fraction a funding period", "perpetual funding rate"),
        Column("next_funding_time", f"Nullable({_MS})", "time", "data.next_funding_time", "UTC, ms", "next settlement"),
        _number("mark_price", "quote currency", "price used for margin and liquidation"),
        _number("index_price", "quote currency", "price of the underlying index"),
        _number("open_interest", "contracts", "open contracts"),
        _number("open_interest_value", "USD", "value of the open contracts"),
    ),
    identity=("exchange", "symbol", "timestamp"),
    tie_break=(),
    last_ties=("t.last_price", "t.bid_price", "t.ask_price", "t.bid_size", "t.ask_size"),
    seen_without_record="toDateTime64(t.timestamp, 6, 'UTC')",
)


def interval_ms_sql(column: str = "t.interval") -> str:
    """Return SQL for a candle's length in ms; NULL for an interval outside the vocabulary."""
    names = ", ".join(f"'{name}'" for name in INTERVAL_MS)
    lengths = ", ".join(str(ms) for ms in INTERVAL_MS.values())
    return f"transform({column}, [{names}], [{lengths}], NULL)"


KLINE: Final = Table(
    name="kline",
    columns=(
        Column("timestamp", _MS, "time", "data.timestamp", "UTC, ms", "open time of the candle"),
        *_key_columns()[1:],
        Column("interval", "String", "interval", "data.interval", "", "length of the candle"),
        _number("open", "quote currency", "first price", nullable=False),
        _number("high", "quote currency", "highest price", nullable=False),
        _number("low", "quote currency", "lowest price", nullable=False),
        _number("close", "quote currency", "last price", nullable=False),
        _number("volume", "base currency", "traded volume", nullable=False),
        _number("quote_volume", "quote currency", "turnover"),
        Column("num_trades", "Nullable(Int32)", "number", "data.num_trades", "", "number of trades"),
        Column("close_time", f"Nullable({_MS})", "time", "data.close_time", "UTC, ms", "last instant of the candle"),
        Column("is_final", "UInt8", "flag", "data.is_final", "", "whether the candle is closed"),
    ),
    identity=("exchange", "symbol", "interval", "timestamp"),
    tie_break=(interval_ms_sql(),),
    last_ties=("t.is_final", "t.volume", "t.close"),
    # The close_time may be NULL and a running row says nothing about when it was current: without a record it is never shown.
    seen_without_record=(f"if(t.is_final = 1, addMilliseconds(toDateTime64(t.timestamp, 6, 'UTC'), {interval_ms_sql()}), NULL)"),
)

ORDERBOOK: Final = Table(
    name="orderbook",
    columns=(
        *_key_columns(),
        Column("bids_json", "String", "text", "data.bids", "", "bids as JSON: [[price, size], ...], best first"),
        Column("asks_json", "String", "text", "data.asks", "", "asks as JSON: [[price, size], ...], best first"),
        _number("bids_price_0", "quote currency", "best bid", wire="data.bids[0][0]"),
        _number("asks_price_0", "quote currency", "best ask", wire="data.asks[0][0]"),
        _number("bids_size_0", "base currency", "size at the best bid", wire="data.bids[0][1]"),
        _number("asks_size_0", "base currency", "size at the best ask", wire="data.asks[0][1]"),
        Column("is_snapshot", "UInt8", "flag", "data.is_snapshot", "", "whether the row is a whole book, not an update"),
        Column("sequence_id", "String", "text", "data.sequence_id", "", "the exchange's sequence or checksum"),
    ),
    identity=("exchange", "symbol", "timestamp", "sequence_id"),
    tie_break=(),
    last_ties=("toUInt64OrNull(t.sequence_id)", "t.sequence_id", "t.bids_price_0", "t.asks_price_0", "t.bids_size_0", "t.asks_size_0"),
    seen_without_record="toDateTime64(t.timestamp, 6, 'UTC')",
)

TABLES: Final = {t.name: t for t in (TRADE, TICKER, KLINE, ORDERBOOK)}
