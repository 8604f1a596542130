"""The dashboard that is always there: the picture of one in an image, drawn anew every three seconds."""

from __future__ import annotations

from typing import Final

from qalypto_research.charts.widgets.board_picture import SIZE_IN, draw_board
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.picture import DPI
from qalypto_research.charts.widgets.plain import PlainChart
from qalypto_research.charts.widgets.source import BoardSource

SPACING_S: Final = 3.0
"""A picture takes half a second of a core."""


class PlainDashboard(PlainChart):
    """A dashboard drawn by matplotlib."""

    what, made_by = "dashboard", "dashboard"
    spacing_s = SPACING_S

    def __init__(self, follower: Follower, source: BoardSource, looks: Looks, stale_s: float) -> None:
        self._source = source
        self._stale_s = stale_s
        super().__init__(follower, looks)
        self._image.layout.height = "auto"

    def paint(self) -> None:
        """Draw all of it, unless it is paused: between two pictures a word on how things are is always due."""
        if not self.paused:
            self._anew = True
        super().paint()

    def snapshot(self) -> bytes:
        """Return a picture of the moment, also while it is paused.

        Returns
        -------
        bytes
            A PNG.
        """
        return self._picture_of(self._follower)

    def _picture_of(self, follower: Follower) -> bytes:
        return draw_board(follower, self._source, zone=self.zone, theme=self.theme, stale_s=self._stale_s)

    def _dress_anew(self, change: object) -> None:
        if not self.paused:  # the picture of another moment would take the place of the one that is held
            super()._dress_anew(change)

    def _dress(self) -> None:
        self._image.width, self._image.height = (str(round(inches * DPI)) for inches in SIZE_IN)

    def _draw(self, follower: Follower) -> None:
        self._anew = False
        self._note = follower.whole().note
        self._image.value = self._picture_of(follower)

    def _to_picture(self) -> bytes:
        return self.snapshot()
