"""What both kinds of answers need on the way out of Arrow."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from qalypto_research.errors import QueryError

NAT: Final = np.iinfo(np.int64).min
"""A missing time, as an integer."""

_BEYOND_ASCII: Final = np.uint64(0x80_80_80_80_80_80_80_80)


def own_texts(name: str, chunks: pa.ChunkedArray) -> pa.Array:
    """Return texts in buffers of their own, so that the answer they came in can be freed.

    Parameters
    ----------
    name : str
        The column, for the error.
    chunks : pyarrow.ChunkedArray
        Its texts.

    Raises
    ------
    QueryError
        A text is not UTF-8: it could be neither shown nor compared.
    """
    own = pa.concat_arrays([*(chunk.cast(pa.large_string()) for chunk in chunks.chunks), pa.array([], pa.large_string())])
    try:
        if not _is_ascii(own.buffers()[2]):
            own.validate(full=True)
    except pa.ArrowInvalid as error:
        raise not_utf8(name) from error
    return own


def not_utf8(name: str) -> QueryError:
    """Return the error for a column `name` that holds no text."""
    return QueryError(f"column {name!r} holds bytes that are no text in UTF-8; select hex({name}) or base64Encode({name}) with qr.sql")


def _is_ascii(buffer: pa.Buffer | None) -> bool:
    """Whether all bytes are ASCII, which most texts are: looked at eight at a time, a fifth of what a whole check takes."""
    if buffer is None:
        return True
    whole = buffer.size // 8
    eights = np.frombuffer(buffer, np.uint64, whole)
    return not np.bitwise_or.reduce(eights, initial=np.uint64(0)) & _BEYOND_ASCII and bytes(buffer[whole * 8 :]).isascii()
