"""Our bars against the venue's candles: where they differ, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.errors import InputError
from qalypto_research.prep.checks import Floats, check_frame, numbers
from qalypto_research.prep.meaning import PRICES
from qalypto_research.prep.series import by_series, repeated_ids
from qalypto_research.schema.frames import category, epoch_us
from qalypto_research.schema.vocabulary import INTERVAL_MS

_TRADED: Final = ("volume", "quote_volume", "num_trades")
_COMPARED: Final = (*PRICES, *_TRADED)
_KEY: Final = ["timestamp", "exchange", "symbol"]
_MOST_DECIMALS: Final = 12
_US: Final = pd.Timedelta(microseconds=1)

PARTIAL: Final = "partial coverage"
NO_CANDLE: Final = "no candle"
MISSING: Final = "missing trades"
REPEATED: Final = "repeated ids"
MORE: Final = "more trades than the venue counts"
ROUNDED: Final = "venue rounds"
OPENED: Final = "venue opens at the close before"
UNEXPLAINED: Final = "unexplained"


def reconcile(bars: pd.DataFrame, klines: pd.DataFrame, *, trades: pd.DataFrame | None = None, rtol: float = 1e-9) -> pd.DataFrame:
    """Return where bars made of trades differ from the venue's candles, and why as far as that can be told.

    Compared are open, high, low, close, volume, quote_volume and num_trades, over the time that both frames span. What the
    venue does not give (NaN) is not compared; what a bar does not give differs. A row of NaN alone, as ``qr.prep.fill``
    leaves it, is no bar and no candle. A candle of which the venue gives no volume and no trade needs no bar.

    Parameters
    ----------
    bars : pandas.DataFrame
        Bars by time, as ``qr.bars`` or ``qr.prep.bars`` give them, as long as the candles.
    klines : pandas.DataFrame
        Candles of one interval, as ``qr.klines`` gives them.
    trades : pandas.DataFrame, optional
        The trades that the bars are made of. With them repeated ids are found; without, they are "more trades than the
        venue counts".
    rtol : float
        Relative difference up to which two numbers are the same: sums of floats depend on their order.

    Returns
    -------
    pandas.DataFrame
        One row a difference, none where all agree. Index ``timestamp``: the open time, ascending; ties by exchange, symbol,
        then in the order above. Columns: exchange, symbol (category); column (str); ours, theirs, difference (float64, ours - theirs; NaN
        where there is no bar or no candle: the column is then volume, or the next of what was traded that is above 0);
        cause (str), the first that fits of:

        - "no candle": the venue has none of that time here.
        - "partial coverage": one of the two says of itself that it is not whole.
        - "repeated ids": without the trades whose id came before, the bar has the candle's volume.
        - "missing trades": we have less volume or fewer trades, or no bar at all.
        - "more trades than the venue counts": we have more volume or more trades.
        - "venue opens at the close before": it takes the last close as the open, and into high and low.
        - "venue rounds": ours, rounded to the venue's decimals, is theirs.
        - "unexplained".

    Raises
    ------
    InputError
        A frame is not in time order, has a bar or candle twice, mixes intervals or has no rows; the bars are not those of
        the candles; or the two share no time, so that nothing would be compared.
    UnknownNameError
        A column is not there.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> bars = qr.bars("BTCUSDT", "1m", minutes=30)
    >>> len(qr.prep.reconcile(bars, qr.klines("BTCUSDT", "1m", minutes=30)))
    0
    """
    if not (isinstance(rtol, (int, float, np.number)) and 0 <= rtol < 1):
        raise InputError("rtol", f"{rtol!r} must be from 0 to below 1: a relative difference, as 1e-9")
    check_frame(bars, "bars", ("exchange", "symbol", "last_time", "is_final", *_COMPARED), "bars")
    check_frame(klines, "klines", ("exchange", "symbol", "interval", "is_final", *_COMPARED), "candles")
    for frame, argument in ((bars, "bars"), (klines, "klines")):
        if frame.empty:
            raise InputError(argument, "has no rows, so that nothing could be compared; read bars and klines of one range")
    length_us = _length_us(klines)
    _check_grid(bars, length_us)
    both = _beside(bars, klines, length_us)
    repeated = _repeated(trades, length_us)
    rows = [row for pair in _pairs(both, repeated, rtol) for row in _differences(pair, rtol)]
    found = pd.DataFrame(rows, columns=[*_KEY, "column", "ours", "theirs", "difference", "cause"])
    found = found.astype(
        {
            "timestamp": "datetime64[us, UTC]",
            **{name: category(name, found[name]) for name in ("exchange", "symbol")},
            **dict.fromkeys(("column", "cause"), "str"),
            **dict.fromkeys(("ours", "theirs", "difference"), "float64"),
        }
    ).set_index("timestamp")
    return found.tz_convert(pd.DatetimeIndex(bars.index).tz)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A bar and the candle of the same time, either of which may not be there.

    Attributes
    ----------
    close_before : float
        The close of the candle before it, NaN where that is not there.
    again : float
        Volume of the trades in the bar whose id came before.
    decimals : dict
        By column, the most decimals that the venue gives in this series.
    """

    key: tuple[pd.Timestamp, str, str]
    ours: dict[str, float] | None
    theirs: dict[str, float] | None
    is_final: bool
    close_before: float
    again: float
    decimals: dict[str, int]


