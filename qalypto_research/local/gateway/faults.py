"""Faults on purpose: what can go wrong between a client and the history, scripted, and drawn from a seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.local.scripts import to_script
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
        """The fault as a script has it."""
        return to_script(self)


READ: Final[dict[str, Callable[[str], Any]]] = {"times": int, "after": int, "rate": int, "code": int, "retry_after": int, "chance": float}
"""How the words of a script are read that are no texts."""


class Faults:
    """Faults and how often each has come.

    Parameters
    ----------
    faults : sequence of Fault
        The first that meets a query happens to it.
    seed : int, optional
        Of the chances.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self.faults = tuple(faults)
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
