"""Exchanges side by side: as rows, as lines over time, and the best of all."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qalypto_research.charts.drawing.figure import (
    SMALL,
    Boxes,
    NumberFormatter,
    NumberLocator,
    boxes,
    dress_numbers,
    dress_time,
    entitle,
    limits,
    note,
    say,
    to_days,
)
from qalypto_research.charts.model.checking import Floats, Times
from qalypto_research.charts.model.numbers import price_text
from qalypto_research.charts.model.quotes import BestQuotes, Quotes, Venues
from qalypto_research.charts.model.themes import Theme

FEW: Final = 40
"""Up to so many values are drawn with a dot each."""

QUOTES_HEIGHTS: Final = (3.2, 1.1, 0.9)
BEST_HEIGHTS: Final = (3.2, 1.2, 0.6)


def draw_venues(ax: Axes, model: Venues, theme: Theme) -> None:
    """Draw each exchange in a row: how far its price went, its bid and ask, its last trade; beside it its spread and age."""
    entitle(ax, model.title, theme, _key_of_venues(model, theme), synthetic=model.synthetic)
    if not model.names:
        say(ax, "no quotes", theme)
        return
    rows = np.arange(len(model.names))[::-1].astype(float)
    colors = [theme.exchange(name, place) for place, name in enumerate(model.names)]
    ax.hlines(rows, model.low, model.high, colors=theme.grid, linewidths=7, zorder=2, label="_range")
    for row, color, bid, ask, last in zip(rows, colors, model.bid, model.ask, model.last, strict=True):
        ax.plot([bid, ask], [row, row], color=color, linewidth=1.6, zorder=3, solid_capstyle="butt")
        # The triangles point at each other: their tips are the prices.
        ax.plot(bid, row, marker=_LEFT_OF, color=color, markersize=11, linestyle="none", markeredgewidth=0, zorder=4)
        ax.plot(ask, row, marker=_RIGHT_OF, color=color, markersize=11, linestyle="none", markeredgewidth=0, zorder=4)
        ax.plot(last, row, marker="|", color=theme.text, markersize=15, markeredgewidth=1.4, linestyle="none", zorder=5)
    _words_of_venues(ax, model, rows, theme)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlim(*limits(np.concatenate([model.bid, model.ask, model.last, model.low, model.high]), 0.08))
    ax.xaxis.set_major_locator(NumberLocator())
    ax.xaxis.set_major_formatter(NumberFormatter(prices=True))
    ax.grid(visible=False, axis="y")
    ax.spines["right"].set_visible(False)


def _vertices(direction: int) -> Any:
    return [(0.0, 0.0), (-direction * 1.0, 0.62), (-direction * 1.0, -0.62), (0.0, 0.0)]


_LEFT_OF: Final = _vertices(1)
_RIGHT_OF: Final = _vertices(-1)


def _words_of_venues(ax: Axes, model: Venues, rows: Floats, theme: Theme) -> None:
    ax.yaxis.tick_left()
    ax.set_yticks(rows, model.names)
    ax.tick_params(axis="y", length=0, labelcolor=theme.text, labelsize=10, pad=6)
    for row, last, bps, age in zip(rows, model.last, model.spread_bps, model.age_s, strict=True):
        spread = f"spread {bps:.2f} bps" if np.isfinite(bps) else "no quote"
        old = f"{age:,.1f} s {model.age_of}" if np.isfinite(age) else "age not known"
        last_price = price_text(last, model.decimals) if np.isfinite(last) else "no trade"
        ax.text(
            1.015, row, f"{last_price}\n{spread} · {old}", transform=ax.get_yaxis_transform(), ha="left", va="center",
            fontsize=SMALL, color=theme.muted, linespacing=1.35,
        )  # fmt: skip


def _key_of_venues(model: Venues, theme: Theme) -> list[tuple[Artist, str]]:
    quote = Line2D([], [], color=theme.muted, marker=_LEFT_OF, markersize=8, linewidth=0)
    last = Line2D([], [], color=theme.text, marker="|", markersize=9, markeredgewidth=1.4, linewidth=0)
    ranges = [(Line2D([], [], color=theme.grid, linewidth=6), "lowest to highest")] if np.isfinite(model.low).any() else []
    return [(quote, "bid and ask, tip to tip"), (last, "last"), *ranges]


def draw_quotes(axes: tuple[Axes, Axes, Axes], model: Quotes, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw the price of each exchange with its bid and ask as a band, its spread, and how long it has been silent."""
    price, spread, age = axes
    key: list[tuple[Artist, str]] = []
    for ax in axes:
        dress_time(ax, zone)
    dress_numbers(price, prices=True)
    for place, line in enumerate(model.lines):
        color, x = theme.exchange(line.name, place), to_days(line.time_us)
        price.fill_between(x, line.bid, line.ask, step="post", color=color, alpha=0.16, linewidth=0, zorder=2)
        (drawn,) = steps(price, line.time_us, line.price, color, width=1.1, name=line.name)
        steps(spread, line.time_us, line.spread_bps, color, width=0.9, name=line.name)
        age.plot(
            to_days(line.age_time_us), line.age_s, color=color, linewidth=0.9, zorder=3, marker="." if len(x) <= FEW else "", markersize=4
        )
        if line.name:
            key.append((drawn, line.name))
    entitle(price, f"{model.title} · {model.price_name}" if model.title else model.price_name, theme, key, synthetic=model.synthetic)
    if not model.lines:
        say(price, "no quotes", theme)
        for ax in (spread, age):
            say(ax, "", theme)
        return
    dress_numbers(spread)
    dress_numbers(age)
    note(spread, "Spread, bps", theme)
    note(age, "Seconds since the last row", theme)
    price.set_ylim(*limits(np.concatenate([side for line in model.lines for side in (line.price, line.bid, line.ask)])))
    widths = np.concatenate([line.spread_bps for line in model.lines])
    spread.set_ylim(min(0.0, limits(widths)[0]) if (widths < 0).any() else 0.0, limits(widths, 0.3)[1])
    age.set_ylim(0, limits(np.concatenate([line.age_s for line in model.lines]), 0.3)[1])
    fit_time(price, model.begin_us, model.end_us)


