"""SQL over the tickers of several exchanges: the best of them in each bucket of time, and totals of a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from qalypto_research.history.query import Span, TableQuery, names_sql, number_sql

_MS: Final = "toUnixTimestamp64Milli(t.timestamp)"


def _latest_first(query: TableQuery) -> list[str]:
    """Return what orders rows of one exchange, symbol and time, from the last."""
    return [f"{key} DESC NULLS FIRST" for key in query.ties]


@dataclass(frozen=True, slots=True)
class SpreadQuery(TableQuery):
    """One row a bucket and symbol, out of the last ticker of each exchange in the bucket. Made by ``spread_query``.

    Names are numbers inside: bucket, symbol, exchange and the time in the bucket make one integer, which is sorted and
    grouped by several times faster than by texts.

    Attributes
    ----------
    every_ms : int
        Length of a bucket. Spans begin and end between buckets.
    """

    every_ms: int = 1_000

    @property
    def reduces(self) -> bool:
        """See ``TableQuery``."""
        return True

    @property
    def grain_ms(self) -> int:
        """See ``TableQuery``: no bucket may be cut."""
        return self.every_ms

    def most_rows(self, read: int, length_ms: int) -> int:
        """See ``TableQuery``: one row a bucket and symbol."""
        return min(read, -(-length_ms // self.every_ms) * len(self.symbols))

    def _count(self) -> str:
        return f"uniqExact({self._bucket()} * {len(self.symbols):d} + {number_sql('symbol', self.symbols)})"

    def _rows(self, where: str) -> str:
        exchanges, every = len(self.exchanges), self.every_ms
        series = f"{self._bucket()} * {len(self.symbols):d} + {number_sql('symbol', self.symbols)}"
        moment = f"(({series}) * {exchanges:d} + {number_sql('exchange', self.exchanges)}) * {every:d} + {_MS} % {every:d}"
        # A NaN is no price either.
        prices = ", ".join(f"if(isNaN(t.{side}_price), NULL, t.{side}_price) AS {side}" for side in ("bid", "ask"))
        last = (
            f"SELECT {moment} AS moment, intDiv(moment, {every:d}) AS place, t.last_price AS last_price, {prices} "
            f"FROM {self.relation} AS t WHERE {where} ORDER BY {', '.join(['moment DESC', *_latest_first(self)])} LIMIT 1 BY place"
        )
        # Compensated: a sum of floats depends on the order, and what is grouped comes in any.
        best = (
            f"SELECT intDiv(place, {exchanges:d}) AS series, toInt64(count()) AS exchanges, max(bid) AS bid_price, min(ask) AS ask_price, "
            f"groupArray(place % {exchanges:d}) AS numbers, groupArray(ifNull(bid, -inf)) AS bids, groupArray(ifNull(ask, inf)) AS asks, "
            f"min(last_price) AS min_price, max(last_price) AS max_price, sumKahan(last_price) AS total FROM ({last}) GROUP BY series"
        )
        named = ", ".join(
            f"if(isNull({side}_price), NULL, {names_sql('exchange', self.exchanges)}"
            f"[1 + arrayMin(arrayFilter((number, price) -> price = assumeNotNull({side}_price), numbers, {side}s))]) AS {side}_exchange"
            for side in ("bid", "ask")
        )
        symbols = len(self.symbols)
        return (
            f"(SELECT fromUnixTimestamp64Milli(intDiv(series, {symbols:d}) * {every:d}, 'UTC') AS timestamp, "
            f"{names_sql('symbol', self.symbols)}[1 + series % {symbols:d}] AS symbol, exchanges, bid_price, ask_price, {named}, "
            "(bid_price + ask_price) / 2 AS mid_price, ask_price - bid_price AS spread, spread / mid_price * 10000 AS spread_bps, "
            "min_price, max_price, total / exchanges AS avg_price, "
            f"(max_price - min_price) / avg_price * 10000 AS range_bps FROM ({best})) AS t"
        )

    def _bucket(self) -> str:
        return f"intDiv({_MS}, {self.every_ms:d})"

    def _keys(self) -> list[str]:
        return ["t.timestamp", *(["t.symbol"] if len(self.symbols) > 1 else [])]

    def _order(self) -> list[str]:
        return self._keys()


def spread_query(query: TableQuery, every_ms: int) -> SpreadQuery:
    """Return the spreads over what `query` asks for, in buckets of `every_ms`."""
    # By name: of equal best prices the one with the least number counts.
    exchanges = tuple(sorted(query.exchanges))
    return SpreadQuery(query.table, query.relation, query.arrival, query.columns, exchanges, query.symbols, every_ms=every_ms)


@dataclass(frozen=True, slots=True)
class ComparisonQuery(TableQuery):
    """What the tickers of a range say of each exchange and symbol."""

    def totals(self, span: Span) -> tuple[str, dict[str, Any]]:
        """Return the statement for the totals of each series, and its parameters."""
        where, parameters = self._where(span)
        # Compensated: the mean is the same in whatever order the files are read, and so is the order of means.
        statement = (
            "SELECT t.exchange AS exchange, t.symbol AS symbol, sumKahan(t.last_price) / count() AS avg_price, "
            "max(t.last_price) AS max_price, min(t.last_price) AS min_price, toInt64(count()) AS updates "
            f"FROM {self.relation} AS t WHERE {where} GROUP BY t.exchange, t.symbol"
        )
        return statement, parameters

    def newest(self, span: Span) -> tuple[str, dict[str, Any]]:
        """Return the statement for the newest row of each series, and its parameters."""
        where, parameters = self._where(span)
        series = "t.exchange, t.symbol"
        # By time first, and only what is left by order of arrival: a sort of the whole range would be dear.
        last = f"SELECT {series}, max(t.timestamp) FROM {self.relation} AS t WHERE {where} GROUP BY {series}"
        latest = ", ".join([series, "t.timestamp DESC", *_latest_first(self)])
        statement = (
            "SELECT t.exchange AS exchange, t.symbol AS symbol, t.last_price AS last_price, t.timestamp AS last_update, "
            f"t.bid_price AS bid_price, t.ask_price AS ask_price FROM {self.relation} AS t "
            f"WHERE {where} AND ({series}, t.timestamp) IN ({last}) ORDER BY {latest} LIMIT 1 BY {series}"
        )
        return statement, parameters
