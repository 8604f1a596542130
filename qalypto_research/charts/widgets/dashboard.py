"""The dashboard in the browser: the interactive chart, and around it panes, told as numbered buffers beside its candles."""

from __future__ import annotations

import time
from typing import Any, Final

import traitlets

from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.interactive import InteractiveChart
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.panes import Panes, Part
from qalypto_research.charts.widgets.source import BoardSource, Pick

SPACING_S: Final = 0.1
"""Panes are read by people: they change ten times a second at most, and candles twenty."""


class Dashboard(InteractiveChart):
    """Candles, quotes, depth, tape, health and events of a live buffer. Made by ``live.dashboard``.

    Each message of panes brings those that changed, whole and numbered. A page that misses a number asks for all of them.
    """

    what, made_by = "dashboard", "dashboard"
    kind = traitlets.Unicode("dashboard").tag(sync=True)

    def __init__(self, follower: Follower, source: BoardSource, looks: Looks, stale_s: float) -> None:
        self._source = source
        self._stale_s = stale_s
        self._panes = Panes(source, stale_s)
        self._panes_number = 0
        self._panes_due_s = float("-inf")
        self._panes_anew = True
        self._panes_of: Pick | None = None
        self._panes_told: dict[str, Part] = {}
        super().__init__(follower, looks)

    def paint_news(self) -> None:
        """Show what is new of the candles, and of the panes; of these while it is paused only what a page has nothing of yet."""
        super().paint_news()
        now = time.monotonic()
        if self.ended or (self.paused and not self._panes_anew) or now < self._panes_due_s:
            return
        self._panes_due_s = now + SPACING_S - 0.01  # the painter's beat is not exact
        self.show_panes()

    def show_panes(self) -> None:
        """Send the panes that have changed, or all where that was asked for."""
        anew = self._panes_anew
        if anew:  # what is said meanwhile is for the next picture
            self._panes_anew = False
        series, pick = self._follower.following
        if anew and self.paused and pick == self._panes_of:
            parts = list(self._panes_told.values())  # a page that is loaded again has the moment of the pause again
        else:
            if anew:
                self._panes.forget()
            parts = self._panes.take(pick)
            if pick != self._panes_of:
                self._panes_of, self._panes_told = pick, {}
            self._panes_told |= {part.name: part for part in parts}
        if not parts:
            return
        self._panes_number += 1
        told = [{"name": part.name, **part.facts} for part in parts]
        content = {"kind": "panes", "number": self._panes_number, "series": series, "whole": anew, "parts": told}
        self.send(content, [part.numbers.tobytes() for part in parts])

    def begin_anew(self) -> None:
        """Send all of it, with the next picture."""
        self._panes_anew = True
        super().begin_anew()

    def snapshot(self) -> bytes:
        """Return a picture of the moment, also while it is paused.

        Returns
        -------
        bytes
            A PNG, for ``pathlib.Path("board.png").write_bytes(...)`` or ``IPython.display.Image(...)``.
        """
        from qalypto_research.charts.widgets.board_picture import draw_board  # noqa: PLC0415 - matplotlib takes long to import

        return draw_board(self._follower, self._source, zone=self.zone, theme=self.picture_theme(), stale_s=self._stale_s)

    def _to_picture(self) -> bytes:
        return self.snapshot()

    def greet(self, content: dict[str, Any]) -> None:
        """Send it the panes, too, of which it has none."""
        self._panes_anew = True
        super().greet(content)

    def _hear(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        if content.get("kind") == "snapshot":
            self.send({"kind": "snapshot", "name": f"{self.showing}.png".replace(" ", "_")}, [self.snapshot()])
        super()._hear(widget, content, buffers)
