"""Answers in parts: laid end to end they are the single call's, of one moment, and let go of what they hold."""

from __future__ import annotations

import gc
import itertools
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from archives import book, kline, klines, ticker, trade, utc, write

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.history import parts

WINDOW = {"start": "2026-03-02 12:00", "end": "2026-03-02 13:00"}
THREE = ["BTCUSDT", "ETHUSDT", "UNIUSDT"]
OWN = {"trades": {}, "tickers": {}, "orderbook_tops": {}, "klines": {"interval": "1m"}}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return an archive of 1,000 rows a table, 200 of them at one moment; a symbol beyond the documented comes late."""
    folder = tmp_path_factory.mktemp("batches")
    random = np.random.default_rng(6)
    times = [utc("12:00") + pd.Timedelta(int(ms), "ms") for ms in random.integers(0, 3_600_000, 800)] + [utc("12:20")] * 200
    for table, make in {"trade": trade, "ticker": ticker, "orderbook": book}.items():
        rows = []
        for n, when in enumerate(times):
            symbol = THREE[random.integers(3 if when > utc("12:40") else 2)]
            extra = {"trade_id": str(random.integers(0, 300))} if table == "trade" else {}
            rows.append(make(when, 1.0 + n, exchange=("okx", "binance")[random.integers(2)], symbol=symbol, **extra))
        write(folder, table, [rows[i] for i in random.permutation(1_000)])
    candles = [r for e in ("okx", "binance") for s in THREE[:2] for r in klines("12:00", 60, exchange=e, symbol=s)]
    running = [kline("12:10", 7.0, 0.1, is_final=0), *klines("12:00", 60)]
    write(folder, "kline", candles + running)
    return folder


@pytest.fixture(scope="module")
def con(root):
    with qr.connect(root, at="2026-03-02 13:00:30") as connection:
        yield connection


def symbols_of(call):
    return THREE[:2] if call == "klines" else THREE


@pytest.mark.contract
@pytest.mark.parametrize("call", OWN)
@pytest.mark.parametrize(("rows", "slice_rows"), [(1, 500), (100, 70), (333, 150), (240, 10**6), (1_000, 300)])
def test_batches_laid_end_to_end_are_the_single_answer(con, monkeypatch, call, rows, slice_rows):
    monkeypatch.setattr(parts, "SLICE_ROWS", slice_rows)
    window = WINDOW if rows > 1 else {"start": "2026-03-02 12:21", "end": "2026-03-02 12:24"}
    whole = getattr(con, call)(symbols_of(call), exchange="all", **OWN[call], **window)
    found = list(con.batches(call, symbols_of(call), exchange="all", rows=rows, **OWN[call], **window))
    pd.testing.assert_frame_equal(qr.concat(found), whole)
    assert [len(f) for f in found] == [min(rows, len(whole) - n) for n in range(0, len(whole), rows)]
    assert len(whole) > rows or len(found) == 1


@pytest.mark.contract
def test_each_frame_is_of_the_contract_by_itself(con, monkeypatch):
    monkeypatch.setattr(parts, "SLICE_ROWS", 100)
    found = list(con.batches("trades", THREE, exchange="all", rows=100, columns=["symbol", "trade_id", "price"], tz="Asia/Tokyo", **WINDOW))
    whole = con.trades(THREE, exchange="all", columns=["symbol", "trade_id", "price"], tz="Asia/Tokyo", **WINDOW)
    assert {str(f.index.dtype) for f in found} == {"datetime64[us, Asia/Tokyo]"}
    pd.testing.assert_frame_equal(qr.concat(found), whole)
    # A symbol beyond the documented is a category of the frames that hold it.
    extra = ["UNIUSDT" in f["symbol"].cat.categories for f in found]
    assert extra == [bool((f["symbol"] == "UNIUSDT").any()) for f in found]
    assert (extra[0], extra[-1]) == (False, True)
    found[0].loc[:, "price"] = 0.0
    assert (found[0]["price"] == 0.0).all()


@pytest.mark.parametrize("limit", [1, 250, 10_000])
@pytest.mark.parametrize("window", [WINDOW, {}], ids=["window", "none"])
def test_a_limit_is_the_newest_over_all_frames(con, monkeypatch, limit, window):
    monkeypatch.setattr(parts, "SLICE_ROWS", 110)
    found = list(con.batches("tickers", THREE, exchange="all", rows=100, limit=limit, **window))
    pd.testing.assert_frame_equal(qr.concat(found), con.tickers(THREE, exchange="all", limit=limit, **window))


@pytest.mark.parametrize("window", [{"minutes": 30}, {"hours": 1}, {"start": "2026-03-02 12:10:30"}, {"limit": 7}], ids=str)
@pytest.mark.parametrize(("at", "missing"), [("2026-03-02 12:45:03", True), ("2026-03-02 12:45:03", False), ("2026-03-02 12:45:30", True)])
def test_candles_stand_for_the_same_window_as_the_single_call(connect, tmp_path, window, at, missing):
    # The newest candle of one series may be on its way yet: both then end one earlier.
    rows = [r for e in ("okx", "binance") for r in klines("12:00", 60, exchange=e)]
    rows = [
        r for r in rows if not (missing and r["exchange"] == "okx" and r["timestamp"] == utc(at).floor("min") - pd.Timedelta(minutes=1))
    ]
    write(tmp_path, "kline", rows)
    con = connect(tmp_path, at=at)
    found = list(con.batches("klines", "BTCUSDT", interval="1m", exchange="all", rows=11, **window))
    whole = con.klines("BTCUSDT", "1m", exchange="all", gaps="ignore", **window)
    pd.testing.assert_frame_equal(qr.concat(found), whole)
    assert found[0].attrs["qalypto"]["window"] == whole.attrs["qalypto"]["window"]


def test_an_empty_answer_is_one_empty_frame(con):
    none = {"start": "2026-03-02 12:00", "end": "2026-03-02 12:00:00.001"}
    found = list(con.batches("trades", THREE, exchange="all", **none))
    assert len(found) == 1
    pd.testing.assert_frame_equal(found[0], con.trades(THREE, exchange="all", **none))


def test_the_whole_iteration_is_of_one_moment_and_one_state_of_the_files(connect, tmp_path):
    write(tmp_path, "trade", [trade(f"12:00:{s:02}", float(s)) for s in range(40)])
    con = connect(tmp_path, at="2026-03-02 12:00:29.5")
    rest = con.batches("trades", "BTCUSDT", start="2026-03-02 12:00", rows=10)
    first = next(rest)
    write(tmp_path, "trade", [trade("12:00:05", 99.0)], name="b")
    con.clock._wall = lambda: 10**7
    con.clock.start()
    con.clock._wall = lambda: 2 * 10**7
    assert len(con.trades("BTCUSDT", start="2026-03-02 12:00")) > 31
    assert [price for part in [first, *rest] for price in part["price"]] == [float(s) for s in range(30)]


def test_facts_name_the_call_and_the_statements_of_each_frame(con, monkeypatch):
    monkeypatch.setattr(parts, "SLICE_ROWS", 100)
    facts = [f.attrs["qalypto"] for f in con.batches("trades", THREE, exchange="all", rows=250, **WINDOW)]
    assert {f["asked"]["call"] for f in facts} == {"batches"}
    assert {(f["asked"]["table"], f["asked"]["rows"], f["clock"]) for f in facts} == {("trades", 250, "2026-03-02T13:00:30+00:00")}
    assert "max_bytes" not in facts[0]["asked"]
    ids = [i for f in facts for i in f["query_ids"]]
    assert len(ids) == len(set(ids)) > len(facts)


# --- Letting go -----------------------------------------------------------------------------------------------------


def catalogs(con):
    """Return the archive's states that are still held, beside those of other connections."""
    with con.engine._pool.borrow() as client:
        return {name for (name,) in client.query("SHOW DATABASES").result_rows if name.startswith("qalypto_") and "moment" not in name}


