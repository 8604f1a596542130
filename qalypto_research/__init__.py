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
    from qalypto_research import charts, errors, prep
    from qalypto_research.connection import Connection
    from qalypto_research.default import (
        bars,
        batches,
        compare,
        connect,
        coverage,
        flow,
        funding,
        klines,
        live,
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
    from qalypto_research.session.buffer import Live
    from qalypto_research.stream.health import Health
    from qalypto_research.stream.news import Batch

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Connection",
    "Coverage",
    "Health",
    "Live",
    "QalyptoError",
    "bars",
    "batches",
    "charts",
    "compare",
    "concat",
    "connect",
    "coverage",
    "errors",
    "flow",
    "funding",
    "klines",
    "live",
    "orderbook_tops",
    "orderbooks",
    "prep",
    "spreads",
    "sql",
    "symbols",
    "tickers",
    "trades",
]

# Importing the package loads nothing heavy, starts nothing and reads no environment: names are looked up when used.
_HOMES = {
    "Batch": "stream.news",
    "Connection": "connection",
    "Coverage": "history.report",
    "Health": "stream.health",
    "Live": "session.buffer",
    "QalyptoError": "errors",
    "bars": "default",
    "batches": "default",
    "compare": "default",
    "concat": "schema.frames",
    "connect": "default",
    "coverage": "default",
    "flow": "default",
    "funding": "default",
    "klines": "default",
    "live": "default",
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
    if name in {"charts", "errors", "prep"}:
        return importlib.import_module(f"qalypto_research.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'qalypto_research' has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"qalypto_research.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
