"""What there is: exchanges, symbols and tables known at the connection's now."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qalypto_research.history.calls import with_facts
from qalypto_research.history.reader import Reader
from qalypto_research.schema.frames import category
from qalypto_research.schema.vocabulary import EXCHANGES, INTERVALS, SYMBOLS


def symbols(con: Reader) -> pd.DataFrame:
    """Return what there is, as known at the connection's now.

    Returns
    -------
    pandas.DataFrame
        One row an exchange and symbol, in the documented order. Columns: exchange, symbol (category); trades, tickers,
        orderbooks (bool: whether there are any); klines (str: the candle intervals there, such as "1m, 1h").

    Examples
    --------
    >>> import qalypto_research as qr
    >>> con = qr.connect("sample")
    >>> con.symbols().shape
    (40, 6)
    >>> con.close()
    """
    with con.snapshot() as snapshot:
        found: dict[tuple[str, str], dict[str, set[str]]] = {}
        for s in snapshot.series():
            found.setdefault((s.exchange, s.symbol), {}).setdefault(s.table, set()).add(s.interval)
        pairs = sorted(found, key=lambda pair: (_place(pair[0], EXCHANGES), _place(pair[1], SYMBOLS)))
        frame = pd.DataFrame(
            {
                "exchange": pd.Categorical([e for e, _ in pairs], dtype=category("exchange", [e for e, _ in pairs])),
                "symbol": pd.Categorical([s for _, s in pairs], dtype=category("symbol", [s for _, s in pairs])),
                **{f"{name}s": np.array([name in found[pair] for pair in pairs], bool) for name in ("trade", "ticker", "orderbook")},
                "klines": pd.array([", ".join(i for i in INTERVALS if i in found[p].get("kline", ())) for p in pairs], dtype="str"),
            }
        )
        return with_facts(frame, con, snapshot, None, {"call": "symbols"})


def _place(name: str, documented: tuple[str, ...]) -> tuple[int, str]:
    return (documented.index(name) if name in documented else len(documented), name)
