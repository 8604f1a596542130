"""Whatever goes wrong on the way, an answer is whole or an error that says what to do, and the connection goes on."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pandas as pd
import pytest
import urllib3
from served_calls import CALLS, assert_same

import qalypto_research as qr
from qalypto_research.config import Settings
from qalypto_research.connection import open_service
from qalypto_research.engine.known import Known
from qalypto_research.history import parts
from qalypto_research.local.testing import StandIn

ENDLESS = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"

MEMORY = r"^Memory limit exceeded, on purpose\. \(MEMORY_LIMIT_EXCEEDED\); ask for a shorter window or fewer columns \["
FAULTS = {
    "cut": (qr.errors.IncompleteAnswerError, r"nothing of (it|the answer) was kept, try again", None),
    "cut:after=20": (qr.errors.IncompleteAnswerError, r"nothing of (it|the answer) was kept, try again", None),
    "exception": (qr.errors.QueryError, MEMORY, 241),
    "exception:after=20": (qr.errors.QueryError, MEMORY, 241),
    "quota": (qr.errors.BusyError, r"a quota is used up: .*; wait, or ask for less", 201),
    "denied": (qr.errors.AuthenticationError, r"user and password do not match; check QALYPTO_USERNAME and QALYPTO_PASSWORD", 516),
    "redirect:to=http://127.0.0.1:1/login": (qr.errors.ServiceError, r"redirect to 127\.0\.0\.1:1 .*not followed", None),
    "status:code=500": (qr.errors.ServiceError, r"does not answer as ClickHouse does: HTTP 500", None),
}
"""By script: the error, what it says, ClickHouse's code."""


def at_statement(number, fault):
    """Return the script of a fault that meets one statement, after so many that it lets by."""
    kind, _, details = fault.partition(":")
    let_by = f"cut:after={10**12},times={number}; " if number else ""
    return f"{let_by}{kind}:{f'{details},' if details else ''}times=1"


@pytest.fixture
def con(gateway, reach):
    """Return a connection without patience that knows which series there are."""
    reached = reach(gateway)
    reached.symbols()
    return reached


@pytest.fixture
def statements(con, monkeypatch):
    """Return a function that counts the statements of a call."""
    asked = []
    execute = con.engine.execute

    def counted(sql, parameters, label):
        asked.append(sql)
        return execute(sql, parameters, label)

    def count(call):
        with monkeypatch.context() as patched:
            patched.setattr(con.engine, "execute", counted)
            asked.clear()
            call(con)
        return len(asked)

    return count


@pytest.mark.parametrize("name", CALLS)
def test_a_fault_at_any_statement_of_a_call_is_an_error_and_the_next_call_is_whole(gateway, con, statements, embedded, name):
    call = CALLS[name]
    last = statements(call) - 1
    for fault, (kind, said, code) in FAULTS.items():
        # The kinds that come in the middle of an answer at each statement, the others at the one that reads.
        for number in range(last + 1) if fault in ("cut:after=20", "exception:after=20") else [last]:
            gateway.script(at_statement(number, fault))
            with pytest.raises(qr.QalyptoError) as caught:
                call(con)
            assert type(caught.value) is kind, (fault, number)
            assert re.search(said, str(caught.value))
            assert caught.value.code == code
            assert re.fullmatch("[0-9a-f]{32}", caught.value.query_id)
            assert f"[query {caught.value.query_id}]" in str(caught.value)
    gateway.heal()
    assert_same(call(con), call(embedded))


@pytest.mark.parametrize("name", CALLS)
def test_a_service_that_is_busy_for_a_while_is_asked_again(gateway, reach, embedded, name):
    waited = []
    con = reach(gateway, waited=waited)
    gateway.script("status:code=429,times=1; status:code=503,times=1")
    assert_same(CALLS[name](con), CALLS[name](embedded))
    assert waited == [0.5, 1.0]


@pytest.mark.parametrize(
    ("details", "tries"), [({"code": 503}, 5), ({"code": 429, "retry_after": 4}, 4), ({"code": 429, "retry_after": 3600}, 1)]
)
def test_a_service_that_stays_busy_is_left_within_a_bound(gateway, reach, embedded, details, tries):
    waited = []
    con = reach(gateway, waited=waited)
    gateway.fault("status", **details)
    for call in CALLS.values():
        waited.clear()
        with pytest.raises(qr.errors.BusyError, match=rf"busy or away: HTTP {details['code']} .*, {tries} tr.* try again in a minute"):
            call(con)
        assert sum(waited) <= 15
    gateway.heal()
    assert_same(CALLS["trades"](con), CALLS["trades"](embedded))


