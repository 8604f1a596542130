"""The live chart that is always there: matplotlib's picture in an image, redrawn where it changes, ten times a second at most."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import ipywidgets
import traitlets

from qalypto_research.charts.widgets.chart import LiveChart
from qalypto_research.charts.widgets.colours import COLOURS
from qalypto_research.charts.widgets.follower import Delta, Follower
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.picture import DPI, WIDTH_IN, Drawing, to_model
from qalypto_research.charts.widgets.source import Choices

SPACING_S: Final = 0.1

_CHOICES: Final = ("symbol", "interval", "exchange")


class PlainChart(LiveChart, ipywidgets.VBox):  # type: ignore[misc] # it carries no types
    """A live chart drawn by matplotlib: of a new price only the newest candle is drawn again, over a picture of the rest."""

    spacing_s = SPACING_S

    def __init__(self, follower: Follower, looks: Looks) -> None:
        self._anew = True
        self._choosing = False
        self._image = ipywidgets.Image(format="png", width=round(WIDTH_IN * DPI))
        self._image.layout.max_width = "100%"
        self._told_html = ipywidgets.HTML()
        narrow = {"width": "max-content"}
        self._selects = {name: ipywidgets.Dropdown(options=[getattr(follower.pick, name)], layout=narrow) for name in _CHOICES}
        self._pause = ipywidgets.ToggleButton(icon="pause", tooltip="Pause the picture; the buffer keeps filling", layout={"width": "36px"})
        self._bar = bar = ipywidgets.HBox([*self._selects.values(), self._pause, self._told_html])
        bar.layout.align_items = "center"
        bar.layout.flex_flow = "row wrap"
        super().__init__([bar, self._image], zone=looks.zone, theme=looks.theme, height=looks.height)
        self._dress()
        self._draw(follower)
        self.offer(follower.source.choices())
        traitlets.link((self._pause, "value"), (self, "paused"))
        for select in self._selects.values():
            select.observe(self._chosen, "value")
        self.observe(self._dress_anew, ["zone", "theme", "height"])
        self.follow(follower)

    # --- The picture ----------------------------------------------------------------------------------------------------

    def show(self, delta: Delta | None, status: dict[str, Any]) -> None:
        """Draw what has changed, and say how things are."""
        if self._anew:
            self._draw(self._follower)
            self._choose(self._follower)
        elif delta is not None:
            self._draw(self._follower)
        self._say(status)

    def _dress_anew(self, _: object) -> None:
        self._dress()
        self.begin_anew()

    def _dress(self) -> None:
        """Draw on another figure from now on, as the chart is to look."""
        self._drawing = Drawing(theme=self.theme, zone=self.zone, height=self.height)
        self._image.height = str(self.height)

    def _draw(self, follower: Follower) -> None:
        self._anew = False
        whole, drawing = follower.whole(), self._drawing
        self._note = whole.note
        drawing.show(to_model(whole.rows, whole.pick, synthetic=follower.source.synthetic))
        self._image.value = drawing.to_png()

    def _say(self, status: dict[str, Any]) -> None:
        state, age = status["state"], status["age"]
        stale = state == "live" and age is not None and age > status["stale"]
        said = f"live, the newest is {age:.0f} s old" if stale else state
        colour = self._colours["down" if state in ("failed", "stopped") else "warning" if stale or state != "live" else "up"]
        more = " ".join(escape(part) for part in (status["reason"], status["trouble"], self._note) if part)
        page = f"<span style='color:{colour}'>&#9679;</span> {escape(said)} <span style='opacity:.7'>{more}</span>"
        if self._told_html.value != page:
            self._told_html.value = page

    @property
    def _colours(self) -> dict[str, str]:
        """Without a page's word for its theme, "auto" is light."""
        return COLOURS["dark" if self.theme == "dark" else "light"]

    # --- The controls ----------------------------------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """Draw other candles, with the next picture."""
        self._anew = True
        self._told_s = float("-inf")

    def offer(self, choices: Choices) -> None:
        """Show what can be chosen."""
        self._choosing = True
        for name, select in self._selects.items():
            now, there = select.value, getattr(choices, f"{name}s")
            select.options = there if now in there else (now, *there)
            select.value = now
        self._choosing = False

    def _chosen(self, _: object) -> None:
        if not self._choosing:
            self.switch_or_say(**{name: select.value for name, select in self._selects.items()})

    def _choose(self, follower: Follower) -> None:
        self._choosing = True
        for name, select in self._selects.items():
            value = getattr(follower.pick, name)
            if value not in select.options:
                select.options = (*select.options, value)
            select.value = value
        self._choosing = False

    # --- Its end -----------------------------------------------------------------------------------------------------------

    def freeze(self, png: bytes) -> None:
        """Show a picture from now on, without controls."""
        self._image.value = png
        self.replace_output(png)

    def let_go(self) -> None:
        """Let go of what would call it."""
        for select in self._selects.values():
            select.unobserve_all()
        self._pause.unobserve_all()
        self.unobserve_all("paused")
        self.unobserve(self._dress_anew, ["zone", "theme", "height"])
        self.children = (self._image,)  # also where another widget shows it, of which nothing is known here

    def close(self) -> None:
        """End it, and take it from the page."""
        self.end()
        for part in (*self._selects.values(), self._pause, self._told_html, self._image, self._bar):
            for model in (getattr(part, "style", None), part.layout, part):
                if model is not None:
                    model.close()
        self.layout.close()
        super().close()

    def to_bundle(self) -> dict[str, Any]:
        """Return what a notebook displays."""
        return dict(self._repr_mimebundle_() or {})
