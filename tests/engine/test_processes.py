"""Several processes, several archives, folders that change: each program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
from archives import trade, write

import qalypto_research as qr

AT = {"at": "2026-03-02 23:00"}


def started(program, *args, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def said(process, given=None):
    out, err = process.communicate(given, timeout=90)
    assert (process.returncode, err) == (0, "")
    return out.split()


COUNTING = """
import sys
import qalypto_research as qr
with qr.connect(sys.argv[1], at="2026-03-02 23:00") as con:
    print(len(con.trades("BTCUSDT", limit=9)), flush=True)
    sys.stdin.readline()
    print(len(con.trades("BTCUSDT", limit=9)))
"""


def test_two_processes_read_one_folder_at_the_same_time_while_it_grows(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    other = started(COUNTING, tmp_path)
    con = connect(tmp_path, **AT)
    assert other.stdout.readline() == "1\n"
    assert len(con.trades("BTCUSDT", limit=9)) == 1
    write(tmp_path, "trade", [trade("12:01")], name="b")
    assert len(con.trades("BTCUSDT", limit=9)) == 2
    assert said(other, "\n") == ["2"]


FORKING = """
import multiprocessing, warnings
import qalypto_research as qr
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of forking a process with threads

def work(symbol):
    try:
        return len(qr.klines(symbol, hours=2))
    except qr.errors.ClosedError as error:
        return "spawn" in str(error) and "qr.connect()" in str(error)

if __name__ == "__main__":
    con = qr.connect("sample")
    qr.klines("BTCUSDT", hours=2)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(*pool.map_async(work, ["BTCUSDT", "ETHUSDT"]).get(timeout=60))
    print(work("BTCUSDT"))
"""


def test_workers_forked_with_an_engine_are_told_and_end_and_the_parent_goes_on():
    assert said(started(FORKING)) == ["True", "True", "2"]


FORKED_FIRST = """
import multiprocessing
import qalypto_research as qr

def work(symbol):
    with qr.connect("sample") as con:
        return len(con.klines(symbol, hours=2))

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*pool.map_async(work, ["BTCUSDT", "ETHUSDT"]).get(timeout=60))
"""


def test_workers_forked_before_any_engine_have_engines_of_their_own():
    assert said(started(FORKED_FIRST)) == ["2", "2"]


def test_two_archives_are_asked_from_many_threads_at_once(connect, tmp_path):
    for name, price in (("a", 1.0), ("b", 2.0)):
        write(tmp_path / name, "trade", [trade("12:00", price)] * 50)
    cons = [connect(tmp_path / name) for name in "ab"]

    def ask(n):
        con = cons[n % 2]
        by_call = con.trades("BTCUSDT", limit=100)["price"]
        return {*by_call, con.sql("SELECT avg(price) AS p FROM market_data_trade")["p"].item()}, len(by_call)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(32))) == [({1.0 + n % 2}, 50) for n in range(32)]


# --- Folders that change --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_a_folder_that_is_gone_is_said_and_one_that_is_back_is_read(connect, tmp_path, strict):
    write(tmp_path / "a", "trade", [trade("12:00", 1.0)])
    write(tmp_path / "b", "trade", [trade("12:01", 2.0)])
    con = connect([tmp_path / "a", tmp_path / "b"], strict=strict)
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    for call in (lambda: con.trades("BTCUSDT", limit=9), con.symbols, lambda: con.sql("SELECT 1")):
        with pytest.raises(qr.errors.ArchiveError, match=r"/b: the folder is gone; put it back"):
            call()
    assert "the folder is gone" in repr(con)
    (tmp_path / "elsewhere").rename(tmp_path / "b")
    assert con.trades("BTCUSDT", limit=9)["price"].to_list() == [1.0, 2.0]


def test_a_writer_that_renames_when_done_is_read_whole_again_and_again(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, **AT)
    for n in range(2, 6):
        whole = write(tmp_path / "aside", "trade", [trade("12:00", 1.0)] * 3).read_bytes()
        partial = tmp_path / "trade" / f".{n}.parquet.partial"
        partial.write_bytes(whole[:50])
        assert len(con.trades("BTCUSDT", limit=99)) == 1 + 3 * (n - 2)
        partial.write_bytes(whole)
        partial.rename(tmp_path / "trade" / f"{n}.parquet")
        assert len(con.trades("BTCUSDT", limit=99)) == 1 + 3 * (n - 1)


def databases(con):
    return set(con.sql("SELECT name FROM system.databases WHERE name LIKE 'qalypto%'")["name"])


def test_the_databases_of_a_connection_dropped_unclosed_go_with_the_next_one(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    with qr.connect("sample") as con:
        before = databases(con)
        from qalypto_research.engine.embedded import EmbeddedEngine  # noqa: PLC0415

        engine = EmbeddedEngine((tmp_path,))
        with engine.snapshot(con.clock.now()) as snapshot:
            snapshot.answer("SELECT 1", {}, label="")
        left = databases(con) - before
        assert len(left) == 2
        del engine, snapshot
        with qr.connect(tmp_path):
            assert databases(con) & left == set()


FEW_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import qalypto_research as qr
with qr.connect(sys.argv[1]) as con:
    print(len(con.trades("BTCUSDT", limit=9_999)))
"""


def test_more_files_than_may_be_open_at_once_are_read(tmp_path):
    path = write(tmp_path, "trade", [trade("12:00"), trade("12:01")])
    for n in range(599):
        os.link(path, path.with_name(f"{n}.parquet"))
    assert said(started(FEW_FILES, tmp_path)) == ["1200"]
