"""`qr.trades` over five million trades against the ways a careful user would go without it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pandas as pd
import pytest
from benchmarks.measure import interleaved, ratios, report
from clickhouse_connect.driver.client import Client
from pandas.testing import assert_frame_equal

import qalypto_research as qr
from qalypto_research.engine.clients import SETTINGS
from qalypto_research.engine.embedded import EmbeddedEngine

EXCHANGES = ["binance", "bitget", "bybit", "okx"]
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]

DAY = """
    SELECT timestamp, exchange, symbol, price, amount, side, trade_id, is_liquidation FROM bench.trade
    ORDER BY timestamp, exchange, symbol, ifNull(toUInt64OrNull(trade_id), 18446744073709551615), trade_id
"""


def to_contract(df: pd.DataFrame) -> pd.DataFrame:
    """Convert what the client returns: index, zone and unit, categories, flags."""
    names = {"exchange": EXCHANGES, "symbol": SYMBOLS, "side": ["buy", "sell"]}
    df = df.astype({column: pd.CategoricalDtype(pd.Index(values, dtype="str")) for column, values in names.items()})
    df["is_liquidation"] = df["is_liquidation"].astype(bool)
    df["trade_id"] = df["trade_id"].astype("str")
    times = pd.DatetimeIndex(df.pop("timestamp"))
    times = times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")
    return df.set_index(times.as_unit("us").rename("timestamp"))


def assert_same(ours: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Hold every value, dtype and the index against each other; pandas' own assertion takes minutes over so many texts."""
    assert ours.dtypes.equals(expected.dtypes)
    assert ours.index.equals(expected.index)
    assert ours.index.dtype == expected.index.dtype
    assert ours.equals(expected)


@pytest.fixture(scope="module")
def client(trades_archive: Path) -> Iterator[Client]:
    """Yield a plain client with a plain table over the same files."""
    with clickhouse_connect.get_client(interface="chdb", path=":memory:") as plain:
        plain.command("CREATE DATABASE bench")
        plain.command(
            "CREATE TABLE bench.trade (timestamp DateTime64(3, 'UTC'), exchange String, symbol String, price Float64, amount Float64, "
            f"side String, trade_id String, is_liquidation UInt8) ENGINE = File(Parquet, '{trades_archive}/trade/**/*.parquet')"
        )
        yield plain


@pytest.fixture(scope="module")
def con(trades_archive: Path) -> Iterator[qr.Connection]:
    with qr.connect(trades_archive) as opened:
        yield opened


def all_trades(con: qr.Connection) -> pd.DataFrame:
    return con.trades(SYMBOLS, exchange="all", start="2026-03-02")


def statements(con: qr.Connection) -> list[tuple[str, dict[str, object]]]:
    """Return the statements that one call sends."""
    sent = []
    with pytest.MonkeyPatch.context() as patch:
        execute = EmbeddedEngine.execute

        def spy(self: EmbeddedEngine, sql: str, parameters: dict[str, object], *rest: object) -> object:
            sent.append((sql, parameters))
            return execute(self, sql, parameters, *rest)

        patch.setattr(EmbeddedEngine, "execute", spy)
        all_trades(con)
    return sent


def test_five_million_trades(con: qr.Connection, client: Client) -> None:
    expected = to_contract(client.query_arrow(DAY, use_strings=True).to_pandas())
    ours = all_trades(con)
    assert len(ours) > 4_500_000
    assert_same(ours, expected)
    assert_same(ours, to_contract(client.query_df(DAY)))
    del ours, expected

    sent = statements(con)
    with clickhouse_connect.get_client(interface="chdb", path=":memory:", settings=SETTINGS) as tuned:
        # Each answer is thrown away: what is left is the engine's own time for the same statements.
        seconds = interleaved(
            ours=lambda: all_trades(con),
            arrow=lambda: to_contract(client.query_arrow(DAY, use_strings=True).to_pandas()),
            frame=lambda: to_contract(client.query_df(DAY)),
            bare=lambda: [tuned.query_arrow(sql, parameters=parameters) and None for sql, parameters in sent],
        )
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 2) for name, runs in seconds.items()})
    report("qr.trades / query_arrow().to_pandas() and conversion", ratios(seconds, "ours", "arrow"), 0.50)
    report("qr.trades / query_df and conversion", ratios(seconds, "ours", "frame"), 0.35)
    report("qr.trades / the bare engine", ratios(seconds, "ours", "bare"), 1.3)


def test_a_window_of_five_minutes_out_of_24_files(con: qr.Connection, client: Client) -> None:
    def ours() -> pd.DataFrame:
        return con.trades(SYMBOLS, exchange="all", start="2026-03-02 09:00", minutes=5)

    window = (
        "WHERE timestamp >= toDateTime64('2026-03-02 09:00', 3, 'UTC') AND timestamp < toDateTime64('2026-03-02 09:05', 3, 'UTC') ORDER"
    )
    assert_frame_equal(ours(), to_contract(client.query_arrow(DAY.replace("ORDER", window), use_strings=True).to_pandas()))
    milliseconds = [1_000 * s for s in interleaved(ours=ours)["ours"]]
    report("a 5-minute window out of 24 files", milliseconds, 40, " ms")


MEMORY = """
    import sys
    import qalypto_research as qr

    def kilobytes(name):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

    con = qr.connect(sys.argv[1])
    symbols = list(con.symbols()["symbol"].cat.categories)
    con.trades(symbols, exchange="all", start="2026-03-02", minutes=10)
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    df = con.trades(symbols, exchange="all", start="2026-03-02")
    print((kilobytes("VmHWM") - before) * 1024 / df.memory_usage(deep=True).sum())
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_peak_memory(trades_archive: Path) -> None:
    peaks = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MEMORY), str(trades_archive)], capture_output=True, text=True, check=True
        )
        peaks.append(float(done.stdout))
    report("peak extra memory / the frame", peaks, 2.5)
