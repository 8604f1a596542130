"""The forming candle where no update of it was recorded: closed finer candles, then the trades after them.

It is given only where these reach back to its open without a break; half a candle would be a wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from qalypto_research.clock import from_us, to_us
from qalypto_research.engine.frames import FrameBuilder
from qalypto_research.engine.snapshot import Snapshot
from qalypto_research.history.query import Span, TableQuery, candle_query, to_parameter
from qalypto_research.history.reading import read_frame
from qalypto_research.schema.frames import KLINES, TRADES, VOCABULARY, FrameColumn, category, empty_frame, epoch_us
from qalypto_research.schema.tables import TRADE
from qalypto_research.schema.vocabulary import INTERVAL_MS
from qalypto_research.timerange import Window

_MINUTE_US: Final = 60_000_000
"""An exchange is taken to be recorded while each minute has a trade of it, of whatever symbol."""

_TRADES_BYTES: Final = 2 * 10**9

Key = tuple[str, str]


@dataclass(slots=True)
class _Partial:
    """A candle as far as it is known: the pieces so far, and up to where they reach."""

    reach_us: int
    pieces: list[dict[str, Any]]


def build_forming(snapshot: Snapshot, query: TableQuery, interval: str, series: set[Key]) -> pd.DataFrame:
    """Return the candles of `interval` forming at the snapshot's moment, for those of `series` where it can be known.

    Parameters
    ----------
    snapshot : Snapshot
        What is known.
    query : TableQuery
        The candle call's query: its exchanges, symbols and columns.
    interval : str
        Interval of the candle.
    series : set of (exchange, symbol)
        Series to build it for.

    Returns
    -------
    pandas.DataFrame
        Under the frame contract, at most one row a series, ``is_final`` False. Turnover and count are NaN where a
        piece has none.
    """
    step_us = INTERVAL_MS[interval] * 1_000
    now_us = to_us(snapshot.moment)
    open_us = now_us // step_us * step_us
    finer = [name for name in reversed(INTERVAL_MS) if INTERVAL_MS[name] < INTERVAL_MS[interval]]
    partials = {key: _Partial(open_us, []) for key in sorted(series)}
    for name in finer:  # From coarse to fine: each takes over where the one before ended.
        _extend(snapshot, query, name, partials, open_us)
    _extend_by_trades(snapshot, query, partials, now_us, open_us + step_us)
    rows = [
        {"timestamp": from_us(open_us), "exchange": exchange, "symbol": symbol, "interval": interval, **_joined(p.pieces)}
        for (exchange, symbol), p in partials.items()
        if p.pieces
    ]
    return _frame(rows, KLINES.columns)


def _extend(snapshot: Snapshot, query: TableQuery, interval: str, partials: dict[Key, _Partial], open_us: int) -> None:
    """Add the closed candles of `interval` that follow on without a break."""
    closed = candle_query(replace(query, columns=KLINES.columns), interval, snapshot.moment, final=True)
    builder = FrameBuilder(KLINES.columns, 0)
    builder.append(snapshot.fetch(*closed.select(Span(from_us(open_us), None))))
    frame = builder.finish()
    step_us = INTERVAL_MS[interval] * 1_000
    for row in _records(frame.assign(open_us=epoch_us(frame))):
        partial = partials.get((row["exchange"], row["symbol"]))
        if partial is not None and partial.reach_us == row["open_us"]:
            partial.pieces.append(row)
            partial.reach_us += step_us


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(map(str, frame.columns), row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _extend_by_trades(snapshot: Snapshot, query: TableQuery, partials: dict[Key, _Partial], now_us: int, end_us: int) -> None:
    """Add the trades from where each series' candles end; where that moment was not recorded, give the candle up."""
    trades = _trades_since(snapshot, query, from_us(min(p.reach_us for p in partials.values())), from_us(end_us))
    times = epoch_us(trades)
    for (exchange, symbol), partial in partials.items():
        fresh = bool(partial.pieces) and now_us - partial.reach_us <= 2 * _MINUTE_US
        if not fresh and not _recorded_through(snapshot, exchange, partial.reach_us, now_us):
            partial.pieces.clear()
            continue
        mine = trades[(times >= partial.reach_us) & (trades["exchange"] == exchange).to_numpy() & (trades["symbol"] == symbol).to_numpy()]
        repeated = mine["trade_id"].duplicated() & (mine["trade_id"] != "")
        if len(mine):
            partial.pieces.append(_piece(mine[~repeated]))


def _trades_since(snapshot: Snapshot, query: TableQuery, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    relation, arrival = snapshot.relation(TRADE), snapshot.arrival(TRADE)
    trades = replace(query, table=TRADE, relation=relation, arrival=arrival, columns=TRADES.columns)
    window = Window(start, snapshot.moment, until=end)
    return read_frame(snapshot, trades, window, limit=None, max_bytes=_TRADES_BYTES, tz="UTC", label="trades of the forming candle")


def _recorded_through(snapshot: Snapshot, exchange: str, moment_us: int, now_us: int) -> bool:
    """Return whether the exchange's trades were being recorded from a moment on: one in the minute before, and in each since."""
    minutes = (now_us - moment_us) // _MINUTE_US
    statement = (
        "SELECT uniqExact(intDiv(dateDiff('millisecond', {start:DateTime64(3, 'UTC')}, t.timestamp), 60000)) AS met "
        f"FROM {snapshot.relation(TRADE)} AS t WHERE t.exchange = {{exchange:String}} "
        "AND t.timestamp >= {start:DateTime64(3, 'UTC')} AND t.timestamp < {end:DateTime64(3, 'UTC')}"
    )
    bounds = {"start": moment_us - _MINUTE_US, "end": moment_us + minutes * _MINUTE_US}
    times = {name: to_parameter(from_us(us)) for name, us in bounds.items()}
    met: int = snapshot.fetch(statement, times | {"exchange": exchange}).column("met")[0].as_py()
    return met == minutes + 1


def _piece(trades: pd.DataFrame) -> dict[str, Any]:
    """Return what a run of trades, in total order, adds to a candle."""
    price, amount = trades["price"].to_numpy(), trades["amount"].to_numpy()
    return {
        "open": price[0],
        "high": price.max(),
        "low": price.min(),
        "close": price[-1],
        "volume": amount.sum(),
        "quote_volume": (price * amount).sum(),
        "num_trades": float(len(trades)),
    }


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the candle that consecutive pieces make up."""
    return {
        "open": pieces[0]["open"],
        "high": max(p["high"] for p in pieces),
        "low": min(p["low"] for p in pieces),
        "close": pieces[-1]["close"],
        **{name: sum(p[name] for p in pieces) for name in ("volume", "quote_volume", "num_trades")},
        "close_time": pd.NaT,
        "is_final": False,
    }


def _frame(rows: list[dict[str, Any]], columns: tuple[FrameColumn, ...]) -> pd.DataFrame:
    empty = empty_frame(columns)
    if not rows:
        return empty
    frame = pd.DataFrame(rows).set_index(pd.DatetimeIndex([row["timestamp"] for row in rows], name="timestamp").as_unit("us"))
    frame = frame.assign(**{c.name: pd.to_datetime(frame[c.name], utc=True) for c in columns if c.kind == "time"})  # NaT alone has no zone
    named = {c.name: category(c.kind, frame[c.name]) if c.kind in VOCABULARY else empty[c.name].dtype for c in columns}
    return frame[[c.name for c in columns]].astype(named)
