"""Colours, light and dark. Each pair that must be told apart differs for colour-blind eyes, too; up and down also differ in shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from qalypto_research.charts.model.checking import pick_name
from qalypto_research.schema.vocabulary import EXCHANGES


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a chart, as ``#rrggbb``.

    Attributes
    ----------
    up, down : str
        Rising and falling candles; buyers and sellers.
    hole, backfill, forming, impossible : str
        Shading of time without data, of data that came later, of the candle that is not over, and of rows that cannot be.
    lines : tuple of str
        Overlays, in their order.
    exchanges : dict of str to str
        Of each documented exchange.
    causes : tuple of str
        Of the causes of holes, as ``holes`` lists them.
    """

    name: str
    background: str
    text: str
    muted: str
    grid: str
    frame: str
    up: str
    down: str
    hole: str
    backfill: str
    forming: str
    impossible: str
    present: str
    lines: tuple[str, ...]
    exchanges: dict[str, str]
    causes: tuple[str, ...] = field(default=())

    def exchange(self, name: str, place: int) -> str:
        """Return the colour of an exchange; by its place among those shown where it is none of the documented."""
        return self.exchanges.get(name) or self.lines[place % len(self.lines)]


LIGHT: Final = Theme(
    name="light",
    background="#ffffff",
    text="#1f2a37",
    muted="#66727f",
    grid="#e9ecf0",
    frame="#c5ccd4",
    up="#1878b8",
    down="#d9601a",
    hole="#e4e1ea",
    backfill="#e3f1e6",
    forming="#fbf3d5",
    impossible="#c2271d",
    present="#9fb6c9",
    lines=("#7a3e9d", "#00876c", "#a8760a", "#c2478d", "#4d5b6a"),
    exchanges=dict(zip(EXCHANGES, ("#c98600", "#2596d1", "#00795a", "#b5538f"), strict=True)),
    causes=("#c2410c", "#8b4fb0", "#c9cfd6", "#e0b040", "#5a6b7c"),
)

DARK: Final = Theme(
    name="dark",
    background="#12171f",
    text="#e3e8ee",
    muted="#8d99a8",
    grid="#222a35",
    frame="#3a4553",
    up="#4fb0ee",
    down="#ff8a3d",
    hole="#302c44",
    backfill="#1b2b22",
    forming="#3b3618",
    impossible="#ff6b5e",
    present="#46617a",
    lines=("#c796ea", "#45cfa0", "#ecc94b", "#ff93c9", "#a9b6c4"),
    exchanges=dict(zip(EXCHANGES, ("#f0b429", "#63bdf2", "#1da674", "#e58fc0"), strict=True)),
    causes=("#ff8a5c", "#b98ae0", "#333d49", "#d8b04a", "#94a5b8"),
)

_THEMES: Final = {theme.name: theme for theme in (LIGHT, DARK)}


def pick_theme(theme: str) -> Theme:
    """Return the theme of that name.

    Raises
    ------
    UnknownNameError
        Neither "light" nor "dark".
    """
    return _THEMES[pick_name(theme, tuple(_THEMES), "theme")]
