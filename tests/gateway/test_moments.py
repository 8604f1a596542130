"""What time it is at the stand-in: its clock, standing or running, ``now()`` in SQL, files that come."""

from __future__ import annotations

import datetime as dt

import pytest
from archives import trade, write

from qalypto_research.engine.tokens import tokenise
from qalypto_research.local.gateway.clockwords import at_moment

MOMENT_US = 1_772_454_600_123_456  # 2026-03-02 12:30:00.123456 UTC


def rewritten(sql):
    return "".join(t.text for t in at_moment(tokenise(sql), MOMENT_US))


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("now()", "2026-03-02 12:30:00"),
        ("NOW ( )", "2026-03-02 12:30:00"),
        ("now", "2026-03-02 12:30:00"),
        ("now('Asia/Tokyo')", "2026-03-02 21:30:00"),
        ("now64()", "2026-03-02 12:30:00.000"),
        ("now64(6)", "2026-03-02 12:30:00.000000"),
        ("now64(3, 'Asia/Tokyo')", "2026-03-02 21:30:00.000"),
        ("today()", "2026-03-02"),
        ("yesterday()", "2026-03-01"),
        ("curdate()", "2026-03-02"),
        ("CURRENT_DATE", "2026-03-02"),
        ("CURRENT_TIMESTAMP", "2026-03-02 12:30:00"),
        ("current_timestamp()", "2026-03-02 12:30:00"),
        ("UTCTimestamp()", "2026-03-02 12:30:00"),
        ("localtime", "12:30:00"),
        ("nowInBlock()", "2026-03-02 12:30:00"),
        ("now() - INTERVAL 1 HOUR", "2026-03-02 11:30:00"),
        ("toStartOfHour(now())", "2026-03-02 12:00:00"),
        ("(SELECT max(x) FROM (SELECT now() AS x))", "2026-03-02 12:30:00"),
    ],
)
def test_functions_that_tell_the_time_tell_the_clocks(http, sql, wanted):
    assert http.text(f"SELECT {sql}") == f"{wanted}\n"


def test_their_types_and_names_are_clickhouses(http):
    assert http.text("SELECT toTypeName(now()), toTypeName(now64()), toTypeName(today()), toTypeName(now64(6))") == (
        "DateTime\tDateTime64(3)\tDate\tDateTime64(6)\n"
    )
    assert http.text("SELECT now(), today() FORMAT TSVWithNames").splitlines()[0] == "now()\ttoday()"
    assert http.text("SELECT now() AS t FORMAT TSVWithNames").splitlines()[0] == "t"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'now()', \"now()\", `today()` -- now()",
        "SELECT 'it''s now()' /* now() /* today() */ now() */",
        "SELECT 'a\\'now()'",
        "SELECT $$now()$$",
        "SELECT t.now, known()",
        "SELECT knows(), now64x(), x.today FROM t",
        "SELECT 1 AS now, now + 1",
        "# now()\nSELECT 1",
    ],
)
def test_words_in_strings_names_and_comments_stay(sql):
    assert rewritten(sql) == sql


def test_a_part_of_a_second_is_kept_where_it_is_asked_for():
    assert rewritten("now64(6)") == "toDateTime64(toDecimal64('1772454600.123456', 6), 6)"


def test_all_of_a_query_sees_one_moment(qalypto_standin, http, archive):
    running = type(http)(qalypto_standin(archive, at="2026-03-02 12:00:00", speed=50.0))
    seen = set()
    while len(seen) < 3:
        union = " UNION ALL ".join(["SELECT max(timestamp) AS m, count() AS n, now64(6) AS t FROM market_data.market_data_trade"] * 8)
        rows = running.text(f"SELECT uniqExact(m), uniqExact(n), uniqExact(t), max(n), max(m) <= max(t) FROM ({union})").strip().split("\t")
        assert rows[:3] == ["1", "1", "1"]
        assert rows[4] == "1"
        seen.add(int(rows[3]))
    assert seen <= set(range(1, 361))
    running.gateway.stop()


def test_the_clock_stands_unless_told_to_run(http):
    assert http.text("SELECT now64(6)") == http.text("SELECT now64(6)")


def test_the_samples_clock_is_its_manifests(qalypto_standin, http):
    sample = type(http)(qalypto_standin("sample"))
    assert sample.text("SELECT now64(6)") == "2026-03-02 13:00:30.000000\n"
    hour = sample.text(
        "SELECT count(), min(timestamp) >= now() - INTERVAL 1 HOUR FROM market_data.market_data_trade "
        "WHERE timestamp >= now() - INTERVAL 1 HOUR"
    )
    count, within = hour.split()
    assert int(count) > 0
    assert within == "1"


def test_files_that_come_are_read_and_those_in_use_stay(qalypto_standin, http, tmp_path):
    write(tmp_path, "trade", [trade("12:00", 1.0)])
    growing = type(http)(qalypto_standin(tmp_path, at="2026-03-02 13:00:00"))
    count = "SELECT count() FROM market_data.market_data_trade"
    assert growing.text(count) == "1\n"
    # A long answer over the files as they are, begun and not read on.
    sql = "SELECT t.price, number FROM numbers(20000000) AS n CROSS JOIN market_data.market_data_trade AS t"
    long = growing.pool.request("POST", growing.gateway.url, body=sql, headers=growing.headers, preload_content=False)
    for n in range(2, 5):
        write(tmp_path, "trade", [trade("12:00", float(n))], name=f"file {n}")
        assert growing.text(count) == f"{n}\n"
    assert growing.text("SELECT sum(price) FROM market_data.market_data_trade") == "10\n"
    assert sum(piece.count(b"\n") for piece in long.stream(1 << 20)) == 20_000_000
    growing.gateway.stop()


def test_a_moment_before_everything_is_an_error(qalypto_standin, archive):
    with pytest.raises(Exception, match=r"at: 2020-01-01 00:00:00.* is before anything is known here"):
        qalypto_standin(archive, at=str(dt.date(2020, 1, 1)))