def _length_us(klines: pd.DataFrame) -> int:
    there = [str(name) for name in klines["interval"].unique()]
    if len(there) > 1:
        raise InputError("klines", f"mixes candles of {' and '.join(there)}; choose: df[df['interval'] == {there[0]!r}]")
    if there and there[0] not in INTERVAL_MS:
        raise InputError("klines", f"has candles of {there[0]!r}; known are {', '.join(INTERVAL_MS)}")
    return INTERVAL_MS[there[0]] * 1_000


def _check_grid(bars: pd.DataFrame, length_us: int) -> None:
    opened = epoch_us(bars)
    off = np.flatnonzero(opened % length_us)
    if len(off):
        raise InputError("bars", f"has a bar of {bars.index[off[0]]}, where no candle opens; make bars as long as the candles")
    last = pd.DatetimeIndex(bars["last_time"]).as_unit("us").asi8
    long = np.flatnonzero(last >= opened + length_us)
    if len(long):
        at = bars.index[long[0]]
        raise InputError("bars", f"the bar of {at} reaches beyond its candle; make bars as long as the candles")


def _beside(bars: pd.DataFrame, klines: pd.DataFrame, length_us: int) -> pd.DataFrame:
    """Return bars and candles side by side, over the time that both span."""
    frames, names = [], ("bars", "klines")
    for frame, argument in zip((bars, klines), names, strict=True):
        plain = pd.DataFrame({name: numbers(frame, name, argument) for name in _COMPARED})
        plain["is_final"] = frame["is_final"].to_numpy(bool)
        plain["timestamp"] = pd.DatetimeIndex(frame.index).tz_convert("UTC").as_unit("us")
        for name in ("exchange", "symbol"):
            plain[name] = frame[name].astype("str").to_numpy()
        twice = np.flatnonzero(plain.duplicated(_KEY))
        if len(twice):
            at, exchange, symbol = plain.loc[twice[0], _KEY]
            raise InputError(argument, f"has {exchange} {symbol} of {at} twice; keep one a time, exchange and symbol")
        frames.append(plain)
    candles = frames[1].groupby(["exchange", "symbol"])
    just_before = frames[1]["timestamp"] - candles["timestamp"].shift() == length_us * _US
    frames[1]["close_before"] = candles["close"].shift().where(just_before)
    first = max(frame["timestamp"].min() for frame in frames)
    last = min(frame["timestamp"].max() for frame in frames)
    if not first <= last:
        spans = [
            f"{name} go from {frame['timestamp'].min()} to {frame['timestamp'].max()}" for name, frame in zip(names, frames, strict=True)
        ]
        raise InputError(
            "klines", f"share no time with bars, so that nothing could be compared: {' and '.join(spans)}; read both of one range"
        )
    there = [frame[list(_COMPARED)].notna().any(axis=1) for frame in frames]
    within = [frame[frame["timestamp"].between(first, last) & any_there] for frame, any_there in zip(frames, there, strict=True)]
    return within[0].merge(within[1], on=_KEY, how="outer", suffixes=("_ours", "_theirs"), indicator="there").sort_values(_KEY)


def _repeated(trades: pd.DataFrame | None, length_us: int) -> dict[tuple[int, str, str], float]:
    """Return the volume of trades whose id came before, by open time, exchange and symbol."""
    if trades is None:
        return {}
    check_frame(trades, "trades", ("exchange", "symbol", "amount", "trade_id"), "trades")
    named = by_series(trades, argument="trades")
    again = repeated_ids(trades["trade_id"], named.codes)
    opened = epoch_us(trades) // length_us * length_us
    summed: dict[tuple[int, str, str], float] = {}
    for at, number, amount in zip(opened[again], named.codes[again], numbers(trades, "amount", "trades")[again], strict=True):
        exchange, symbol = map(str, named.labels[number])
        key = (int(at), exchange, symbol)
        summed[key] = summed.get(key, 0.0) + float(amount)
    return summed


