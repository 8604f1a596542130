"""SQL that reads a side of the book out of its JSON, and says where it cannot.

``JSONExtract`` is lenient: of text that is no JSON it makes an empty array, of what does not fit a type that type's
default. A side is therefore read into types that lose nothing, and held against what a side has to be.
"""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = 395
"""ClickHouse's code for what ``throwIf`` throws."""


def side_sql(column: str, numbers: int) -> str:
    """Return SQL for the first `numbers` of price, size, price, size, ... of a side, NaN beyond the last level.

    Parameters
    ----------
    column : str
        Column of the row ``t`` that holds the side as JSON: ``[[price, size], ...]``, or ``[]`` for none. Numbers may be
        in quotes. Anything else makes the statement fail with the code `UNREADABLE`.
    numbers : int
        How many.
    """
    # Tied to the length, so that the check cannot be left out where the values are used.
    size = f"{numbers:d} + throwIf({unreadable_sql(column)}, 'a side of the book cannot be read')"
    return f"arrayResize(arrayFlatten({_levels(column)}), {size}, nan)"


def unreadable_sql(column: str) -> str:
    """Return SQL for whether `column` of the row ``t`` is anything but a side of the book."""
    levels = _levels(column)
    sound = (
        f"arrayAll(level -> length(level) = 2, {levels})",
        # NULL: null, a text that is no number, or something deeper. A quoted number may also be "nan" or "inf".
        f"arrayAll(value -> ifNull(isFinite(value), 0), arrayFlatten({levels}))",
        # Read as 1 and 0.
        f"NOT multiSearchAny(t.{column}, ['true', 'false'])",
        # No level: a side that is empty, or text that is no list of lists.
        f"(notEmpty({levels}) OR match(t.{column}, '^\\\\s*\\\\[\\\\s*\\\\]\\\\s*$'))",
    )
    return f"NOT ({' AND '.join(sound)})"


def _levels(column: str) -> str:
    return f"JSONExtract(t.{column}, 'Array(Array(Nullable(Float64)))')"
