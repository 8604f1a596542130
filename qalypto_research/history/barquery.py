"""SQL that makes bars of trades, or parts of bars, or the tape that bars are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from qalypto_research.aggregation.placing import Position, Standing
from qalypto_research.aggregation.rules import MOST_COUNTED, MOST_UNITS, UNITS_PER_ONE, Rule
from qalypto_research.history.query import Span, TableQuery, names_sql, number_sql

_MS: Final = "toUnixTimestamp64Milli(t.timestamp)"


@dataclass(frozen=True, slots=True)
class TapeQuery(TableQuery):
    """The trades of a span as bars need them: series by series, each in its total order; names are numbers."""

    def select(self, span: Span, *, newest: int | None = None) -> tuple[str, dict[str, Any]]:  # noqa: ARG002 - a limit is of bars
        """Return the statement for the trades in `span`, and its parameters."""
        where, parameters = self._where(span)
        sign = "toInt8(t.side = 'buy') - toInt8(t.side = 'sell')"
        return (
            f"SELECT toInt64({self._series()}) AS series, {_MS} AS ms, t.price AS price, t.amount AS amount, {sign} AS sign "
            f"FROM {self.relation} AS t WHERE {where} ORDER BY {', '.join(['series', 't.timestamp', *self.ties])}"
        ), parameters

    def first_times(self, span: Span) -> tuple[str, dict[str, Any]]:
        """Return the statement for the number of each series with a trade in `span` and the time of its first, in milliseconds."""
        where, parameters = self._where(span)
        return (
            f"SELECT toInt64({self._series()}) AS series, min({_MS}) AS ms FROM {self.relation} AS t WHERE {where} GROUP BY series",
            parameters,
        )

    def there_before(self, span: Span, opens_ms: Sequence[int]) -> tuple[str, dict[str, Any]]:
        """Return the statement for the numbers of the series with a trade in `span` before a moment of their own."""
        where, parameters = self._where(span)
        return (
            f"SELECT DISTINCT toInt64({self._series()}) AS series FROM {self.relation} AS t "
            f"WHERE {where} AND {_MS} < {{opens:Array(Int64)}}[1 + {self._series()}] LIMIT {len(self.pairs):d}"
        ), parameters | {"opens": list(opens_ms)}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The series, by their numbers."""
        return [(exchange, symbol) for exchange in self.exchanges for symbol in self.symbols]

    def _series(self) -> str:
        return f"{number_sql('exchange', self.exchanges)} * {len(self.symbols):d} + {number_sql('symbol', self.symbols)}"


@dataclass(frozen=True, slots=True)
class BarQuery(TapeQuery):
    """The parts of bars in a span: a row a series and bar, in no order.

    Attributes
    ----------
    rule : Rule
        Of any kind but imbalance: where a bar ends there depends on how the ones before it came out.
    carried : mapping of int to Position
        Where each series stands before the span; bars of time need none.
    """

    rule: Rule = field(kw_only=True)
    carried: Mapping[int, Standing] = field(kw_only=True)

    @property
    def reduces(self) -> bool:
        """See ``TableQuery``."""
        return True

    def select(self, span: Span, *, newest: int | None = None) -> tuple[str, dict[str, Any]]:  # noqa: ARG002 - a limit is of bars
        """Return the statement for the parts in `span`, and its parameters."""
        where, parameters = self._where(span)
        placed, window, reached = self._by_time() if self.rule.by_time else self._by_size()
        if not self.rule.by_time:
            parameters["rests"] = [self._rest(number) for number in range(len(self.pairs))]
        # The total order is made once, as a number a row: an argMin over all that breaks ties would take twice the time.
        return (
            "SELECT toInt64(series) AS series, place, min(ms) AS first_ms, max(ms) AS last_ms, argMin(price, number) AS open, "
            "max(price) AS high, min(price) AS low, argMax(price, number) AS close, sumKahan(amount) AS volume, "
            "sumKahan(price * amount) AS quote_volume, sumKahanIf(amount, bought) AS buy_volume, sumKahanIf(amount, sold) AS sell_volume, "
            f"toInt64(count()) AS num_trades{reached} FROM (SELECT {self._series()} AS series, {_MS} AS ms, t.price AS price, "
            f"t.amount AS amount, t.side = 'buy' AS bought, t.side = 'sell' AS sold, {placed} FROM {self.relation} AS t "
            f"WHERE {where}{window}) GROUP BY series, place"
        ), parameters

    def _by_time(self) -> tuple[str, str, str]:
        """Return SQL for the place and the number of a row, the window they need, and what a part has to say of where it ends."""
        number = f"row_number() OVER (ORDER BY {self._total_order()} ROWS UNBOUNDED PRECEDING) AS number"
        return f"intDiv(ms, {self.rule.every // 1_000:d}) AS place, {number}", "", ""

    def _by_size(self) -> tuple[str, str, str]:
        """Return the same for bars on the grid of what was traded before."""
        every = self.rule.every
        counted = {"tick": "0", "volume": "t.amount", "dollar": "t.price * t.amount"}[self.rule.by]
        units = "1" if self.rule.by == "tick" else f"round(ifNotFinite(counted, 0) * {UNITS_PER_ONE})"
        # In integers of 128 bits, which hold any sum of what may be counted. A trade lies where it begins. What is no number
        # shows in the sums, what is too large in `most`.
        placed = (
            f"{counted} AS counted, toInt128(least({units}, {MOST_COUNTED * UNITS_PER_ONE})) AS units, row_number() OVER before AS number, "
            f"{{rests:Array(Int64)}}[1 + series] + sum(units) OVER before AS reached, {self._bars('reached - units')} AS place"
        )
        window = f" WINDOW before AS (PARTITION BY {self._series()} ORDER BY {self._total_order()} ROWS UNBOUNDED PRECEDING)"
        ends = f"{self._bars('max(reached)')} AS bars, toInt64(max(reached) % {every:d}) AS rest"
        return placed, window, f", {ends}, toFloat64(max(counted)) AS most"

    def _bars(self, units: str) -> str:
        """Return SQL for the bar that so many units end in, or more bars than there may be."""
        return f"toInt64(least(intDiv({units}, {self.rule.every:d}), toInt128({MOST_UNITS:d})))"

    def _total_order(self) -> str:
        return ", ".join(["t.timestamp", *self.ties])

    def _rest(self, number: int) -> int:
        standing = self.carried.get(number)
        return standing.rest if isinstance(standing, Position) else 0


