"""Buckets, levels and funding of the packaged sample, against pandas on its Parquet files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import qalypto_research as qr

NOW = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")
ASKED = {"exchange": "all", "start": "2026-03-02 12:10:00.5", "end": "2026-03-02 12:50"}
SYMBOLS = ["BTCUSDT", "ADAUSDT"]


@pytest.fixture(scope="module")
def con():
    with qr.connect("sample") as connection:
        yield connection


@pytest.fixture(scope="module")
def stored(root):
    """Return a function that gives what is known of a table in the range asked for, in total order."""

    def read(table):
        whole = pq.ParquetFile(root / "data_samples" / table / "sample.parquet").read().to_pandas()
        known = whole[(whole["_seen"] <= NOW) & whole["symbol"].isin(SYMBOLS)]
        inside = known[
            (known["timestamp"] >= pd.Timestamp(ASKED["start"], tz="UTC")) & (known["timestamp"] < pd.Timestamp(ASKED["end"], tz="UTC"))
        ]
        return inside.sort_values(["timestamp", "exchange", "symbol", "_seen", "_seq"])

    return read


@pytest.fixture(scope="module")
def root(request):
    return request.config.rootpath


@pytest.mark.parametrize("every", ["1s", "30s", "7min"])
def test_the_last_ticker_of_each_bucket(con, stored, every):
    rows = stored("ticker")
    last = rows.groupby([rows["timestamp"].dt.floor(every), "exchange", "symbol"]).tail(1)
    frame = con.tickers(SYMBOLS, every=every, **ASKED)
    assert len(frame) > 40
    assert list(frame.index) == list(last["timestamp"])
    for column in ("exchange", "symbol", "last_price", "mark_price"):
        assert list(frame[column]) == list(last[column]), column


def test_the_levels_of_every_book(con, stored):
    rows = stored("orderbook")
    frame = con.orderbooks(SYMBOLS, depth=21, **ASKED)
    assert len(frame) == len(rows) > 1_000
    assert list(frame.index) == list(rows["timestamp"])
    for side in ("bid", "ask"):
        expected = np.array([json.loads(text) for text in rows[f"{side}s_json"]])
        assert expected.shape == (len(rows), 20, 2)
        for place, field in enumerate(("price", "size")):
            names = [f"{side}_{field}_{level}" for level in range(20)]
            np.testing.assert_array_equal(frame[names].to_numpy(), expected[:, :, place])
            assert frame[f"{side}_{field}_20"].isna().all()


def test_the_changes_of_funding(con, stored):
    rows = stored("ticker")
    said = rows[rows["funding_rate"].notna()]
    assert said["next_funding_time"].notna().all()
    before = said.groupby(["exchange", "symbol"])[["funding_rate", "next_funding_time"]].shift()
    changed = said[(said["funding_rate"] != before["funding_rate"]) | (said["next_funding_time"] != before["next_funding_time"])]
    frame = con.funding(SYMBOLS, **ASKED)
    assert len(frame) == len(changed) > 8
    for column in ("exchange", "symbol", "funding_rate", "next_funding_time", "mark_price"):
        assert list(frame[column]) == list(changed[column]), column
    assert list(con.funding(SYMBOLS, limit=7, **ASKED)["funding_rate"]) == list(changed["funding_rate"].tail(7))
