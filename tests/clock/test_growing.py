"""Archives on several roots, growing while open, several at once."""

from __future__ import annotations

import shutil

import pyarrow.parquet as pq
import pytest
from archives import klines, ticker, trade, write

import qalypto_research as qr

AT = {"at": "2026-03-02 23:00"}


def prices(con):
    return con.trades("BTCUSDT", limit=100)["price"].to_list()


def test_several_roots_are_one_archive(connect, tmp_path):
    write(tmp_path / "a", "trade", [trade("12:00", 1.0), trade("12:02", 3.0)])
    write(tmp_path / "b", "trade", [trade("12:01", 2.0)])
    write(tmp_path / "b", "ticker", [ticker("12:03")])
    con = connect([tmp_path / "a", tmp_path / "b"])
    assert prices(con) == [1.0, 2.0, 3.0]
    assert con.clock.now().minute == 3
    assert con.sql("SELECT count() AS n FROM market_data.market_data_trade")["n"].item() == 3


def test_flat_files_and_sub_folders_are_read_together(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)], flat=True)
    write(tmp_path, "trade", [trade("12:01", 2.0)], name="2026/03/02")
    write(tmp_path, "trade", [trade("12:02", 3.0)])
    assert prices(connect(tmp_path)) == [1.0, 2.0, 3.0]


def test_a_file_that_comes_is_read_by_the_next_call(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, **AT)
    assert prices(con) == [1.0]
    write(tmp_path, "trade", [trade("12:01", 2.0)], name="deep/down/b")
    assert prices(con) == [1.0, 2.0]
    assert con.sql("SELECT sum(price) AS s FROM market_data_trade")["s"].item() == 3.0


def test_a_table_and_a_symbol_that_come_are_there_for_the_next_call(connect, tmp_path):
    write(tmp_path / "a", "trade", [trade("12:00")])
    (tmp_path / "b").mkdir()
    con = connect([tmp_path / "a", tmp_path / "b"], **AT)
    with pytest.raises(qr.errors.UnknownNameError):
        con.klines("XRPUSDT", "1m", limit=5)
    write(tmp_path / "b", "kline", klines("12:00", 5, symbol="XRPUSDT"))
    assert len(con.klines("XRPUSDT", "1m", limit=5, gaps="ignore")) == 5


def test_a_file_that_is_replaced_is_read_anew(connect, tmp_path):
    path = write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, **AT)
    assert prices(con) == [1.0]
    before = path.stat()
    write(tmp_path / "new", "trade", [trade("12:00", 9.0), trade("12:01", 8.0)])
    (tmp_path / "new" / "trade" / "a.parquet").replace(path)
    assert path.stat().st_mtime_ns != before.st_mtime_ns
    assert prices(con) == [9.0, 8.0]


def test_a_file_that_goes_is_not_there_for_the_next_call(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    path = write(tmp_path, "trade", [trade("12:01", 2.0)], name="b")
    con = connect(tmp_path, **AT)
    assert prices(con) == [1.0, 2.0]
    path.unlink()
    assert prices(con) == [1.0]


@pytest.mark.parametrize("name", [".x.parquet.partial", "x.parquet.tmp"])
def test_a_file_being_written_is_not_there_yet(connect, tmp_path, name):
    path = write(tmp_path, "trade", [trade("12:00", 1.0)])
    (path.parent / name).write_bytes(path.read_bytes()[:100])
    con = connect(tmp_path, **AT)
    assert prices(con) == [1.0]
    (path.parent / f"more-{name.lstrip('.')}.partial").write_bytes(b"PAR1")
    assert prices(con) == [1.0]
    (path.parent / name).rename(path.parent / "b.parquet")
    with pytest.raises(qr.errors.ArchiveError, match=r"b\.parquet"):
        prices(con)


def test_a_broken_file_that_comes_and_goes_breaks_no_later_call(connect, tmp_path):
    path = write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, **AT)
    broken = path.with_name("b.parquet")
    broken.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(qr.errors.ArchiveError, match=r"b\.parquet"):
        prices(con)
    broken.unlink()
    assert prices(con) == [1.0]


def test_a_call_in_flight_keeps_the_files_it_began_with(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, **AT)
    count = "SELECT count() AS n FROM market_data_trade"
    with con.snapshot() as snapshot:
        assert snapshot.answer(count, {}, label="a")["n"].item() == 1
        write(tmp_path, "trade", [trade("12:01", 2.0)], name="b")
        assert prices(con) == [1.0, 2.0]
        assert snapshot.answer(count, {}, label="a")["n"].item() == 1
    assert con.sql(count)["n"].item() == 2


def test_the_growth_that_lies_ahead_of_the_clock_stays_hidden(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path)
    write(tmp_path, "trade", [trade("12:30", 2.0), trade("12:30", 2.0, symbol="XRPUSDT")], name="b")
    assert prices(con) == [1.0]
    assert list(con.symbols()["symbol"]) == ["BTCUSDT"]
    assert con.sql("SELECT count() AS n FROM market_data_trade")["n"].item() == 1


def test_two_archives_open_at_once_do_not_mix(connect, tmp_path):
    for name, price in (("a", 1.0), ("b", 2.0)):
        write(tmp_path / name, "trade", [trade("12:00", price)])
    a, b = connect(tmp_path / "a"), connect(tmp_path / "b", at="2026-03-02 13:00")
    for _ in range(3):
        assert (prices(a), prices(b)) == ([1.0], [2.0])
        assert a.sql("SELECT price FROM market_data.market_data_trade")["price"].item() == 1.0
        assert b.sql("SELECT price FROM market_data.market_data_trade")["price"].item() == 2.0
    a.close()
    assert prices(b) == [2.0]


def test_one_archive_may_be_open_at_two_moments(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0), trade("12:30", 2.0)])
    early, late = connect(tmp_path, at="2026-03-02 12:10"), connect(tmp_path)
    assert (prices(early), prices(late), prices(early)) == ([1.0], [1.0, 2.0], [1.0])


def test_a_copy_elsewhere_gives_the_same(connect, tmp_path):
    path = write(tmp_path / "a", "trade", [trade("12:00", 1.0)])
    copy = tmp_path / "b c-ü" / "trade" / "x.parquet"
    copy.parent.mkdir(parents=True)
    shutil.copy(path, copy)
    assert pq.read_metadata(copy).num_rows == 1
    assert prices(connect(tmp_path / "b c-ü")) == [1.0]
