"""What both kinds of live charts have in common: whom they follow, when they paint, and how they end."""

from __future__ import annotations

import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import traitlets

from qalypto_research.charts.widgets.cells import Cells
from qalypto_research.charts.widgets.follower import Delta, Follower
from qalypto_research.charts.widgets.hearing import FREE_TIME
from qalypto_research.charts.widgets.looks import check_height, check_theme, zone_name
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.source import Choices, Pick, Status, in_words
from qalypto_research.errors import ClosedError, InputError, QalyptoError

STATUS_S: Final = 1.0
"""How often a chart says how things are though nothing is new: a page that hears nothing knows that the kernel is gone."""


class RefusedError(InputError, traitlets.TraitError):
    """A look that cannot be. For traitlets it is one of its own: it takes back nothing else that was set with others, or by a page."""

    def __init__(self, error: InputError) -> None:
        Exception.__init__(self, str(error))
        self.argument = error.argument


class LiveChart(traitlets.HasTraits):
    """A chart that follows a live buffer until it is stopped. Made by ``live.chart``.

    A base of widgets, which show it: `show` what has changed, and a picture in the end.

    Attributes
    ----------
    paused : bool
        Whether the picture stands still.
    zone, theme, height : str, str, int
        How it looks, as they were given to ``live.chart``; to be set.
    """

    paused = traitlets.Bool(False)  # noqa: FBT003 - traitlets has it so
    zone = traitlets.Unicode("UTC")
    theme = traitlets.Unicode("auto")
    height = traitlets.Int(420)

    spacing_s: float = 0.0
    what, made_by = "live chart", "chart"
    _closed = False
    _ended = True  # until it follows: widgets are closed also where they were never made to the end

    on_end: Callable[[], None] = staticmethod(lambda: None)
    """Called when it was stopped or closed."""

    def follow(self, follower: Follower) -> None:
        """Begin to follow."""
        self._follower = follower
        self._cells = Cells()
        self._cells.note()
        FREE_TIME.attend()
        self._display_ids: dict[str, str] = {}
        self._still = b""
        self._ending = threading.RLock()
        self._ended = False
        self._trouble = self._refused = ""
        self._told: dict[str, Any] = {}
        self._told_s = self._looked_s = float("-inf")
        self._choices = follower.source.choices()
        PAINTER.add(self)

    # --- For its owner ----------------------------------------------------------------------------------------------

    @property
    def showing(self) -> Pick:
        """Which candles are shown."""
        return self._follower.pick

    @property
    def ended(self) -> bool:
        """Whether it was stopped or closed."""
        return self._ended

    def switch(self, symbol: str | None = None, interval: str | None = None, exchange: str | None = None) -> None:
        """Show other candles, in the same place.

        Raises
        ------
        InputError
            There are no such candles here.
        ClosedError
            The chart has ended.
        """
        if self._ended:
            raise ClosedError(f"this {self.what} has ended; make another with live.{self.made_by}(...), of a buffer that listens")
        now = self.showing
        self._follower.switch(Pick(symbol or now.symbol, interval or now.interval, exchange or now.exchange))
        self._refused = ""
        self.begin_anew()

    def switch_or_say(self, symbol: str, interval: str, exchange: str) -> None:
        """Show other candles, or why that cannot be: for the controls, which nobody's code waits for."""
        try:
            self.switch(symbol, interval, exchange)
        except QalyptoError as error:
            self._refused = str(error)
            self.begin_anew()

    def pause(self) -> None:
        """Let the picture stand still; the buffer keeps filling."""
        self.paused = True

    def resume(self) -> None:
        """Go on."""
        self.paused = False

    def stop(self) -> None:
        """Put a picture in the place of the chart, which a saved notebook keeps. Stopping twice is fine."""
        with self._ending:
            ended, self._ended = self._ended, True
        PAINTER.remove(self)  # also where the painter itself is at it: the picture is there when this returns
        if ended:
            return
        try:
            if self._display_ids or self.shown_on_a_page():
                self._follower.take()
                self._still = self._to_picture()
                self.freeze(self._still)
        finally:  # whatever the picture fails at, nothing is left that goes on
            self.let_go()
            self.on_end()

    def end(self) -> None:
        """Stop without a picture."""
        with self._ending:
            self._closed = True
            ended, self._ended = self._ended, True
        if ended:
            return
        PAINTER.remove(self)
        self.let_go()
        self.on_end()

    def _to_picture(self) -> bytes:
        from qalypto_research.charts.widgets.picture import draw_picture  # noqa: PLC0415 - matplotlib takes long to import

        return draw_picture(self._follower, zone=self.zone, theme=self.picture_theme(), height=self.height)

    def picture_theme(self) -> str:
        """Return the theme of pictures."""
        return self.theme

    @traitlets.validate("zone", "theme", "height")
    def _check(self, proposal: dict[str, Any]) -> Any:
        check: dict[str, Callable[[Any], Any]] = {"zone": partial(zone_name, name="zone"), "theme": check_theme, "height": check_height}
        try:
            return check[proposal["trait"].name](proposal["value"])
        except InputError as error:
            raise RefusedError(error) from None

    def asked_for(self) -> None:
        """Take note that a cell has asked for it again."""
        self._cells.note()

    # --- For the painter ----------------------------------------------------------------------------------------------

    def paint(self) -> None:
        """Show what is new."""
        status = self._follower.source.status()
        if status.state == "stopped":
            self.stop()
            return
        now = time.monotonic()
        if now - self._looked_s >= STATUS_S:  # however often candles come, and whatever fails of what follows
            self._looked_s = now
            if not self.look_around():
                return
        delta = None if self.paused else self._follower.take()
        self._trouble = ""
        said = self.say(status)
        if delta is not None or now - self._told_s >= STATUS_S or _without_age(said) != _without_age(self._told):
            self._told, self._told_s = said, now
            self.show(delta, said)

    def report(self, error: Exception) -> None:
        """Show that painting failed."""
        self._trouble = in_words(error)
        self._told, self._told_s = self.say(self._follower.source.status()), time.monotonic()
        self.show(None, self._told)

    def say(self, status: Status) -> dict[str, Any]:
        """Return how things are, as the page is told."""
        age = self._follower.age(status)
        return {
            "state": status.state,
            "reason": status.reason,
            "age": age,
            "stale": self._follower.stale_s,
            "trouble": self._trouble or self._refused,
        }

    def look_around(self) -> bool:
        """See, now and then, whether there is more to choose from, and whether it is still in the notebook; if not it is closed."""
        if self._cells.left and not FREE_TIME.held and not self.shown_on_a_page():
            self.close()
            return False
        choices = self._follower.source.choices()
        if choices != self._choices:
            self._choices = choices
            self.offer(choices)
        return True

    # --- For the notebook ---------------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - only where there is a notebook

        with self._ending:  # whoever stops it puts a picture wherever it was displayed
            if not self._ended:
                cell = self._cells.note() or uuid.uuid4().hex
                own = self._display_ids.setdefault(cell, uuid.uuid4().hex)
                display(self.to_bundle() | {"text/plain": f"<{self._said()}>"}, raw=True, display_id=own)  # type: ignore[no-untyped-call]
                return
        if self._closed:
            display({"text/plain": f"<{self._said()}, which was closed>"}, raw=True)  # type: ignore[no-untyped-call]
            return
        self._still = self._still or self._to_picture()
        data, metadata = self._to_output(self._still)
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]

    def replace_output(self, png: bytes) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Put a picture wherever the chart was displayed, in the notebook itself, and return it as data and metadata of an output."""
        from IPython.display import update_display  # noqa: PLC0415

        data, metadata = self._to_output(png)
        for own in self._display_ids.values():
            update_display(data, metadata=metadata, raw=True, display_id=own)  # type: ignore[no-untyped-call] # IPython's
        return data, metadata

    def _said(self) -> str:
        return f"{self.what} of {self.showing}"

    def _to_output(self, png: bytes) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        said = f"{self.showing}, as it was when the chart was stopped"
        return {"image/png": b64encode(png).decode(), "text/plain": f"<{said}>"}, {"image/png": {"alt": said}}

    # --- What the widgets do --------------------------------------------------------------------------------------------

    close: Callable[[], None]  # the widgets' own, which a method here would stand before

    def show(self, delta: Delta | None, status: dict[str, Any]) -> None:
        """Show what has changed."""
        raise NotImplementedError

    def begin_anew(self) -> None:
        """Show other candles than before."""
        raise NotImplementedError

    def offer(self, choices: Choices) -> None:
        """Show what can be chosen."""
        raise NotImplementedError

    def freeze(self, png: bytes) -> None:
        """Show a picture from now on."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Let go of whatever would call it."""
        raise NotImplementedError

    def shown_on_a_page(self) -> bool:
        """Return whether a page is known to show it."""
        return False

    def to_bundle(self) -> dict[str, Any]:
        """Return what a notebook displays."""
        raise NotImplementedError


def _without_age(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in ("age", "stale")}
