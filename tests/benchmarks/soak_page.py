"""Five minutes of a live chart in a page, at ten updates a second: what the page holds stays where it was after one."""

from __future__ import annotations

from benchmarks.measure import report
from benchmarks.watching import heap

MINUTES = 5
# Fifty times as fast as the market: ten updates a second, and fifty candles a minute.
BEGIN = """
import qalypto_research as qr
live = qr.connect("sample", speed=50).live("kline:1m:btcusdt")
chart = live.chart("BTCUSDT", "1m")
chart
"""


def test_what_a_page_holds_is_flat(open_notebook) -> None:
    notebook = open_notebook("soak", BEGIN)
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    held = []
    for minute in range(1, MINUTES + 1):
        notebook.page.wait_for_timeout(60_000)
        held.append(heap(notebook.page))
        drawn = notebook.page.evaluate("document.querySelector('.qalypto-chart').view.drawn")
        print(f"\nminute {minute}: {held[-1] / 1e6:.1f} MB, {drawn:,} drawn", end="", flush=True)
    assert drawn > 60 * MINUTES * 5
    assert notebook.errors == []
    report(f"what the page holds after {MINUTES} minutes, of minute 1", [held[-1] / held[0]], 1.3)
