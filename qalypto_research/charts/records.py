"""Charts of the data themselves and of what perpetuals cost: coverage, latency, funding."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qalypto_research.charts.drawing.figure import figure_of, panels
from qalypto_research.charts.drawing.records import (
    FUNDING_HEIGHTS,
    calendar_size,
    draw_calendar,
    draw_funding,
    draw_lags,
    draw_percentiles,
    panels_of_lags,
)
from qalypto_research.charts.model.checking import pick_zone
from qalypto_research.charts.model.holes import Covered, build_calendar
from qalypto_research.charts.model.lags import Percentiles, build_latency
from qalypto_research.charts.model.rates import build_funding
from qalypto_research.charts.model.themes import pick_theme
from qalypto_research.charts.static import Onto


def coverage(
    cov: Covered,
    *,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw a calendar of holes: a row a series, from its first row to its last, and on it what is missing.

    Each cause has its colour, and some a hatching. A hole that is too short for the width of the picture is drawn a little
    wider than it is, so that none is lost. Candles without trades are thin: they are there.

    Parameters
    ----------
    cov : Coverage
        What ``qr.coverage`` returns, with at most 200 series.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default "Coverage".
    ax : Axes, optional
        Where to draw. By default a new figure, as high as its rows need.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. One Axes, series over time.

    Raises
    ------
    UnknownNameError
        A theme that is not there.
    InputError
        Not what ``qr.coverage`` returns, too many series, or a zone that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> fig = qr.charts.coverage(qr.coverage("BTCUSDT", tables="kline", interval="1m", hours=6))
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['BTCUSDT binance', 'BTCUSDT bitget', 'BTCUSDT bybit', 'BTCUSDT okx']
    """
    model = build_calendar(cov, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    (only,) = panels(ax, (1.0,), colors, calendar_size(model))
    draw_calendar(only, model, colors, shown_in)
    return figure_of(only)


def latency(
    data: Any,
    *,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw how late data come: of a live buffer as a whole, or row by row.

    Parameters
    ----------
    data : Health or pandas.DataFrame
        What ``live.health()`` returns, or its ``series``: median, 95th and 99th percentile of each type and exchange. Or a live
        frame, as ``live.trades`` and the others return: a dot a row, by when it arrived, and the median of each exchange.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default "Latency", and the symbol where rows are of one.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, which is divided, or one for each panel. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. An Axes for each latency, in ms: internal (producer received to sent), end to
        end (exchange event to sent; not of candles, whose event is their open), arrival (sent to received here).

    Raises
    ------
    UnknownNameError
        A theme that is not there.
    InputError
        Neither of these, or a zone that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> live = qr.live("trade:btcusdt").wait(rows=5, timeout=60)
    >>> len(qr.charts.latency(live.health()).axes), len(qr.charts.latency(live.trades("BTCUSDT")).axes)
    (3, 3)
    >>> live.stop()
    """
    model = build_latency(data, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    heights = panels_of_lags(model)
    if isinstance(model, Percentiles):
        axes = panels(ax, heights, colors, (9.0, 1.2 + 3 * (0.5 + 0.2 * max(len(model.names), 2))), share=False)
        draw_percentiles(axes, model, colors)
    else:
        axes = panels(ax, heights, colors, (9.0, 1.0 + 1.5 * len(heights)))
        draw_lags(axes, model, colors, shown_in)
    return figure_of(axes[0])


def funding(
    df: pd.DataFrame,
    *,
    unit: str = "contracts",
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw the funding rate of each exchange, and its open interest.

    Parameters
    ----------
    df : pandas.DataFrame
        Of one symbol, as ``qr.funding`` or ``qr.tickers`` return, of one exchange or several. Each value counts until the
        exchange's next row, the last one until the last row of the frame.
    unit : {"contracts", "usd"}
        Of the open interest: the column ``open_interest`` or ``open_interest_value``. Exchanges that do not give it are named.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default the symbol.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, which is divided, or two. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. ``axes[0]`` has the rates in percent a funding period, ``axes[1]`` the open interest.

    Raises
    ------
    UnknownNameError
        A theme or unit that is not there.
    InputError
        Not such a frame, several symbols in it, times that go back, or a zone that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> fig = qr.charts.funding(qr.funding("BTCUSDT", exchange="all", hours=1))
    >>> len(fig.axes)
    2
    """
    model = build_funding(df, unit=unit, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    upper, lower = panels(ax, FUNDING_HEIGHTS, colors, (9.0, 4.6))
    draw_funding((upper, lower), model, colors, shown_in)
    return figure_of(upper)
