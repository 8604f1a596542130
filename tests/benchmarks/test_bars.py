"""`qr.bars`, `qr.flow` and `qr.prep.bars` over five million trades against downloading them and pandas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.measure import interleaved, ratios, report
from pandas.testing import assert_frame_equal

import qalypto_research as qr

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]
DAY = {"exchange": "all", "start": "2026-03-02 00:01", "end": "2026-03-03"}
"""The trades begin at midnight: a minute later no bar is cut by that, which pandas would not see."""
KEYS = ["bucket", "exchange", "symbol"]
SUMS = ["volume", "quote_volume", "buy_volume", "sell_volume", "vwap"]


@pytest.fixture(scope="module")
def con(trades_archive: Path) -> Iterator[qr.Connection]:
    with qr.connect(trades_archive, at="2026-03-03 00:01") as opened:
        yield opened


def with_parts(trades: pd.DataFrame, every: str) -> pd.DataFrame:
    """Return the columns that a careful user would sum, without a loop."""
    sides = {f"{side}_volume": trades["amount"].where(trades["side"] == side, 0.0) for side in ("buy", "sell")}
    return trades.assign(quote=trades["price"] * trades["amount"], time=trades.index, bucket=trades.index.floor(every), **sides)


def in_our_order(found: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    found = found.reset_index().astype({"bucket": "datetime64[us, UTC]"})
    found["available_at"] = found["bucket"] + pd.Timedelta("1min")  # all of them are whole
    found = found.sort_values(KEYS, key=lambda k: k.astype("str") if k.name != "bucket" else k, kind="stable")
    return found.set_index("bucket").rename_axis("timestamp")[list(ours.columns)]


def bars_by_pandas(trades: pd.DataFrame, every: str) -> pd.DataFrame:
    found = (
        with_parts(trades, every)
        .groupby(KEYS, observed=True)
        .agg(
            open=("price", "first"),
            high=("price", "max"),
            low=("price", "min"),
            close=("price", "last"),
            volume=("amount", "sum"),
            quote_volume=("quote", "sum"),
            num_trades=("price", "size"),
            buy_volume=("buy_volume", "sum"),
            sell_volume=("sell_volume", "sum"),
            first_time=("time", "first"),
            last_time=("time", "last"),
        )
    )
    return found.assign(vwap=found["quote_volume"] / found["volume"], is_final=True)


def flow_by_pandas(trades: pd.DataFrame, every: str) -> pd.DataFrame:
    grouped = with_parts(trades, every).groupby(KEYS, observed=True)
    found = grouped.agg(buy_volume=("buy_volume", "sum"), sell_volume=("sell_volume", "sum"), num_trades=("price", "size"))
    found["signed_volume"] = found["buy_volume"] - found["sell_volume"]
    return found.assign(imbalance=found["signed_volume"] / (found["buy_volume"] + found["sell_volume"]))


def test_time_bars_of_five_million_trades(con: qr.Connection) -> None:
    def ours() -> pd.DataFrame:
        return con.bars(SYMBOLS, "1m", **DAY)

    def theirs() -> pd.DataFrame:
        return bars_by_pandas(con.trades(SYMBOLS, **DAY), "1min")

    answer = ours()
    assert answer["num_trades"].sum() > 5_000_000
    assert_frame_equal(answer, in_our_order(theirs(), answer), rtol=1e-12, check_freq=False)
    seconds = interleaved(ours=ours, theirs=theirs)
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.bars(every='1m') / qr.trades and pandas", ratios(seconds, "ours", "theirs"), 0.45)


def test_signed_flow_of_five_million_trades(con: qr.Connection) -> None:
    def ours() -> pd.DataFrame:
        return con.flow(SYMBOLS, "1m", **DAY)

    def theirs() -> pd.DataFrame:
        return flow_by_pandas(con.trades(SYMBOLS, **DAY), "1min")

    answer = ours()
    # A sum less another: what is left may be small beside what is summed.
    assert_frame_equal(answer, in_our_order(theirs(), answer), rtol=1e-12, atol=1e-7, check_freq=False)
    seconds = interleaved(ours=ours, theirs=theirs)
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.flow(every='1m') / qr.trades and pandas", ratios(seconds, "ours", "theirs"), 0.25)


def one_bar(group: pd.DataFrame) -> pd.Series:
    price, amount = group["price"], group["amount"]
    volume, quote = amount.sum(), (price * amount).sum()
    return pd.Series(
        {
            "open": price.iloc[0],
            "high": price.max(),
            "low": price.min(),
            "close": price.iloc[-1],
            "volume": volume,
            "quote_volume": quote,
            "vwap": quote / volume,
            "num_trades": len(group),
            "buy_volume": amount[group["side"] == "buy"].sum(),
            "sell_volume": amount[group["side"] == "sell"].sum(),
            "first_time": group.index[0],
            "last_time": group.index[-1],
            "is_final": True,
        }
    )


def test_bars_of_a_frame(con: qr.Connection) -> None:
    """An hour's trades: over the day a groupby-apply takes minutes."""
    hour = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
    trades = con.trades(SYMBOLS, exchange="all", **hour)

    def ours() -> pd.DataFrame:
        return qr.prep.bars(trades, "1m", **hour)

    def theirs() -> pd.DataFrame:
        return trades.assign(bucket=trades.index.floor("1min")).groupby(KEYS, observed=True).apply(one_bar)

    answer = ours()
    expected = in_our_order(theirs(), answer)
    assert_frame_equal(answer, expected.astype(answer.dtypes.to_dict()), rtol=1e-12, check_freq=False)
    seconds = interleaved(ours=ours, theirs=theirs)
    report("qr.prep.bars / groupby-apply", ratios(seconds, "ours", "theirs"), 0.2)
