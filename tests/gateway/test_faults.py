"""Faults on purpose: each kind, how often it comes, and what a script may say."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
import urllib3

from qalypto_research.errors import InputError
from qalypto_research.local.faults import parse_faults
from qalypto_research.local.gateway.faults import Fault, Faults

TRADES = "SELECT * FROM market_data.market_data_trade ORDER BY timestamp"


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("wait", [None, 7])
def test_a_status_comes_so_many_times(http, code, wait):
    http.gateway.fault("status", code=code, times=2, **({} if wait is None else {"retry_after": wait}))
    for _ in range(2):
        answer = http.ask("SELECT 1")
        assert answer.status == code
        assert answer.headers.get("Retry-After") == (None if wait is None else "7")
    assert http.ask("SELECT 1").data == b"1\n"


def test_a_fault_may_meet_some_queries_alone(http):
    http.gateway.fault("quota", match="market_data_trade")
    assert http.text("SELECT 1") == "1\n"
    assert http.refused(TRADES) == (500, 201)
    http.gateway.heal()
    assert http.ask(TRADES).status == 200


def test_denied_redirected(http):
    http.gateway.fault("denied")
    assert http.refused("SELECT 1") == (403, 516)
    http.gateway.fault("redirect", to="https://elsewhere.invalid/")
    answer = http.ask("SELECT 1")
    assert (answer.status, answer.headers["Location"]) == (302, "https://elsewhere.invalid/")


def until_broken(answer):
    """Return what came of a body that must break off."""
    got = []
    pieces = answer.stream(4_096, decode_content=False)
    with pytest.raises(urllib3.exceptions.HTTPError):
        got.extend(pieces)
    return b"".join(got)


@pytest.mark.parametrize("after", [0, 1, 1_000])
@pytest.mark.parametrize("waits", ["0", "1"])
def test_a_cut_body_has_no_end(http, after, waits):
    whole = http.ask(TRADES, wait_end_of_query=waits).data
    http.gateway.fault("cut", after=after, times=1)
    answer = http.pool.request(
        "POST", f"{http.gateway.url}/?wait_end_of_query={waits}", body=TRADES, headers=http.headers, preload_content=False
    )
    assert answer.status == 200
    got = until_broken(answer)
    assert got == whole[: len(got)]
    assert len(got) <= after
    assert http.ask(TRADES).data == whole


def test_an_exception_in_mid_stream_says_why_and_has_no_end(http):
    http.gateway.fault("exception", after=1_000, times=1)
    answer = http.pool.request("POST", f"{http.gateway.url}/?", body=TRADES, headers=http.headers, preload_content=False)
    tag = answer.headers["X-ClickHouse-Exception-Tag"]
    got = until_broken(answer)
    rows, _, said = got.partition(f"\r\n__exception__\r\n{tag}\r\n".encode())
    assert len(rows) == 1_000
    words, _, rest = said.partition(b"\n")
    assert words.startswith(b"Code: 241. DB::Exception: ")
    assert rest == f"{len(words) + 1} {tag}\r\n__exception__\r\n".encode()


def test_the_engines_own_exception_in_mid_stream_is_told_the_same_way(http):
    sql = "SELECT throwIf(number = 300000) FROM numbers(1000000) SETTINGS max_block_size = 10000"
    answer = http.pool.request("POST", f"{http.gateway.url}/?", body=sql, headers=http.headers, preload_content=False)
    assert answer.status == 200
    got = until_broken(answer)
    assert b"__exception__\r\n" + answer.headers["X-ClickHouse-Exception-Tag"].encode() in got
    assert b"Code: 395. DB::Exception: " in got
    assert http.refused(sql, wait_end_of_query="1") == (500, 395)


def test_hanging_and_slow(http):
    http.gateway.fault("hang", times=1)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.pool.request("POST", http.gateway.url, body="SELECT 1", headers=http.headers, timeout=urllib3.Timeout(read=0.3), retries=False)
    http.gateway.fault("slow", rate=1, times=1)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.pool.request("POST", http.gateway.url, body=TRADES, headers=http.headers, timeout=urllib3.Timeout(read=0.3), retries=False)
    http.gateway.fault("slow", rate=200_000)
    assert len(http.ask(TRADES).data.splitlines()) == 180


@pytest.mark.parametrize(
    ("details", "columns"),
    [
        ({"kind": "missing", "column": "amount"}, {"amount": None}),
        ({"kind": "renamed", "column": "amount", "to": "size"}, {"amount": None, "size": "Float64"}),
        ({"kind": "retyped", "column": "price", "to": "String"}, {"price": "String"}),
        ({"kind": "extra", "column": "venue", "to": "UInt32"}, {"venue": "UInt32"}),
    ],
)
def test_another_schema(http, details, columns):
    def kinds():
        return dict(line.split("\t")[:2] for line in http.text("DESCRIBE TABLE market_data.market_data_trade").splitlines())

    documented = kinds()
    http.gateway.fault(table="trade", **details)
    shown = kinds()
    assert {name: shown.get(name) for name in columns} == columns
    assert {name: kind for name, kind in shown.items() if name not in columns} == {n: k for n, k in documented.items() if n not in columns}
    assert len(http.text(TRADES).splitlines()) == 180
    http.gateway.heal()
    assert kinds() == documented


def test_a_dead_port(http, qalypto_standin, archive):
    dead = qalypto_standin(archive, at="2026-03-02 12:31:00")
    address = urlsplit(dead.url)
    dead.stop()
    dead.stop()
    assert not dead.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


def test_a_seed_chooses_the_same_again():
    def met(seed):
        faults, _ = parse_faults(f"seed={seed}; status:code=429,chance=0.5")
        return [faults.draw("SELECT 1") is not None for _ in range(50)]

    assert met(7) == met(7)
    assert met(7) != met(8)
    assert 10 < sum(met(7)) < 40


def test_faults_come_in_their_order():
    faults = Faults((Fault("status", times=1), Fault("quota", times=1)))
    assert [f and f.kind for f in (faults.draw("x"), faults.draw("x"), faults.draw("x"))] == ["status", "quota", None]


@pytest.mark.parametrize("fault", [Fault("cut", after=5, times=2), Fault("status", code=429, retry_after=3, match="a b"), Fault("hang")])
def test_a_fault_is_read_from_its_script(fault):
    assert parse_faults(fault.script)[0].faults == (fault,)


@pytest.mark.parametrize(
    "script",
    ["explode", "cut:bytes=5", "cut:after=x", "seed=x", "slow:rate=0", "missing:table=trades", "missing:column=nope", "cut:after=-1"],
)
def test_a_bad_script_is_an_input_error(gateway, script):
    with pytest.raises(InputError):
        parse_faults(script)
    with pytest.raises(InputError):
        gateway.script(script)
    gateway.heal()
