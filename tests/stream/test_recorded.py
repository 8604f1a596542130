"""Recorded markets through the stand-in, the socket and the buffers: the frames are the files' rows."""

from __future__ import annotations

import json
import threading
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from qalypto_research.config import Settings
from qalypto_research.local.testing import StandIn
from qalypto_research.schema.tables import KLINE, ORDERBOOK, TICKER, TRADE
from qalypto_research.schema.wire import Channel
from qalypto_research.stream.protocol import Protocol
from qalypto_research.stream.store import Store
from qalypto_research.stream.transport import Transport

CASES = [
    "binance_spot_20240808",
    "binance_spot_btc_20210108",
    "bybit_linear_20210417",
    "bybit_linear_xrp_book_20241201",
    "extra_bitget_mix_20220407",
]
FOR_EVER_US = 10**18


@pytest.fixture(scope="module", params=CASES)
def case(request, recorded):
    """Return the folder of a case, and a store that has taken all its messages over a socket."""
    folder = recorded / request.param
    store = Store(keep_us=FOR_EVER_US, max_bytes=10**12)
    over = threading.Event()
    received = iter(range(10**9))
    told = []

    def tell(what):
        told.append(what.what)
        if what.what in ("finished", "failed"):
            over.set()

    with StandIn(folder / "ws.jsonl", speed=0, http=True) as standin:
        names = ("cf_access_client_id", "cf_access_client_secret")
        given = {"username": "quant", "password": "x", "stream_url": standin.stream_url} | dict(
            zip(names, standin.stream_headers.values(), strict=True)
        )
        transport = Transport(
            Settings.read(given).stream_access(),
            Protocol(jitter=lambda: 0.5),
            data=lambda message: store.put(message, next(received)),
            notice=tell,
            bad=pytest.fail,
            beat=lambda _: None,
        )
        transport.start([Channel()])
        assert over.wait(60)
        transport.stop()
    assert told == ["live", "finished"]
    assert not store.bad
    kinds = Counter(json.loads(line)["type"] for line in (folder / "ws.jsonl").read_bytes().splitlines())
    return folder, store, kinds


def rows_of(case, kind):
    """Return the rows of a file that the log is about, in the order of their arrival, times floored as the tables have them."""
    folder, _, kinds = case
    path = folder / f"market_data_{kind}.parquet"
    if not kinds[kind]:
        pytest.skip(f"{folder.name} streams no {kind}")
    rows = pd.read_parquet(path).head(kinds[kind])
    assert len(rows) == kinds[kind]
    return rows.assign(timestamp=rows["timestamp"].dt.floor("ms").dt.as_unit("us"), arrival=range(len(rows)))


def same(frame, rows, columns):
    """Hold a frame against rows in its order."""
    assert frame.index.tolist() == rows["timestamp"].tolist()
    for mine, theirs in columns.items():
        found, wanted = frame[mine], rows[theirs]
        if found.dtype == "float64":
            np.testing.assert_array_equal(found.to_numpy(), wanted.astype("float64").to_numpy())
        elif str(found.dtype).startswith("datetime64"):
            assert found.tolist() == wanted.dt.as_unit("us").tolist()
        else:
            assert found.astype(str).tolist() == (wanted.astype(bool) if found.dtype == bool else wanted).astype(str).tolist()


def test_trades(case):
    rows = rows_of(case, "trade")
    rows = rows[~(rows.duplicated(["exchange", "symbol", "trade_id"]) & (rows["trade_id"] != ""))]
    number = pd.to_numeric(rows["trade_id"], errors="coerce").fillna(np.inf)
    rows = rows.assign(number=number).sort_values(["timestamp", "exchange", "symbol", "number", "trade_id", "arrival"])
    frame = case[1].frame(TRADE)
    same(frame, rows, {c: c for c in ("exchange", "symbol", "price", "amount", "side", "trade_id", "is_liquidation")})


def test_tickers(case):
    rows = rows_of(case, "ticker").sort_values(["timestamp", "exchange", "symbol", "arrival"])
    columns = [c for c in rows.columns if c not in ("timestamp", "arrival", "_seen", "_seq", "_producer_received")]
    same(case[1].frame(TICKER), rows, {c: c for c in columns})


def test_candles(case):
    rows = rows_of(case, "kline")
    # Of each candle its last update, a final one before any other.
    last = rows.sort_values(["is_final", "arrival"]).groupby(["exchange", "symbol", "interval", "timestamp"], sort=False).tail(1)
    length = pd.to_timedelta(last["interval"].str.replace("m", "min").str.replace("d", "D"))
    last = last.assign(length=length).sort_values(["timestamp", "exchange", "symbol", "length"])
    columns = ("exchange", "symbol", "interval", "open", "high", "low", "close", "volume", "quote_volume", "is_final")
    same(case[1].frame(KLINE), last, {c: c for c in columns})


def test_tops(case):
    rows = rows_of(case, "orderbook").sort_values(["timestamp", "exchange", "symbol", "arrival"])
    tops = {"bid_price": "bids_price_0", "bid_size": "bids_size_0", "ask_price": "asks_price_0", "ask_size": "asks_size_0"}
    same(
        case[1].frame(ORDERBOOK),
        rows,
        {"exchange": "exchange", "symbol": "symbol", **tops, "is_snapshot": "is_snapshot", "sequence_id": "sequence_id"},
    )
