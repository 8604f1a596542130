"""The kinds of bars and their rules, as users ask for them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from qalypto_research.asked import pick_every
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.timerange import DurationLike

Kind = Literal["time", "tick", "volume", "dollar", "imbalance"]
Every: TypeAlias = DurationLike | float

UNITS_PER_ONE: Final = 100_000_000
"""Volumes are laid on bars in whole units of 1e-8, the finest lot there is: ten trades of 0.1 then make 1 exactly."""

MOST_UNITS: Final = 2**62
"""Sums up to here fit into an integer of 64 bits; a bar is no larger, and no series has more bars."""

MOST_COUNTED: Final = 1e18
"""A trade of more than this, in base or quote currency, is none; sums of as many as there are fit into 128 bits."""

SPAN: Final = 20
"""Bars over which an imbalance threshold takes its means: the newest counts 2 / (SPAN + 1)."""

DEFAULT_BOUND: Final = 2.0

_QUIET_US: Final = 60_000_000

_EXAMPLES: Final = {
    "time": "a length of time as '1s', '5m' or '1h'",
    "tick": "a whole number of trades, as 1000",
    "volume": "an amount of the base currency, as 50.0",
    "dollar": "an amount of the quote currency, as 1_000_000",
    "imbalance": "an amount of the base currency, as 20.0",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one bar ends and the next begins.

    Attributes
    ----------
    by : str
        The kind.
    every : int
        Length of a bar: microseconds, trades, or units of 1e-8 of the base or quote currency.
    bound : float
        Of imbalance: a threshold is at least `every` / `bound` and at most `every` * `bound`.
    """

    by: Kind
    every: int
    bound: float = DEFAULT_BOUND

    @property
    def by_time(self) -> bool:
        return self.by == "time"

    @property
    def quiet_us(self) -> int:
        """How long after a bar of time opens what is known may begin, and the bar still counts as whole."""
        return min(self.every // 60, _QUIET_US)


def check_bars(bars: int) -> None:
    """Check that so many bars can be told apart.

    Raises
    ------
    InputError
        `every` is too small for what was traded.
    """
    if bars >= MOST_UNITS:
        raise InputError("every", f"is so small beside what was traded that there would be more than {MOST_UNITS:.0e} bars; take it larger")


def pick_rule(by: str, every: Every, bound: float | None = None) -> Rule:
    """Return the rule a call means.

    Raises
    ------
    UnknownNameError
        `by` is none of the kinds.
    InputError
        `every` is not of the kind that `by` needs, or `bound` is given where it means nothing.
    """
    if by not in get_args(Kind):
        raise UnknownNameError("by", by, get_args(Kind))
    if bound is not None and by != "imbalance":
        raise InputError("bound", f"belongs to by='imbalance'; bars by {by!r} have no threshold that moves")
    if by == "time":
        return Rule("time", _microseconds(every))
    # A timedelta64 is an integer to NumPy.
    a_length = isinstance(every, (str, dt.timedelta, np.timedelta64))
    if a_length or isinstance(every, (bool, np.bool_)) or not isinstance(every, (int, float, np.integer, np.floating)):
        meant = "; bars of time are by='time'" if a_length else ""
        raise InputError("every", f"{every!r} must be {_EXAMPLES[by]} with by={by!r}{meant}")
    if not (math.isfinite(every) and every > 0):
        raise InputError("every", f"{every!r} must be above zero and finite: {_EXAMPLES[by]} with by={by!r}")
    if by == "tick":
        if every != int(every):
            raise InputError("every", f"{every!r} must be {_EXAMPLES[by]} with by='tick'")
        return Rule("tick", int(every))
    units = round(float(every) * UNITS_PER_ONE)
    if not 1 <= units <= MOST_UNITS:
        raise InputError("every", f"{every!r} must be from 1e-8 to 4e10: {_EXAMPLES[by]} with by={by!r}")
    return Rule(by, units, _bound(bound))  # type: ignore[arg-type]


def pick_bucket(every: DurationLike) -> int:
    """Return the length of a bucket of time in milliseconds.

    Raises
    ------
    InputError
        Not a length of time, or not a whole number of milliseconds above zero.
    """
    if not isinstance(every, (str, dt.timedelta, np.timedelta64)):
        raise InputError("every", f"{every!r} must be {_EXAMPLES['time']}")
    return _microseconds(every) // 1_000


def _microseconds(every: Every) -> int:
    milliseconds = pick_every(every) if isinstance(every, (str, dt.timedelta, np.timedelta64)) else None
    if milliseconds is None:
        raise InputError("every", f"{every!r} must be {_EXAMPLES['time']}; numbers go with by='tick', 'volume', 'dollar' or 'imbalance'")
    return milliseconds * 1_000


def _bound(bound: float | None) -> float:
    if bound is None:
        return DEFAULT_BOUND
    if isinstance(bound, bool) or not isinstance(bound, (int, float, np.integer, np.floating)) or not 1 <= bound < math.inf:
        raise InputError("bound", f"{bound!r} must be a number of at least 1: 2 keeps the threshold from half to twice `every`, 1 fixes it")
    return float(bound)
