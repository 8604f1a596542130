"""One table of {theirs: ours}: what ClickHouse and its client raise, and what a user of this package sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import urllib3.exceptions as http
from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.errors import (
    ArchiveError,
    AuthenticationError,
    BusyError,
    IncompleteAnswerError,
    QalyptoError,
    QueryError,
    QueryTimeoutError,
    ServiceError,
)

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


_FORBIDDEN: Final = (164, 452)
"""Codes for a setting that may not be changed, the first also for a statement that would change something."""

_CREDENTIALS: Final = {
    192: "there is no such user",
    193: "the password is wrong",
    194: "a password is needed",
    497: "this user may not read that",
    516: "user and password do not match",
}
_BUSY: Final = {201: "a quota is used up", 202: "too many queries at once", 203: "too many connections"}
_TOO_SLOW: Final = (159, 160, 209)


_AT: Final = re.compile(r"HTTPS?Connection(?:Pool)?\(host='([^']*)', port=(\d+)\): ")
_WAYS: Final[tuple[tuple[type[http.HTTPError], type[ServiceError | QueryError], str], ...]] = (
    (http.NameResolutionError, ServiceError, "the service's name cannot be resolved; check QALYPTO_CLICKHOUSE_URL and the network"),
    (
        http.SSLError,
        ServiceError,
        "TLS with the service fails; check QALYPTO_CLICKHOUSE_URL, and for a private certificate give its file as QALYPTO_CA_FILE",
    ),
    (http.NewConnectionError, ServiceError, "the service cannot be reached; check QALYPTO_CLICKHOUSE_URL and the network"),
    (http.ConnectTimeoutError, ServiceError, "the service does not answer at its address; check QALYPTO_CLICKHOUSE_URL and the network"),
    (http.ProxyError, ServiceError, "the proxy that the environment names (HTTPS_PROXY) does not let us through"),
    (http.ReadTimeoutError, QueryTimeoutError, "the service fell silent; ask for less, or try again"),
)
"""What the connection may meet on its way, the narrower before the wider."""


@contextmanager
def translated(query_id: str | None) -> Iterator[None]:
    """Raise an error of ours in place of whatever the client raises, with the cause kept.

    Parameters
    ----------
    query_id : str or None
        The id under which the statement runs; None before there is one.
    """
    try:
        yield
    except (ClickHouseError, http.HTTPError) as error:
        raise to_error(error, query_id) from _without_frames(error)
    except ServiceError as error:
        # Raised below the client: its frames, too, stay out. A new one, for the old would be given its frames back.
        renewed = type(error)(str(error), query_id=query_id)
        _without_frames(error)
        raise renewed from None


def to_error(error: Exception, query_id: str | None) -> QalyptoError:
    """Return the error of ours for `error`, its message shortened to what helps."""
    below = _http_cause(error)
    if below is not None:
        return _broken_way(below, query_id)
    text = str(error)
    code = _first_code(text)
    if code in _CREDENTIALS:
        return AuthenticationError(
            f"ClickHouse refuses the login: {_CREDENTIALS[code]}; check QALYPTO_USERNAME and QALYPTO_PASSWORD", code=code, query_id=query_id
        )
    if code in _BUSY:
        return BusyError(f"{_BUSY[code]}: {_shortened(text)}; wait, or ask for less", code=code, query_id=query_id)
    hint = _HINTS.get(code or 0)
    message = _shortened(text)
    kind = QueryTimeoutError if code in _TOO_SLOW else QueryError
    return kind(f"{message}; {hint}" if hint else message, code=code, query_id=query_id)


def forbids_settings(error: QueryError) -> bool:
    """Return whether it is our settings that ClickHouse refused, not the statement."""
    return error.code in _FORBIDDEN and "setting" in str(error).lower()


def _http_cause(error: BaseException | None) -> http.HTTPError | None:
    """Return what the connection met on the way, if it was that."""
    while error is not None and not isinstance(error, http.HTTPError):
        error = error.__cause__
    return error


def _broken_way(error: http.HTTPError, query_id: str | None) -> QalyptoError:
    reason = error.reason if isinstance(error, http.MaxRetryError) and error.reason is not None else error
    said = _AT.sub(r"\1:\2: ", str(reason.args[-1] if reason.args else reason).strip())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
    for kind, ours, message in _WAYS:
        if isinstance(reason, kind):
            return ours(f"{message} ({said})", query_id=query_id)
    return IncompleteAnswerError(f"the connection broke off; nothing of the answer was kept, try again ({said})", query_id=query_id)


def _without_frames(error: BaseException) -> BaseException:
    """Return `error` without its frames and those of its causes: their variables hold the credentials, and debuggers show variables."""
    below: BaseException | None = error
    while below is not None:
        below.__traceback__ = None
        below = below.__cause__ or below.__context__
    return error


def _first_code(text: str) -> int | None:
    found = _CODE.search(text)
    return int(found[1]) if found else None


def _shortened(text: str) -> str:
    """Return what ClickHouse says, without what does not help."""
    found = _CODE.search(text)
    while found:
        text = text[found.end() :]
        found = _CODE.match(text)
    text = _MEANT.sub("", text)
    message = _SYNTAX.sub(_syntax, _NOISE.sub("", text)).strip().rstrip(".:")
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]} ..."


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
