"""Every error and warning of the package, in one tree.

``QalyptoError`` is the root: ``except qr.QalyptoError`` catches whatever the package raises on purpose.
Errors about an argument are also ``ValueError``, so that code written against pandas habits keeps working.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ArchiveError",
    "AuthenticationError",
    "BusyError",
    "ClosedError",
    "ConfigurationError",
    "CrossedBookWarning",
    "DamagedArchiveWarning",
    "DataError",
    "DisplayError",
    "FormatDroppedWarning",
    "GapError",
    "GapWarning",
    "IncompleteAnswerError",
    "InputError",
    "MissingPackageError",
    "PlainChartWarning",
    "QalyptoError",
    "QalyptoWarning",
    "QueryError",
    "QueryTimeoutError",
    "RangeError",
    "ResultTooLargeError",
    "SampleDataWarning",
    "SchemaError",
    "ServiceError",
    "StaleDataError",
    "StreamError",
    "UnknownNameError",
    "WaitTimeoutError",
    "WallClockWarning",
]


class QalyptoError(Exception):
    """Root of all errors of this package."""


class InputError(QalyptoError, ValueError):
    """An argument cannot be used; nothing was sent.

    Attributes
    ----------
    argument : str
        Name of the argument at fault, as the caller wrote it.
    """

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(f"{argument}: {message}")
        self.argument = argument


class UnknownNameError(InputError):
    """A symbol, exchange, interval, column or setting that does not exist here.

    Attributes
    ----------
    value : str
        What was asked for.
    allowed : tuple of str
        What could have been asked for.
    """

    def __init__(self, argument: str, value: object, allowed: Iterable[str], hint: str = "") -> None:
        self.value = value
        self.allowed = tuple(allowed)
        close = get_close_matches(value.lower() if isinstance(value, str) else "", [a.lower() for a in self.allowed], n=1, cutoff=0.6)
        meant = [a for a in self.allowed if close and a.lower() == close[0]]
        parts = [f"{value!r} is not known"]
        if meant:
            parts.append(f"did you mean {meant[0]!r}?")
        parts.append(f"allowed: {_listed(self.allowed)}")
        if hint:
            parts.append(hint)
        super().__init__(argument, "; ".join(parts))


class RangeError(InputError):
    """A time range that contradicts itself or lies where nothing can be known."""


class MissingPackageError(QalyptoError, ImportError):
    """A package of somebody else's that this call makes things of is not installed.

    Attributes
    ----------
    extra : str
        What installs it: ``pip install "qalypto-research[extra]"``.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs the package {package}, which is not installed; pip install "qalypto-research[{extra}]"')
        self.name = package
        self.extra = extra


class ConfigurationError(QalyptoError):
    """The settings do not say, or contradict, where the data should come from."""


class ArchiveError(QalyptoError):
    """A folder of Parquet files that cannot be read as an archive.

    Attributes
    ----------
    path : str
        The file or folder at fault.
    column : str or None
        The column at fault, where it is one.
    reason : str
        What is wrong with it, without the path.
    """

    def __init__(self, path: object, message: str, *, column: str | None = None) -> None:
        where = f"{path}, column {column!r}" if column else f"{path}"
        super().__init__(f"{where}: {message}")
        self.path = str(path)
        self.column = column
        self.reason = message


class DataError(QalyptoError):
    """A stored value that cannot be what its column says; nothing was made of it.

    Attributes
    ----------
    exchange, symbol, column : str
        Where it stands.
    timestamp : pandas.Timestamp
        When, in UTC.
    """

    def __init__(self, message: str, *, exchange: str, symbol: str, timestamp: pd.Timestamp, column: str) -> None:
        super().__init__(f"{exchange} {symbol} at {timestamp}, {column}: {message}")
        self.exchange = exchange
        self.symbol = symbol
        self.timestamp = timestamp
        self.column = column


class ResultTooLargeError(QalyptoError):
    """The answer would be larger than ``max_bytes``; nothing was downloaded.

    Attributes
    ----------
    rows : int
        Rows the answer would have.
    estimated_bytes, max_bytes : int
        What the frame would take, and what was allowed.
    """

    def __init__(self, message: str, *, rows: int, estimated_bytes: int, max_bytes: int) -> None:
        super().__init__(message)
        self.rows = rows
        self.estimated_bytes = estimated_bytes
        self.max_bytes = max_bytes


