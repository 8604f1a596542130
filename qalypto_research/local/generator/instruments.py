"""What is traded and where: price levels, ticks, lots, spreads, lags and shares of the synthetic market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol, the same contract on every exchange.

    Attributes
    ----------
    price : float
        Level at the start of the ticks, in quote currency.
    tick_digits, lot_digits : int
        Prices are integers / 10**tick_digits, sizes integers / 10**lot_digits.
    beta : float
        Exposure to the common factor of the market.
    own_volatility : float
        Standard deviation of a day's return that is the symbol's own.
    share : float
        Part of all trades.
    turnover : float
        Traded in a minute on all exchanges together, in quote currency, on the average of a weekday.
    best_quote : float
        Median size at the best price of the largest exchange, in quote currency.
    occupancy : float
        Part of the ticks near the touch that hold an order; small where the tick is fine.
    open_interest : float
        Open contracts of the largest exchange, in base currency.
    """

    price: float
    tick_digits: int
    lot_digits: int
    beta: float
    own_volatility: float
    share: float
    turnover: float
    best_quote: float
    occupancy: float
    open_interest: float


@dataclass(frozen=True, slots=True)
class Venue:
    """One exchange.

    Attributes
    ----------
    share : float
        Part of all trades.
    lag_ms : float
        How long it takes to follow the efficient price.
    loose : float
        Part of the time in which the spread is wider than on the tightest exchange.
    basis_bp : float
        Standard deviation of the slow premium to the efficient price.
    leadership : float
        How much a trade here moves the efficient price.
    latency_ms : float
        Median from the event at the exchange to the moment it is seen.
    """

    share: float
    lag_ms: float
    loose: float
    basis_bp: float
    leadership: float
    latency_ms: float


INSTRUMENTS: Final = {
    "BTCUSDT": Instrument(66_184.3, 1, 3, 1.00, 0.006, 0.20, 8_000_000.0, 150_000.0, 0.40, 88_000.0),
    "ETHUSDT": Instrument(1_952.46, 2, 3, 1.25, 0.012, 0.165, 6_500_000.0, 120_000.0, 0.45, 1_850_000.0),
    "SOLUSDT": Instrument(83.04, 2, 2, 1.45, 0.016, 0.11, 2_200_000.0, 70_000.0, 0.92, 9_400_000.0),
    "XRPUSDT": Instrument(1.3391, 4, 1, 1.25, 0.018, 0.09, 1_300_000.0, 35_000.0, 0.96, 310_000_000.0),
    "BNBUSDT": Instrument(620.15, 2, 2, 0.85, 0.011, 0.08, 600_000.0, 25_000.0, 0.55, 610_000.0),
    "DOGEUSDT": Instrument(0.09094, 5, 0, 1.55, 0.020, 0.085, 900_000.0, 40_000.0, 0.98, 2_600_000_000.0),
    "ADAUSDT": Instrument(0.2704, 4, 0, 1.45, 0.020, 0.07, 400_000.0, 40_000.0, 0.99, 540_000_000.0),
    "DOTUSDT": Instrument(1.503, 3, 1, 1.45, 0.021, 0.06, 200_000.0, 25_000.0, 0.99, 41_000_000.0),
    "LINKUSDT": Instrument(8.714, 3, 2, 1.40, 0.020, 0.07, 450_000.0, 20_000.0, 0.95, 17_000_000.0),
    "AVAXUSDT": Instrument(9.012, 3, 0, 1.50, 0.020, 0.07, 350_000.0, 18_000.0, 0.95, 12_500_000.0),
}

VENUES: Final = {
    "binance": Venue(0.44, 0.0, 0.00, 0.5, 1.00, 150.0),
    "bitget": Venue(0.16, 420.0, 0.20, 1.3, 0.10, 185.0),
    "bybit": Venue(0.19, 270.0, 0.08, 0.8, 0.30, 165.0),
    "okx": Venue(0.21, 240.0, 0.05, 0.7, 0.35, 260.0),
}

COMMON_VOLATILITY: Final = 0.022
"""Standard deviation of a day's return of the common factor."""
