"""What `qr.sql` takes for a statement: one SELECT, its clock bound, its FORMAT dropped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qalypto_research as qr
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.history.usersql import prepare

NOW = pd.Timestamp("2026-03-02 13:00:30.000001", tz="UTC")
BOUND_NOW = {"now": "2026-03-02 13:00:30.000001"}


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("SELECT {now}", "SELECT {now:DateTime64(6, 'UTC')}"),
        ("SELECT { now }", "SELECT {now:DateTime64(6, 'UTC')}"),
        ("SELECT {now} - {now}", "SELECT {now:DateTime64(6, 'UTC')} - {now:DateTime64(6, 'UTC')}"),
        ("SELECT '\\'', {now}, 'it''s'", "SELECT '\\'', {now:DateTime64(6, 'UTC')}, 'it''s'"),
        ("SELECT 1 -- it's {now}\n, {now}", "SELECT 1 -- it's {now}\n, {now:DateTime64(6, 'UTC')}"),
        ("SELECT /* ' /* ' */ {now} */ {now}", "SELECT /* ' /* ' */ {now} */ {now:DateTime64(6, 'UTC')}"),
    ],
)
def test_now_is_bound_where_it_stands_for_a_value(query, sent):
    prepared = prepare(query, None, NOW)
    assert (prepared.sql, prepared.parameters) == (sent, BOUND_NOW)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT '{now}'",
        "SELECT 'it''s {now}'",
        "SELECT '\\'{now}'",
        "SELECT 1 -- {now}",
        "SELECT 1 # {now}",
        "SELECT 1 /* {now} */",
        "SELECT 1 /* /* */ {now} */",
        "SELECT 1 AS `{now}`",
        'SELECT 1 AS "{now}"',
        "SELECT $${now}$$",
        "SELECT $a$ ' {now} $$ $a$",
    ],
)
def test_now_in_text_comments_and_names_is_left_alone(con, query):
    prepared = prepare(query, None, NOW)
    assert prepared.parameters == {}
    assert query.startswith(prepared.sql)  # a comment at the end may go
    assert con.sql(query).shape == (1, 1)


@pytest.mark.parametrize("query", ["SELECT {now:DateTime}", "SELECT {now:DateTime64(3, 'UTC')}"])
def test_now_has_a_type_of_its_own(query):
    with pytest.raises(qr.errors.InputError, match=r"^query: .*write \{now\}$"):
        prepare(query, None, NOW)


# --- FORMAT ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        "FORMAT TabSeparated",
        "format tsv",
        "FORMAT\nJSON",
        "FORMAT /* c */ JSON",
        "FORMAT JSON -- said",
        "FORMAT JSON;",
        "FORMAT JSON ; ;\n-- end\n",
        "\nFORMAT\tCSV\n\n",
    ],
)
def test_a_trailing_format_is_dropped_and_said(con, end):
    with pytest.warns(qr.errors.FormatDroppedWarning, match=r"FORMAT \w+ was dropped") as said:
        frame = con.sql(f"SELECT 1 AS a {end}")
    assert frame["a"].tolist() == [1]
    assert len(said) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 7 AS format",
        "SELECT format FROM (SELECT 7 AS format)",
        "SELECT x.format FROM (SELECT 7 AS format) AS x",
        "SELECT 7 AS a ORDER BY 'FORMAT JSON'",
        "SELECT 7 AS a -- FORMAT JSON",
        "SELECT 7 AS a /* FORMAT JSON */",
        'SELECT 7 AS "FORMAT"',
        "SELECT 7 AS a SETTINGS max_threads = 1",
    ],
)
def test_what_is_no_format_clause_stays(value, query):
    assert value(query) == 7  # warnings are errors


def test_settings_of_the_user_stay_before_a_format(con):
    with pytest.warns(qr.errors.FormatDroppedWarning):
        frame = con.sql("SELECT count() AS n FROM numbers(10) SETTINGS max_threads = 1 FORMAT JSON")
    assert frame["n"].tolist() == [10]


# --- Wall time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        "now()",
        "NOW ()",
        "now /* c */ ()",
        "now('UTC')",
        "now64(3)",
        "today()",
        "toStartOfHour(now())",
        "yesterday()",
        "`now`()",
        '"today"()',
        "utc_timestamp()",
        "nowInBlock()",
        "CURRENT_TIMESTAMP",
        "current_date",
        "curdate()",
        "CURDATE",
        "LOCALTIMESTAMP",
    ],
)
def test_wall_time_is_warned_of(con, told):
    with pytest.warns(qr.errors.WallClockWarning, match=r"wall time.*\{now\}") as said:
        con.sql(f"SELECT {told} AS a")
    assert len(said) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'now()'",
        "SELECT 1 -- now()",
        "SELECT 1 /* now() */",
        "SELECT 1 /* /* */ now() */",
        "SELECT 1 AS `now()`",
        "SELECT $$now()$$",
        "SELECT 1 AS now",
        "SELECT x.today FROM (SELECT 1 AS today) AS x",
        "SELECT 1 AS current_date",
        "SELECT 1 AS insert, 2 AS outfile",
        "SELECT x.curdate FROM (SELECT 1 AS curdate) AS x",
    ],
)
def test_what_is_no_wall_time_is_not_warned_of(con, query):
    assert len(con.sql(query)) == 1  # warnings are errors


# --- One SELECT -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch):
    statements = []
    monkeypatch.setattr(EmbeddedEngine, "execute", lambda _, sql, *__: statements.append(sql))
    return statements


@pytest.mark.parametrize(
    ("query", "said"),
    [
        *[
            (f"{word} x", f"begins with {word!r}")
            for word in (
                "INSERT",
                "DROP",
                "CREATE",
                "ATTACH",
                "SET",
                "SYSTEM",
                "KILL",
                "ALTER",
                "OPTIMIZE",
                "USE",
                "GRANT",
                "explain",
                "SHOW",
                "DESCRIBE",
                "SELEC",
            )
        ],
        ("-- SELECT\nDROP TABLE x", "begins with 'DROP'"),
        ("/* SELECT */ DROP TABLE x", "begins with 'DROP'"),
        ("(INSERT INTO x VALUES (1))", "begins with 'INSERT'"),
        ("'SELECT'", "only SELECT"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT 1; DROP TABLE x", "several statements"),
        ("SELECT 1;;SELECT 2", "several statements"),
        ("SELECT 1 -- \n; DROP TABLE x", "several statements"),
        ("SELECT ';' ; DROP TABLE x", "several statements"),
        ("SELECT $$;$$ ; DROP TABLE x", "several statements"),
        ("SELECT 'abc", "never closed"),
        ("SELECT 'abc\\'", "never closed"),
        ('SELECT "abc', "never closed"),
        ("SELECT `abc", "never closed"),
        ("", "is empty"),
        ("  \n", "is empty"),
        (None, "is empty"),
        (5, "is empty"),
        (b"SELECT 1", "is empty"),
        (";", "only SELECT"),
        ("-- nothing", "only SELECT"),
        ("()", "only SELECT"),
    ],
)
def test_what_is_not_one_select_is_refused_and_never_sent(con, sent, query, said):
    with pytest.raises(qr.errors.InputError, match=r"^query: ") as caught:
        con.sql(query)
    assert said in str(caught.value)
    assert caught.value.argument == "query"
    assert sent == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select 1",
        "(SELECT 1)",
        "WITH 1 AS x SELECT x",
        "-- c\nSELECT 1",
        "/* c */ (SELECT 1);",
        "SELECT 1 -- c; DROP",
        "SELECT 1 AS `a;b`",
    ],
)
def test_one_select_is_answered_however_it_is_dressed(value, query):
    assert value(query) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("WITH 1 AS x INSERT INTO FUNCTION file('{path}', 'CSV', 'x UInt8') SELECT x", "INSERT INTO"),
        ("WITH x AS (SELECT 1) insert\ninto FUNCTION file('{path}', 'CSV', 'x UInt8') SELECT * FROM x", "INSERT INTO"),
        ("SELECT 1 UNION ALL INSERT /* c */ INTO FUNCTION file('{path}', 'CSV', 'x UInt8') SELECT 1", "INSERT INTO"),
        ("SELECT 1 INTO OUTFILE '{path}'", "INTO OUTFILE"),
        ("SELECT 1 INTO OUTFILE '{path}' TRUNCATE FORMAT CSV", "INTO OUTFILE"),
        ("SELECT 1) INTO OUTFILE '{path}' --", "INTO OUTFILE"),
    ],
)
def test_a_write_in_the_dress_of_a_select_is_refused_and_never_sent(con, sent, tmp_path, query, said):
    with pytest.raises(qr.errors.InputError, match=rf"^query: writes \({said}\)"):
        con.sql(query.replace("{path}", str(tmp_path / "written.csv")))
    assert sent == []


@pytest.mark.parametrize(
    "write", ["WITH 1 AS x INSERT INTO FUNCTION file('{path}', 'CSV', 'x UInt8') SELECT x", "SELECT 1 INTO OUTFILE '{path}'"]
)
def test_a_write_that_slips_through_writes_nothing(con, tmp_path, write):
    """The statement is first described as a sub-query, in which no write can stand."""
    path = tmp_path / "written.csv"
    with con.snapshot() as snapshot, pytest.raises(qr.errors.QueryError) as caught:
        snapshot.answer(write.replace("{path}", str(path)), {}, label="")
    assert caught.value.code == 62
    assert not path.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (x UInt8) ENGINE = Memory",
        "CREATE DATABASE d",
        "DROP VIEW market_data_trade",
        "RENAME TABLE market_data_trade TO t",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_the_handles_for_user_sql_change_nothing(con, statement):
    with con.snapshot() as snapshot, con.engine.public_database(snapshot._catalog, 1_772_456_430_000_000) as database:
        with pytest.raises(qr.errors.QueryError) as caught:
            con.engine.execute(statement, {}, None, database)
        assert caught.value.code == 164


@given(text=st.text(max_size=40))
def test_any_text_is_one_statement_or_refused_by_name(text):
    try:
        prepared = prepare(f"SELECT {text}", None, NOW)
    except qr.errors.InputError as error:
        assert error.argument in {"query", "params"}  # noqa: PT017 - both outcomes are right
    else:
        assert prepared.sql.startswith("SELECT")


@given(text=st.text(st.characters(exclude_characters="'\\\0", exclude_categories=("Cs",))))
def test_any_text_in_quotes_is_untouched(text):
    query = f"SELECT '{text}' AS a"
    assert prepare(query, None, NOW).sql == query


# --- Tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["trade", "ticker", "kline", "orderbook"])
def test_each_table_answers_under_each_way_to_name_it(value, table):
    name = f"market_data_{table}"
    ways = [
        name,
        f"market_data.{name}",
        f"`market_data`.`{name}`",
        f'"market_data" . "{name}"',
        f"market_data /* c */ .\n{name}",
        f"market_data.{name} AS t",
    ]
    counts = {value(f"SELECT count() AS n FROM {way}") for way in ways}
    assert len(counts) == 1
    assert counts.pop() > 1_000


@pytest.mark.parametrize(
    "query",
    [
        "WITH market_data_trade AS (SELECT 7 AS x) SELECT x FROM market_data_trade",
        "SELECT 7 AS `market_data.market_data_trade`",
        "SELECT any(7) AS x FROM market_data.market_data_trade AS market_data",
        "SELECT 6 + (count() > 0) AS x FROM market_data.market_data_trade WHERE market_data.market_data_trade.price > 0",
    ],
)
def test_names_of_tables_elsewhere_mean_what_they_say(value, query):
    assert value(query) == 7


def test_a_table_that_is_not_there_is_answered_with_those_that_are(con):
    with pytest.raises(
        qr.errors.QueryError, match="market_data_trade, market_data_ticker, market_data_kline and market_data_orderbook"
    ) as caught:
        con.sql("SELECT * FROM market_data_trades")
    assert caught.value.code == 60


def test_the_sample_is_not_changed_by_all_this(con):
    assert {p.name for p in Path(__file__).parents[2].joinpath("data_samples").iterdir()} >= {
        "kline",
        "manifest.json",
        "orderbook",
        "ticker",
        "trade",
    }
    assert con.sql("SELECT count() AS n FROM market_data_kline WHERE interval = '1d'")["n"].item() > 0
