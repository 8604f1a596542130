"""The default connection, and the calls on it."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from qalypto_research.archive.sample import sample_root
from qalypto_research.config import Settings
from qalypto_research.connection import Connection, Options, open_archive, open_sample
from qalypto_research.errors import ConfigurationError, InputError, SampleDataWarning, UnknownNameError, warn_caller
from qalypto_research.history import api, completeness, depth, inventory, parts, rates, statements, venues
from qalypto_research.timerange import DurationLike, TimeLike, parse_duration

P = ParamSpec("P")
R = TypeVar("R")

Target = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_SETTINGS: Final = ("ingestion_delay",)

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
        ``"sample"``: the packaged synthetic sample. A folder: the archive there; a list of folders: one archive over
        all of them, in which ``"sample"`` stands for the packaged one. By default what ``QALYPTO_TARGET`` says, else
        the sample, with a ``SampleDataWarning``.
        ``"service"`` and URLs are for accounts, which this version cannot use yet.
    at : str, datetime or Timestamp, optional
        Where the clock stands: nothing that became known later is visible. Naive times are UTC. By default where the
        archive's manifest says, else just past its last row.
    speed : float
        How fast the clock runs once it is started; 1 is true pace.
    exchange : str, optional
        Exchange of calls that name none. By default "binance", or the only one there is.
    strict : bool
        Whether a damaged file is an error that names it. With False the readable rest of the archive opens, a
        ``DamagedArchiveWarning`` names what is left out, and ``con.left_out`` lists it all. What only shows when a
        call reads it is an error of that call, and left out from the next one on.
    **settings
        ``ingestion_delay="2s"``: how long after it was seen a row arrives in the tables; 0 by default.

    Returns
    -------
    Connection
        Also a context manager: leaving it closes it, and the default before it is the default again.

    Raises
    ------
    ConfigurationError
        The service was asked for, or an account is configured.
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
    options = Options(at, _speed(speed), _exchange(exchange), _strict(strict), _delay(settings))
    con = _opened(target, options)
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


def _opened(target: Target | None, options: Options, argument: str = "target") -> Connection:
    if target is None:
        settings = Settings()
        if settings.target is not None:
            return _opened(settings.target, options, "QALYPTO_TARGET")
        if settings.username is not None:
            raise ConfigurationError(f"QALYPTO_USERNAME is set, so the account is meant; {_NOT_YET}")
        return _sample_and_warning(options)
    if not isinstance(target, (str, os.PathLike)):
        return open_archive(_folders(target), options)
    if not str(target).strip():
        raise InputError(argument, f"{target!r} is empty; give 'sample' or a folder")
    if target == "sample":
        return open_sample(options)
    if target == "service" or "://" in str(target):
        raise ConfigurationError(f"{argument}={str(target)!r}: {_NOT_YET}")
    return open_archive([Path(target)], options, argument)


def _sample_and_warning(options: Options) -> Connection:
    con = open_sample(options)
    try:
        warn_caller(
            f"no account is configured: answers come from the packaged sample, which is synthetic and not the market "
            f"(clock {con.clock.now():%Y-%m-%d %H:%M:%S} UTC). qr.connect('sample') says the same and does not warn",
            SampleDataWarning,
        )
    except SampleDataWarning:  # a user may have made it an error
        con.close()
        raise
    return con


def _folders(target: Any) -> list[Path]:
    listed = list(target) if isinstance(target, Sequence) and not isinstance(target, bytes) else [target]
    if not listed:
        raise InputError("target", "is an empty list; give at least one folder")
    for folder in listed:
        if not isinstance(folder, (str, os.PathLike)):
            raise InputError("target", f"{folder!r} is no folder; give 'sample', a folder or a list of folders")
    return [sample_root() if folder == "sample" else Path(folder) for folder in listed]


_NOT_YET: Final = "this version does not reach the service yet. Use qr.connect('sample') or qr.connect('<folder of an archive>')"


def _speed(speed: float) -> float:
    if isinstance(speed, bool) or not isinstance(speed, (int, float)):
        raise InputError("speed", f"{speed!r} must be a number above zero; 1 is true pace")
    return float(speed)


def _strict(strict: bool) -> bool:  # noqa: FBT001 - the argument's own check
    if not isinstance(strict, bool):
        raise InputError("strict", f"{strict!r} must be True or False")
    return strict


def _exchange(exchange: str | None) -> str | None:
    if exchange is not None and not isinstance(exchange, str):
        raise InputError("exchange", f"{exchange!r} is not a name; give one exchange, or none")
    return exchange


def _delay(settings: dict[str, Any]) -> dt.timedelta:
    for name in settings:
        if name not in _SETTINGS:
            raise UnknownNameError("settings", name, _SETTINGS)
    delay: DurationLike | None = settings.get("ingestion_delay")
    return dt.timedelta(0) if delay is None else parse_duration(delay, "ingestion_delay")


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
batches = _on_default(parts.batches)
compare = _on_default(venues.compare)
spreads = _on_default(venues.spreads)
symbols = _on_default(inventory.symbols)
coverage = _on_default(completeness.coverage)
sql = _on_default(statements.sql)
