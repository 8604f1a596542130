"""Which bar each trade belongs to, in NumPy. What a series has behind it is carried, so that trades may come in batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from qalypto_research.aggregation.parts import Floats, Ints, Tape
from qalypto_research.aggregation.rules import MOST_UNITS, SPAN, UNITS_PER_ONE, Rule, check_bars

_WEIGHT = 2 / (SPAN + 1)
_FIRST_LOOK = 256


@dataclass(slots=True)
class Position:
    """How far a series has come on the grid of its bars by tick, volume or dollar.

    Attributes
    ----------
    bars : int
        Bars behind it.
    rest : int
        Units in the bar it stands in.
    """

    bars: int = 0
    rest: int = 0

    def is_over(self, place: int) -> bool:
        """Whether the bar at `place` is full."""
        return self.bars > place

    def advance(self, units: Floats, rule: Rule) -> Ints:
        """Return the bar of each of the next trades, which have so many `units`, whole numbers."""
        if self.rest + float(units.sum()) > MOST_UNITS:
            if len(units) > 1:
                half = len(units) // 2
                return np.concatenate([self.advance(units[:half], rule), self.advance(units[half:], rule)])
            places, reached = np.array([self.bars]), self.rest + int(units[0])
        else:
            whole = units.astype(np.int64)
            after = self.rest + np.cumsum(whole)
            # Where it begins: a trade that crosses into the next bar is not split.
            places, reached = self.bars + (after - whole) // rule.every, int(after[-1])
        bars, self.rest = divmod(reached, rule.every)
        self.bars += bars
        check_bars(self.bars)
        return places


@dataclass(slots=True)
class Imbalance:
    """A series on its bars by imbalance.

    Attributes
    ----------
    bars : int
        Bars behind it.
    units, trades : int
        Signed units and number of trades in the bar it stands in.
    threshold : float or None
        Units at which that bar ends; None before the first trade.
    mean_trades, mean_units : float
        Exponential means over the bars behind it: of their trades, and of their signed units a trade.
    """

    bars: int = 0
    units: int = 0
    trades: int = 0
    threshold: float | None = None
    mean_trades: float = field(default=0.0)
    mean_units: float = field(default=0.0)

    def is_over(self, place: int) -> bool:
        """Whether the bar at `place` has met its threshold."""
        return self.bars > place

    def advance(self, signed: Floats, rule: Rule) -> Ints:
        """Return the bar of each of the next trades, which have so many `signed` units, whole numbers."""
        if self.threshold is None:
            self.threshold = float(rule.every)
        if abs(self.units) + float(np.abs(signed).sum()) > MOST_UNITS:
            if len(signed) > 1:
                half = len(signed) // 2
                return np.concatenate([self.advance(signed[:half], rule), self.advance(signed[half:], rule)])
            return self._advance_one(int(signed[0]), self.threshold, rule)
        total = np.cumsum(signed.astype(np.int64))
        places = np.empty(len(signed), np.int64)
        begin, before = 0, -self.units
        while begin < len(signed):
            end = _first_beyond(total, before, self.threshold, begin)
            last = min(end, len(signed) - 1)
            places[begin : last + 1] = self.bars
            self.units = int(total[last]) - before
            self.trades += last + 1 - begin
            if end < len(signed):
                self._close(rule)
            begin, before = last + 1, int(total[last]) - self.units
        return places

    def _advance_one(self, signed: int, threshold: float, rule: Rule) -> Ints:
        """Return the bar of one trade, in integers of any size."""
        place = np.array([self.bars])
        self.units += signed
        self.trades += 1
        if float(abs(self.units)) >= threshold:
            self._close(rule)
        return place

    def _close(self, rule: Rule) -> None:
        a_trade = self.units / self.trades
        weight = _WEIGHT if self.bars else 1.0
        self.mean_trades += weight * (self.trades - self.mean_trades)
        self.mean_units += weight * (a_trade - self.mean_units)
        expected = self.mean_trades * abs(self.mean_units)
        # Unbounded, a long bar would raise the threshold, which makes the next one longer, and so on.
        self.threshold = min(max(expected, rule.every / rule.bound), rule.every * rule.bound)
        self.bars, self.units, self.trades = self.bars + 1, 0, 0


def _first_beyond(total: Ints, before: int, threshold: float, begin: int) -> int:
    """Return the first place from `begin` on where `total` is `threshold` away from `before`; its length where none is."""
    look = _FIRST_LOOK
    while begin < len(total):
        found = np.flatnonzero(np.abs(total[begin : begin + look] - before) >= threshold)
        if len(found):
            return begin + int(found[0])
        begin, look = begin + look, look * 2
    return len(total)


Standing = Position | Imbalance


def standing_at_start(rule: Rule) -> Standing:
    """Return where a series stands before its first trade."""
    return Imbalance() if rule.by == "imbalance" else Position()


def place_trades(tape: Tape, rule: Rule, carried: dict[int, Standing]) -> Ints:
    """Return the bar of each trade of `tape`; where each series, by its number, stands after it is written into `carried`."""
    if rule.by_time:
        return tape.time_us // rule.every
    units = _units(tape, rule)
    places = np.empty(len(units), np.int64)
    for begin, end in pairwise([*tape.starts(), len(units)]):
        standing = carried.setdefault(int(tape.series[begin]), standing_at_start(rule))
        places[begin:end] = standing.advance(units[begin:end], rule)
    return places


def counted(tape: Tape, rule: Rule) -> Floats:
    """Return what `rule` counts of each trade, in base or quote currency; nothing of each where it goes by time or by trades."""
    if rule.by == "dollar":
        return tape.price * tape.amount
    return tape.amount if rule.by in ("volume", "imbalance") else np.zeros(len(tape.amount))


def _units(tape: Tape, rule: Rule) -> Floats:
    """Return what each trade counts by `rule`: itself, or its volume in whole units of 1e-8. Floats hold any such number."""
    if rule.by == "tick":
        return np.ones(len(tape.price))
    volume = counted(tape, rule)
    # What is no number shows in the sums of the bar, wherever it is laid.
    units: Floats = np.rint(np.where(np.isfinite(volume), volume, 0.0) * UNITS_PER_ONE)
    return units * tape.sign if rule.by == "imbalance" else units
