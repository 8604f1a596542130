"""Bodies packed and unpacked as HTTP says, in frames as ClickHouse's clients send and take them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any, Final

import lz4.frame

from qalypto_research.engine.raw import RawError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FASTEST: Final = 1


class Packer:
    """Packs a body piece by piece.

    Parameters
    ----------
    encoding : str
        One of ``ENCODINGS``, or "" to leave it as it is.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self._packer: Any = ENCODINGS[encoding]() if encoding else None
        self._begin: bytes = self._packer.begin() if self._packer is not None and encoding == "lz4" else b""

    def pack(self, piece: bytes) -> bytes:
        """Return what is to be sent for `piece`; it may come later."""
        if self._packer is None:
            return piece
        begin, self._begin = self._begin, b""
        return bytes(begin + self._packer.compress(piece))

    def end(self) -> bytes:
        """Return what is to be sent at the end."""
        if self._packer is None:
            return b""
        begin, self._begin = self._begin, b""
        return bytes(begin + self._packer.flush())


ENCODINGS: Final[dict[str, Callable[[], Any]]] = {
    "lz4": lz4.frame.LZ4FrameCompressor,
    "gzip": lambda: zlib.compressobj(_FASTEST, zlib.DEFLATED, 31),
    "deflate": lambda: zlib.compressobj(_FASTEST),
    "zstd": lambda: zstd.ZstdCompressor(level=_FASTEST),
}
"""How each is packed, the one that ClickHouse would rather have first."""


def accepted(header: str) -> str:
    """Return the encoding to answer in, by what a client accepts; "" for none."""
    offers = [offer.split(";") for offer in header.lower().split(",")]
    names = {offer[0].strip() for offer in offers if not any(part.strip() in ("q=0", "q=0.0") for part in offer[1:])}
    return next((encoding for encoding in ENCODINGS if encoding in names), "")


_UNPACKERS: Final[dict[str, Callable[[], Any]]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(47),
    "zstd": zstd.ZstdDecompressor,
}


def decompressed(body: bytes, encoding: str) -> bytes:
    """Return `body` unpacked; it may hold several frames one after another.

    Raises
    ------
    RawError
        An encoding that is not known, or a body that is not of it.
    """
    if not encoding or encoding.lower() == "identity" or not body:
        return body
    if encoding.lower() not in _UNPACKERS:
        raise RawError(48, f"Unknown compression method {encoding}; known are {', '.join(_UNPACKERS)}. (NOT_IMPLEMENTED)")
    out = []
    left = body
    while left:
        unpacker = _UNPACKERS[encoding.lower()]()
        try:
            out.append(unpacker.decompress(left))
        except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:
            raise RawError(271, f"Cannot decompress the body as {encoding}: {error}. (CANNOT_DECOMPRESS)") from None
        if not unpacker.eof:
            raise RawError(271, f"Cannot decompress the body as {encoding}: it breaks off. (CANNOT_DECOMPRESS)")
        left = unpacker.unused_data
    return b"".join(out)
