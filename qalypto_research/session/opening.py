"""Making live buffers, and finding the one that is there."""

from __future__ import annotations

import datetime as dt
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from qalypto_research.asked import Names, as_spelled, in_order, names_of, parse_bytes
from qalypto_research.clock import Clock, to_us, wall_us
from qalypto_research.errors import InputError, UnknownNameError
from qalypto_research.schema.vocabulary import EXCHANGES, SYMBOLS
from qalypto_research.schema.wire import Channel
from qalypto_research.session.buffer import Live, Origin
from qalypto_research.stream.intake import Intake
from qalypto_research.timerange import DurationLike, parse_duration

_US: Final = dt.timedelta(microseconds=1)

_lives: Final[weakref.WeakKeyDictionary[Live, Asked]] = weakref.WeakKeyDictionary()
"""All that are not gone, and what they were asked to be: a cell that is run again finds its own among them."""
_making = threading.Lock()


def live(
    con: Origin,
    *channels: str,
    keep: DurationLike = "6h",
    max_bytes: str | int = "1GB",
    exchange: Names | None = None,
    name: str | None = None,
) -> Live:
    """Listen to the live stream, and keep what comes as rolling DataFrames.

    Returns at once; the stream is taken on a thread of its own. A connection that is lost is opened again, as often as it
    takes. Several buffers of one account share one connection. A cell that is run again, with the same channels, exchanges and name, gets
    the buffer that is there; with the same name and other channels that one is stopped.

    Parameters
    ----------
    *channels : str
        "trade", "ticker", "kline" or "orderbook"; of one symbol "trade:btcusdt", of candles "kline:1m:btcusdt"; "*" for all.
        Upper or lower case.
    keep : str or timedelta
        How long rows are kept after they arrived, such as "6h".
    max_bytes : str or int
        What all rows may take, such as "1GB", with the room kept for those to come; beyond that the oldest of the largest
        table and symbol are let go of. Of a buffer that is there already both hold from now on, as this call has them.
    exchange : str or list of str, optional
        Keep the messages of these exchanges alone, and answer for them; "all": keep and answer for all. By default all are
        kept, and calls that name none are answered for the connection's: "binance", or the only one there is.
    name : str, optional
        Tells buffers with the same channels apart.

    Returns
    -------
    Live
        The buffer: ``live.trades()``, ``.tickers()``, ``.klines()``, ``.orderbook_tops()``, ``.orderbooks()``, ``.last()``,
        ``.spreads()``, ``.since()``; ``.wait()``, ``.on()``, ``.run()``; ``.health()``, ``.status()``, ``.events``; ``.stop()``, also at
        the end of a ``with``.

    Raises
    ------
    UnknownNameError
        A channel or exchange that is not known, or, where that can be told, a symbol. What a server refuses later stands in
        ``live.reason`` and ``live.events``.
    InputError
        No channel, or any other argument that cannot be used.
    ConfigurationError
        A credential is missing; names the variable.
    ClosedError
        The connection was closed.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> live = qr.live("trade:btcusdt", "kline:1m:btcusdt")
    >>> len(live.wait(rows=1).trades("BTCUSDT", exchange="all").columns)
    12
    >>> live.stop()
    """
    asked = Asked.parse(channels, exchange, name)
    _check_symbols(con, asked.channels)
    keep_us, room = parse_duration(keep, "keep") // _US, parse_bytes(max_bytes, "max_bytes")
    with _making:
        for one in [one for one in _lives if one.con is con and one.state != "stopped"]:
            same = _lives[one] == asked
            if same and one.state != "failed":
                one.intake.bound(keep_us, room)
                return one
            if same or (name is not None and one.name == name):
                one.stop()
        intake = Intake(asked.channels, asked.kept, keep_us=keep_us, max_bytes=room, now_us=_now_of(con), pace=_pace_of(con))
        made = Live(con, intake, asked.exchange, name)
        _lives[made] = asked
        return made


def _check_symbols(con: Origin, channels: Sequence[Channel]) -> None:
    there = con.stream_symbols()
    for channel in channels:
        if there is not None and channel.symbol and channel.symbol not in there:
            raise UnknownNameError("channels", channel.symbol, in_order(there, SYMBOLS))


def stop_lives(con: Origin) -> None:
    """Stop the buffers of a connection."""
    with _making:
        found = [one for one in _lives if one.con is con]
    for one in found:
        one.stop()


def _begin_anew() -> None:
    """In a forked process let go of all buffers: their rows would stand still and look alive."""
    global _making  # noqa: PLW0603 - it may have been held at that moment
    _making = threading.Lock()
    for one in list(_lives):
        one.abandon()
    _lives.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@dataclass(frozen=True, slots=True)
class Asked:
    """What makes a buffer the same as another.

    Attributes
    ----------
    channels : tuple of Channel
        What to listen to.
    exchange : str, tuple of str or None
        Exchanges of calls that name none, as they were given.
    kept : frozenset of str or None
        Exchanges to keep; None for all.
    name : str or None
        Its name.
    """

    channels: tuple[Channel, ...]
    exchange: str | tuple[str, ...] | None
    kept: frozenset[str] | None
    name: str | None

    @classmethod
    def parse(cls, channels: Sequence[str], exchange: Names | None, name: str | None) -> Asked:
        """Return what the arguments mean.

        Raises
        ------
        InputError
            One that cannot be used.
        """
        if name is not None and not isinstance(name, str):
            raise InputError("name", f"{name!r} must be a string")
        if not channels:
            raise InputError("channels", "none was given; say which, as qr.live('trade:btcusdt', 'kline:1m:btcusdt')")
        for channel in channels:
            if not isinstance(channel, str):
                raise InputError("channels", f"{channel!r} is not a channel; give strings, as qr.live('trade:btcusdt', 'ticker')")
        # In one order: it does not matter in which they are written.
        parsed = tuple(sorted({Channel.parse(channel.strip().lower()) for channel in channels}, key=lambda channel: channel.text))
        if exchange is None:
            return cls(parsed, None, None, name)
        names = as_spelled(names_of("exchange", exchange), (*EXCHANGES, "all"))
        if "all" in names:
            return cls(parsed, "all", None, name)
        for one in names:
            if one not in EXCHANGES:
                raise UnknownNameError("exchange", one, (*EXCHANGES, "all"))
        ordered = in_order(names, EXCHANGES)
        return cls(parsed, ordered, frozenset(ordered), name)


def _now_of(con: Origin) -> Callable[[], int]:
    """Return what tells the connection's time for each message: a server's by the wall clock, as far as both are apart now."""
    clock = con.clock
    if isinstance(clock, Clock):
        return clock.now_us
    before_us = wall_us()
    server_us = to_us(clock.now())
    offset_us = server_us - (before_us + wall_us()) // 2
    return lambda: wall_us() + offset_us


def _pace_of(con: Origin) -> Callable[[], float]:
    """Return what tells how many seconds the connection's clock goes on in one."""
    clock = con.clock
    return (lambda: clock.reading.speed if clock.running else 0.0) if isinstance(clock, Clock) else lambda: 1.0
