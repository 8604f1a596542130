"""What is known of the data themselves: holes, latencies; and what perpetuals cost."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qalypto_research.charts.drawing.figure import (
    SMALL,
    Boxes,
    NumberFormatter,
    NumberLocator,
    boxes,
    dress_numbers,
    dress_time,
    entitle,
    figure_of,
    limits,
    note,
    say,
    to_days,
)
from qalypto_research.charts.drawing.quotes import fit_time, steps
from qalypto_research.charts.model.holes import CAUSES, Calendar
from qalypto_research.charts.model.lags import LATENCIES, WORDS, Lags, Percentiles
from qalypto_research.charts.model.rates import Funding
from qalypto_research.charts.model.themes import Theme

FUNDING_HEIGHTS: Final = (1.0, 1.0)
_HATCHES: Final = {"never finalised": "////", "silence": "...."}
_FULL: Final = ("rows missing", "never finalised", "silence", "before the first row")


def calendar_size(model: Calendar) -> tuple[float, float]:
    """Return width and height of a figure in which the names of all rows can be read, inches."""
    return 9.5, 1.3 + 0.185 * max(len(model), 3) + 0.12 * len(set(model.groups))


def draw_calendar(ax: Axes, model: Calendar, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw each series as a bar from its first row to its last, and on it what is missing, by cause."""
    dress_time(ax, zone)
    if not len(model) or model.end_us <= model.begin_us:
        entitle(ax, model.title, theme, synthetic=model.synthetic)
        say(ax, "no series" if not len(model) else "no rows", theme)
        return
    places = _places(model)
    there = model.first_us >= 0
    y = places[there]
    first, last = to_days(model.first_us[there]), to_days(model.last_us[there])
    bars = Boxes(
        boxes(first, last, y - 0.34, y + 0.34),
        facecolors=theme.present,
        edgecolors=theme.present,
        linewidths=0.8,
        alpha=0.55,
        zorder=2,
        label="_there",
    )
    ax.add_collection(bars, autolim=False)
    key: list[tuple[Artist, str]] = [(Patch(facecolor=theme.present, alpha=0.55), "there")]
    causes = np.array(model.hole_cause, dtype=object)
    for cause in [*CAUSES, *sorted(set(model.hole_cause) - set(CAUSES))]:
        some = np.flatnonzero(causes == cause)
        if len(some):
            key.append((_draw_holes(ax, model, places, some, cause, theme=theme), f"{cause} ({len(some)})"))
    entitle(ax, model.title, theme, key, synthetic=model.synthetic)
    _name_rows(ax, model, places, theme)
    fit_time(ax, model.begin_us, model.end_us)


def _places(model: Calendar) -> npt.NDArray[Any]:
    """Return where each row stands: from 0 downwards, with a gap before each group."""
    news = np.array([0, *(a != b for a, b in itertools.pairwise(model.groups))])
    return -(np.arange(len(model)) + 0.6 * np.cumsum(news))


def _draw_holes(ax: Axes, model: Calendar, places: npt.NDArray[Any], some: npt.NDArray[Any], cause: str, *, theme: Theme) -> Artist:
    y, height = places[model.hole_row[some]], 0.4 if cause in _FULL else 0.16
    color = theme.causes[CAUSES.index(cause)] if cause in CAUSES else theme.text
    corners = boxes(to_days(model.hole_begin_us[some]), to_days(model.hole_end_us[some]), y - height, y + height)
    # A line around each keeps the short ones visible, however long the range is.
    width = 0.0 if cause == "before the first row" else 1.2
    drawn = Boxes(corners, facecolors=color, edgecolors=color, linewidths=width, zorder=3.5 if cause == CAUSES[0] else 3, label=f"_{cause}")
    if cause in _HATCHES:
        drawn.set(hatch=_HATCHES[cause], facecolor=(color, 0.35))
    ax.add_collection(drawn, autolim=False)
    shade = (color, 0.35) if cause in _HATCHES else color
    return Patch(facecolor=shade, edgecolor=color, hatch=_HATCHES.get(cause, ""), linewidth=0.6)


def _name_rows(ax: Axes, model: Calendar, places: npt.NDArray[Any], theme: Theme) -> None:
    ax.yaxis.tick_left()
    ax.set_yticks(places, model.names)
    # In an Axes that is lower than its rows need, names become smaller rather than lie over one another.
    row = ax.bbox.height / figure_of(ax).dpi * 72 / (1.4 - places[-1])
    ax.tick_params(axis="y", length=0, labelcolor=theme.muted, labelsize=float(np.clip(0.8 * row, 2.5, SMALL - 0.5)), pad=4)
    ax.set_ylim(places[-1] - 0.7, 0.7)
    ax.grid(visible=False, axis="y")
    ax.spines["right"].set_visible(False)
    for place, group in enumerate(model.groups):
        if place == 0 or model.groups[place - 1] != group:
            ax.text(
                1.008, places[place], group, transform=ax.get_yaxis_transform(), ha="left", va="center", fontsize=SMALL,
                color=theme.text, fontweight="bold",
            )  # fmt: skip
            if place:
                ax.axhline(places[place] + 0.8, color=theme.grid, linewidth=0.8, zorder=1)


