"""Clients of the embedded ClickHouse: opened when needed, used by one call at a time, all closed together."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from qalypto_research.errors import ClosedError

SETTINGS: Final[dict[str, Any]] = {
    # The engine's zone is the host's; ours is UTC.
    "session_timezone": "UTC",
    # Arrow that can be taken over column by column: names as dictionaries, text as text, no compression in process.
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_compression_method": "none",
    # By rows alone, and small: blocks of a million rows cost half a frame more memory and are no faster.
    "max_block_size": 65_409,
    "preferred_block_size_bytes": 0,
    # Before sorting, functions run on all cores and what they leave is less to sort: an order book's text is long.
    "query_plan_execute_functions_after_sorting": 0,
    # A folder called symbol=BTCUSDT would stand in for the column of the files in it.
    "use_hive_partitioning": 0,
}

_FORKED: Final = (
    "this process was forked from one in which the engine runs, and the engine does not survive that; start it with the 'spawn' method "
    "(multiprocessing.get_context('spawn')) and call qr.connect() in it"
)
_started_in: Final[list[int]] = []
"""The process in which the engine was started; another one was forked from it."""

_READ_ONLY: Final = {
    "readonly": 2,
    # Moved into the reading of files, a user's condition would meet rows the clock still hides, and its error show them.
    "optimize_move_to_prewhere": 0,
    # A user's ORDER BY ... LIMIT computes what it shows of the rows that are left.
    "query_plan_execute_functions_after_sorting": 1,
}


def check_process() -> None:
    """Make sure that the engine runs in this process, if it runs.

    Raises
    ------
    ClosedError
        This process was forked from the one in which it was started.
    """
    if _started_in not in ([], [os.getpid()]):
        raise ClosedError(_FORKED)


class ClientPool:
    """Handles to the one engine of this process.

    A handle serves one call at a time, so concurrent calls each borrow their own. The databases live in memory while
    any handle is open: a pool keeps those it has until it is closed.

    Parameters
    ----------
    read_only : bool
        Whether the handles may change nothing: for SQL that users wrote.
    """

    def __init__(self, *, read_only: bool = False) -> None:
        self._settings = SETTINGS | (_READ_ONLY if read_only else {})
        self._idle: list[Client] = []
        self._lock = threading.RLock()  # the collector may need a client while one is being taken
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[Client]:
        """Lend a client for one call.

        Raises
        ------
        ClosedError
            The pool was closed, or this process was forked from the one that opened it.
        """
        client = self._take()
        try:
            yield client
        except BaseException:
            self._discard(client)
            raise
        self._return(client)

    def _return(self, client: Client) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()

    def _discard(self, client: Client) -> None:
        """Close a client whose call failed: what it had written so far would come back as its next answer."""
        # Opened before the other is closed, lest the databases go with the last handle.
        with suppress(ClickHouseError):
            self._return(self._connected())
        client.close()

    def _take(self) -> Client:
        check_process()
        with self._lock:
            if self._closed:
                raise ClosedError("this connection is closed; call qr.connect() for a new one")
            if self._idle:
                return self._idle.pop()
        return self._connected()

    def _connected(self) -> Client:
        _started_in[:] = [os.getpid()]
        return clickhouse_connect.get_client(interface="chdb", path=":memory:", settings=self._settings)

    def close(self) -> None:
        """Close every client; one in use is closed when its call is over."""
        with self._lock:
            if self._closed or _started_in != [os.getpid()]:
                return
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()
