"""Longer candles out of shorter ones, whole or said not to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.errors import GapWarning, InputError, warn_caller
from qalypto_research.prep.availability import as_times, known_us
from qalypto_research.prep.candles import DAY_US, SUMS, WEEK_US, Candles, check_prices, length_name, past_grid, read_candles
from qalypto_research.prep.checks import check_numbers, check_times, pick_choice
from qalypto_research.prep.meaning import COLUMN, PRICES, is_over
from qalypto_research.prep.rows import Places
from qalypto_research.prep.saying import must_say
from qalypto_research.schema.frames import NEVER, category
from qalypto_research.schema.vocabulary import INTERVAL_MS
from qalypto_research.timerange import DurationLike

_USUAL_US: Final = {milliseconds * 1_000 for milliseconds in INTERVAL_MS.values()}
_PARTIAL: Final = ("drop", "mark")
_SHOWN: Final = 4


@must_say(
    every="the length of the new candles, as every='4h'",
)
def resample(
    df: pd.DataFrame, every: DurationLike, *, partial: str = "drop", lag: DurationLike = "0s", length: DurationLike | None = None
) -> pd.DataFrame:
    """Make longer candles of shorter ones, or of other bars of time, each over the whole of its time or marked as not.

    A longer candle is complete when each shorter one of its time is there and closed. One that the frame's first or last
    candle cuts is left out, or marked; one with a hole inside is kept and marked. A ``GapWarning`` names both.

    Parameters
    ----------
    df : pandas.DataFrame
        Candles or bars of time of one length, of one or several series, as ``qr.klines`` and ``qr.bars`` give them.
    every : str or timedelta
        Length of the new ones, as "4h": a multiple of theirs that divides a day, so that they open with each UTC day; or
        "1w", from Monday 00:00 UTC.
    partial : {"drop", "mark"}
        What to do with a series' first and last candle where the frame has only a part of it.
    lag : str or timedelta
        How long after their end candles reach you; counts where `df` has no ``available_at`` itself.
    length : str or timedelta, optional
        How long each bar is, for bars of time that tell it neither by ``interval`` nor by ``available_at`` and ``last_time``,
        as those of ``qr.bars`` do wherever one length alone is possible; and for candles chosen so that they lie as longer
        ones of the same ``interval`` would.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp``, the open times, ascending; ties by exchange, then symbol. Columns: exchange, symbol where
        `df` has them, interval (category); open, high, low, close; volume, quote_volume, num_trades, buy_volume,
        sell_volume where `df` has them (a sum over candles of which one is NaN is NaN); close_time, where `df` has it, of
        the last shorter candle;
        is_final (bool), False where one of them is not; bars (int64), how many there are; complete (bool); available_at
        (``datetime64[us, UTC]``), when the last of them was known and the time over. What else `df` has is left out.

    Raises
    ------
    InputError
        No candles of one length, or bars of one that nothing tells; one twice, or NaN among their prices; `every` does
        not fit.

    Warns
    -----
    GapWarning
        Candles were left out as partial, or are incomplete.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> minutes = qr.klines("BTCUSDT", "1m", start="2026-03-02 12:00", end="2026-03-02 13:00")
    >>> qr.prep.resample(minutes, "30m")[["volume", "bars", "complete"]].shape
    (2, 3)
    """
    candles = read_candles(df, length)
    check_prices(df)
    check_numbers(df, PRICES, nan=False)
    check_numbers(df, [name for name in SUMS if name in df.columns])
    choice = pick_choice(partial, "partial", _PARTIAL)
    lag_us = pick_length(lag, "lag", zero=True)
    groups = _grouped(candles, _span(every, candles))
    frame = _summed(df, candles, groups, lag_us)
    cut = groups.cut_by_the_frame(frame["is_final"].to_numpy("bool"))
    _report(frame, cut, choice)
    places = np.lexsort((groups.codes, groups.opens))
    kept: pd.DataFrame = frame.iloc[places[~cut[places]] if choice == "drop" else places]
    return kept.copy()


@dataclass(frozen=True, slots=True)
class _Groups:
    """Candles in the order of their series, and which of them make one longer candle.

    Attributes
    ----------
    order : array of int
        The rows of the frame, series by series.
    begins, ends : array of int
        Places in `order` of the first and the last of each group.
    opens, codes : array of int
        When each longer candle opens (microseconds since 1970), and which series it is of.
    span, parts : int
        Its length in microseconds, and in candles.
    starts_late, ends_early : array of bool
        Whether the first of the group opens after the longer candle, and the last ends before it.
    """

    order: Places
    begins: Places
    ends: Places
    opens: Places
    codes: Places
    span: int
    parts: int
    starts_late: npt.NDArray[np.bool_]
    ends_early: npt.NDArray[np.bool_]

    def cut_by_the_frame(self, final: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which longer candles are a series' first or last and reach beyond the candles that the frame has."""
        edge = np.diff(self.codes) != 0
        first, last = np.concatenate(([True], edge)), np.concatenate((edge, [True]))
        if not len(self.codes):
            return np.zeros(0, "bool")
        return (first & self.starts_late) | (last & (self.ends_early | ~final))


