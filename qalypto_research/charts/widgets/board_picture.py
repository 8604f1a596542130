"""The picture of a dashboard by matplotlib: a snapshot, what stays when it is stopped, and what the plain dashboard shows."""

from __future__ import annotations

import datetime as dt
import io
import textwrap
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from qalypto_research.charts.drawing.books import draw_book
from qalypto_research.charts.drawing.candles import draw_candles
from qalypto_research.charts.drawing.figure import SMALL, dress, entitle, say
from qalypto_research.charts.model.books import build_book
from qalypto_research.charts.model.candles import Candles
from qalypto_research.charts.model.checking import pick_zone
from qalypto_research.charts.model.numbers import amount_text, price_text
from qalypto_research.charts.model.themes import Theme, pick_theme
from qalypto_research.charts.widgets.colours import COLOURS
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.panes import CELL, Panes, Part
from qalypto_research.charts.widgets.picture import DPI, to_model, zone_of
from qalypto_research.charts.widgets.source import BoardSource
from qalypto_research.errors import QalyptoError

SIZE_IN: Final = (12.6, 7.9)

_HEIGHTS: Final = (1.35, 1.6, 2.6, 1.45)
_MARGINS: Final = {"left": 0.015, "right": 0.965, "top": 0.945, "bottom": 0.01, "wspace": 0.13, "hspace": 0.42}
_CANDLES: Final = (4.2, 1.1, 0.1)
"""Price, volume, and room below for the date and the zone."""
_LINE_PT: Final = 13.0
_WIDE: Final = 52
"""Characters that there is room for."""
_TOTALS: Final = ("dropped", "bad", "missed", "reconnects")

_MISSING: Final = "\N{EN DASH}"


class Cell(NamedTuple):
    """A text of a table, and how it is written."""

    text: str
    colour: str
    bold: bool = False


def draw_board(follower: Follower, source: BoardSource, *, zone: str, theme: str, stale_s: float) -> bytes:
    """Return what a dashboard shows at this moment as a PNG."""
    picture = _BoardPicture(pick_theme("light" if theme == "auto" else theme), pick_zone(zone))
    whole = follower.at_this_moment()
    candles = to_model(whole.rows, whole.pick, synthetic=source.synthetic)
    picture.draw_candles(candles)
    panes = Panes(source, stale_s)
    for part in panes.take(whole.pick):
        picture.draw(part)
    if picture.has_book and panes.book is not None:
        picture.draw_book(panes.book)
    return picture.to_png()