def _pairs(both: pd.DataFrame, repeated: dict[tuple[int, str, str], float], rtol: float) -> Iterator[_Pair]:
    """Yield the pairs that may differ."""
    different = (both["there"] != "both").to_numpy(copy=True)
    for name in _COMPARED:
        ours, theirs = both[f"{name}_ours"].to_numpy(), both[f"{name}_theirs"].to_numpy()
        # Negated: NaN is in no relation.
        different |= ~np.isnan(theirs) & ~(np.abs(ours - theirs) <= rtol * np.fmax(np.abs(ours), np.abs(theirs)))
    decimals: dict[tuple[str, str], dict[str, int]] = {
        (str(exchange), str(symbol)): {name: _decimals(rows[f"{name}_theirs"].to_numpy()) for name in ("volume", "quote_volume")}
        for (exchange, symbol), rows in both.groupby(["exchange", "symbol"])
    }
    for row in both[different].to_dict("records"):
        at, exchange, symbol = (row[name] for name in _KEY)
        sides: dict[str, dict[str, float] | None] = {
            side: {name: row[f"{name}_{side}"] for name in _COMPARED} if row["there"] in {"both", only} else None
            for side, only in (("ours", "left_only"), ("theirs", "right_only"))
        }
        yield _Pair(
            key=(at, exchange, symbol),
            ours=sides["ours"],
            theirs=sides["theirs"],
            is_final=all(row[f"is_final_{side}"] for side, values in sides.items() if values is not None),
            close_before=row["close_before"],
            again=repeated.get((int(at.value // 1_000), exchange, symbol), 0.0),
            decimals=decimals[exchange, symbol],
        )


def _decimals(values: Floats) -> int:
    """Return the most decimals that any of `values` has."""
    finite = values[np.isfinite(values)]
    exact = (d for d in range(_MOST_DECIMALS) if np.all(np.abs(np.round(finite, d) - finite) <= 1e-15 * np.abs(finite)))
    return next(exact, _MOST_DECIMALS)


def _differences(pair: _Pair, rtol: float) -> list[tuple[Any, ...]]:
    ours, theirs = pair.ours, pair.theirs
    if ours is None or theirs is None:
        only = ours or theirs or {}
        traded = [name for name in _TRADED if only[name] > 0]
        if not traded and ours is None:
            return []
        column = traded[0] if traded else "volume"
        cause = PARTIAL if not pair.is_final else NO_CANDLE if theirs is None else MISSING
        values = (np.nan if side is None else side[column] for side in (ours, theirs))
        return [(*pair.key, column, *values, np.nan, cause)]
    different = [name for name in _COMPARED if not np.isnan(theirs[name]) and not _close(ours[name], theirs[name], rtol)]
    whole = _cause_of_all(pair, ours, theirs, rtol)
    return [
        (*pair.key, name, ours[name], theirs[name], ours[name] - theirs[name], whole or _cause(pair, name, ours, theirs, rtol))
        for name in different
    ]


def _cause_of_all(pair: _Pair, ours: dict[str, float], theirs: dict[str, float], rtol: float) -> str | None:
    """Return why the bar as a whole is another, None where it is made of the same trades."""
    if not pair.is_final:
        return PARTIAL
    if pair.again and _close(ours["volume"] - pair.again, theirs["volume"], rtol):
        return REPEATED
    counts = ours["num_trades"] - theirs["num_trades"]  # NaN where the venue gives none
    rounds = _rounds(pair, "volume", ours, theirs)
    same = _close(ours["volume"], theirs["volume"], rtol) or rounds
    if counts < 0 or (not same and ours["volume"] < theirs["volume"]):
        return MISSING
    return MORE if counts > 0 or (not same and ours["volume"] > theirs["volume"]) else None


def _cause(pair: _Pair, name: str, ours: dict[str, float], theirs: dict[str, float], rtol: float) -> str:
    if name in PRICES and _close(theirs["open"], pair.close_before, rtol):
        carried = {"open": theirs["open"], "high": max(ours["high"], theirs["open"]), "low": min(ours["low"], theirs["open"])}
        if name in carried and _close(carried[name], theirs[name], rtol):
            return OPENED
    return ROUNDED if name in pair.decimals and _rounds(pair, name, ours, theirs) else UNEXPLAINED


def _rounds(pair: _Pair, name: str, ours: dict[str, float], theirs: dict[str, float]) -> bool:
    # A venue may cut off as well as round.
    return abs(ours[name] - theirs[name]) < 10.0 ** -pair.decimals[name] * (1 + 1e-9)


def _close(a: float, b: float, rtol: float) -> bool:
    return bool(abs(a - b) <= rtol * max(abs(a), abs(b)))