def draw_percentiles(axes: list[Axes], model: Percentiles, theme: Theme) -> None:
    """Draw of each latency a row for each type and exchange, from its median to its 99th percentile."""
    rows = np.arange(len(model.names))[::-1].astype(float)
    marks = (("o", 5.5), ("d", 5.0), ("|", 9.0))
    for ax, (latency, words) in zip(axes, WORDS.items(), strict=True):
        ms = model.ms[latency]
        note_above(ax, f"{words}, ms", theme)
        ax.yaxis.tick_left()
        if not len(rows) or not np.isfinite(ms).any():
            say(ax, "no messages yet" if not len(rows) else "not known", theme)
            continue
        ax.hlines(rows, ms[:, 0], ms[:, 2], colors=theme.present, linewidths=3.5, zorder=2, label="_spread")
        for (marker, size), values in zip(marks, ms.T, strict=True):
            ax.plot(values, rows, marker=marker, color=theme.up, markersize=size, markeredgewidth=1.4, linestyle="none", zorder=3)
        ax.set_yticks(rows, model.names)
        ax.tick_params(axis="y", length=0, labelcolor=theme.text, pad=5)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        low, high = limits(ms.ravel(), 0.06)
        ax.set_xlim(low if (ms < 0).any() else 0.0, high)
        ax.xaxis.set_major_locator(NumberLocator())
        ax.xaxis.set_major_formatter(NumberFormatter(prices=False))
        ax.grid(visible=False, axis="y")
        ax.spines["right"].set_visible(False)
    for row, rate, age in zip(rows, model.rate, model.age_s, strict=True):
        words = f"{rate:,.1f}/s, last {age:,.1f} s ago"
        axes[0].text(
            1.012, row, words, transform=axes[0].get_yaxis_transform(), ha="left", va="center", fontsize=SMALL, color=theme.muted
        )  # fmt: skip
    names = ("median", "95 %", "99 %")
    key: list[tuple[Artist, str]] = [
        (Line2D([], [], color=theme.up, marker=marker, markersize=size, markeredgewidth=1.4, linewidth=0), name)
        for (marker, size), name in zip(marks, names, strict=True)
    ]
    title = f"{model.title} · below zero: two clocks disagree" if model.clock_offset else model.title
    entitle(axes[0], title, theme, key, above=_ROOM_ABOVE)


_ROOM_ABOVE: Final = 16.0


def note_above(ax: Axes, words: str, theme: Theme) -> None:
    """Write what a panel shows above it, at the left."""
    ax.annotate(words, (0, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points", fontsize=SMALL, color=theme.muted)


def draw_lags(axes: list[Axes], model: Lags, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw each latency over time, a dot a row, and the median of each exchange as a line."""
    key: dict[str, Artist] = {}
    for ax, (latency, lags) in zip(axes, model.lags.items(), strict=True):
        dress_time(ax, zone)
        note_above(ax, f"{WORDS[latency]}, ms; lines are medians", theme)
        if not lags:
            say(ax, "not known", theme)
            continue
        for place, lag in enumerate(lags):
            color = theme.exchange(lag.name, place)
            size = 5.0 if len(lag.ms) < 500 else 2.5
            ax.plot(
                to_days(lag.time_us),
                lag.ms,
                marker=".",
                markersize=size,
                linestyle="none",
                color=color,
                alpha=0.5,
                zorder=2,
                label=lag.name,
            )
            ax.axhline(lag.median, color=color, linewidth=1.2, zorder=3)
            key.setdefault(lag.name, Line2D([], [], color=color, marker=".", linewidth=1.2))
        dress_numbers(ax)
        every = np.concatenate([lag.ms for lag in lags])
        low, high = limits(every)
        ax.set_ylim(low if (every < 0).any() else 0.0, high)
        fit_time(ax, min(int(lag.time_us[0]) for lag in lags), max(int(lag.time_us[-1]) for lag in lags))
    named = [(artist, name or "median") for name, artist in key.items()]
    entitle(axes[0], model.title, theme, named, synthetic=model.synthetic, above=_ROOM_ABOVE)


def draw_funding(axes: tuple[Axes, Axes], model: Funding, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw the funding rate of each exchange, and below it its open interest."""
    rate, interest = axes
    key: list[tuple[Artist, str]] = []
    for ax in axes:
        dress_time(ax, zone)
    for place, venue in enumerate(model.venues):
        color = theme.exchange(venue.name, place)
        (line,) = steps(rate, venue.time_us, venue.rate_percent, color, width=1.4, name=venue.name)
        steps(interest, venue.time_us, venue.interest, color, width=1.4, name=venue.name)
        if venue.name:
            key.append((line, venue.name))
    entitle(rate, model.title, theme, key, synthetic=model.synthetic)
    if not model.venues:
        say(rate, "no funding rates", theme)
        say(interest, "", theme)
        return
    rates = np.concatenate([venue.rate_percent for venue in model.venues])
    held = np.concatenate([venue.interest for venue in model.venues])
    rate.axhline(0, color=theme.frame, linewidth=0.8, zorder=2)
    low, high = limits(np.append(rates, 0.0), 0.1)
    rate.set_ylim(low, high + 0.15 * (high - low))
    dress_numbers(rate)
    note(rate, "Funding rate, % a funding period" if np.isfinite(rates).any() else "Funding rate: not given", theme)
    words = "Open interest, " + ("USD" if model.unit == "usd" else "contracts")
    low, high = limits(held, 0.1)
    interest.set_ylim(low, high + 0.15 * (high - low))
    dress_numbers(interest)
    note(interest, words + (f"; not given by {', '.join(name or 'this exchange' for name in model.silent)}" if model.silent else ""), theme)
    fit_time(rate, min(int(v.time_us[0]) for v in model.venues), max(int(v.time_us[-1]) for v in model.venues))


def panels_of_lags(model: Percentiles | Lags) -> tuple[float, ...]:
    """Return the heights of the panels, one for each latency."""
    return (1.0,) * (len(LATENCIES) if isinstance(model, Percentiles) else max(len(model.lags), 1))
