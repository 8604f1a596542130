"""Archives of which a part is damaged, opened with ``strict=False``: the rest is read, and what is left out is said."""

from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import break_page, kline, trade, utc, write

import qalypto_research as qr

MANIFEST = {"source": "a recorder", "synthetic": False, "schema_version": 1, "clock": None}


def many(root, name, first="12:00", rows=1_000):
    """Write trades enough for pages that can break; their prices sum up to what is returned beside the path."""
    rng = np.random.default_rng(len(name))
    prices = rng.integers(1, 1_000_000, rows).astype(float)
    times = [utc(first) + np.timedelta64(i, "ms") for i in range(rows)]
    path = write(root, "trade", [trade(t, p, trade_id=str(i)) for i, (t, p) in enumerate(zip(times, prices, strict=True))], name=name)
    return path, prices.sum()


def drop_column(path):
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["price"]), path)


def change_type(path):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.set_column(3, "price", table.column("price").cast(pa.float32())), path)


def put_null(path, **options):
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.set_column(3, "price", pa.array([None] * table.num_rows, pa.float64())), path, **options)


def dead_link(path):
    path.unlink()
    path.symlink_to(path.with_name("gone.parquet"))


DAMAGE = {
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:-1000]), None, "not a readable Parquet file"),
    "empty": (lambda p: p.write_bytes(b""), None, "not a readable Parquet file"),
    "text": (lambda p: p.write_text("timestamp,price\n1,2\n"), None, "not a readable Parquet file"),
    "time page": (lambda p: break_page(p, "timestamp"), "timestamp", "is damaged: a part of it cannot be read"),
    "name page": (lambda p: break_page(p, "symbol"), "symbol", "is damaged: a part of it cannot be read"),
    "column gone": (drop_column, "price", "is missing"),
    "type": (change_type, "price", "has type float, not double"),
    "null": (put_null, "price", "has 1000 NULLs"),
    "null, no statistics": (lambda p: put_null(p, write_statistics=False), "price", "has 1000 NULLs"),
    "dead link": (dead_link, None, "cannot be read (No such file or directory)"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_left_out_and_said_and_the_rest_is_whole(connect, tmp_path, name):
    damage, column, said = DAMAGE[name]
    _, whole = many(tmp_path, "a")
    bad, _ = many(tmp_path, "bad", "13:00")
    _, more = many(tmp_path, "c/c", "14:00")
    damage(bad)
    with pytest.raises(qr.errors.ArchiveError) as refused:
        connect(tmp_path)
    assert (refused.value.path, refused.value.column) == (str(bad), column)
    assert said in str(refused.value)
    assert "strict=False" in str(refused.value)
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="1 file is damaged and left out of every answer") as warned:
        con = connect(tmp_path, strict=False)
    assert len(warned) == 1
    assert str(bad) in str(warned[0].message)
    assert said in str(warned[0].message)
    frame = con.trades("BTCUSDT", limit=10_000)  # warnings are errors: it is said once
    assert (len(frame), frame["price"].sum()) == (2_000, whole + more)
    assert con.sql("SELECT sum(price) AS s, count() AS n FROM market_data_trade").iloc[0].to_list() == [whole + more, 2_000]
    (row,) = con.left_out.itertuples(index=False)
    assert (row.path, row.column if column else None) == (str(bad), column)
    assert said in row.reason
    assert con.left_out.dtypes.map(str).to_list() == ["str"] * 3
    assert "1 file left out" in repr(con)
    assert "1 file left out" in con._repr_html_()


def test_a_whole_archive_opens_as_ever_and_leaves_nothing_out(connect, tmp_path):
    many(tmp_path, "a")
    con = connect(tmp_path, strict=False)  # warnings are errors
    assert con.left_out.empty
    assert list(con.left_out.columns) == ["path", "column", "reason"]
    assert "left out" not in repr(con)


def test_an_unknown_interval_is_left_out(connect, tmp_path):
    write(tmp_path, "kline", [kline("12:00", 5.0)])
    bad = write(tmp_path, "kline", [kline("12:01", interval="7m")], name="b")
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="'7m'"):
        con = connect(tmp_path, strict=False)
    assert con.klines("BTCUSDT", "1m", limit=5, gaps="ignore")["close"].to_list() == [5.0]
    assert con.left_out.iloc[0].to_list()[:2] == [str(bad), "interval"]


