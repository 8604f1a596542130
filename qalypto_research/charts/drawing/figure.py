"""Figures, their panels, and how these are dressed."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib import dates
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, Locator, MaxNLocator
from matplotlib.transforms import ScaledTranslation
from mpl_toolkits.axes_grid1 import make_axes_locatable

from qalypto_research.charts.drawing.layout import PanelLayout
from qalypto_research.charts.model.checking import Floats, Times
from qalypto_research.charts.model.numbers import axis_texts, price_texts
from qalypto_research.charts.model.themes import Theme
from qalypto_research.charts.model.ticks import DAY_US, context_text, time_text, time_ticks
from qalypto_research.errors import InputError

SMALL: Final = 8.5
"""Points of tick labels, keys and notes."""

_TITLE: Final = 11.0
_CHARACTER: Final = 0.62
"""Width of a digit, of the size of its font."""

_ROW: Final = 14.0
"""Points from one row of a key to the next."""


class ChartFigure(Figure):
    """A figure that a notebook shows without pyplot: it can be thrown away like any value, and nothing stays open."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)
        return buffer.getvalue()


def panels(ax: object, heights: Sequence[float], theme: Theme, size: tuple[float, float], *, share: bool = True) -> list[Axes]:
    """Return Axes below one another, dressed: of a new figure, or made of the Axes that a user gave.

    Parameters
    ----------
    ax : Axes, sequence of Axes or None
        One is divided into as many as are needed, several are taken as they are; None: a new figure.
    heights : sequence of float
        Of each, relative to the others.
    theme : Theme
    size : (float, float)
        Width and height of a new figure, inches.
    share : bool
        Whether they share their x axis.

    Raises
    ------
    InputError
        `ax` is something else, or of another number.
    """
    made = _new(heights, theme, size, share=share) if ax is None else _given(ax, heights, share=share)
    for panel in made:
        dress(panel, theme)
    root = figure_of(made[0])
    root.set_facecolor(theme.background)
    for upper in made[:-1] if share else []:
        upper.tick_params(axis="x", which="both", labelbottom=False)
    return made


def _new(heights: Sequence[float], theme: Theme, size: tuple[float, float], *, share: bool) -> list[Axes]:
    layout = PanelLayout(heights)
    figure = ChartFigure(figsize=size, layout=layout, facecolor=theme.background)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    made: list[Axes] = []
    for place in range(len(heights)):
        made.append(figure.add_subplot(grid[place], sharex=made[0] if share and made else None))
    layout.hold(made)
    return made


def _given(ax: object, heights: Sequence[float], *, share: bool) -> list[Axes]:
    given = [ax] if isinstance(ax, Axes) else list(ax) if isinstance(ax, (Sequence, np.ndarray)) else []
    for one in given or [ax]:
        if not isinstance(one, Axes) or one.name != "rectilinear":
            shown = getattr(one, "name", "") or type(one).__name__
            raise InputError("ax", f"is no plain Axes but {shown}; give one, as of fig.subplots(), or leave it out for a new figure")
    if len(given) == len(heights):
        return given
    if len(given) != 1:
        raise InputError("ax", f"holds {len(given)} Axes; this chart takes one, which it divides, or {len(heights)}, or none")
    whole = given[0].get_subplotspec()
    if whole is not None:  # so that layouts know of them
        parts = whole.subgridspec(len(heights), 1, height_ratios=heights)
        given[0].set_subplotspec(parts[0])
        shared = given[0] if share else None
        root = figure_of(given[0])
        return given + [root.add_subplot(parts[place], sharex=shared) for place in range(1, len(heights))]
    divider = make_axes_locatable(given[0])
    for height in heights[1:]:
        given.append(divider.append_axes("bottom", size=f"{100 * height / heights[0]:.0f}%", pad=0.12, sharex=given[0] if share else None))
    return given


def figure_of(ax: Axes) -> Figure:
    """Return the figure at the root of an Axes."""
    root = ax.get_figure(root=True)
    if root is None:
        raise InputError("ax", "belongs to no figure any more; make a new one, as by fig.subplots()")
    return root


