"""Live charts of a live buffer: here the stream and the charts are joined, of which neither knows the other."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import numpy as np
import pandas as pd

from qalypto_research.asked import pick_flag, pick_interval
from qalypto_research.charts.widgets.looks import check_looks, check_whole
from qalypto_research.charts.widgets.source import Choices, News, Pick, Status
from qalypto_research.errors import InputError, QalyptoError
from qalypto_research.history import api as history
from qalypto_research.history.reader import Reader
from qalypto_research.schema.tables import KLINE
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS
from qalypto_research.stream import api, question
from qalypto_research.stream.asking import check_listened, pick_exchanges, pick_intervals, pick_symbols
from qalypto_research.stream.health import Health

if TYPE_CHECKING:
    from qalypto_research.charts.widgets.chart import LiveChart


class Charted(question.Live, Protocol):
    """A live buffer, as its charts see it."""

    @property
    def con(self) -> object:
        """The connection it is of."""
        ...

    @property
    def events(self) -> pd.DataFrame:
        """What happened."""
        ...

    def health(self) -> Health:
        """Return how it is doing."""
        ...


_MOST_BEFORE: Final = 2_000

_charts: Final[dict[Charted, dict[tuple[Any, ...], LiveChart]]] = {}
"""Those of each buffer that have not ended, by what they were asked to be: a cell that is run again finds its own."""
_making = threading.Lock()


def chart(
    live: Charted,
    symbol: str,
    interval: str = "1m",
    *,
    exchange: str | None = None,
    before: int = 300,
    tz: str | dt.tzinfo | None = None,
    theme: str = "auto",
    height: int = 420,
    interactive: bool | None = None,
) -> LiveChart:
    """Show candles that follow the market, in a notebook.

    The candle that is not over is drawn pale, and candles that are missing are shaded, as are, in red, those with prices that no
    market can have, which are not drawn. Zoom and position are the user's, and stay.
    Where the interactive chart cannot be had, which a warning explains, a plainer one is drawn with matplotlib. A cell that is run
    again shows the chart that is there, of what the cell says though it was switched meanwhile; one whose cells have all been run
    again without it is closed. Channel: ``kline``.

    Parameters
    ----------
    symbol : str
        A pair such as ``"BTCUSDT"``; upper or lower case.
    interval : str
        Such as "1m"; one that is listened to.
    exchange : str, optional
        One exchange. By default the buffer's own, else the connection's; the first where these are several.
    before : int
        How many closed candles, up to 2,000, are read from the history to begin with; 0 for none.
    tz : str or tzinfo, optional
        Zone in which times are written; UTC by default.
    theme : str
        "light", "dark" or "auto": as JupyterLab has it, the plainer chart light.
    height : int
        Of the chart itself, in pixels: 160 to 4,000.
    interactive : bool, optional
        False for the plainer chart; True for an error where the interactive one cannot be had.

    Returns
    -------
    LiveChart
        A widget: ``.pause()``, ``.resume()``, ``.switch("ETHUSDT")``; ``.zone``, ``.theme`` and ``.height`` can be set; ``.stop()``
        leaves a picture in its place, as ``live.stop()`` does, ``.close()`` nothing.

    Raises
    ------
    UnknownNameError
        A symbol, interval, exchange or theme that is not there, or not listened to.
    InputError
        Any other argument that cannot be used, or no candles are listened to.
    DisplayError
        The kernel cannot show it, or `interactive` is True and the interactive chart cannot be had; says what is missing.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("kline:1m:btcusdt") as live:
    ...     chart = live.chart("BTCUSDT", "1m")
    ...     chart.showing.symbol
    'BTCUSDT'
    """
    from qalypto_research.charts.widgets.opening import open_chart  # noqa: PLC0415 - widgets take long to import

    looks = check_looks(tz, theme, height)
    check_begin(before, interactive)
    source = LiveSource(live, before)
    pick = source.pick(Pick(symbol, interval, exchange or source.default_exchange()))
    key = ("chart", pick, before, looks, interactive)
    return keep(live, key, pick, lambda: open_chart(source, pick, looks, interactive=interactive))


def keep(live: Charted, key: tuple[Any, ...], pick: Pick, make: Callable[[], LiveChart]) -> LiveChart:
    """Return the chart of a buffer that was asked for by the same before, and have it show that; else make it."""
    with _making:
        held = _charts.get(live, {}).get(key)
        there = make() if held is None or held.ended else held
        if there is not held:
            _charts.setdefault(live, {})[key] = there
            there.on_end = partial(_forget, live, key, there)
    if there.ended:  # at once, before it could have been told whom to tell
        there.on_end()
        return there
    there.asked_for()
    if there.showing != pick:
        there.switch(pick.symbol, pick.interval, pick.exchange)
    return there


def _forget(live: Charted, key: tuple[Any, ...], chart: LiveChart) -> None:
    chart.on_end = lambda: None  # what is over must not keep the buffer
    with _making:
        mine = _charts.get(live, {})
        if mine.get(key) is chart:
            del mine[key]
        if not mine:
            _charts.pop(live, None)


def check_begin(before: int, interactive: bool | None) -> None:  # noqa: FBT001 - as the calls have it
    """Refuse a number of candles that cannot be read to begin with, and a kind of chart that is none.

    Raises
    ------
    InputError
        Beyond its bounds, or neither True, False nor None.
    """
    check_whole("before", before, 0, _MOST_BEFORE)
    if interactive is not None:
        pick_flag(interactive, "interactive")


def stop_charts(live: Charted) -> None:
    """Put a picture in the place of each chart of a buffer."""
    with _making:
        mine = list(_charts.pop(live, {}).values())
    failed: list[Exception] = []
    for one in mine:
        try:
            one.stop()
        except Exception as error:  # noqa: BLE001 - raised below: the others have theirs first
            failed.append(error)
    if failed:
        raise failed[0]


class LiveSource:
    """A live buffer as a chart sees it, with the history of its connection before it.

    Parameters
    ----------
    live : Charted
        The buffer.
    before : int
        How many closed candles to begin with.
    """

    def __init__(self, live: Charted, before: int) -> None:
        self._live = live
        self._before = before
        check_listened(live, KLINE)

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the candles."""
        return self._live.synthetic

    def default_exchange(self) -> str:
        """Return the exchange of charts that name none."""
        asked = self._live.exchange
        first = asked if isinstance(asked, str) or asked is None else next(iter(asked))
        return first if first not in (None, "all") else self.choices().exchanges[0]

    def pick(self, pick: Pick) -> Pick:
        """Return a choice as it is spelled in messages."""
        live = self._live
        for name in ("symbol", "interval", "exchange"):
            if not isinstance(getattr(pick, name), str):
                raise InputError(name, f"{getattr(pick, name)!r} must be one name; a chart shows one series")
        if pick.exchange.strip().lower() == "all":
            raise InputError("exchange", "a chart shows one exchange, not 'all'; name one")
        symbols = pick_symbols(live.intake, [KLINE], pick.symbol, "symbol") or ()
        intervals = pick_intervals(live.intake, pick_interval(pick.interval)) or ()
        exchanges = pick_exchanges(live, pick.exchange, all_too=False) or ()
        return Pick(symbols[0], intervals[0], exchanges[0])

    def choices(self) -> Choices:
        """Return what is listened to; of what is not named there, what has come."""
        live = self._live
        channels = [channel for channel in live.intake.channels if channel.kind in ("", KLINE.name)]
        named = {channel.symbol for channel in channels} - {""}
        seen = {symbol for kind, symbol in live.intake.store.buffers() if kind == KLINE.name}
        intervals = {channel.interval for channel in channels}
        kept = live.intake.exchanges or {exchange for kind, exchange in tuple(live.intake.counts) if kind == KLINE.name}
        return Choices(
            tuple(name for name in (*SYMBOLS, *sorted((named | seen) - set(SYMBOLS))) if name in named | seen),
            INTERVALS if "" in intervals else tuple(name for name in INTERVALS if name in intervals),
            tuple(name for name in EXCHANGES if name in kept) or EXCHANGES[:1],
        )

    def mark(self) -> object:
        """Return the marks behind all that has come so far."""
        return self._live.intake.store.marks()

    def klines(self, pick: Pick) -> tuple[pd.DataFrame, str]:
        """Return the closed candles of the history and those of the stream, which count where both have one."""
        came = api.klines(self._live, pick.symbol, pick.interval, exchange=pick.exchange, final=False)
        if not self._before:
            return came, ""
        try:
            con = cast("Reader", self._live.con)
            before = history.klines(con, pick.symbol, pick.interval, exchange=pick.exchange, limit=self._before, gaps="ignore")
        except QalyptoError as error:
            return came, f"without the candles before: {error}"
        settled = came[came["is_final"] | ~came.index.isin(before.index)]
        return pd.concat([before[~before.index.isin(settled.index)], settled]).sort_index(kind="stable"), ""

    def news(self, pick: Pick, mark: object) -> News | None:
        """Return the candles that have changed since a mark."""
        store = self._live.intake.store
        marks = cast("dict[int, int]", mark)
        buffer = store.buffers().get((KLINE.name, pick.symbol))
        if buffer is None or marks.get(buffer.number, 0) == buffer.end:
            return None
        frame, behind, _ = store.since(KLINE, marks, (pick.symbol,))
        # By their arrays: this runs for each picture, and most of its time would go into Series.
        names = ("symbol", "interval", "exchange")
        chosen = np.logical_and.reduce([np.asarray(frame[name].array == getattr(pick, name)) for name in names])
        return News(frame.iloc[np.flatnonzero(chosen)], behind)

    def status(self) -> Status:
        """Return how the stream is doing."""
        live = self._live
        return Status(live.state, live.reason, live.intake.now_us() / 1e6)
