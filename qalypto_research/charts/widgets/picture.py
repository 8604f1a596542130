"""The picture of a live chart by matplotlib: what the plain chart shows, and what stays when a chart is stopped."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from qalypto_research.charts.drawing.candles import CandleArtists, draw_candles
from qalypto_research.charts.drawing.figure import figure_of, panels
from qalypto_research.charts.model.candles import Candles
from qalypto_research.charts.model.checking import base_of, pick_title, pick_zone
from qalypto_research.charts.model.numbers import decimals_of
from qalypto_research.charts.model.spans import NONE, marked
from qalypto_research.charts.model.themes import pick_theme
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.ledger import CLOSE, FORMING, HIGH, LOW, MISSING, OPEN, STATE, TIME, VOLUME, Rows, is_shown, seconds_of
from qalypto_research.charts.widgets.source import Pick

SHOWN: Final = 120
"""Candles in a picture, the newest."""
DPI: Final = 100
WIDTH_IN: Final = 9.6
_DAY_US: Final = 86_400_000_000
_HEIGHTS: Final = (4.2, 1.0)


def draw_picture(follower: Follower, *, zone: str, theme: str, height: int) -> bytes:
    """Return the newest candles of a chart as a PNG."""
    drawing = Drawing(theme=theme, zone=zone, height=height)
    whole = follower.whole()
    drawing.show(to_model(whole.rows, whole.pick, synthetic=follower.source.synthetic))
    return drawing.to_png()


def to_model(rows: Rows, pick: Pick, *, synthetic: bool) -> Candles:
    """Return what a picture of the newest rows shows."""
    rows = rows[-SHOWN:]
    shown, missing = is_shown(rows), rows[:, STATE] == MISSING
    impossible = ~shown & ~missing
    begin_us = np.rint(rows[:, TIME] * 1e6).astype(np.int64)
    end_us = begin_us + seconds_of(pick.interval) * 1_000_000
    there = rows[shown]
    return Candles(
        title=pick_title(None, pick.symbol, pick.exchange, pick.interval),
        base=base_of(pick.symbol),
        synthetic=synthetic,
        decimals=decimals_of(there[:, CLOSE]),
        begin_us=begin_us[shown],
        end_us=end_us[shown],
        open=there[:, OPEN],
        high=there[:, HIGH],
        low=there[:, LOW],
        close=there[:, CLOSE],
        volume=there[:, VOLUME],
        forming=there[:, STATE] == FORMING,
        holes=marked(begin_us, end_us, missing),
        missing=int(missing.sum()),
        backfilled=NONE,
        overlays=(),
        impossible=marked(begin_us, end_us, impossible),
        contradictions=int(impossible.sum()),
    )


def zone_of(model: Candles, zone: dt.tzinfo) -> dt.tzinfo:
    """Return the zone in which the times of candles are written: those of whole days are days of UTC in every zone."""
    return dt.UTC if len(model) and model.end_us[0] - model.begin_us[0] >= _DAY_US else zone


class Drawing:
    """Candles on a figure of their own. Of a new price only what moves is drawn again, over a picture of the rest.

    Attributes
    ----------
    redrawn : int
        How often all of it was drawn.
    """

    def __init__(self, *, theme: str, zone: str, height: int) -> None:
        self.redrawn = 0
        self._theme = pick_theme("light" if theme == "auto" else theme)
        self._zone = pick_zone(zone)
        self._size = (WIDTH_IN, height / DPI)
        self._artists: CandleArtists | None = None
        self._canvas: Any = None
        self._still: Any = None
        self._title = ""

    def show(self, model: Candles) -> None:
        """Draw a description: all of it where more than the newest candle is another than before."""
        if self._artists is None or model.title != self._title or not len(model) or self._artists.show(model):
            self.draw(model)
        else:
            self.blit()

    def draw(self, model: Candles) -> None:
        """Draw all of it, on a new figure."""
        price, volume = panels(None, _HEIGHTS, self._theme, self._size)
        figure = figure_of(price)
        figure.set_dpi(DPI)
        self._canvas = FigureCanvasAgg(figure)
        self._artists = draw_candles((price, volume), model, self._theme, zone_of(model, self._zone))
        self._title = model.title
        for artist in self._artists.moving:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(figure.bbox)
        self.redrawn += 1
        self._draw_moving()

    def blit(self) -> None:
        """Draw what moves, over the picture of the rest."""
        self._canvas.restore_region(self._still)
        self._draw_moving()

    def _draw_moving(self) -> None:
        for artist in self._artists.moving if self._artists else ():
            if artist.axes is not None:
                artist.axes.draw_artist(artist)

    def to_png(self) -> bytes:
        """Return what is drawn."""
        written = io.BytesIO()
        # Little is gained by packing it tighter, and each frame waits for it.
        Image.fromarray(np.asarray(self._canvas.buffer_rgba())[:, :, :3]).save(written, format="png", compress_level=1)
        return written.getvalue()