@contextmanager
def waiting_for(con, seconds):
    """Let a connection wait no longer than that for an answer: once it is made, for which a slow machine may need more."""
    client, _ = con.engine._open()
    before, client.timeout = client.timeout, urllib3.Timeout(connect=10, read=seconds)
    yield
    client.timeout = before


def test_an_answer_is_waited_for_as_long_as_is_asked(gateway, reach):
    assert [reach(gateway, silence_s=s).engine._open()[0].timeout.read_timeout for s in (7.0, 120.0)] == [7, 120]


@pytest.mark.parametrize("name", ["klines", "trades", "coverage", "batches", "sql"])
def test_a_service_that_falls_silent_is_left_in_time(gateway, reach, statements, embedded, name):
    last = statements(CALLS[name]) - 1
    con = reach(gateway)
    con.symbols()
    gateway.script(at_statement(last, "hang"))
    said = r"the service fell silent; ask for less, or try again .*\[query [0-9a-f]{32}\]"
    with waiting_for(con, 1.0), pytest.raises(qr.errors.QueryTimeoutError, match=said):
        CALLS[name](con)
    gateway.heal()
    assert_same(CALLS[name](con), CALLS[name](embedded))


def test_a_statement_that_nobody_waits_for_any_more_is_ended_at_the_server(gateway, reach, monkeypatch):
    con = reach(gateway)
    killed = []
    cancel = con.engine._cancel
    monkeypatch.setattr(con.engine, "_cancel", lambda query_id: (killed.append(query_id), cancel(query_id)))
    con.sql("SELECT 1")
    with waiting_for(con, 1.0), pytest.raises(qr.errors.QueryTimeoutError) as caught:
        con.sql(ENDLESS)
    assert killed == [caught.value.query_id]


@pytest.mark.parametrize("name", ["klines", "trades", "compare", "sql"])
def test_a_slow_service_is_waited_for(gateway, con, embedded, name):
    gateway.fault("slow", rate=500_000)
    assert_same(CALLS[name](con), CALLS[name](embedded))


@pytest.mark.parametrize("name", CALLS)
def test_a_service_that_is_gone_is_named(stopped, name):
    since = time.monotonic()
    with pytest.raises(qr.errors.ServiceError, match="the service cannot be reached; check QALYPTO_CLICKHOUSE_URL"):
        CALLS[name](stopped)
    assert time.monotonic() - since < 15
    assert "cannot be read now: the service cannot be reached" in repr(stopped)


@pytest.fixture(scope="module")
def stopped():
    """Return a connection to a stand-in that was used and is gone."""
    with StandIn("sample", http=True) as gone:
        given = {"clickhouse_url": gone.url, "username": gone.username, "password": gone.password}
        con = open_service(Settings.read(given), exchange=None)
        con.symbols()
    yield con
    con.close()


@pytest.mark.parametrize("wrong", [{"username": "somebody"}, {"password": "guessed"}])
def test_a_wrong_login_is_refused_at_once_and_not_repeated(gateway, wrong):
    given = {"username": gateway.username, "password": gateway.password} | wrong
    with pytest.raises(qr.errors.AuthenticationError, match="check QALYPTO_USERNAME and QALYPTO_PASSWORD") as caught:
        qr.connect(gateway.url, **given)
    assert "guessed" not in str(caught.value)


CONNECTING = {
    "cut": qr.errors.IncompleteAnswerError,
    "exception": qr.errors.IncompleteAnswerError,
    "quota": qr.errors.BusyError,
    "denied": qr.errors.AuthenticationError,
    "redirect:to=http://127.0.0.1:1/": qr.errors.ServiceError,
    "status:code=500": qr.errors.ServiceError,
    "status:code=503": qr.errors.BusyError,
}


@pytest.mark.parametrize(("fault", "kind"), CONNECTING.items())
def test_connecting_meets_the_same(gateway, reach, embedded, fault, kind):
    gateway.script(fault)
    with pytest.raises(qr.QalyptoError) as caught:
        reach(gateway)
    assert type(caught.value) is kind
    gateway.heal()
    assert_same(CALLS["symbols"](reach(gateway)), CALLS["symbols"](embedded))


# --- Answers in parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*FAULTS, "retyped:table=trade,column=price,to=String", "missing:table=trade,column=price"])
def test_of_an_answer_in_parts_what_came_before_a_fault_is_whole_and_the_rest_comes_after(gateway, con, embedded, monkeypatch, fault):
    monkeypatch.setattr(parts, "SLICE_ROWS", 500)
    expected = embedded.trades("BTCUSDT", minutes=20)
    table = "table=" in fault
    batches = con.batches("trades", "BTCUSDT", minutes=20, rows=400)
    frames = [next(batches), next(batches)]
    gateway.script(fault if table else at_statement(1, fault))
    with pytest.raises(qr.errors.SchemaError if table else FAULTS[fault][0]):
        frames.extend(iter(batches))
    assert [len(frame) for frame in frames] == [400] * len(frames)
    assert len(frames) < len(expected) // 400
    assert_rows(frames, expected.iloc[: 400 * len(frames)])
    gateway.heal()
    frames.extend(batches)
    assert_rows(frames, expected)


