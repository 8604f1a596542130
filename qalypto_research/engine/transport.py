"""HTTP to a ClickHouse server: what is sent along, what is refused, and when to try again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import check_env_proxy, get_pool_manager_options

from qalypto_research.config import Access, is_loopback
from qalypto_research.errors import AuthenticationError, BusyError, ServiceError

CONNECT_TIMEOUT_S: Final = 10

_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
_FIRST_WAIT_S: Final = 0.5
_PATIENCE_S: Final = 15.0
"""Waits between tries never add up to more."""

_CODE_HEADER: Final = "X-ClickHouse-Exception-Code"
_NAME_HEADER: Final = "X-ClickHouse-Server-Display-Name"

# It warns of what it also raises; handlers that a user has set up get it still.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for; tests hand in their own.

    Attributes
    ----------
    silence_s : float
        Seconds the server may say nothing while it answers.
    sleep, jitter : callable
        How to wait between tries, and a number from 0 to 1.
    """

    silence_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Pool(urllib3.PoolManager):
    """Connections to one server. A redirect is refused, a busy server asked again.

    Parameters
    ----------
    *where : str
        The proxy's URL, where there is one: see ``ProxyPool``.
    options : dict
        Of ``urllib3.PoolManager``.
    patience : Patience
        How to wait between tries.
    """

    def __init__(self, *where: str, options: dict[str, Any], patience: Patience) -> None:
        super().__init__(*where, **options)  # type: ignore[arg-type] # of ProxyManager, below
        self._patience = patience
        self.server_name = ""

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # noqa: ARG002, FBT001, FBT002
        """Send one request; a redirect would carry the credentials elsewhere."""
        waited = 0.0
        tries = 0
        while True:
            response = super().urlopen(method, url, redirect=False, **options)
            tries += 1
            if response.status not in _BUSY:
                break
            wait = _wait_s(response, tries, self._patience.jitter())
            if waited + wait > _PATIENCE_S:
                break
            response.drain_conn()
            self._patience.sleep(wait)
            waited += wait
        self.server_name = response.headers.get(_NAME_HEADER, self.server_name)
        if response.status >= HTTPStatus.MULTIPLE_CHOICES and _CODE_HEADER not in response.headers:
            response.drain_conn()
            raise _refusal(response, url, tries)
        return response


class ProxyPool(Pool, urllib3.ProxyManager):
    """The same through a proxy."""


def open_client(access: Access, patience: Patience) -> tuple[Client, Pool]:
    """Return a client of the server of `access`, logged in, and its connections.

    It serves any number of threads at once.

    Raises
    ------
    ServiceError
        The server cannot be reached, or refuses.
    ClickHouseError
        Whatever else the client meets.
    """
    ca_cert = None if access.ca_file is None else str(access.ca_file)
    options = get_pool_manager_options(ca_cert=ca_cert, retries=False)
    # What answers on this machine is reached directly, lest a password leaves it.
    there = access.endpoint
    proxy = None if is_loopback(there.host) else check_env_proxy("https", there.host, there.port)
    pool = ProxyPool(proxy, options=options, patience=patience) if proxy else Pool(options=options, patience=patience)
    client = clickhouse_connect.get_client(
        host=access.endpoint.host,
        port=access.endpoint.port,
        interface="https" if access.endpoint.secure else "http",
        proxy_path=access.endpoint.path,
        username=access.username,
        password=access.password.get_secret_value(),
        headers={name: value.get_secret_value() for name, value in access.headers.items()},
        database="market_data",
        compress=False,
        connect_timeout=CONNECT_TIMEOUT_S,
        send_receive_timeout=patience.silence_s,
        query_retries=0,
        autogenerate_session_id=False,
        form_encode_query_params=True,
        show_clickhouse_errors="scrub",
        client_name="qalypto_research",
        pool_mgr=pool,
    )
    return client, pool


def _wait_s(response: urllib3.BaseHTTPResponse, tries: int, jitter: float) -> float:
    """Return how long to wait before the next try: what the server asks for, at least what we would."""
    ours: float = _FIRST_WAIT_S * 2 ** (tries - 1) * (0.75 + jitter / 2)
    asked = response.headers.get("Retry-After", "")
    return max(ours, float(asked)) if asked.isdecimal() else ours


def _refusal(response: urllib3.BaseHTTPResponse, url: str, tries: int) -> ServiceError:
    """Return the error for an answer that does not come from ClickHouse."""
    status = response.status
    what = f"HTTP {status} {response.reason or ''}".strip()
    host = urlsplit(url).netloc
    if status < HTTPStatus.BAD_REQUEST:
        elsewhere = urlsplit(response.headers.get("Location", "")).netloc or "elsewhere"
        return ServiceError(
            f"{host} answers with a redirect to {elsewhere} ({what}), which is not followed: it would carry the credentials there. "
            "Check QALYPTO_CLICKHOUSE_URL, and that QALYPTO_CF_ACCESS_CLIENT_ID and QALYPTO_CF_ACCESS_CLIENT_SECRET are the account's"
        )
    if status in _BUSY:
        return BusyError(f"{host} is busy or away: {what}, {tries} tries; try again in a minute")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return AuthenticationError(
            f"{host} refuses the request before ClickHouse sees it: {what}. Check QALYPTO_CF_ACCESS_CLIENT_ID and "
            "QALYPTO_CF_ACCESS_CLIENT_SECRET, then QALYPTO_USERNAME and QALYPTO_PASSWORD"
        )
    return ServiceError(f"{host} does not answer as ClickHouse does: {what}; check QALYPTO_CLICKHOUSE_URL")
