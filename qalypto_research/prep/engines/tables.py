"""Bars for the engines that eat tables: backtesting.py, vectorbt, and plain NumPy."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.prep.engines.asked import BAR, bars_for_engine, check_prompt, further_columns
from qalypto_research.prep.meaning import PRICES
from qalypto_research.prep.wide import panel
from qalypto_research.schema.frames import epoch_us
from qalypto_research.timerange import DurationLike

_SIDES: Final = ("symbol", "exchange")


def to_backtesting(
    df: pd.DataFrame, *, columns: Names | None = None, length: DurationLike | None = None, gaps: str = "raise"
) -> pd.DataFrame:
    """Return bars as backtesting.py takes them.

    A strategy's ``next`` sees a bar once it is over, and its market orders are filled at the open of the next bar: the
    index holds open times, so ``EntryTime`` and ``ExitTime`` are the moments of those fills (stops and limits are filled
    somewhere within the bar that begins then). With ``Backtest(..., trade_on_close=True)`` they are filled at the close
    that the decision was made on, which nobody gets. Nothing takes time in between: latency belongs into ``spread=``.

    The engine trades whole units (``size=1`` is one coin, below 1 a part of the equity); coins dearer than the cash need
    ``backtesting.lib.FractionalBacktest``. Whatever is computed on whole columns in ``init`` can look ahead: see
    ``qr.prep.check_lookahead``.

    Parameters
    ----------
    df : pandas.DataFrame
        Closed bars of one series, as ``qr.klines`` or ``qr.bars`` gives them.
    columns : str or list of str, optional
        Further columns, features and signals say, that the strategy is to see as ``self.data.name``. Each must be known at
        the end of its row's bar. They may have NaN.
    length : str or timedelta, optional
        How long each bar is, for bars of time that tell it neither by ``interval`` nor by ``available_at`` and ``last_time``,
        as those of ``qr.bars`` do wherever one length alone is possible; and for candles chosen so that they lie as longer
        ones of the same ``interval`` would. Bars of ticks, volume or money have no length and no grid;
        their ``first_time``, or else ``available_at``, tells them from bars of time.
    gaps : {"raise", "ignore"}
        What to do where a bar is missing: an engine takes the next one for the following one. "ignore" is said, too, of bars
        of ticks, volume or money that lie on whole seconds and so look like those of time.

    Returns
    -------
    pandas.DataFrame
        Index as in `df`, in UTC. Columns: Open, High, Low, Close in quote currency, Volume in base currency (float64), and
        then `columns` as they are.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    InputError
        Several series, an unsorted or repeated index, naive times, bars that are not over or missing, prices or volumes
        that are missing or cannot be, bars that ``available_at`` says are known only after their end, bars of time
        that do not tell their length.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.prep.to_backtesting(qr.klines("BTCUSDT", "1h", days=2))
    >>> list(hours.columns), len(hours)
    (['Open', 'High', 'Low', 'Close', 'Volume'], 48)
    """
    bars = bars_for_engine(df, length=length, gaps=gaps)
    check_prompt(bars)
    further = further_columns(bars.frame, columns)
    names = {name: name.capitalize() for name in BAR}
    for name in further:
        if name in names.values():
            raise InputError("columns", f"names {name!r}, which is what the engine calls the {name.lower()} of a bar; rename it")
    out: pd.DataFrame = bars.frame[[*BAR, *further]].rename(columns=names).astype(dict.fromkeys(names.values(), "float64"))
    return out.set_axis(_utc(bars.frame), axis=0)


def to_vectorbt(
    df: pd.DataFrame,
    entries: pd.Series | pd.DataFrame,
    exits: pd.Series | pd.DataFrame,
    *,
    short_entries: pd.Series | pd.DataFrame | None = None,
    short_exits: pd.Series | pd.DataFrame | None = None,
    by: str = "symbol",
    length: DurationLike | None = None,
    gaps: str = "raise",
) -> dict[str, Any]:
    """Return bars and signals as ``vectorbt.Portfolio.from_signals(**...)`` takes them, filled one bar later.

    Left to itself vectorbt fills a signal at the close of the bar that it was computed on, which nobody gets. Here each
    signal, known at the close of its row, is moved to the next row, and ``price`` is that row's open. So the times in
    ``trades`` are the moments of the fills, and the signal of the last row does nothing. Do not shift signals yourself.

    The engine looks at stops (``sl_stop``, ``tp_stop``) only from the bar after the entry on: what the entry's own bar would
    have hit is held on, which flatters tight stops.

    Parameters
    ----------
    df : pandas.DataFrame
        Closed bars of one or several series, as ``qr.klines`` or ``qr.bars`` gives them, all over the same times.
    entries, exits : Series or DataFrame of bool
        When to go long and when to leave, over the times of `df`, as decided when that row's bar was over. Of several
        series a DataFrame with their names as columns; of one a Series will do.
    short_entries, short_exits : Series or DataFrame of bool, optional
        The same for short positions.
    by : {"symbol", "exchange"}
        What tells the series apart, and names the columns.
    length : str or timedelta, optional
        How long each bar is, as ``qr.prep.to_backtesting`` asks for it. Bars of ticks, volume or money have no grid and no
        frequency.
    gaps : {"raise", "ignore"}
        What to do where a bar of all series is missing. One that only some have is refused always.

    Returns
    -------
    dict
        close, open, high, low, price (the open): DataFrames of float64 in quote currency, a column a series, index in
        UTC; entries, exits and, where given, short_entries, short_exits: DataFrames of bool, moved by one row; freq: a
        Timedelta, where the length is known. Sizes, fees and cash are yours to add.

    Raises
    ------
    UnknownNameError
        Another `by`.
    InputError
        Signals over other times or names, or that are no flags; and all that ``qr.prep.to_backtesting`` refuses.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.klines("BTCUSDT", "1h", days=1)
    >>> up = hours["close"] > hours["open"]
    >>> given = qr.prep.to_vectorbt(hours, up, ~up)
    >>> bool(given["entries"]["BTCUSDT"].iloc[1] == up.iloc[0]), given["freq"]
    (True, Timedelta('0 days 01:00:00'))
    """
    if by not in _SIDES:
        raise UnknownNameError("by", by, _SIDES)
    bars = bars_for_engine(df, length=length, gaps=gaps, keys=[by])
    check_prompt(bars)
    wide = {name: _complete(panel(bars.frame, name, by=by), by).tz_convert("UTC") for name in PRICES}
    given: dict[str, Any] = {name: wide[name] for name in ("close", "open", "high", "low")}
    given["price"] = wide["open"].copy()
    signals = {"entries": entries, "exits": exits, "short_entries": short_entries, "short_exits": short_exits}
    for name, signal in signals.items():
        if signal is not None:
            given[name] = _moved(signal, name, wide["close"])
    if bars.step is not None:
        given["freq"] = pd.Timedelta(bars.step, unit="us")
    return given


def to_numpy(
    df: pd.DataFrame, *, columns: Names | None = None, length: DurationLike | None = None, gaps: str = "raise"
) -> dict[str, npt.NDArray[Any]]:
    """Return bars as arrays, for a backtest of your own.

    Row ``i`` is known at ``available_at[i]``, which is the open of row ``i + 1`` where there is no hole and no lag: what is decided on
    row ``i`` can be filled at ``open[i + 1]`` at the earliest. A position decided on each row and held to the next decision
    so earns ``positions[:-2] * np.diff(open)[1:]``; with ``np.diff(close)`` of its own row it would earn the past.

    Parameters
    ----------
    df : pandas.DataFrame
        Closed bars of one series, as ``qr.klines`` or ``qr.bars`` gives them.
    columns : str or list of str, optional
        Further columns of numbers or flags. They may have NaN.
    length : str or timedelta, optional
        How long each bar is, as ``qr.prep.to_backtesting`` asks for it. Bars of ticks, volume or money without
        ``available_at`` are known just after their ``last_time``.
    gaps : {"raise", "ignore"}
        What to do where a bar is missing.

    Returns
    -------
    dict of array
        timestamp and available_at (``datetime64[us]``, in UTC, since NumPy knows no zones), the latter as `df` says it, else
        the end of the bar; open, high, low, close in quote
        currency, volume in base currency (float64); then `columns`, each of its own dtype. Contiguous, and yours.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    InputError
        All that ``qr.prep.to_backtesting`` refuses, but for bars that are known late; bars that do not tell when they were over.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hours = qr.prep.to_numpy(qr.klines("BTCUSDT", "1h", days=2))
    >>> hours["close"].shape, bool((hours["available_at"][:-1] == hours["timestamp"][1:]).all())
    ((48,), True)
    """
    bars = bars_for_engine(df, length=length, gaps=gaps)
    further = further_columns(bars.frame, columns)
    arrays: dict[str, npt.NDArray[Any]] = {
        "timestamp": epoch_us(bars.frame).view("datetime64[us]"),
        "available_at": bars.known().view("datetime64[us]"),
    }
    taken = [name for name in further if name in arrays]
    if taken:
        raise InputError("columns", f"names {taken[0]!r}, which is one of the arrays already; rename it")
    arrays |= {name: bars.frame[name].to_numpy("float64", copy=True) for name in BAR}
    return arrays | {name: bars.frame[name].to_numpy(copy=True) for name in further}


def _utc(df: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(df.index).tz_convert("UTC")


def _complete(wide: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return a panel in which every series has a bar at every time."""
    missing = wide.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise InputError(
            "df",
            f"has no bar of {wide.columns[column]} at {wide.index[row]}, where another {by} has one ({int(missing.sum()):,} such places); "
            "qr.prep.fill(df, 'drop') keeps the times that all have, qr.prep.fill(df, 'zero') fills them on purpose",
        )
    return wide


