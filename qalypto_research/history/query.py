"""SQL of the history calls, built from validated names; every value a user gave is a bound parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from qalypto_research.clock import to_us
from qalypto_research.history.levels import side_sql
from qalypto_research.schema.frames import VOCABULARY, FrameColumn
from qalypto_research.schema.tables import Table
from qalypto_research.schema.vocabulary import INTERVAL_MS


def to_parameter(moment: pd.Timestamp) -> str:
    """Return `moment` as a DateTime64(3, 'UTC') parameter, rounded up to the tables' milliseconds.

    Rounding up leaves ``timestamp >= start`` and ``timestamp < end`` as they were, since rows are whole milliseconds.
    """
    return f"{moment.ceil('ms'):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def bucket_sql(every_ms: int) -> str:
    """Return SQL for where the bucket of the row ``t`` begins, in milliseconds since 1970 UTC.

    Buckets of `every_ms` lie on a grid that starts at 1970: a length that divides a day starts with each UTC day.
    """
    return f"intDiv(toUnixTimestamp64Milli(t.timestamp), {every_ms:d}) * {every_ms:d}"


def number_sql(column: str, names: tuple[str, ...]) -> str:
    """Return SQL for the place of a row's name among those asked for."""
    return f"transform(t.{column}, {names_sql(column, names)}, {list(range(len(names)))}, 0)" if len(names) > 1 else "0"


