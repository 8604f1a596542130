"""The engine's answers as bytes, in any of ClickHouse's formats: what a server hands on without reading it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import chdb

_CODE: Final = re.compile(r"Code: (\d+)\. DB::Exception: ")
_REPEATED: Final = re.compile(r"(?<=\)) \(version [\d.]+\).*$", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_UNKNOWN: Final = 1002


class RawError(Exception):
    """What ClickHouse refused, or broke off at.

    Attributes
    ----------
    code : int
        ClickHouse's number of the error.
    message : str
        Its words, with the error's name at the end and nothing before.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A whole answer.

    Attributes
    ----------
    body : bytes
        The rows, in the format asked for.
    rows : int
        Rows of the answer.
    read_rows, read_bytes : int
        What was read for it.
    """

    body: bytes
    rows: int
    read_rows: int
    read_bytes: int


class RawHandle:
    """A session of its own with the one engine of this process: settings and database die with it.

    For one thread at a time. Opening one takes a third of a millisecond.
    """

    def __init__(self) -> None:
        self._connection: Any = chdb.connect(":memory:")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def set(self, settings: Mapping[str, str]) -> None:
        """Set `settings`, all or none. A name ``param_x`` binds the query's ``{x:Type}``, its value escaped as in TabSeparated."""
        if settings:
            self.query("SET " + ", ".join(f"{_checked(name)} = {to_literal(value)}" for name, value in settings.items()), "TabSeparated")

    def use(self, database: str) -> None:
        """Read names without a database from `database`."""
        self.query(f"USE {to_identifier(database)}", "TabSeparated")

    def query(self, sql: str, fmt: str) -> RawAnswer:
        """Run one statement to its end.

        Raises
        ------
        RawError
            ClickHouse refused it.
        """
        with _raised():
            result = self._connection.query(sql, fmt)
            return RawAnswer(result.bytes() or b"", result.rows_read(), result.storage_rows_read(), result.storage_bytes_read())

    def stream(self, sql: str, fmt: str) -> Generator[bytes, None, None]:
        """Run one SELECT, block by block, each encoded as if it were alone. No block at all where there is no row.

        Raises
        ------
        RawError
            ClickHouse refused it, at once or after some blocks.
        """
        with _raised():
            blocks = self._connection.send_query(sql, fmt)
        try:
            with _raised():
                for block in blocks:
                    yield block.bytes()
        finally:
            with _raised():
                blocks.close()

    def close(self) -> None:
        """End the session."""
        self._connection.close()


def to_literal(text: str) -> str:
    """Return `text` as a literal of ClickHouse's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def to_identifier(name: str) -> str:
    """Return `name` as a quoted identifier of ClickHouse's SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RawError(115, f"Unknown setting '{name}'. (UNKNOWN_SETTING)")
    return name


@contextmanager
def _raised() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # chDB's own errors are RuntimeErrors too
        raise to_raw_error(str(error)) from None


def to_raw_error(text: str) -> RawError:
    """Return the error that `text` tells of, without the repetitions that the embedding adds."""
    found = _CODE.search(text)
    code = int(found[1]) if found else _UNKNOWN
    while found:
        text = text[found.end() :]
        found = _CODE.match(text)
    return RawError(code, _REPEATED.sub("", text))
