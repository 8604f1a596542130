"""Whether live rows are new enough to act on."""

from __future__ import annotations

import datetime as dt
from typing import Final

import pandas as pd

from qalypto_research.errors import StaleDataError
from qalypto_research.schema.tables import KLINE, Table
from qalypto_research.stream.question import Chosen, Live

_SHOWN: Final = 4
_ANY: Final = "any exchange"


def check_age(live: Live, table: Table, rows: pd.DataFrame, chosen: Chosen, most: dt.timedelta) -> None:
    """Refuse rows of which a series, or one that was asked for by name, has none that is new enough.

    Raises
    ------
    StaleDataError
        There is such a series, or no row at all.
    """
    newest = _newest_us(table, rows)
    symbols = {symbol for _, symbol in newest}
    for symbol in chosen.symbols or ():
        wanted = [(exchange, symbol) for exchange in chosen.exchanges or ([] if symbol in symbols else [_ANY])]
        newest |= {pair: None for pair in wanted if pair not in newest}
    most_us = most // dt.timedelta(microseconds=1)
    old = {pair: at for pair, at in newest.items() if at is None or chosen.now_us - at > most_us}
    why = "" if live.state == "live" else f" (the stream is {live.state}{f': {live.reason}' if live.reason else ''})"
    if not newest:
        raise StaleDataError(f"there is no {table.name} yet{why}", series=())
    if old:
        ages = ["nothing yet" if at is None else f"{(chosen.now_us - at) / 1e6:,.1f} s" for at in old.values()]
        shown = "; ".join(f"{exchange} {symbol}: {age}" for (exchange, symbol), age in list(zip(old, ages, strict=True))[:_SHOWN])
        more = f" and {len(old) - _SHOWN} more" if len(old) > _SHOWN else ""
        raise StaleDataError(f"older than max_age={most.total_seconds():g} s: {shown}{more}{why}", series=old)


def _newest_us(table: Table, rows: pd.DataFrame) -> dict[tuple[str, str], int | None]:
    """Return the time of the newest row of each series, of candles of the interval whose is oldest; microseconds since 1970 UTC."""
    # A candle's time is that of its open: what counts is when its latest update came.
    times = pd.DatetimeIndex(rows["received"] if table is KLINE else rows.index).as_unit("us").asi8
    names = ["exchange", "symbol", *(["interval"] if table is KLINE else [])]
    named = pd.DataFrame({name: rows[name].to_numpy() for name in names} | {"at": times})
    newest = named.groupby(names, observed=True)["at"].max().groupby(["exchange", "symbol"], observed=True).min()
    pairs: list[tuple[str, str]] = newest.index.tolist()
    return dict(zip(pairs, newest.tolist(), strict=True))
