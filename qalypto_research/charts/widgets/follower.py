"""What one chart follows: its candles, how far they have been read, and the numbers under which changes are told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import pandas as pd

from qalypto_research.charts.widgets.ledger import Ledger, Rows, seconds_of, to_rows
from qalypto_research.charts.widgets.pace import Pace
from qalypto_research.charts.widgets.source import Pick, Source, Status


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """All candles of a chart, after which changes are numbered.

    Attributes
    ----------
    series : int
        Which candles, counted up with each switch.
    number : int
        Of the last change that they hold.
    pick : Pick
        Which candles.
    rows : numpy.ndarray
        As `ledger` has them.
    note : str
        What is to be said of them.
    """

    series: int
    number: int
    pick: Pick
    rows: Rows
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """What has changed: whole candles, so that a later one holds good although one was missed."""

    series: int
    number: int
    rows: Rows


class Follower:
    """Follows one series of candles of a source, and another when it is switched.

    The painter asks for changes; any thread may switch.

    Parameters
    ----------
    source : Source
        Where they come from.
    pick : Pick
        Which to begin with.
    """

    def __init__(self, source: Source, pick: Pick) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._series = 0
        self._number = 0
        self.switch(pick)

    @property
    def pick(self) -> Pick:
        """Which candles it follows."""
        return self._pick

    @property
    def following(self) -> tuple[int, Pick]:
        """The number of the series, and which it is."""
        with self._lock:
            return self._series, self._pick

    @property
    def rows(self) -> Rows:
        """The candles as they are now; not to be written to."""
        return self._ledger.rows

    def switch(self, pick: Pick) -> None:
        """Follow other candles from now on.

        Raises
        ------
        InputError
            There are no such candles; those before are followed on.
        """
        pick = self.source.pick(pick)
        mark = self.source.mark()  # first: what comes meanwhile is told again, and nothing is lost
        klines, note = self.source.klines(pick)
        ledger = Ledger(seconds_of(pick.interval))
        ledger.put(to_rows(klines))
        with self._lock:
            self._pick, self._mark, self._ledger, self._note = pick, mark, ledger, note
            self._heard, self._pace = _heard(klines), Pace(ledger.step)
            self._series += 1

    def take(self) -> Delta | None:
        """Return what has changed since the last time; None where nothing has."""
        with self._lock:
            series, pick, mark = self._series, self._pick, self._mark
        news = self.source.news(pick, mark)
        if news is None:
            return None
        rows, heard = to_rows(news.klines), _heard(news.klines)
        with self._lock:
            if series != self._series:
                return None  # switched meanwhile: these are no longer followed
            self._mark = news.mark
            if heard is not None:
                self._heard = heard
                self._pace.hear(heard)
            changed = self._ledger.put(rows)
            if not len(changed):
                return None
            self._number += 1
            return Delta(series, self._number, changed)

    def whole(self) -> Whole:
        """Return all there is."""
        with self._lock:
            return Whole(self._series, self._number, self._pick, self._ledger.rows.copy(), self._note)

    def at_this_moment(self) -> Whole:
        """Return all there is now, also where changes are not taken; what is told with the next change stays as it is."""
        with self._lock:
            mark = self._mark
            whole = Whole(self._series, self._number, self._pick, self._ledger.rows.copy(), self._note)
        news = self.source.news(whole.pick, mark)
        if news is None:
            return whole
        ledger = Ledger(seconds_of(whole.pick.interval))
        ledger.put(whole.rows)
        ledger.put(to_rows(news.klines))
        return replace(whole, rows=ledger.rows)

    @property
    def stale_s(self) -> float:
        """From which age on the newest is called old."""
        return self._pace.stale_s

    def age(self, status: Status) -> float | None:
        """Return for how many seconds nothing has come; None where nothing has come yet."""
        return None if self._heard is None else max(0.0, status.now - self._heard)


def _heard(klines: pd.DataFrame) -> float | None:
    """Return when the newest of what the stream brought arrived, seconds since 1970 UTC."""
    latest = klines["received"].array.max() if "received" in klines.columns and len(klines) else pd.NaT
    return None if pd.isna(latest) else float(latest.timestamp())