def dress(ax: Axes, theme: Theme) -> None:
    """Give an Axes the theme's colours, a calm grid, and its values at the right, where the newest are."""
    ax.set_facecolor(theme.background)
    for side in ("top", "left"):
        ax.spines[side].set_visible(False)
    for side in ("right", "bottom"):
        ax.spines[side].set_color(theme.frame)
        ax.spines[side].set_linewidth(0.8)
    ax.set_axisbelow(True)
    ax.grid(visible=True, color=theme.grid, linewidth=0.7, linestyle="-")
    ax.yaxis.tick_right()
    ax.yaxis.set_label_position("right")
    for axis in ("x", "y"):
        ax.tick_params(axis=axis, which="both", color=theme.frame, labelcolor=theme.muted, labelsize=SMALL, length=3, width=0.8, pad=3)
    ax.yaxis.label.set_color(theme.muted)
    ax.yaxis.label.set_fontsize(SMALL)


# --- Axes of time and of numbers -------------------------------------------------------------------------------------


def _epoch() -> float:
    """Return where 1970 stands: a user may have moved matplotlib's own origin."""
    return float(dates.date2num(np.datetime64(0, "us")))  # type: ignore[no-untyped-call]


def to_days(time_us: Times | int) -> Any:
    """Return times as matplotlib counts them, in days."""
    return np.asarray(time_us, dtype=np.float64) / DAY_US + _epoch()


def to_us(days: float) -> int:
    """Return a time of an axis in microseconds since 1970 UTC."""
    return round((days - _epoch()) * DAY_US)


def characters(ax: Axes, size: float = SMALL) -> float:
    """Return the width of an Axes in characters of this size, points."""
    return float(ax.bbox.width / figure_of(ax).dpi * 72 / (size * _CHARACTER))


class TimeLocator(Locator):
    """Marks whole times of a zone, as many as the width of the axis has room for."""

    def __init__(self, zone: dt.tzinfo) -> None:
        self.zone = zone
        self.labels: dict[float, str] = {}
        self.context = ""
        self._asked = (0, 0, 0.0)
        self._places: Any = np.empty(0)

    def __call__(self) -> Any:
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((to_us(vmin), to_us(vmax)))
        width = characters(self.axis.axes) if isinstance(self.axis, Axis) else 80.0
        if self._asked != (low, high, width):  # a draw asks several times
            self._asked = (low, high, width)
            times, labels = time_ticks(low, high, width, self.zone)
            self._places = to_days(times)
            self.labels = dict(zip(self._places.tolist(), labels, strict=True))
            self.context = context_text(low, high, times, self.zone)
        return self._places


class TimeFormatter(Formatter):
    """Writes what its locator found; between the marks, as under the pointer, the moment in words."""

    def __init__(self, locator: TimeLocator) -> None:
        self._locator = locator

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002 - the signature is matplotlib's
        return self._locator.labels.get(x) or time_text(to_us(x), self._locator.zone)

    def get_offset(self) -> str:
        return self._locator.context


class NumberFormatter(Formatter):
    """Writes numbers with the decimals their steps need, and leaves out the one that a tag stands on."""

    def __init__(self, *, prices: bool) -> None:
        self._texts = price_texts if prices else axis_texts
        self.taken: float | None = None

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002 - the signature is matplotlib's
        return self._texts([x])[0]

    def format_ticks(self, values: Any) -> list[str]:
        texts = self._texts([float(v) for v in values])
        if self.taken is None or not isinstance(self.axis, Axis):
            return texts
        low, high = self.axis.get_view_interval()
        points = self.axis.axes.bbox.height / figure_of(self.axis.axes).dpi * 72 / ((high - low) or 1.0)
        return ["" if abs(v - self.taken) * points < 1.5 * SMALL else t for v, t in zip(values, texts, strict=True)]


def dress_time(ax: Axes, zone: dt.tzinfo) -> None:
    """Let the x axis show times in `zone`, and take times from whoever draws on it later."""
    ax.xaxis_date(zone)
    locator = TimeLocator(zone)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(TimeFormatter(locator))
    ax.xaxis.get_offset_text().set(size=SMALL, x=0.0, horizontalalignment="left")


def tint_offset(ax: Axes, theme: Theme) -> None:
    """Give the name of the zone its colour."""
    ax.xaxis.get_offset_text().set_color(theme.muted)


def dress_numbers(ax: Axes, *, prices: bool = False) -> NumberFormatter:
    """Let the y axis show numbers, as many as there is room for."""
    ax.yaxis.set_major_locator(NumberLocator())
    formatter = NumberFormatter(prices=prices)
    ax.yaxis.set_major_formatter(formatter)
    return formatter


