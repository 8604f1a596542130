"""Archives that cannot be read: the error names file and column, and says the way out."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import COLUMNS, book, kline, klines, ticker, trade, write

import qalypto_research as qr

ROWS = {"trade": trade, "ticker": ticker, "kline": kline, "orderbook": book}


def refused(folder, *said):
    with pytest.raises(qr.errors.ArchiveError) as caught:
        qr.connect(folder)
    assert [part for part in said if part not in str(caught.value)] == []
    return caught.value


def rewrite(path, change, **options):
    """Write the file again with its table changed."""
    pq.write_table(change(pq.read_table(path, partitioning=None)), path, **options)


def column_changed(name, kind):
    return lambda t: t.set_column(t.schema.get_field_index(name), name, t.column(name).cast(kind, safe=False))


# --- Columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, names in COLUMNS.items() for c in names])
def test_a_missing_column_is_named_with_its_file(tmp_path, table, column):
    path = write(tmp_path, table, [ROWS[table]("12:00")])
    rewrite(path, lambda t: t.drop_columns([column]))
    error = refused(tmp_path, str(path), f"column {column!r}", "is missing")
    assert (error.path, error.column) == (str(path), column)


@pytest.mark.parametrize(
    ("table", "column", "kind", "said"),
    [
        ("trade", "timestamp", pa.timestamp("ms"), "timestamp[ms], not timestamp[ms, tz=UTC]"),
        ("trade", "timestamp", pa.timestamp("us", "UTC"), "not timestamp[ms, tz=UTC]"),
        ("trade", "timestamp", pa.int64(), "has type int64"),
        ("trade", "price", pa.float32(), "has type float, not double"),
        ("trade", "price", pa.decimal128(20, 2), "not double"),
        ("trade", "price", pa.string(), "has type string, not double"),
        ("trade", "exchange", pa.binary(), "not string"),
        ("trade", "is_liquidation", pa.int32(), "not uint8 or bool"),
        ("kline", "num_trades", pa.int64(), "has type int64, not int32"),
        ("kline", "is_final", pa.float64(), "not uint8 or bool"),
    ],
)
def test_a_wrong_type_is_named_with_the_right_one(tmp_path, table, column, kind, said):
    row = {"num_trades": 1} if table == "kline" else {}
    path = write(tmp_path, table, [ROWS[table]("12:00", **row)])
    if column == "exchange" or (column == "price" and kind == pa.string()):
        rewrite(
            path, lambda t: t.set_column(t.schema.get_field_index(column), column, pa.array([b"1" if kind == pa.binary() else "1"], kind))
        )
    else:
        rewrite(path, column_changed(column, kind))
    assert refused(tmp_path, str(path), said).column == column


@pytest.mark.parametrize(
    ("column", "kind"),
    [("_seen", pa.timestamp("ms", "UTC")), ("_seen", pa.timestamp("us")), ("_seq", pa.int32()), ("_producer_received", pa.int64())],
)
def test_a_hidden_column_of_a_wrong_type_is_named(tmp_path, column, kind):
    path = write(tmp_path, "trade", [trade("12:00", _seen="12:00:01", _seq=1, _producer_received=1.0)])
    rewrite(path, column_changed(column, kind))
    assert refused(tmp_path, str(path)).column == column


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_may_be_large_or_dictionaries(tmp_path, kind):
    path = write(tmp_path, "trade", [trade("12:00"), trade("12:01", symbol="ETHUSDT")])
    rewrite(path, column_changed("symbol", kind))
    with qr.connect(tmp_path) as con:
        assert list(con.trades(["BTCUSDT", "ETHUSDT"], limit=5)["symbol"]) == ["BTCUSDT", "ETHUSDT"]


def test_a_flag_may_be_a_boolean(tmp_path):
    path = write(tmp_path, "trade", [trade("12:00"), trade("12:01", is_liquidation=1)])
    rewrite(path, column_changed("is_liquidation", pa.bool_()))
    with qr.connect(tmp_path) as con:
        assert list(con.trades("BTCUSDT", limit=5)["is_liquidation"]) == [False, True]


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("column", ["timestamp", "exchange", "price", "is_liquidation"])
def test_a_null_where_none_may_be_is_named(tmp_path, column, statistics):
    path = write(tmp_path, "trade", [trade("12:00")])
    nulled = pa.Table.from_pylist([{**pq.read_table(path, partitioning=None).to_pylist()[0], column: None}], schema=pq.read_schema(path))
    pq.write_table(pa.concat_tables([pq.read_table(path, partitioning=None), nulled]), path, write_statistics=statistics)
    assert refused(tmp_path, str(path), "1 NULLs").column == column


def test_a_null_where_one_may_be_is_read(tmp_path):
    write(tmp_path, "ticker", [ticker("12:00", bid_price=None), ticker("12:01", bid_price=5.0)])
    with qr.connect(tmp_path) as con:
        assert con.tickers("BTCUSDT", limit=5)["bid_price"].isna().tolist() == [True, False]


def test_a_column_twice_is_named(tmp_path):
    path = write(tmp_path, "trade", [trade("12:00")])
    rewrite(path, lambda t: t.append_column("price", pa.array([5.0])))
    assert refused(tmp_path, str(path), "more than once").column == "price"


def test_columns_of_other_people_do_no_harm(tmp_path):
    path = write(tmp_path, "trade", [trade("12:00", 7.0)])
    rewrite(path, lambda t: t.append_column("note", pa.array(["x"])).select(["note", *reversed(t.column_names)]))
    with qr.connect(tmp_path) as con:
        frame = con.trades("BTCUSDT", limit=5)
    assert list(frame.columns) == ["exchange", "symbol", "price", "amount", "side", "trade_id", "is_liquidation"]
    assert frame["price"].tolist() == [7.0]


def test_an_unknown_interval_is_named_with_those_that_are_known(tmp_path):
    path = write(tmp_path, "kline", [kline("12:00"), kline("12:00", interval="7m")])
    error = refused(tmp_path, str(path), "'7m'", "1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d")
    assert error.column == "interval"


# --- Files and folders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1", b"timestamp,price\n1,2\n"])
def test_what_is_no_parquet_file_is_named(tmp_path, content):
    write(tmp_path, "trade", [trade("12:00")])
    bad = tmp_path / "trade" / "bad.parquet"
    bad.write_bytes(content)
    assert refused(tmp_path, "not a readable Parquet file").path == str(bad)


def test_a_file_cut_off_is_named(tmp_path):
    path = write(tmp_path, "trade", [trade("12:00")])
    path.write_bytes(path.read_bytes()[:-5])
    assert refused(tmp_path, "not a readable Parquet file").path == str(path)


@pytest.mark.parametrize("inside", [(), ("trade",), ("other",)])
def test_a_folder_without_market_data_says_what_is_looked_for(tmp_path, inside):
    for name in inside:
        (tmp_path / name).mkdir()
        (tmp_path / name / "readme.txt").touch()
    assert refused(
        tmp_path, "holds no market data", "trade/", "ticker/", "kline/", "orderbook/", "market_data_<table>.parquet"
    ).path == str(tmp_path)


def test_no_folder_and_a_file_are_told_apart(tmp_path):
    refused(tmp_path / "nowhere", "nowhere", "no such folder")
    path = write(tmp_path, "trade", [trade("12:00")])
    refused(path, str(path), "is a file; give the folder")


@pytest.mark.parametrize("name", ["a*b", "a?b", "a{1}", "a[b]", "it's", "a\\b", "a\nb"])
def test_a_path_that_clickhouse_would_read_as_a_pattern_is_refused(tmp_path, name):
    write(tmp_path / name, "trade", [trade("12:00")])
    refused(tmp_path / name, "rename or link the folder")


@pytest.mark.parametrize("name", ["with space", "日本", "semi;colon", 'quo"te', "per%cent", "hash#", "$(x)", "dash--", "back`tick"])
def test_other_paths_are_read(tmp_path, name):
    write(tmp_path / name, "trade", [trade("12:00")])
    with qr.connect(tmp_path / name) as con:
        assert len(con.trades("BTCUSDT", limit=5)) == 1


@pytest.mark.parametrize("name", ["with 'quote", "sub*dir", "{x}"])
def test_files_under_odd_names_are_read_or_refused_never_left_out(tmp_path, name):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "trade", [trade("12:01")], name=f"{name}/b")
    write(tmp_path, "trade", [trade("12:02")], name=name)
    with qr.connect(tmp_path) as con:
        assert len(con.trades("BTCUSDT", limit=5)) == 3


def test_a_symlink_a_relative_path_and_a_home_lead_there(tmp_path, monkeypatch):
    write(tmp_path / "real", "trade", [trade("12:00")])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for target in (tmp_path / "link", "real", "./real/", "~/real", "link"):
        with qr.connect(target) as con:
            assert len(con.trades("BTCUSDT", limit=5)) == 1


def test_a_linked_file_and_a_linked_folder_inside_are_read(tmp_path):
    path = write(tmp_path / "elsewhere", "trade", [trade("12:00")])
    write(tmp_path / "there", "trade", [trade("12:01")])
    (tmp_path / "there" / "trade" / "linked.parquet").symlink_to(path)
    with qr.connect(tmp_path / "there") as con:
        assert len(con.trades("BTCUSDT", limit=5)) == 2


@pytest.mark.parametrize("flat", [True, False])
def test_flat_and_nested_layouts_are_read_and_both_together(tmp_path, flat):
    write(tmp_path, "trade", [trade("12:00")], flat=flat)
    with qr.connect(tmp_path) as con:
        assert len(con.trades("BTCUSDT", limit=9)) == 1
    write(tmp_path, "trade", [trade("12:01")], flat=not flat)
    write(tmp_path, "trade", [trade("12:02")], name="2026/03/02")
    with qr.connect(tmp_path) as con:
        assert [t.minute for t in con.trades("BTCUSDT", limit=9).index] == [0, 1, 2]


@pytest.mark.parametrize("name", [".a.parquet.partial", "a.parquet.tmp", "a.csv", "a"])
def test_files_of_other_endings_are_not_there(tmp_path, name):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "trade" / name).write_bytes(b"half")
    with qr.connect(tmp_path) as con:
        assert len(con.trades("BTCUSDT", limit=9)) == 1


def test_hidden_columns_may_be_in_some_files_only(tmp_path):
    write(tmp_path, "trade", [trade("12:00", _seen="12:00:05", _seq=1)], name="a")
    write(tmp_path, "trade", [trade("12:01")], name="b")
    write(tmp_path, "trade", [trade("12:02", _seen="12:09", _producer_received=1.0)], name="c")
    with qr.connect(tmp_path, at="2026-03-02 12:05") as con:
        frame = con.trades("BTCUSDT", limit=9)
        assert [t.minute for t in frame.index] == [0, 1]
        assert list(con.sql("SELECT * FROM market_data_trade").columns) == list(COLUMNS["trade"])


def test_an_empty_file_among_others_is_fine(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    write(tmp_path, "trade", [], name="empty")
    with qr.connect(tmp_path) as con:
        assert len(con.trades("BTCUSDT", limit=9)) == 1


def test_an_archive_of_empty_files_or_of_rows_never_seen_says_so(tmp_path):
    write(tmp_path / "empty", "trade", [])
    refused(tmp_path / "empty", "holds no row")
    write(tmp_path / "running", "kline", [kline("12:00", is_final=0)])
    refused(tmp_path / "running", "running candles")


def test_what_an_archive_does_not_have_is_empty_not_an_error(tmp_path):
    write(tmp_path, "kline", klines("12:00", 3))
    with qr.connect(tmp_path) as con:
        with pytest.warns(qr.errors.GapWarning, match="market_data_trade has no row of binance BTCUSDT here"):
            assert len(con.trades("BTCUSDT", limit=5)) == 0
        assert con.sql("SELECT count() AS n FROM market_data_ticker")["n"].item() == 0


# --- The manifest ---------------------------------------------------------------------------------------------------

GOOD = {"source": "a recorder", "synthetic": False, "schema_version": 1, "clock": None}


def test_without_a_manifest_rows_are_real_and_of_unknown_source(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    with qr.connect(tmp_path) as con:
        assert (con.source, con.synthetic) == ("unknown", False)


def test_a_manifest_is_believed(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "manifest.json").write_text(json.dumps(GOOD | {"synthetic": True, "more": 1}), encoding="utf-8")
    with qr.connect(tmp_path) as con:
        assert (con.source, con.synthetic) == ("a recorder", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a manifest"),
        ("{", "is not a manifest"),
        ("[]", "is not a manifest"),
        ("5", "is not a manifest"),
        ("null", "is not a manifest"),
        ('{"source": "x"}', "'synthetic'"),
        (json.dumps(GOOD | {"schema_version": "two"}), "is not a manifest"),
        (json.dumps(GOOD | {"schema_version": 2}), "version 2 is newer than this package's 1; update qalypto_research"),
        ("\xff\xfe", "is not a manifest"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, text, said):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    assert refused(tmp_path, said).path == str(tmp_path / "manifest.json")


def test_a_manifest_that_is_a_folder_is_named(tmp_path):
    write(tmp_path, "trade", [trade("12:00")])
    (tmp_path / "manifest.json").mkdir()
    assert refused(tmp_path, "manifest").path == str(tmp_path / "manifest.json")
