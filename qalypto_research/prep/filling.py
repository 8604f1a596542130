"""Fill what is missing, by a rule that is named, and mark it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names, names_of, pick_length
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.prep.availability import as_times, known_us
from qalypto_research.prep.candles import SUMS, Candles, check_prices, read_candles
from qalypto_research.prep.checks import check_column, check_frame, check_numbers, check_times, pick_choice
from qalypto_research.prep.meaning import COLUMN, PRICES, bar_step, is_of_bars
from qalypto_research.prep.rows import Places, last_before, last_known, taken, times_taken
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import MARKET, by_series
from qalypto_research.schema.frames import NEVER, epoch_us, times_us
from qalypto_research.schema.vocabulary import EXCHANGES
from qalypto_research.timerange import DurationLike

_POLICIES: Final = ("leave", "drop", "carry", "zero")
_NEW: Final = ("filled", "filled_from")
_FOREVER: Final = np.iinfo("int64").max

MaxAge = DurationLike | Mapping[str, DurationLike]


@must_say(
    policy="policy='leave', 'drop', 'carry' or 'zero'; help(qr.prep.fill) tells what each does",
)
def fill(
    df: pd.DataFrame,
    policy: str,
    *,
    max_age: MaxAge | None = None,
    columns: Names | None = None,
    length: DurationLike | None = None,
) -> pd.DataFrame:
    """Fill missing candles or values by a rule that you name, and mark what was filled.

    Candles, and other bars of time, are missing where the grid between a series' first and last one has none. In other
    frames (tickers, funding, books) values are missing where they are NaN. Each series is filled from itself alone, only from
    before, and only with what was known when the filled row was: what live frames ``received`` later is passed over.

    Parameters
    ----------
    df : pandas.DataFrame
        Candles or bars of time of one length, or any other frame over times with one or several series; not a wide one: fill before
        ``qr.prep.panel``.
    policy : {"leave", "drop", "carry", "zero"}
        "leave": a missing candle becomes a row of NaN, so that a row is a step in time; missing values stay.
        "drop": times at which a series has no candle go, for all series; rows with a missing value go.
        "carry": a missing candle is flat at the last close, its volumes NaN (not known); a missing value is the last one.
        "zero": a missing candle is flat at the last close, its volumes 0: you say that nothing was traded. Candles and
        bars only. What else a missing bar has (vwap, first_time, last_time) is NaN or NaT by all rules.
    max_age : str, timedelta or dict of exchange to these
        How old what is carried may be, by the times of the index; needed for "carry", possible for "zero". Older gives
        NaN. A dict sets it for each exchange, as ``{"binance": "1m", "okx": "5m"}``.
    columns : str or list of str, optional
        Which columns of a frame without candles; by default all of float64. Bars of ticks, volume or money, on no grid,
        need it.
    length : str or timedelta, optional
        How long each bar is, for bars of time that tell it neither by ``interval`` nor by ``available_at`` and ``last_time``,
        as those of ``qr.bars`` do wherever one length alone is possible; and for candles chosen so that they lie as longer
        ones of the same ``interval`` would.

    Returns
    -------
    pandas.DataFrame
        The columns of `df` and at the end filled (bool: the row was added, or holds a carried value) and filled_from
        (``datetime64[us, UTC]``: the time of the row that the values are of, the oldest of several; NaT where none).
        Added candles are final, their other flags False, whole numbers float64; an ``available_at`` has the lag of the
        candle before.

    Raises
    ------
    InputError
        A frame that is unsorted, wide, or filled already; "carry" without `max_age`; candles that are there twice; NaN
        among the prices of candles; bars of a length that nothing tells.
    UnknownNameError
        A policy, a column or an exchange in `max_age` that is not known.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> minutes = qr.klines("BTCUSDT", "1m", minutes=10).drop(qr.klines("BTCUSDT", "1m", minutes=5).index[0])
    >>> filled = qr.prep.fill(minutes, "carry", max_age="2m")
    >>> len(minutes), len(filled), int(filled["filled"].sum())
    (9, 10, 1)
    """
    check_frame(df)
    rule = pick_choice(policy, "policy", _POLICIES)
    already = [name for name in _NEW if name in df.columns]
    if already:
        raise InputError("df", f"has a column {already[0]!r}: it was filled before; fill the frame as it came")
    if rule == "carry" and max_age is None:
        raise InputError("max_age", "must be said with policy='carry', as max_age='5m': nothing is carried for ever by accident")
    if rule in {"leave", "drop"} and max_age is not None:
        raise InputError("max_age", f"means nothing with policy={rule!r}; leave it out")
    if "interval" in df.columns or length is not None or (is_of_bars(df) and (columns is None or bar_step(df) is not None)):
        if columns is not None:
            raise InputError("columns", "means nothing for candles, which are filled as a whole; leave it out")
        return _fill_candles(df, rule, max_age, length)
    return _fill_values(df, rule, max_age, columns)


def _fill_candles(df: pd.DataFrame, rule: str, max_age: MaxAge | None, length: DurationLike | None) -> pd.DataFrame:
    candles = read_candles(df, length)
    check_prices(df)
    check_numbers(df, PRICES, nan=False)
    opens, codes, at = _on_grid(candles)
    if rule == "drop":
        whole = _times_of_all(candles)
        kept = np.isin(candles.opens, whole)
        return df[kept].assign(filled=False, filled_from=as_times(np.full(int(kept.sum()), NEVER)))
    added = at < 0
    source = last_before(~added, codes)
    if "received" in df.columns and COLUMN not in df.columns:  # an added candle is known when it is over; with the column, see below
        source = last_known(~added, codes, times_taken(times_us(df["received"]), at), opens + candles.step)
    oldest = _oldest(df, candles.series.codes, max_age)[at[source]] if len(df) else opens
    source = np.where((rule != "leave") & (source >= 0) & (opens - opens[source] <= oldest), at[source], -1)
    out = {name: _as_before(df[name], at, added) for name in df.columns}
    firsts = np.unique(candles.series.codes, return_index=True)[1]
    out |= {name: taken(df[name], firsts[codes]) for name in (*candles.series.names, "interval") if name in df.columns}
    close = taken(df["close"], source)
    for name in PRICES:
        out[name] = np.where(added, close, out[name])
    if rule == "zero":
        out |= {name: np.where(added & (source >= 0), 0.0, out[name]) for name in SUMS if name in df.columns}
    if "is_final" in df.columns:
        out["is_final"] = out["is_final"] | added
    if COLUMN in df.columns:
        known = times_us(df[COLUMN])
        waits = np.where(known == NEVER, candles.step, known - candles.opens)
        lags = waits[at[last_before(~added, codes)]] if len(df) else known
        out[COLUMN] = as_times(np.where(added, opens + lags, times_taken(known, at)))
    out["filled"] = added
    out["filled_from"] = as_times(np.where(added, times_taken(candles.opens, source), NEVER))
    index = as_times(opens).tz_convert(check_times(df.index).tz)
    return pd.DataFrame(out, index=index.rename(df.index.name))


def _on_grid(candles: Candles) -> tuple[Places, Places, Places]:
    """Return each series' whole grid in order of time: open, series, and the row of the frame or -1."""
    opens, codes = [], []
    for code in range(len(candles.series.labels) if len(candles.opens) else 0):
        mine = candles.opens[candles.series.codes == code]
        opens.append(np.arange(mine[0], mine[-1] + candles.step, candles.step))
        codes.append(np.full(len(opens[-1]), code))
    if not opens:
        return candles.opens, candles.series.codes, candles.opens
    times, series = np.concatenate(opens), np.concatenate(codes)
    order = np.lexsort((series, times))
    grid = pd.MultiIndex.from_arrays([series[order], times[order]])
    at = pd.MultiIndex.from_arrays([candles.series.codes, candles.opens]).get_indexer(grid)
    return times[order], series[order], at.astype("int64")