class NumberLocator(MaxNLocator):
    """Marks round numbers, one every three lines or so."""

    def __init__(self) -> None:
        super().__init__(nbins=6, steps=[1, 2, 2.5, 5, 10])

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if isinstance(self.axis, Axis):
            box = self.axis.axes.bbox
            points = (box.height if self.axis is self.axis.axes.yaxis else box.width / 3) / figure_of(self.axis.axes).dpi * 72
            self.set_params(nbins=int(np.clip(points / (3.4 * SMALL), 1, 9)))
        low, high = sorted((vmin, vmax))
        room = 1e-10 * (high - low)
        found: Floats = np.asarray(super().tick_values(vmin, vmax))
        # Those beyond the ends would not be drawn, yet cost as much.
        return found[(found >= low - room) & (found <= high + room)]


# --- Words -----------------------------------------------------------------------------------------------------------


def entitle(
    ax: Axes, title: str, theme: Theme, key: Sequence[tuple[Artist, str]] = (), *, synthetic: bool = False, above: float = 0.0
) -> None:
    """Write the title `above` points over an Axes, and between them the key, in as many rows as it needs."""
    rows = 0
    if key:
        fits = max(1, int(characters(ax)) // (max(len(text) for _, text in key) + 6))
        rows = -(-len(key) // fits)
        # A legend is filled by columns; the key is to be read by rows.
        ordered = [key[i] for column in range(fits) for i in range(column, len(key), fits)]
        handles, texts = zip(*ordered, strict=True)
        raised = ScaledTranslation(0, above / 72, figure_of(ax).dpi_scale_trans)
        legend = ax.legend(
            handles, texts, loc="lower left", bbox_to_anchor=(0, 1), bbox_transform=ax.transAxes + raised, ncols=fits,
            frameon=False, fontsize=SMALL, labelcolor=theme.text,
            borderaxespad=0.25, borderpad=0.1, handlelength=1.4, handletextpad=0.5, columnspacing=1.4, labelspacing=0.3,
        )  # fmt: skip
        legend.set_in_layout(True)
    words = " · ".join(part for part in (title, "synthetic" if synthetic else "") if part)
    # Bold letters are a tenth wider than digits. A long title in a narrow Axes is written smaller.
    size = float(np.clip(characters(ax, 1.0) / (1.12 * max(len(words), 1)), 7.0, _TITLE))
    ax.set_title(words, loc="left", pad=5 + above + rows * _ROW, fontsize=size, fontweight="bold", color=theme.text)


def say(ax: Axes, words: str, theme: Theme) -> None:
    """Write in the middle of an Axes that there is nothing to see, and why."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=theme.muted, fontsize=10, wrap=True)
    ax.set_yticks([])
    ax.set_xticks([])
    ax.grid(visible=False)


def note(ax: Axes, words: str, theme: Theme) -> Artist:
    """Write what a panel shows into its upper left corner."""
    box = {"facecolor": theme.background, "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    return ax.text(
        0.006, 0.965, words, transform=ax.transAxes, ha="left", va="top", color=theme.muted, fontsize=SMALL, zorder=6, bbox=box,
        clip_on=True,  # a narrow panel cuts it off rather than become narrower
    )  # fmt: skip


def limits(values: Floats, share: float = 0.06) -> tuple[float, float]:
    """Return the ends of an axis around what is known of `values`, a share of their range more at either end."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = (high - low) * share or abs(low) * 1e-3 or 1.0
    return low - room, high + room


class Boxes(PolyCollection):
    """Boxes whose corners are in the units of the axes already.

    Of other collections matplotlib converts, on an axis of times, each corner in each draw: half the time that many take.
    """

    def have_units(self) -> bool:
        """Tell that nothing is to be converted."""
        return False


class Strokes(LineCollection):
    """Lines, likewise."""

    def have_units(self) -> bool:
        """Tell that nothing is to be converted."""
        return False


def boxes(left: Floats, right: Floats, low: Floats, high: Floats) -> Any:
    """Return the corners of upright boxes, as collections take them: an array, though their types know of lists only."""
    corners = ((left, low), (left, high), (right, high), (right, low))
    return np.stack([np.stack(corner, 1) for corner in corners], 1)