class _BoardPicture:
    """A figure with the panes of a dashboard."""

    def __init__(self, theme: Theme, zone: dt.tzinfo) -> None:
        self.theme = theme
        self.zone = zone
        self.has_book = False
        self._colours = COLOURS[theme.name]
        self.figure = Figure(figsize=SIZE_IN, dpi=DPI, facecolor=theme.background)
        self._renderer: Any = FigureCanvasAgg(self.figure).get_renderer()  # type: ignore[no-untyped-call] # matplotlib's
        # Fixed places: to fit them to their texts would take as long again as all the drawing.
        grid = self.figure.add_gridspec(4, 2, width_ratios=(2.0, 1.0), height_ratios=_HEIGHTS, **_MARGINS)
        inner = grid[0:3, 0].subgridspec(len(_CANDLES), 1, height_ratios=_CANDLES, hspace=0.06)
        self.price = self.figure.add_subplot(inner[0])
        self.volume = self.figure.add_subplot(inner[1], sharex=self.price)
        places = {"quotes": grid[0, 1], "book": grid[1, 1], "tape": grid[2, 1], "health": grid[3, 0], "events": grid[3, 1]}
        self._panes = {name: self.figure.add_subplot(place) for name, place in places.items()}
        for ax in (self.price, self.volume, *self._panes.values()):
            dress(ax, theme)

    def draw_candles(self, model: Candles) -> None:
        """Draw the candles, with times below the volume alone."""
        draw_candles((self.price, self.volume), model, self.theme, zone_of(model, self.zone))
        self.price.tick_params(labelbottom=False)
        self.price.xaxis.get_offset_text().set_visible(False)

    def draw(self, part: Part) -> None:
        """Draw a pane."""
        if part.name == "book":
            self.has_book = "why" not in part.facts and len(part.numbers) > 0
        if "why" in part.facts or (part.name == "book" and not self.has_book):
            self._say(part.name, part.facts.get("why", "no whole book yet"))
        elif part.name != "book":
            getattr(self, f"_draw_{part.name}")(part)

    def draw_book(self, book: pd.DataFrame) -> None:
        """Draw the depth."""
        try:
            draw_book(self._panes["book"], build_book(book, title="Depth"), self.theme, self.zone)
        except QalyptoError as error:
            self._say("book", str(error))

    def _draw_quotes(self, part: Part) -> None:
        facts, decimals = part.facts, part.facts["precision"]
        muted, text = self.theme.muted, self.theme.text
        rows: list[list[Cell]] = [[Cell(name, muted) for name in ("", "bid", "ask", "bps", "last", "age")]]
        for name, (bid, ask, bps, last, age, best_bid, best_ask) in zip(facts["exchanges"], part.numbers, strict=True):
            stale = age > facts["stale"]
            shown = muted if stale else text
            prices = [Cell(_price(value, decimals), shown, bold=bool(best)) for value, best in ((bid, best_bid), (ask, best_ask))]
            old = Cell(_age(age), self._colours["stale"] if stale else text, bold=stale)
            rows.append([Cell(name, text), *prices, Cell(_number(bps, 2), shown), Cell(_price(last, decimals), shown), old])
        self._table("quotes", f"Quotes · {facts['symbol']}", rows, (0.0, 0.36, 0.56, 0.66, 0.86, 1.0))

    def _draw_tape(self, part: Part) -> None:
        rows: list[list[Cell]] = [[Cell(name, self.theme.muted) for name in ("time", "", "price", "size")]]
        for time_s, side, price, size, liquidation in part.numbers[::-1]:
            colour = self.theme.up if side > 0 else self.theme.down if side < 0 else self.theme.text
            said = "▲ buy" if side > 0 else "▼ sell" if side < 0 else ""
            said = f"{said} liq".strip() if liquidation else said
            traded = [Cell(_price(price, part.facts["precision"]), colour), Cell(amount_text(size) or _MISSING, self.theme.text)]
            rows.append([Cell(self._clock(time_s), self.theme.muted), Cell(said, colour), *traded])
        self._table("tape", f"Trades · {part.facts['exchange']}", rows, (0.0, 0.25, 0.74, 1.0), left=2)

    def _draw_health(self, part: Part) -> None:
        kinds, exchanges, totals = (part.facts[name] for name in ("kinds", "exchanges", "totals"))
        cells = part.numbers.reshape(len(kinds), len(exchanges), len(CELL))
        muted, text = self.theme.muted, self.theme.text
        rows: list[list[Cell]] = [[Cell("", muted), *(Cell(name, text) for name in exchanges)]]
        for kind, row in zip(kinds, cells, strict=True):
            told = [" · ".join((_number(rate, 1, "/s"), _age(age), f"{_number(p50, 0)}/{_number(p95, 0)} ms"))
                    for rate, age, p50, p95 in row]  # fmt: skip
            rows.append([Cell(kind, muted), *(Cell(one, text) for one in told)])
        wrong = ", ".join(f"{totals[name]:,.0f} {name}" for name in _TOTALS)
        title = f"Health · {totals['rate']:,.1f} messages/s, {totals['rows']:,.0f} rows, {wrong}"
        share = (1.0 - 0.1) / max(len(exchanges), 1)
        places = [0.0, *(0.1 + share * (place + 1) for place in range(len(exchanges)))]
        rows.append([Cell("rate · age · latency p50/p95 from the event to the sending", muted)])
        self._table("health", title, rows, places, size=SMALL - 0.5)

    def _draw_events(self, part: Part) -> None:
        rows = [[Cell(self._clock(at), self.theme.muted), Cell(what, self.theme.text), Cell(detail, self.theme.muted)]
                for at, what, detail in part.facts["events"][::-1]]  # fmt: skip
        self._table("events", "Events", rows, (0.0, 0.2, 0.42), left=3)

    def _table(
        self, name: str, title: str, rows: Sequence[Sequence[Cell]], places: Sequence[float], *, left: int = 1, size: float = SMALL
    ) -> None:
        """Write rows of texts, the first `left` columns to the right of their places, others to the left, as far as there is room."""
        ax = self._empty(name)
        entitle(ax, title, self.theme)
        box = ax.get_position()
        width, height = box.width * SIZE_IN[0] * 72, box.height * SIZE_IN[1] * 72
        fits = max(1, int(height / _LINE_PT))
        for line, row in enumerate(rows[:fits]):
            for column, (cell, place) in enumerate(zip(row, places, strict=False)):
                last = column == len(row) - 1 and column < left
                ax.annotate(
                    self._cut(cell, (1.0 - place) * width, size) if last else cell.text,
                    (place, 1.0), xytext=(0, -_LINE_PT * (line + 0.9)), xycoords="axes fraction", textcoords="offset points",
                    ha="left" if column < left else "right", va="baseline", color=cell.colour, fontsize=size,
                    fontweight="bold" if cell.bold else "normal", clip_on=True, annotation_clip=False,
                ).set_in_layout(False)  # fmt: skip

    def _cut(self, cell: Cell, width_pt: float, size: float) -> str:
        """Return what of a text there is room for, and an ellipsis where that is not all."""
        text = cell.text
        while len(text) > 1 and (wide := self._width(text, size)) > width_pt:
            text = text[: min(len(text) - 2, int(len(text) * width_pt / wide) - 1)].rstrip() + "…" if len(text) > 2 else "…"
        return text

    def _width(self, text: str, size: float) -> float:
        """Return how wide a text is, in points."""
        width, _, _ = self._renderer.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
        return float(width) / DPI * 72

    def _say(self, name: str, words: str) -> None:
        ax = self._empty(name)
        entitle(ax, {"book": "Depth", "tape": "Trades"}.get(name, name.capitalize()), self.theme)
        say(ax, "\n".join(textwrap.wrap(words, _WIDE)), self.theme)

    def _empty(self, name: str) -> Axes:
        ax = self._panes[name]
        ax.set_axis_off()
        return ax

    def _clock(self, seconds: float) -> str:
        return dt.datetime.fromtimestamp(seconds, self.zone).strftime("%H:%M:%S")

    def to_png(self) -> bytes:
        """Return what is drawn."""
        written = io.BytesIO()
        self.figure.savefig(written, format="png", dpi=DPI)
        return written.getvalue()


def _number(value: float, decimals: int, unit: str = "") -> str:
    return f"{value:,.{decimals}f}{unit}" if np.isfinite(value) else _MISSING


def _age(seconds: float) -> str:
    """Return an age, as the page writes it: tenths of a second where they tell something."""
    age = max(0.0, seconds)
    if not np.isfinite(age) or age < 60:
        return _number(age, 1, " s")
    return f"{age // 60:.0f} min" if age < 3_600 else f"{age // 3_600:.0f} h"


def _price(value: float, decimals: int) -> str:
    return price_text(value, decimals) if np.isfinite(value) else _MISSING
