"""Queries as they run: ids, ending them, many at once, limits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

ENDLESS = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"
STREAM = "SELECT number, cityHash64(number) FROM numbers(1000000000000)"
HELD = "KILL QUERY WHERE query_id = '{}'"


def started(http, sql, query_id, *, refused_by=None, **parameters):
    """Begin a query on a thread of its own, again where another one's turn refused it; return the thread and where its outcome will be."""
    outcome = []

    def run():
        answer = http.ask(sql, query_id=query_id, **parameters)
        while refused_by is not None and answer.headers.get("X-ClickHouse-Exception-Code") == refused_by:
            answer = http.ask(sql, query_id=query_id, **parameters)
        outcome.append(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def killed(http, query_id):
    """Kill a query, again and again until it is there to be killed."""
    while not (said := http.text(HELD.format(query_id))):
        pass
    return said


def test_a_query_is_killed_by_its_id(http):
    thread, outcome = started(http, ENDLESS, "endless 'one'")
    said = killed(http, "endless \\'one\\'")
    thread.join(20)
    assert outcome[0].headers["X-ClickHouse-Exception-Code"] == "394"
    assert outcome[0].status == 500
    assert outcome[0].headers["X-ClickHouse-Query-Id"] == "endless 'one'"
    assert said == f"waiting\tendless \\'one\\'\t{http.gateway.username}\t{ENDLESS}\n"
    assert http.text(HELD.format("endless")) == ""


def test_two_queries_cannot_have_one_id(http):
    thread, _ = started(http, ENDLESS, "twin", refused_by="216")
    other = http.ask("SELECT 1", query_id="twin")
    while other.status == 200:
        other = http.ask("SELECT 1", query_id="twin")
    assert other.headers["X-ClickHouse-Exception-Code"] == "216"
    killed(http, "twin")
    thread.join(20)


@pytest.mark.parametrize(
    "sql", ["KILL QUERY WHERE 1", "KILL QUERY WHERE query_id != 'a'", "KILL QUERY WHERE user = 'default'", "KILL MUTATION"]
)
def test_other_kills_are_refused(http, sql):
    assert http.refused(sql) == (403, 497)


def test_a_client_that_goes_away_ends_its_query(http):
    for sql in (ENDLESS, STREAM):
        response = None
        if sql is STREAM:
            response = http.pool.request(
                "POST", f"{http.gateway.url}/?query_id=left", body=sql, headers=http.headers, preload_content=False
            )
            assert response.read(1_000)
            response.close()
        else:
            with pytest.raises(Exception, match="timed out"):
                http.pool.request("POST", f"{http.gateway.url}/?query_id=left", body=sql, headers=http.headers, timeout=0.5)
        # The id is free when the query is over; until then it is refused.
        while http.ask("SELECT 1", query_id="left").status != 200:
            pass


def test_a_session_serves_one_query_at_a_time(http):
    thread, _ = started(http, ENDLESS, "in session")
    killed(http, "in session")
    thread.join(20)
    locking, _ = started(http, ENDLESS, "holder", refused_by="373", session_id="s")
    other = http.ask("SELECT 1", session_id="s")
    while other.status == 200:
        other = http.ask("SELECT 1", session_id="s")
    assert other.headers["X-ClickHouse-Exception-Code"] == "373"
    while locking.is_alive():
        http.text(HELD.format("holder"))
    assert http.text("SELECT 1", session_id="s") == "1\n"


def test_limits_of_the_engine_hold(http):
    assert http.refused(ENDLESS, max_execution_time="0.2") == (408, 159)
    assert http.refused("SELECT groupArray(number) FROM numbers(100000000)", max_memory_usage="10000000") == (500, 241)
    assert http.refused("SELECT number FROM numbers(1000)", max_result_rows="10", wait_end_of_query="1") == (500, 396)


def test_many_at_once_get_each_their_own(http):
    def ask(n):
        facts = f"{n}, count(), getSetting('max_block_size'), {{x:UInt32}}"
        sql = f"SELECT {facts} FROM market_data.market_data_trade WHERE price >= {100 + n % 30}"
        return http.text(sql, max_block_size=str(1000 + n), param_x=str(n), query_id=f"q{n}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(80)))
    assert answers == [f"{n}\t{180 - 6 * (n % 30)}\t{1000 + n}\t{n}\n" for n in range(80)]
