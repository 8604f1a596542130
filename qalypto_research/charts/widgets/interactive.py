"""The live chart in the browser: lightweight-charts, told of changes as numbered buffers."""

from __future__ import annotations

import time
from typing import Any, Final

import anywidget
import traitlets

from qalypto_research.charts.model.numbers import decimals_of
from qalypto_research.charts.widgets.bundle import read_bundle
from qalypto_research.charts.widgets.chart import LiveChart, RefusedError
from qalypto_research.charts.widgets.colours import COLOURS
from qalypto_research.charts.widgets.follower import Delta, Follower, Whole
from qalypto_research.charts.widgets.hearing import FREE_TIME, Hearing
from qalypto_research.charts.widgets.ledger import CLOSE, MOST, OPEN, Rows, is_shown, seconds_of
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.source import Choices, Status

SELDOM_S: Final = 5.0
"""From one picture to the next where no page shows it: what nobody takes, a Jupyter server would keep."""
_DAY_S: Final = 86_400
_QUOTED: Final = 200
"""Candles, the newest, whose prices say how many decimals there are."""


class InteractiveChart(LiveChart, anywidget.AnyWidget):
    """A live chart drawn by lightweight-charts in the browser.

    All candles go once, as the trait ``shown``; then each message brings those that changed, numbered. A page that misses a
    number asks for all of them again.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode("chart").tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)
    paused = traitlets.Bool(False).tag(sync=True)  # noqa: FBT003 - traitlets has it so
    left = traitlets.Dict().tag(sync=True)
    synthetic = traitlets.Bool(False).tag(sync=True)  # noqa: FBT003
    zone = traitlets.Unicode("UTC").tag(sync=True)
    theme = traitlets.Unicode("auto").tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)

    def __init__(self, follower: Follower, looks: Looks) -> None:
        bundle = read_bundle()
        self._anew = False
        self._painted_s = float("-inf")
        self._hearing = Hearing()
        self._page_theme = "light"
        whole = follower.whole()
        self._series, self._number, self._precision = whole.series, whole.number, _precision_of(whole.rows[-_QUOTED:])
        super().__init__(
            _esm=bundle.script,
            _css=bundle.style,
            shown=_to_shown(whole, self._precision, {"state": "connecting"}, 0),
            choices=_to_choices(follower.source.choices()),
            synthetic=follower.source.synthetic,
            zone=looks.zone,
            theme=looks.theme,
            height=looks.height,
        )
        self.on_msg(self._hear)
        self.follow(follower)

    # --- To the page --------------------------------------------------------------------------------------------------

    def paint(self) -> None:
        """Show what is new; seldom where no page shows it."""
        now = time.monotonic()
        if now - self._painted_s >= SELDOM_S or self._hearing.expected:
            self._painted_s = now
            self.paint_news()

    def paint_news(self) -> None:
        """Show what is new."""
        super().paint()

    def show(self, delta: Delta | None, status: dict[str, Any]) -> None:
        """Send what has changed, or all where that was asked for."""
        quoted = self._precision if delta is None else max(self._precision, _precision_of(delta.rows))
        if self._anew or quoted > self._precision:
            self._anew = False
            whole = self._follower.whole()
            known = quoted if whole.series == self._series else 0
            self._precision = max(known, _precision_of(whole.rows[-_QUOTED:]))
            self._series, self._number = whole.series, whole.number
            self.shown = _to_shown(whole, self._precision, status, self.shown["sent"] + 1)
            return
        if delta is not None:
            self._series, self._number = delta.series, delta.number
        content = {"kind": "delta", "series": self._series, "number": self._number, "status": status}
        self.send(content, [] if delta is None else [delta.rows.tobytes()])

    def say(self, status: Status) -> dict[str, Any]:
        """Return how things are, and which pages were heard: JupyterLab at times connects one that hears and is not heard."""
        # While a cell runs, nobody is.
        return super().say(status) | {"heard": None if FREE_TIME.held else self._hearing.pages}

    def begin_anew(self) -> None:
        """Send other candles than before, with the next picture."""
        self._anew = True
        self._told_s = float("-inf")

    def offer(self, choices: Choices) -> None:
        """Show what can be chosen."""
        self.choices = _to_choices(choices)

    def freeze(self, png: bytes) -> None:
        """Show a picture from now on."""
        data, metadata = self.replace_output(png)
        self.left = {"id": self.model_id, "data": data, "metadata": metadata}

    def let_go(self) -> None:
        """Hear no more."""
        self.on_msg(self._hear, remove=True)
        self.unobserve_all()

    def close(self) -> None:
        """End it, and take it from the page."""
        self.end()
        self.layout.close()
        super().close()

    def to_bundle(self) -> dict[str, Any]:
        """Return what a notebook displays."""
        data, _ = self._repr_mimebundle_() or ({}, {})
        return dict(data)

    # --- From the page ------------------------------------------------------------------------------------------------

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page sets. What cannot be, as a zone that is not known here, is taken back there, too, and said."""
        try:
            super().set_state(sync_data)
        except RefusedError as error:
            self.send_state(set(sync_data) & set(self.keys))
            self._refused = str(error)
            self.begin_anew()

    def _hear(self, _: object, content: dict[str, Any], __: object) -> None:
        kind, page = content.get("kind"), str(content.get("page", ""))
        if kind == "gone":
            self._hearing.leave(page)
            return
        if "dark" in content:
            self._page_theme = "dark" if content["dark"] else "light"
        new = self._hearing.hear(page)
        if new or kind == "hello":  # which may be lost where JupyterLab is not yet through with connecting the page
            self.greet(content)
        if kind == "again":
            self.begin_anew()
        elif kind == "choose":
            self.switch_or_say(*(str(content.get(name, "")) for name in ("symbol", "interval", "exchange")))

    def greet(self, content: dict[str, Any]) -> None:
        """Send a new page what it lacks."""
        if [content.get("series"), content.get("number")] != [self._series, self._number]:
            self.begin_anew()

    def picture_theme(self) -> str:
        """Return the theme of pictures: that of the page where this is left to it."""
        return self._page_theme if self.theme == "auto" else self.theme

    def shown_on_a_page(self) -> bool:
        """Return whether a page has said that it shows it."""
        return self._hearing.shown


def _precision_of(rows: Rows) -> int:
    return decimals_of(rows[is_shown(rows), OPEN : CLOSE + 1].ravel())


def _to_shown(whole: Whole, precision: int, status: dict[str, Any], sent: int) -> dict[str, Any]:
    """Return all candles as the page takes them; `sent` counts, since what is equal to before would not go out."""
    return {
        "sent": sent,
        "series": whole.series,
        "number": whole.number,
        "symbol": whole.pick.symbol,
        "interval": whole.pick.interval,
        "exchange": whole.pick.exchange,
        "precision": precision,
        "daily": seconds_of(whole.pick.interval) >= _DAY_S,
        "most": MOST,
        "rows": whole.rows.tobytes(),
        "status": status,
        "note": whole.note,
    }


def _to_choices(choices: Choices) -> dict[str, Any]:
    return {"symbols": list(choices.symbols), "intervals": list(choices.intervals), "exchanges": list(choices.exchanges)}
