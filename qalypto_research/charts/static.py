"""Charts of the market: candles, exchanges side by side, books, the tape. Each takes a frame and gives a Figure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qalypto_research.asked import pick_flag
from qalypto_research.charts.drawing.books import DEPTH_HEIGHTS, TAPE_HEIGHTS, draw_book, draw_depth, draw_tape
from qalypto_research.charts.drawing.candles import draw_candles
from qalypto_research.charts.drawing.figure import figure_of, panels
from qalypto_research.charts.drawing.quotes import BEST_HEIGHTS, QUOTES_HEIGHTS, draw_best, draw_quotes, draw_venues
from qalypto_research.charts.model.averages import Overlays
from qalypto_research.charts.model.books import build_book, build_depth
from qalypto_research.charts.model.candles import build_candles
from qalypto_research.charts.model.checking import pick_name, pick_zone
from qalypto_research.charts.model.prints import build_tape
from qalypto_research.charts.model.quotes import BestQuotes, Venues, build_comparison
from qalypto_research.charts.model.themes import pick_theme
from qalypto_research.errors import InputError
from qalypto_research.timerange import DurationLike, TimeLike, parse_duration

Onto = Axes | Sequence[Axes]


def candles(
    df: pd.DataFrame,
    *,
    overlays: Overlays = (),
    volume: bool = True,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw candles with their volume, overlays, and the time in which candles are missing.

    A rising candle is hollow where it is wide enough to be seen so, a falling one filled. One that is not over (``is_final``
    False) is dashed and shaded. A candle covers its time from open to close. Time without candles is shaded, and no line
    crosses it; a row with a NaN among its prices counts as missing. A row whose prices cannot be (one infinite, not above
    zero, or beyond its high or low) is no candle: its time is hatched, and the key counts such rows. Candles that came later
    (``origin`` "backfill") are shaded, too.

    Parameters
    ----------
    df : pandas.DataFrame
        Candles of one series as ``qr.klines`` or ``live.klines`` return, or any frame of bars with the columns open, high, low,
        close and maybe volume and vwap, on ascending times (naive ones are UTC). Without a column ``interval`` their length
        is the step that most rows keep; bars that keep none, as those of equal volume, last until the next one begins.
    overlays : str, Series, or several of them in a list or dict by name
        "sma:20" or "ema:50": averages of closes, from the n-th candle on, anew after each hole. "vwap": turnover by volume
        since midnight UTC, or since the last hole. A Series of numbers over time: at the middles of candles where all
        its times are opens of candles, else at its own times.
    volume : bool
        Whether to draw the volume below, where the frame has any.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default the symbol, exchange and interval of the frame.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, which is divided, or one for prices and one for volume. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. ``axes[0]`` has the prices over time, ``axes[1]`` the volume; both take times.

    Raises
    ------
    UnknownNameError
        A theme that is not there.
    InputError
        Not such a frame; several exchanges, symbols or intervals in it; times that go back or repeat; an overlay or a zone
        that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> df = qr.klines("BTCUSDT", "1h", days=7, final=False)
    >>> fig = qr.charts.candles(df, overlays=["sma:24", "vwap"], zone="Asia/Tokyo")
    >>> fig.axes[0].get_title(loc="left")
    'BTCUSDT · binance · 1h · synthetic'
    """
    model = build_candles(df, overlays=overlays, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    below = pick_flag(volume, "volume") and model.volume is not None and len(model) > 0
    axes = panels(ax, (4.2, 1.0) if below else (1.0,), colors, (9.0, 5.0))
    draw_candles((axes[0], axes[1] if below else None), model, colors, shown_in)
    return figure_of(axes[0])


def compare(
    df: pd.DataFrame,
    *,
    stale: DurationLike | None = None,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw the exchanges side by side: bid, ask and last price with spread and age.

    Parameters
    ----------
    df : pandas.DataFrame
        Of one symbol: what ``qr.compare`` or ``live.last`` return, drawn a row an exchange; ``qr.tickers`` or ``qr.orderbook_tops``
        of several exchanges, drawn as lines over time with spread and age below; or ``qr.spreads``, drawn as the best
        bid and ask of all with their spread and whose they are.
    stale : str or timedelta, optional
        For lines over time: how long a quote counts without a new one; then its line ends until the next. By default five
        usual waits of its exchange, and at least 10 seconds.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default the symbol.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, which is divided as needed, or one for each panel. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. Rows: one Axes. Over time three: price, spread in basis points, and seconds since the
        last row (of ``qr.spreads``: whose quotes are the best).

    Raises
    ------
    UnknownNameError
        A theme that is not there.
    InputError
        Not such a frame, several symbols in it, times that go back, or a zone that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> fig = qr.charts.compare(qr.compare("BTCUSDT"))
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['binance', 'bitget', 'okx', 'bybit']
    """
    stale_us = None if stale is None else round(parse_duration(stale, "stale") / dt.timedelta(microseconds=1))
    model = build_comparison(df, stale_us=stale_us, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    if isinstance(model, Venues):
        (only,) = panels(ax, (1.0,), colors, (9.0, 1.3 + 0.55 * max(len(model.names), 2)))
        draw_venues(only, model, colors)
        return figure_of(only)
    best = isinstance(model, BestQuotes)
    first, second, third = panels(ax, BEST_HEIGHTS if best else QUOTES_HEIGHTS, colors, (9.0, 5.6))
    if isinstance(model, BestQuotes):
        draw_best((first, second, third), model, colors, shown_in)
    else:
        draw_quotes((first, second, third), model, colors, shown_in)
    return figure_of(first)


def depth(
    df: pd.DataFrame,
    *,
    view: str = "book",
    at: TimeLike | None = None,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw the cumulative depth of one order book, or depth over time.

    Rows that are updates (``is_snapshot`` False) tell of a few levels only and are left out.

    Parameters
    ----------
    df : pandas.DataFrame
        Books of one series, as ``qr.orderbooks`` or ``live.orderbooks`` return.
    view : {"book", "time"}
        "book": how much can be had of one book up to each price. "time": how much the best level, half of the levels and
        all of them held, and the middle price.
    at : str, datetime or Timestamp, optional
        For one book: the newest at or before this moment (inclusive; naive times are UTC). By default the newest.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default the symbol and exchange.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, or two for ``view="time"``. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. One Axes, sizes over prices; over time two: middle price, and sizes in base currency,
        asks above and bids below zero.

    Raises
    ------
    UnknownNameError
        A theme or view that is not there.
    InputError
        Not such a frame; several exchanges or symbols in it; updates alone; no book at `at`; times that go back; a zone that is
        not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> books = qr.orderbooks("BTCUSDT", depth=20, minutes=10)
    >>> len(qr.charts.depth(books).axes), len(qr.charts.depth(books, view="time").axes)
    (1, 2)
    """
    over_time = pick_name(view, ("book", "time"), "view") == "time"
    if over_time and at is not None:
        raise InputError("at", "belongs to one book; leave it out with view='time'")
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    if over_time:
        over = build_depth(df, title=title)
        upper, lower = panels(ax, DEPTH_HEIGHTS, colors, (9.0, 5.0))
        draw_depth((upper, lower), over, colors, shown_in)
        return figure_of(upper)
    book = build_book(df, at=at, title=title)
    (only,) = panels(ax, (1.0,), colors, (9.0, 4.0))
    draw_book(only, book, colors, shown_in)
    return figure_of(only)


def tape(
    df: pd.DataFrame,
    *,
    zone: str | dt.tzinfo = "UTC",
    theme: str = "light",
    title: str | None = None,
    ax: Onto | None = None,
) -> Figure:
    """Draw each trade with its side and size, and what was bought and sold over time.

    A triangle up is a buyer, one down a seller (the aggressor); its area goes with the amount; liquidations are ringed.

    Parameters
    ----------
    df : pandas.DataFrame
        Trades of one series, as ``qr.trades`` or ``live.trades`` return.
    zone : str or tzinfo
        In which times are shown.
    theme : {"light", "dark"}
        Colours, of the whole figure.
    title : str, optional
        By default the symbol and exchange.
    ax : Axes or sequence of Axes, optional
        Where to draw: one, which is divided, or two. By default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        It shows itself in a notebook. ``axes[0]`` has the prices, ``axes[1]`` the amounts in base currency: bought above, sold below zero.

    Raises
    ------
    UnknownNameError
        A theme that is not there.
    InputError
        Not such a frame, several exchanges or symbols in it, times that go back, or a zone that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> fig = qr.charts.tape(qr.trades("BTCUSDT", minutes=10))
    >>> len(fig.axes)
    2
    """
    model = build_tape(df, title=title)
    colors, shown_in = pick_theme(theme), pick_zone(zone)
    upper, lower = panels(ax, TAPE_HEIGHTS, colors, (9.0, 5.0))
    draw_tape((upper, lower), model, colors, shown_in)
    return figure_of(upper)
