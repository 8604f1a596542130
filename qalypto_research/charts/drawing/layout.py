"""Where the panels of a figure stand: below one another, with as much room around each as its words need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

_PAD_IN: Final = 0.08
_GUESS_IN: Final = (0.1, 0.7, 0.3, 0.5)
"""Room at the left, right, bottom and top, inches, where most charts end up: seen from there, one measurement suffices."""

_Rooms: TypeAlias = tuple[float, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Left and right of all panels, below and above each, in parts of the figure."""


class PanelLayout(ConstrainedLayoutEngine):
    """Constrained layout at half its cost, which is most of the cost of a small chart.

    Matplotlib measures all words twice in each draw. Here they are measured again only where the first measurement has led to
    words of another size. Whatever a user adds (Axes, colour bars, a title over all) is laid out by matplotlib itself.
    """

    def __init__(self, heights: Sequence[float]) -> None:
        super().__init__(w_pad=_PAD_IN, h_pad=_PAD_IN, hspace=0.0, wspace=0.0)
        self._shares = np.asarray(heights, dtype=np.float64) / sum(heights)
        self._panels: list[Axes] = []
        self._placed = False

    def hold(self, panels: Sequence[Axes]) -> None:
        """Take the panels, from top to bottom."""
        self._panels = list(panels)

    def execute(self, fig: Figure) -> Any:  # what matplotlib's own returns is private
        """Move the panels."""
        if not self._alone(fig):
            return super().execute(fig)
        if not self._placed:
            self._placed = self._place(fig, self._guess(fig))
        for _ in range(2):
            before = self._words()
            if not self._place(fig, self._rooms(fig)):
                return super().execute(fig)  # it says that there is no room
            if before == self._words():
                break
        return None

    def _alone(self, fig: Figure) -> bool:
        """Tell whether the figure holds our panels as we made them, and nothing else that takes room."""
        more = (fig.get_suptitle(), fig.get_supxlabel(), fig.get_supylabel(), fig.legends, fig.subfigs)
        asked = self.get()
        plain = tuple(asked["rect"]) == (0, 0, 1, 1) and not asked["hspace"] and not asked["wspace"]
        whole = fig.axes == self._panels and all(ax.get_in_layout() and ax.get_visible() for ax in self._panels)
        return whole and plain and not any(more)

    def _words(self) -> list[tuple[list[float], int]]:
        """Return for each panel what its words take room by: where they stand along x, and how long they are along y."""
        found = []
        for ax in self._panels:
            texts = ax.yaxis.get_major_formatter().format_ticks(ax.yaxis.get_majorticklocs().tolist())
            found.append((ax.xaxis.get_majorticklocs().tolist(), max(map(len, texts), default=0)))
        return found

    def _guess(self, fig: Figure) -> _Rooms:
        width, height = fig.get_size_inches()
        left, right, bottom, top = np.divide(_GUESS_IN, [width, width, height, height])
        rest = np.zeros(len(self._panels) - 1)
        return left, right, np.append(rest, bottom), np.append(top, rest)

    def _rooms(self, fig: Figure) -> _Rooms:
        """Return the room that words need."""
        rooms = []
        for ax in self._panels:
            inner, outer = ax.get_position(original=True), ax.get_tightbbox(for_layout_only=True)
            around = inner if outer is None else outer.transformed(fig.transFigure.inverted())
            rooms.append((inner.x0 - around.x0, around.x1 - inner.x1, inner.y0 - around.y0, around.y1 - inner.y1))
        left, right, bottom, top = np.array(rooms).T
        return float(left.max()), float(right.max()), bottom, top

    def _place(self, fig: Figure, rooms: _Rooms) -> bool:
        """Move the panels so that they leave this room; tell whether that can be."""
        left, right, bottom, top = rooms
        width, height = fig.get_size_inches()
        asked = self.get()
        pad_x, pad_y = asked["w_pad"] / width, asked["h_pad"] / height
        x0, x1 = left + pad_x, 1.0 - right - pad_x
        free = 1.0 - float((bottom + top + 2 * pad_y).sum())
        if x1 <= x0 or free <= 0:
            return False
        edge = 1.0
        for ax, share, below, above in zip(self._panels, self._shares, bottom, top, strict=True):
            edge -= pad_y + above
            ax.set_position(Bbox([[x0, edge - share * free], [x1, edge]]))
            ax.set_in_layout(True)  # to place an Axes takes it out of the layout
            edge -= share * free + below + pad_y
        return True
