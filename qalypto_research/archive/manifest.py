"""The manifest of an archive: where its rows come from and how to read them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from qalypto_research.errors import ArchiveError
from qalypto_research.timerange import parse_time

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says about itself.

    Attributes
    ----------
    source : str
        Where the rows come from, for people.
    synthetic : bool
        True where a generator made them: then no answer may be mistaken for the market.
    schema_version : int
        Version of the columns, 1 today.
    clock : str or None
        Where a connection's clock stands unless ``at=`` says otherwise (ISO 8601, UTC). None: just past the last row.
    """

    source: str
    synthetic: bool
    schema_version: int = SCHEMA_VERSION
    clock: str | None = None

    def write(self, root: Path) -> None:
        """Write ``manifest.json`` into `root`, replacing what is there."""
        root.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=2) + "\n"
        partial = root / f".{FILE_NAME}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(root / FILE_NAME)


UNKNOWN: Final = Manifest(source="unknown", synthetic=False)
"""What is taken of a folder without a manifest: real rows of unknown source."""


def _clock(given: str | None) -> str | None:
    """Return what a manifest says of the clock, having made sure that it is a time."""
    if given is not None:
        parse_time(given, "clock")
    return given


def read_manifest(root: Path, damaged: list[ArchiveError] | None = None) -> Manifest:
    """Read the manifest of the archive at `root`, ``UNKNOWN`` where it has none.

    Parameters
    ----------
    root : pathlib.Path
        The archive.
    damaged : list of ArchiveError, optional
        Where given, a file that is no manifest is noted there, and the folder taken as one without.

    Raises
    ------
    ArchiveError
        The file is there but is no manifest, or is of a newer schema than this package knows.
    """
    path = root / FILE_NAME
    if not path.exists() and not path.is_symlink():
        return UNKNOWN
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(
            source=str(raw["source"]),
            synthetic={True: True, False: False}[raw["synthetic"]],
            schema_version=int(raw["schema_version"]),
            clock=_clock(raw.get("clock")),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        if damaged is not None:
            damaged.append(ArchiveError(path, f"is not a manifest ({error!r}); whether the rows are real or synthetic is not known"))
            return UNKNOWN
        raise ArchiveError(path, f"is not a manifest ({error!r}); delete it to read the folder without one") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise ArchiveError(
            path, f"schema version {manifest.schema_version} is newer than this package's {SCHEMA_VERSION}; update qalypto_research"
        )
    return manifest
