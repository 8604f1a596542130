"""ClickHouse's formats as HTTP sees them: what they are called there, and which can be sent block by block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Final

_TYPES: Final = {
    "csv": "text/csv; charset=UTF-8",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "json": "application/json; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "pretty": "text/plain; charset=UTF-8",
    "vertical": "text/plain; charset=UTF-8",
    "values": "text/plain; charset=UTF-8",
    "markdown": "text/markdown; charset=UTF-8",
}
"""Content types, by what a format's name begins with, in lower case."""

_LINES: Final = ("jsoneachrow", "jsoncompacteachrow", "jsonstringseachrow", "jsonlines", "ndjson")

CONCATENABLE: Final = frozenset(
    {
        *("native", "rowbinary", "null"),
        *("tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv"),
        *("jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow"),
    }
)
"""Formats in which blocks one after another are one answer, and no block at all is an empty one."""

ARROW_STREAM: Final = "arrowstream"

_CONTINUES: Final = b"\xff\xff\xff\xff"
_END: Final = _CONTINUES + b"\0\0\0\0"


def content_type(fmt: str) -> str:
    """Return the media type of answers in `fmt`."""
    name = fmt.lower()
    if name in _LINES:
        return "application/x-ndjson; charset=UTF-8"
    kind = next((kind for begin, kind in _TYPES.items() if name.startswith(begin)), "application/octet-stream")
    if kind.startswith("text/csv"):
        kind += f"; header={'present' if 'withnames' in name else 'absent'}"
    return kind


def joined_arrow(blocks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Join Arrow streams of one schema: the schema once, then all messages, then the end once."""
    schema = b""
    with closing(blocks):
        for block in blocks:
            # A message is its mark, four bytes of length, and so many of metadata; a schema has no body.
            begin = 8 + int.from_bytes(block[4:8], "little")
            if block[:4] != _CONTINUES or not block.endswith(_END) or (schema and block[:begin] != schema):
                raise ValueError("the blocks of the answer are no Arrow streams of one schema")
            if not schema:
                schema = block[:begin]
                yield schema
            yield block[begin : -len(_END)]
    if schema:
        yield _END
