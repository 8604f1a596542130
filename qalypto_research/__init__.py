"""Research on Qalypto market data from Jupyter and pandas.

>>> import qalypto_research as qr
>>> con = qr.connect("sample")
>>> qr.klines("BTCUSDT", "1h", days=7).shape
(168, 12)
>>> con.close()
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qalypto_research import errors
    from qalypto_research.connection import Connection
    from qalypto_research.default import (
        batches,
        compare,
        connect,
        coverage,
        funding,
        klines,
        orderbook_tops,
        orderbooks,
        spreads,
        sql,
        symbols,
        tickers,
        trades,
    )
    from qalypto_research.errors import QalyptoError
    from qalypto_research.history.report import Coverage
    from qalypto_research.schema.frames import concat

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "Coverage",
    "QalyptoError",
    "batches",
    "compare",
    "concat",
    "connect",
    "coverage",
    "errors",
    "funding",
    "klines",
    "orderbook_tops",
    "orderbooks",
    "spreads",
    "sql",
    "symbols",
    "tickers",
    "trades",
]

# Importing the package loads nothing heavy, starts nothing and reads no environment: names are looked up when used.
_HOMES = {
    "Connection": "connection",
    "Coverage": "history.report",
    "QalyptoError": "errors",
    "batches": "default",
    "compare": "default",
    "concat": "schema.frames",
    "connect": "default",
    "coverage": "default",
    "funding": "default",
    "klines": "default",
    "orderbook_tops": "default",
    "orderbooks": "default",
    "spreads": "default",
    "sql": "default",
    "symbols": "default",
    "tickers": "default",
    "trades": "default",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("qalypto_research.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'qalypto_research' has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"qalypto_research.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
