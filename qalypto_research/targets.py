"""What ``qr.connect`` is asked for, and the connection that is meant."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qalypto_research.archive.sample import sample_root
from qalypto_research.config import Settings, variable
from qalypto_research.connection import Connection, Options, open_archive, open_sample, open_service
from qalypto_research.errors import InputError, SampleDataWarning, UnknownNameError, warn_caller
from qalypto_research.timerange import DurationLike, TimeLike, parse_duration

Target = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_OF_ARCHIVES: Final = ("ingestion_delay",)
_OF_ACCOUNTS: Final = tuple(name for name in Settings.model_fields if name != "target")


def open_target(
    target: Target | None, *, at: TimeLike | None, speed: float, exchange: str | None, strict: bool, settings: Mapping[str, Any]
) -> Connection:
    """Open what ``qr.connect`` was asked for; see there.

    Raises
    ------
    UnknownNameError
        A setting that does not exist.
    InputError
        An argument that cannot be used, or not with that target.
    """
    for name in settings:
        if name not in (*_OF_ARCHIVES, *_OF_ACCOUNTS):
            raise UnknownNameError("settings", name, (*_OF_ARCHIVES, *_OF_ACCOUNTS))
    options = Options(at, _speed(speed), _exchange(exchange), _strict(strict), _delay(settings.get("ingestion_delay")))
    account = {name: settings[name] for name in _OF_ACCOUNTS if name in settings}
    if target is not None:
        return _opened(target, options, account, "target")
    found = Settings.read(account)
    # Credentials in the call itself say what is meant.
    if found.target is not None and not account:
        return _opened(found.target, options, account, variable("target"))
    return _service(options, account) if found.account else _sample_with_warning(options)


def _opened(target: Target, options: Options, account: dict[str, Any], argument: str) -> Connection:
    if isinstance(target, str):
        if not target.strip():
            raise InputError(argument, f"{target!r} is empty; give 'service', 'sample' or a folder")
        if target == "service":
            return _service(options, account)
        if "://" in target:
            return _service(options, account | {"clickhouse_url": target})
    if account:
        raise InputError(next(iter(account)), f"belongs to the service; leave it out for {target!r}, or give target='service'")
    return open_sample(options) if target == "sample" else open_archive(_folders(target), options, argument)


def _service(options: Options, account: dict[str, Any]) -> Connection:
    for name, unset in (("at", None), ("speed", 1.0), ("strict", True), ("ingestion_delay", dt.timedelta(0))):
        if getattr(options, name) != unset:
            raise InputError(name, "belongs to archives: the service has its own clock and its own files; leave it out")
    return open_service(Settings.read(account), exchange=options.exchange)


def _sample_with_warning(options: Options) -> Connection:
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
    several = isinstance(target, Sequence) and not isinstance(target, (str, bytes))
    listed = list(target) if several else [target]
    if not listed:
        raise InputError("target", "is an empty list; give at least one folder")
    for folder in listed:
        if not isinstance(folder, (str, os.PathLike)):
            raise InputError("target", f"{folder!r} is no folder; give 'sample', a folder or a list of folders")
    return [sample_root() if folder == "sample" else Path(folder) for folder in listed]


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


def _delay(delay: DurationLike | None) -> dt.timedelta:
    return dt.timedelta(0) if delay is None else parse_duration(delay, "ingestion_delay")
