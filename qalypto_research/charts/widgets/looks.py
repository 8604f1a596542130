"""How live charts look: what can be asked for, and its bounds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.timerange import parse_zone

THEMES: Final = ("auto", "light", "dark")
_HEIGHTS: Final = (160, 4_000)


@dataclass(frozen=True, slots=True)
class Looks:
    """How a chart looks in the beginning.

    Attributes
    ----------
    zone, theme : str
        Name of the display zone; "auto", "light" or "dark".
    height : int
        Pixels.
    """

    zone: str
    theme: str
    height: int


def check_looks(tz: str | dt.tzinfo | None, theme: str, height: int) -> Looks:
    """Return what was asked for.

    Raises
    ------
    UnknownNameError
        No such theme.
    InputError
        No such zone, or a height beyond its bounds.
    """
    return Looks(zone_name(tz), check_theme(theme), check_whole("height", height, *_HEIGHTS))


def zone_name(tz: str | dt.tzinfo | None, name: str = "tz") -> str:
    """Return a zone by the name that browsers know it by, too.

    Raises
    ------
    InputError
        It has none.
    """
    zone = parse_zone(tz, name)
    found = zone if isinstance(zone, str) else str(getattr(zone, "key", None) or getattr(zone, "zone", None) or zone)
    try:
        ZoneInfo(found)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # such as UTC+05:30
        raise InputError(name, f"{tz!r} has no name that a browser knows; write one as 'Asia/Tokyo'") from error
    return found


def check_theme(theme: str) -> str:
    """Return a theme that there is.

    Raises
    ------
    UnknownNameError
        No such theme.
    """
    if theme not in THEMES:
        raise UnknownNameError("theme", theme, THEMES)
    return theme


def check_height(height: int) -> int:
    """Return a height that can be shown.

    Raises
    ------
    InputError
        Beyond its bounds.
    """
    return check_whole("height", height, *_HEIGHTS)


def check_whole(name: str, value: int, low: int, high: int) -> int:
    """Return a whole number, from `low` to `high`.

    Raises
    ------
    InputError
        It is none, or beyond them.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(name, f"{value!r} must be a whole number from {low:,} to {high:,}")
    return value
