"""Bars as feeds of backtrader, the one engine that wants objects of its own."""

from __future__ import annotations

import importlib
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.asked import Names
from qalypto_research.errors import InputError, MissingPackageError
from qalypto_research.prep.engines.asked import BAR, bars_for_engine, check_prompt, further_columns
from qalypto_research.timerange import DurationLike

_UNITS: Final = ((86_400_000_000, "Days"), (60_000_000, "Minutes"), (1_000_000, "Seconds"), (1, "MicroSeconds"))
_LAST_MOMENT: Final = 1_000
"""Microseconds from the last moment of a bar to its end: the resolution of the tables."""

_LINES: Final = {*BAR, "datetime", "openinterest"}


def to_backtrader(df: pd.DataFrame, *, columns: Names | None = None, length: DurationLike | None = None, gaps: str = "raise") -> Any:
    """Return bars as a data feed of backtrader, for ``cerebro.adddata(...)``.

    backtrader hands out the bars of several feeds in the order of their times. By open times it would show the candle of
    12:00 to 13:00 together with the minute of 12:00, an hour early. So bars bear the last moment that they cover, as the
    venues' ``close_time``: the candle of 12:00 comes at 12:59:59.999, and ``resampledata`` puts it into the right longer
    bar. Times are naive, as the engine wants them, and are UTC.

    ``next`` sees a bar once it is over, and market orders are filled at the open of the next bar. The engine writes them
    down under the time of that bar, its last moment, although they were filled at its beginning. With
    ``cerebro.broker.set_coc(True)`` (cheat on close) they are filled at the close that the decision was made on, which
    nobody gets. Volumes are in base currency, as the fillers of the broker take sizes.

    Parameters
    ----------
    df : pandas.DataFrame
        Closed bars of one series, as ``qr.klines`` or ``qr.bars`` gives them; make one feed for each series.
    columns : str or list of str, optional
        Further columns, features and signals say, that become lines: ``self.data.name[0]``. Each must be known at the end
        of its row's bar. They may have NaN.
    length : str or timedelta, optional
        How long each bar is, as ``qr.prep.to_backtesting`` asks for it. Bars of ticks, volume or money bear their
        ``last_time``.
    gaps : {"raise", "ignore"}
        What to do where a bar is missing.

    Returns
    -------
    backtrader.feeds.PandasData
        One bar a row, with its timeframe and compression (Ticks for bars that are not of time), named after its symbol.

    Raises
    ------
    MissingPackageError
        backtrader is not installed.
    UnknownNameError
        A column that is not there.
    InputError
        All that ``qr.prep.to_backtesting`` refuses; bars that do not tell when they were over.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> feed = qr.prep.to_backtrader(qr.klines("BTCUSDT", "1h", days=2))
    >>> feed.p.compression  # of minutes
    60
    """
    backtrader = _backtrader()
    bars = bars_for_engine(df, length=length, gaps=gaps)
    check_prompt(bars)
    further = further_columns(bars.frame, columns)
    for name in further:
        if name in _LINES or not name.isidentifier():
            raise InputError("columns", f"names {name!r}, which cannot be the name of a line; rename it")
    moments = bars.ends() - (0 if bars.step is None else _LAST_MOMENT)
    sheet = bars.frame[[*BAR, *further]].astype("float64")
    sheet.index = pd.DatetimeIndex(np.asarray(moments).view("datetime64[us]"), name="datetime")

    unit, compression = _timeframe(bars.step)
    kind = _with_lines(backtrader, further)
    name = str(bars.frame["symbol"].iloc[0]) if "symbol" in bars.frame.columns else ""
    return kind(dataname=sheet, name=name, timeframe=getattr(backtrader.TimeFrame, unit), compression=compression, openinterest=None)


def _backtrader() -> Any:
    try:
        return importlib.import_module("backtrader")
    except ModuleNotFoundError as error:
        if error.name != "backtrader":
            raise
        raise MissingPackageError("backtrader", "backtrader", "qr.prep.to_backtrader") from error


def _timeframe(step: int | None) -> tuple[str, int]:
    """Return the engine's unit and how many of it a bar is long."""
    if step is None:
        return "Ticks", 1
    return next((unit, step // length) for length, unit in _UNITS if step % length == 0)


def _with_lines(backtrader: Any, names: list[str]) -> Any:
    """Return the engine's feed of a DataFrame, with further lines."""
    feed = backtrader.feeds.PandasData
    if not names:
        return feed
    fields = [*feed.datafields, *names]
    return type(feed)(
        "PandasDataWithLines", (feed,), {"lines": tuple(names), "params": tuple((name, -1) for name in names), "datafields": fields}
    )
