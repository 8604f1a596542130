"""What a user of the stand-in may ask: one statement that reads, of the tables shown, by functions that open no file.

The embedded engine knows no users and no grants, and its ``readonly`` lets ``INTO OUTFILE`` and ``file()`` pass. So a
statement is looked at word by word before it goes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from qalypto_research.engine.raw import RawError, to_identifier
from qalypto_research.engine.tokens import Token, significant, tokenise, without_end
from qalypto_research.local.gateway.settings import constrained

HIDDEN: Final = "qalypto_"
"""What the names of the databases begin with that no user may name."""

SHOWN: Final = f"{HIDDEN}shown"
"""The database that holds the engine's own tables without what is hidden."""

FILTERED: Final = {
    ("system", "tables"): "tables",
    ("system", "columns"): "columns",
    ("system", "databases"): "databases",
    ("system", "settings"): "settings",
    ("information_schema", "tables"): "information_tables",
    ("information_schema", "columns"): "information_columns",
    ("information_schema", "schemata"): "information_schemata",
}
"""The engine's tables that would tell what is hidden, by database and name, and what is read instead."""

_SYSTEM: Final = frozenset(
    {
        *("numbers", "numbers_mt", "one", "zeros", "zeros_mt"),
        *("aggregate_function_combinators", "collations", "data_type_families", "formats", "functions", "keywords"),
        *("build_options", "contributors", "licenses", "table_engines", "table_functions", "time_zones"),
    }
)
"""Tables of ``system`` that anybody may read as they are."""

_TABLE_FUNCTIONS: Final = frozenset(
    {
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "generate_series", "generateseries", "generaterandom"),
        *("format", "null", "values", "view"),
    }
)
"""Table functions that read nothing but their arguments."""

_FUNCTIONS: Final = re.compile(
    r"file|joinget\w*|dict\w*|hascolumnintable|catboost\w*|filesystem\w*|getserverport|evalmlmethod", re.IGNORECASE
)
"""Functions that read files, or tables named in a string."""

