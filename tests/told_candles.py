"""Candles that a test hands to a chart one by one, and what the chart sends, as it goes over the wire."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from comm.base_comm import BaseComm
from PIL import Image

from qalypto_research.charts.widgets import bundle
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.source import Choices, News, Pick, Status
from qalypto_research.errors import UnknownNameError

BTC = Pick("BTCUSDT", "1m", "binance")
START_S = 1_772_452_800  # 2026-03-02 12:00 UTC
LOOKS = Looks("UTC", "light", 300)
CANDLES = [(minute, 100.0 + minute, 101.5 + minute, 99.0 + minute, 100.5 + minute, 5.0, True) for minute in range(30)]
FORMING = (30, 130.0, 131.0, 130.0, 130.25, 1.0, False)

needs_bundle = pytest.mark.skipif(bool(bundle.find_obstacle()), reason=f"no interactive charts: {bundle.find_obstacle()}")


def candles(*rows, received=None):
    """Return a frame of candles: (minute, open, high, low, close, volume, is_final) each."""
    index = pd.DatetimeIndex([pd.Timestamp(START_S + 60 * row[0], unit="s", tz="UTC").as_unit("us") for row in rows], name="timestamp")
    index = index if rows else pd.DatetimeIndex([], dtype="datetime64[us, UTC]", name="timestamp")
    names = ["open", "high", "low", "close", "volume", "is_final"]
    types = dict.fromkeys(names[:5], "float64") | {"is_final": "bool"}
    frame = pd.DataFrame([row[1:] for row in rows], columns=names, index=index).astype(types)
    if received is not None:
        frame["received"] = pd.Timestamp(received, unit="s", tz="UTC")
    return frame


class Told:
    """A source that knows what a test has told it."""

    synthetic = True

    def __init__(self, *rows):
        self.rows = list(rows)
        self.at = len(self.rows)
        self.state = "live"
        self.fails = None
        self.now = float(START_S)
        self.symbols = ("BTCUSDT", "ETHUSDT")

    def tell(self, *rows):
        self.rows += rows

    def pick(self, pick):
        if pick.symbol not in self.symbols:
            raise UnknownNameError("symbol", pick.symbol, self.symbols)
        return pick

    def choices(self):
        return Choices(self.symbols, ("1m",), ("binance",))

    def mark(self):
        return len(self.rows)

    def klines(self, pick):  # noqa: ARG002
        return candles(*self.rows), ""

    def news(self, pick, mark):  # noqa: ARG002
        if self.fails:
            raise self.fails
        rows = self.rows[mark:]  # once: another thread may tell more meanwhile
        return News(candles(*rows, received=self.now), mark + len(rows)) if rows else None

    def status(self):
        return Status(self.state, "", self.now)


class Wire(BaseComm):
    """A comm that remembers what is sent."""

    sent: list = []  # noqa: RUF012 - of all in a test

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):  # noqa: ARG002
        Wire.sent.append((self.comm_id, msg_type, data or {}, [bytes(b) for b in buffers or []]))


def paint_by_hand(monkeypatch):
    """Leave the painting to the test. The painter, told to stop when a chart is there, may have painted or ended it by then."""
    monkeypatch.setattr(PAINTER, "add", lambda _: None)


def hear(chart, **content):
    """Let the chart hear what a page says."""
    chart._handle_msg({"content": {"data": {"method": "custom", "content": {"page": "p", **content}}}, "buffers": []})


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))
