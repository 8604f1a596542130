"""Candles as collections: what stands still apart from what moves, so that a live chart need draw only the latter again."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qalypto_research.charts.drawing.figure import (
    SMALL,
    Boxes,
    Strokes,
    boxes,
    dress_numbers,
    dress_time,
    entitle,
    figure_of,
    limits,
    note,
    say,
    tint_offset,
    to_days,
)
from qalypto_research.charts.model.candles import Candles
from qalypto_research.charts.model.checking import Flags, Floats
from qalypto_research.charts.model.numbers import price_text
from qalypto_research.charts.model.spans import Spans
from qalypto_research.charts.model.themes import Theme

_BODY: Final = 0.7
"""Of a candle's time, how much its body covers."""

_FEWEST: Final = 12
"""Candles an axis has room for, however few there are."""

_FILLED: Final = 0.7
"""How much of the height a chart must fill, lest its axes follow."""

_HOLLOW_FROM: Final = 4.0
"""Points a candle must be wide for its hollow body to be seen as such."""

_STILL: Final = ("hole", "backfill", "impossible")
_HATCH: Final = "xxxxx"


class CandleArtists:
    """The artists of one chart of candles.

    Attributes
    ----------
    background : tuple of Artist
        What changes only when a candle closes, the range changes, or late data come.
    moving : tuple of Artist
        The forming candle with its volume, the overlays, and the last price. ``set_animated(True)`` on each leaves them to
        whoever blits.
    """

    def __init__(self, price: Axes, volume: Axes | None, theme: Theme, zone: dt.tzinfo) -> None:
        self.price, self.volume, self.theme = price, volume, theme
        self._formatter = dress_numbers(price, prices=True)
        for ax in filter(None, (price, volume)):
            dress_time(ax, zone)
            tint_offset(ax, theme)
        if volume is not None:
            dress_numbers(volume)
        self._closed = _Pieces(price, volume, theme, forming=False)
        self._forming = _Pieces(price, volume, theme, forming=True)
        self._shades = {name: [_shade(ax, color) for ax in filter(None, (price, volume))] for name, color in _shades_of(theme)}
        for shade in self._shades["impossible"]:  # by its lines, too, however narrow it is
            shade.set(hatch=_HATCH, facecolor=(theme.impossible, 0.12), linewidth=1.0)
        self._last = price.axhline(0, color=theme.muted, linewidth=0.7, linestyle=(0, (1, 2)), zorder=3, visible=False)
        self._tag = _tag(price, theme)
        self._lines: list[Line2D] = []
        self._shown: Candles | None = None
        self._fitted = False

    @property
    def background(self) -> tuple[Artist, ...]:
        return (*self._closed.all, *(shade for name in _STILL for shade in self._shades[name]))

    @property
    def moving(self) -> tuple[Artist, ...]:
        return (*self._shades["forming"], *self._forming.all, *self._lines, self._last, self._tag)

    def show(self, model: Candles, *, fit: bool = True) -> bool:
        """Show a description; whatever was shown before is gone.

        Parameters
        ----------
        model : Candles
        fit : bool
            Whether the axes follow; False leaves them where a user has moved them.

        Returns
        -------
        bool
            Whether anything but the moving artists is different from before.
        """
        before, self._shown = self._shown, model
        closed = before is None or not _same_background(before, model)
        if closed:
            width = self._points_a_candle(model)
            self._closed.show(model, ~model.forming, hollow=width >= _HOLLOW_FROM)
            for name, spans in zip(_STILL, (model.holes, model.backfilled, model.impossible), strict=True):
                for shade in self._shades[name]:
                    shade.set_verts(_columns(spans))
        self._forming.show(model, model.forming, hollow=True)
        over = Spans(model.begin_us[model.forming], model.end_us[model.forming])
        for shade in self._shades["forming"]:
            shade.set_verts(_columns(over))
        self._show_lines(model)
        self._show_last(model)
        moved = self._fit(model) if fit else False
        return closed or moved

    def _points_a_candle(self, model: Candles) -> float:
        width = self.price.bbox.width / figure_of(self.price).dpi * 72
        span = int(model.end_us[-1] - model.begin_us[0]) if len(model) else 0
        return float(width * np.median(model.end_us - model.begin_us) / span) if span else 0.0

    def _show_lines(self, model: Candles) -> None:
        colors = self.theme.lines
        while len(self._lines) < len(model.overlays):
            color = colors[len(self._lines) % len(colors)]
            (line,) = self.price.plot([], [], color=color, linewidth=1.2, zorder=4, scalex=False, scaley=False)
            self._lines.append(line)
        for line in self._lines[len(model.overlays) :]:
            line.remove()
        del self._lines[len(model.overlays) :]
        for line, overlay in zip(self._lines, model.overlays, strict=True):
            line.set_data(to_days(overlay.time_us), overlay.value)
            line.set_label(overlay.name)

    def _show_last(self, model: Candles) -> None:
        self._last.set_visible(len(model) > 0)
        self._tag.set_visible(len(model) > 0)
        if not len(model):
            self._formatter.taken = None
            return
        last = float(model.close[-1])
        self._last.set_ydata([last, last])
        self._tag.xy = (1.0, last)
        self._tag.set_text(price_text(last, model.decimals))
        self._tag.get_bbox_patch().set_facecolor(self.theme.up if model.rising[-1] else self.theme.down)
        self._formatter.taken = last

    def _fit(self, model: Candles) -> bool:
        """Set the ends of the axes around what is shown; tell whether they moved."""
        if not len(model):
            return False
        before = self._ends()
        stretches = (model, model.holes, model.impossible)
        begin = min(int(span.begin_us[0]) for span in stretches if len(span))
        end = max(int(span.end_us[-1]) for span in stretches if len(span))
        length = int(np.median(model.end_us - model.begin_us))
        room = max((end - begin) // 100, (_FEWEST * length - (end - begin)) // 2)
        self.price.set_xlim(float(to_days(begin - room)), float(to_days(end + room)))
        over = [line.value[(line.time_us >= begin) & (line.time_us <= end)] for line in model.overlays]
        self._settle(self.price, np.concatenate([model.low, model.high, model.open, model.close, *over]), lowest=None)
        if self.volume is not None and model.volume is not None:
            self._settle(self.volume, model.volume, lowest=0.0)
        self._fitted = True
        return before != self._ends()

    def _ends(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        return [(ax.get_xlim(), ax.get_ylim()) for ax in filter(None, (self.price, self.volume))]

    def _settle(self, ax: Axes, values: Floats, *, lowest: float | None) -> None:
        """Set the ends of the y axis, unless they fit well enough: an axis that follows each tick would have all drawn again."""
        known = values[np.isfinite(values)]
        low, high = limits(known)
        if lowest is not None:
            low, high = lowest, 1.12 * float(known.max(initial=0.0)) or 1.0
        now_low, now_high = ax.get_ylim()
        fits = known.size and (lowest is not None or now_low <= known.min()) and known.max() <= now_high
        if not (self._fitted and fits and high - low >= _FILLED * (now_high - now_low)):
            ax.set_ylim(low, high)


class _Pieces:
    """Wicks, bodies and volumes of some of the candles, those that rise apart from those that fall."""

    def __init__(self, price: Axes, volume: Axes | None, theme: Theme, *, forming: bool) -> None:
        self.theme = theme
        self.wicks: dict[bool, Strokes] = {}
        self.bodies: dict[bool, Boxes] = {}
        self.volumes: dict[bool, Boxes] = {}
        style: Any = (0, (2.2, 1.4)) if forming else "-"
        for rising, color in ((True, theme.up), (False, theme.down)):
            name = f"{'forming ' if forming else ''}{'rising' if rising else 'falling'}"
            self.wicks[rising] = Strokes([], colors=color, linewidths=0.8, zorder=2.2, label=f"_{name} wicks")
            self.bodies[rising] = Boxes(
                [], facecolors=color, edgecolors=color, linewidths=0.8, linestyles=[style], zorder=2.4, label=f"_{name} bodies"
            )
            price.add_collection(self.wicks[rising], autolim=False)
            price.add_collection(self.bodies[rising], autolim=False)
            if forming:
                self.bodies[rising].set_facecolor(theme.background if rising else (color, 0.35))
            if volume is not None:
                self.volumes[rising] = Boxes(
                    [], facecolors=[(color, 0.25 if forming else 0.55)], edgecolors=color if forming else "none",
                    linewidths=0.8 if forming else 0.0, linestyles=[style], zorder=2.2, label=f"_{name} volumes",
                )  # fmt: skip
                volume.add_collection(self.volumes[rising], autolim=False)

    @property
    def all(self) -> tuple[Artist, ...]:
        return (*self.wicks.values(), *self.bodies.values(), *self.volumes.values())

    def show(self, model: Candles, which: Flags, *, hollow: bool) -> None:
        middle, begin = to_days(model.middle_us), to_days(model.begin_us)
        half = (middle - begin) * _BODY
        for rising in (True, False):
            some = which & (model.rising == rising)
            x, left, right = middle[some], (middle - half)[some], (middle + half)[some]
            low, high = np.minimum(model.open, model.close)[some], np.maximum(model.open, model.close)[some]
            self.wicks[rising].set_segments(_wicks(x, model.low[some], low, high, model.high[some]))
            self.bodies[rising].set_verts(boxes(left, right, low, high))
            if self.volumes:
                traded = np.zeros(len(model)) if model.volume is None else np.nan_to_num(model.volume)
                self.volumes[rising].set_verts(boxes(left, right, np.zeros(len(x)), traded[some]))
        if hollow:
            self.bodies[True].set_facecolor(self.theme.background)
        else:
            self.bodies[True].set_facecolor(self.theme.up)


def draw_candles(axes: tuple[Axes, Axes | None], model: Candles, theme: Theme, zone: dt.tzinfo) -> CandleArtists:
    """Draw candles with title and key; return the artists, for whoever goes on with them.

    Parameters
    ----------
    axes : (Axes, Axes or None)
        For prices and for volume.
    model : Candles
    theme : Theme
    zone : tzinfo
    """
    price, volume = axes
    artists = CandleArtists(price, volume, theme, zone)
    artists.show(model)
    entitle(price, model.title, theme, key_of(artists, model), synthetic=model.synthetic)
    if volume is not None:
        note(volume, _words_of_volume(model), theme)
    if not len(model):
        say(price, _nothing_of(model), theme)
        if volume is not None:
            say(volume, "", theme)
    return artists


def _words_of_volume(model: Candles) -> str:
    """Return what the panel of volumes shows, and of how many candles it cannot."""
    unknown = 0 if model.volume is None else int(np.isnan(model.volume).sum())
    what = f"Volume, {model.base}" if model.base else "Volume"
    return f"{what}; not known of {unknown:,} candle{'s' * (unknown > 1)}" if unknown else what


def _nothing_of(model: Candles) -> str:
    """Return why there is no candle."""
    counts = ((model.contradictions, "impossible ones"), (model.missing, "none"))
    rows = ", ".join(f"{count:,} {'row has' if count == 1 else 'rows have'} {what}" for count, what in counts if count)
    return f"no candles with {'possible ' if model.contradictions else ''}prices: {rows}" if rows else "no candles"


def key_of(artists: CandleArtists, model: Candles) -> list[tuple[Artist, str]]:
    """Return what the key of such a chart says: overlays by name, and what is shaded."""
    theme = artists.theme
    key: list[tuple[Artist, str]] = []
    for line, overlay in zip(artists._lines, model.overlays, strict=True):  # noqa: SLF001 - of this module
        known = bool(np.isfinite(overlay.value).any())
        key.append((line, overlay.name if known else f"{overlay.name} (no value here)"))
    if len(model.holes):
        several = f" in {len(model.holes):,} holes" if len(model.holes) > 1 else ""
        key.append((_patch(theme.hole, theme), f"{model.missing:,} missing{several}"))
    if model.contradictions:
        crossed = Patch(facecolor=(theme.impossible, 0.12), edgecolor=theme.impossible, linewidth=0.6, hatch=_HATCH)
        key.append((crossed, f"{model.contradictions:,} impossible"))
    if len(model.backfilled):
        key.append((_patch(theme.backfill, theme), "backfilled"))
    if model.forming.any():
        key.append((_patch(theme.forming, theme), "not over yet" if model.forming.sum() == 1 else f"{model.forming.sum():,} not over"))
    return key


def _patch(color: str, theme: Theme) -> Artist:
    return Patch(facecolor=color, edgecolor=theme.frame, linewidth=0.6)


def _shades_of(theme: Theme) -> tuple[tuple[str, str], ...]:
    return (("hole", theme.hole), ("backfill", theme.backfill), ("forming", theme.forming), ("impossible", theme.impossible))


def _shade(ax: Axes, color: str) -> Boxes:
    """Add columns from the bottom to the top of an Axes."""
    shade = Boxes([], facecolors=color, edgecolors=color, linewidths=0.5, zorder=0.6, transform=ax.get_xaxis_transform())
    ax.add_collection(shade, autolim=False)
    return shade


def _tag(ax: Axes, theme: Theme) -> Any:
    """Add a tag for the last price, over the labels at the right."""
    box = {"boxstyle": "square,pad=0.22", "edgecolor": "none"}
    return ax.annotate(
        "", (1.0, 0.0), xycoords=ax.get_yaxis_transform(), xytext=(4, 0), textcoords="offset points", ha="left", va="center",
        fontsize=SMALL, color=theme.background, bbox=box, zorder=7, visible=False,
        annotation_clip=True,  # where a user zooms to other prices it goes, and takes no room
    )  # fmt: skip


def _wicks(x: Floats, low: Floats, bottom: Floats, top: Floats, high: Floats) -> Any:
    """Return two segments a candle, below and above its body, so that a hollow one stays hollow."""
    below, above = (np.stack([np.stack([x, a], 1), np.stack([x, b], 1)], 1) for a, b in ((low, bottom), (top, high)))
    return np.concatenate([below, above])


def _columns(spans: Spans) -> Any:
    begin, end = to_days(spans.begin_us), to_days(spans.end_us)
    return boxes(begin, end, np.zeros(len(spans)), np.ones(len(spans)))


def _same_background(one: Candles, other: Candles) -> bool:
    """Tell whether two descriptions have the same closed candles and the same shading."""
    if (one.volume is None) != (other.volume is None):
        return False
    names = ["begin_us", "end_us", "open", "high", "low", "close", *(["volume"] if one.volume is not None else [])]
    pairs = [(getattr(one, name)[~one.forming], getattr(other, name)[~other.forming]) for name in names]
    for spans in ("holes", "backfilled", "impossible"):
        a, b = getattr(one, spans), getattr(other, spans)
        pairs += [(a.begin_us, b.begin_us), (a.end_us, b.end_us)]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)
