"""The market: its state between two blocks, and the rows of the next block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qalypto_research.local.generator import arrivals, efficient, latency, volatility
from qalypto_research.local.generator.arrivals import Orders
from qalypto_research.local.generator.books import book_rows
from qalypto_research.local.generator.candles import block_rows, finished, history_rows
from qalypto_research.local.generator.execution import execute, trade_ids
from qalypto_research.local.generator.history import base_path, venue_minutes
from qalypto_research.local.generator.instruments import COMMON_VOLATILITY, Instrument
from qalypto_research.local.generator.minutes import Bars, minutes_of_trades
from qalypto_research.local.generator.quotes import firm, quote
from qalypto_research.local.generator.quoting import ticker_rows
from qalypto_research.local.generator.randomness import Floats, Ints, label, rng
from qalypto_research.local.generator.rows import Rows, from_series, numbered, taken
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import HISTORY_DAYS, MINUTE_MS, STEP_MS, Settings
from qalypto_research.local.generator.tape import Tape
from qalypto_research.schema import INTERVAL_MS, TABLES

_DAY_MINUTES: Final = 1440
_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class State:
    """All that the next block depends on. Series are numbered by exchange, then symbol.

    Attributes
    ----------
    block : int
        Number of the next block.
    next_seq : int
        Next number of arrival.
    factors : array, (horizons, 1 + symbols)
        Log volatility.
    tail : array, (symbols, steps)
        Log efficient prices just before the block.
    delays : array, (exchanges,)
        State of the delays.
    counts : array, (series,)
        Trades so far.
    last_seen : array, (tables, series)
        When the last row of each was seen, us.
    minutes : array, (fields, series, 1440)
        The last day in minutes.
    pending : array, (5, orders)
        Orders that reach into the block: symbol, time, exchange, buy, size.
    """

    block: int
    next_seq: int
    factors: Floats
    tail: Floats
    delays: Floats
    counts: Ints
    last_seen: Ints
    minutes: Ints
    pending: Ints

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.asarray(getattr(self, name)) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> State:
        whole = {name: int(arrays[name]) for name in ("block", "next_seq")}
        return cls(**whole, **{name: arrays[name] for name in cls.__slots__ if name not in whole})  # type: ignore[arg-type]


def opening(settings: Settings) -> tuple[State, dict[str, Rows]]:
    """Return the state at the start of the ticks, and the rows of the time before (finished candles)."""
    factors = volatility.Factors.stationary(settings.seed, settings.symbols)
    n_series = len(settings.exchanges) * len(settings.symbols)
    needed = "kline" in settings.tables or "ticker" in settings.tables
    days = max(HISTORY_DAYS.values()) + 1 if "kline" in settings.tables else 1
    parts: list[tuple[int, Rows]] = []
    day = [_standing(settings, s) for s in range(n_series)]
    if needed:
        path = base_path(settings, factors, days * _DAY_MINUTES)
        for series in range(n_series):
            venue, symbol = divmod(series, len(settings.symbols))
            minutes = venue_minutes(settings, path, symbol, venue)
            day[series] = minutes.last(_DAY_MINUTES)
            if "kline" in settings.tables:
                parts += [(series, rows) for rows in _finished_before(settings, series, minutes, path.start_ms)]
    tables = {"kline": from_series(parts)} if parts else {}
    state = State(
        block=0,
        next_seq=numbered(tables, 0) if tables else 0,
        factors=factors.level,
        tail=efficient.starting_tail(settings),
        delays=rng(settings.seed, "delay start").normal(size=len(settings.exchanges)),
        counts=np.zeros(n_series, dtype=np.int64),
        last_seen=np.zeros((len(TABLES), n_series), dtype=np.int64),
        minutes=np.stack(Bars.stacked(day).arrays()),
        pending=np.zeros((5, 0), dtype=np.int64),
    )
    return state, tables


def _standing(settings: Settings, series: int) -> Bars:
    """Return a day without a trade at the starting price."""
    instrument = settings.instruments[series % len(settings.symbols)]
    price = np.full(_DAY_MINUTES, round(instrument.price * 10**instrument.tick_digits), dtype=np.int64)
    nothing = np.zeros(_DAY_MINUTES, dtype=np.int64)
    return Bars(price, price, price, price, nothing, nothing, nothing)


def _finished_before(settings: Settings, series: int, minutes: Bars, minutes_start: int) -> list[Rows]:
    venue, symbol = divmod(series, len(settings.symbols))
    where = settings.series(venue, symbol)
    parts = []
    for interval, days in HISTORY_DAYS.items():
        first = settings.start_ms // INTERVAL_MS[interval] * INTERVAL_MS[interval] - days * _DAY_MINUTES * MINUTE_MS
        open_ms, bars = finished(minutes, minutes_start, interval, first, settings.start_ms)
        parts.append(history_rows(where, interval, open_ms, bars))
    return parts


@dataclass(frozen=True, slots=True)
class _Block:
    """What one block's series have in common."""

    settings: Settings
    number: int
    start_ms: int
    end_ms: int
    vol: volatility.VolatilityPath
    prices: efficient.PricePath
    sigma: list[Floats]
    followed: list[Floats]
    delays: list[latency.Delay]

    @property
    def minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS


