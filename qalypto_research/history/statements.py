"""SQL that users write, answered at the connection's clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qalypto_research.errors import FormatDroppedWarning, WallClockWarning, warn_caller
from qalypto_research.history.calls import with_facts
from qalypto_research.history.reader import Reader
from qalypto_research.history.usersql import prepare


def sql(con: Reader, query: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the answer to a SELECT over the service's tables, as known at the connection's now.

    The tables are ``market_data_trade``, ``market_data_ticker``, ``market_data_kline`` and ``market_data_orderbook``, with
    or without ``market_data.`` before them. What the connection's clock has not reached yet is not in them.

    Parameters
    ----------
    query : str
        One SELECT, or WITH ... SELECT. ``{now}`` stands for the connection's clock (``DateTime64(6, 'UTC')``),
        ``{name:Type}`` for a bound value. ClickHouse's own ``now()`` is wall time; on a connection with a clock it draws
        a warning. A trailing FORMAT is dropped, with a warning: the answer is a frame.
    params : mapping of str to value, optional
        The bound values: strings, numbers, times (naive ones are UTC), dates, lists of them.

    Returns
    -------
    pandas.DataFrame
        Rows and columns as selected, a plain RangeIndex. Times and dates ``datetime64[us, UTC]``; text ``str``, as a
        category where the column is called exchange, symbol, side or interval; floats float64; integers as ClickHouse
        has them (with NULLs: float64 up to 32 bits, else ``Int64`` or ``UInt64``).

    Raises
    ------
    InputError
        Not one SELECT, or a bound value missing, left over or of a kind that cannot be bound.
    QueryError
        ClickHouse refused it.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> con.sql("SELECT count() > 0 AS any FROM market_data_trade WHERE timestamp >= {now} - INTERVAL 1 HOUR")["any"].item()
    1
    >>> con.close()
    """
    with con.snapshot() as snapshot:
        prepared = prepare(query, params, snapshot.moment)
        if prepared.dropped_format is not None:
            dropped = f"query: the trailing FORMAT {prepared.dropped_format} was dropped; the answer is a DataFrame"
            warn_caller(dropped, FormatDroppedWarning)
        if prepared.wall_clock is not None and con.clocked:
            now = f"this connection's clock says {snapshot.moment}; write {{now}} for the clock"
            warn_caller(f"query: {prepared.wall_clock} is wall time, while {now}", WallClockWarning)
        frame = snapshot.answer(prepared.sql, prepared.parameters, label="sql")
        return with_facts(frame, con, snapshot, None, {"call": "sql", "query": query})
