"""The colours of live charts as they are sent to a page: those of the static ones."""

from __future__ import annotations

from typing import Final

from qalypto_research.charts.model.themes import DARK, LIGHT, Theme

_NAMES: Final = ("background", "text", "muted", "grid", "frame", "up", "down", "hole", "forming", "impossible")


def _to_colours(theme: Theme, warning: str, stale: str) -> dict[str, str]:
    return {name: getattr(theme, name) for name in _NAMES} | {"warning": warning, "stale": stale}


COLOURS: Final = {"light": _to_colours(LIGHT, "#c98600", "#c81e1e"), "dark": _to_colours(DARK, "#f0b429", "#ff6b6b")}