def draw_best(axes: tuple[Axes, Axes, Axes], model: BestQuotes, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw the best bid and ask over all exchanges, their spread, and whose they are."""
    price, spread, owner = axes
    for ax in axes:
        dress_time(ax, zone)
    dress_numbers(price, prices=True)
    x = to_days(model.time_us)
    (ask,) = steps(price, model.time_us, model.ask, theme.down, width=1.1, name="best ask")
    (bid,) = steps(price, model.time_us, model.bid, theme.up, width=1.1, name="best bid")
    bid.set_linestyle((0, (4, 1)))
    entitle(price, model.title, theme, [(ask, "best ask"), (bid, "best bid")], synthetic=model.synthetic)
    if not np.isfinite(model.bid).any() and not np.isfinite(model.ask).any():
        say(price, "no quotes", theme)
        for ax in (spread, owner):
            say(ax, "", theme)
        return
    dress_numbers(spread)
    spread.fill_between(x, model.spread_bps, 0, where=model.spread_bps >= 0, step="post", color=theme.muted, alpha=0.35, linewidth=0)
    spread.fill_between(x, model.spread_bps, 0, where=model.spread_bps < 0, step="post", color=theme.down, alpha=0.8, linewidth=0)
    spread.axhline(0, color=theme.frame, linewidth=0.8)
    note(spread, "Spread, bps; below zero one exchange bids above another's ask", theme)
    price.set_ylim(*limits(np.concatenate([model.bid, model.ask])))
    low, high = limits(np.append(model.spread_bps, 0.0), 0.08)
    spread.set_ylim(low, high + 0.35 * (high - low))
    _draw_owners(owner, model, theme)
    fit_time(price, int(model.time_us[0]), int(model.time_us[-1]))


def _draw_owners(ax: Axes, model: BestQuotes, theme: Theme) -> None:
    """Draw two strips that show by colour who has the best ask and the best bid."""
    names = sorted({*model.ask_exchange, *model.bid_exchange} - {""})
    x = to_days(model.time_us)
    key: list[tuple[Artist, str]] = []
    for place, name in enumerate(names):
        corners = []
        for row, owners in ((1.0, model.ask_exchange), (0.0, model.bid_exchange)):
            his = np.flatnonzero(np.array(owners[:-1]) == name)
            corners.append(boxes(x[his], x[his + 1], np.full(len(his), row + 0.12), np.full(len(his), row + 0.88)))
        color = theme.exchange(name, place)
        both: Any = np.concatenate(corners)
        strip = Boxes(both, facecolors=color, edgecolors=color, linewidths=0.3, zorder=3, label=name)
        ax.add_collection(strip, autolim=False)
        key.append((strip, name))
    ax.set_ylim(0, 2)
    ax.set_yticks([1.5, 0.5], ["whose ask", "whose bid"])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    entitle(ax, "", theme, key)


def steps(ax: Axes, time_us: Times, value: Floats, color: str, *, width: float, name: str) -> list[Line2D]:
    """Draw values that hold until the next; where they are few, each with a dot, so that one alone is seen, too."""
    marker = "." if len(time_us) <= FEW else ""
    return ax.plot(
        to_days(time_us), value, drawstyle="steps-post", color=color, linewidth=width, zorder=3, label=name, marker=marker, markersize=4
    )  # fmt: skip


def fit_time(ax: Axes, begin_us: int, end_us: int) -> None:
    """Set the ends of the time axis, with a little room."""
    room = max((end_us - begin_us) // 100, 500_000)
    ax.set_xlim(float(to_days(begin_us - room)), float(to_days(end_us + room)))