def names_sql(column: str, names: tuple[str, ...]) -> str:
    """Return SQL for the names asked for, which are bound."""
    return f"{{{column}:Array(String)}}" if len(names) > 1 else f"[{{{column}:String}}]"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of time to read in one statement; a bound of None is open."""

    start: pd.Timestamp | None
    end: pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which rows and columns of which table.

    Attributes
    ----------
    table : Table
        The table.
    relation : str
        What to write after FROM.
    arrival : tuple of str
        Columns of the relation that order what is equal otherwise.
    columns : tuple of FrameColumn
        Columns of the answer beside ``timestamp``.
    exchanges, symbols : tuple of str
        Names to filter by.
    """

    table: Table
    relation: str
    arrival: tuple[str, ...]
    columns: tuple[FrameColumn, ...]
    exchanges: tuple[str, ...]
    symbols: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def reduces(self) -> bool:
        """Whether a row of the answer stands for several of the table: a limit then does not bound what is read."""
        return False

    @property
    def grain_ms(self) -> int:
        """Where the answer may be cut: at multiples of so many milliseconds since 1970."""
        return 1

    def most_rows(self, read: int, length_ms: int) -> int:  # noqa: ARG002 - for those that can tell by the length
        """Return a bound of the rows that come of `read` rows of the table over so long a time."""
        return read

    @property
    def ties(self) -> tuple[str, ...]:
        """SQL that orders rows of equal time, exchange and symbol."""
        return (*self.table.tie_break, *([f"t.{column}" for column in self.arrival] or self.table.last_ties))

    def select(self, span: Span, *, newest: int | None = None) -> tuple[str, dict[str, Any]]:
        """Return the statement for the rows in `span`, ascending, and its parameters.

        Parameters
        ----------
        span : Span
            Range of ``timestamp``.
        newest : int, optional
            Only the last so many rows.
        """
        where, parameters = self._where(span)
        source = self._rows(where)
        if newest is not None:
            descending = ", ".join(f"{key} DESC NULLS FIRST" for key in self._order())
            source = f"(SELECT * FROM {source} ORDER BY {descending} LIMIT {newest:d}) AS t"
        sides = _sides(self.columns)
        if sides:
            source = f"(SELECT t.*, {', '.join(sides)} FROM {source}) AS t"
        names = ", ".join(["t.timestamp AS timestamp", *map(_selected, self.columns)])
        return f"SELECT {names} FROM {source} ORDER BY {', '.join(self._order())}", parameters

    def count_by(self, span: Span, width_ms: int) -> tuple[str, dict[str, Any]]:
        """Return the statement that counts rows by consecutive stretches of `width_ms`, where there are any.

        Its columns are ``start_ms``, milliseconds since 1970, ``rows`` of the answer, and rows of the table ``read`` for
        them.
        """
        where, parameters = self._where(span)
        statement = (
            f"SELECT {bucket_sql(width_ms)} AS start_ms, {self._count()} AS rows, count() AS read FROM {self.relation} AS t "
            f"WHERE {where} GROUP BY start_ms ORDER BY start_ms"
        )
        return statement, parameters

    def find(self, span: Span, conditions: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """Return the statement for the newest row in `span` that fulfils any of `conditions`, SQL by the column it is about.

        Its columns are ``timestamp``, ``exchange``, ``symbol``, ``column`` and ``value``, that column's text.
        """
        where, parameters = self._where(span)
        descending = ", ".join(f"{key} DESC NULLS FIRST" for key in self._order())
        named = "".join(f"{sql}, ('{column}', t.{column}), " for column, sql in conditions.items())
        statement = (
            f"SELECT t.timestamp AS timestamp, t.exchange AS exchange, t.symbol AS symbol, found.1 AS column, found.2 AS value, "
            f"multiIf({named}('', '')) AS found FROM (SELECT * FROM {self._rows(where)}) AS t "
            f"WHERE {' OR '.join(conditions.values())} ORDER BY {descending} LIMIT 1"
        )
        return statement, parameters

    def _where(self, span: Span) -> tuple[str, dict[str, Any]]:
        conditions = list(self.conditions)
        parameters = dict(self.parameters)
        for bound, sign, name in ((span.start, ">=", "start"), (span.end, "<", "end")):
            if bound is not None:
                conditions.append(f"t.timestamp {sign} {{{name}:DateTime64(3, 'UTC')}}")
                parameters[name] = to_parameter(bound)
        for column, names in (("exchange", self.exchanges), ("symbol", self.symbols)):
            if len(names) == 1:
                conditions.append(f"t.{column} = {{{column}:String}}")
                parameters[column] = names[0]
            else:
                conditions.append(f"t.{column} IN {{{column}:Array(String)}}")
                parameters[column] = list(names)
        return " AND ".join(conditions), parameters

    def _count(self) -> str:
        return "count()"

    def _rows(self, where: str) -> str:
        """Return what to write after FROM to read the rows that fulfil `where`, as ``t``."""
        return f"{self.relation} AS t WHERE {where}"

    def _keys(self) -> list[str]:
        """Return what orders and tells apart rows first; a name that is the same in every row is left out."""
        named = (("exchange", self.exchanges), ("symbol", self.symbols))
        return ["t.timestamp", *(f"t.{column}" for column, names in named if len(names) > 1)]

    def _order(self) -> list[str]:
        """Return the table's total order."""
        return [*self._keys(), *self.ties]


@dataclass(frozen=True, slots=True)
class LastRowQuery(TableQuery):
    """The last row of each bucket of time, per exchange and symbol, by the table's total order.

    Attributes
    ----------
    every_ms : int
        Length of a bucket in milliseconds; see ``bucket_sql``.
    """

    every_ms: int = 1

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

    def _bucket(self) -> str:
        return ", ".join([bucket_sql(self.every_ms), *self._keys()[1:]])

    def _count(self) -> str:
        return f"uniqExact({self._bucket()})"

    def _rows(self, where: str) -> str:
        last = ", ".join(f"{key} DESC NULLS FIRST" for key in ("t.timestamp", *self.ties))
        bucket = self._bucket()
        return f"(SELECT * FROM {self.relation} AS t WHERE {where} ORDER BY {bucket}, {last} LIMIT 1 BY {bucket}) AS t"

    def _order(self) -> list[str]:
        return self._keys()


def last_row_query(query: TableQuery, every_ms: int | None) -> TableQuery:
    """Return `query` reduced to the last row of each bucket of `every_ms`; as it is where that is None."""
    return query if every_ms is None else LastRowQuery(**{f.name: getattr(query, f.name) for f in fields(query)}, every_ms=every_ms)


@dataclass(frozen=True, slots=True)
class CandleQuery(TableQuery):
    """One row a candle of one interval, out of its updates and repeats.

    The final row wins, then the largest volume, then the one that came last. Among running rows, where it is known
    when each was current, the one that came last wins, then the largest volume.
    """

    @property
    def reduces(self) -> bool:
        """See ``TableQuery``."""
        return True

    def _count(self) -> str:
        return f"uniqExact({', '.join(self._keys())})"

    def _rows(self, where: str) -> str:
        key = ", ".join(self._keys())
        last = [f"t.{column} DESC" for column in self.arrival]
        running = [f"if(t.is_final = 1, NULL, t.{self.arrival[0]}) DESC NULLS LAST"] if self.arrival else []
        rank = ", ".join(["t.is_final DESC", *running, "t.volume DESC", *last])
        return f"(SELECT * FROM {self.relation} AS t WHERE {where} ORDER BY {key}, {rank} LIMIT 1 BY {key}) AS t"

    def _order(self) -> list[str]:
        return self._keys()


def candle_query(query: TableQuery, interval: str, moment: pd.Timestamp, *, final: bool) -> CandleQuery:
    """Return `query` narrowed to candles of `interval`: those over at `moment`, and with ``final=False`` those not."""
    over_by = pd.Timestamp(to_us(moment) - INTERVAL_MS[interval] * 1_000, unit="us", tz="UTC").as_unit("us")
    # The last open that is over is at or before this; floored, so that a candle is not over a moment too soon.
    parameters = query.parameters | {"interval": interval, "over_by": to_parameter(over_by.floor("ms"))}
    closed = "t.is_final = 1 AND t.timestamp <= {over_by:DateTime64(3, 'UTC')}"
    state = closed if final else f"(({closed}) OR t.timestamp > {{over_by:DateTime64(3, 'UTC')}})"
    return CandleQuery(
        table=query.table,
        relation=query.relation,
        arrival=query.arrival,
        columns=query.columns,
        exchanges=query.exchanges,
        symbols=query.symbols,
        conditions=(*query.conditions, "t.interval = {interval:String}", state),
        parameters=parameters,
    )


def _sides(columns: Iterable[FrameColumn]) -> list[str]:
    """Return SQL for the sides of the book that `columns` show levels of, each as far as they reach."""
    reach: dict[str, int] = {}
    for column in columns:
        if column.place is not None:
            reach[column.source.name] = max(reach.get(column.source.name, 0), column.place + 1)
    return [f"{side_sql(name, numbers)} AS {name}_values" for name, numbers in reach.items()]


def _selected(column: FrameColumn) -> str:
    source = f"t.{column.source.name}"
    if column.place is not None:
        return f"{source}_values[{column.place + 1:d}] AS {column.name}"
    return f"{f'toLowCardinality({source})' if column.kind in VOCABULARY else source} AS {column.name}"
