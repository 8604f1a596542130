"""What a user of the stand-in cannot do: write, read files, or learn what its clock hides."""

from __future__ import annotations

import pytest
from archives import trade, write

TRADES = "market_data.market_data_trade"
AFTER = "2026-03-02 12:30:00"


def test_nothing_after_the_clock_is_there(http):
    assert http.text(f"SELECT count(), max(timestamp) FROM {TRADES}") == "180\t2026-03-02 12:29:50.250\n"
    for table in ("market_data_ticker", "market_data_kline", "market_data_orderbook"):
        assert http.text(f"SELECT count() FROM market_data.{table} WHERE timestamp > '{AFTER}'") == "0\n"
    assert http.text("SELECT max(timestamp) FROM market_data.market_data_kline") == "2026-03-02 12:29:00.000\n"


def test_columns_are_the_documented_ones(http):
    described = [line.split("\t")[:2] for line in http.text(f"DESCRIBE TABLE {TRADES}").splitlines()]
    assert described == [
        ["timestamp", "DateTime64(3)"],
        ["exchange", "String"],
        ["symbol", "String"],
        ["price", "Float64"],
        ["amount", "Float64"],
        ["side", "String"],
        ["trade_id", "String"],
        ["is_liquidation", "UInt8"],
    ]
    kinds = dict(line.split("\t")[:2] for line in http.text("DESCRIBE TABLE market_data.market_data_ticker").splitlines())
    assert kinds["next_funding_time"] == "Nullable(DateTime64(3))"


WRITES = [
    "INSERT INTO market_data.market_data_trade SELECT * FROM market_data.market_data_trade",
    "INSERT INTO FUNCTION file('{out}', 'CSV') SELECT 1",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO /* so */ OUTFILE '{out}' FORMAT CSV",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a Int8)",
    "ATTACH TABLE t",
    "DROP TABLE market_data.market_data_trade",
    "DROP DATABASE market_data",
    "ALTER TABLE market_data.market_data_trade DELETE WHERE 1",
    "TRUNCATE TABLE market_data.market_data_trade",
    "SYSTEM SHUTDOWN",
    "BACKUP DATABASE market_data TO File('{out}')",
    "GRANT ALL ON *.* TO default",
    "EXECUTE AS default SELECT 1",
]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_is_written(http, tmp_path, sql):
    out = tmp_path / "out"
    assert http.refused(sql.format(out=out)) == (500, 164)
    assert not out.exists()
    assert http.text(f"SELECT count() FROM {TRADES}") == "180\n"


FILES = [
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM FILE('{secret}', 'LineAsString')",
    "SELECT * FROM `file`('{secret}', 'LineAsString')",
    "SELECT file('{secret}')",
    "SELECT /* x */ file /* y */ ('{secret}')",
    "SELECT count() FROM view(SELECT * FROM file('{secret}', 'LineAsString'))",
    "WITH x AS (SELECT file('{secret}') AS a) SELECT * FROM x",
    "SELECT * FROM `{secret}`",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM default.`{secret}`",
    "SELECT * FROM url('http://127.0.0.1:1/')",
    "SELECT * FROM s3('http://127.0.0.1:1/a')",
    "SELECT * FROM remote('127.0.0.1:1', 'a', 'b')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('{secret}', 'a')",
    "SELECT * FROM executable('cat {secret}', 'TSV', 'a String')",
    "SELECT * FROM fileCluster('default', '{secret}')",
    "SELECT * FROM input('a String')",
    "DESCRIBE TABLE file('{secret}', 'LineAsString')",
    "EXPLAIN SELECT * FROM file('{secret}', 'LineAsString')",
    "DESCRIBE TABLE `{secret}`",
]


