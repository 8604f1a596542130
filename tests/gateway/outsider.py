"""What an unmodified clickhouse-connect gets from the stand-in, run where this project's package cannot be imported.

Takes the environment's variables and a folder; leaves frames and facts there.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path


class Absent:
    @staticmethod
    def find_spec(name, _path=None, _target=None):
        if name.partition(".")[0] == "qalypto_research":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent)
try:
    import_module("qalypto_research")
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the package is there")

from urllib.parse import urlsplit  # noqa: E402

import clickhouse_connect  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: E402

ADDRESS = urlsplit(os.environ["QALYPTO_CLICKHOUSE_URL"])
ALL = "SELECT * FROM market_data.market_data_trade ORDER BY timestamp"
HOUR = """
-- Get OHLCV data for backtesting
SELECT timestamp, exchange, symbol, interval, open, high, low, close, volume
FROM market_data.market_data_kline
WHERE symbol IN ('BTCUSDT', 'ETHUSDT', 'SOLUSDT') AND interval = '1m' AND exchange = 'binance' AND is_final = 1
  AND timestamp >= now() - INTERVAL 1 HOUR
ORDER BY timestamp ASC
"""


def client(**options):
    return clickhouse_connect.get_client(
        interface=ADDRESS.scheme,
        host=ADDRESS.hostname,
        port=ADDRESS.port,
        username=os.environ["QALYPTO_USERNAME"],
        password=os.environ["QALYPTO_PASSWORD"],
        ca_cert=os.environ["QALYPTO_CA_FILE"],
        **options,
    )


def error(call):
    try:
        call()
    except ClickHouseError as raised:
        return [type(raised).__name__, raised.code]
    return None


def read(out):
    with client() as one:
        facts = {
            "ping": one.ping(),
            "zone": str(one.server_tz),
            "one": one.command("SELECT 1"),
            "tables": one.command("SHOW TABLES FROM market_data").split("\n"),
            "hour": len(one.query(HOUR).result_rows),
            "bound": one.query("SELECT {x:String}, {y:Array(String)}", parameters={"x": "a'b\\c\td", "y": ["p'", "q\\"]}).result_rows,
            "empty": one.query_df(f"{ALL.replace('ORDER', 'WHERE price < 0 ORDER')}").shape[0],
            "columns": list(one.query(f"{ALL} LIMIT 0").column_names),
            "syntax": error(lambda: one.query("SELECT 1 FROM")),
            "table": error(lambda: one.query("SELECT * FROM market_data.nope")),
            "insert": error(lambda: one.command("INSERT INTO market_data.market_data_trade SELECT 1")),
            "settings": one.query("SELECT getSetting('max_block_size')", settings={"max_block_size": 77}).result_rows,
        }
        rows = [list(row) for row in one.query(ALL).result_rows]
        facts["rows"] = [[row[0].isoformat(), *row[1:]] for row in rows]
        one.query_df(ALL).to_parquet(out / "df.parquet")
        pq.write_table(one.query_arrow(ALL), out / "arrow.parquet")
        with one.query_row_block_stream(ALL) as blocks:
            facts["row blocks"] = [list(row)[1:] for block in blocks for row in block] == [row[1:] for row in rows]
        with one.query_df_stream(ALL) as frames:
            facts["df stream"] = sum(len(frame) for frame in frames)
        with one.query_arrow_stream(ALL) as batches:
            facts["arrow stream"] = sum(batch.num_rows for batch in batches)
    for encoding in ("lz4", "zstd", "gzip", "deflate", False):
        with client(compress=encoding) as one:
            facts[f"compress {encoding}"] = one.query(ALL).row_count
    with client(form_encode_query_params=True) as one:
        wanted = [f"{n:0100}" for n in range(5_000)]
        facts["form"] = one.query("SELECT length({x:Array(String)})", parameters={"x": wanted}).result_rows[0][0]
    with client(database="market_data", session_id="outsider") as one:
        facts["database"] = one.query("SELECT count() FROM market_data_trade").result_rows
    return facts


def broken():
    """Return what each way of reading makes of an answer that breaks off."""
    with client(query_retries=0) as one:

        def drained(stream):
            with stream as blocks:
                return [block for block in blocks]  # noqa: C416 - read to the end

        return {
            "query": error(lambda: one.query(ALL).result_rows),
            "query_df": error(lambda: one.query_df(ALL)),
            "row blocks": error(lambda: drained(one.query_row_block_stream(ALL))),
            "df stream": error(lambda: drained(one.query_df_stream(ALL))),
        } | {"raw": type(_arrow_error(one)).__name__}


def _arrow_error(one):
    try:
        pa.ipc.open_stream(one.raw_query(ALL, fmt="ArrowStream")).read_all()
    except Exception as raised:  # noqa: BLE001 - any that says so
        return raised
    return None


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    facts = broken() if sys.argv[1] == "broken" else read(folder)
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