def _span(every: DurationLike, candles: Candles) -> int:
    span = pick_length(every, "every")
    if span % candles.step or (DAY_US % span and span != WEEK_US):
        lengths = [k * candles.step for k in range(1, DAY_US // candles.step + 1) if not DAY_US % (k * candles.step)]
        named = [length_name(length) for length in lengths if length in _USUAL_US] or [length_name(length) for length in lengths[:8]]
        named += [] if WEEK_US % candles.step else [length_name(WEEK_US)]
        said = f"candles of {candles.interval} make longer ones of any multiple that divides a day, and weeks: {', '.join(named)}"
        other = "; where else candles of several days begin, exchanges do not agree" if span > DAY_US else ""
        raise InputError("every", f"{every!r} does not fit; {said}{other}")
    return span


def _grouped(candles: Candles, span: int) -> _Groups:
    order = np.lexsort((candles.opens, candles.series.codes))
    opens, codes = candles.opens[order], candles.series.codes[order]
    starts = opens - past_grid(opens, span)
    new = (np.diff(starts) != 0) | (np.diff(codes) != 0)
    begins = np.flatnonzero(np.concatenate(([len(order) > 0], new)))
    ends = np.flatnonzero(np.concatenate((new, [len(order) > 0])))
    starts = starts[begins]
    late, early = opens[begins] > starts, opens[ends] + candles.step < starts + span
    return _Groups(order, begins, ends, starts, codes[begins], span, span // candles.step, late, early)


def _summed(df: pd.DataFrame, candles: Candles, groups: _Groups, lag_us: int) -> pd.DataFrame:
    """Return the longer candles, series by series."""
    firsts, lasts = groups.order[groups.begins], groups.order[groups.ends]

    def each(how: np.ufunc, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return how.reduceat(values[groups.order], groups.begins) if len(firsts) else values[:0]

    number = {name: df[name].to_numpy("float64", na_value=np.nan) for name in (*PRICES, *SUMS) if name in df.columns}
    name = length_name(groups.span)
    out: dict[str, Any] = {key: df[key].iloc[firsts].array for key in candles.series.names}
    out["interval"] = pd.Categorical([name] * len(firsts), dtype=category("interval", [name]))
    out |= {"open": number["open"][firsts], "high": each(np.maximum, number["high"])}
    out |= {"low": each(np.minimum, number["low"]), "close": number["close"][lasts]}
    out |= {column: each(np.add, number[column]) for column in SUMS if column in number}
    if "close_time" in df.columns:
        # Of a candle whose last part is missing the last instant is not known.
        out["close_time"] = df["close_time"].iloc[lasts].where(~groups.ends_early).array
    out["is_final"] = each(np.logical_and, is_over(df))
    out["bars"] = groups.ends - groups.begins + 1
    out["complete"] = (out["bars"] == groups.parts) & out["is_final"]
    known = known_us(df, lag_us, candles.step)
    latest = np.maximum(each(np.maximum, known), groups.opens + groups.span + lag_us)
    out[COLUMN] = as_times(np.where(each(np.minimum, known) == NEVER, NEVER, latest))
    index = as_times(groups.opens).tz_convert(check_times(df.index).tz)
    return pd.DataFrame(out, index=index.rename("timestamp"))


def _report(frame: pd.DataFrame, cut: npt.NDArray[np.bool_], choice: str) -> None:
    """Warn of longer candles that are not whole."""
    holes = ~frame["complete"].to_numpy("bool") & ~cut
    done = "left out (partial='mark' keeps them)" if choice == "drop" else "kept, with complete False"
    said = [
        f"{_named(frame, which)} {'are' if which.sum() > 1 else 'is'} {what}"
        for which, what in ((cut, f"cut by the ends of the frame: {done}"), (holes, "incomplete inside: kept, with complete False"))
        if which.any()
    ]
    if said:
        warn_caller(f"of the candles of {frame['interval'].iloc[0]}, {'; '.join(said)}", GapWarning)


def _named(frame: pd.DataFrame, which: npt.NDArray[np.bool_]) -> str:
    rows = frame[which]
    series = [
        " ".join(str(rows[name].iloc[i]) for name in ("exchange", "symbol") if name in rows.columns) for i in range(min(_SHOWN, len(rows)))
    ]
    shown = [f"{name} {time:%Y-%m-%d %H:%M}".strip() for name, time in zip(series, rows.index[:_SHOWN], strict=True)]
    return ", ".join(shown) + (f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else "")