def _times_of_all(candles: Candles) -> Places:
    """Return the open times at which each series has a candle."""
    times, counts = np.unique(candles.opens, return_counts=True)
    return np.asarray(times[counts == len(candles.series.labels)])


def _as_before(column: pd.Series, at: Places, added: npt.NDArray[np.bool_]) -> Any:
    """Return a column on the grid; flags of added rows are False."""
    if column.dtype == np.dtype("bool"):
        return ~added & column.to_numpy()[at] if len(column) else column.to_numpy()
    return taken(column, at)


def _fill_values(df: pd.DataFrame, rule: str, max_age: MaxAge | None, columns: Names | None) -> pd.DataFrame:
    if rule == "zero":
        raise InputError("policy", "'zero' is for candles and bars, and this frame has no 'open' to 'close'; choose leave, drop or carry")
    if columns is None and not set(MARKET) & set(df.columns):
        raise InputError(
            "df", "has no exchange and no symbol: fill long frames before qr.prep.panel, or name the columns: columns=['close']"
        )
    names = [str(name) for name in df.columns if df[name].dtype == "float64"] if columns is None else names_of("columns", columns)
    for name in names:
        check_column(df, name, "columns")
    check_numbers(df, names)
    times = epoch_us(df)
    if rule == "drop":
        df = df[df[names].notna().all(axis=1)]
        return df.assign(filled=False, filled_from=as_times(np.full(len(df), NEVER)))
    out = df.copy()
    oldest_used = np.full(len(df), _FOREVER)
    if rule == "carry":
        codes = by_series(df).codes
        known = known_us(df, length_us=0)
        known = np.where(known == NEVER, _FOREVER, known)
        limits = _oldest(df, codes, max_age)
        for name in names:
            missing = df[name].isna().to_numpy("bool")
            source = last_known(~missing, codes, known, known)
            carried = missing & (source >= 0) & (times - times[source] <= limits)
            out[name] = np.where(carried, df[name].to_numpy("float64")[source], df[name].to_numpy("float64"))
            oldest_used = np.where(carried, np.minimum(oldest_used, times[source]), oldest_used)
    out["filled"] = oldest_used != _FOREVER
    out["filled_from"] = as_times(np.where(oldest_used != _FOREVER, oldest_used, NEVER))
    return out


def _oldest(df: pd.DataFrame, codes: Places, max_age: MaxAge | None) -> Places:
    """Return for each row how old what is carried may be, in microseconds."""
    if max_age is None:
        return np.full(len(codes), _FOREVER)
    if not isinstance(max_age, Mapping):
        return np.full(len(codes), pick_length(max_age, "max_age"))
    if "exchange" not in df.columns:
        raise InputError("max_age", "is a dict of exchanges, but the frame has no column 'exchange'; give one length")
    there = {str(name) for name in df["exchange"].unique()}
    for name in max_age:
        if name not in there and name not in EXCHANGES:  # of those that are known, one dict may serve many frames
            raise UnknownNameError("max_age", name, sorted({*there, *EXCHANGES}))
    if there - set(max_age):
        raise InputError("max_age", f"says nothing of {', '.join(sorted(there - set(max_age)))}; name every exchange of the frame")
    lengths = {name: pick_length(length, "max_age") for name, length in max_age.items()}
    return np.array([lengths[str(name)] for name in df["exchange"]], "int64")