def _moved(signal: object, argument: str, like: pd.DataFrame) -> pd.DataFrame:
    """Return a signal over the rows and columns of `like`, one row later."""
    if isinstance(signal, pd.Series) and like.shape[1] == 1:
        signal = signal.to_frame(like.columns[0])
    if not isinstance(signal, pd.DataFrame):
        raise InputError(
            argument,
            f"is a {type(signal).__name__}; give a DataFrame of flags with the columns {', '.join(like.columns)} (or a Series for one)",
        )
    if set(signal.columns) != set(like.columns) or len(signal.columns) != len(like.columns):
        raise InputError(argument, f"has the columns {', '.join(map(str, signal.columns))}; the series are {', '.join(like.columns)}")
    if len(signal) != len(like) or not isinstance(signal.index, pd.DatetimeIndex) or not (signal.index == like.index).all():
        raise InputError(
            argument, f"is not over the times of df, which has {len(like):,} from {like.index[0]} to {like.index[-1]}; compute it on df"
        )
    if not all(pd.api.types.is_bool_dtype(dtype) for dtype in signal.dtypes) or signal.isna().any(axis=None):
        raise InputError(argument, "is not of flags; say which rows are meant: signal > 0, or signal.fillna(False).astype(bool)")
    # The engine takes columns of another name for another dimension, and would test each series with each other's signals.
    flags = pd.DataFrame(signal[list(like.columns)].to_numpy("bool"), index=like.index, columns=like.columns)
    return flags.shift(1, fill_value=False)