def test_a_footer_that_says_other_rows_than_there_are_leaves_the_file_out(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    bad, _ = many(tmp_path, "bad")
    data = bad.read_bytes()
    # The footer's counts are 1000 as a Thrift varint (2000, zigzag): made 1001, all of them.
    footer = data.rindex(b"PAR1", 0, len(data)) - 4
    start = footer - int.from_bytes(data[footer : footer + 4], "little")
    bad.write_bytes(data[:start] + data[start:footer].replace(b"\xd0\x0f", b"\xd2\x0f") + data[footer:])
    assert pq.read_metadata(bad).num_rows == 1001
    with pytest.warns(qr.errors.DamagedArchiveWarning, match=r"bad\.parquet"):
        con = connect(tmp_path, strict=False)
    assert con.sql("SELECT sum(price) AS s FROM market_data_trade")["s"].item() == 1.0


def test_many_damaged_files_are_counted_and_all_listed(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 7.0)])
    paths = [write(tmp_path, "trade", [trade("12:00")], name=f"it's {n} \\") for n in range(600)]
    for path in paths:
        path.write_bytes(b"")
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="600 files are damaged.*and 597 more") as warned:
        con = connect(tmp_path, strict=False)
    assert len(str(warned[0].message)) < 2_000
    assert con.left_out["path"].to_list() == sorted(map(str, paths))
    assert con.trades("BTCUSDT", limit=5)["price"].to_list() == [7.0]


def test_several_files_with_broken_pages_are_all_found(connect, tmp_path):
    _, whole = many(tmp_path, "a")
    bad = [many(tmp_path, f"bad{n}")[0] for n in range(4)]
    for path in bad:
        break_page(path, "timestamp")
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="4 files"):
        con = connect(tmp_path, strict=False)
    assert con.left_out["path"].to_list() == list(map(str, bad))
    assert con.trades("BTCUSDT", limit=5_000)["price"].sum() == whole


def test_an_archive_of_damaged_files_alone_is_an_error(connect, tmp_path):
    for name in "ab":
        write(tmp_path, "trade", [trade("12:00")], name=name).write_bytes(b"")
    with pytest.raises(qr.errors.ArchiveError, match=r"none of its 2 files can be read; the first: .*\.parquet"):
        connect(tmp_path, strict=False)


def test_a_table_of_damaged_files_alone_is_empty(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "kline", [kline("12:00")]).write_bytes(b"")
    with pytest.warns(qr.errors.DamagedArchiveWarning):
        con = connect(tmp_path, strict=False)
    assert con.sql("SELECT count() AS n FROM market_data_kline")["n"].item() == 0


# --- While open -----------------------------------------------------------------------------------------------------


