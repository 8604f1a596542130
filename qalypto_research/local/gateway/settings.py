"""Which settings a user of the stand-in may change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from qalypto_research.engine.raw import RawError

TRANSPORT: Final = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
"""Parameters of a request that are no settings."""

BASE: Final = {
    # What a server has, where the embedded engine differs.
    "session_timezone": "UTC",
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    "max_query_size": "262144",
    # What the clock's guard stands on: no condition of a user's meets a row that the guard has not passed.
    "optimize_move_to_prewhere": "0",
}

LABEL: Final = "log_comment"
"""The setting that carries the moment and the tag of a query: the one text a view can read that its user cannot write."""

PINNED: Final = (
    "dialect|prewhere|analyzer|predicate|short_circuit|hive|introspection|implicit_"
    "|^query_plan_|^input_format_parquet_|^engine_file_|^additional_|^optimize_.*(filter|where)|^storage_file"
)
"""Pattern of the settings by which SQL could be read otherwise, or meet rows before the guard has."""

_PINNED: Final = re.compile(PINNED)


def constrained(setting: str) -> RawError:
    """Return the error for a setting that the guard stands on."""
    return RawError(452, f"Setting {setting} should not be changed. (SETTING_CONSTRAINT_VIOLATION)")


def check_settings(wanted: Mapping[str, str], *, forbidden: bool) -> dict[str, str]:
    """Return of `wanted` what is to be set.

    Raises
    ------
    RawError
        One that a reader may not change.
    """
    allowed = {}
    for name, value in wanted.items():
        if name == "readonly":
            if value != ("1" if forbidden else "2"):
                raise RawError(164, "Cannot modify 'readonly' setting in readonly mode. (READONLY)")
        elif _PINNED.search(name):
            raise constrained(name)
        elif name != LABEL:
            allowed[name] = value
    return allowed