def assert_rows(frames, expected):
    pd.testing.assert_frame_equal(pd.concat(frames), expected, check_exact=True)


# --- Other tables than the documented ones --------------------------------------------------------------------------

OTHER = [
    ("missing:table=trade,column=price", "market_data_trade.price", ("trades", "batches", "bars")),
    ("renamed:table=trade,column=amount,to=size", "market_data_trade.amount", ("trades", "batches", "bars", "flow")),
    ("retyped:table=trade,column=price,to=String", "market_data_trade.price", ("trades", "batches", "bars")),
    ("retyped:table=trade,column=price,to=Float32", "market_data_trade.price", ("trades",)),
    ("retyped:table=trade,column=timestamp,to=DateTime", "market_data_trade.timestamp", ("trades", "batches")),
    ("missing:table=ticker,column=last_price", "market_data_ticker.last_price", ("tickers", "last_tickers", "compare", "spreads")),
    ("retyped:table=ticker,column=last_price,to=String", "market_data_ticker.last_price", ("tickers", "compare", "spreads")),
    ("retyped:table=ticker,column=bid_price,to=Nullable(String)", "market_data_ticker.bid_price", ("tickers", "spreads")),
    ("missing:table=ticker,column=funding_rate", "market_data_ticker.funding_rate", ("funding",)),
    ("retyped:table=ticker,column=funding_rate,to=Nullable(String)", "market_data_ticker.funding_rate", ("funding",)),
    ("missing:table=kline,column=is_final", "market_data_kline.is_final", ("klines", "forming", "coverage")),
    ("retyped:table=kline,column=close,to=String", "market_data_kline.close", ("klines", "forming")),
    ("missing:table=orderbook,column=bids_price_0", "market_data_orderbook.bids_price_0", ("orderbook_tops",)),
    ("missing:table=orderbook,column=bids_json", "market_data_orderbook.bids_json", ("orderbooks",)),
    ("missing:table=orderbook,column=exchange", "market_data_orderbook.exchange", ("symbols",)),
]


@pytest.mark.parametrize(("fault", "column", "names"), OTHER)
def test_tables_that_change_under_a_connection_are_named(gateway, con, embedded, fault, column, names):
    for name in names:
        gateway.script(fault)
        con.engine.known = Known()
        with pytest.raises(qr.errors.SchemaError, match=re.escape(column)) as caught:
            CALLS[name](con)
        assert caught.value.columns == (column,)
        gateway.heal()
        assert_same(CALLS[name](con), CALLS[name](embedded))


@pytest.mark.parametrize(("fault", "column"), [(fault, column) for fault, column, _ in OTHER])
def test_other_tables_are_named_before_anything_is_read(gateway, reach, fault, column):
    gateway.script(fault)
    with pytest.raises(qr.errors.SchemaError, match=f"tables are not the documented ones: {re.escape(column)} is ") as caught:
        reach(gateway)
    assert caught.value.columns == (column,)


@pytest.mark.parametrize("name", ["trades", "batches", "symbols", "coverage", "sql"])
def test_more_columns_than_documented_change_nothing(gateway, reach, embedded, name):
    gateway.fault("extra", table="trade", column="venue", to="UInt32")
    assert_same(CALLS[name](reach(gateway)), CALLS[name](embedded))


# --- Everything at once ---------------------------------------------------------------------------------------------


def test_under_faults_of_all_kinds_eight_threads_get_whole_answers_or_errors(gateway, con, embedded):
    expected = {name: call(embedded) for name, call in CALLS.items()}
    gateway.script(
        "seed=7; status:code=503,chance=0.1; cut:after=30,chance=0.05; exception:after=100,chance=0.05; quota:chance=0.03; "
        "cut:after=3000,chance=0.1"
    )

    def ask(name):
        try:
            return name, CALLS[name](con)
        except qr.QalyptoError as error:
            return name, error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [*CALLS] * 4))
    whole = [(name, answer) for name, answer in answers if not isinstance(answer, Exception)]
    for name, answer in whole:
        assert_same(answer, expected[name])
    kinds = {type(answer) for _, answer in answers if isinstance(answer, Exception)}
    assert kinds <= {qr.errors.IncompleteAnswerError, qr.errors.QueryError, qr.errors.BusyError}
    assert whole
    assert kinds