def test_a_damaged_file_that_comes_is_said_once_and_again_when_it_has_changed(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    con = connect(tmp_path, strict=False, at="2026-03-02 23:00")
    bad = tmp_path / "trade" / "b.parquet"
    for content in (b"PAR1", b"PAR1PAR1"):
        bad.write_bytes(content)
        with pytest.warns(qr.errors.DamagedArchiveWarning, match=r"b\.parquet") as warned:
            assert con.trades("BTCUSDT", limit=5)["price"].to_list() == [1.0]
        assert (len(warned), warned[0].filename) == (1, __file__)
        assert len(con.trades("BTCUSDT", limit=5)) == 1
        assert len(con.left_out) == 1
    write(tmp_path, "trade", [trade("12:01", 2.0)], name="b")
    assert con.trades("BTCUSDT", limit=5)["price"].to_list() == [1.0, 2.0]
    assert con.left_out.empty


@pytest.mark.parametrize(
    "call", [lambda con: con.trades("BTCUSDT", limit=5_000), lambda con: con.sql("SELECT price FROM market_data_trade")]
)
def test_a_page_that_only_a_call_reads_is_its_error_and_left_out_from_then_on(connect, tmp_path, call):
    _, whole = many(tmp_path, "a")
    bad, _ = many(tmp_path, "bad")
    break_page(bad, "price")
    strict = connect(tmp_path)
    for _ in range(2):
        with pytest.raises(qr.errors.ArchiveError, match=r"bad\.parquet, column 'price': is damaged.*move it away.*strict=False") as caught:
            call(strict)
        assert (caught.value.path, caught.value.column) == (str(bad), "price")
    con = connect(tmp_path, strict=False)
    with pytest.raises(qr.errors.ArchiveError, match=r"bad\.parquet, column 'price': is damaged.*call again"):
        call(con)
    with pytest.warns(qr.errors.DamagedArchiveWarning, match=r"bad\.parquet"):
        assert call(con)["price"].sum() == whole
    assert call(con)["price"].sum() == whole
    assert con.left_out["path"].to_list() == [str(bad)]


def test_a_connection_can_be_shown_whatever_has_come_into_its_folder(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    con = connect(tmp_path)
    bad = tmp_path / "trade" / "b.parquet"
    bad.write_bytes(b"")
    assert "cannot be read now" in repr(con)
    assert str(bad) in repr(con)
    assert str(bad) in con._repr_html_()


def test_a_warning_made_an_error_leaves_no_connection_open(tmp_path, monkeypatch):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "trade", [trade("12:00")], name="b").write_bytes(b"")
    from qalypto_research.engine.embedded import EmbeddedEngine  # noqa: PLC0415

    engines = []
    close = EmbeddedEngine.close
    monkeypatch.setattr(EmbeddedEngine, "close", lambda self: engines.append(self) or close(self))
    with pytest.raises(qr.errors.DamagedArchiveWarning):
        qr.connect(tmp_path, strict=False)
    assert [engine.closed for engine in engines] == [True]


# --- Links, names, manifests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("make", [lambda p: p.symlink_to(p.name), lambda p: (p.parent / "loop").symlink_to("loop")])
def test_links_in_a_circle_are_an_error_either_way(connect, tmp_path, make, strict):
    write(tmp_path, "trade", [trade("12:00")])
    make(tmp_path / "trade" / "b.parquet")
    with pytest.raises(qr.errors.ArchiveError, match=r"Too many levels of symbolic links.*remove the link"):
        connect(tmp_path, strict=strict)


def test_a_dead_link_to_a_folder_is_not_passed_over(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "trade" / "2026").symlink_to(tmp_path / "unmounted")
    with pytest.raises(qr.errors.ArchiveError, match="trade/2026: cannot be read"):
        connect(tmp_path)
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="trade/2026"):
        assert len(connect(tmp_path, strict=False).trades("BTCUSDT", limit=5)) == 1


@pytest.mark.parametrize("strict", [True, False])
def test_a_table_that_is_a_dead_link_is_an_error(connect, tmp_path, strict):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "kline").symlink_to(tmp_path / "unmounted")
    with pytest.raises(qr.errors.ArchiveError, match="kline: is a link that leads to no folder"):
        connect(tmp_path, strict=strict)


def test_a_flat_file_that_is_a_dead_link_is_not_passed_over(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "market_data_kline.parquet").symlink_to(tmp_path / "unmounted.parquet")
    with pytest.raises(qr.errors.ArchiveError, match=r"market_data_kline\.parquet: cannot be read"):
        connect(tmp_path)


def test_a_name_that_is_not_utf8_is_not_passed_over(connect, tmp_path):
    path = write(tmp_path, "trade", [trade("12:00")])
    odd = os.fsencode(path.parent) + b"/\xff.parquet"
    with open(odd, "wb") as file:  # noqa: PTH123 - a name that no Path of text has
        file.write(path.read_bytes())
    with pytest.raises(qr.errors.ArchiveError, match="has a name that is not UTF-8; rename it"):
        connect(tmp_path)
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="not UTF-8"):
        con = connect(tmp_path, strict=False)
    assert len(con.trades("BTCUSDT", limit=5)) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"source": "x"}'])
def test_a_damaged_manifest_is_left_out_and_said(connect, tmp_path, text):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.warns(qr.errors.DamagedArchiveWarning, match="manifest.json: is not a manifest.*real or synthetic is not known"):
        con = connect(tmp_path, strict=False)
    assert (con.source, con.left_out["path"].to_list()) == ("unknown", [str(tmp_path / "manifest.json")])
    assert len(con.trades("BTCUSDT", limit=5)) == 1


def test_a_manifest_of_a_newer_schema_is_an_error_either_way(connect, tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST | {"schema_version": 2}), encoding="utf-8")
    with pytest.raises(qr.errors.ArchiveError, match="newer than this package's"):
        connect(tmp_path, strict=False)
