"""Join one frame to another by what was known, never by open times."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names, names_of, pick_flag, pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.availability import as_times, index_us, known_us
from qalypto_research.prep.checks import check_columns, check_frame
from qalypto_research.prep.meaning import COLUMN
from qalypto_research.prep.rows import Places, floats_taken, taken, times_taken
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import MARKET, SERIES, check_one
from qalypto_research.schema.frames import NEVER
from qalypto_research.timerange import DurationLike

_NARROW: Final = 2**15

Groups = npt.NDArray[np.integer[Any]] | None
"""Which group each row is of; None where all are of one."""


@must_say(
    max_age="how old a row may be, as max_age='10m'; None for what holds until it changes, as funding rates",
)
def asof(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    max_age: DurationLike | None,
    by: Names | None = None,
    suffix: str = "_right",
    exact: bool = True,
) -> pd.DataFrame:
    """Join to each row of `left` the newest row of `right` that was known by then.

    Both sides go by ``available_at``: a column of that name, or what ``qr.prep.available_at`` would make of the frame. So
    an hour's candle meets the funding rate known at its end, and a five-minute candle never the hour that contains it.
    Units and zones of the two may differ.

    Parameters
    ----------
    left : pandas.DataFrame
        Any frame over times; its rows, order and index stay.
    right : pandas.DataFrame
        Any frame over times. Of the rows known by then the newest by the index counts, of equal times the last: a quote
        that arrives late does not hide a newer one that came before it.
    max_age : str or timedelta, or None
        The longest that the row of `right` may have been known: one known for longer does not match. None: any age, which suits
        what holds until it changes, as ``qr.funding``.
    by : str or list of str, optional
        Columns that must be equal; by default those of exchange and symbol that both have. Empty, ``by=[]``: none.
        `right` must then be one series.
    suffix : str
        What to add to the names of the columns of `right`.
    exact : bool
        Whether a row that became known at that very moment counts.

    Returns
    -------
    pandas.DataFrame
        The index and columns of `left`; its ``available_at`` where it had none; the columns of `right` without `by`, each
        with `suffix`, NaN where nothing matches (bool becomes boolean, integers float64); ``timestamp``, the index of
        `right`, ``available_at`` and ``age`` (``timedelta64[us]``: how long the row had been known), each with `suffix`.

    Raises
    ------
    InputError
        A frame that is unsorted, does not tell when its rows were known, or mixes series that `by` does not tell apart;
        frames that share no series; columns that would be there twice.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> hour = qr.klines("BTCUSDT", "1h", hours=1)
    >>> joined = qr.prep.asof(hour, qr.funding("BTCUSDT", hours=1), max_age="10m", suffix="_funding")
    >>> bool((joined["available_at_funding"] <= joined["available_at"]).all())
    True
    >>> list(joined.columns[-3:])
    ['timestamp_funding', 'available_at_funding', 'age_funding']
    """
    check_frame(left, "left")
    check_frame(right, "right")
    oldest = None if max_age is None else pick_length(max_age, "max_age", zero=True)
    exact = pick_flag(exact, "exact")
    keys = _keys(left, right, by)
    others = [name for name in right.columns if name not in keys and name != COLUMN]
    if not isinstance(suffix, str):
        raise InputError("suffix", f"{suffix!r} must be a string, as '_right'")
    _check_names(left, [f"{name}{suffix}" for name in [*others, "timestamp", COLUMN, "age"]])

    wanted, known = known_us(left, argument="left"), known_us(right, argument="right")
    at = newest_known(*_codes(left, right, keys), wanted, known, exact=exact)
    if keys and len(left) and len(right) and (at < 0).all():
        _check_shared(left, right, keys)
    found = times_taken(known, at)
    ages = wanted - found
    absent = at < 0 if oldest is None else (at < 0) | (ages > oldest)
    for values, none in ((at, -1), (found, NEVER), (ages, NEVER)):
        np.putmask(values, absent, none)
    joined: dict[Any, Any] = {}
    if COLUMN not in left.columns:
        joined[COLUMN] = as_times(wanted, copy=False)
    floats = [name for name in others if right[name].dtype == "float64"]
    rows = dict(zip(floats, floats_taken(right, floats, at), strict=True))
    joined |= {f"{name}{suffix}": rows[name] if name in rows else taken(right[name], at) for name in others}
    opened = index_us(right)
    # Of what happens at a moment the two are the same, and need not be looked up twice.
    joined[f"timestamp{suffix}"] = as_times(found if np.array_equal(opened, known) else times_taken(opened, at))
    joined[f"{COLUMN}{suffix}"] = as_times(found, copy=False)
    joined[f"age{suffix}"] = ages.view("timedelta64[us]")
    # The columns of left are copied once somebody writes to them, as pandas does it; the others are nobody else's.
    return pd.concat([left, pd.DataFrame(joined, index=left.index, copy=False)], axis=1)


def _keys(left: pd.DataFrame, right: pd.DataFrame, by: Names | None) -> list[str]:
    if by is None:
        keys = [name for name in MARKET if name in left.columns and name in right.columns]
    else:
        keys = names_of("by", by) if isinstance(by, str) or len(by) else []
        check_columns(left, keys, "left")
        check_columns(right, keys, "right")
    check_one(right, [name for name in SERIES if name not in keys], "right", why="one series is joined")
    return keys


def _check_shared(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> None:
    """Refuse two frames that share no series: a name is written otherwise in one of them, most likely."""
    ours, theirs = ({" ".join(map(str, row)) for row in side[keys].drop_duplicates().itertuples(index=False)} for side in (left, right))
    if not ours & theirs:
        mine, other = (", ".join(sorted(names)[:4]) for names in (ours, theirs))
        way_out = "bring their names in line, or join by fewer, as by='symbol'"
        raise InputError("by", f"left and right share no {' and '.join(keys)}: left has {mine}, right has {other}; {way_out}")


def _check_names(left: pd.DataFrame, new: list[str]) -> None:
    twice = [name for i, name in enumerate(new) if name in left.columns or name == COLUMN or name in new[:i]]
    if twice:
        raise InputError("suffix", f"the result would have {twice[0]!r} twice; choose another, as suffix='_funding'")


def _codes(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> tuple[Groups, Groups]:
    """Return for each row of both which group it is of, numbered alike; -1 in `right` where `left` has no such group."""
    ours: Any = None
    theirs: Any = None
    size = 1
    for name in keys:
        mine, other = left[name].astype("category"), right[name].astype("category")
        here, there = mine.cat.codes.to_numpy(), other.cat.codes.to_numpy()
        if (here < 0).any() or (there < 0).any():
            raise InputError("by", f"column {name!r} is empty in some rows; drop those first: df.dropna(subset=[{name!r}])")
        if not mine.cat.categories.equals(other.cat.categories):
            there = mine.cat.categories.get_indexer(other.cat.categories)[there] if len(there) else there
        size *= len(mine.cat.categories)
        if ours is None:
            ours, theirs = here, there
            continue
        kind = "int16" if size < _NARROW else "int64"  # the narrow ones are sorted by radix, many times as fast
        ours = ours.astype(kind) * len(mine.cat.categories) + here
        theirs = np.where((theirs < 0) | (there < 0), -1, theirs.astype(kind) * len(mine.cat.categories) + there)
    return ours, theirs


def newest_known(ours: Groups, theirs: Groups, wanted: Places, known: Places, *, exact: bool = True) -> Places:
    """Return for each wanted moment the place of the newest row of its group known by then; -1 where there is none.

    The rows are in the order of their own times. That need not be the one in which they were `known`, and a row that was
    late is not newer for it.
    """
    late = _in_order(known)
    if ours is None or theirs is None:
        place = _places(known if late is None else known[late], wanted, exact=exact)
        return _from(None if late is None else np.maximum.accumulate(late), place)
    rows = np.arange(len(known)) if late is None else late
    rows = rows[np.argsort(theirs[rows], kind="stable")]
    rows = rows[np.searchsorted(theirs[rows], 0) :]
    order = np.argsort(ours, kind="stable")
    moments, sorted_known = wanted[order], known[rows]
    groups = int(max(ours.max(initial=0), theirs.max(initial=0))) + 1
    ends, their_ends = (np.cumsum(np.bincount(codes, minlength=groups)) for codes in (ours, theirs[rows]))
    found = np.full(len(wanted), -1, "int64")
    newest = rows if late is None else rows.copy()
    for group in np.flatnonzero(np.diff(ends, prepend=0) * np.diff(their_ends, prepend=0)):
        mine, part = (slice(e[group - 1] if group else 0, e[group]) for e in (ends, their_ends))
        place = _places(sorted_known[part], moments[mine], exact=exact)
        found[mine] = np.where(place >= 0, place + part.start, -1)
        if late is not None:
            newest[part] = np.maximum.accumulate(rows[part])
    at = np.empty(len(wanted), "int64")
    at[order] = _from(newest, found)
    return at


def _in_order(known: Places) -> Places | None:
    """Return the rows that are ever known, in the order in which they are; None for all in their own."""
    if (known == NEVER).any() or (np.diff(known) < 0).any():
        rows = np.argsort(known, kind="stable")
        return np.asarray(rows[np.searchsorted(known[rows], NEVER, side="right") :])
    return None


def _from(rows: Places | None, place: Places) -> Places:
    """Return `rows` at each place, -1 where the place is."""
    return place if rows is None else np.append(rows, -1).take(place)


def _places(known: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64], *, exact: bool) -> npt.NDArray[np.int64]:
    """Return for each wanted moment the place of the last of the ascending `known` up to it; -1 where there is none."""
    if len(wanted) < len(known) or (wanted[1:] < wanted[:-1]).any():
        return np.searchsorted(known, wanted, side="right" if exact else "left") - 1
    # The fewer are looked up among the many, and counted from there on: half the time of the other way round.
    first = np.searchsorted(wanted, known, side="left" if exact else "right")
    counts = np.bincount(first, minlength=len(wanted) + 1)
    np.cumsum(counts, out=counts)  # in place: half the time goes into new memory
    counts -= 1
    return counts[:-1]