@dataclass(frozen=True, slots=True)
class FlowQuery(TableQuery):
    """What was bought and what was sold in each bucket of time, a row a bucket and series.

    Attributes
    ----------
    every_ms : int
        Length of a bucket. Spans begin and end between buckets.
    lag_us : int
        How long after its end a bucket is known.
    """

    every_ms: int = field(kw_only=True)
    lag_us: int = field(kw_only=True)

    @property
    def reduces(self) -> bool:
        """See ``TableQuery``."""
        return True

    @property
    def grain_ms(self) -> int:
        """See ``TableQuery``: no bucket may be cut."""
        return self.every_ms

    def most_rows(self, read: int, length_ms: int) -> int:
        """See ``TableQuery``: one row a bucket and series."""
        return min(read, -(-length_ms // self.every_ms) * len(self.exchanges) * len(self.symbols))

    def _place(self) -> str:
        """Return SQL for bucket and series as one number, which is grouped by faster than texts."""
        exchange, symbol = number_sql("exchange", self.exchanges), number_sql("symbol", self.symbols)
        bucket = f"intDiv({_MS}, {self.every_ms:d})"
        return f"({bucket} * {len(self.exchanges):d} + {exchange}) * {len(self.symbols):d} + {symbol}"

    def _count(self) -> str:
        return f"uniqExact({self._place()})"

    def _rows(self, where: str) -> str:
        exchanges, symbols = len(self.exchanges), len(self.symbols)
        bucket = f"intDiv(place, {exchanges * symbols:d})"
        # Compensated: a sum of floats depends on the order, and what is grouped comes in any.
        sums = ", ".join(f"sumKahanIf(t.amount, t.side = '{side}') AS {side}_volume" for side in ("buy", "sell"))
        return (
            f"(SELECT fromUnixTimestamp64Milli({bucket} * {self.every_ms:d}, 'UTC') AS timestamp, "
            f"fromUnixTimestamp64Micro(({bucket} + 1) * {self.every_ms * 1_000:d} + {self.lag_us:d}, 'UTC') AS available_at, "
            f"{names_sql('exchange', self.exchanges)}[1 + intDiv(place, {symbols:d}) % {exchanges:d}] AS exchange, "
            f"{names_sql('symbol', self.symbols)}[1 + place % {symbols:d}] AS symbol, buy_volume, sell_volume, num_trades, "
            "buy_volume - sell_volume AS signed_volume, "
            "if(buy_volume + sell_volume = 0, NULL, signed_volume / (buy_volume + sell_volume)) AS imbalance FROM "
            f"(SELECT {self._place()} AS place, {sums}, toInt64(count()) AS num_trades FROM {self.relation} AS t "
            f"WHERE {where} GROUP BY place)) AS t"
        )

    def _order(self) -> list[str]:
        return self._keys()


def flow_query(query: TableQuery, every_ms: int, lag_us: int) -> FlowQuery:
    """Return the flow of what `query` asks for, in buckets of `every_ms` that are known `lag_us` after their end."""
    return FlowQuery(**_base(query), every_ms=every_ms, lag_us=lag_us)


def trades_query(query: TableQuery) -> TapeQuery:
    """Return the trades of what `query` asks for."""
    return TapeQuery(**_base(query))


def tape_query(query: TableQuery, rule: Rule, carried: Mapping[int, Standing]) -> TapeQuery:
    """Return what has to be read for bars by `rule`: parts of them where ClickHouse can tell which trade belongs where, else the tape."""
    if rule.by == "imbalance":
        return trades_query(query)
    return BarQuery(**_base(query), rule=rule, carried=carried)


def _base(query: TableQuery) -> dict[str, Any]:
    return {f.name: getattr(query, f.name) for f in fields(query)}
