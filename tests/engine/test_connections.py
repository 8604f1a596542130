"""Connections in use by many threads, closed, dropped, and over files that break."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest
from archives import trade, utc, write

import qalypto_research as qr
from qalypto_research.engine.progress import Progress


@pytest.fixture
def con():
    with qr.connect("sample") as connection:
        yield connection


@pytest.fixture
def archive(tmp_path):
    """Return an archive of two files of trades, large enough that a page can break."""
    rng = np.random.default_rng(1)
    for name, day in (("a", "2026-03-01"), ("b", "2026-03-02")):
        times = utc(f"{day} 12:00")
        write(
            tmp_path,
            "trade",
            [trade(times + np.timedelta64(i, "s"), float(p), trade_id=str(i)) for i, p in enumerate(rng.random(3000))],
            name=name,
        )
    return tmp_path


CALLS = [
    lambda con: con.trades("BTCUSDT", minutes=5),
    lambda con: con.klines(["BTCUSDT", "ETHUSDT"], "1h", days=3, exchange="all", gaps="ignore"),
    lambda con: con.tickers("ETHUSDT", minutes=5, exchange="okx"),
    lambda con: con.orderbook_tops("BTCUSDT", minutes=2),
    lambda con: con.sql("SELECT exchange, count() AS n, max(amount) AS s FROM market_data_trade GROUP BY exchange ORDER BY exchange"),
    lambda con: con.symbols(),
]


def refused(con):
    with pytest.raises(qr.errors.QueryError):
        con.sql("SELECT throwIf(number = 99999) FROM numbers(200000)")


def test_eight_threads_of_mixed_calls_get_equal_answers(con):
    expected = [call(con) for call in CALLS]
    work = [i for _ in range(6) for i in range(len(CALLS))]
    np.random.default_rng(3).shuffle(work)
    with ThreadPoolExecutor(8) as pool:
        failures = [pool.submit(refused, con) for _ in range(6)]
        answers = list(pool.map(lambda i: CALLS[i](con), work))
    assert [f.result() for f in failures] == [None] * 6
    for i, answer in zip(work, answers, strict=True):
        assert answer.equals(expected[i])


def test_an_error_in_a_thread_is_the_threads_own(con):
    with ThreadPoolExecutor(2) as pool:
        bad, good = pool.submit(con.sql, "SELECT nope"), pool.submit(con.klines, "BTCUSDT", "1h", hours=3)
        with pytest.raises(qr.errors.QueryError, match="nope"):
            bad.result()
        assert len(good.result()) == 3


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_connection_says_so(call):
    con = qr.connect("sample")
    con.close()
    con.close()  # twice is fine
    with pytest.raises(qr.errors.ClosedError, match=r"is closed; call qr\.connect\(\)"):
        call(con)
    assert con.closed


AGAIN = """
import gc, os, threading, weakref
import qalypto_research as qr

def again():  # as a cell that is run again: the connection before is let go, never closed
    con = qr.connect("sample")
    con.klines("BTCUSDT", hours=1)
    return weakref.ref(con.engine)

def held():
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(20)  # the last query's: it ends on its own
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

for _ in range(3):
    again()
before = held()
engines = [again() for _ in range(30)]  # the engine itself opens a few more files as its threads start
print(held() - before < len(engines), sum(engine() is not None for engine in engines), threading.active_count())
"""


def test_connecting_again_and_again_holds_no_more_files_no_engine_and_no_thread():
    """The default connection and the one before it, which closing gives back, are all that stays."""
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True 2 1\n")


def test_the_memory_of_an_answer_is_not_held_by_its_frame(con):
    snapshot = con.snapshot()
    with snapshot as s:
        table = s.fetch(f"SELECT timestamp, toLowCardinality(symbol) AS symbol, price, trade_id FROM {s.relation(_trade())}")
        builder = _builder(("symbol", "price", "trade_id"), table.num_rows)
        builder.append(table)
        addresses = [b.address for column in table.columns for chunk in column.chunks for b in chunk.buffers() if b is not None]
        spans = [
            (b.address, b.address + b.size) for column in table.columns for chunk in column.chunks for b in chunk.buffers() if b is not None
        ]
    frame = builder.finish()
    assert addresses
    own = [frame["price"].to_numpy().__array_interface__["data"][0], frame.index.asi8.__array_interface__["data"][0]]
    own += [b.address for b in frame["trade_id"].array._pa_array.chunk(0).buffers() if b is not None]
    assert not [a for a in own for low, high in spans if low <= a < high]


def _trade():
    from qalypto_research.schema.tables import TRADE  # noqa: PLC0415

    return TRADE


def _builder(names, rows):
    from qalypto_research.engine.frames import FrameBuilder  # noqa: PLC0415
    from qalypto_research.schema.frames import TRADES  # noqa: PLC0415

    return FrameBuilder([c for c in TRADES.columns if c.name in names], rows)


# --- Files that break under an open connection ----------------------------------------------------------------------


def same_size_and_time(path, change):
    """Change a file so that nothing about it shows from outside."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def price_page(path):
    """Return where the values of `price` begin and end in the file."""
    column = pq.read_metadata(path).row_group(0).column(3)
    assert column.path_in_schema == "price"
    start = column.data_page_offset
    return start, start + column.total_compressed_size // 2


