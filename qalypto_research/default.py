"""The default connection, and the calls on it."""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from qalypto_research.config import masked
from qalypto_research.connection import Connection
from qalypto_research.history import aggregates, api, completeness, depth, inventory, parts, rates, statements, venues
from qalypto_research.session import opening
from qalypto_research.targets import Target, open_target
from qalypto_research.timerange import TimeLike

P = ParamSpec("P")
R = TypeVar("R")

_made: Final[list[weakref.ref[Connection]]] = []
"""Connections made by ``connect``, the default last; those before it, while open, are what closing it gives back."""

_kept: Final[list[Connection]] = []
"""Those kept alive though nobody else may hold them: the default, what it gives back, and under a ``with`` all of it."""

_lock: Final = threading.RLock()


def connect(
    target: Target | None = None,
    *,
    at: TimeLike | None = None,
    speed: float = 1.0,
    exchange: str | None = None,
    strict: bool = True,
    **settings: Any,
) -> Connection:
    """Open a connection and make it the default.

    Parameters
    ----------
    target : str, path or list of paths, optional
        ``"service"``: the account's history, over HTTPS. A URL: the same at another address. ``"sample"``: the packaged
        synthetic sample. A folder: the archive there; a list of folders: one archive over all of them, in which
        ``"sample"`` stands for the packaged one. By default what ``QALYPTO_TARGET`` says, else the service where an
        account is configured, else the sample, with a ``SampleDataWarning``.
    at : str, datetime or Timestamp, optional
        Where the clock stands: nothing that became known later is visible. Naive times are UTC. By default where the
        archive's manifest says, else just past its last row. The service has its own clock, which cannot be set.
    speed : float
        How fast an archive's clock runs once it is started; 1 is true pace.
    exchange : str, optional
        Exchange of calls that name none. By default "binance", or the only one there is.
    strict : bool
        Whether a damaged file is an error that names it. With False the readable rest of the archive opens, a
        ``DamagedArchiveWarning`` names what is left out, and ``con.left_out`` lists it all. What only shows when a
        call reads it is an error of that call, and left out from the next one on.
    **settings
        For archives: ``ingestion_delay="2s"``, how long after it was seen a row arrives in the tables; 0 by default.
        For the service: ``username``, ``password``, ``cf_access_client_id``, ``cf_access_client_secret``,
        ``client_id``, ``clickhouse_url``, ``stream_url``, ``ca_file``, each in place of the environment variable of that
        name (``QALYPTO_USERNAME`` and so on).

    Returns
    -------
    Connection
        Also a context manager: leaving it closes it, and the default before it is the default again.

    Raises
    ------
    ConfigurationError
        A credential is missing or only half given, or a setting cannot be used; names the variable.
    ServiceError
        The service cannot be reached, or refuses the login (``AuthenticationError``).
    SchemaError
        The service's tables are not the documented ones.
    ArchiveError
        No such folder, no market data in it, or a damaged file.
    RangeError
        `at` lies before anything was known.
    InputError
        Any other argument that cannot be used.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> with qr.connect("sample", at="2026-03-02 12:30") as con:
    ...     len(con.klines("BTCUSDT", "1m", hours=1))
    60
    """
    # From here on no frame holds a secret in the clear: debuggers and notebooks show the variables of frames.
    settings = masked(settings)
    con = open_target(target, at=at, speed=speed, exchange=exchange, strict=strict, settings=settings)
    with _lock:
        # A cell that is run again and again must not pile connections up.
        _kept[:] = [kept for kept in _kept if not kept.closed]
        if len(_kept) > 1 and not (_kept[-1].lifetime.entered or _kept[-2].lifetime.entered):
            del _kept[-2]
        _kept.append(con)
        _made.append(weakref.ref(con))
    return con


def default_connection() -> Connection:
    """Return the default connection, opened if there is none."""
    with _lock:
        while _made:
            con = _made[-1]()
            if con is not None and not con.closed:
                return con
            _made.pop()
        return connect()


def _on_default(call: Callable[Concatenate[Any, P], R]) -> Callable[P, R]:
    """Return `call` without its first argument: the default connection stands in for it."""
    whole = inspect.signature(call)
    shown = whole.replace(parameters=list(whole.parameters.values())[1:])

    @functools.wraps(call)
    def on_default(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            shown.bind(*args, **kwargs)
        except TypeError as error:  # as Python says it, but for the connection, which the caller does not see
            raise TypeError(f"{call.__name__}() {error}; it is {call.__name__}{_bare(shown)}") from None
        return call(default_connection(), *args, **kwargs)

    on_default.__signature__ = shown  # type: ignore[attr-defined]
    return on_default


def _bare(signature: inspect.Signature) -> str:
    """Return a signature without its types, for people."""
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


klines = _on_default(api.klines)
trades = _on_default(api.trades)
tickers = _on_default(api.tickers)
orderbook_tops = _on_default(api.orderbook_tops)
orderbooks = _on_default(depth.orderbooks)
funding = _on_default(rates.funding)
bars = _on_default(aggregates.bars)
flow = _on_default(aggregates.flow)
batches = _on_default(parts.batches)
compare = _on_default(venues.compare)
spreads = _on_default(venues.spreads)
symbols = _on_default(inventory.symbols)
coverage = _on_default(completeness.coverage)
sql = _on_default(statements.sql)
live = _on_default(opening.live)
