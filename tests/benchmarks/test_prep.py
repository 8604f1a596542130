"""`qr.prep.asof` beside `pandas.merge_asof`, 500,000 rows against 100,000, the same frame out of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benchmarks.measure import interleaved, ratios, report
from pandas.testing import assert_frame_equal

import qalypto_research as qr

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
AGE = pd.Timedelta("30s")


def over_a_day(rows: int, seed: int, columns: list[str]) -> pd.DataFrame:
    """Return rows of forty series over a day, as the contract has them."""
    rng = np.random.default_rng(seed)
    moments = np.sort(rng.integers(0, 86_400_000, rows)) + 1_772_409_600_000
    index = pd.DatetimeIndex(moments.astype("datetime64[ms]")).as_unit("us").tz_localize("UTC").rename("timestamp")
    names = {
        name: pd.Categorical.from_codes(rng.integers(0, len(values), rows), categories=pd.Index(values, dtype="str"))
        for name, values in (("exchange", EXCHANGES), ("symbol", SYMBOLS))
    }
    return pd.DataFrame(names | {name: rng.random(rows) for name in columns}, index=index)


def by_merge_asof(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """Do with pandas what `asof` does: join on availability, keep the index, tell time, availability and age of what was found."""
    ours = left.assign(available_at=left.index)
    theirs = right.rename(columns=lambda name: name if name in {"exchange", "symbol"} else f"{name}_right")
    theirs = theirs.assign(timestamp_right=right.index, available_at_right=right.index)
    by = [name for name in ("exchange", "symbol") if name in left.columns]
    options = {"by": by} if by else {}
    joined = pd.merge_asof(ours, theirs, left_on="available_at", right_on="available_at_right", tolerance=AGE, **options)
    joined["age_right"] = joined["available_at"] - joined["available_at_right"]
    return joined.set_axis(left.index)


def compare(what: str, left: pd.DataFrame, right: pd.DataFrame, bound: float) -> None:
    assert_frame_equal(qr.prep.asof(left, right, max_age="30s"), by_merge_asof(left, right))
    seconds = interleaved(ours=lambda: qr.prep.asof(left, right, max_age="30s"), theirs=lambda: by_merge_asof(left, right))
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 3) for name, runs in seconds.items()})
    report(f"asof of 500k x 100k, {what} / merge_asof", ratios(seconds, "ours", "theirs"), bound)


def test_asof_of_forty_series() -> None:
    left = over_a_day(500_000, 1, ["price", "amount"])
    compare("forty series", left, over_a_day(100_000, 2, ["bid_price", "ask_price", "bid_size", "ask_size"]), 1.3)


def test_asof_of_one_series() -> None:
    """Frames without names, as the contract has none: nothing to tell apart, merge_asof at its fastest, both mostly moving memory."""
    left = over_a_day(500_000, 1, ["price", "amount"]).drop(columns=["exchange", "symbol"])
    right = over_a_day(100_000, 2, ["bid_price", "ask_price", "bid_size", "ask_size"]).drop(columns=["exchange", "symbol"])
    compare("one series", left, right, 1.3)


def test_an_hour_of_books() -> None:
    """Updates of up to a hundred levels to a book of a thousand, once a second: seconds, not minutes."""
    rng = np.random.default_rng(0)
    rows, levels = 3_600, 1_000
    ladder = np.arange(1, levels + 1) * 0.1
    books = np.full((2, 2, rows, levels), np.nan)
    books[0, 0, 0], books[1, 0, 0] = 1_000 - ladder, 1_000 + ladder
    books[:, 1, 0] = rng.random((2, levels)) + 0.1
    for row in range(1, rows):
        count = rng.integers(5, 100)
        for side, sign in ((0, -1), (1, 1)):
            books[side, 0, row, :count] = 1_000 + sign * rng.choice(ladder, count, replace=False)
            books[side, 1, row, :count] = np.where(rng.random(count) < 0.4, 0.0, rng.random(count))
    columns = {
        f"{side}_{field}_{level}": books[i, j, :, level]
        for level in range(levels)
        for i, side in enumerate(("bid", "ask"))
        for j, field in enumerate(("price", "size"))
    }
    index = pd.date_range("2026-03-02", periods=rows, freq="1s", tz="UTC", unit="us", name="timestamp")
    names = {"exchange": pd.Categorical(["binance"] * rows), "symbol": pd.Categorical(["BTCUSDT"] * rows)}
    ids = pd.Series(np.arange(rows).astype("str"), dtype="str").array
    df = pd.DataFrame({**names, **columns, "is_snapshot": np.arange(rows) == 0, "sequence_id": ids}, index=index)
    seconds = interleaved(ours=lambda: qr.prep.rebuild(df, depth=20))["ours"]
    report("an hour of books at 1/s rebuilt", seconds, 5.0, " s")
