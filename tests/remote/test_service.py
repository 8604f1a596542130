"""A service's answers are those of the same rows on this machine, to the last bit."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from served_calls import CALLS, VARIANTS, assert_same

import qalypto_research as qr
from qalypto_research.engine.transport import Pool

NOW = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")


@pytest.mark.parametrize("name", [*CALLS, *VARIANTS])
def test_every_call_equals_the_embedded_engines(service, embedded, name):
    call = (CALLS | VARIANTS)[name]
    theirs = call(embedded)
    assert_same(call(service), theirs)
    assert any(len(frame) for frame in (theirs if isinstance(theirs, list) else [theirs])) != (name.startswith(("empty", "nothing")))


@pytest.mark.parametrize("name", ["forming", "trades", "orderbooks", "batches", "coverage", "sql"])
def test_also_over_tls_as_the_environment_says(qalypto_standin, embedded, connect, monkeypatch, name):
    gateway = qalypto_standin("sample", require_cloudflare=True)
    for variable, value in gateway.environment().items():
        monkeypatch.setenv(variable, value)
    con = connect("service")
    assert con.target.startswith("https://127.0.0.1:")
    assert_same(CALLS[name](con), CALLS[name](embedded))


@pytest.mark.parametrize("name", [*CALLS, "empty", "empty answer to sql", "rows of every table"])
def test_also_where_no_setting_may_be_changed(qalypto_standin, embedded, connect, name):
    gateway = qalypto_standin("sample", http=True, forbid_settings=True)
    con = connect(gateway.url, username=gateway.username, password=gateway.password)
    call = (CALLS | VARIANTS)[name]
    assert_same(call(con), call(embedded))


@pytest.mark.parametrize("name", ["klines", "forming", "trades", "compare", "coverage", "symbols", "sql"])
def test_also_at_another_moment(qalypto_standin, connect, name):
    at = "2026-03-02 12:31:07"
    gateway = qalypto_standin("sample", http=True, at=at)
    con = connect(gateway.url, username=gateway.username, password=gateway.password)
    assert con.clock.now() == pd.Timestamp(at, tz="UTC")
    assert_same(CALLS[name](con), CALLS[name](connect("sample", at=at)))


def test_eight_threads_on_one_connection_get_each_their_own(service, embedded):
    expected = {name: call(embedded) for name, call in CALLS.items()}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: (name, CALLS[name](service)), [*CALLS] * 3))
    for name, answer in answers:
        assert_same(answer, expected[name])


def test_warnings_are_those_of_the_embedded_engine(service, embedded):
    def warned(con):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            con.klines("BTCUSDT", "1m", exchange="bitget", hours=1)
            con.funding("BTCUSDT", days=3)
        return [(w.category, str(w.message), w.filename) for w in caught]

    assert len(warned(embedded)) == 2
    assert warned(service) == warned(embedded)


def test_what_is_asked_wrongly_is_said_before_anything_is_sent(service):
    for call in (lambda: service.trades("BTCUSD", minutes=1), lambda: service.trades("BTCUSDT", exchange="binanse", minutes=1)):
        with pytest.raises(qr.errors.UnknownNameError, match="did you mean"):
            call()
    with pytest.raises(qr.errors.QueryError, match="nowhere") as caught:
        service.sql("SELECT * FROM nowhere")
    assert (caught.value.code, len(caught.value.query_id)) == (60, 32)
    for statement in ("DROP TABLE market_data_trade", "INSERT INTO market_data_trade VALUES (1)"):
        with pytest.raises(qr.QalyptoError):
            service.sql(statement)


def test_each_statement_is_named_by_its_id(service):
    ids = service.trades("BTCUSDT", minutes=1).attrs["qalypto"]["query_ids"]
    assert ids
    assert len(set(ids)) == len(ids)


def test_no_answer_is_taken_for_another_schema(service, monkeypatch):
    """A change of the tables is looked for only where an answer gives cause: none of these does."""
    monkeypatch.setattr(service.engine, "check_tables", lambda: pytest.fail("the tables were looked at again"))
    for call in (CALLS | VARIANTS).values():
        call(service)


# --- The clock ------------------------------------------------------------------------------------------------------


def test_the_clock_is_the_servers_and_can_only_be_read(service):
    assert service.clock.now() == NOW
    assert service.clock.now().unit == "us"
    assert not service.clocked
    assert not hasattr(service.clock, "start")
    assert service.trades("BTCUSDT", minutes=1).attrs["qalypto"]["clock"] == "2026-03-02T13:00:30+00:00"


def test_now_in_sql_is_the_servers_and_draws_no_warning(service, embedded):
    sql = "SELECT count() AS n FROM market_data_trade WHERE timestamp >= now() - INTERVAL 5 MINUTE"
    with pytest.warns(qr.errors.WallClockWarning):
        embedded.sql(sql)
    assert service.sql(sql)["n"].tolist() == [len(service.trades(list(service.symbols()["symbol"].unique()), exchange="all", minutes=5))]


def test_closed_candles_go_by_the_servers_clock(qalypto_standin, connect):
    gateway = qalypto_standin("sample", http=True, at="2026-03-02 12:31:07")
    con = connect(gateway.url, username=gateway.username, password=gateway.password)
    assert con.klines("BTCUSDT", "5m", limit=1).index[0] == pd.Timestamp("2026-03-02 12:25", tz="UTC")
    assert con.klines("BTCUSDT", "5m", limit=1, final=False).index[0] == pd.Timestamp("2026-03-02 12:30", tz="UTC")


def test_a_running_clock_runs(qalypto_standin, connect):
    gateway = qalypto_standin("sample", http=True, speed=60)
    con = connect(gateway.url, username=gateway.username, password=gateway.password)
    first = con.clock.now()
    while con.clock.now() < first + pd.Timedelta("1s"):
        pass
    assert con.trades("BTCUSDT", minutes=1).index[-1] > first - pd.Timedelta("1min")


# --- The connection -------------------------------------------------------------------------------------------------


def test_a_connection_says_where_it_stands(gateway, connect):
    service = connect(gateway.url, username=gateway.username, password=gateway.password)
    assert service.target == gateway.url
    assert service.synthetic
    shown = repr(service)
    for part in (
        gateway.url,
        "synthetic, not the market",
        "qalypto stand-in",
        "2026-03-02 13:00:30 UTC, running",
        "4 exchanges, 10 symbols",
    ):
        assert part in shown
    service.close()
    service.close()
    assert "closed" in repr(service)
    with pytest.raises(qr.errors.ClosedError):
        service.trades("BTCUSDT", minutes=1)


def test_connections_are_used_again(gateway, connect):
    """One after another, statements share a connection: TLS is agreed on once."""
    service = connect(gateway.url, username=gateway.username, password=gateway.password)
    pools = service.engine._open()[1]
    assert isinstance(pools, Pool)
    for _ in range(5):
        service.trades("BTCUSDT", minutes=1)
    (there,) = map(pools.pools.get, list(pools.pools.keys()))
    assert there.num_connections == 1
