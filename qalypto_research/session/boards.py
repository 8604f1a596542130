"""The dashboard of a live buffer: here, too, stream and charts are joined."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pandas as pd

from qalypto_research.charts.widgets.looks import check_looks
from qalypto_research.charts.widgets.source import Condition, Pick
from qalypto_research.schema.tables import ORDERBOOK, TRADE
from qalypto_research.schema.vocabulary import EXCHANGES
from qalypto_research.session.charting import Charted, LiveSource, check_begin, keep
from qalypto_research.stream import latest
from qalypto_research.stream.asking import check_listened, pick_symbols
from qalypto_research.timerange import DurationLike, parse_duration

if TYPE_CHECKING:
    from qalypto_research.charts.widgets.chart import LiveChart

_US: Final = dt.timedelta(microseconds=1)
_MOST_BYTES: Final = 100_000_000
"""Of books that came at one moment, which are few."""


def dashboard(
    live: Charted,
    symbol: str | None = None,
    interval: str | None = None,
    *,
    exchange: str | None = None,
    before: int = 300,
    stale: DurationLike = "5s",
    tz: str | dt.tzinfo | None = None,
    theme: str = "auto",
    height: int = 520,
    interactive: bool | None = None,
) -> LiveChart:
    """Show candles, quotes, depth, trades, health and events, in a notebook.

    The candles are those of ``live.chart``. The quotes of the exchanges stand side by side, and an age turns red when a quote is
    stale; depth is that of the newest whole book, and the tape that of the trades, of the exchange whose candles are shown. What is
    not listened to says so in its place. A cell that is run again shows the dashboard that is there, of what the cell says though
    it was switched meanwhile; one whose cells have all been run again without it is closed. Channels: ``kline``, and as far as they
    are listened to ``ticker``, ``orderbook`` and ``trade``.

    Parameters
    ----------
    symbol : str, optional
        A pair such as ``"BTCUSDT"``; upper or lower case. By default the first that is listened to.
    interval : str, optional
        Such as "1m". By default the shortest that is listened to.
    exchange : str, optional
        One exchange. By default the buffer's own, else the connection's; the first where these are several.
    before : int
        How many closed candles, up to 2,000, are read from the history to begin with; 0 for none.
    stale : str or timedelta
        From which age on a quote is stale, such as "5s" (exclusive).
    tz : str or tzinfo, optional
        Zone in which times are written; UTC by default.
    theme : str
        "light", "dark" or "auto": as JupyterLab has it, the plainer one light.
    height : int
        Of the candles, in pixels: 160 to 4,000; a dashboard drawn with matplotlib has a size of its own.
    interactive : bool, optional
        False for a plainer one, drawn with matplotlib every three seconds; True for an error where the interactive one cannot be had.

    Returns
    -------
    LiveChart
        A widget: ``.pause()``, ``.resume()``, ``.switch("ETHUSDT")``; ``.snapshot()`` returns a picture of the moment (bytes, a
        PNG); ``.stop()`` leaves that picture in its place, as ``live.stop()`` does, ``.close()`` nothing.

    Raises
    ------
    UnknownNameError
        A symbol, interval, exchange or theme that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or no candles are listened to.
    DisplayError
        The kernel cannot show it, or `interactive` is True and the interactive one cannot be had; says what is missing.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("kline:1m:btcusdt", "ticker:btcusdt") as live:
    ...     board = live.dashboard("BTCUSDT")
    ...     board.showing.interval
    '1m'
    """
    from qalypto_research.charts.widgets.opening import open_board  # noqa: PLC0415 - widgets take long to import

    looks = check_looks(tz, theme, height)
    check_begin(before, interactive)
    stale_s = parse_duration(stale, "stale").total_seconds()
    source = BoardLiveSource(live, before)
    choices = source.choices()
    asked = (symbol or next(iter(choices.symbols), "BTCUSDT"), interval or choices.intervals[0], exchange or source.default_exchange())
    pick = source.pick(Pick(*asked))
    key = ("dashboard", pick, before, stale_s, looks, interactive)
    return keep(live, key, pick, lambda: open_board(source, pick, looks, stale_s, interactive=interactive))


class BoardLiveSource(LiveSource):
    """A live buffer as a dashboard sees it."""

    def exchanges(self) -> tuple[str, ...]:
        """Return those that are kept, or all that are documented."""
        kept = self._live.intake.exchanges
        return EXCHANGES if kept is None else tuple(kept)

    def came(self, symbol: str, *kinds: str) -> object:
        """Return how far the buffers of these types have come."""
        buffers = self._live.intake.store.buffers()
        return [(there.number, there.end) for there in (buffers.get((kind, symbol)) for kind in kinds) if there is not None]

    def quotes(self, symbol: str) -> pd.DataFrame:
        """Return what is known last of each exchange."""
        return latest.last(self._live, symbol, exchange=self.exchanges())

    def book(self, pick: Pick, depth: int) -> pd.DataFrame:
        """Return the newest whole book; what it holds is read of that one alone."""
        live = self._live
        check_listened(live, ORDERBOOK)
        store, symbols, exchanges = live.intake.store, (pick.symbol,), (pick.exchange,)
        newest = store.newest(ORDERBOOK, symbols=symbols, exchanges=exchanges, quoted=True)  # only whole ones have a best bid or ask
        since_us = None if newest.empty else newest.index[-1].value // 1_000
        limit = None if len(newest) else 1
        books = store.books(depth, symbols=symbols, exchanges=exchanges, since_us=since_us, limit=limit, max_bytes=_MOST_BYTES)
        return books[books["is_snapshot"]].iloc[-1:].copy()

    def trades(self, pick: Pick, mark: object, most: int) -> tuple[pd.DataFrame, object]:
        """Return the trades that have come since a mark."""
        live, which = self._live, pick.symbol
        store = live.intake.store
        if mark is not None:
            frame, behind, _ = store.since(TRADE, cast("dict[int, int]", mark), (which,))
            return _of(frame, pick.exchange), behind
        check_listened(live, TRADE)
        pick_symbols(live.intake, [TRADE], which, "symbol")
        # Trades and mark out of one reading, or those that come between would be told twice. Of all exchanges there may be very many.
        buffer = store.buffers().get((TRADE.name, which))
        count = most
        while True:
            marks = {} if buffer is None else {buffer.number: max(0, buffer.end - count)}
            frame, behind, _ = store.since(TRADE, marks, (which,))
            own = _of(frame, pick.exchange)
            if len(own) >= most or not any(marks.values()):
                return own.iloc[-most:], behind
            count *= 8

    def condition(self) -> Condition:
        """Return how the stream does."""
        health = self._live.health()
        return Condition(health.series, health.totals)

    def events(self) -> pd.DataFrame:
        """Return what happened."""
        return self._live.events


def _of(frame: pd.DataFrame, exchange: str) -> pd.DataFrame:
    return frame.iloc[np.flatnonzero(frame["exchange"].array == exchange)]
