"""What ``coverage`` returns, and how it looks in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Final

import pandas as pd

from qalypto_research.history.presence import UNTRADED

_SHOWN: Final = 10
_COUNTS: Final = ("series", "rows", "expected", "missing", "repeated", "holes", "bars")
_TIME: Final = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Coverage:
    """What there is of each series and what is missing. Made by ``qr.coverage``, which says what its columns mean.

    Attributes
    ----------
    series : pandas.DataFrame
        One row a table, exchange, symbol and interval.
    holes : pandas.DataFrame
        One row a hole.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> there = qr.coverage("BTCUSDT", tables="kline", interval="1h", exchange="binance")
    >>> isinstance(there, qr.Coverage)
    True
    """

    series: pd.DataFrame
    holes: pd.DataFrame

    def __repr__(self) -> str:
        parts = [self._summary()]
        for title, shown in self._tables():
            parts.append(title)
            if shown:
                widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
                parts += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<div><b>{escape(self._summary())}</b></div>"]
        for title, shown in self._tables():
            parts.append(f"<div style='margin-top:0.6em'>{escape(title)}</div>")
            if shown:
                parts.append(_html_table(shown))
        return "".join(parts)

    def _summary(self) -> str:
        """Return the totals in a line or two."""
        if self.series.empty:
            return "Coverage: no series"
        total = self.series[["rows", "expected", "missing", "duplicated", "zero_volume"]].sum()
        first, last = self.series["first"].min(), self.series["last"].max()
        span = "no row" if pd.isna(first) else f"{first:{_TIME}} to {last:{_TIME}} UTC"
        counts = [f"{len(self.series):,} series", f"{total['rows']:,.0f} rows", span]
        if total["expected"]:
            share = f" ({total['missing'] / total['expected']:.2%})" if total["missing"] else ""
            counts.append(f"{total['missing']:,.0f} of {total['expected']:,.0f} candles missing{share}")
            counts.append(f"{total['zero_volume']:,.0f} without trades")
        return "Coverage: " + ", ".join([*counts, f"{total['duplicated']:,.0f} rows repeated"])

    def _tables(self) -> list[tuple[str, list[list[str]]]]:
        return [self._by_table(), self._worst(), self._listed_holes()]

    def _by_table(self) -> tuple[str, list[list[str]]]:
        """Return the totals of each table and interval."""
        rows = [["table", "interval", "series", "rows", "first", "last", "missing", "repeated", "holes"]]
        holes = _named(self._gone())
        for (table, interval), part in _named(self.series).groupby(["table", "interval"], sort=False):
            span = [_moment(part["first"].min()), _moment(part["last"].max())]
            counts = [f"{len(part):,}", f"{part['rows'].sum():,}", *span, _count(part["missing"].sum(min_count=1))]
            same = (holes["table"] == table) & (holes["interval"] == interval)
            rows.append([str(table), str(interval), *counts, f"{part['duplicated'].sum():,}", f"{same.sum():,}"])
        return ("By table", rows) if len(rows) > 1 else ("No series", [])

    def _worst(self) -> tuple[str, list[list[str]]]:
        """Return the series that lack or repeat most."""
        bad = self.series[(self.series["missing"] > 0) | (self.series["duplicated"] > 0)]
        if bad.empty:
            return "No candle missing, no row repeated", []
        ranked = _named(bad).assign(lost=bad["missing"].fillna(0)).sort_values(["lost", "duplicated"], ascending=False, kind="stable")
        rows = [["table", "exchange", "symbol", "interval", "rows", "expected", "missing", "repeated"]]
        for s in ranked.head(_SHOWN).to_dict("records"):
            counts = [f"{s['rows']:,}", _count(s["expected"]), _count(s["missing"]), f"{s['duplicated']:,}"]
            rows.append([s["table"], s["exchange"], s["symbol"], s["interval"], *counts])
        return f"Series that lack or repeat most{_more(len(bad), '.series')}", rows

    def _listed_holes(self) -> tuple[str, list[list[str]]]:
        """Return the longest holes in order of time, those that several symbols share in one line."""
        gone = self._gone()
        untraded = len(self.holes) - len(gone)
        also = f"; and {untraded:,} run{'s' if untraded > 1 else ''} of candles without trades" if untraded else ""
        if gone.empty:
            return f"No holes{also}", []
        shared = _shared(gone)
        longest = sorted(shared, key=lambda hole: hole["from"] - hole["to"])[:_SHOWN]
        rows = [["from", "to", "table", "interval", "exchange", "symbols", "bars", "cause"]]
        for hole in sorted(longest, key=lambda hole: hole["from"]):
            symbols = hole["symbol"] if len(hole["symbols"]) == 1 else f"{len(hole['symbols'])} symbols"
            span = [_moment(hole["from"]), _moment(hole["to"])]
            rows.append([*span, hole["table"], hole["interval"], hole["exchange"], symbols, _count(hole["bars"]), hole["cause"]])
        return f"Longest holes, in order of time{_more(len(shared), '.holes')}{also}", rows

    def _gone(self) -> pd.DataFrame:
        """Return the holes in which something is missing: candles without trades are there."""
        return self.holes[self.holes["cause"] != UNTRADED]


def _shared(holes: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the holes, those that overlap and differ in their symbol alone as one from the first to the last."""
    alike = ["table", "interval", "exchange", "cause"]
    found: list[dict[str, Any]] = []
    for hole in _named(holes).sort_values([*alike, "from"], kind="stable").to_dict("records"):
        last = found[-1] if found else None
        if last is not None and all(last[name] == hole[name] for name in alike) and hole["from"] < last["to"]:
            last["to"] = max(last["to"], hole["to"])
            last["bars"] += hole["bars"]
            last["symbols"].add(hole["symbol"])
        else:
            found.append({str(name): value for name, value in hole.items()} | {"symbols": {hole["symbol"]}})
    return found


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with its names as text, empty where there is none."""
    return frame.assign(**{name: frame[name].astype("str").fillna("") for name in ("exchange", "symbol", "interval")})


def _count(value: float) -> str:
    return "" if pd.isna(value) else f"{value:,.0f}"


def _moment(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:{_TIME}}"


def _more(count: int, where: str) -> str:
    return f" ({_SHOWN} of {count:,}; all in {where})" if count > _SHOWN else ""


def _html_table(shown: list[list[str]]) -> str:
    """Return a table whose counts stand at the right."""
    head, *body = shown
    style = [f"style='text-align:{'right' if name in _COUNTS else 'left'};white-space:nowrap'" for name in head]
    rows = ["".join(f"<th {style[i]}>{escape(cell)}</th>" for i, cell in enumerate(head))]
    rows += ["".join(f"<td {style[i]}>{escape(cell)}</td>" for i, cell in enumerate(row)) for row in body]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
