"""What is asked of a live buffer, held against what it listens to; and the answer, with its facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from qalypto_research.asked import Names, as_spelled, in_order, names_of, pick_columns, pick_interval, plain_facts
from qalypto_research.clock import from_us
from qalypto_research.errors import InputError, StreamError, UnknownNameError
from qalypto_research.schema.frames import Frame
from qalypto_research.schema.tables import KLINE, Table
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.freshness import check_age
from qalypto_research.stream.intake import Intake
from qalypto_research.stream.question import Ask, Chosen, Live
from qalypto_research.timerange import parse_duration, parse_limit, parse_zone

_US: Final = dt.timedelta(microseconds=1)


def choose(live: Live, table: Table, ask: Ask, named: str = "symbols") -> Chosen:
    """Return which rows `ask` means; `named` is what the call names the symbols by.

    Raises
    ------
    InputError
        An argument that cannot be used, or a table that is not listened to.
    """
    check_listened(live, table)
    now_us = live.intake.now_us()
    since_us = None if ask.last is None else now_us - parse_duration(ask.last, "last") // _US
    symbols = pick_symbols(live.intake, [table], ask.symbols, named)
    return Chosen(symbols, pick_exchanges(live, ask.exchange), now_us, since_us)


def answer(live: Live, frame: Frame, rows: pd.DataFrame, ask: Ask, chosen: Chosen, **call: Any) -> pd.DataFrame:
    """Return `rows` as they were asked for, with their facts: what `call` says, beside the arguments.

    Raises
    ------
    StaleDataError
        They are older than ``max_age``.
    """
    limit, zone, columns = parse_limit(ask.limit), parse_zone(ask.tz), pick_columns(ask.columns, frame)
    if ask.max_age is not None:
        # Of what is too old for `last` there may be nothing in the answer: that is what is to be refused.
        uncut = rows
        if chosen.since_us is not None:
            candles = {"intervals": call.get("interval"), "final": call.get("final", False)}
            uncut = live.intake.store.frame(frame.table, symbols=chosen.symbols, exchanges=chosen.exchanges, **candles)
        check_age(live, frame.table, uncut, chosen, parse_duration(ask.max_age, "max_age"))
    if limit is not None and limit < len(rows):
        rows = rows.iloc[-limit:].copy()
    if ask.columns is not None:
        rows = rows[[c.name for c in columns]].copy()
    if zone != "UTC":
        rows.index = pd.DatetimeIndex(rows.index).tz_convert(zone)
    return with_facts(rows, live, chosen, plain_facts(call | asdict(ask)))


def with_facts(rows: pd.DataFrame, live: Live, chosen: Chosen, asked: dict[str, Any]) -> pd.DataFrame:
    """Attach to `rows` what was asked and what it was asked of, as plain JSON."""
    rows.attrs["qalypto"] = {
        "asked": asked,
        "source": live.source,
        "synthetic": live.synthetic,
        "window": None if chosen.since_us is None else [from_us(chosen.since_us).isoformat(), None],
        "clock": from_us(chosen.now_us).isoformat(),
        "channels": [channel.text for channel in live.intake.channels],
        "state": live.state,
    }
    return rows


def check_listened(live: Live, table: Table) -> None:
    """Refuse what cannot come by the channels listened to.

    Raises
    ------
    InputError
        No channel of that table.
    StreamError
        The server refuses all there are.
    """
    channels = [channel.text for channel in live.intake.channels if channel.kind in ("", table.name)]
    if not channels:
        there = ", ".join(channel.text for channel in live.intake.channels)
        raise InputError("channels", f"this buffer listens to {there}, which brings no {table.name}s; add {table.name!r} to qr.live(...)")
    refused = live.refused
    if all(text in refused for text in channels):
        said = "; ".join(f"{text}: {refused[text]}" for text in channels)
        raise StreamError(f"no {table.name}s can come, as the server refuses what brings them: {said}")


def pick_exchanges(live: Live, asked: Names | None, *, all_too: bool = True) -> tuple[str, ...] | None:
    """Return the exchanges a call means, None for all that there are; where not `all_too`, "all" is none of the names.

    Raises
    ------
    UnknownNameError
        Not known, or not kept by this buffer.
    InputError
        None was named where several are there and none is the default.
    """
    seen = {exchange for _, exchange in tuple(live.intake.counts)}
    kept = live.intake.exchanges
    there = in_order(kept if kept is not None else {*EXCHANGES, *seen}, EXCHANGES)
    asked = live.exchange if asked is None else asked
    if asked is None:
        raise InputError("exchange", f"several are here and none is the default; name one of {', '.join(there)}, or 'all'")
    allowed = (*there, "all") if all_too else there
    names = as_spelled(names_of("exchange", asked), allowed)
    for name in names:
        if name not in allowed:
            hint = "" if kept is None else f"this buffer keeps {', '.join(there)} alone, as qr.live(exchange=) had it"
            raise UnknownNameError("exchange", name, allowed, hint)
    return None if "all" in names else in_order(names, EXCHANGES)


def pick_symbols(intake: Intake, tables: Sequence[Table], asked: Names | None, named: str) -> tuple[str, ...] | None:
    """Return the symbols that a call on any of `tables` means, None for all; `named` is what the call names them by.

    Raises
    ------
    UnknownNameError
        Not known, or not listened to.
    """
    if asked is None:
        return None
    kinds = {table.name for table in tables}
    channels = [c for c in intake.channels if c.kind in ("", *kinds)]
    listened = {c.symbol for c in channels}
    seen = {symbol for kind, symbol in intake.store.buffers() if kind in kinds}
    there = in_order({*SYMBOLS, *seen} if "" in listened else listened, SYMBOLS)
    names = as_spelled(names_of(named, asked), there)
    for name in names:
        if name not in there:
            hint = "" if "" in listened else f"listen to it: qr.live({_narrow(channels[0], name).text!r})"
            raise UnknownNameError(named, name, there, hint)
    return in_order(names, SYMBOLS)


def pick_intervals(intake: Intake, asked: Names | None) -> tuple[str, ...] | None:
    """Return the intervals of candles a call means, None for all that there are.

    Raises
    ------
    UnknownNameError
        No such interval, or not listened to.
    """
    if asked is None:
        return None
    names = [pick_interval(name) for name in names_of("interval", asked)]
    listened = {c.interval for c in intake.channels if c.kind in ("", KLINE.name)}
    for name in names:
        if "" not in listened and name not in listened:
            raise UnknownNameError("interval", name, in_order(listened, INTERVALS), "no such candles are listened to")
    return in_order(names, INTERVALS)


def _narrow(channel: Channel, symbol: str) -> Channel:
    """Return the channel of another symbol."""
    return Channel(channel.kind, symbol.upper() if symbol.isalnum() else "BTCUSDT", channel.interval)
