"""SQL that counts series whole: rows, repeats, silences of ticks; candles there, one bit each.

Each statement reads its table once and answers in a size that does not grow with the rows: ticks are gathered by minute
inside ClickHouse, candles come as words of 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from qalypto_research.history.query import to_parameter
from qalypto_research.schema.tables import KLINE, TRADE, Table, interval_ms_sql

MINUTE_MS: Final = 60_000
"""Ticks are gathered by minute: every wait of at least so long lies between two of them, and comes out to the millisecond."""

WORD: Final = 64
"""Candles in a word, the earliest in the lowest bit."""


@dataclass(frozen=True, slots=True)
class Census:
    """Which series of one table to count, and from when to when.

    Attributes
    ----------
    table : Table
        The table.
    relation : str
        What to write after FROM.
    exchanges, symbols, intervals : tuple of str or None
        Names to filter by; None is all of them, for a name looked up in every row costs as much as reading it. Intervals
        are of candles alone.
    start, until : pandas.Timestamp or None
        Range of ``timestamp``, half-open; None is open.
    """

    table: Table
    relation: str
    exchanges: tuple[str, ...] | None
    symbols: tuple[str, ...] | None
    intervals: tuple[str, ...] | None
    start: pd.Timestamp | None
    until: pd.Timestamp | None

    def ticks(self) -> tuple[str, dict[str, Any]]:
        """Return the statement that counts a table of ticks, and its parameters.

        One row a series: exchange, symbol, rows, first and last (ms), ``minutes`` and ``squares`` (minutes with rows, and
        the sum over them of their rows squared), ``quiet_from`` and ``quiet_to`` (ms; the waits of a minute or more, in
        no order), ``duplicated``, and ``hashed``: whether ids that are no number were compared by a hash of them.
        """
        where, parameters = self._where(self.start, self.until)
        gathered = _trade_minutes if self.table is TRADE else _plain_minutes
        counted = _TRADE_REPEATS if self.table is TRADE else "sum(n) - sum(different) AS duplicated, false AS hashed"
        statement = (
            "SELECT exchange, symbol, sum(n) AS rows, min(lo) AS first, max(hi) AS last, count() AS minutes, sum(n * n) AS squares, "
            f"groupArrayIf(before, lo - before >= {MINUTE_MS} AND before > 0) AS quiet_from, "
            f"groupArrayIf(lo, lo - before >= {MINUTE_MS} AND before > 0) AS quiet_to, {counted} "
            f"FROM ({gathered(self.table, self.relation, where)}) GROUP BY exchange, symbol"
        )
        return statement, parameters

    def repeated_ids(self, exchanges: list[str], symbols: list[str]) -> tuple[str, dict[str, Any]]:
        """Return the statement that counts repeats by the trade ids themselves, for series given by two lists alongside.

        Columns exchange, symbol, duplicated.
        """
        where, parameters = self._where(self.start, self.until)
        statement = (
            "SELECT t.exchange AS exchange, t.symbol AS symbol, count() - uniqExact(t.trade_id) AS duplicated "
            f"FROM {self.relation} AS t WHERE {where} AND t.trade_id != '' AND "
            "has(arrayZip({hashed_exchanges:Array(String)}, {hashed_symbols:Array(String)}), (t.exchange, t.symbol)) "
            "GROUP BY exchange, symbol"
        )
        return statement, parameters | {"hashed_exchanges": exchanges, "hashed_symbols": symbols}

    def candles(self) -> tuple[str, dict[str, Any]]:
        """Return the statement that counts candles, and its parameters.

        One row a series and word of ``WORD`` candles, ascending: exchange, symbol, interval, word (of opens since 1970), rows,
        first and last (ms), ``finals`` (final rows on the grid), and three masks: ``known`` (candles with any row),
        ``final`` (with a final one), ``traded`` (with a final one that has volume). A row off the grid is in rows, first
        and last alone.
        """
        where, parameters = self._where(self.start, self.until)
        final, bit = "on_grid AND is_final = 1", f"bitShiftLeft(toUInt64(1), place % {WORD})"
        statement = (
            f"SELECT exchange, symbol, interval, intDiv(place, {WORD}) AS word, count() AS rows, min(ms) AS first, max(ms) AS last, "
            f"countIf({final}) AS finals, groupBitOrIf({bit}, on_grid) AS known, groupBitOrIf({bit}, {final}) AS final, "
            # Of several final rows the one of the largest volume is shown: one with any makes a candle with trades.
            f"groupBitOrIf({bit}, {final} AND volume != 0) AS traded FROM (SELECT t.exchange AS exchange, t.symbol AS symbol, "
            "t.interval AS interval, toUnixTimestamp64Milli(t.timestamp) AS ms, t.is_final AS is_final, t.volume AS volume, "
            f"assumeNotNull({interval_ms_sql()}) AS step, intDiv(ms, step) AS place, ms % step = 0 AS on_grid "
            f"FROM {self.relation} AS t WHERE {where}) GROUP BY exchange, symbol, interval, word "
            "ORDER BY exchange, symbol, interval, word"
        )
        return statement, parameters

    def begun_before(self) -> tuple[str, dict[str, Any]]:
        """Return the statement that lists the series with a row before ``start``: exchange, symbol, interval."""
        where, parameters = self._where(None, self.start)
        interval = "t.interval" if self.table is KLINE else "''"
        statement = (
            f"SELECT DISTINCT t.exchange AS exchange, t.symbol AS symbol, {interval} AS interval FROM {self.relation} AS t WHERE {where}"
        )
        return statement, parameters

    def _where(self, start: pd.Timestamp | None, until: pd.Timestamp | None) -> tuple[str, dict[str, Any]]:
        conditions = []
        parameters: dict[str, Any] = {}
        for column, names in (("exchange", self.exchanges), ("symbol", self.symbols), ("interval", self.intervals)):
            if names is not None:
                conditions.append(f"t.{column} IN {{{column}s:Array(String)}}")
                parameters[f"{column}s"] = list(names)
        for bound, sign, name in ((start, ">=", "start"), (until, "<", "end")):
            if bound is not None:
                conditions.append(f"t.timestamp {sign} {{{name}:DateTime64(3, 'UTC')}}")
                parameters[name] = to_parameter(bound)
        return " AND ".join(conditions) or "true", parameters


_MINUTE: Final = f"toUnixTimestamp64Milli(t.timestamp) AS ms, intDiv(ms, {MINUTE_MS}) AS minute"
_GATHERED: Final = "exchange, symbol, minute, count() AS n, min(ms) AS lo, max(ms) AS hi"
_PAST: Final = "past AS (PARTITION BY exchange, symbol ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
_FUTURE: Final = "future AS (PARTITION BY exchange, symbol ORDER BY minute ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"

# An id that is a number as numbers are written is compared by value, any other by a hash of it. Where the ids of a minute
# lie apart from those of all others, none of them can be repeated elsewhere, and its own count will do.
_REPEATED: Final = "sum(with_id) - sumIf(different, apart) - uniqExactArrayIf(ids, NOT apart)"
_TRADE_REPEATS: Final = f"{_REPEATED} AS duplicated, min(least_id) = 0 AND duplicated > 0 AS hashed"


def _trade_minutes(table: Table, relation: str, where: str) -> str:
    """Return SQL for the minutes of each series of trades, with the trade ids met in them."""
    # Written otherwise (with a zero or a sign in front, or longer than fits) two ids could be one number.
    number = "toUInt64OrZero(id) * (ascii(id) >= 49 AND length(id) <= 19)"
    named = ", ".join(f"t.{c} AS {c}" for c in table.identity[:2])
    rows = f"SELECT {named}, t.trade_id AS id, {number} AS number, {_MINUTE} FROM {relation} AS t WHERE {where}"
    gathered = (
        f"SELECT {_GATHERED}, countIf(id != '') AS with_id, min(number) AS least_id, max(number) AS largest_id, "
        # Arrays: as states of uniqExact, carried through the windows, they took two and a half times the memory.
        "groupArrayIf(if(number != 0, number, xxh3(id)), id != '') AS ids "
        f"FROM ({rows}) GROUP BY exchange, symbol, minute"
    )
    minutes = f"SELECT *, arrayUniq(ids) AS different FROM ({gathered})"
    return (
        "SELECT exchange, symbol, n, lo, hi, with_id, least_id, ids, different, max(hi) OVER past AS before, "
        "least_id > max(largest_id) OVER past "
        "AND ifNull(largest_id < min(toNullable(least_id)) OVER future, true) AS apart "
        f"FROM ({minutes}) WINDOW {_PAST}, {_FUTURE}"
    )


def _plain_minutes(table: Table, relation: str, where: str) -> str:
    """Return SQL for the minutes of each series of tickers or books, with the rows that differ in any column."""
    content = ", ".join(f"t.{c}" for c in table.column_names if c not in ("exchange", "symbol"))
    rows = f"SELECT t.exchange AS exchange, t.symbol AS symbol, tuple({content}) AS content, {_MINUTE} FROM {relation} AS t WHERE {where}"
    minutes = f"SELECT {_GATHERED}, uniqExact(content) AS different FROM ({rows}) GROUP BY exchange, symbol, minute"
    return f"SELECT exchange, symbol, n, lo, hi, different, max(hi) OVER past AS before FROM ({minutes}) WINDOW {_PAST}"