@pytest.mark.parametrize("how", ["exhausted", "closed", "with", "abandoned", "abandoned in a cycle", "never begun"])
def test_what_an_iteration_holds_is_let_go(connect, tmp_path, how):
    write(tmp_path, "trade", [trade(f"12:00:{s:02}") for s in range(40)])
    con = connect(tmp_path)
    begun = con.batches("trades", "BTCUSDT", limit=30, rows=10)
    held = con.engine._catalog
    write(tmp_path, "trade", [trade("12:00:00")], name="b")
    con.symbols()
    assert con.engine._catalog is not held
    assert held.database in catalogs(con)
    if how != "never begun":
        next(begun)
    assert held.database in catalogs(con)
    if how == "exhausted":
        assert len(list(begun)) == 2
    elif how == "closed":
        begun.close()
        begun.close()
        assert list(begun) == []
    elif how == "with":
        with begun as same:
            assert same is begun
    elif how == "abandoned in a cycle":
        begun.itself = begun
    del begun
    gc.collect()
    if how == "with":
        del same
    assert held.database not in catalogs(con)
    assert held.users == 0


def test_the_collector_may_let_go_while_the_engine_is_at_work(connect, tmp_path, monkeypatch):
    """It runs on whatever thread needs memory, also on one that is building the next state of the files."""
    write(tmp_path, "trade", [trade(f"12:00:{s:02}") for s in range(40)])
    con = connect(tmp_path)
    begun = con.batches("trades", "BTCUSDT", limit=30, rows=10)
    begun.itself = begun
    held = con.engine._catalog
    build = EmbeddedEngine._build

    def build_and_collect(self, known):
        nonlocal begun
        begun = None
        gc.collect()
        return build(self, known)

    monkeypatch.setattr(EmbeddedEngine, "_build", build_and_collect)
    write(tmp_path, "trade", [trade("12:00:00")], name="b")
    done = threading.Thread(target=con.symbols, daemon=True)
    done.start()
    done.join(60)
    assert not done.is_alive()
    assert held.users == 0
    assert held.database not in catalogs(con)


