"""Live charts: drawing only what moves beside drawing all, and the interactive chart beside the one that matplotlib draws.

Each update is one new price of the newest candle, on a chart of 300 candles; what is sent is counted as it goes over the wire.
"""

from __future__ import annotations

import json
import threading
import time
from statistics import median
from typing import Any

import comm
import numpy as np
import pytest
from benchmarks.measure import RUNS, interleaved, ratios, report
from told_candles import BTC, START_S, Told, Wire, candles

from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.interactive import InteractiveChart
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.picture import Drawing, to_model
from qalypto_research.charts.widgets.plain import PlainChart
from qalypto_research.charts.widgets.source import News, Pick

CANDLES, UPDATES = 300, 20
LOOKS = Looks("UTC", "light", 420)
SECONDS, A_SECOND = 10, 10


def walk() -> list[tuple[Any, ...]]:
    """Return candles of a random walk, and the one that is not over."""
    random = np.random.default_rng(1)
    closes = 66_000 + np.cumsum(random.normal(0, 20, CANDLES)).round(1)
    rows = []
    for minute, (before, close) in enumerate(zip(np.append(66_000.0, closes[:-1]), closes, strict=True)):
        low, high = min(before, close) - 5, max(before, close) + 5
        rows.append((minute, float(before), float(high), float(low), float(close), float(random.gamma(2, 20)), True))
    price = rows[-1][4]
    return [*rows, (CANDLES, price, price + 5, price - 5, price, 1.0, False)]


def price(rows: list[tuple[Any, ...]], step: int) -> tuple[Any, ...]:
    """Return the newest candle with another close, within what was drawn of it."""
    minute, opened, high, low, _, volume, final = rows[CANDLES]
    return (minute, opened, high, low, round(low + 0.1 * (step % 90), 1), volume, final)


def sent_bytes() -> int:
    """Return the size of all that was sent: the texts as JSON, and the buffers."""
    return sum(len(json.dumps(data, default=str)) + sum(map(len, buffers)) for _, _, data, buffers in Wire.sent)


class Ready(Told):
    """A source whose frames are made beforehand: making them is no work of a chart."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        super().__init__(*rows)
        self.frames: list[Any] = []

    def make(self, *rows: tuple[Any, ...]) -> None:
        self.frames = [candles(row, received=self.now) for row in rows]

    def mark(self) -> int:
        return 0

    def news(self, pick: Pick, mark: object) -> News:  # noqa: ARG002
        return News(self.frames.pop(0), 0)


class Updates:
    """A chart that is painted by hand, one new price at a time."""

    def __init__(self, kind: type[InteractiveChart | PlainChart]) -> None:
        self.rows = walk()
        self.source = Ready(*self.rows)
        self.chart = kind(Follower(self.source, BTC), LOOKS)
        PAINTER.remove(self.chart)
        self.step = 0

    def make(self) -> None:
        self.source.make(*(price(self.rows, self.step + n) for n in range(1, UPDATES + 1)))
        self.step += UPDATES

    def __call__(self) -> None:
        for _ in range(UPDATES):
            self.chart.paint()


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", Wire)
    Wire.sent = []


def test_drawing_what_moves_beside_drawing_all() -> None:
    follower = Follower(Told(*walk()), BTC)
    model = to_model(follower.rows, BTC, synthetic=False)
    drawing, afresh = Drawing(theme="light", zone="UTC", height=420), Drawing(theme="light", zone="UTC", height=420)
    drawing.show(model)
    drawing.show(model)
    afresh.draw(model)
    assert drawing.redrawn == 1
    assert drawing.to_png() == afresh.to_png()
    seconds = interleaved(moving=lambda: drawing.show(model), all=lambda: afresh.draw(model))
    assert drawing.redrawn == 1
    report("drawing the newest candle, of drawing all", ratios(seconds, "moving", "all"), 0.15)


def test_interactive_beside_plain() -> None:
    interactive, plain = Updates(InteractiveChart), Updates(PlainChart)
    for updates in (interactive, plain):
        updates.make()
        updates()
        assert updates.chart._follower.rows[-1, [0, 4]].tolist() == [START_S + 60 * CANDLES, price(updates.rows, UPDATES)[4]]
    size = {}
    for name, updates in (("interactive", interactive), ("plain", plain)):
        updates.make()
        Wire.sent = []
        updates()
        size[name] = sent_bytes()
        assert len(Wire.sent) >= UPDATES
    assert plain.chart._drawing.redrawn == 1
    seconds: dict[str, list[float]] = {"interactive": [], "plain": []}
    for _ in range(RUNS):
        for name, updates in (("interactive", interactive), ("plain", plain)):
            updates.make()
            begun = time.thread_time()
            updates()
            seconds[name].append(time.thread_time() - begun)
    print(f"\nof the kernel, for an update: {', '.join(f'{name} {median(s) / UPDATES * 1e3:.2f} ms' for name, s in seconds.items())}")
    report("the kernel's time for an update, interactive of plain", ratios(seconds, "interactive", "plain"), 0.15)
    report("bytes sent for an update, interactive of plain", [size["interactive"] / size["plain"]], 0.1)
    for updates in (interactive, plain):
        updates.chart.close()


def test_ten_updates_a_second_are_delivered() -> None:
    rows = walk()
    source = Told(*rows)
    chart = InteractiveChart(Follower(source, BTC), LOOKS)
    Wire.sent = []
    begun = time.monotonic()
    for step in range(SECONDS * A_SECOND):
        threading.Event().wait(max(0.0, begun + step / A_SECOND - time.monotonic()))
        source.tell(price(rows, step))
    threading.Event().wait(0.2)
    chart.close()
    told = [np.frombuffer(buffers[0]).reshape(-1, 7)[-1, 4] for _, _, data, buffers in Wire.sent if buffers and data["method"] == "custom"]
    assert told[-1] == price(rows, SECONDS * A_SECOND - 1)[4]
    lost = 1 - len(set(told)) / len({price(rows, step)[4] for step in range(SECONDS * A_SECOND)})
    report("updates that were not shown, of ten a second", [lost], 0.05, "")
