"""A dashboard beside the documented rate of messages: what it takes of its kernel's core, and what is left of its page's frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import report
from benchmarks.watching import frames
from live_view import value, wait

ROUNDS, SECONDS = 5, 4.0
# All that is sent, 800 messages a second: 60 % trades, 20 % quotes, 10 % candles, 10 % books.
BEGIN = 'import qalypto_research as qr\ncon = qr.connect(r"{}", at="2026-03-02 00:02", speed=1)\nlive = con.live("*")'
BOARD = 'board = live.dashboard("BTCUSDT", "1m")\nboard'
# What the kernel took of its cores, how long it is there, and what has come.
USED = "import time\nprint(time.process_time(), time.monotonic(), live.health().totals['messages'])"


def used(notebook: Any) -> list[float]:
    return [float(part) for part in notebook.run(USED).split()]


def meanwhile(notebook: Any, does: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return what a kernel takes of a core while something is done, the messages a second, and what was returned."""
    before = used(notebook)
    done = does()
    took, passed, came = (after - then for then, after in zip(before, used(notebook), strict=True))
    return took / passed, came / passed, done


def test_beside_the_documented_rate(open_notebook, idle, stream_archive: Path) -> None:
    notebook = open_notebook("board", BEGIN.format(stream_archive), BOARD)
    wait(notebook, "['quotes', 'book', 'tape', 'health', 'events'].every((name) => view.panes[name].part?.numbers)", 60)
    ratios, kernel, alone, rates = [], [], [], []
    for _ in range(ROUNDS):
        notebook.run("board.pause()")
        idle.bring_to_front()
        buffer_alone, _, still = meanwhile(notebook, lambda: frames(idle, SECONDS))
        notebook.run("board.resume()")
        notebook.page.bring_to_front()
        drawn = value(notebook, "panesDrawn")
        with_board, rate, moving = meanwhile(notebook, lambda: frames(notebook.page, SECONDS))
        shown = (value(notebook, "panesDrawn") - drawn) / SECONDS
        assert shown > 1
        ratios.append(still["rate"] / moving["rate"])
        kernel.append(with_board)
        alone.append(buffer_alone)
        rates.append(rate)
        print(f"\nof a core {with_board:.2f}, paused {buffer_alone:.2f}; {rate:.0f} messages/s", end="")
        print(f"; panes {shown:.1f} times a second, frames a second {moving['rate']:.1f}, of an idle page {still['rate']:.1f}", end="")
    assert min(rates) > 500
    assert notebook.errors == []
    report("of a core, the kernel with a dashboard beside the documented rate", kernel, 0.75, "")
    report("of a core, the dashboard alone", [busy - still for busy, still in zip(kernel, alone, strict=True)], 0.6, "")
    report("frames of an idle page, of those with a dashboard", ratios, 1 / 0.9)
