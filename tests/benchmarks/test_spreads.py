"""`qr.spreads` over five million tickers against downloading them and computing in pandas."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pandas as pd
import pytest
from benchmarks.conftest import FOLDER
from benchmarks.measure import interleaved, ratios, report
from clickhouse_connect.driver.client import Client
from pandas.testing import assert_frame_equal

import qalypto_research as qr

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]

TICKERS = """
    SELECT timestamp, exchange, symbol, last_price, bid_price, ask_price FROM bench.ticker ORDER BY timestamp, exchange, symbol
"""


@pytest.fixture(scope="module")
def tickers_archive() -> Path:
    folder = FOLDER / "tickers-5m"
    subprocess.run([sys.executable, str(Path(__file__).with_name("write_tickers.py")), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def client(tickers_archive: Path) -> Iterator[Client]:
    """Yield a plain client with a plain table over the same files."""
    with clickhouse_connect.get_client(interface="chdb", path=":memory:") as plain:
        plain.command("CREATE DATABASE bench")
        plain.command(
            "CREATE TABLE bench.ticker (timestamp DateTime64(3, 'UTC'), exchange String, symbol String, last_price Float64, "
            f"bid_price Nullable(Float64), ask_price Nullable(Float64)) ENGINE = File(Parquet, '{tickers_archive}/ticker/*.parquet')"
        )
        yield plain


def by_pandas(client: Client) -> pd.DataFrame:
    """Download the columns that are needed and compute the spreads as a careful user would: no loop, names as categories."""
    rows = client.query_arrow(TICKERS, use_strings=True).to_pandas()
    names = {"exchange": EXCHANGES, "symbol": SYMBOLS}
    rows = rows.astype({column: pd.CategoricalDtype(pd.Index(values, dtype="str")) for column, values in names.items()})
    rows["bucket"] = rows.pop("timestamp").dt.floor("1s")
    last = rows.drop_duplicates(["bucket", "symbol", "exchange"], keep="last").sort_values(["bucket", "symbol", "exchange"])
    grouped = last.groupby(["bucket", "symbol"], observed=True)
    found = grouped.agg(
        exchanges=("last_price", "size"),
        bid_price=("bid_price", "max"),
        ask_price=("ask_price", "min"),
        min_price=("last_price", "min"),
        max_price=("last_price", "max"),
        avg_price=("last_price", "mean"),
    )
    for side, best in (("bid", "max"), ("ask", "min")):
        quotes = last[last[f"{side}_price"] == grouped[f"{side}_price"].transform(best)]
        found[f"{side}_exchange"] = quotes.drop_duplicates(["bucket", "symbol"]).set_index(["bucket", "symbol"])["exchange"]
    found["mid_price"] = (found["bid_price"] + found["ask_price"]) / 2
    found["spread"] = found["ask_price"] - found["bid_price"]
    found["spread_bps"] = found["spread"] / found["mid_price"] * 10_000
    found["range_bps"] = (found["max_price"] - found["min_price"]) / found["avg_price"] * 10_000
    return found.reset_index("symbol")


def test_five_million_tickers(tickers_archive: Path, client: Client) -> None:
    with qr.connect(tickers_archive, at="2026-03-02 08:01") as con:

        def ours() -> pd.DataFrame:
            return con.spreads(SYMBOLS, "1s", start="2026-03-02", end="2026-03-02 08:00")

        expected = by_pandas(client)
        expected.index = pd.DatetimeIndex(expected.index).tz_convert("UTC").as_unit("us").rename("timestamp")
        answer = ours()
        assert len(answer) > 250_000
        # Ours stand in the order of spelling within a bucket.
        expected["by_spelling"] = expected["symbol"].astype("str")
        expected = expected.reset_index().sort_values(["timestamp", "by_spelling"]).set_index("timestamp")
        assert_frame_equal(answer, expected[list(answer.columns)], rtol=1e-12, check_freq=False)
        del answer, expected
        seconds = interleaved(ours=ours, theirs=lambda: by_pandas(client))
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.spreads(every='1s') / query_arrow and pandas", ratios(seconds, "ours", "theirs"), 0.45)
