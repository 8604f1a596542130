"""What is known last of each exchange and symbol, and how far apart the exchanges are."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.asked import Names, pick_every
from qalypto_research.clock import from_us
from qalypto_research.errors import InputError
from qalypto_research.schema.frames import SPREADS, category, empty_frame
from qalypto_research.schema.tables import ORDERBOOK, TICKER, TRADE, Table
from qalypto_research.schema.vocabulary import EXCHANGES, SYMBOLS
from qalypto_research.stream.asking import answer, check_listened, choose, pick_exchanges, pick_symbols, with_facts
from qalypto_research.stream.question import Ask, Chosen, Live
from qalypto_research.timerange import DurationLike

_QUOTE: Final = ("bid_price", "bid_size", "ask_price", "ask_size")
_PRICES: Final = (TRADE, TICKER)
_QUOTES: Final = (ORDERBOOK, TICKER)


def last(live: Live, symbols: Names | None = None, *, exchange: Names | None = None) -> pd.DataFrame:
    """Return what is known last of each exchange and symbol, one row each.

    The price is the newest of trades and tickers, the quote the newest of tickers and whole order books, as far as their
    channels are listened to; each says when it was so.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else all.

    Returns
    -------
    pandas.DataFrame
        A plain RangeIndex; symbols in the documented order, within one the exchanges. Columns: symbol, exchange (category);
        last_price (float64, quote currency), price_time (``datetime64[us, UTC]``); bid_price, bid_size, ask_price, ask_size
        (float64), quote_time; price_age, quote_age (float64: seconds since then by the connection's clock). NaN and NaT where
        nothing came.

    Raises
    ------
    UnknownNameError
        A symbol or exchange that is not there, or not listened to.
    InputError
        Trades, tickers and order books are not listened to.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("ticker:btcusdt") as live:
    ...     now = live.wait(rows=1).last()
    >>> now["symbol"].astype("str").unique().tolist()
    ['BTCUSDT']
    """
    tables = [table for table in (TRADE, TICKER, ORDERBOOK) if table.name in live.intake.kinds()]
    if not tables:
        check_listened(live, TICKER)
    names = pick_symbols(live.intake, tables, symbols, "symbols")
    exchanges = pick_exchanges(live, _exchanges(live, exchange))
    store = live.intake.store
    priced = [_priced(store.newest(t, symbols=names, exchanges=exchanges), t) for t in _PRICES if t in tables]
    quoted = [store.newest(t, symbols=names, exchanges=exchanges, quoted=True) for t in _QUOTES if t in tables]
    prices, quotes = _newer(priced, ["last_price"], "price_time"), _newer(quoted, list(_QUOTE), "quote_time")
    frame = prices.merge(quotes, on=["symbol", "exchange"], how="outer")
    now_us = live.intake.now_us()
    for name in ("price", "quote"):
        frame[f"{name}_age"] = (from_us(now_us) - frame[f"{name}_time"]).dt.total_seconds()
    places = [frame[name].map({n: i for i, n in enumerate(known)}) for name, known in (("symbol", SYMBOLS), ("exchange", EXCHANGES))]
    order = np.lexsort((frame["exchange"], places[1].fillna(len(EXCHANGES)), frame["symbol"], places[0].fillna(len(SYMBOLS))))
    frame = frame.iloc[order].reset_index(drop=True)
    frame = frame.astype({name: category(name, frame[name]) for name in ("symbol", "exchange")})
    return with_facts(frame, live, Chosen(names, exchanges, now_us, None), {"call": "live.last"})


def spreads(
    live: Live,
    symbols: Names | None = None,
    every: DurationLike = "1s",
    *,
    exchange: Names | None = None,
    last: DurationLike | None = None,
    columns: Names | None = None,
    limit: int | None = None,
    tz: str | dt.tzinfo | None = None,
) -> pd.DataFrame:
    """Return the best bid and ask over several exchanges, and how far their prices lie apart, bucket by bucket.

    As ``qr.spreads``, from the tickers that have arrived: of each exchange the last one of the bucket counts, nothing is
    carried forward, a bucket without a ticker has no row, and the running one is not shown. A ticker that arrives later
    changes it. Channel: ``ticker``.

    Parameters
    ----------
    symbols : str or list of str, optional
        Pairs such as ``"BTCUSDT"``; upper or lower case. All by default.
    every : str or timedelta
        Length of a bucket, whole milliseconds. Buckets lie on a grid from 1970 UTC.
    exchange : str or list of str, optional
        A name, several, or "all". By default the buffer's own, else all.
    last : str or timedelta, optional
        Only buckets that began at most so long before the connection's now. All by default.
    columns : str or list of str, optional
        Only these; they keep their order.
    limit : int, optional
        Only the newest so many rows (over all symbols together), ascending.
    tz : str or tzinfo, optional
        Zone in which to show the index.

    Returns
    -------
    pandas.DataFrame
        One row a bucket and symbol, with the columns and dtypes of ``qr.spreads``. The oldest bucket may be partial.

    Raises
    ------
    UnknownNameError
        A symbol, exchange or column that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or tickers are not listened to.
    StreamError
        The server refuses every channel that brings them.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("ticker:btcusdt") as live:
    ...     apart = live.spreads("BTCUSDT", every="1m")
    >>> list(apart.columns)[:4]
    ['symbol', 'exchanges', 'bid_price', 'bid_exchange']
    """
    every_ms = pick_every(every)
    if every_ms is None:
        raise InputError("every", "is None; give the length of a bucket, as '1s', '5m' or '250ms'")
    ask = Ask(symbols, _exchanges(live, exchange), last, None, columns, limit, tz)
    chosen = choose(live, TICKER, ask)
    rows = live.intake.store.frame(TICKER, symbols=chosen.symbols, exchanges=chosen.exchanges)
    frame = build_spreads(rows, every_ms, chosen.now_us)
    if chosen.since_us is not None:
        frame = frame[frame.index >= from_us(chosen.since_us)].copy()
    return answer(live, SPREADS, frame, ask, chosen, call="live.spreads", every_ms=every_ms)


def build_spreads(tickers: pd.DataFrame, every_ms: int, now_us: int) -> pd.DataFrame:
    """Return the spreads of `tickers`, which are in their order, in the buckets that are over at a moment."""
    step_us = every_ms * 1_000
    bucket = pd.DatetimeIndex(tickers.index).as_unit("us").asi8 // step_us
    over = bucket < now_us // step_us
    rows = pd.DataFrame({name: tickers[name].to_numpy()[over] for name in ("symbol", "exchange", "last_price", "bid_price", "ask_price")})
    if rows.empty:
        return empty_frame(SPREADS.columns)
    rows.insert(0, "bucket", bucket[over])
    names = {name: rows[name].astype("str") for name in ("symbol", "exchange")}
    rows = rows.assign(**names).drop_duplicates(["bucket", "symbol", "exchange"], keep="last")
    groups = rows.groupby(["bucket", "symbol"], sort=True)
    found = groups.agg(
        exchanges=("exchange", "size"),
        bid_price=("bid_price", "max"),
        ask_price=("ask_price", "min"),
        min_price=("last_price", "min"),
        max_price=("last_price", "max"),
        avg_price=("last_price", "mean"),
    )
    for side in ("bid", "ask"):
        best = rows[rows[f"{side}_price"] == groups[f"{side}_price"].transform("max" if side == "bid" else "min")]
        # The first by name, where several have it.
        found[f"{side}_exchange"] = best.sort_values("exchange").groupby(["bucket", "symbol"])["exchange"].first()
    found = found.reset_index()
    found["mid_price"] = (found["bid_price"] + found["ask_price"]) / 2
    found["spread"] = found["ask_price"] - found["bid_price"]
    found["spread_bps"] = found["spread"] / found["mid_price"] * 10_000
    found["range_bps"] = (found["max_price"] - found["min_price"]) / found["avg_price"] * 10_000
    index = pd.DatetimeIndex((found["bucket"].to_numpy() * step_us).view("datetime64[us]"), name="timestamp").tz_localize("UTC")
    kinds: dict[str, Any] = {c.name: category(c.kind, found[c.name].dropna()) for c in SPREADS.columns if c.kind in ("symbol", "exchange")}
    frame = found.astype({"exchanges": "int64", **kinds}).set_index(index)
    return frame[[c.name for c in SPREADS.columns]].copy()


def _exchanges(live: Live, asked: Names | None) -> Names:
    """Return the exchanges to set side by side: those the buffer was made for, or all."""
    kept = live.intake.exchanges
    return asked if asked is not None else "all" if kept is None else tuple(kept)


def _priced(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    return rows.rename(columns={"price": "last_price"}) if table is TRADE else rows


def _newer(sources: list[pd.DataFrame], columns: list[str], time: str) -> pd.DataFrame:
    """Return of each exchange and symbol the columns of the newest row in any of the sources, and its time."""
    names = ["symbol", "exchange"]
    kept = [source.reset_index(names=time)[[*names, *columns, time]] for source in sources]
    if not kept:
        empty: dict[str, Any] = dict.fromkeys(names, "str") | dict.fromkeys(columns, "float64") | {time: "datetime64[us, UTC]"}
        return pd.DataFrame(columns=[*names, *columns, time]).astype(empty)
    rows = pd.concat([one.astype(dict.fromkeys(names, "str")) for one in kept])
    return rows.sort_values(time, kind="stable").drop_duplicates(names, keep="last")
