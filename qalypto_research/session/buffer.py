"""The live buffer that ``qr.live`` makes: its calls, each at home in ``stream``, and its life."""

from __future__ import annotations

import datetime as dt
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from html import escape
from types import TracebackType
from typing import Any, Final, Protocol, Self

import pandas as pd

from qalypto_research.asked import Names
from qalypto_research.clock import Clock, ServerClock
from qalypto_research.config import StreamAccess
from qalypto_research.errors import ClosedError, InputError, StreamError, UnknownNameError, WaitTimeoutError
from qalypto_research.schema.tables import TABLES
from qalypto_research.session import boards, charting
from qalypto_research.stream import api, latest, news
from qalypto_research.stream.actions import WHATS
from qalypto_research.stream.callbacks import Caller
from qalypto_research.stream.health import Health, build_series, to_page, total_rate
from qalypto_research.stream.hub import FINAL, join_hub, leave_hub
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.waiting import batches, check_seconds, pass_time, pass_time_in_cell, wait_for_rows
from qalypto_research.timerange import DurationLike, parse_duration

HAPPENINGS: Final = (*(what for what in WHATS if what != "status"), "bad", "callback", "clock")
"""What a callback can be asked for beside messages."""

_called: Final[set[Live]] = set()
"""Those with callbacks, which go on though nothing else may hold them."""

_US: Final = dt.timedelta(microseconds=1)
_ANSWER_S: Final = 10.0


class Origin(Protocol):
    """A connection, as live buffers see it."""

    @property
    def clock(self) -> Clock | ServerClock:
        """Its now."""
        ...

    @property
    def target(self) -> str:
        """What it stands on."""
        ...

    def stream_symbols(self) -> set[str] | None:
        """Return the symbols that its stream can be of; None where only the stream knows."""
        ...

    def default_exchange(self) -> str | None:
        """Return the exchange of calls that name none; None where several are there and none is the default."""
        ...

    @property
    def source(self) -> str:
        """Where the rows come from."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether a generator made the rows."""
        ...

    def stream_access(self) -> StreamAccess:
        """Return the way to its stream."""
        ...


