"""A live chart in a real page: what arrives of ten updates a second, what that costs the page, and a feed fifty times as fast."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.conftest import generated
from benchmarks.measure import report
from benchmarks.watching import came, frames, seen, watch

from qalypto_research.charts.widgets.painter import RATE

ROUNDS, SECONDS = 5, 3.0
# Fifty times as fast as the market, where a candle changes every five seconds: ten updates a second.
TEN = """
import qalypto_research as qr
con = qr.connect("sample", speed=50)
live = con.live("kline:1m:btcusdt")
chart = live.chart("BTCUSDT", "1m")
chart
"""
# And that fifty times as fast.
FAST = TEN.replace('"sample", speed=50', 'r"{}", at="2026-03-02 04:00", speed=2500')


@pytest.fixture(scope="module")
def candles_archive() -> Path:
    """A day of candles of one symbol, with their running updates."""
    return generated("candles-24h", "--tables", "kline", "--symbols", "BTCUSDT")


def values(updates: list[list[float]]) -> set[tuple[float, ...]]:
    """Return what is in updates, without their moments."""
    return {tuple(update[1:]) for update in updates}


def lasting(sent: list[list[float]]) -> list[list[float]]:
    """Return the updates that are not overtaken by the next within a frame of the painter, which are not meant to be sent.

    Where a candle ends, its last change, its end and the next candle come at once.
    """
    return [update for update, after in pairwise(sent) if after[0] - update[0] >= 1 / RATE]


def test_ten_updates_a_second(open_notebook, idle) -> None:
    notebook = open_notebook("ten", TEN)
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    watch(notebook)
    notebook.page.wait_for_timeout(ROUNDS * SECONDS * 1_000)
    there, sent = seen(notebook), came(notebook)
    # From when all were watched for a second, up to one before the end: what is under way then is not lost.
    begun, ended = there["came"][0][0] + 1, there["came"][-1][0] - 1
    assert values([update for update in there["drawn"] if update[0] > begun]) <= values(there["came"])
    assert values([update for update in there["came"] if update[0] > begun]) <= values(sent)
    sent = [update for update in sent if begun < update[0] < ended]
    assert 9 <= len(sent) / (sent[-1][0] - sent[0][0]) <= 13
    every, kept, drawn = values(sent), values(lasting(sent)), values(there["drawn"])
    print(f"\nnot drawn: {len(every - drawn)} of {len(every)} updates, {len(kept - drawn)} of {len(kept)} lasting ones", end="")
    print(f"; asked for all again {there['whole']} times")
    ratios, tasks = [], {"live": [], "idle": []}
    for _ in range(ROUNDS):
        notebook.run("chart.pause()")
        idle.bring_to_front()
        still = frames(idle, SECONDS)
        notebook.run("chart.resume()")
        notebook.page.bring_to_front()
        moving = frames(notebook.page, SECONDS)
        ratios.append(still["rate"] / moving["rate"])
        tasks["live"] += moving["tasks"]
        tasks["idle"] += still["tasks"]
        print(f"\nframes a second: {moving['rate']:.1f}, of an idle page {still['rate']:.1f}", end="")
    print(f"\ntasks over 50 ms: {tasks}")
    assert notebook.errors == []
    report("updates that were not drawn, of ten a second", [len(every - drawn) / len(every)], 0.05, "")
    report("frames of an idle page, of those with a live chart", ratios, 1 / 0.9)
    report("tasks over 50 ms, of a page with a live chart", [len(tasks["live"])], 0, "")
    report("slowest step of the chart", [seen(notebook)["slowest"]], 50, " ms")


def test_fifty_times_as_fast(open_notebook, lab, candles_archive) -> None:
    notebook = open_notebook("fast", FAST.format(candles_archive))
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    watch(notebook)
    notebook.page.wait_for_timeout(8_000)
    notebook.run("con.clock.stop()")
    notebook.page.wait_for_timeout(2_000)
    there, sent = seen(notebook), came(notebook)
    moments = sorted({moment for moment, *_ in there["came"]})
    rate, shown = len(sent) / (sent[-1][0] - sent[0][0]), (len(moments) - 1) / (moments[-1] - moments[0])
    print(f"\n{rate:.0f} updates a second, {shown:.1f} frames a second; asked for all again {there['whole']} times", end="")
    print(f"; slowest step in the page {there['slowest']:.1f} ms")
    assert rate > 250
    assert there["drawn"][-1][1:] == sent[-1][1:]
    assert notebook.errors == []
    assert not [line for line in lab.log.read_text().splitlines() if "rate exceeded" in line]
    assert "rate exceeded" not in notebook.page.content()
    report("frames a second", [shown], RATE, "")
    report("seconds from the last update to its picture", [there["drawn"][-1][0] - sent[-1][0]], 0.5, " s")