def next_block(settings: Settings, state: State) -> tuple[State, dict[str, Rows]]:
    """Return the state after the next block, and the block's rows: by table, ordered by timestamp, exchange and symbol."""
    seed, number = settings.seed, state.block
    start = settings.start_ms + number * settings.block_ms
    end = start + settings.block_ms
    seconds = np.arange(start, end, 1000, dtype=np.int64)
    factors, vol = volatility.advance(volatility.Factors(state.factors), seconds, 1.0, rng(seed, "volatility", number))
    orders, pending = _orders(settings, state, start, vol)
    steps = settings.block_ms // STEP_MS
    flow = np.stack([efficient.signed_flow(settings, *each, start, steps) for each in zip(settings.symbols, orders, strict=True)])
    prices = efficient.advance(settings, state.tail, vol, flow, rng(seed, "price", number))
    levels, delays = latency.advance(state.delays, settings.venues, start, len(seconds), rng(seed, "delay", number))
    sigma = [_sigma(instrument, vol, i) for i, instrument in enumerate(settings.instruments)]
    followed = [firm(*each) for each in zip(settings.instruments, prices.log_price, sigma, strict=True)]
    block = _Block(settings, number, start, end, vol, prices, sigma, followed, delays)
    parts: dict[str, list[tuple[int, Rows]]] = {table: [] for table in settings.tables}
    counts, last_seen, days = state.counts.copy(), state.last_seen.copy(), []
    for series in range(len(counts)):
        of_symbol = orders[series % len(settings.symbols)]
        mine = of_symbol.where(of_symbol.venue == series // len(settings.symbols))
        tape = _tape(block, series, mine, Bars(*state.minutes[:, series]), int(counts[series]))
        counts[series] += len(tape.trades.t)
        days.append(tape.minutes.last(_DAY_MINUTES))
        where = settings.series(*divmod(series, len(settings.symbols)))
        for table, part in _rows(settings, where, tape, last_seen[:, series]).items():
            parts[table].append((series, part))
    tables = {table: _ordered(from_series(parts.pop(table))) for table in settings.tables}
    after = State(
        block=number + 1,
        next_seq=numbered(tables, state.next_seq),
        factors=factors.level,
        tail=prices.tail,
        delays=levels,
        counts=counts,
        last_seen=last_seen,
        minutes=np.stack(Bars.stacked(days).arrays()),
        pending=pending,
    )
    return after, tables


def _sigma(instrument: Instrument, vol: volatility.VolatilityPath, symbol: int) -> Floats:
    """Return the standard deviation of the return of each second."""
    daily: Floats = np.hypot(instrument.beta * COMMON_VOLATILITY * vol.common, instrument.own_volatility * vol.own[:, symbol])
    daily /= np.sqrt(_DAY_SECONDS)
    return daily


def _orders(settings: Settings, state: State, start: int, vol: volatility.VolatilityPath) -> tuple[list[Orders], Ints]:
    """Return the block's orders by symbol, and those that reach beyond it."""
    orders, pending = [], []
    for i, name in enumerate(settings.symbols):
        mine = state.pending[:, state.pending[0] == i]
        carried = Orders(mine[1], mine[2], mine[3].astype(np.bool_), mine[4])
        rate = settings.trades_a_second[i] / arrivals.FILLS * vol.activity[:, i]
        draws = rng(settings.seed, "orders", state.block, label(name))
        leaning = partial(arrivals.lean, settings.seed, name)
        inside, beyond = arrivals.arrive(carried, start, rate, settings.venue_shares, leaning=leaning, draws=draws)
        orders.append(inside)
        pending.append(np.stack([np.full(len(beyond.t), i), beyond.t, beyond.venue, beyond.buy.astype(np.int64), beyond.size]))
    return orders, np.concatenate(pending, axis=1)


def _tape(block: _Block, number: int, orders: Orders, earlier: Bars, first_number: int) -> Tape:
    """Return what happened in series `number`, given its orders, the day before and how many trades it had."""
    settings = block.settings
    venue, symbol = divmod(number, len(settings.symbols))
    series, log_price, heat = settings.series(venue, symbol), block.prices.log_price[symbol], block.vol.own[:, symbol]
    quotes = quote(series, block.followed[symbol], heat, block.sigma[symbol], block.start_ms)
    draws = rng(settings.seed, "trades", block.number, series.key)
    mean_quote = settings.trade_quote(symbol) * arrivals.FILLS
    trades = execute(series, orders, quotes, heat, mean_quote, first_number=first_number, draws=draws)
    minutes = minutes_of_trades(trades, block.start_ms, block.minutes, int(earlier.close[-1]))
    return Tape(log_price[efficient.TAIL :], quotes, trades, Bars.appended(earlier, minutes), block.delays[venue])


def _rows(settings: Settings, series: Series, tape: Tape, last_seen: Ints) -> dict[str, Rows]:
    """Return one series' rows by table; `last_seen`, by table, is moved on in place."""
    cadence = settings.cadence(series.symbol)
    makers: dict[str, Callable[[int], Rows]] = {
        "trade": lambda floor: _trade_rows(series, tape, floor),
        "ticker": lambda floor: ticker_rows(series, tape, cadence.ticker, floor),
        "kline": lambda floor: block_rows(series, tape, cadence, floor),
        "orderbook": lambda floor: book_rows(series, tape, cadence, floor),
    }
    rows = {}
    for position, table in enumerate(TABLES):
        if table in settings.tables:
            rows[table] = makers[table](int(last_seen[position]))
            last_seen[position] = max(last_seen[position], rows[table]["_seen"].max(initial=0))
    return rows


def _trade_rows(series: Series, tape: Tape, floor_us: int) -> Rows:
    trades = tape.trades
    return {
        "timestamp": trades.t,
        "price": trades.price / series.ticks_per_unit,
        "amount": trades.lots / series.lots_per_unit,
        "buy": trades.buy,
        "trade_id": trade_ids(series, trades),
        "is_liquidation": trades.liquidation.astype(np.uint8),
        "_seen": tape.delay.seen(trades.t, series.salt("trade delay"), floor_us),
    }


def _ordered(rows: Rows) -> Rows:
    return taken(rows, np.argsort(rows["timestamp"], kind="stable"))
