"""ClickHouse's SQL as tokens, just closely enough to tell names from strings and comments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_IN_COMMENT: Final = r"(?:(?!/\*|\*/).)*"
# Comments nest in ClickHouse; three deep is deeper than anybody writes.
_DEEPEST: Final = rf"/\*{_IN_COMMENT}\*/"
_DEEPER: Final = rf"/\*{_IN_COMMENT}(?:{_DEEPEST}{_IN_COMMENT})*\*/"
_COMMENT: Final = rf"/\*{_IN_COMMENT}(?:{_DEEPER}{_IN_COMMENT})*\*/"
_TOKEN: Final = re.compile(
    rf"""
      (?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*|{_COMMENT})
    | (?P<text>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>[A-Za-z0-9_]*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    | (?P<slot>\{{\s*(?P<name>[A-Za-z_]\w*)\s*(?::(?P<type>[^{{}}]*))?\}})
    | (?P<word>[A-Za-z_]\w*)
    | (?P<other>\d[\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL.

    Attributes
    ----------
    kind : str
        space (comments too), text (a string), quoted (an identifier), slot (``{name:Type}``), word or other.
    text : str
        As it stands in the SQL.
    name, type : str and str or None
        Of a slot.
    """

    kind: str
    text: str
    name: str = ""
    type: str | None = None

    @property
    def plain(self) -> str:
        """The identifier meant, quoted or not."""
        return self.text[1:-1] if self.kind == "quoted" else self.text


def tokenise(query: str) -> list[Token]:
    """Return the tokens of `query`; joined, their texts are the query again."""
    found = _TOKEN.finditer(query)
    return [Token(m.lastgroup or "", m[0]) if not m["slot"] else Token("slot", m[0], m["name"], m["type"]) for m in found]


def significant(tokens: Sequence[Token]) -> list[int]:
    """Return the places of the tokens that are neither space nor comment."""
    return [i for i, t in enumerate(tokens) if t.kind != "space"]


def without_end(tokens: list[Token]) -> list[Token]:
    """Return the tokens up to the last that says something; a closing semicolon says nothing."""
    while tokens and (tokens[-1].kind == "space" or tokens[-1].text == ";"):
        tokens = tokens[:-1]
    return tokens
