"""Find the candles that should be there and are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from qalypto_research.clock import from_us, to_us
from qalypto_research.errors import GapError, GapWarning, warn_caller
from qalypto_research.history.arguments import Gaps
from qalypto_research.schema.frames import category, epoch_us, runs

_SHOWN: Final = 4


def find_holes(
    frame: pd.DataFrame,
    series: Iterable[tuple[str, str]],
    step_us: int,
    start: pd.Timestamp | None,
    end: pd.Timestamp,
    *,
    if_none: int | None = None,
) -> pd.DataFrame:
    """Return the holes in a frame of candles of one interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        Candles, index ``timestamp`` (open times) ascending, with ``exchange`` and ``symbol``.
    series : iterable of (exchange, symbol)
        The series that should be there.
    step_us : int
        Length of a candle in microseconds.
    start : pandas.Timestamp or None
        From here on opens are expected; None: from each series' first candle.
    end : pandas.Timestamp
        Candles that end by here are expected.
    if_none : int, optional
        Candles expected before `end` of a series that has none, where `start` is None; by default none are.

    Returns
    -------
    pandas.DataFrame
        One row a hole: exchange, symbol (category), start (inclusive), end (exclusive; both UTC), bars (int64).
    """
    opens = epoch_us(frame)
    rows = []
    for exchange, symbol in series:
        mine = opens[np.asarray((frame["exchange"] == exchange) & (frame["symbol"] == symbol))]
        mine = mine[mine % step_us == 0]  # A candle off the grid is nobody's.
        last = to_us(end) // step_us
        if start is not None:
            first = -(-to_us(start) // step_us)
        elif mine.size:
            first = int(mine[0]) // step_us
        else:
            first = last - (if_none or 0)
        there = np.zeros(max(0, last - first), bool)
        places = mine // step_us - first
        there[places[(places >= 0) & (places < there.size)]] = True
        for a, b in runs(~there):
            rows.append((exchange, symbol, from_us((first + a) * step_us), from_us((first + b) * step_us), b - a))
    holes = pd.DataFrame(rows, columns=["exchange", "symbol", "start", "end", "bars"])
    return holes.astype(
        {
            "exchange": category("exchange", holes["exchange"]),
            "symbol": category("symbol", holes["symbol"]),
            "start": "datetime64[us, UTC]",
            "end": "datetime64[us, UTC]",
            "bars": "int64",
        }
    )


def report_holes(holes: pd.DataFrame, interval: str, gaps: Gaps, hint: str = "") -> None:
    """Warn of `holes`, or raise, as `gaps` says; `hint` is added to the message.

    Raises
    ------
    GapError
        There are holes and `gaps` is "raise".
    """
    if gaps == "ignore" or holes.empty:
        return
    listed = [
        f"{h.exchange} {h.symbol} {h.start:%Y-%m-%d %H:%M} to {h.end:%Y-%m-%d %H:%M} ({h.bars})" for h in holes.head(_SHOWN).itertuples()
    ]
    rest = f" and {len(holes) - _SHOWN} more" if len(holes) > _SHOWN else ""
    message = (
        f"{holes['bars'].sum():,} candles of {interval} are missing in {len(holes)} hole{'s' if len(holes) > 1 else ''}: "
        f"{'; '.join(listed)}{rest}. Nothing was filled in; gaps='ignore' silences this, gaps='raise' makes it an error{hint}"
    )
    if gaps == "raise":
        raise GapError(message, holes)
    warn_caller(message, GapWarning)