@pytest.mark.parametrize("sql", FILES)
@pytest.mark.parametrize("database", ["default", "market_data"])
def test_no_file_and_no_other_server_is_read(http, tmp_path, sql, database):
    secret = tmp_path / "secret.csv"
    secret.write_text("the secret\n", encoding="utf-8")
    status, code = http.refused(sql.format(secret=secret), database=database)
    assert (status, code) in [(403, 497), (404, 60)]


NAMES = ["SELECT * FROM {db}.trade_0", "SELECT * FROM `{db}`.`trade_0`", 'SELECT * FROM "{db}".trade_at(moment = now())']
AROUND = [
    *NAMES,
    "SELECT * FROM market_data.market_data_trade WHERE price IN {db}.trade_0",
    "SELECT * FROM view(SELECT * FROM {db}.trade_0)",
    "SELECT * FROM merge('{db}', 'trade_0')",
    "SELECT * FROM merge(REGEXP('.*'), 'trade_0')",
    "SELECT * FROM merge('market_data', '.*')",
    "SELECT * FROM loop('{db}', 'trade_0')",
    "SELECT * FROM cluster('default', '{db}', 'trade_0')",
    "SELECT * FROM clusterAllReplicas('default', {db}.trade_0)",
    "SELECT * FROM dictionary('{db}.trade_0')",
    "SELECT dictGet('{db}.trade_0', 'price', 1)",
    "SELECT joinGet('{db}.trade_0', 'price', 1)",
    "SELECT hasColumnInTable('{db}', 'trade_0', 'price')",
    "SELECT * FROM viewIfPermitted(SELECT 1 ELSE null('a Int8'))",
    "SHOW CREATE TABLE market_data.market_data_trade",
    "SHOW CREATE VIEW market_data.market_data_trade",
    "SHOW TABLES FROM {db}",
    "SHOW PROCESSLIST",
    "DESCRIBE TABLE {db}.trade_0",
    "EXISTS TABLE {db}.trade_0",
    "EXPLAIN ESTIMATE SELECT * FROM {db}.trade_0",
    "SELECT * FROM system.processes",
    "SELECT * FROM system . query_log",
    "SELECT * FROM system/**/.parts",
    "SELECT * FROM `system`.`parts_columns`",
    "SELECT * FROM information_schema.views",
    "SELECT * FROM INFORMATION_SCHEMA.`VIEWS`",
    "SELECT * FROM trade_0",
    "SELECT * FROM `qalypto\\x5f1`.trade_0",
    "SELECT * FROM “{db}”.trade_0",
    "USE {db}",
]


@pytest.mark.parametrize("sql", AROUND)
def test_the_tables_below_cannot_be_reached(http, sql):
    for number in range(1, 4):
        status, code = http.refused(sql.format(db=f"qalypto_{number}"))
        assert code in (60, 62, 81, 497)
        assert status in (400, 403, 404)


def test_bound_names_are_held_to_the_same(http):
    assert http.refused("SELECT * FROM {d:Identifier}.trade_0", param_d="qalypto_1") == (404, 81)
    assert http.refused("SELECT * FROM {d:Identifier}.{t:Identifier}", param_d="system", param_t="processes") == (403, 497)
    assert http.text("SELECT count() FROM {d:Identifier}.{t:Identifier}", param_d="market_data", param_t="market_data_trade") == "180\n"
    assert http.refused("SELECT 1", database="qalypto_1") == (404, 81)
    assert http.refused("SELECT * FROM tables", database="system") == (403, 497)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM system.tables WHERE database != 'system' FORMAT JSONEachRow",
        "SELECT * FROM `system` . tables WHERE database != 'system' FORMAT JSONEachRow",
        "SELECT * FROM system.databases FORMAT JSONEachRow",
        "SELECT * FROM system.columns WHERE database != 'system' FORMAT JSONEachRow",
        "SELECT * FROM information_schema.tables WHERE table_schema != 'system' FORMAT JSONEachRow",
        "SELECT * FROM INFORMATION_SCHEMA.columns WHERE table_schema != 'system' FORMAT JSONEachRow",
        "SELECT * FROM information_schema.schemata FORMAT JSONEachRow",
        "SHOW DATABASES",
        "SHOW TABLES FROM market_data",
        "SHOW TABLES FROM default",
    ],
)
def test_the_engines_own_tables_do_not_tell_what_is_hidden(http, archive, sql):
    said = http.text(sql)
    for hidden in ("qalypto_", "trade_0", "_seen", "trade_at", str(archive)):
        assert hidden not in said


