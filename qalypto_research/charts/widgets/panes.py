"""What the panes of a dashboard show beside its candles, as numbers and words. Each is told whole, so that a later one holds good."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qalypto_research.charts.model.checking import base_of
from qalypto_research.charts.model.numbers import decimals_of
from qalypto_research.charts.widgets.source import BoardSource, Pick, in_words
from qalypto_research.schema.frames import epoch_us

Numbers = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

TAPE: Final = 60
"""Trades on the tape, the newest."""
DEPTH: Final = 100
"""Levels a side."""
EVENTS: Final = 60
TOTALS: Final = ("rate", "rows", "buffer_bytes", "fill", "dropped", "bad", "missed", "reconnects", "uptime")

_QUOTED: Final = ("trade", "ticker", "orderbook")
_PRICES: Final = ("bid_price", "ask_price", "last_price")
CELL: Final = ("rate", "age", "end_to_end_p50", "end_to_end_p95")
"""What health tells of each type and exchange."""
_EVERY_S: Final = {"quotes": 0.5, "book": 0.1, "tape": 0.1, "health": 1.0, "events": 0.5}
"""Ages are told anew though nothing has come; and quotes that change faster cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one pane shows.

    Attributes
    ----------
    name : str
        Of the pane.
    facts : dict
        Plain JSON. Only ``why`` where it cannot be shown.
    numbers : numpy.ndarray
        Of them, row by row.
    """

    name: str
    facts: dict[str, Any]
    numbers: Numbers


class Panes:
    """Reads what the panes show. For one thread, the painter's.

    Parameters
    ----------
    source : BoardSource
        Where it comes from.
    stale_s : float
        From which age on a quote is stale.

    Attributes
    ----------
    book : pandas.DataFrame or None
        The whole book of which the depth was told last; None where there is none.
    """

    def __init__(self, source: BoardSource, stale_s: float) -> None:
        self._source = source
        self._stale_s = stale_s
        self._readers: dict[str, Callable[[Pick, bool], Part | None]] = {
            "quotes": self._read_quotes,
            "book": self._read_book,
            "tape": self._read_tape,
            "health": self._read_health,
            "events": self._read_events,
        }
        self._pick: Pick | None = None
        self._mark: object = None
        self.book: pd.DataFrame | None = None
        self.forget()

    def forget(self) -> None:
        """Tell everything anew, with the next time."""
        self._due_s = dict.fromkeys(self._readers, float("-inf"))
        self._fresh = set(self._readers)
        self._came: dict[str, object] = {}
        self._refused: dict[str, str] = {}

    def take(self, pick: Pick) -> list[Part]:
        """Return the panes that are to be shown anew for these candles."""
        if pick != self._pick:
            self._pick = pick
            self.forget()
        now = time.monotonic()
        parts = []
        for name in [name for name, due in self._due_s.items() if due <= now]:
            self._due_s[name] = now + _EVERY_S[name]
            part = self._read(name, pick)
            if part is not None:
                parts.append(part)
        return parts

    def _read(self, name: str, pick: Pick) -> Part | None:
        """Return a pane, in its place why it cannot be shown: the others must not be lost with it."""
        try:
            part = self._readers[name](pick, name in self._fresh)
        except Exception as error:  # noqa: BLE001 - as above
            _log.debug("the pane %s failed", name, exc_info=error)
            self._fresh.add(name)  # of what was read before, nothing may be shown
            said = in_words(error)
            if self._refused.get(name) == said:
                return None
            self._refused[name] = said
            return Part(name, {"why": said}, np.empty(0))
        self._fresh.discard(name)
        self._refused.pop(name, None)
        return part

    def _changed(self, name: str, symbol: str, *kinds: str) -> bool:
        """Return whether anything has come since the last time; before reading, so that what comes meanwhile is read again."""
        came = self._source.came(symbol, *kinds)
        changed = self._came.get(name) != came
        self._came[name] = came
        return changed

    def _read_quotes(self, pick: Pick, fresh: bool) -> Part:  # noqa: FBT001 - all readers are called alike
        source = self._source
        if self._changed("quotes", pick.symbol, *_QUOTED) or fresh:
            frame = source.quotes(pick.symbol)
            self._quotes = frame.set_index(frame["exchange"].astype("str")).reindex(list(source.exchanges()))
        rows = self._quotes
        prices = rows[list(_PRICES)].to_numpy(np.float64)
        quoted_s, priced_s = _seconds(rows["quote_time"]), _seconds(rows["price_time"])
        age_s = source.status().now - np.where(np.isfinite(quoted_s), quoted_s, priced_s)
        numbers = _quotes(prices, age_s, self._stale_s)
        known = decimals_of(prices.ravel())
        facts = {"symbol": pick.symbol, "exchanges": list(rows.index), "precision": known, "stale": self._stale_s}
        return Part("quotes", facts, numbers)

    def _read_book(self, pick: Pick, fresh: bool) -> Part | None:  # noqa: FBT001
        if not self._changed("book", pick.symbol, "orderbook") and not fresh:
            return None
        self.book = None
        frame = self._source.book(pick, DEPTH)
        facts: dict[str, Any] = {"exchange": pick.exchange, "bids": 0, "at": None, "precision": 0, "base": base_of(pick.symbol)}
        if frame.empty:
            return Part("book", facts, np.empty(0))
        self.book = frame
        sides = [_side(frame, side) for side in ("bid", "ask")]
        both = np.concatenate(sides)
        facts |= {"bids": len(sides[0]), "at": float(epoch_us(frame)[-1]) / 1e6, "precision": decimals_of(both[:, 0])}
        return Part("book", facts, both)

    def _read_tape(self, pick: Pick, fresh: bool) -> Part | None:  # noqa: FBT001
        if not self._changed("tape", pick.symbol, "trade") and not fresh:
            return None
        frame, self._mark = self._source.trades(pick, None if fresh else self._mark, TAPE)
        news = _tape(frame)
        if fresh:
            self._tape = news
        elif len(news):
            both = np.concatenate([self._tape, news])
            self._tape = both[np.argsort(both[:, 0], kind="stable")][-TAPE:]
        else:
            return None  # of other exchanges
        return Part("tape", {"exchange": pick.exchange, "precision": decimals_of(self._tape[:, 2])}, self._tape)

    def _read_health(self, _: Pick, __: bool) -> Part:  # noqa: FBT001
        condition = self._source.condition()
        series, source = condition.series, self._source
        kinds = list(dict.fromkeys(series["type"]))
        exchanges = list(source.exchanges())
        index = pd.MultiIndex.from_product([kinds, exchanges], names=["type", "exchange"])
        by_series = series.assign(exchange=series["exchange"].astype("str")).set_index(["type", "exchange"]).reindex(index)
        totals = {name: float(condition.totals[name]) for name in TOTALS}
        facts = {"kinds": kinds, "exchanges": exchanges, "totals": totals, "offset": bool(series["clock_offset"].any())}
        return Part("health", facts, by_series[list(CELL)].to_numpy(np.float64))

    def _read_events(self, _: Pick, fresh: bool) -> Part | None:  # noqa: FBT001
        events = self._source.events().iloc[-EVENTS:]
        rows = list(zip(_seconds(events.index.to_series()).tolist(), events["what"].tolist(), events["detail"].tolist(), strict=True))
        if self._came.get("events") == rows and not fresh:
            return None
        self._came["events"] = rows
        return Part("events", {"events": rows}, np.empty(0))


def _seconds(times: pd.Series) -> Numbers:
    """Return times in seconds since 1970 UTC, NaN where there is none."""
    us = times.to_numpy("datetime64[us]")
    seconds: Numbers = np.where(np.isnat(us), np.nan, us.astype(np.int64) / 1e6)
    return seconds


def _quotes(prices: Numbers, age_s: Numbers, stale_s: float) -> Numbers:
    """Return bid, ask, spread (bps), last price, age (s), and whether bid and ask are the best; who is stale is not among these."""
    bid, ask, last = prices.T
    fresh = age_s <= stale_s
    best_bid = bid == np.max(bid, initial=-np.inf, where=fresh & np.isfinite(bid))
    best_ask = ask == np.min(ask, initial=np.inf, where=fresh & np.isfinite(ask))
    bps = (ask - bid) / ((ask + bid) / 2) * 1e4
    return np.column_stack((bid, ask, bps, last, age_s, best_bid & fresh, best_ask & fresh))


def _side(frame: pd.DataFrame, side: str) -> Numbers:
    """Return price and size of the levels of a side of the last book, the best first."""
    pairs = frame[[f"{side}_{field}_{level}" for level in range(DEPTH) for field in ("price", "size")]].iloc[-1]
    levels = pairs.to_numpy(np.float64).reshape(-1, 2)
    known: Numbers = levels[np.isfinite(levels).all(axis=1) & (levels[:, 1] >= 0)]
    return np.take(known, np.argsort(known[:, 0] * (1 if side == "ask" else -1), kind="stable"), axis=0)


def _tape(frame: pd.DataFrame) -> Numbers:
    """Return time (seconds since 1970 UTC), side (1 bought, -1 sold, 0 not known), price, size and whether it was a liquidation."""
    side, amount = frame["side"].astype("str").to_numpy(), frame["amount"].to_numpy(np.float64)
    columns = (
        epoch_us(frame) / 1e6,
        np.where(side == "buy", 1.0, np.where(side == "sell", -1.0, 0.0)),
        frame["price"].to_numpy(np.float64),
        np.where(np.isfinite(amount) & (amount >= 0), amount, np.nan),
        frame["is_liquidation"].to_numpy(np.float64),
    )
    return np.column_stack(columns)
