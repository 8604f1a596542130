"""How often generated books are looked at: every 0.2 s, and sooner after a hundred updates."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from qalypto_research.local.generator import generate

SERIES = {"symbols": "BTCUSDT", "exchanges": "binance", "tables": ["trade", "orderbook"], "hours": 1 / 60, "block": "1m"}


def times(root, table):
    (path,) = [p for p in (root / table).glob("*.parquet") if p.stem != "history"]
    return pq.read_table(path)["timestamp"].cast("int64").to_numpy()


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Return the times of trades and books of a minute of some two thousand trades a second."""
    root = tmp_path_factory.mktemp("busy")
    generate(root, rate=4000, **SERIES)
    return times(root, "trade"), times(root, "orderbook")


def test_a_calm_book_is_looked_at_every_fifth_of_a_second(tmp_path):
    generate(tmp_path, rate=5, **SERIES)
    books = times(tmp_path, "orderbook")
    assert np.unique(np.diff(books)).tolist() == [200]
    assert len(books) == 300


def test_a_busy_book_is_looked_at_after_a_hundred_updates(busy):
    trades, books = busy
    assert np.diff(books).min() > 0
    assert np.diff(books).max() <= 200
    assert len(books) > 600
    # Between two looks there are less than a hundred trades, but for those of the same millisecond as the second.
    between = np.searchsorted(trades, books[1:], side="left") - np.searchsorted(trades, books[:-1], side="right")
    assert between.max() < 100
    even = books[(books - books[0]) % 200 == 0]
    assert len(even) == 300  # the even steps stay


def test_it_is_looked_at_sooner_only_where_so_much_happened(busy):
    trades, books = busy
    sooner = np.flatnonzero((books[1:] - books[0]) % 200 != 0) + 1
    # Trades, those of the very millisecond of the look before among them, and four refreshes of best prices at most.
    since = np.searchsorted(trades, books[sooner], side="right") - np.searchsorted(trades, books[sooner - 1], side="left")
    assert since.min() >= 100 - 4