def test_errors_do_not_tell_what_is_hidden(http):
    for sql in ("SELECT * FROM trade_at", "SELECT nope FROM market_data.market_data_trade", "SELECT * FROM qalypto.trade_0"):
        assert b"qalypto_1" not in http.ask(sql).data


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("readonly=0", 164),
        ("readonly='0'", 164),
        ("optimize_move_to_prewhere=1", 452),
        ("query_plan_optimize_prewhere=1", 452),
        ("query_plan_optimize_prewhere=true", 452),
        ("`optimize_move_to_prewhere`=1", 452),
        ("optimize_move_to_prewhere", 452),
        ("additional_table_filters={'a.b': '1'}", 452),
        ("log_comment='9999999999999999'", 452),
        ("dialect='prql'", 452),
        ("allow_introspection_functions=1", 452),
        ("use_hive_partitioning=1", 452),
        ("input_format_parquet_filter_push_down=0", 452),
    ],
)
def test_settings_do_not_undo_the_guard(http, setting, code):
    sql = f"SELECT count() FROM {TRADES} SETTINGS {setting}"
    assert http.refused(sql) == (500, code)
    # In a subquery the engine itself would let it.
    assert http.refused(f"SELECT * FROM ({sql}) SETTINGS max_threads = 1") == (500, code)
    assert http.refused(f"SELECT * FROM (SELECT count() FROM {TRADES} SETTINGS max_threads = 1, {setting})") == (500, code)
    name, _, value = setting.partition("=")
    by_address = http.ask(f"SELECT count() FROM {TRADES}", **{name.strip("`"): value.strip("'") or "1"})
    assert by_address.data == b"180\n" if name == "log_comment" else by_address.headers["X-ClickHouse-Exception-Code"] == str(code)


def test_a_condition_meets_no_row_that_the_clock_hides(http):
    hidden = f"SELECT count() FROM {TRADES} WHERE throwIf(price > 130) = 0"
    for settings in ("", " SETTINGS max_threads = 1", " SETTINGS short_circuit_function_evaluation = 'enable'"):
        answer = http.ask(hidden + settings)
        assert answer.data == b"180\n" or answer.headers["X-ClickHouse-Exception-Code"] == "452"
    assert http.refused(hidden + " SETTINGS short_circuit_function_evaluation = 'disable'")[1] == 452
    assert http.refused(f"SELECT count() FROM {TRADES} PREWHERE throwIf(price > 130) = 0")[1] != 395
    for clause in ("GROUP BY throwIf(price > 130)", "HAVING max(throwIf(price > 130)) = 0"):
        assert http.text(f"SELECT count() FROM {TRADES} {clause}") == "180\n"
    assert len(http.text(f"SELECT price FROM {TRADES} ORDER BY throwIf(price > 130)").splitlines()) == 180


def test_folders_named_for_values_are_read_as_files_say(qalypto_standin, http, tmp_path):
    write(tmp_path, "trade", [trade("12:00", symbol="ETHUSDT")], name="symbol=BTCUSDT/a")
    other = type(http)(qalypto_standin(tmp_path))
    assert other.text(f"SELECT symbol FROM {TRADES}") == "ETHUSDT\n"
    other.gateway.stop()


def test_several_statements_are_refused(http):
    assert http.refused("SELECT 1; SELECT 2") == (400, 62)
    assert http.text("SELECT ';' /* ; */; -- ;\n") == ";\n"
    assert http.refused("SELEC 1") == (400, 62)
