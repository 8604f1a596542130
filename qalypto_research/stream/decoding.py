"""Messages in bytes to typed values: fields, their types and what may be missing come from the schema."""

from __future__ import annotations

from typing import Any, Final, Union

import msgspec

from qalypto_research.schema.tables import TABLES, Column, Table

_TYPES: Final[dict[str, Any]] = {"number": float, "flag": bool}
_SIDES: Final = frozenset({"bids_json", "asks_json"})

Level = tuple[float, float]


class Stamps(msgspec.Struct, gc=False):
    """When a message was where, epoch ms."""

    websocket_sent: float
    exchange_event_time: float


def _type(column: Column) -> Any:
    if column.name in _SIDES:
        # A book is looked into only where its depth is asked for.
        return msgspec.Raw
    plain = _TYPES.get(column.kind, str)
    return plain | None if column.nullable else plain


def _struct(table: Table) -> type[msgspec.Struct]:
    """Return the type of the messages of `table`."""
    fields: list[Any] = [("stamps", Stamps)]
    for column in table.columns:
        if column.field is not None:
            kind = _type(column)
            fields.append((column.field, kind, None) if column.nullable else (column.field, kind))
    required = [f for f in fields if len(f) == 2]
    optional = [f for f in fields if len(f) == 3]
    data = msgspec.defstruct(f"{table.name}_data", [*required, *optional], gc=False, rename={"stamps": "_timestamps"})
    # A message holds nothing that could hold it: the collector need not look.
    return msgspec.defstruct(
        f"{table.name}_message", [("data", data), ("producer_received", float, float("nan"))], tag_field="type", tag=table.name, gc=False
    )


MESSAGES: Final[dict[str, type[msgspec.Struct]]] = {table.name: _struct(table) for table in TABLES.values()}
"""The type of the messages of each table. ``message.data`` has the documented fields, the stamps as ``stamps``."""

_READ: Final = msgspec.json.Decoder(Union[tuple(MESSAGES.values())])  # noqa: UP007 - made at run time
_LEVELS: Final = msgspec.json.Decoder(list[Level])


class BadMessage(Exception):  # noqa: N818 - it is counted, and never reaches a user
    """A message that cannot be read; says what is wrong with it."""


def decode(payload: bytes) -> msgspec.Struct | dict[str, Any]:
    """Return a message: of data as one of ``MESSAGES``, else as what its JSON says.

    Raises
    ------
    BadMessage
        It is no JSON object, or of a known type and not as documented.
    """
    try:
        message: msgspec.Struct = _READ.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        wrong = error
    else:
        return message
    try:
        content = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadMessage("no JSON object")
    if "error" not in content and isinstance(content.get("type"), str) and content["type"] in MESSAGES:
        raise BadMessage(f"{content['type']}: {wrong}")
    return content


def decode_levels(side: str | bytes | msgspec.Raw) -> list[Level]:
    """Return the levels of a side of a book: price and size, best first.

    Raises
    ------
    BadMessage
        They are no pairs of numbers.
    """
    try:
        return _LEVELS.decode(side)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadMessage(f"orderbook: {error}") from None
