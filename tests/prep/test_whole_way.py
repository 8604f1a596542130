"""From the sample to folds, by way of everything between: what one function gives the next one takes."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

import qalypto_research as qr


def features(minutes: pd.DataFrame, funding: pd.DataFrame) -> pd.DataFrame:
    """Return a few features of each minute, all of them fair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", qr.errors.GapWarning)
        quarters = qr.prep.resample(minutes, "15m")
    joined = qr.prep.asof(minutes, quarters, max_age="20m", suffix="_quarter")
    joined = qr.prep.asof(joined, funding, max_age="10m", suffix="_funding")
    returns = joined.groupby(["exchange", "symbol"], observed=True)["close"].pct_change(fill_method=None)
    return pd.DataFrame(
        {
            "return": returns,
            "above": joined["close"] / joined["close_quarter"] - 1,
            "rate": joined["funding_rate_funding"],
            "interest": joined["open_interest_funding"],
        }
    )


def test_from_the_sample_to_folds(connect):
    con = connect("sample")
    asked = {"exchange": ["binance", "bitget"], "start": "2026-03-02 11:30", "end": "2026-03-02 13:00"}
    minutes = con.klines(["BTCUSDT", "ETHUSDT"], "1m", gaps="ignore", **asked)
    funding = con.funding(["BTCUSDT", "ETHUSDT"], exchange=["binance", "bitget"], hours=1)
    findings = qr.prep.report(minutes).findings
    assert findings.loc[findings["check"] == "gaps", ["exchange", "count"]].to_numpy().tolist() == [["bitget", 2], ["bitget", 2]]

    filled = qr.prep.fill(minutes, "zero", max_age="5m")
    assert int(filled["filled"].sum()) == 4
    assert len(filled) == 4 * 90
    filled = filled.drop(columns=["filled", "filled_from"])
    assert qr.prep.check_lookahead(features, filled, funding, evaluations=20).empty

    def peeking(minutes: pd.DataFrame, funding: pd.DataFrame) -> pd.DataFrame:
        return features(minutes, funding).assign(
            rate=pd.merge_asof(minutes[[]], funding[["funding_rate"]], left_index=True, right_index=True, direction="forward")[
                "funding_rate"
            ]
        )

    assert set(qr.prep.check_lookahead(peeking, filled, funding, evaluations=20)["column"]) == {"rate"}

    made = features(filled, funding)
    assert made["rate"].notna().sum() > 100
    closes = qr.prep.panel(filled[filled["exchange"] == "bitget"], "close")
    assert closes.notna().all(axis=None)
    folds = qr.prep.walk_forward(filled, train="45m", test="15m", horizon="5m")
    for train, test in folds:
        assert filled.index[train].max() + pd.Timedelta("5min") < filled.index[test].min()
    assert len(np.concatenate([test for _, test in folds])) == 4 * 45