class GapError(QalyptoError):
    """Candles are missing and ``gaps="raise"`` was asked for.

    Attributes
    ----------
    holes : pandas.DataFrame
        One row a hole: exchange, symbol, start (inclusive), end (exclusive), bars.
    """

    def __init__(self, message: str, holes: pd.DataFrame) -> None:
        super().__init__(message)
        self.holes = holes


class QueryError(QalyptoError):
    """ClickHouse refused or broke off a query.

    Attributes
    ----------
    code : int or None
        ClickHouse's error code.
    query_id : str or None
        The id under which the query ran.
    """

    def __init__(self, message: str, *, code: int | None = None, query_id: str | None = None) -> None:
        super().__init__(_with_marks(message, code, query_id))
        self.code = code
        self.query_id = query_id


class QueryTimeoutError(QueryError):
    """A query took longer than the server or the connection allows."""


class IncompleteAnswerError(QueryError):
    """An answer broke off before its end; nothing of it was handed out."""


class ServiceError(QalyptoError):
    """The service cannot be reached, or does not answer as ClickHouse does.

    Attributes
    ----------
    code : int or None
        ClickHouse's error code, where it gave one.
    query_id : str or None
        The id of the query that met it.
    """

    def __init__(self, message: str, *, code: int | None = None, query_id: str | None = None) -> None:
        super().__init__(_with_marks(message, code, query_id))
        self.code = code
        self.query_id = query_id


class AuthenticationError(ServiceError):
    """The service does not accept the credentials."""


class BusyError(ServiceError):
    """The service is busy, away for a while, or a quota is used up; it was asked again and still is."""


class SchemaError(QalyptoError):
    """The service's tables are not the documented ones.

    Attributes
    ----------
    columns : tuple of str
        The columns at fault, each as ``table.column``.
    """

    def __init__(self, message: str, *, columns: Iterable[str]) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


class ClosedError(QalyptoError):
    """The connection or live chart was closed or has ended, or the connection belongs to a process this one was forked from."""


class StreamError(QalyptoError):
    """The live stream has ended or failed, and what was asked for cannot come any more."""


class StaleDataError(QalyptoError):
    """The newest row of a live answer is older than ``max_age``.

    Attributes
    ----------
    series : tuple of (exchange, symbol)
        Those that are too old, or have no row at all.
    """

    def __init__(self, message: str, *, series: Iterable[tuple[str, str]]) -> None:
        super().__init__(message)
        self.series = tuple(series)


class WaitTimeoutError(QalyptoError, TimeoutError):
    """What was waited for did not come in time."""


class DisplayError(QalyptoError):
    """What runs the notebook cannot show what was asked for."""


class QalyptoWarning(UserWarning):
    """Root of all warnings of this package."""


class SampleDataWarning(QalyptoWarning):
    """No account is configured: the answers come from the synthetic sample, not from a market."""


class GapWarning(QalyptoWarning):
    """Candles are missing in the answer."""


class CrossedBookWarning(QalyptoWarning):
    """A rebuilt order book has its best bid at or above its best ask."""


class PlainChartWarning(QalyptoWarning):
    """A live chart is drawn with matplotlib, since the interactive one cannot be had here."""


class DamagedArchiveWarning(QalyptoWarning):
    """Files of an archive are damaged and, with ``strict=False``, left out of every answer."""


class WallClockWarning(QalyptoWarning):
    """SQL on a clocked connection calls ``now()``, which is wall time there."""


class FormatDroppedWarning(QalyptoWarning):
    """A trailing FORMAT clause was dropped: the answer is a DataFrame."""


def warn_caller(message: str, category: type[QalyptoWarning]) -> None:
    """Warn at the line of the user's code that led here, however deep inside the package the cause is."""
    passed_through = (__name__.partition(".")[0], "contextlib")
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - how warnings finds it, too
    level = 1
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in passed_through:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _with_marks(message: str, code: int | None, query_id: str | None) -> str:
    """Return `message` with what support will ask for."""
    return message + "".join(f" [{name} {value}]" for name, value in (("code", code), ("query", query_id)) if value is not None)


def _listed(names: tuple[str, ...], most: int = 24) -> str:
    shown = ", ".join(names[:most])
    rest = len(names) - most
    return f"{shown} and {rest} more" if rest > 0 else shown or "none"
