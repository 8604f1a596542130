"""Funding rates and open interest of perpetuals, each exchange's as steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from qalypto_research.charts.model.checking import (
    Floats,
    Times,
    is_synthetic,
    pick_frame,
    pick_name,
    pick_numbers,
    pick_one,
    pick_times,
    pick_title,
    rows_of,
)
from qalypto_research.schema.vocabulary import EXCHANGES

UNITS: Final = {"contracts": "open_interest", "usd": "open_interest_value"}


@dataclass(frozen=True, slots=True, eq=False)
class VenueRates:
    """What one exchange charges and holds. Each value counts until the next one, the last one until the end of the frame.

    Attributes
    ----------
    name : str
    time_us : numpy.ndarray of int64
        Microseconds since 1970 UTC, ascending.
    rate_percent : numpy.ndarray of float64
        Percent a funding period.
    interest : numpy.ndarray of float64
        Open interest; NaN where the exchange does not say.
    """

    name: str
    time_us: Times
    rate_percent: Floats
    interest: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """Funding rates and open interest.

    Attributes
    ----------
    title, unit : str
        Of the whole; of the open interest: "contracts" or "usd".
    synthetic : bool
    venues : tuple of VenueRates
    silent : tuple of str
        Exchanges that do not give their open interest in this unit.
    """

    title: str
    unit: str
    synthetic: bool
    venues: tuple[VenueRates, ...]
    silent: tuple[str, ...]


def build_funding(df: pd.DataFrame, *, unit: str = "contracts", title: str | None = None) -> Funding:
    """Return what a chart of funding and open interest shows.

    Raises
    ------
    InputError
        The frame does not hold these columns, or holds several symbols.
    """
    column = UNITS[pick_name(unit, tuple(UNITS), "unit")]
    frame = pick_frame(df, ("funding_rate", column), "qr.funding or qr.tickers")
    symbol, times = pick_one(frame, "symbol"), pick_times(frame)
    end_us = int(times[-1]) if len(times) else 0
    parts = [(name, part) for name, part in rows_of(frame, "exchange", EXCHANGES) if len(part)]
    venues = tuple(_venue(name, part, column, end_us) for name, part in parts)
    return Funding(
        title=pick_title(title, symbol, "funding"),
        unit=unit,
        synthetic=is_synthetic(frame),
        venues=venues,
        silent=tuple(venue.name for venue in venues if np.isnan(venue.interest).all()),
    )


def _venue(name: str, rows: pd.DataFrame, column: str, end_us: int) -> VenueRates:
    times = pick_times(rows)
    rate, interest = pick_numbers(rows, "funding_rate") * 100, pick_numbers(rows, column)
    if times[-1] < end_us:
        times, rate, interest = np.append(times, end_us), np.append(rate, rate[-1]), np.append(interest, interest[-1])
    return VenueRates(name, times, rate, interest)
