"""What is attached to an answer, and what is refused for its size."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from archives import book, kline, ticker, trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    (folder / "manifest.json").write_text(json.dumps({"source": "a test", "synthetic": True, "schema_version": 1}))
    for table, row in {"ticker": ticker, "orderbook": book}.items():
        write(folder, table, [row("12:00", **({"funding_rate": 1e-4} if table == "ticker" else {}))])
    write(folder, "kline", [kline("12:00"), kline("12:01")])
    write(folder, "trade", [trade("12:00", trade_id=str(n)) for n in range(1_000)])
    with qr.connect(folder, at="2026-03-02 13:00") as connection:
        yield connection


CALLS = {
    "klines": lambda con: con.klines(["BTCUSDT"], "1m", start=pd.Timestamp("2026-03-02 12:00"), minutes=np.int64(2)),
    "trades": lambda con: con.trades("BTCUSDT", start=np.datetime64("2026-03-02T12:00"), limit=np.int32(5), tz=dt.timezone.utc),  # noqa: UP017
    "tickers": lambda con: con.tickers(("BTCUSDT",), end=dt.datetime(2026, 3, 2, 13), hours=np.float32(1.0)),  # noqa: DTZ001
    "orderbook_tops": lambda con: con.orderbook_tops(np.array(["BTCUSDT"]), minutes=60, columns=["bid_price"]),
    "orderbooks": lambda con: con.orderbooks("BTCUSDT", depth=np.int64(3), minutes=60, every=pd.Timedelta("1s"), columns=["bid_price_2"]),
    "funding": lambda con: con.funding("BTCUSDT", start=dt.datetime(2026, 3, 2, 12), minutes=60, max_bytes=10**6),  # noqa: DTZ001
    "spreads": lambda con: con.spreads(["BTCUSDT"], pd.Timedelta("1m"), start=np.datetime64("2026-03-02T12:00"), exchange="all"),
    "bars": lambda con: con.bars("BTCUSDT", np.float64(2.5), "volume", start=dt.datetime(2026, 3, 2, 12), bound=None),  # noqa: DTZ001
    "flow": lambda con: con.flow(("BTCUSDT",), pd.Timedelta("1m"), start=np.datetime64("2026-03-02T12:00"), limit=np.int64(5)),
    "compare": lambda con: con.compare(("BTCUSDT",), start=pd.Timestamp("2026-03-02 12:00"), exchange=np.array(["binance"])),
    "batches": lambda con: next(con.batches("klines", "BTCUSDT", interval="1m", limit=np.int32(2), rows=np.int64(5))),
    "sql": lambda con: con.sql("SELECT 1 AS x"),
    "symbols": lambda con: con.symbols(),
}


@pytest.mark.embedded
@pytest.mark.parametrize("name", CALLS)
def test_facts_are_plain_json_and_say_where_the_answer_is_from(con, name):
    facts = CALLS[name](con).attrs["qalypto"]
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert set(facts) >= {"asked", "source", "synthetic", "window", "clock", "query_ids"}
    assert (facts["source"], facts["synthetic"], facts["clock"]) == ("a test", True, "2026-03-02T13:00:00+00:00")
    assert facts["asked"]["call"] == name


def test_the_window_is_in_the_facts(con):
    facts = con.trades("BTCUSDT", start="2026-03-02 12:00", minutes=5).attrs["qalypto"]
    assert facts["window"] == ["2026-03-02T12:00:00+00:00", "2026-03-02T12:05:00+00:00"]


@pytest.mark.embedded
def test_every_statement_has_an_id_of_its_own(con):
    ids = [CALLS["trades"](con).attrs["qalypto"]["query_ids"] for _ in range(2)]
    assert all(len(i) == 1 for i in ids)
    assert ids[0] != ids[1]


def test_concat_keeps_the_facts_of_each_part(con):
    parts = [CALLS["trades"](con), CALLS["tickers"](con)]
    facts = qr.concat(parts).attrs["qalypto"]
    assert facts == {"parts": [p.attrs["qalypto"] for p in parts], "synthetic": True}


@pytest.mark.embedded
@pytest.mark.parametrize("call", ["trades", "klines"])
def test_an_answer_over_max_bytes_is_refused_before_any_row_is_read(con, monkeypatch, call):
    read = []
    engine = type(con.engine)
    execute = engine.execute
    monkeypatch.setattr(engine, "execute", lambda self, sql, *rest: read.append(execute(self, sql, *rest)) or read[-1])
    own = {"interval": "1m"} if call == "klines" else {}
    with pytest.raises(qr.errors.ResultTooLargeError, match="limit") as refused:
        getattr(con, call)("BTCUSDT", start="2026-03-02 12:00", end="2026-03-02 12:02", max_bytes=100, **own)
    rows = {"trades": 1_000, "klines": 2}[call]
    assert (refused.value.rows, refused.value.max_bytes) == (rows, 100)
    assert refused.value.estimated_bytes > 100
    assert {tuple(table.column_names) for table, _ in read} == {("start_ms", "rows", "read")}


@pytest.mark.parametrize("options", [{"limit": 10}, {"columns": "price"}, {"max_bytes": "1MB"}, {"max_bytes": 10**6}], ids=str)
def test_the_smaller_ways_that_the_refusal_names_work(con, options):
    window = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:02"}
    with pytest.raises(qr.errors.ResultTooLargeError):
        con.trades("BTCUSDT", max_bytes="20kB", **window)
    assert len(con.trades("BTCUSDT", **({"max_bytes": "20kB"} | window | options))) in {10, 1_000}
