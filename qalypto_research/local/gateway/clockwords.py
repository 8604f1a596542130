"""The stand-in's one departure from ClickHouse: ``now()`` and its like tell the time of its clock, not of the wall.

So the documentation's own ``timestamp >= now() - INTERVAL 1 HOUR`` finds rows in an archive of years ago.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from qalypto_research.engine.tokens import Token, significant


def _datetime(us: int) -> str:
    return f"toDateTime({us // 1_000_000}"


def _datetime_utc(us: int) -> str:
    return f"{_datetime(us)}, 'UTC'"


def _time(us: int) -> str:
    return f"toTime({us // 1_000_000 % 86_400}"


def _datetime64(us: int) -> str:
    return f"toDateTime64(toDecimal64('{us // 1_000_000}.{us % 1_000_000:06}', 6)"


def _today(us: int) -> str:
    return f"toDate({us // 86_400_000_000}"


def _yesterday(us: int) -> str:
    return f"toDate({us // 86_400_000_000 - 1}"


_CALLS: Final[dict[str, tuple[Callable[[int], str], str]]] = {
    "now": (_datetime, ""),
    "nowinblock": (_datetime, ""),
    "current_timestamp": (_datetime, ""),
    "localtimestamp": (_datetime, ""),
    "localtime": (_time, ""),
    "utctimestamp": (_datetime_utc, ""),
    "utc_timestamp": (_datetime_utc, ""),
    "now64": (_datetime64, ", 3"),
    "now64inblock": (_datetime64, ", 3"),
    "today": (_today, ""),
    "current_date": (_today, ""),
    "curdate": (_today, ""),
    "yesterday": (_yesterday, ""),
}
"""What each function's call begins with instead, and what it goes on with where it had no arguments."""

_BARE: Final = frozenset({"now", "today", "current_timestamp", "current_date", "curdate", "localtimestamp", "localtime"})
"""What tells the time without parentheses too, where the query has no name of its own like it."""

_ENDS: Final = frozenset({",", "FROM", ""})


def at_moment(tokens: Sequence[Token], moment_us: int) -> list[Token]:
    """Return `tokens` with every call that asks for the time answered by `moment_us`, microseconds since 1970 UTC."""
    out = list(tokens)
    places = significant(tokens)
    texts = ["", *(tokens[i].text for i in places), "", "", ""]
    own = {tokens[i].plain.lower() for i, before in zip(places, texts, strict=False) if before.upper() == "AS"}
    for n, place in enumerate(places, start=1):
        token = tokens[place]
        name = token.plain.lower() if token.kind in ("word", "quoted") else ""
        if name not in _CALLS or texts[n - 1] == ".":
            continue
        begin, default = _CALLS[name]
        if texts[n + 1] == "(":
            empty = texts[n + 2] == ")"
            out[place] = Token("other", begin(moment_us) + (default if empty else ", "))
            out[places[n]] = Token("other", "")  # its parenthesis is open already
            if empty:
                alias = f" AS `{token.plain}()`" if _is_column(texts[n - 1], texts[n + 3]) else ""
                out[places[n + 1]] = Token("other", f"){alias}")
        elif name in _BARE and token.kind == "word" and name not in own:
            out[place] = Token("other", f"{begin(moment_us)}{default})")
    return out


def _is_column(before: str, after: str) -> bool:
    """Whether what stands between is a column of its own, which keeps its name then."""
    return before.upper() in ("SELECT", ",") and after.upper() in _ENDS
