"""How ClickHouse tells an error over HTTP: status, header, words, and what it writes into a body that had begun."""

from __future__ import annotations

import re
from typing import Final

from qalypto_research.engine.raw import RawError
from qalypto_research.local.gateway.statements import HIDDEN

CODE_HEADER: Final = "X-ClickHouse-Exception-Code"
TAG_HEADER: Final = "X-ClickHouse-Exception-Tag"

_STATUS: Final = {
    400: (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (229,),
    415: (779,),
    501: (48,),
    503: (76, 209, 439),
}
"""Of each status, the codes that have it; every other code has 500."""

_HIDDEN_MEANT: Final = re.compile(rf" Maybe you meant [^?]*{HIDDEN}[^?]*\?")
_HIDDEN_TABLE: Final = re.compile(rf"`?{HIDDEN}\w+`?\.`?([a-z]+)(?:_at|_\d+)?`?")

_STATUS_OF: Final = {code: status for status, codes in _STATUS.items() for code in codes}


def status_of(error: RawError) -> int:
    """Return the HTTP status of `error`."""
    return _STATUS_OF.get(error.code, 500)


def to_text(error: RawError, version: str) -> str:
    """Return `error` in ClickHouse's words, without the names of what is hidden."""
    message = _HIDDEN_TABLE.sub(r"market_data.market_data_\1", _HIDDEN_MEANT.sub("", error.message))
    return f"Code: {error.code}. DB::Exception: {message} (version {version})"


def to_frame(error: RawError, version: str, tag: str) -> bytes:
    """Return what is written into a body that breaks off: the words between marks that carry the answer's `tag`."""
    words = to_text(error, version).encode() + b"\n"
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag.encode(), words, len(words), tag.encode())