class Live:
    """A running live buffer. Made by ``qr.live``.

    Attributes
    ----------
    channels : tuple of str
        What it listens to.
    name : str or None
        The name it was given.
    exchange : str, tuple of str or None
        Exchanges of calls that name none.
    source : str
        Where the rows come from, in the connection's words.
    synthetic : bool
        Whether a generator made the rows.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.live("trade:btcusdt") as live:
    ...     trades = live.wait(rows=1).trades(exchange="all")
    >>> bool(trades.index.is_monotonic_increasing)
    True
    """

    trades = api.trades
    tickers = api.tickers
    klines = api.klines
    orderbook_tops = api.orderbook_tops
    orderbooks = api.orderbooks
    last = latest.last
    spreads = latest.spreads
    since = news.since
    chart = charting.chart
    dashboard = boards.dashboard

    def __init__(self, con: Origin, intake: Intake, exchange: Names | None, name: str | None) -> None:
        self.intake = intake
        self.exchange = con.default_exchange() if exchange is None else exchange
        self.name = name
        self.con = con  # an archive's stream ends with the last that holds its connection
        self._hub = join_hub(con.stream_access(), intake.now_us, intake)
        self._stopped = False
        self._callers: list[Caller] = []
        self._missed = 0
        self._errors = 0
        self._ending = threading.Lock()
        # The collector may come from any thread, also the connection's own: it only leaves word.
        weakref.finalize(self, intake.give_up)

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(channel.text for channel in self.intake.channels)

    @property
    def source(self) -> str:
        return self.con.source

    @property
    def synthetic(self) -> bool:
        return self.con.synthetic

    @property
    def state(self) -> str:
        """What the connection is doing: "connecting", "live", "waiting" (to connect again), "finished", "failed" or "stopped"."""
        if self._stopped:
            return "stopped"
        state = self._hub.state_of(self.channels)
        begun = state == "live" and self._hub.confirmed(self.intake.channels)
        return "connecting" if state == "new" or (state == "live" and not begun) else state

    @property
    def reason(self) -> str:
        """Why it waits or has ended, and what cannot be had, for people; empty where all is well."""
        refused = [f"{channel}: {said}" for channel, said in self.refused.items()]
        if self._all_refused():
            return "; ".join(refused)
        if self._stopped:
            return ""
        shared = self._hub.reason if self._hub.state_of(self.channels) == self._hub.state else ""  # or it is the others' alone
        return "; ".join(filter(None, [shared, *refused]))

    @property
    def refused(self) -> dict[str, str]:
        """Its channels that the server refuses, and what it says."""
        return {channel: why for channel, why in self._hub.refused.items() if channel in self.channels}

    @property
    def events(self) -> pd.DataFrame:
        """What happened, the last 1,000 of it: index ``at`` (``datetime64[us, UTC]``, the connection's clock), what, detail (str)."""
        events, _ = self.intake.happenings()
        index = pd.DatetimeIndex([e.at for e in events], dtype="datetime64[us, UTC]", name="at")
        return pd.DataFrame({"what": [e.what for e in events], "detail": [e.detail for e in events]}, index=index, dtype="str")

    # --- Waiting, and being told -----------------------------------------------------------------------------------

    def wait(self, rows: int = 1, timeout: float | None = 10.0, table: str | None = None) -> Self:
        """Wait until so many rows are kept, and return the buffer itself.

        Parameters
        ----------
        rows : int
            How many, of all symbols and exchanges together.
        timeout : float or None
            Seconds to wait at most; None for no limit.
        table : str, optional
            Of "trade", "ticker", "kline" or "orderbook" alone. By default of all.

        Returns
        -------
        Live
            The buffer.

        Raises
        ------
        WaitTimeoutError
            They did not come in time; also a ``TimeoutError``.
        StreamError
            The stream has failed, ended or was stopped before.
        InputError
            An argument that cannot be used.
        """
        wait_for_rows(self, rows, timeout, table)
        return self

    def on(self, what: str, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call a function with what comes or happens, on a thread of its own.

        A callback that fails or is slow is reported in ``live.events`` and ``live.health()``, and stops nothing. The buffer
        goes on until it is stopped, also where no variable holds it.

        Parameters
        ----------
        what : str
            "trade", "ticker", "kline" or "orderbook": the function is given a DataFrame of the new rows, of all exchanges, about
            twenty times a second; for one that is slower than the stream the oldest beyond 100,000 rows are left out, and
            counted. Or what happens: "live", "lost", "reconnect", "stale", "refused", "unconfirmed", "error", "unknown",
            "finished", "failed", "bad", "callback", "clock": it is given an event with ``at``, ``what`` and ``detail``.
        callback : callable
            Takes the one argument.

        Returns
        -------
        callable
            Call it to end it. A function that a cell or module defines takes the place of the one of the same name for the same
            thing, so that a cell can be run again; a lambda, a method or an inner function is added each time.

        Raises
        ------
        UnknownNameError
            There is no such thing.
        InputError
            Not callable, or a type of messages that is not listened to.
        ClosedError
            The buffer was stopped.
        """
        kinds = self.intake.kinds()
        if not isinstance(what, str) or what not in (*kinds, *HAPPENINGS):
            hint = f"this buffer listens to {', '.join(self.channels)}" if isinstance(what, str) and what in TABLES else ""
            raise UnknownNameError("what", what, (*kinds, *HAPPENINGS), hint)
        if not callable(callback):
            raise InputError("callback", f"{callback!r} cannot be called; give a function that takes one argument")
        with self._ending:
            if self._stopped:
                raise ClosedError("this buffer was stopped; make another with qr.live()")
            before = [caller for caller in self._callers if caller.is_before(what, callback)]
            caller = Caller(self.intake, what, callback)
            self._callers.append(caller)
            _called.add(self)
        for one in before:
            self._end_call(one)
        return lambda: self._end_call(caller)

    def _end_call(self, caller: Caller) -> None:
        caller.stop()
        with self._ending:
            if caller in self._callers:
                self._callers.remove(caller)
                self._missed += caller.missed
                self._errors += caller.errors
            if not self._callers:
                _called.discard(self)

    def __aiter__(self) -> AsyncIterator[news.Batch]:
        """Yield what is new from now on, batch after batch, up to the end of the stream."""
        return batches(self)

    async def arun(self, seconds: float | None = None) -> None:
        """Let time pass in a coroutine, while the buffer fills and the loop serves others.

        Parameters
        ----------
        seconds : float, optional
            For how long; by default until the stream ends or is stopped.

        Raises
        ------
        StreamError
            The stream has failed.
        InputError
            `seconds` is no number above zero.
        """
        await pass_time(self, seconds)

    def run(self, seconds: float | None = None) -> None:
        """Let time pass in a cell or a script, while the buffer fills; the kernel's loop goes on and serves widgets.

        Parameters
        ----------
        seconds : float, optional
            For how long; by default until the stream ends, or the cell is interrupted.

        Raises
        ------
        StreamError
            The stream has failed.
        InputError
            `seconds` is no number above zero.
        """
        pass_time_in_cell(self, seconds)

    # --- How it is doing -------------------------------------------------------------------------------------------

    def health(self, window: DurationLike = "1m") -> Health:
        """Return how the buffer and its connection are doing.

        Parameters
        ----------
        window : str or timedelta
            Latencies are those of messages that arrived in the last so long.

        Returns
        -------
        Health
            ``series``, one row a type and exchange: rates, ages, latencies; ``totals``; ``bad`` and ``refused``.

        Raises
        ------
        InputError
            `window` is no length of time.
        """
        window_us = parse_duration(window, "window") // _US
        store, hub = self.intake.store, self._hub
        size = store.nbytes
        buffers = store.buffers().values()
        totals: dict[str, float] = {
            "messages": hub.messages,
            "bytes": hub.bytes,
            "rate": total_rate(self.intake),
            "rows": store.count(),
            "buffer_bytes": size,
            "fill": size / store.max_bytes,
            "dropped": store.dropped,
            "repeated": sum(buffer.repeated for buffer in buffers),
            "bad": hub.bad.total() + store.bad.total(),
            "unknown": hub.unknown,
            "missed": self._missed + sum(caller.missed for caller in self._callers),
            "callback_errors": self._errors + sum(caller.errors for caller in self._callers),
            "reconnects": hub.reconnects,
            "uptime": hub.uptime_s,
        }
        series = build_series(self.intake, self.intake.now_us(), window_us)
        return Health(series, self.state, self.reason, totals, {**hub.wrong, **store.wrong}, self.refused)

    def status(self, timeout: float = _ANSWER_S) -> dict[str, Any]:
        """Ask the server what it knows of the connection, and return its answer.

        Parameters
        ----------
        timeout : float
            Seconds to wait for it.

        Returns
        -------
        dict
            As the server sent it, such as ``subscriptions``.

        Raises
        ------
        WaitTimeoutError
            No answer in time.
        StreamError
            The stream has ended.
        InputError
            `timeout` is no number above zero.
        """
        seconds = check_seconds(timeout, "timeout")
        if self.state in FINAL:
            raise StreamError(f"the stream is {self.state}{f': {self.reason}' if self.reason else ''}")
        answer = self._hub.status(min(seconds, threading.TIMEOUT_MAX))
        if answer is None:
            raise WaitTimeoutError(f"no answer to status in {seconds:g} s; the stream is {self.state}")
        return answer

    # --- Its end ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop listening. What is kept can still be asked for. Stopping twice is fine."""
        with self._ending:
            if self._stopped:
                return
            self._stopped = True
            _called.discard(self)
        leave_hub(self._hub, self.intake)
        try:
            charting.stop_charts(self)
        finally:  # whatever their pictures fail at
            self.intake.note("stopped", "")
            for caller in list(self._callers):
                caller.stop()
            self.intake.rates.clear()

    def abandon(self) -> None:
        """Be stopped, without ending what is not there: in a forked process."""
        self._stopped = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _all_refused(self) -> bool:
        return len(self.refused) == len(self.channels)

    def __repr__(self) -> str:
        return "<" + "; ".join(f"{name}: {value}" for name, value in self._facts().items()) + ">"

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        facts = "".join(f"<tr><th {left}>{escape(k)}</th><td {left}>{escape(v)}</td></tr>" for k, v in self._facts().items())
        series = build_series(self.intake, self.intake.now_us(), 60_000_000)
        return f"<table>{facts}</table>{to_page(series[['type', 'exchange', 'messages', 'rate', 'age', 'arrival_p50']])}"

    def _facts(self) -> dict[str, str]:
        store, reason = self.intake.store, self.reason
        rate, size = total_rate(self.intake), store.nbytes / 1e6
        return {
            "live": ", ".join(self.channels),
            "of": f"{self.con.target}{' (synthetic, not the market)' if self.synthetic else ''}",
            "state": f"{self.state}{f' ({reason})' if reason else ''}",
            "kept": f"{store.count():,} rows in {size:,.1f} MB, {rate:,.0f} messages/s",
        }
