"""Coverage: what there is of each series, and what is missing of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.asked import Names, plain_facts
from qalypto_research.clock import to_us
from qalypto_research.engine.snapshot import SeriesKnown
from qalypto_research.errors import InputError
from qalypto_research.history.arguments import pick_exchanges, pick_intervals, pick_symbols, pick_tables
from qalypto_research.history.calls import with_facts
from qalypto_research.history.candles import SETTLING_US
from qalypto_research.history.counting import Counted, Hole, Key, Scope, count_all
from qalypto_research.history.reader import Reader
from qalypto_research.history.report import Coverage
from qalypto_research.schema.frames import TIME_DTYPE, category
from qalypto_research.schema.tables import KLINE, TABLES, Kind
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS
from qalypto_research.timerange import TimeLike, resolve_window


def coverage(
    con: Reader,
    symbols: Names | None = None,
    *,
    tables: Names | None = None,
    interval: Names | None = None,
    exchange: Names | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
) -> Coverage:
    """Count what there is of each series, and find what is missing, repeated or silent.

    Everything that is known by the connection's now is counted, whole, inside ClickHouse; nothing is estimated. Source
    tables: all four, or those named.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. By default all.
    tables : str or list of str, optional
        Of "trade", "ticker", "kline", "orderbook". By default all; candles alone where an `interval` is named.
    interval : str or list of str, optional
        Candle intervals. By default all.
    exchange : str or list of str, optional
        A name, several, or "all". By default all, whatever the connection's default is.
    start, end : str, datetime or Timestamp, optional
        Range of ``timestamp``: `start` inclusive, `end` exclusive. Naive times are UTC. By default from each series' first
        row to now.
    days, hours, minutes : float, optional
        A length of time, one of the three: up to now when alone, else from `start` or back from `end`.

    Returns
    -------
    Coverage
        With two frames, each on a plain RangeIndex, in the documented order of tables and names.

        ``.series``, one row a table, exchange, symbol and interval: table (str), exchange, symbol, interval (category;
        interval is NaN for ticks); rows (int64: of the table, running updates of candles too); first, last
        (``datetime64[us, UTC]``: ``timestamp`` of the first and last row, NaT where there is none); expected, missing,
        duplicated, zero_volume. Counts that ticks do not have are float64 with NaN; duplicated is int64.

        - expected: candles that open in the range and are over by now, from `start`, or from the first candle with any
          row. One that was over less than 10 seconds ago (and the ingestion delay) counts once it is there. Rows off the
          interval's grid are in rows, first and last alone.
        - missing: those of them without a final row.
        - duplicated: trades: rows beyond the first of one non-empty ``trade_id`` of an exchange and symbol. Candles: final
          rows of one candle beyond the first; running updates are no repeats. Tickers and order books: rows beyond the first
          that are equal in every column, since several of one millisecond may each be news.
        - zero_volume: final candles in which nothing traded.

        ``.holes``, one row a hole, each series' in order of time: table (str), exchange, symbol, interval (category);
        from (inclusive), to (exclusive; both ``datetime64[us, UTC]``); bars (float64: candles, NaN for ticks); cause (str):

        - "rows missing": candles of which there is no row.
        - "never finalised": candles that are over and have running rows only.
        - "before the first row": the range begins before the series does.
        - "present without trades": candles that are there, with volume 0. They are not missing.
        - "silence": ticks; a wait between two rows, or from the last one to now, of a minute or more, and longer than the
          series' pace explains: up to ``mean x (2 + u x (ln n + 9.2))`` is usual, where u, from 0 for rows that come evenly
          to at most 3 for bursts, is the variance of rows a minute over their mean. Series of under ten rows have no pace.
        - "silence, all of bitget": the same, where for more than half of it no series of ticks of that exchange had a row,
          while together they would have: the connection was down. Waits that would be usual for one series alone are listed
          too. Found only where no table or symbol of the exchange is left out.

    Raises
    ------
    UnknownNameError
        A table, symbol, exchange or interval that is not there.
    RangeError
        A range that contradicts itself or starts after now.
    InputError
        Any other argument that cannot be used.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> there = con.coverage("BTCUSDT", tables="kline", interval="1h", exchange="bybit", start="2026-02-01", end="2026-02-08")
    >>> there.series[["rows", "expected", "missing"]].values.tolist()
    [[168.0, 168.0, 0.0]]
    >>> con.close()
    """
    with con.snapshot() as snapshot:
        window = resolve_window(snapshot.moment, start=start, end=end, days=days, hours=hours, minutes=minutes, limit=1)
        known = snapshot.series()
        series = _pick_series(known, symbols, tables, interval, exchange)
        scope = Scope(
            snapshot,
            window,
            series,
            known=frozenset(map(_key, known)),
            now_us=to_us(snapshot.moment),
            settling_us=SETTLING_US + snapshot.delay // dt.timedelta(microseconds=1),
        )
        counted, holes = count_all(scope)
        given = {"symbols": symbols, "tables": tables, "interval": interval, "exchange": exchange}
        length = {"start": start, "end": end, "days": days, "hours": hours, "minutes": minutes}
        asked = {"call": "coverage", **plain_facts(given | length)}
        frames = (_series_frame(series, counted), _holes_frame(series, holes))
        return Coverage(*(with_facts(frame, con, snapshot, window, asked) for frame in frames))


def _key(series: SeriesKnown) -> Key:
    return (series.table, series.exchange, series.symbol, series.interval)


def _pick_series(
    known: Sequence[SeriesKnown], symbols: Names | None, tables: Names | None, interval: Names | None, exchange: Names | None
) -> tuple[Key, ...]:
    """Return the series a call means, in the documented order. Each name is looked for among those the others leave."""
    if tables is None and interval is not None:
        tables = KLINE.name
    names = pick_tables(tables, known)
    if interval is not None and KLINE.name not in names:
        raise InputError("interval", f"belongs to candles, and tables={tables!r} leaves them out; name 'kline' too, or no interval")
    left = [s for s in known if s.table in names]
    if exchange is not None:
        exchanges = pick_exchanges(exchange, None, left)
        left = [s for s in left if s.exchange in exchanges]
    if symbols is not None:
        pairs = pick_symbols(symbols, tuple({s.exchange for s in left}), left)
        left = [s for s in left if s.symbol in pairs]
    intervals = pick_intervals(interval, left)
    found = {_key(s) for s in left if s.table != KLINE.name or s.interval in intervals}
    return tuple(sorted(found, key=_place))


def _place(key: Key) -> list[tuple[int, str]]:
    documented = (tuple(TABLES), EXCHANGES, SYMBOLS, ("", *INTERVALS))
    return [(names.index(name) if name in names else len(names), name) for name, names in zip(key, documented, strict=True)]


def _series_frame(series: Sequence[Key], counted: Mapping[Key, Counted]) -> pd.DataFrame:
    found = [counted.get(key, Counted()) for key in series]
    return pd.DataFrame(
        {
            **_named(series, series),
            "rows": np.array([c.rows for c in found], np.int64),
            "first": _times([c.first for c in found]),
            "last": _times([c.last for c in found]),
            "expected": _numbers([c.expected for c in found]),
            "missing": _numbers([c.missing for c in found]),
            "duplicated": np.array([c.duplicated for c in found], np.int64),
            "zero_volume": _numbers([c.zero_volume for c in found]),
        }
    )


def _holes_frame(series: Sequence[Key], holes: Sequence[Hole]) -> pd.DataFrame:
    place = {key: i for i, key in enumerate(series)}
    ordered = sorted(holes, key=lambda hole: (place[hole.key], hole.begin))
    return pd.DataFrame(
        {
            **_named([hole.key for hole in ordered], series),
            "from": _times([hole.begin for hole in ordered]),
            "to": _times([hole.end for hole in ordered]),
            "bars": _numbers([hole.bars for hole in ordered]),
            "cause": pd.array([hole.cause for hole in ordered], dtype="str"),
        }
    )


def _named(keys: Sequence[Key], series: Sequence[Key]) -> dict[str, object]:
    """Return the columns that name a series, with the categories of all of `series`."""
    columns: dict[str, object] = {"table": pd.array([key[0] for key in keys], dtype="str")}
    kinds: tuple[Kind, ...] = ("exchange", "symbol", "interval")
    for i, kind in enumerate(kinds, start=1):
        dtype: Any = category(kind, {key[i] for key in series} - {""})
        place = {name: code for code, name in enumerate(dtype.categories)}
        columns[kind] = pd.Categorical.from_codes([place.get(key[i], -1) for key in keys], dtype=dtype)
    return columns


def _times(milliseconds: Sequence[int | None]) -> pd.Series[pd.Timestamp]:
    values = np.array(["NaT" if ms is None else ms * 1_000 for ms in milliseconds], "datetime64[us]")
    return pd.Series(values).dt.tz_localize("UTC").astype(TIME_DTYPE)


def _numbers(values: Sequence[int | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)
