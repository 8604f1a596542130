"""What the engines over bars ask of a frame: engines take nearly everything, and go wrong quietly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names, names_of
from qalypto_research.clock import from_us
from qalypto_research.errors import InputError
from qalypto_research.prep.candles import check_possible, length_name, past_grid
from qalypto_research.prep.checks import check_column, check_frame, check_numbers, pick_choice
from qalypto_research.prep.meaning import COLUMN, PRICES, bar_step, check_intervals, given_us, is_over, may_be_of_time, starts_before_trades
from qalypto_research.prep.series import SERIES, by_series, check_one, check_unique
from qalypto_research.schema.frames import epoch_us, times_us
from qalypto_research.timerange import DurationLike

BAR: Final = (*PRICES, "volume")

_GAPS: Final = ("raise", "ignore")


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars that an engine may have.

    Attributes
    ----------
    frame : pandas.DataFrame
        As given.
    step : int or None
        How long each is, in microseconds; None for bars that are not of time, or do not tell.
    """

    frame: pd.DataFrame
    step: int | None

    def ends(self) -> npt.NDArray[np.int64]:
        """Return when each bar is over, in microseconds since 1970.

        Raises
        ------
        InputError
            Bars that are not of time, without their last moments.
        """
        if self.step is not None:
            return epoch_us(self.frame) + self.step
        if "last_time" in self.frame.columns:
            return times_us(self.frame["last_time"])
        raise InputError("length", "must be said where the bars have neither 'interval' nor 'last_time': length='1h' for bars of an hour")

    def known(self) -> npt.NDArray[np.int64]:
        """Return when each bar could be known, in microseconds since 1970: as ``available_at`` says, else when it is over.

        Raises
        ------
        InputError
            Neither is told.
        """
        return given_us(self.frame) if COLUMN in self.frame.columns else self.ends()


def check_prompt(bars: Bars) -> None:
    """Check that bars are known when they are over, as an engine that decides then takes it.

    Raises
    ------
    InputError
        A column ``available_at`` says otherwise.
    """
    if COLUMN not in bars.frame.columns:
        return
    late = bars.known() - bars.ends()
    if (late > 0).any():
        untold = bars.step is not None and "interval" not in bars.frame.columns
        raise InputError(
            "df",
            f"says in 'available_at' that {int((late > 0).sum()):,} bars are known only after their end, by up to "
            f"{pd.Timedelta(int(late.max()), unit='us')}, but the engine decides at the end and fills at the next open; "
            "qr.prep.to_numpy keeps those moments, df.drop(columns='available_at') "
            f"{f'with length={length_name(bars.step or 0)!r} ' if untold else ''}accepts the engine's",
        )


def bars_for_engine(df: object, *, length: DurationLike | None, gaps: str, keys: Sequence[str] = ()) -> Bars:
    """Return the bars of `df` when an engine may have them: of one series, or of those that `keys` tell apart.

    Raises
    ------
    InputError
        Several series where one is meant, unsorted, repeated or unfinished bars, numbers that are missing or cannot be,
        bars of time of unknown length or off their grid, or a hole (unless ``gaps="ignore"``).
    """
    policy = pick_choice(gaps, "gaps", _GAPS)
    frame = check_frame(df, "df", [*BAR, *keys], "bars")
    if frame.empty:
        raise InputError("df", "has no rows: there is nothing to test on")
    check_one(frame, [name for name in SERIES if name not in keys], why="the engine takes one series")
    _check_closed(frame)
    check_unique(
        frame,
        keys,
        mend="keep one: df[~df.index.duplicated(keep='last')]; bars of ticks that begin in one moment can be told apart by "
        "df.set_index('last_time') or by taking them larger",
    )
    check_numbers(frame, BAR, nan=False)
    check_possible(frame)
    step = bar_step(frame, length)
    if step is None:
        _check_not_of_time(frame, gaps=policy)
    else:
        _check_grid(frame, step, keys, gaps=policy)
    if length is None and "interval" in frame.columns:
        check_intervals(frame)
    return Bars(frame, step)


def further_columns(df: pd.DataFrame, columns: Names | None) -> list[str]:
    """Return which columns an engine gets beside those of a bar: by default none.

    Raises
    ------
    UnknownNameError
        One is not there.
    InputError
        One is of a bar anyway, or holds neither numbers nor flags.
    """
    names = [] if columns is None else [check_column(df, name, "columns") for name in names_of("columns", columns)]
    for name in names:
        if name in BAR:
            raise InputError("columns", f"names {name!r}, which is always there; name further ones only")
        if not pd.api.types.is_numeric_dtype(df[name].dtype):
            raise InputError("columns", f"names {name!r} of {df[name].dtype}; an engine takes numbers and flags")
    return names


def _check_closed(df: pd.DataFrame) -> None:
    running = ~is_over(df)
    if running.any():
        at = df.index[int(running.argmax())]
        marked = "is_final" in df.columns and not df["is_final"].to_numpy("bool")[running].any()
        way_out = "df[df['is_final']]" if marked else "df[df['available_at'].notna()]"
        raise InputError(
            "df",
            f"has {int(running.sum()):,} bars that are not over, the first of {at}: they would still change; leave them out: {way_out}",
        )


def _check_not_of_time(df: pd.DataFrame, *, gaps: str) -> None:
    """Check that bars without a length are of ticks, volume or money: of others no hole would be seen, and no end."""
    untold = "'interval' does not tell when they are over, nor do 'available_at' and 'last_time'; length='1m' for bars of a minute"
    if starts_before_trades(df):
        raise InputError("length", f"must be said: the bars open before their first trade, as those of time do, and {untold}")
    if "first_time" not in df.columns and COLUMN not in df.columns:
        raise InputError(
            "length",
            "must be said: none of 'interval', 'available_at' and 'first_time' is there to tell whether the bars are of time, where a hole "
            "would have to be seen; length='1m' for bars of a minute, df.assign(first_time=df.index) for those of ticks, volume or money, "
            "with gaps='ignore' where they lie on whole seconds",
        )
    if gaps == "raise" and may_be_of_time(df):
        raise InputError(
            "length",
            f"must be said: the bars lie on a grid, as those of time do, and {untold}, gaps='ignore' for those of ticks, volume or money",
        )


def _check_grid(df: pd.DataFrame, step: int, keys: Sequence[str], *, gaps: str) -> None:
    opens = epoch_us(df)
    off = past_grid(opens, step) != 0
    if off.any():
        raise InputError(
            "df",
            f"has {int(off.sum()):,} bars that do not open on the grid of their length, the first at {from_us(int(opens[off][0]))}; "
            "an index of closing times must be moved back to the opens, a length that is wrong be said right",
        )
    if gaps == "ignore":
        return
    series = by_series(df, keys)
    order = np.lexsort((opens, series.codes))
    jumps = np.diff(opens[order])
    holes = (jumps != step) & (np.diff(series.codes[order]) == 0)
    if not holes.any():
        return
    first = int(holes.argmax())
    before, missing = from_us(int(opens[order][first])), int(jumps[first]) // step - 1
    label = " ".join(map(str, series.labels[series.codes[order][first]]))
    of = f" of {label}" if label else ""
    rule = "'zero'" if "interval" in df.columns else f"'zero', length={length_name(step)!r}"
    raise InputError(
        "df",
        f"has {int(holes.sum()):,} holes, the first{of} after {before}, {missing:,} bars long: the engine would take the next bar for the "
        f"following one; fill them on purpose (qr.prep.fill(df, {rule})), choose a stretch without, or say gaps='ignore'",
    )