@pytest.mark.parametrize("where", ["header", "whole page"])
def test_a_page_that_breaks_after_opening_is_an_error_never_a_short_frame(archive, where):
    with qr.connect(archive) as con:
        whole = con.trades("BTCUSDT", limit=10_000)
        assert len(whole) == 6000
        start, end = price_page(archive / "trade" / "b.parquet")

        def overwrite(data):
            stop = start + 8 if where == "header" else end
            data[start:stop] = b"\xff" * (stop - start)

        same_size_and_time(archive / "trade" / "b.parquet", overwrite)
        with pytest.raises(qr.errors.QalyptoError) as caught:
            con.trades("BTCUSDT", limit=10_000)
        assert caught.value.__cause__ is not None
        with pytest.raises(qr.errors.QalyptoError):
            con.sql("SELECT sum(price) FROM market_data_trade")
        assert len(con.trades("BTCUSDT", start="2026-03-01 12:00", end="2026-03-01 12:10", columns="symbol")) == 600


def test_a_file_cut_short_is_an_error_that_names_it(archive):
    path = archive / "trade" / "b.parquet"
    with qr.connect(archive) as con:
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(qr.errors.ArchiveError, match=r"b\.parquet.*not a readable Parquet file"):
            con.trades("BTCUSDT", limit=10)


def test_a_file_taken_away_is_gone_from_the_next_answer(archive):
    with qr.connect(archive) as con:
        (archive / "trade" / "b.parquet").unlink()
        assert len(con.trades("BTCUSDT", limit=10_000)) == 3000
        (archive / "trade" / "a.parquet").unlink()
        with pytest.raises(qr.errors.ArchiveError, match="holds no market data"):
            con.trades("BTCUSDT", limit=10)


def test_a_connection_recovers_when_the_broken_file_is_mended(archive):
    path = archive / "trade" / "b.parquet"
    whole = path.read_bytes()
    with qr.connect(archive) as con:
        path.write_bytes(whole[:100])
        with pytest.raises(qr.errors.ArchiveError):
            con.trades("BTCUSDT", limit=10)
        path.write_bytes(whole)
        assert len(con.trades("BTCUSDT", limit=10_000)) == 6000


# --- Progress -------------------------------------------------------------------------------------------------------


class Screen:
    """A bar that remembers what it showed."""

    def __init__(self, **options):
        self.options, self.total, self.n, self.closed = options, options["total"], 0, False

    def update(self, by):
        self.n += by

    def close(self):
        self.closed = True


@pytest.fixture
def screens(monkeypatch):
    made = []
    monkeypatch.setattr("tqdm.auto.tqdm", lambda **options: made.append(Screen(**options)) or made[-1])
    return made


def test_there_is_no_bar_within_the_first_second_and_one_after_it(screens):
    clock = [100.0]
    with Progress("trades", 1_000, monotonic=lambda: clock[0]) as progress:
        clock[0] = 100.99
        progress.reach(400)
        assert screens == []
        clock[0] = 101.0
        progress.reach(700)
        assert [(s.n, s.total, s.options["desc"]) for s in screens] == [(700, 1_000, "trades")]
        progress.reach(900, 1_200)
        assert (screens[0].n, screens[0].total, screens[0].closed) == (900, 1_200, False)
    assert screens[0].closed
    assert len(screens) == 1


def test_a_bar_shows_in_no_pipe(capsys):
    clock = [0.0]
    with Progress("trades", 10, monotonic=lambda: clock[0]) as progress:
        clock[0] = 5.0
        progress.reach(5)
    assert capsys.readouterr() == ("", "")
