"""Scripts of what is to go wrong: a list of faults with a semicolon between, the words of each behind a colon.

Such as ``seed=7; status:code=429,times=2; drop:after=100``. A chance below 1 leaves it to the seed what is met. In a word
that holds one of the signs ``, ; %`` or an end of line, they are written as in a URL: ``text=Slow%20down%2C please``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote

from qalypto_research.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PLAIN: Final = "!\"#$&'()*+-./:<=>?@[\\]^_`{|}~"
_AS: Final = "write as status:code=429,times=2; cut:after=5000"

F = TypeVar("F", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Part:
    """One fault as it stands in a script.

    Attributes
    ----------
    kind : str
        What goes wrong.
    words : dict of str to str
        What is said of it.
    text : str
        All of it, for errors.
    """

    kind: str
    words: dict[str, str]
    text: str


def parse_script(script: str) -> tuple[int, list[Part]]:
    """Return the seed of a script, 0 where it has none, and its faults.

    Raises
    ------
    InputError
        The seed is no number.
    """
    seed, parts = 0, []
    for text in filter(None, (p.strip() for p in script.split(";"))):
        kind, _, rest = text.partition(":")
        if kind.startswith("seed="):
            seed = _read(int, kind.removeprefix("seed="), text)
        else:
            words = dict(word.strip().partition("=")[::2] for word in rest.split(",") if word.strip())
            parts.append(Part(kind.strip(), words, text))
    return seed, parts


def parse_part(part: Part, fault: type[F], read: Mapping[str, Callable[[str], Any]]) -> F:
    """Return `part` as a fault; its words are texts but for those that `read` reads.

    Raises
    ------
    InputError
        A word that is not known, or a number that is none.
    """
    names = [f.name for f in fields(fault) if f.name != "kind"]
    for name in part.words:
        if name not in names:
            raise UnknownNameError("faults", name, names)
    values = {name: _read(read.get(name, str), unquote(word), part.text) for name, word in part.words.items()}
    return fault(**{"kind": part.kind} | values)


def to_script(fault: DataclassInstance) -> str:
    """Return a fault as `parse_script` reads it."""
    values = {f.name: getattr(fault, f.name) for f in fields(fault) if getattr(fault, f.name) != f.default}
    words = ",".join(f"{name}={quote(str(value), safe=_PLAIN)}" for name, value in values.items() if name != "kind")
    return f"{values['kind']}:{words}" if words else str(values["kind"])


def _read(kind: Callable[[str], Any], word: str, text: str) -> Any:
    try:
        return kind(word)
    except ValueError as error:
        raise InputError("faults", f"{text!r} cannot be read ({error}); {_AS}") from None
