"""The frame contract: which columns a frame has, and of which dtypes.

Index ``timestamp`` (``datetime64[us, UTC]``), names as unordered categories, numbers float64 with NaN for NULL, counts
that a query made int64 (they are never NULL), flags bool, ids str, times ``datetime64[us, UTC]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.errors import InputError
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TICKER, TRADE, Column, Kind, Table
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, ORIGINS, SIDES, SYMBOLS

VOCABULARY: Final[dict[Kind, tuple[str, ...]]] = {
    "exchange": EXCHANGES,
    "symbol": SYMBOLS,
    "side": SIDES,
    "interval": INTERVALS,
    "origin": ORIGINS,
}

TIME_DTYPE: Final = "datetime64[us, UTC]"
NEVER: Final = np.iinfo(np.int64).min
"""How NumPy writes NaT, in any unit."""

_DTYPES: Final[dict[Kind, str]] = {"time": TIME_DTYPE, "number": "float64", "count": "int64", "flag": "bool", "text": "str"}

_BYTES: Final[dict[Kind, int]] = {"time": 8, "number": 8, "count": 8, "flag": 1, "text": 24}
"""Bytes a value takes in a frame; a text is taken to have 16 characters. A category takes one."""


@dataclass(frozen=True, slots=True)
class FrameColumn:
    """A column of a frame and what it shows: a column of the table, or one that the query derives.

    Attributes
    ----------
    name : str
        In the frame.
    source : Column
        In the table, or as the query makes it.
    place : int or None
        Of a side of the book, which of its numbers (price, size, price, size, ...) it shows; None: the column as it is.
    """

    name: str
    source: Column
    place: int | None = None

    @property
    def kind(self) -> Kind:
        return self.source.kind if self.place is None else "number"


@dataclass(frozen=True, slots=True)
class Frame:
    """A kind of frame.

    Attributes
    ----------
    name : str
        The public call that returns it.
    table : Table
        Where its rows come from.
    columns : tuple of FrameColumn
        In the table's order, derived ones in that of the call; without the index.
    hint : str
        What to tell who asks for a column that it does not have.
    """

    name: str
    table: Table
    columns: tuple[FrameColumn, ...]
    hint: str = ""

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)


def _all_of(table: Table) -> tuple[FrameColumn, ...]:
    return tuple(FrameColumn(c.name, c) for c in table.columns[1:])


_TOPS: Final = {
    "exchange": "exchange",
    "symbol": "symbol",
    "bids_price_0": "bid_price",
    "asks_price_0": "ask_price",
    "bids_size_0": "bid_size",
    "asks_size_0": "ask_size",
    "is_snapshot": "is_snapshot",
    "sequence_id": "sequence_id",
}

TRADES: Final = Frame("trades", TRADE, _all_of(TRADE))
TICKERS: Final = Frame("tickers", TICKER, _all_of(TICKER))
KLINES: Final = Frame("klines", KLINE, _all_of(KLINE))
ORDERBOOK_TOPS: Final = Frame(
    "orderbook_tops", ORDERBOOK, tuple(FrameColumn(_TOPS[c.name], c) for c in ORDERBOOK.columns if c.name in _TOPS)
)

_FUNDING: Final = (
    "exchange",
    "symbol",
    "funding_rate",
    "next_funding_time",
    "mark_price",
    "index_price",
    "open_interest",
    "open_interest_value",
)

FUNDING: Final = Frame("funding", TICKER, tuple(FrameColumn(name, TICKER.column(name)) for name in _FUNDING))


def orderbooks_of(depth: int) -> Frame:
    """Return the frame of order books with `depth` levels a side, 0 the best, side by side."""
    levels = [
        FrameColumn(f"{side}_{field}_{level}", ORDERBOOK.column(f"{side}s_json"), 2 * level + place)
        for level in range(depth)
        for side in ("bid", "ask")
        for place, field in enumerate(("price", "size"))
    ]
    before, after = (tuple(FrameColumn(n, ORDERBOOK.column(n)) for n in names) for names in _AROUND_LEVELS)
    return Frame("orderbooks", ORDERBOOK, (*before, *levels, *after), hint=f"depth={depth} has the levels 0 to {depth - 1}")


_AROUND_LEVELS: Final = (("exchange", "symbol"), ("is_snapshot", "sequence_id"))


def _derived(name: str, kind: Kind, unit: str, meaning: str) -> FrameColumn:
    """Return a column that no table has: the query makes it, under this name."""
    made = {
        "number": "Nullable(Float64)",
        "count": "Int64",
        "flag": "UInt8",
        "time": "DateTime64(3, 'UTC')",
        "exchange": "Nullable(String)",
    }[kind]
    return FrameColumn(name, Column(name, made, kind, "", unit, meaning))


SPREADS: Final = Frame(
    "spreads",
    TICKER,
    (
        FrameColumn("symbol", TICKER.column("symbol")),
        _derived("exchanges", "count", "", "exchanges with a ticker in the bucket"),
        _derived("bid_price", "number", "quote currency", "best bid over the exchanges"),
        _derived("bid_exchange", "exchange", "", "who bids it; the first by name where several do"),
        _derived("ask_price", "number", "quote currency", "best ask over the exchanges"),
        _derived("ask_exchange", "exchange", "", "who asks it; the first by name where several do"),
        _derived("mid_price", "number", "quote currency", "middle of the best bid and the best ask"),
        _derived("spread", "number", "quote currency", "best ask less best bid"),
        _derived("spread_bps", "number", "basis points", "spread of mid_price"),
        _derived("min_price", "number", "quote currency", "lowest last_price of the exchanges"),
        _derived("max_price", "number", "quote currency", "highest last_price of the exchanges"),
        _derived("avg_price", "number", "quote currency", "mean last_price of the exchanges"),
        _derived("range_bps", "number", "basis points", "max_price less min_price, of avg_price"),
    ),
)

_SERIES: Final = tuple(FrameColumn(name, TRADE.column(name)) for name in ("exchange", "symbol"))
_IS_FINAL: Final = _derived("is_final", "flag", "", "whether the bar is whole")

BARS: Final = Frame(
    "bars",
    TRADE,
    (
        *_SERIES,
        _derived("open", "number", "quote currency", "price of the first trade"),
        _derived("high", "number", "quote currency", "highest price"),
        _derived("low", "number", "quote currency", "lowest price"),
        _derived("close", "number", "quote currency", "price of the last trade"),
        _derived("volume", "number", "base currency", "traded volume"),
        _derived("quote_volume", "number", "quote currency", "sum of price times amount"),
        _derived("vwap", "number", "quote currency", "quote_volume by volume"),
        _derived("num_trades", "count", "", "number of trades"),
        _derived("buy_volume", "number", "base currency", "volume of trades whose aggressor bought"),
        _derived("sell_volume", "number", "base currency", "volume of trades whose aggressor sold"),
        _derived("first_time", "time", "UTC, ms", "time of the first trade"),
        _derived("last_time", "time", "UTC, ms", "time of the last trade"),
        _IS_FINAL,
        _derived("available_at", "time", "UTC, us", "from when the bar can be known; NULL while it is not whole"),
    ),
)

FLOW: Final = Frame(
    "flow",
    TRADE,
    (
        *_SERIES,
        _derived("buy_volume", "number", "base currency", "volume of trades whose aggressor bought"),
        _derived("sell_volume", "number", "base currency", "volume of trades whose aggressor sold"),
        _derived("signed_volume", "number", "base currency", "buy_volume less sell_volume"),
        _derived("imbalance", "number", "", "signed_volume by their sum"),
        _derived("num_trades", "count", "", "number of trades"),
        _derived("available_at", "time", "UTC, us", "from when the bucket can be known"),
    ),
)


def _of_message(name: str, kind: Kind, wire: str, meaning: str) -> FrameColumn:
    return FrameColumn(name, Column(name, "Nullable(DateTime64(6, 'UTC'))", kind, wire, "UTC, us" if kind == "time" else "", meaning))


OF_MESSAGES: Final = (
    _of_message("exchange_event_time", "time", "data._timestamps.exchange_event_time", "when it happened, as the server reads it"),
    _of_message("websocket_sent", "time", "data._timestamps.websocket_sent", "when the server sent it"),
    _of_message("producer_received", "time", "producer_received", "when the producer had it"),
    _of_message("received", "time", "", "when it arrived here"),
    _of_message("origin", "origin", "", "where the row comes from"),
)
"""What live frames have beside the columns of history, at their end."""


def live(frame: Frame) -> Frame:
    """Return the kind of frame that the stream makes of the rows of `frame`."""
    return Frame(frame.name, frame.table, (*frame.columns, *OF_MESSAGES), frame.hint)


_CATEGORIES: Final[dict[str, Kind]] = {
    c.name: c.kind for frame in (live(TRADES), TICKERS, KLINES, ORDERBOOK_TOPS, SPREADS) for c in frame.columns if c.kind in VOCABULARY
}
"""Every column that is a category, by its name in frames."""


def category(kind: Kind, values: Iterable[str] = ()) -> pd.CategoricalDtype:
    """Return the category of `kind`: the documented vocabulary, whole, and then those of `values` beyond it."""
    known = VOCABULARY[kind]
    beyond = sorted(set(values) - set(known))
    return pd.CategoricalDtype(pd.Index([*known, *beyond], dtype="str"), ordered=False)


def dtype_of(kind: Kind) -> Any:
    """Return the pandas dtype of a column of `kind`."""
    return category(kind) if kind in VOCABULARY else _DTYPES[kind]


def bytes_per_row(columns: Sequence[FrameColumn]) -> int:
    """Return about how many bytes a row of such a frame takes, its index included."""
    return 8 + sum(_BYTES.get(c.kind, 1) for c in columns)


def empty_frame(columns: Sequence[FrameColumn]) -> pd.DataFrame:
    """Return a frame of no rows with all columns and dtypes."""
    index = pd.DatetimeIndex(np.empty(0, "datetime64[us]"), name="timestamp").tz_localize("UTC")
    return pd.DataFrame({c.name: pd.Series(index=index, dtype=dtype_of(c.kind)) for c in columns}, index=index)


def concat(frames: Iterable[pd.DataFrame], **options: Any) -> pd.DataFrame:
    """Concatenate frames of this package, keeping names as categories.

    ``pandas.concat`` turns a category column into text where the frames' categories differ, as they do once a frame
    holds a symbol beyond the documented ones. Here their categories are united first; all else is ``pandas.concat``.

    Parameters
    ----------
    frames : iterable of pandas.DataFrame
        Frames of one or several calls, history or live. They are not changed.
    **options
        Passed on to ``pandas.concat``, such as ``axis=0`` or ``keys=``.

    Returns
    -------
    pandas.DataFrame
        Rows in the order given. Names of exchanges, symbols, sides and intervals stay categories: the
        documented names first, others after them by spelling. ``attrs["qalypto"]`` holds ``parts``, the facts of each
        frame, and ``synthetic``, true if any of them is.

    Raises
    ------
    InputError
        Nothing to concatenate, something that is no DataFrame, or frames in several time zones.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> both = qr.concat([con.trades("BTCUSDT", minutes=1), con.trades("ETHUSDT", minutes=1)])
    >>> str(both["symbol"].dtype)
    'category'
    >>> con.close()
    """
    given = list(frames)
    if not given:
        raise InputError("frames", "is empty; give at least one DataFrame")
    for frame in given:
        if not isinstance(frame, pd.DataFrame):
            raise InputError("frames", f"holds a {type(frame).__name__}; give DataFrames")
    zones = dict.fromkeys(str(f.index.tz) for f in given if isinstance(f.index, pd.DatetimeIndex))
    if len(zones) > 1:
        # Pandas would make an index of objects; which of the zones was meant is the user's to say.
        raise InputError("frames", f"are in several time zones ({', '.join(zones)}); bring them into one: frame.tz_convert('UTC')")
    united: pd.DataFrame = pd.concat([_with_categories(f, given) for f in given], **options)
    facts = [f.attrs["qalypto"] for f in given if "qalypto" in f.attrs]
    united.attrs = {"qalypto": {"parts": facts, "synthetic": any(f.get("synthetic") for f in facts)}} if facts else {}
    return united


def _with_categories(frame: pd.DataFrame, frames: list[pd.DataFrame]) -> pd.DataFrame:
    changed = {}
    for name, kind in _CATEGORIES.items():
        if name not in frame.columns or not isinstance(frame[name].dtype, pd.CategoricalDtype):
            continue
        values: set[str] = set()
        for other in frames:
            if name in other.columns and isinstance(other[name].dtype, pd.CategoricalDtype):
                values.update(other[name].cat.categories)
        changed[name] = frame[name].cat.set_categories(category(kind, values).categories)
    united: pd.DataFrame = frame.assign(**changed)
    return united


def epoch_us(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return a frame's index in microseconds since 1970 UTC, whatever its zone and unit."""
    return np.asarray(pd.DatetimeIndex(frame.index).as_unit("us").asi8)


def times_us(column: pd.Series) -> npt.NDArray[np.int64]:
    """Return a column of times with a zone in microseconds since 1970 UTC, `NEVER` for NaT."""
    return np.asarray(pd.DatetimeIndex(column).as_unit("us").asi8)


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where in a column of flags each run of True begins and, exclusive, ends."""
    # Padded with False on both sides, each run is an edge up and an edge down.
    edges = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