_FIRST: Final = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "KILL", "(", "USE", "SET"})
_SHOW: Final = frozenset({"DATABASES", "TABLES", "COLUMNS", "FIELDS", "FULL", "EXTENDED", "FUNCTIONS", "ENGINES", "SETTINGS", "SETTING"})
_DATABASES: Final = frozenset({"market_data", "default", "system", "information_schema"})
_ESCAPE: Final = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_SIMPLE: Final = re.compile(r"\d[\w.]*|true|false", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, fit to run.

    Attributes
    ----------
    tokens : tuple of Token
        The statement without its FORMAT clause.
    verb : str
        Its first word, in capitals.
    format : str or None
        The format it asks for.
    settings : dict
        What its SETTINGS clauses set. Set before, they change nothing when the engine meets them under ``readonly``;
        what was overlooked here is refused there.
    """

    tokens: tuple[Token, ...]
    verb: str
    format: str | None
    settings: dict[str, str]

    @property
    def sql(self) -> str:
        """The statement as text."""
        return "".join(t.text for t in self.tokens)

    @property
    def words(self) -> list[Token]:
        """The tokens without spaces and comments."""
        return [self.tokens[i] for i in significant(self.tokens)]


@dataclass(frozen=True, slots=True)
class Known:
    """Names that the engine knows.

    Attributes
    ----------
    table_functions : frozenset of str
        In lower case.
    guarding : frozenset of str
        The settings that the guard stands on.
    """

    table_functions: frozenset[str]
    guarding: frozenset[str]


def read_statement(sql: str, identifiers: Mapping[str, str], known: Known) -> Statement:
    """Read and check one statement.

    Parameters
    ----------
    sql : str
        As it was sent.
    identifiers : mapping of str to str
        Values of bound parameters, by name; those of ``{name:Identifier}`` are put in, to be checked like any name.
    known : Known
        What is to be told apart by name.

    Raises
    ------
    RawError
        Several statements, one that writes, or one that reaches beyond the tables shown.
    """
    tokens = tokenise("".join(_named(t, identifiers) for t in without_end(tokenise(sql))))
    statement = Statement(tuple(tokens), "", None, {})
    words = statement.words
    verb = next((w.text.upper() for w in words if w.text != "("), "") if words else ""
    if any(w.text == ";" for w in words):
        raise RawError(62, "Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
    _check_lexing(words)
    _check_verb(words, verb)
    _check_names(words)
    _check_functions(words, known.table_functions)
    _check_guarding(words, known.guarding)
    tokens, fmt = _without_format(_filtered(_databases_shown(tokens) if verb == "SHOW" else tokens))
    return replace(statement, tokens=tuple(tokens), verb=verb, format=fmt, settings=_settings(words))


def _named(token: Token, values: Mapping[str, str]) -> str:
    if token.kind == "slot" and (token.type or "").strip() == "Identifier" and token.name in values:
        return to_identifier(values[token.name])
    return token.text


def _check_lexing(words: list[Token]) -> None:
    """Refuse what the engine might cut into other words than were looked at here."""
    for word in words:
        strange = word.kind == "other" and (not word.text.isascii() or word.text in ("'", '"', "`", "\0"))
        if strange or (word.kind == "quoted" and ("\\" in word.text or word.text[0] * 2 in word.text[1:-1])):
            raise RawError(62, f"Syntax error: cannot parse {word.text[:40]!r} here. (SYNTAX_ERROR)")


def _check_verb(words: list[Token], verb: str) -> None:
    if verb and verb not in _FIRST:
        raise RawError(164, "default: Cannot execute query in readonly mode. (READONLY)")
    plain = [w.text.upper() if w.kind == "word" else "" for w in words]
    if not {("INSERT", "INTO"), ("INTO", "OUTFILE")}.isdisjoint(pairwise(plain)):
        raise RawError(164, "default: Cannot execute query in readonly mode. (READONLY)")
    if verb == "SHOW" and (len(words) < 2 or plain[1] not in _SHOW):
        raise _denied("SHOW " + (plain[1] if len(words) > 1 else ""))


def _check_names(words: list[Token]) -> None:
    for word in words:
        if word.kind not in ("text", "space") and HIDDEN in word.text.lower():
            raise RawError(81, f"Database {word.plain} does not exist. (UNKNOWN_DATABASE)")
    for database, dot, table in zip(words, words[1:], words[2:], strict=False):
        name = database.plain.lower() if database.kind in ("word", "quoted") else ""
        if name in ("system", "information_schema") and dot.text == ".":
            known = (name, table.plain.lower()) in FILTERED or (name == "system" and table.plain in _SYSTEM)
            if not known:
                raise _denied(f"SELECT ON {database.plain}.{table.plain}")


def _check_functions(words: list[Token], table_functions: frozenset[str]) -> None:
    for word, following in pairwise(words):
        if following.text != "(" or word.kind not in ("word", "quoted"):
            continue
        name = word.plain.lower()
        if (name in table_functions and name not in _TABLE_FUNCTIONS) or _FUNCTIONS.fullmatch(name):
            raise _denied(f"{name.upper()} ON *.*")


def _check_guarding(words: list[Token], guarding: frozenset[str]) -> None:
    """Refuse to let a SETTINGS clause touch the guard: in a subquery the engine itself would let it."""
    begins = next((n for n, word in enumerate(words) if word.text.upper() in ("SETTINGS", "SET")), len(words))
    for word in words[begins:]:
        if word.kind in ("word", "quoted") and word.plain in guarding:
            raise constrained(word.plain)


def _denied(grant: str) -> RawError:
    return RawError(497, f"Not enough privileges. To execute this query, it's necessary to have the grant {grant}. (ACCESS_DENIED)")


def _filtered(tokens: list[Token]) -> list[Token]:
    """Return `tokens` with the names of ``FILTERED`` replaced by what is read instead."""
    out = list(tokens)
    places = significant(tokens)
    for a, b, c in zip(places, places[1:], places[2:], strict=False):
        instead = FILTERED.get((tokens[a].plain.lower(), tokens[c].plain.lower())) if tokens[b].text == "." else None
        if instead and tokens[a].kind in ("word", "quoted"):
            out[a] = Token("word", SHOWN)
            out[c] = Token("word", instead)
    return out


def _databases_shown(tokens: list[Token]) -> list[Token]:
    """Return ``SHOW DATABASES``, with its LIKE and LIMIT, as a SELECT; any other SHOW as it is."""
    places = significant(tokens)
    if tokens[places[1]].text.upper() != "DATABASES":
        return tokens
    out = list(tokens)
    following = tokens[places[2]].text.upper() if len(places) > 2 else ""
    out[places[0]] = Token("word", f"SELECT name FROM (SELECT name FROM {SHOWN}.databases ORDER BY name)")
    out[places[1]] = Token("word", "WHERE name" if following in ("LIKE", "ILIKE", "NOT") else "")
    return out


def _without_format(tokens: list[Token]) -> tuple[list[Token], str | None]:
    """Return `tokens` without the FORMAT clause at the end, or before the last SETTINGS, and the format."""
    places = significant(tokens)
    words = [tokens[i].text.upper() for i in places]
    for n in range(len(places) - 2, 0, -1):
        if words[n] == "FORMAT" and tokens[places[n + 1]].kind == "word" and (n + 2 == len(places) or words[n + 2] == "SETTINGS"):
            end = places[n + 2] if n + 2 < len(places) else len(tokens)
            return [*tokens[: places[n]], *tokens[end:]], tokens[places[n + 1]].text
    return tokens, None


def _settings(words: list[Token]) -> dict[str, str]:
    """Return what the SETTINGS clauses of a statement, or a SET, set to a plain value."""
    found: dict[str, str] = {}
    for n, word in enumerate(words):
        if word.text.upper() != ("SETTINGS" if n else "SET"):
            continue
        at = n + 1
        while at + 2 < len(words) and words[at].kind in ("word", "quoted") and words[at + 1].text == "=":
            value = words[at + 2]
            if value.kind == "text" and value.text[0] == "'":
                found[words[at].plain] = _unquoted(value)
            elif _SIMPLE.fullmatch(value.text):
                found[words[at].plain] = value.text
            at += 4
            if at - 1 >= len(words) or words[at - 1].text != ",":
                break
    return found


def _unquoted(text: Token) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]) if m[1] else "'", text.text[1:-1])


def check_database(name: str) -> str:
    """Return the database that unqualified names are read from.

    Raises
    ------
    RawError
        There is no such database, for a user.
    """
    if name.lower() == "system":
        raise _denied("SELECT ON system.*")
    if name.lower() not in _DATABASES:
        raise RawError(81, f"Database {name} does not exist. (UNKNOWN_DATABASE)")
    return name


def killed_ids(statement: Statement) -> list[str]:
    """Return the query ids that a ``KILL QUERY WHERE query_id = '...'`` names.

    Raises
    ------
    RawError
        Any other KILL.
    """
    texts = [w.text.upper() if w.kind != "text" else w.text for w in statement.words]
    while texts and texts[-1] in ("SYNC", "ASYNC"):
        texts.pop()
    ids = [_unquoted(w) for w in statement.words[4:] if w.text.startswith("'")]
    if texts[:4] == ["KILL", "QUERY", "WHERE", "QUERY_ID"] and texts[4:] in (["=", *texts[5:6]], ["IN", "(", *texts[6:-1], ")"]) and ids:
        return ids
    raise _denied("KILL QUERY ON *.*")
