"""Writing archive files: the service's types, complete or not there at all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import COLUMNS, HIDDEN

import qalypto_research as qr
from qalypto_research.archive.manifest import UNKNOWN, Manifest, read_manifest
from qalypto_research.archive.sample import sample_root
from qalypto_research.archive.writing import write_rows
from qalypto_research.schema.tables import KLINE, TABLES, TICKER, TRADE

NOON_MS = 1_772_452_800_000


def rows(table, count=2):
    """Return rows of any table: times at noon, numbers and texts by position."""
    made = {}
    for name, kind in COLUMNS[table].items():
        if pa.types.is_timestamp(kind):
            made[name] = np.arange(NOON_MS, NOON_MS + count)
        elif pa.types.is_string(kind):
            made[name] = np.array(["binance" if name == "exchange" else "BTCUSDT" if name == "symbol" else "1m"] * count)
        else:
            made[name] = np.arange(count).astype(kind.to_pandas_dtype())
    return made


@pytest.mark.parametrize("level", [None, 5])
@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_a_file_has_the_columns_and_types_of_the_service(tmp_path, table, level):
    path = write_rows(tmp_path, TABLES[table], rows(table), "2026/03", level=level)
    assert path == tmp_path / table / "2026" / "03.parquet"
    schema = pq.read_schema(path)
    assert {name: schema.field(name).type for name in schema.names} == COLUMNS[table]
    assert pq.read_table(path, partitioning=None).column("timestamp").cast(pa.int64()).to_pylist() == [NOON_MS, NOON_MS + 1]


def test_hidden_columns_are_written_where_given(tmp_path):
    hidden = {"_seen": np.array([NOON_MS * 1_000] * 2), "_seq": np.array([1, 2]), "_producer_received": np.array([1.5, np.nan])}
    path = write_rows(tmp_path, TRADE, rows("trade") | hidden, "a")
    schema = pq.read_schema(path)
    assert {name: schema.field(name).type for name in HIDDEN} == HIDDEN
    assert pq.read_table(path, partitioning=None).column("_producer_received").to_pylist() == [1.5, None]


def test_nan_is_null_where_there_may_be_one_and_stays_nan_where_not(tmp_path):
    path = write_rows(tmp_path, TICKER, rows("ticker") | {"bid_price": np.array([np.nan, 1.0]), "last_price": np.array([np.nan, 1.0])}, "a")
    table = pq.read_table(path, partitioning=None)
    assert table.column("bid_price").to_pylist() == [None, 1.0]
    assert table.column("last_price").null_count == 0
    assert np.isnan(table.column("last_price").to_numpy()[0])


def test_times_may_be_datetimes(tmp_path):
    times = np.array(["2026-03-02T12:00:00", "NaT"], "datetime64[ns]")
    path = write_rows(tmp_path, KLINE, rows("kline") | {"close_time": times}, "a")
    assert pq.read_table(path, partitioning=None).column("close_time").cast(pa.int64()).to_pylist() == [NOON_MS, None]


def test_what_was_written_is_read_back_by_the_package(tmp_path):
    write_rows(tmp_path, TRADE, rows("trade", 3), "a")
    with qr.connect(tmp_path) as con:
        frame = con.trades("BTCUSDT", limit=5)
    assert frame["price"].tolist() == [0.0, 1.0, 2.0]
    assert [t.value // 10**6 for t in frame.index] == [NOON_MS, NOON_MS + 1, NOON_MS + 2]


@pytest.mark.parametrize(("change", "said"), [({"price": None}, "missing .*price"), ({"note": np.arange(2)}, "unknown .*note")])
def test_columns_missing_or_unknown_are_refused_before_anything_is_written(tmp_path, change, said):
    made = {k: v for k, v in (rows("trade") | change).items() if v is not None}
    with pytest.raises(ValueError, match=said):
        write_rows(tmp_path, TRADE, made, "a")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_writing_leaves_no_file_under_the_name(tmp_path, monkeypatch):
    def crash(table, where, **_):
        where.write_bytes(b"PAR1half")
        raise OSError("disk full")

    write_rows(tmp_path, TRADE, rows("trade", 1), "old")
    monkeypatch.setattr(pq, "write_table", crash)
    for name in ("old", "new"):
        with pytest.raises(OSError, match="disk full"):
            write_rows(tmp_path, TRADE, rows("trade"), name)
    assert [p.name for p in (tmp_path / "trade").glob("*.parquet")] == ["old.parquet"]
    assert pq.read_metadata(tmp_path / "trade" / "old.parquet").num_rows == 1
    with qr.connect(tmp_path) as con:
        assert len(con.trades("BTCUSDT", limit=5)) == 1


@pytest.mark.parametrize("manifest", [Manifest("a", synthetic=True), Manifest('日本 "x"', synthetic=False, clock="2026-03-02 13:00")])
def test_a_manifest_comes_back_as_it_was(tmp_path, manifest):
    manifest.write(tmp_path / "new")
    manifest.write(tmp_path / "new")
    assert read_manifest(tmp_path / "new") == manifest
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["manifest.json"]


def test_no_manifest_is_unknown(tmp_path):
    assert read_manifest(tmp_path) == UNKNOWN


def test_the_sample_is_found_and_says_that_it_is_synthetic():
    assert read_manifest(sample_root()).synthetic
    assert {p.name for p in sample_root().iterdir()} >= {"trade", "ticker", "kline", "orderbook"}
