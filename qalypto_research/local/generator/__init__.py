"""The seeded generator of synthetic markets: the packaged sample, and archives of any length and rate.

One seed gives the same rows everywhere. Prices are whole ticks and sizes whole lots until they are written, so candles are
exact aggregates of trades. Work goes block by block in bounded memory, and a folder can be gone on with at any time.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from qalypto_research.errors import InputError, RangeError, UnknownNameError
from qalypto_research.local.generator import rhythm
from qalypto_research.local.generator.sample import generate_sample
from qalypto_research.local.generator.settings import MINUTE_MS, Settings
from qalypto_research.local.generator.writing import SETTINGS_NAME, Generated, Progress, write_blocks
from qalypto_research.schema import EXCHANGES, SYMBOLS, TABLES
from qalypto_research.timerange import DurationLike, TimeLike, parse_duration, parse_time

__all__ = ["Generated", "generate", "generate_sample"]

_DEFAULTS: Final[dict[str, Any]] = {"seed": 1, "start": "2026-03-02 12:00", "rate": 50.0}
_MOST_IN_A_BLOCK: Final = 4_000_000
_HOUR_MS: Final = 3_600_000


def generate(
    root: str | Path,
    *,
    seed: int | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    hours: float | None = None,
    rate: float | None = None,
    trades: int | None = None,
    tables: str | Iterable[str] | None = None,
    symbols: str | Iterable[str] | None = None,
    exchanges: str | Iterable[str] | None = None,
    block: DurationLike | None = None,
    progress: Progress | None = None,
) -> Generated:
    """Generate a synthetic archive, or go on with one.

    In a folder that was begun before, what is not given is taken from it, blocks that are there are kept, and the rest is
    added: the rows are the same whether made at once, in steps, or after an interruption.

    Parameters
    ----------
    root : str or pathlib.Path
        The archive's folder; made if it is not there.
    seed : int, optional
        Seed of all randomness, 0 or more. 1 by default.
    start : str, datetime or Timestamp, optional
        First moment of ticks, inclusive, a whole minute; naive is UTC. 2026-03-02 12:00 by default.
    end : str, datetime or Timestamp, optional
        Last moment of ticks, exclusive. Only whole blocks are written, so it moves on to the end of its block.
    hours : float, optional
        Length of the ticks instead of `end`. 1 by default.
    rate : float, optional
        Trades a second over all series, on the average of a weekday. 50 by default.
    trades : int, optional
        Number of trades to aim at between start and end instead of `rate`; the outcome differs by some percent.
    tables : str or iterable of str, optional
        Which of trade, ticker, kline and orderbook. All by default.
    symbols, exchanges : str or iterable of str, optional
        Which of those documented; their letter case does not matter. All by default.
    block : str or timedelta, optional
        Length of a block, whole minutes up to a day: one file a table, and what is in memory at once. "10m" by default with order books,
        "1h" without.
    progress : callable, optional
        Called after each block with the number of blocks done and to do.

    Returns
    -------
    Generated
        The span of the archive, and how many blocks and rows this call wrote.

    Raises
    ------
    InputError
        An argument that cannot be used; nothing was written.
    ConfigurationError
        The folder was generated with other settings, or holds something else.

    Examples
    --------
    >>> generate("load", hours=24, trades=5_000_000, tables="trade")  # doctest: +SKIP
    """
    folder = Path(root).expanduser()
    begun = _begun(folder)
    start_ms = _start_ms(start, begun)
    end_ms = _end_ms(start_ms, end, hours)
    chosen = _names("tables", tables, tuple(TABLES), begun)
    block_ms = _block_ms(block, chosen, begun)
    settings = Settings(
        seed=_seed(seed, begun),
        start_ms=start_ms,
        block_ms=block_ms,
        exchanges=_names("exchanges", exchanges, EXCHANGES, begun),
        symbols=_names("symbols", symbols, SYMBOLS, begun),
        tables=chosen,
        rate=_rate(rate, trades, start_ms, -(-(end_ms - start_ms) // block_ms) * block_ms, begun),
    )
    at_once = settings.rate * float(rhythm.activity(np.arange(0, 24) * np.int64(_HOUR_MS)).max()) * block_ms / 1000.0
    if at_once > _MOST_IN_A_BLOCK:
        raise InputError(
            "block", f"a block of {block_ms // MINUTE_MS} minutes would hold {at_once:,.0f} trades at once; choose a shorter one"
        )
    return write_blocks(folder, settings, end_ms, progress)


def _begun(root: Path) -> dict[str, Any]:
    """Return the settings the folder was begun with, empty where it was not; a broken file is told about on writing."""
    try:
        found = json.loads((root / SETTINGS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _seed(seed: Any, begun: dict[str, Any]) -> int:
    if seed is None:
        return int(begun.get("seed", _DEFAULTS["seed"]))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise InputError("seed", f"{seed!r} must be a whole number from 0 to 2**63 - 1")
    return int(seed)


def _start_ms(start: TimeLike | None, begun: dict[str, Any]) -> int:
    if start is None and "start_ms" in begun:
        return int(begun["start_ms"])
    moment = parse_time(_DEFAULTS["start"] if start is None else start, "start")
    ms = moment.value // 1_000_000
    if moment.value % (MINUTE_MS * 1_000_000):
        raise InputError("start", f"{start!r} must be a whole minute, such as {moment.floor('min').isoformat()}")
    return int(ms)


def _end_ms(start_ms: int, end: TimeLike | None, hours: float | None) -> int:
    if end is not None and hours is not None:
        raise InputError("hours", "give either end or hours, not both")
    if end is not None:
        end_ms = -(-parse_time(end, "end").value // 1_000_000)
        if end_ms <= start_ms:
            raise RangeError("end", f"{end!r} is not after the start")
        return int(end_ms)
    length = 1.0 if hours is None else _positive("hours", hours)
    return start_ms + max(round(length * _HOUR_MS), 1)


def _block_ms(block: DurationLike | None, tables: tuple[str, ...], begun: dict[str, Any]) -> int:
    if block is None and "block_ms" in begun:
        return int(begun["block_ms"])
    # Books at full rate take by far the most memory.
    usual = "10m" if "orderbook" in tables else "1h"
    length = parse_duration(usual if block is None else block, "block")
    if length % dt.timedelta(minutes=1) or length > dt.timedelta(days=1):
        raise InputError("block", f"{block!r} must be whole minutes, up to a day")
    return length // dt.timedelta(milliseconds=1)


def _rate(rate: float | None, trades: int | None, start_ms: int, length_ms: int, begun: dict[str, Any]) -> float:
    if rate is not None and trades is not None:
        raise InputError("trades", "give either rate or trades, not both")
    if trades is not None:
        minutes = np.arange(start_ms, start_ms + length_ms, MINUTE_MS, dtype=np.int64)
        return _positive("trades", trades) / (60.0 * float(rhythm.activity(minutes).sum()))
    if rate is not None:
        return _positive("rate", rate)
    return float(begun.get("rate", _DEFAULTS["rate"]))


def _positive(argument: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or not 0 < value < math.inf:
        raise InputError(argument, f"{value!r} must be a number above zero")
    return float(value)


def _names(argument: str, given: Any, allowed: tuple[str, ...], begun: dict[str, Any]) -> tuple[str, ...]:
    """Return the names asked for, as documented, each once and sorted."""
    if given is None:
        return tuple(begun.get(argument, sorted(allowed)))
    known = {name.lower(): name for name in allowed}
    found = set()
    for name in [given] if isinstance(given, str) else given:
        if not isinstance(name, str) or name.strip().lower() not in known:
            raise UnknownNameError(argument, name, allowed)
        found.add(known[name.strip().lower()])
    if not found:
        raise InputError(argument, f"is empty; leave it out for all of {', '.join(allowed)}")
    return tuple(sorted(found))
