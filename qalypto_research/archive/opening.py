"""Where the clock of an archive stands when it is opened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from qalypto_research.archive.layout import check_root
from qalypto_research.archive.manifest import Manifest
from qalypto_research.clock import from_us, to_us
from qalypto_research.errors import ArchiveError, RangeError
from qalypto_research.timerange import parse_time

_JUST_PAST_US: Final = 1


def check_roots(folders: Iterable[Path], argument: str = "target") -> tuple[Path, ...]:
    """Return `folders`, given as `argument`, made absolute, each once: the same one under two names would give every row twice.

    Raises
    ------
    ArchiveError
        One of them is not a folder, or cannot be an archive.
    """
    checked = [check_root(folder, argument) for folder in reversed(list(folders))]
    return tuple({root.resolve(): root for root in checked}.values())[::-1]


def opening_moment_us(
    bounds: tuple[int, int] | None,
    roots: Sequence[Path],
    manifests: Sequence[Manifest],
    moment: pd.Timestamp | None = None,
    delay: dt.timedelta = dt.timedelta(0),
) -> int:
    """Return where the clock is to stand, microseconds since 1970 UTC: at `moment`, where the manifest says, or just past the last row.

    Parameters
    ----------
    bounds : tuple of int or None
        When the first and the last row became known; None if no row ever does.
    roots : sequence of pathlib.Path
        The archive's folders.
    manifests : sequence of Manifest
        What each says of itself.
    moment : pandas.Timestamp, optional
        Where it was asked to stand.
    delay : datetime.timedelta, optional
        How long after it was seen a row arrives in the tables.

    Raises
    ------
    ArchiveError
        There is no row that is ever visible.
    RangeError
        `moment` lies before anything was known.
    """
    if bounds is None:
        raise ArchiveError(roots[0], "holds no row that is ever visible: only running candles without a record of when they were current")
    first, last = (us + delay // dt.timedelta(microseconds=1) for us in bounds)
    if moment is not None:
        if to_us(moment) < first:
            raise RangeError("at", f"{moment} is before anything is known here; the first row became known at {from_us(first)}")
        return to_us(moment)
    if len(manifests) == 1 and manifests[0].clock is not None:
        return to_us(parse_time(manifests[0].clock, "clock"))
    return last + _JUST_PAST_US
