"""Trades and order books as the events that hftbacktest replays."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import pick_length
from qalypto_research.errors import InputError
from qalypto_research.prep.books import Numbers, read_levels, read_states
from qalypto_research.prep.checks import check_frame, check_numbers
from qalypto_research.prep.rows import Places
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import MARKET, check_one, refuse_rows, repeated_ids
from qalypto_research.schema.frames import NEVER, epoch_us, times_us
from qalypto_research.schema.vocabulary import SIDES
from qalypto_research.timerange import DurationLike

# The engine's numbers (hftbacktest.types). They are its file format, and a test holds these to them.
_DEPTH, _TRADE, _CLEAR, _SNAPSHOT = 1, 2, 3, 4
_AT_EXCHANGE, _AT_LOCAL = 1 << 31, 1 << 30
_SIDE_BITS: Final = {"buy": 1 << 29, "sell": 1 << 28}
_BOOK_BITS: Final = (_SIDE_BITS["buy"], _SIDE_BITS["sell"])
"""Of the bids and of the asks."""

_EVENT: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)

_OFF: Final = 1e-3
"""What is off by less of a tick is so by the rounding of floats."""

Events = npt.NDArray[np.void]


@must_say(
    tick_size="the venue's step of prices, as tick_size=0.1",
    lot_size="the venue's step of sizes, as lot_size=0.001",
)
def to_hftbacktest(
    trades: pd.DataFrame,
    books: pd.DataFrame,
    *,
    tick_size: float,
    lot_size: float,
    latency: DurationLike | None = None,
    sequence: bool | None = None,
) -> npt.NDArray[np.void]:
    """Return trades and order books as hftbacktest takes them, for ``BacktestAsset().data(...)``.

    A snapshot becomes the clearing of the whole book and then its levels; an update its levels, those that are deleted
    (size 0) first, so that the book is not crossed in between. Trades come before the books of the same moment: the book
    has the trade already, and the engine would move queues twice. Across a snapshot its queue models do not see who
    cancelled; only that no more than the new size is ahead.

    A strategy that knew each event as it happened would look ahead by the way from the exchange. So every event bears two
    times, and local ones are in the order of their arrival, which need not be that of the exchange.

    The engine reads the array in place: keep it for as long as the backtest runs.

    Parameters
    ----------
    trades : pandas.DataFrame
        Trades of one series, as ``qr.trades`` or ``live.trades`` gives them.
    books : pandas.DataFrame
        Books of the same series, as ``qr.orderbooks`` or ``live.orderbooks`` gives them, from a snapshot on, and as deep as
        the updates are: ``depth=1000`` loses nothing.
    tick_size, lot_size : float
        The venue's step of prices (quote currency) and of sizes (base currency), as the backtest is told. With a tick that
        is too large levels fall together, with a lot that is too large small ones are taken for gone: so each price must
        be a multiple of the tick, and no size round to 0 lots.
    latency : str or timedelta, optional
        How long after ``timestamp`` each row reached you, as "20ms". None: go by the column ``received`` of live frames.
    sequence : bool, optional
        Whether ``sequence_id`` counts up, as in ``qr.prep.rebuild``, by which stale updates are found.

    Returns
    -------
    numpy.ndarray
        A row an event, of the engine's ``event_dtype``: ev (flags), exch_ts and local_ts (ns since 1970), px in quote
        currency, qty in base currency, and order_id, ival, fval, which are 0. Where the order of arrival is another, an
        event has two rows, one for each.

    Raises
    ------
    InputError
        Several series; unsorted frames; a repeated trade, one without a side; updates before the first snapshot, stale or
        cut off; a crossed snapshot; a tick or lot that does not fit; a latency that is not said, or is negative.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> trades, books = qr.trades("BTCUSDT", minutes=5), qr.orderbooks("BTCUSDT", depth=1000, minutes=5)
    >>> events = qr.prep.to_hftbacktest(trades, books, tick_size=0.1, lot_size=0.001, latency="20ms")
    >>> bool((events["local_ts"] - events["exch_ts"] == 20_000_000).all())
    True
    """
    _check_trades(trades)
    levels = _check_books(books, sequence=sequence)
    _check_same(trades, books)
    _check_steps(trades, books, levels, tick_size, lot_size)
    if latency is None:
        arrivals = _received(trades, "trades"), _received(books, "books")
    else:
        lag = pick_length(latency, "latency", zero=True)
        arrivals = epoch_us(trades) + lag, epoch_us(books) + lag

    parts = [_of_trades(trades, arrivals[0]), *_of_books(books, levels, arrivals[1], after=len(trades))]
    events = np.concatenate([part for part, _ in parts])
    order = np.lexsort((np.concatenate([places for _, places in parts]), events["exch_ts"]))
    return _in_both_orders(events[order])


def _check_trades(trades: pd.DataFrame) -> None:
    check_frame(trades, "trades", ["price", "amount", "side"], "trades")
    check_one(trades, MARKET, "trades", why="the engine takes one series")
    check_numbers(trades, ["price", "amount"], "trades", nan=False)
    for name in ("price", "amount"):
        refuse_rows(trades, trades[name].to_numpy("float64") <= 0, "trades", f"has trades with a {name} of 0 or less", "drop them")
    refuse_rows(
        trades,
        ~trades["side"].isin(SIDES).to_numpy("bool"),
        "trades",
        "has trades without a side (buy or sell, of the aggressor)",
        "drop them",
    )
    if "trade_id" in trades.columns:
        again = repeated_ids(trades["trade_id"])
        mend = "each would move the queues twice: trades[~trades['trade_id'].duplicated() | trades['trade_id'].fillna('').eq('')]"
        refuse_rows(trades, again, "trades", "has trades whose id another row has too", mend)


def _check_books(books: pd.DataFrame, *, sequence: bool | None) -> Numbers:
    """Return the levels of books that the engine may have."""
    check_frame(books, "books")
    levels = read_levels(books, "books")
    check_one(books, MARKET, "books", why="the engine takes one series")
    if books.empty:
        raise InputError("books", "has no rows: without a book nothing can be filled")
    whole, stale = read_states(books, sequence=sequence)
    mend = "begin with one: books[books['is_snapshot'].cumsum() > 0]"
    refuse_rows(books, ~whole, "books", "has updates before the first snapshot, so the book would be one of updates only", mend)
    mend = "leave them out: books[~qr.prep.rebuild(books)['stale']]"
    refuse_rows(books, stale, "books", "has stale updates, whose sequence_id is not above that of what they would change", mend)
    crossed = books["is_snapshot"].to_numpy("bool") & (levels[0, 0, :, 0] >= levels[1, 0, :, 0])
    refuse_rows(books, crossed, "books", "has snapshots whose best bid is at or above the best ask", "drop them")
    return levels


def _check_same(trades: pd.DataFrame, books: pd.DataFrame) -> None:
    for name in MARKET:
        if trades.empty or name not in trades.columns:
            continue
        ours, theirs = trades[name].iloc[0], books[name].iloc[0]
        if ours != theirs:
            raise InputError("books", f"are of {theirs}, but the trades are of {ours}; give both of one series")


def _check_steps(trades: pd.DataFrame, books: pd.DataFrame, levels: Numbers, tick_size: float, lot_size: float) -> None:
    for argument, step in (("tick_size", tick_size), ("lot_size", lot_size)):
        if isinstance(step, bool) or not isinstance(step, (int, float, np.number)) or not 0 < step < np.inf:
            raise InputError(argument, f"is {step!r}; give a number above 0, as the venue says, such as 0.01")
    for frame, name, prices, sizes in (
        (trades, "trades", trades[["price"]].to_numpy("float64"), trades[["amount"]].to_numpy("float64")),
        (books, "books", _by_row(levels[:, 0]), _by_row(levels[:, 1])),
    ):
        ticks = prices / tick_size
        off = np.abs(ticks - np.rint(ticks)) > _OFF
        if off.any():
            said = f"is {tick_size!r}, but {_counted(frame, prices, off)} in {name} are no multiple of it; levels would fall together"
            raise InputError("tick_size", f"{said}. Give the venue's step, or the smallest of those it had")
        gone = (sizes > 0) & (sizes / lot_size < 0.5)
        if gone.any():
            said = f"is {lot_size!r}, but {_counted(frame, sizes, gone)} in {name} are less than half of it and would be taken for none"
            raise InputError("lot_size", f"{said}. Give the venue's step, or the smallest of those it had")


def _counted(frame: pd.DataFrame, values: Numbers, bad: npt.NDArray[np.bool_]) -> str:
    row = int(bad.any(axis=1).argmax())
    return f"{int(bad.sum()):,} values (the first {float(values[row][bad[row]][0])!r} at {frame.index[row]})"


def _by_row(sides: Numbers) -> Numbers:
    """Return the levels of both sides, side, row, level, as one row a row."""
    return np.concatenate(list(sides), axis=1)


def _received(frame: pd.DataFrame, argument: str) -> Places:
    if "received" not in frame.columns:
        raise InputError(
            "latency", f"must be said: {argument} has no column 'received', so nothing tells when its rows reached you; as latency='20ms'"
        )
    moments = times_us(frame["received"])
    refuse_rows(frame, moments == NEVER, argument, "has rows without a time in 'received'", "say latency='20ms', or so, for all")
    early = epoch_us(frame) - moments
    mend = f"by up to {early.max(initial=0) / 1000:g} ms: the clocks differ; say latency='20ms', or so, for all"
    refuse_rows(frame, early > 0, argument, "has rows that were received before they happened", mend)
    return moments


def _of_trades(trades: pd.DataFrame, arrivals: Places) -> tuple[Events, Places]:
    """Return the events of trades, and the places of those of one moment."""
    events = np.zeros(len(trades), _EVENT)
    bits = trades["side"].astype("str").map(_SIDE_BITS).to_numpy("u8") if len(trades) else np.zeros(0, "u8")
    events["ev"] = _TRADE | bits
    events["exch_ts"], events["local_ts"] = epoch_us(trades) * 1000, arrivals * 1000
    events["px"], events["qty"] = trades["price"], trades["amount"]
    return events, np.arange(len(trades))


def _of_books(books: pd.DataFrame, levels: Numbers, arrivals: Places, *, after: int) -> list[tuple[Events, Places]]:
    """Return the events of books, and the places of those of one moment: by row; in it clearing, deleting, setting; from `after` on."""
    snapshots = books["is_snapshot"].to_numpy("bool")
    times = epoch_us(books)
    depth = levels.shape[-1]

    def part(rows: Places, step: Places | int, side: int, level: Places | int) -> tuple[Events, Places]:
        events = np.zeros(len(rows), _EVENT)
        events["exch_ts"], events["local_ts"] = times[rows] * 1000, arrivals[rows] * 1000
        return events, after + ((rows * 3 + step) * 2 + side) * depth + level

    clears, places = part(np.flatnonzero(snapshots), 0, 0, 0)
    clears["ev"] = _CLEAR
    parts = [(clears, places)]
    for side, (prices, sizes) in enumerate(levels):
        there = ~np.isnan(prices)
        rows, level = np.nonzero(there)
        events, places = part(rows, 1 + (sizes[there] > 0), side, level)
        events["ev"] = np.where(snapshots[rows], _SNAPSHOT, _DEPTH) | _BOOK_BITS[side]
        events["px"], events["qty"] = prices[there], sizes[there]
        parts.append((events, places))
    return parts


def _in_both_orders(events: Events) -> Events:
    """Return `events`, which are in the order of the exchange, so that those for each place are in the order of that place.

    Where the orders agree an event has one row for both. A stretch where they do not is given twice: as it happened, and
    as it arrived.
    """
    arrived = events["local_ts"]
    if (arrived[:-1] <= arrived[1:]).all():  # nearly always, and then there is nothing to sort
        events = events.copy()
        events["ev"] |= np.uint64(_AT_EXCHANGE | _AT_LOCAL)
        return events
    latest = np.maximum.accumulate(arrived)
    soonest_after = np.append(np.minimum.accumulate(arrived[::-1])[::-1][1:], np.iinfo("int64").max)
    begins = np.append(True, (latest <= soonest_after)[:-1])  # nothing before it arrives after it or what follows
    stretch = np.cumsum(begins)
    twice = np.bincount(stretch)[stretch] > 1
    here, there = events.copy(), events[twice]
    here["ev"] |= np.where(twice, np.uint64(_AT_EXCHANGE), np.uint64(_AT_EXCHANGE | _AT_LOCAL))
    there["ev"] |= np.uint64(_AT_LOCAL)
    both = np.concatenate([here, there])
    kind = np.repeat([0, 1], [len(here), len(there)])
    place = np.concatenate([np.arange(len(here)), arrived[twice]])
    order = np.lexsort((place, kind, np.concatenate([stretch, stretch[twice]])))
    return both[order]
