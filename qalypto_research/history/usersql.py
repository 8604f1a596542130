"""Read a user's SQL just closely enough to bind its clock, find its tables and refuse what is not one SELECT."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.engine.tokens import Token, significant, tokenise, without_end
from qalypto_research.errors import InputError
from qalypto_research.schema.tables import TABLES
from qalypto_research.timerange import parse_time

_DATABASE: Final = "market_data"
_NOW: Final = "now"
_WALL_BARE: Final = frozenset({"current_timestamp", "current_date", "curdate", "localtimestamp", "localtime"})
"""What tells wall time with parentheses and without."""
_WALL: Final = _WALL_BARE | {"now", "now64", "nowinblock", "now64inblock", "today", "yesterday", "utctimestamp", "utc_timestamp"}
_TABLES: Final = frozenset(t.sql_name for t in TABLES.values())


@dataclass(frozen=True, slots=True)
class UserQuery:
    """A user's SELECT, ready to send.

    Attributes
    ----------
    sql : str
        One statement, its clock bound, its tables without the service's database, without a FORMAT clause.
    parameters : dict
        Every bound value, the clock included where it is used.
    dropped_format : str or None
        The format it ended with.
    wall_clock : str or None
        The first function in it that tells wall time.
    """

    sql: str
    parameters: dict[str, Any]
    dropped_format: str | None
    wall_clock: str | None


def prepare(query: str, params: Mapping[str, Any] | None, moment: pd.Timestamp) -> UserQuery:
    """Check and rewrite a user's SQL.

    Parameters
    ----------
    query : str
        One SELECT (or WITH ... SELECT), as the vendor's documentation writes them; ``{now}`` is the clock,
        ``{name:Type}`` a bound value.
    params : mapping of str to value, optional
        The values.
    moment : pandas.Timestamp
        What ``{now}`` is.

    Raises
    ------
    InputError
        Not one SELECT; a value missing, left over or of a kind that cannot be bound.
    """
    if not isinstance(query, str) or not query.strip():
        raise InputError("query", "is empty; write a SELECT, as 'SELECT count() FROM market_data_trade'")
    tokens = without_end(tokenise(query))
    _check_select(tokens)
    tokens, dropped = _without_format(tokens)
    tokens = _without_database(tokens)
    if params is not None and not isinstance(params, Mapping):
        raise InputError("params", f"{params!r} is not a mapping; give names and values, as params={{'symbol': 'BTCUSDT'}}")
    sql, parameters = _bound(tokens, dict(params or {}), moment)
    return UserQuery(sql, parameters, dropped, _wall_clock(tokens))


def _check_select(tokens: list[Token]) -> None:
    places = significant(tokens)
    first = next((tokens[i].text for i in places if tokens[i].text != "("), "")
    if first.upper() not in ("SELECT", "WITH"):
        raise InputError("query", f"begins with {first!r}; only SELECT, or WITH ... SELECT, is answered")
    if any(t.text == ";" for t in tokens):
        raise InputError("query", "holds several statements; send them one at a time")
    words = [tokens[i].text.upper() if tokens[i].kind == "word" else "" for i in places]
    for pair in (("INSERT", "INTO"), ("INTO", "OUTFILE")):
        if pair in pairwise(words):  # readonly does not keep the embedded engine from either
            raise InputError("query", f"writes ({' '.join(pair)}); only SELECT, or WITH ... SELECT, is answered")
    for kind, opener in (("'", "text"), ('"', "quoted"), ("`", "quoted")):
        if any(t.kind == "other" and t.text == kind for t in tokens):
            raise InputError("query", f"a {kind} is opened and never closed ({opener})")


def _without_format(tokens: list[Token]) -> tuple[list[Token], str | None]:
    places = significant(tokens)
    if len(places) > 2 and tokens[places[-2]].text.upper() == "FORMAT" and tokens[places[-1]].kind == "word":
        return without_end(tokens[: places[-2]]), tokens[places[-1]].text
    return tokens, None


def _without_database(tokens: list[Token]) -> list[Token]:
    """Return the tokens with ``market_data.market_data_trade`` as ``market_data_trade``, and so for every table."""
    places = significant(tokens)
    dropped: set[int] = set()
    for a, b, c in zip(places, places[1:], places[2:], strict=False):
        names = tokens[a].kind in ("word", "quoted") and tokens[c].kind in ("word", "quoted")
        if names and tokens[a].plain == _DATABASE and tokens[b].text == "." and tokens[c].plain in _TABLES:
            dropped.update(range(a, c))
    return [t for i, t in enumerate(tokens) if i not in dropped]


def _bound(tokens: list[Token], params: dict[str, Any], moment: pd.Timestamp) -> tuple[str, dict[str, Any]]:
    used: dict[str, Any] = {}
    out = []
    for token in tokens:
        if token.kind != "slot":
            out.append(token.text)
            continue
        if token.name == _NOW and token.type is None:
            out.append(f"{{{_NOW}:DateTime64(6, 'UTC')}}")
            used[_NOW] = f"{moment:%Y-%m-%d %H:%M:%S.%f}"
            continue
        if token.name == _NOW:
            raise InputError("query", f"{token.text}: the connection's clock has a type of its own; write {{{_NOW}}}")
        if token.type is None:
            raise InputError("query", f"{token.text} has no type; write {{{token.name}:String}}, {{{token.name}:Float64}} or the like")
        if token.name not in params:
            raise InputError("params", f"{token.name!r} is used in the query and not given; params={{{token.name!r}: ...}}")
        used[token.name] = _value(token.name, params[token.name])
        if used[token.name] is None and "Nullable" not in token.type:
            kind = token.type.strip()
            raise InputError("params", f"{token.name!r} is None, which {kind} cannot hold; write {{{token.name}:Nullable({kind})}}")
        out.append(token.text)
    left = sorted(set(params) - set(used), key=str)
    if left or _NOW in params:
        name = left[0] if left else _NOW
        unused = f"is not used in the query; write {{{name}:Type}} where it belongs"
        why = "is the connection's clock and cannot be given" if name == _NOW else unused
        raise InputError("params", f"{name!r} {why}")
    return "".join(out), used


def _value(name: str, value: Any) -> Any:
    """Return `value` in a form the client binds without guessing a zone."""
    if value is pd.NaT or value is pd.NA or (isinstance(value, np.datetime64) and np.isnat(value)):
        return None
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray, pd.Index, pd.Series)):
        return [_value(name, v) for v in value]
    if isinstance(value, (dt.datetime, np.datetime64)):
        text = f"{parse_time(value, 'params'):%Y-%m-%d %H:%M:%S.%f}"
        return text.removesuffix(".000000")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return int(value)  # the service's flags are UInt8, which takes no True
    if value is None or isinstance(value, (int, float, str, dt.date)):
        return value
    raise InputError("params", f"{name!r} is a {type(value).__name__}; give a string, number, time, date or a list of them")


def _wall_clock(tokens: list[Token]) -> str | None:
    places = significant(tokens)
    texts = ["", *(tokens[i].text for i in places), ""]
    for before, place, after in zip(texts, places, texts[2:], strict=False):
        name = tokens[place].plain.lower() if tokens[place].kind in ("word", "quoted") else ""
        bare = name in _WALL_BARE and tokens[place].kind == "word" and before != "." and before.upper() != "AS"
        if (name in _WALL and after == "(") or bare:
            return f"{tokens[place].plain}()"
    return None
