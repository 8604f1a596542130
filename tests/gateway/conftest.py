"""A stand-in over a small archive written by hand, and a bare HTTP client for it."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
import urllib3
from archives import book, klines, ticker, trade, write

from qalypto_research.local.testing import qalypto_standin  # noqa: F401 - the fixture

AT = "2026-03-02 12:30:00"


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Return a folder with something before and something after `AT` in every table."""
    root = tmp_path_factory.mktemp("archive")
    rows = [
        trade(f"12:{minute:02}:{second:02}.250", 100.0 + minute, trade_id=str(minute * 60 + second), side=("buy", "sell")[second % 2])
        for minute in range(60)
        for second in range(0, 60, 10)
    ]
    write(root, "trade", rows)
    write(root, "ticker", [ticker(f"12:{m:02}", 200.0 + m, bid_price=199.0, next_funding_time="16:00") for m in range(60)])
    write(root, "kline", klines("11:00", 120, num_trades=7))
    write(root, "orderbook", [book(f"12:{m:02}") for m in range(60)])
    return root


@pytest.fixture
def gateway(qalypto_standin, archive):  # noqa: F811
    """Return the stand-in, without faults."""
    return qalypto_standin(archive, at=AT)


class Client:
    """Sends what it is told, and gives back what comes."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.headers = urllib3.make_headers(basic_auth=f"{gateway.username}:{gateway.password}")
        options = {"ca_certs": gateway.ca_file} if gateway.ca_file else {}
        self.pool = urllib3.PoolManager(retries=False, **options)

    def send(self, method, path, body=None, headers=None, **options):
        return self.pool.request(
            method, self.gateway.url + path, body=body, headers=self.headers if headers is None else headers, redirect=False, **options
        )

    def ask(self, sql, /, headers=(), **parameters):
        body = sql if isinstance(sql, bytes) else sql.encode()
        return self.send("POST", f"/?{urlencode(parameters)}", body, self.headers | dict(headers))

    def text(self, sql, /, **parameters):
        """Return the answer to a query that must succeed."""
        answer = self.ask(sql, **parameters)
        assert answer.status == 200, answer.data
        return answer.data.decode()

    def refused(self, sql, /, **parameters):
        """Return status and code of the answer to a query that must fail."""
        answer = self.ask(sql, **parameters)
        code = answer.headers["X-ClickHouse-Exception-Code"]
        found = re.match(rf"Code: {code}\. DB::Exception: .*\([A-Z_]+\) \(version 26\.\d+.*\)\n$", answer.data.decode(), re.DOTALL)
        assert found, answer.data
        return answer.status, int(code)


@pytest.fixture
def http(gateway):
    """Return a client of `gateway`."""
    client = Client(gateway)
    yield client
    client.pool.clear()
