"""Faults on purpose: what can go wrong between a client and a service, scripted, and drawn from a seed.

A script is a list of faults with a semicolon between, such as ``status:code=429,times=2,retry_after=1; cut:after=5000``.
A chance below 1 leaves it to the seed (``seed=7`` in front) which queries are met.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, fields
from typing import Final

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.tables import TABLES, Table

KINDS: Final = {
    "cut": "closes the connection `after` bytes of the body",
    "denied": "answers that the password is wrong (code 516)",
    "exception": "fails `after` bytes of the body, and says so in it (code 241)",
    "extra": "shows a `table` with one more `column`, of type `to`",
    "hang": "takes the query and never answers",
    "missing": "shows a `table` without its `column`",
    "quota": "answers that the quota is used up (code 201)",
    "redirect": "sends the client to the address `to` (status 302)",
    "renamed": "shows a `table` with its `column` called `to`",
    "retyped": "shows a `table` with its `column` of type `to`",
    "slow": "sends `rate` bytes a second",
    "status": "answers with the status `code`, and ``Retry-After`` where `retry_after` says so",
}
"""What each kind of fault does."""

_OF_TABLES: Final = ("extra", "missing", "renamed", "retyped")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    times : int or None
        How many queries it meets; None for all.
    match : str
        It meets queries whose SQL contains this.
    chance : float
        Share of those queries that it meets.
    after : int
        Bytes of the body before it.
    rate : int
        Bytes a second.
    code : int
        HTTP status.
    retry_after : int or None
        Seconds.
    table, column, to : str
        What is shown otherwise, and how; or the address of a redirection.
    """

    kind: str
    times: int | None = None
    match: str = ""
    chance: float = 1.0
    after: int = 0
    rate: int = 10_000
    code: int = 503
    retry_after: int | None = None
    table: str = "trade"
    column: str = "price"
    to: str = "String"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind", self.kind, KINDS)
        if self.kind in _OF_TABLES and self.table not in TABLES:
            raise UnknownNameError("table", self.table, TABLES)
        if self.kind in _OF_TABLES and self.kind != "extra" and self.column not in TABLES[self.table].column_names:
            raise UnknownNameError("column", self.column, TABLES[self.table].column_names)
        if self.rate <= 0 or self.after < 0:
            raise InputError("rate" if self.rate <= 0 else "after", "must be bytes: above zero a second, or how many come first")

    @property
    def script(self) -> str:
        """The fault as ``parse_faults`` reads it."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "kind" and getattr(self, f.name) != f.default}
        return ":".join([self.kind, *([",".join(f"{name}={value}" for name, value in given.items())] if given else [])])


_READ: Final = {"times": int, "after": int, "rate": int, "code": int, "retry_after": int, "chance": float}
_NAMES: Final = tuple(f.name for f in fields(Fault) if f.name != "kind")


def parse_faults(script: str) -> Faults:
    """Return the faults of a script.

    Raises
    ------
    InputError
        A kind or a word that is not known, or a number that is none.
    """
    seed = 0
    faults = []
    for part in filter(None, (p.strip() for p in script.split(";"))):
        kind, _, rest = part.partition(":")
        words = dict(word.strip().partition("=")[::2] for word in rest.split(",") if word.strip())
        try:
            if kind.startswith("seed="):
                seed = int(kind.removeprefix("seed="))
                continue
            unknown = sorted(set(words) - set(_NAMES))
            if unknown:
                raise UnknownNameError("faults", unknown[0], _NAMES)
            faults.append(Fault(kind.strip(), **{name: _READ.get(name, str)(value) for name, value in words.items()}))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError("faults", f"{part!r} cannot be read ({error}); write as status:code=429,times=2; cut:after=5000") from None
    return Faults(tuple(faults), seed)


class Faults:
    """Faults and how often each has come.

    Parameters
    ----------
    faults : tuple of Fault
        The first that meets a query happens to it.
    seed : int, optional
        Of the chances.
    """

    def __init__(self, faults: tuple[Fault, ...] = (), seed: int = 0) -> None:
        self.faults = faults
        self._left = [fault.times for fault in faults]
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._lock = threading.Lock()

    def draw(self, sql: str) -> Fault | None:
        """Return what is to happen to a query, None for nothing."""
        with self._lock:
            for i, fault in enumerate(self.faults):
                left = self._left[i]
                if fault.kind in _OF_TABLES or left == 0 or fault.match not in sql or self._random.random() >= fault.chance:
                    continue
                self._left[i] = None if left is None else left - 1
                return fault
        return None

    def columns(self, table: Table) -> list[tuple[str, str, str]]:
        """Return the columns `table` is to show: name, type, and SQL of the value."""
        shown = [(c.name, _documented(c.clickhouse), f"`{c.name}`") for c in table.columns]
        for fault in self.faults:
            if fault.kind not in _OF_TABLES or fault.table != table.name:
                continue
            if fault.kind == "extra":
                shown.append((fault.column, fault.to, f"defaultValueOfTypeName('{fault.to}')"))
                continue
            at = [name for name, _, _ in shown].index(fault.column)
            name, kind, value = shown.pop(at)
            if fault.kind == "renamed":
                shown.insert(at, (fault.to, kind, value))
            elif fault.kind == "retyped":
                shown.insert(at, (name, fault.to, f"CAST({value} AS {fault.to})"))
        return shown


def _documented(clickhouse: str) -> str:
    """Return a type as the service's documentation has it: of times without a zone, which is the server's, UTC."""
    return clickhouse.replace(", 'UTC'", "")
