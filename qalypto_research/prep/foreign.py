"""Other people's candles, brought under the frame contract."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.asked import pick_interval
from qalypto_research.clock import to_us
from qalypto_research.errors import InputError
from qalypto_research.prep.candles import check_possible, read_candles
from qalypto_research.prep.checks import check_numbers
from qalypto_research.prep.meaning import PRICES, steps_unlike
from qalypto_research.prep.moments import EARLIEST_S, to_moments
from qalypto_research.prep.saying import must_say
from qalypto_research.schema.frames import KLINES, TIME_DTYPE, category, epoch_us
from qalypto_research.schema.vocabulary import INTERVAL_MS
from qalypto_research.timerange import TimeLike, parse_time, parse_zone

_NAMES: Final = {
    "timestamp": ("timestamp", "date", "datetime", "time", "opentime", "ts"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "basevolume"),
    "quote_volume": ("quotevolume", "quoteassetvolume", "turnover"),
    "num_trades": ("numtrades", "numberoftrades", "tradecount", "trades"),
    "close_time": ("closetime",),
}
"""What each column is called elsewhere, without case, blanks and underscores."""

_CCXT: Final = ("timestamp", "open", "high", "low", "close", "volume")
_SEPARATORS: Final = re.compile(r"[\s/_-]")


@must_say(
    exchange="whose candles they are, as exchange='binance'",
    symbol="what they are of, as symbol='BTC/USDT'",
)
def adopt(
    df: pd.DataFrame | Sequence[Sequence[float]],
    *,
    exchange: str,
    symbol: str,
    interval: str | None = None,
    tz: str | dt.tzinfo | None = None,
    unit: str | None = None,
    fetched: TimeLike | None = None,
) -> pd.DataFrame:
    """Bring candles from elsewhere under the frame contract.

    Column names are found as yfinance, ccxt, freqtrade and exchanges' own files write them; times may stand in a column
    or the index, as epochs (numbers), text in ISO 8601 or datetimes. What could mean two things is refused, and the
    error says how to say it.

    Parameters
    ----------
    df : pandas.DataFrame or list of lists
        Candles of one series, in order of time; or rows of ccxt's ``fetch_ohlcv``: time, open, high, low, close, volume.
    exchange, symbol : str
        Whose they are. Letter case and separators do not matter: "BTC/USDT" and "btc-usdt" are BTCUSDT.
    interval : str, optional
        Length of a candle, as "1h": a step that two neighbours make. By default the step that most rows make, where it is
        the shortest, too.
    tz : str or tzinfo, optional
        Zone of times that do not say theirs. Needed for those, refused for others.
    unit : {"s", "ms", "us", "ns"}, optional
        Of epochs; by default the one that puts all of them between 2000 and 2100.
    fetched : str, datetime or Timestamp, optional
        When you asked for them: what was not over then is not final. Exchanges give the running candle as their last
        one. By default all were over.

    Returns
    -------
    pandas.DataFrame
        As ``qr.klines`` returns it: index ``timestamp`` (open times, ``datetime64[us, UTC]``), names as categories,
        numbers float64, NaN and NaT where there is no such column. Columns of other meaning stay, at the end.

    Raises
    ------
    InputError
        Columns are missing, or two mean the same; times without a zone, of unclear unit, unsorted, there twice or off
        the grid of the interval (a day begins at 00:00 UTC); prices that are NaN, no numbers, or that no market made, as
        a high below the low; an interval that cannot be told, or that no two candles are apart.
    UnknownNameError
        An interval that is not documented.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> rows = [[1772445600000 + 60_000 * i, 100.0, 101.0, 99.0, 100.5, 7.0] for i in range(3)]
    >>> df = qr.prep.adopt(rows, exchange="binance", symbol="BTC/USDT", fetched="2026-03-02 10:02:30")
    >>> df.index[0], df["interval"].iloc[0], df["is_final"].tolist()
    (Timestamp('2026-03-02 10:00:00+0000', tz='UTC'), '1m', [True, True, False])
    """
    given = _as_frame(df)
    found = _find_columns(given)
    zone = None if tz is None else parse_zone(tz)
    times = to_moments(given.index if found["timestamp"] is None else given[found["timestamp"]], "times", zone, unit)
    _check_order(times)
    names = {"exchange": _name(exchange, "exchange").lower(), "symbol": _name(symbol, "symbol").upper()}
    length = _length_of(times) if interval is None else _length_said(interval, times)
    out: dict[str, Any] = {}
    for column in KLINES.columns:
        theirs = found.get(column.name)
        if column.name in names:
            out[column.name] = pd.Categorical([names[column.name]] * len(given), dtype=category(column.kind, [names[column.name]]))
        elif column.kind == "interval":
            out[column.name] = pd.Categorical([length] * len(given), dtype=category("interval"))
        elif column.kind == "number":
            out[column.name] = np.full(len(given), np.nan) if theirs is None else _numbers(given[theirs])
        elif column.kind == "time":
            none = pd.Series(pd.NaT, index=range(len(given)), dtype=TIME_DTYPE).array
            out[column.name] = none if theirs is None else to_moments(given[theirs], str(theirs), zone, unit).array
    over = epoch_us(pd.DataFrame(index=times)) + INTERVAL_MS[length] * 1_000
    out["is_final"] = np.ones(len(given), "bool") if fetched is None else over <= to_us(parse_time(fetched, "fetched"))
    used = {theirs for theirs in found.values() if theirs is not None}
    out |= {str(name): given[name].array.copy() for name in given.columns if name not in used}
    frame = pd.DataFrame(out, index=times.rename("timestamp"))
    read_candles(frame)
    check_numbers(frame, PRICES, nan=False)
    check_possible(frame)
    return frame


def _as_frame(df: object) -> pd.DataFrame:
    if isinstance(df, pd.DataFrame):
        if df.columns.nlevels == 1:
            return df
        flat = [level for level in range(df.columns.nlevels) if len(set(df.columns.get_level_values(level))) > 1]
        if len(flat) > 1:
            name = df.columns.names[1] or 1
            raise InputError(
                "df",
                f"has columns of several names a level, as of several tickers; choose one: df.xs('...', axis=1, level={name!r})",
            )
        return df.set_axis(df.columns.get_level_values(flat[0] if flat else 0), axis=1)
    if isinstance(df, (list, tuple, np.ndarray)):
        widths = {len(row) if isinstance(row, (list, tuple, np.ndarray)) else 0 for row in df}
        if widths <= {len(_CCXT)}:
            return pd.DataFrame([list(row) for row in df], columns=list(_CCXT))
        raise InputError("df", f"is a list, but not of rows of {len(_CCXT)} ({', '.join(_CCXT)}), as ccxt's fetch_ohlcv gives them")
    raise InputError("df", f"is a {type(df).__name__}; give a DataFrame of candles, or the rows of ccxt's fetch_ohlcv")


def _find_columns(given: pd.DataFrame) -> dict[str, Hashable | None]:
    """Return which column of `given` each of ours is; None for the times where they are the index."""
    found: dict[str, Hashable | None] = {}
    for ours, theirs in _NAMES.items():
        meant = [name for name in given.columns if _SEPARATORS.sub("", str(name)).lower() in theirs]
        if len(meant) > 1:
            raise InputError(
                "df",
                f"has {' and '.join(repr(str(name)) for name in meant)}, which both mean {ours}; drop one: df.drop(columns={meant[-1]!r})",
            )
        if meant:
            found[ours] = meant[0]
    in_index = _is_of_times(given.index, needed="timestamp" not in found)
    if "timestamp" in found and in_index:
        raise InputError(
            "df", f"has times both as its index and in {found['timestamp']!r}; drop one: df.drop(columns={found['timestamp']!r})"
        )
    if "timestamp" not in found and not in_index:
        raise InputError(
            "df", "has no times: neither an index of them nor a column called timestamp, date, datetime, time or open_time; rename yours"
        )
    found.setdefault("timestamp", None)
    missing = [name for name in (*PRICES, "volume") if name not in found]
    if missing:
        raise InputError(
            "df",
            f"has no column for {', '.join(missing)}; it has: {', '.join(map(str, given.columns))}; rename yours: df.rename(columns=...)",
        )
    taken = [name for name in ("exchange", "symbol", "interval", "is_final") if name in given.columns]
    if taken:
        raise InputError(
            "df", f"has a column {taken[0]!r}; frames of this package need no adopting, from others choose one series and drop it"
        )
    return found


def _is_of_times(index: pd.Index, *, needed: bool) -> bool:
    """Return whether an index is of times: by its kind or its name, or where they are `needed` by what it holds."""
    if isinstance(index, pd.DatetimeIndex) or _SEPARATORS.sub("", str(index.name)).lower() in _NAMES["timestamp"]:
        return True
    if not needed or index.nlevels > 1 or not len(index):
        return False
    if pd.api.types.is_numeric_dtype(index.dtype) and not pd.api.types.is_bool_dtype(index.dtype):
        return bool(index.min() >= EARLIEST_S)  # row numbers are smaller
    return pd.api.types.is_string_dtype(index.dtype)


def _check_order(times: pd.DatetimeIndex) -> None:
    steps = np.diff(times.asi8)
    faults = (
        (steps < 0, "after a later one; sort them: df.sort_values(...) of a frame, sorted(rows) of a list"),
        (steps == 0, "twice; keep one row of each time"),
    )
    for wrong, said in faults:
        if wrong.any():
            row = int(wrong.argmax()) + 1
            raise InputError("df", f"has {int(wrong.sum()):,} candles that are there {said}; the first in row {row}, {times[row]}")


def _name(value: object, argument: str) -> str:
    name = _SEPARATORS.sub("", value.partition(":")[0]) if isinstance(value, str) else ""
    if not name:
        raise InputError(argument, f"{value!r} is not a name; give one as exchange='binance', symbol='BTCUSDT'")
    return name


def _numbers(column: pd.Series) -> Any:
    try:
        return pd.to_numeric(column).to_numpy("float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError("df", f"column {str(column.name)!r} holds what is no number ({error}); clean it first") from error


def _length_said(interval: str, times: pd.DatetimeIndex) -> str:
    """Return the interval that was said, where the candles may be of it: ``available_at`` goes by it.

    Raises
    ------
    InputError
        They lie as longer or shorter ones do.
    """
    name = pick_interval(interval)
    apart = steps_unlike(epoch_us(pd.DataFrame(index=times)), INTERVAL_MS[name] * 1_000)
    if apart is not None:
        raise InputError(
            "interval",
            f"is {interval!r}, but no two candles are that far apart: the shortest step is {pd.Timedelta(apart, unit='us')}. "
            "They would count as known when they are not; say how long they are, or choose a stretch in which two follow each other",
        )
    return name


def _length_of(times: pd.DatetimeIndex) -> str:
    """Return the interval that the steps between candles tell.

    Raises
    ------
    InputError
        They do not.
    """
    steps, counts = np.unique(np.diff(epoch_us(pd.DataFrame(index=times))), return_counts=True)
    shortest = int(steps[0]) // 1_000 if len(steps) else 0
    name = next((name for name, length in INTERVAL_MS.items() if length == shortest), None)
    if name is None or counts.argmax() != 0:
        seen = ", ".join(str(pd.Timedelta(int(step), unit="us")) for step in steps[np.argsort(-counts, kind="stable")][:3]) or "none"
        raise InputError(
            "interval",
            f"cannot be told from the steps between the candles ({seen}); say it, as interval='1h' (one of {', '.join(INTERVAL_MS)})",
        )
    return name
