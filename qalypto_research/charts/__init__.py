"""Pictures of frames: matplotlib figures of candles, quotes, books, trades, coverage, latency and funding.

The functions are looked up when used, so that importing the package loads none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qalypto_research.charts.records import coverage, funding, latency
    from qalypto_research.charts.static import candles, compare, depth, tape

__all__ = ["candles", "compare", "coverage", "depth", "funding", "latency", "tape"]

_HOMES = {
    "candles": "static",
    "compare": "static",
    "coverage": "records",
    "depth": "static",
    "funding": "records",
    "latency": "records",
    "tape": "static",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qalypto_research.charts' has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"qalypto_research.charts.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