def test_closing_the_connection_in_between_is_an_error_and_no_short_end(connect, tmp_path):
    write(tmp_path, "trade", [trade(f"12:00:{s:02}") for s in range(40)])
    con = connect(tmp_path)
    begun = con.batches("trades", "BTCUSDT", limit=30, rows=10)
    next(begun)
    con.close()
    for _ in range(2):
        with pytest.raises(qr.errors.ClosedError, match="closed"):
            next(begun)
    begun.close()


def test_an_interrupt_ends_the_wait_and_the_iteration_can_go_on(con, monkeypatch):
    monkeypatch.setattr(parts, "SLICE_ROWS", 100)
    begun = con.batches("trades", THREE, exchange="all", rows=100, **WINDOW)
    found = [next(begun)]
    execute = EmbeddedEngine.execute
    presses = iter([True])

    def press(self, *args):
        if next(presses, False):
            signal.raise_signal(signal.SIGINT)
        return execute(self, *args)

    monkeypatch.setattr(EmbeddedEngine, "execute", press)
    with pytest.raises(KeyboardInterrupt):
        next(begun)
    found += begun
    pd.testing.assert_frame_equal(qr.concat(found), con.trades(THREE, exchange="all", **WINDOW))


def test_several_iterations_at_once_do_not_mix(con):
    options = {"exchange": "all", "rows": 90, **WINDOW}
    both = list(itertools.zip_longest(con.batches("trades", THREE, **options), con.batches("tickers", THREE, **options)))
    pd.testing.assert_frame_equal(qr.concat([a for a, _ in both]), con.trades(THREE, exchange="all", **WINDOW))
    pd.testing.assert_frame_equal(qr.concat([b for _, b in both]), con.tickers(THREE, exchange="all", **WINDOW))


def test_a_connection_that_is_only_held_by_its_iteration_stays_open(root):
    qr.connect("sample").close()
    begun = qr.connect(root, at="2026-03-02 13:00:30").batches("trades", THREE, exchange="all", rows=100, **WINDOW)
    gc.collect()
    assert sum(len(f) for f in begun) == 1_000


# --- At the call ----------------------------------------------------------------------------------------------------


def test_warnings_come_with_the_call(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "ticker", [ticker("12:00", exchange="okx")])
    con = connect(tmp_path, exchange="all")
    with pytest.warns(qr.errors.GapWarning, match="market_data_trade has no row of okx BTCUSDT here"):
        begun = con.batches("trades", "BTCUSDT", start="2026-03-02 12:00")
    assert len(list(begun)) == 1
    with pytest.warns(qr.errors.GapWarning, match="market_data_trade begins at 2026-03-02 12:00:00"):
        con.batches("trades", "BTCUSDT", exchange="binance", days=1)


def test_a_failed_call_holds_nothing(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    con = connect(tmp_path)
    for wrong in ({"rows": 0}, {"columns": "x"}, {"start": "2027-01-01"}, {"table": "trade"}, {"interval": "1h"}):
        with pytest.raises(qr.errors.InputError):
            con.batches(**({"table": "trades", "symbols": "BTCUSDT", "limit": 1} | wrong))
    assert con.engine._catalog.users == 0


def test_stretches_counted_again_lie_on_another_grid_and_no_row_is_counted_twice(connect, tmp_path, monkeypatch):
    """The window is counted by 3,601 ms, the dense stretch in it again by 4 ms; one row lies just before that stretch."""
    monkeypatch.setattr(parts, "SLICE_ROWS", 50)
    start = utc("12:00").value // 10**6
    dense = next(ms for ms in range(-(-start // 3_601) * 3_601 + 3_601 * 100, start + 3_600_500, 3_601) if ms % 4)
    at = [start, dense - 1, *range(dense, dense + 400)]
    write(tmp_path, "trade", [trade(pd.Timestamp(ms, unit="ms", tz="UTC"), float(n)) for n, ms in enumerate(at)])
    window = {"start": utc("12:00"), "end": utc("12:00") + pd.Timedelta("3600.5s")}
    con = connect(tmp_path, at="2026-03-02 14:00")
    for limit in (1, 399, 400, 401, 402, 500):
        prices = [p for part in con.batches("trades", "BTCUSDT", rows=70, limit=limit, **window) for p in part["price"]]
        assert prices == [float(n) for n in range(402)][-limit:]
