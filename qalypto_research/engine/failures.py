"""One table of {theirs: ours}: what ClickHouse and its client raise, and what a user of this package sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.errors import ArchiveError, QueryError

_CODE: Final = re.compile(r"Code: (\d+)\.\s*(?:DB::Exception:\s*)?")
_NOISE: Final = re.compile(r"\s*(?:In scope .*|\(version .*?\)|Stack trace:.*|: While executing .*|: While processing .*)$", re.DOTALL)
# Positions are those of the statement sent, which is the user's with some words around it: only what was met there is of use.
_SYNTAX: Final = re.compile(
    r"failed at position \d+ \(.*?\) \(line \d+, col \d+\): (?P<met>.*?)\. (?P<unmatched>Unmatched parentheses)?.*", re.DOTALL
)
_AROUND: Final = re.compile(r"(?:\n?\)\n FORMAT )?ArrowStream$")
# What ClickHouse thinks was meant may be a table of ours below the guard, or another connection's.
_MEANT: Final = re.compile(r"\.? Maybe you meant [^?]*\?")
_LONGEST: Final = 400

_READ_STAGE: Final = re.compile(r": read stage: .*$", re.DOTALL)
_READ_COLUMN: Final = re.compile(r": column: (\w+)")
_NOT_DAMAGE: Final = frozenset({76, 159, 160, 241, 394})
"""Codes that may name a file and say nothing of it: too many open, too slow, too much memory, cancelled."""

_HINTS: Final = {
    60: "the tables are market_data_trade, market_data_ticker, market_data_kline and market_data_orderbook",
    164: "qr.sql reads only: SELECT or WITH ... SELECT",
    241: "ask for a shorter window or fewer columns",
}


@contextmanager
def translated(query_id: str) -> Iterator[None]:
    """Raise ``QueryError`` in place of whatever the client raises, with the cause kept.

    Parameters
    ----------
    query_id : str
        The id under which the statement runs.
    """
    try:
        yield
    except ClickHouseError as error:
        raise to_query_error(error, query_id) from error


def to_query_error(error: Exception, query_id: str) -> QueryError:
    """Return the ``QueryError`` for `error`, its message shortened to what helps."""
    text = str(error)
    found = _CODE.search(text)
    code = int(found[1]) if found else None
    while found:
        text = text[found.end() :]
        found = _CODE.match(text)
    text = _MEANT.sub("", text)
    message = _SYNTAX.sub(_syntax, _NOISE.sub("", text)).strip().rstrip(".:")
    message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ..."
    hint = _HINTS.get(code or 0)
    return QueryError(f"{message}; {hint}" if hint else message, code=code, query_id=query_id)


def to_damage(error: BaseException | None, paths: Iterable[str]) -> ArchiveError | None:
    """Return which of the files at `paths` cannot be read according to `error`, None where it speaks of none of them."""
    text = str(error)
    found = _CODE.search(text)
    if found is None or int(found[1]) in _NOT_DAMAGE:
        return None
    for path in paths:
        said, here, _ = text.partition(f": (in file/uri {path})")
        if here:
            column = _READ_COLUMN.search(said)
            why = _CODE.sub("", _READ_STAGE.sub("", said)).strip()[:_LONGEST]
            return ArchiveError(path, f"is damaged: a part of it cannot be read ({why})", column=column[1] if column else None)
    return None


def _syntax(found: re.Match[str]) -> str:
    met = _AROUND.sub("", found["met"]).strip().partition("\n")[0]
    where = f"at {met[:80]!r}" if met else "at the end of the query"
    return f"{where}: unmatched parentheses" if found["unmatched"] else where
