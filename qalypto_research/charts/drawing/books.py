"""The depth of a book, and depth over time; the tape."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qalypto_research.charts.drawing.figure import (
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
from qalypto_research.charts.drawing.quotes import FEW, fit_time, steps
from qalypto_research.charts.model.books import BookDepth, DepthOverTime
from qalypto_research.charts.model.numbers import amount_text, price_text
from qalypto_research.charts.model.prints import Tape
from qalypto_research.charts.model.themes import Theme
from qalypto_research.charts.model.ticks import length_text, time_text

DEPTH_HEIGHTS: Final = (1.3, 3.0)
TAPE_HEIGHTS: Final = (3.4, 1.2)
_SHADES: Final = (0.95, 0.45, 0.2)
_LARGEST: Final = 420.0
"""Area of the mark of the largest trade, in square points."""


def draw_book(ax: Axes, model: BookDepth, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw how much can be had of one book up to each price."""
    when = "" if model.time_us is None else time_text(model.time_us, zone)
    title = " · ".join(part for part in (model.title, when) if part)
    if not len(model.bid_price) and not len(model.ask_price):
        entitle(ax, title, theme, synthetic=model.synthetic)
        say(ax, "no book" if model.time_us is None else "an empty book", theme)
        return
    key: list[tuple[Artist, str]] = []
    for name, prices, depth, color in (
        ("bids", model.bid_price, model.bid_depth, theme.up),
        ("asks", model.ask_price, model.ask_depth, theme.down),
    ):
        # From nothing at the best price outwards: the amount rises at each level's price.
        x, y = np.append(prices[:1], prices), np.append(np.zeros(min(1, len(depth))), depth)
        (line,) = ax.plot(
            x, y, drawstyle="steps-post", color=color, linewidth=1.3, linestyle="-" if name == "bids" else (0, (5, 1)), zorder=3
        )
        ax.fill_between(x, y, step="post", color=color, alpha=0.18, linewidth=0, zorder=2)
        key.append((line, f"{len(prices)} {name}, {amount_text(depth[-1]) if len(depth) else '0'} {model.base}".strip()))
    said = [_without_size(model.without_size)]
    if len(model.bid_price) and len(model.ask_price):
        bid, ask = float(model.bid_price[0]), float(model.ask_price[0])
        ax.axvline((bid + ask) / 2, color=theme.muted, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
        said.insert(0, f"mid {price_text((bid + ask) / 2, model.decimals + 1)}, spread {price_text(ask - bid, model.decimals)}")
    note(ax, "; ".join(filter(None, said)), theme)
    entitle(ax, title, theme, key, synthetic=model.synthetic)
    ax.set_xlim(*limits(np.concatenate([model.bid_price, model.ask_price]), 0.03))
    ax.set_ylim(0, 1.14 * max([*model.bid_depth[-1:], *model.ask_depth[-1:]]) or 1.0)
    ax.xaxis.set_major_locator(NumberLocator())
    ax.xaxis.set_major_formatter(NumberFormatter(prices=True))
    dress_numbers(ax)


def draw_depth(axes: tuple[Axes, Axes], model: DepthOverTime, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw the middle price, and below it how much the asks (upwards) and the bids (downwards) held."""
    price, depth = axes
    for ax in axes:
        dress_time(ax, zone)
    key: list[tuple[Artist, str]] = []
    x = to_days(model.time_us)
    for name, sign, values, color in (("asks", 1, model.ask, theme.down), ("bids", -1, model.bid, theme.up)):
        for shade, line in zip(_SHADES, values, strict=False):
            edge = 0.8 if len(x) <= FEW else 0.0  # one book alone has no width
            fill = depth.fill_between(
                x, sign * line, step="post", color=color, alpha=shade, linewidth=edge, zorder=2 + shade, label=f"_{name}"
            )  # fmt: skip
            if shade == _SHADES[0]:
                key.append((fill, name))
    entitle(price, f"{model.title} · depth" if model.title else "depth", theme, key, synthetic=model.synthetic)
    if not any(np.isfinite(values).any() for values in (model.mid, model.bid, model.ask)):
        say(price, "no books", theme)
        say(depth, "", theme)
        return
    steps(price, model.time_us, model.mid, theme.text, width=1.0, name="mid price")
    dress_numbers(price, prices=True)
    note(price, "Mid price", theme)
    price.set_ylim(*limits(model.mid, 0.12))
    dress_numbers(depth)
    depth.axhline(0, color=theme.frame, linewidth=0.8, zorder=5)
    most = float(np.nanmax(np.concatenate([model.ask[-1], model.bid[-1]]), initial=0.0)) or 1.0
    depth.set_ylim(-1.12 * most, 1.12 * most)
    counted = ", ".join("best level" if n == 1 else f"{n} levels" for n in model.levels)
    said = [f"{model.base or 'Size'}, from dark to light: {counted}", _without_size(model.without_size)]
    note(depth, "; ".join(filter(None, said)), theme)
    fit_time(price, int(model.time_us[0]), int(model.time_us[-1]))


def _without_size(levels: int) -> str:
    return f"{_counted(levels, 'level')} left out, with no size that can be" if levels else ""


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def draw_tape(axes: tuple[Axes, Axes], model: Tape, theme: Theme, zone: dt.tzinfo) -> None:
    """Draw each trade where it was, a triangle up for a buyer, down for a seller, by area as large as it was; and what was traded."""
    price, flow = axes
    for ax in axes:
        dress_time(ax, zone)
    if not len(model):
        entitle(price, model.title, theme, synthetic=model.synthetic)
        say(price, "no trades" if not model.without_price else f"no trades with a price: {model.without_price} rows have none", theme)
        say(flow, "", theme)
        return
    known = np.nan_to_num(model.amount)
    most = float(known.max()) or 1.0
    area = np.clip(known / most * _LARGEST, 3.0, None)
    order = np.argsort(-area, kind="stable")  # the small ones lie on the large ones
    key: list[tuple[Artist, str]] = []
    sides = (
        ("buyers", model.buys, "^", theme.up),
        ("sellers", model.sells, "v", theme.down),
        ("side not known", ~model.buys & ~model.sells, "o", theme.muted),
    )
    for name, which, marker, color in sides:
        some = order[which[order]]
        if len(some):
            price.scatter(
                to_days(model.time_us[some]), model.price[some], s=area[some], c=color, marker=marker, alpha=0.6,
                edgecolors=theme.background, linewidths=0.3, zorder=3, label=f"_{name}",
            )  # fmt: skip
            key.append((Line2D([], [], color=color, marker=marker, markersize=6, linewidth=0, alpha=0.8), name))
    forced = np.flatnonzero(model.liquidation)
    if len(forced):
        price.scatter(
            to_days(model.time_us[forced]), model.price[forced], s=area[forced] + 50, facecolors="none", edgecolors=theme.text,
            linewidths=1.0, zorder=5, label="_liquidations",
        )  # fmt: skip
        key.append(
            (
                Line2D([], [], color=theme.text, marker="o", markerfacecolor="none", markersize=7, linewidth=0),
                "liquidation" if len(forced) == 1 else f"{len(forced)} liquidations",
            )
        )
    entitle(price, model.title, theme, key, synthetic=model.synthetic)
    dress_numbers(price, prices=True)
    price.set_ylim(*limits(model.price, 0.1))
    largest = f"the largest {amount_text(float(known.max()))} {model.base}".rstrip()
    without = [
        f"{_counted(model.without_amount, 'row')} with no amount that can be" if model.without_amount else "",
        f"{_counted(model.without_price, 'row')} without a price left out" if model.without_price else "",
    ]
    note(price, ", ".join(filter(None, [f"{len(model):,} trades", largest, *without])), theme)
    _draw_flow(flow, model, theme)
    fit_time(price, int(model.time_us[0]), int(model.time_us[-1]))


def _draw_flow(ax: Axes, model: Tape, theme: Theme) -> None:
    """Draw what was bought, upwards, and sold, downwards, in each bucket of time."""
    begin, end = to_days(model.bucket_begin_us), to_days(model.bucket_begin_us + model.bucket_us)
    inset = (end - begin) * 0.12
    for name, amounts, color in (("bought", model.bought, theme.up), ("sold", -model.sold, theme.down)):
        bars = boxes(begin + inset, end - inset, np.zeros(len(begin)), amounts)
        ax.add_collection(Boxes(bars, facecolors=color, alpha=0.75, linewidths=0, zorder=3, label=f"_{name}"), autolim=False)
    ax.axhline(0, color=theme.frame, linewidth=0.8, zorder=4)
    most = float(max(model.bought.max(), model.sold.max())) or 1.0
    ax.set_ylim(-1.15 * most, 1.45 * most)
    dress_numbers(ax)
    note(ax, f"{model.base or 'Amount'} bought above, sold below zero, each {length_text(model.bucket_us)}", theme)
