"""From frames to what a backtest eats: bars, panels, joins on what was known, features, splits, engines.

The functions are looked up when used, so that importing the package loads none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qalypto_research.prep.aggregating import bars, flow
    from qalypto_research.prep.availability import available_at
    from qalypto_research.prep.books import rebuild
    from qalypto_research.prep.carry import basis, funding_carry
    from qalypto_research.prep.engines.events import to_hftbacktest
    from qalypto_research.prep.engines.feeds import to_backtrader
    from qalypto_research.prep.engines.tables import to_backtesting, to_numpy, to_vectorbt
    from qalypto_research.prep.filling import fill
    from qalypto_research.prep.folds import Folds, purged_kfold, walk_forward
    from qalypto_research.prep.foreign import adopt
    from qalypto_research.prep.joining import asof
    from qalypto_research.prep.longer import resample
    from qalypto_research.prep.lookahead import check_lookahead
    from qalypto_research.prep.pressure import depth_imbalance, order_flow_imbalance, signed_volume
    from qalypto_research.prep.quality import Report, report
    from qalypto_research.prep.quotes import microprice, spread_bps
    from qalypto_research.prep.reconciling import reconcile
    from qalypto_research.prep.returns import log_returns, realised_volatility
    from qalypto_research.prep.venues import cross_spread, lead_lag
    from qalypto_research.prep.wide import panel

__all__: list[str] = [
    "Folds",
    "Report",
    "adopt",
    "asof",
    "available_at",
    "bars",
    "basis",
    "check_lookahead",
    "cross_spread",
    "depth_imbalance",
    "fill",
    "flow",
    "funding_carry",
    "lead_lag",
    "log_returns",
    "microprice",
    "order_flow_imbalance",
    "panel",
    "purged_kfold",
    "realised_volatility",
    "rebuild",
    "reconcile",
    "report",
    "resample",
    "signed_volume",
    "spread_bps",
    "to_backtesting",
    "to_backtrader",
    "to_hftbacktest",
    "to_numpy",
    "to_vectorbt",
    "walk_forward",
]

_HOMES: dict[str, str] = {
    "Folds": "folds",
    "Report": "quality",
    "adopt": "foreign",
    "asof": "joining",
    "available_at": "availability",
    "bars": "aggregating",
    "basis": "carry",
    "check_lookahead": "lookahead",
    "cross_spread": "venues",
    "depth_imbalance": "pressure",
    "fill": "filling",
    "flow": "aggregating",
    "funding_carry": "carry",
    "lead_lag": "venues",
    "log_returns": "returns",
    "microprice": "quotes",
    "order_flow_imbalance": "pressure",
    "panel": "wide",
    "purged_kfold": "folds",
    "realised_volatility": "returns",
    "rebuild": "books",
    "reconcile": "reconciling",
    "report": "quality",
    "resample": "longer",
    "signed_volume": "pressure",
    "spread_bps": "quotes",
    "to_backtesting": "engines.tables",
    "to_backtrader": "engines.feeds",
    "to_hftbacktest": "engines.events",
    "to_numpy": "engines.tables",
    "to_vectorbt": "engines.tables",
    "walk_forward": "folds",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qalypto_research.prep' has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"qalypto_research.prep.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
