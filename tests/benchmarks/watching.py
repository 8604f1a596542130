"""What a page and its kernel are watched with: each update of a candle as it arrives and as it is drawn, frames, and long tasks."""

from __future__ import annotations

import json
from typing import Any

# In the kernel: when which update came, of the candles that the chart shows.
_KERNEL = """
import json, time
came, taking = [], live.intake.take
def take(message, received_us):
    data = message.data
    if data.exchange == "binance":
        came.append((time.time(), data.close, data.volume))
    taking(message, received_us)
live.intake.take = take
"""
_CAME = "print(json.dumps(came))"

# In the page: what comes to the chart, what it draws, and how long either takes.
_PAGE = """() => {
    const view = document.querySelector(".qalypto-chart").view;
    const seen = window.seen = { came: [], drawn: [], whole: 0, slowest: 0 };
    const clock = () => (performance.timeOrigin + performance.now()) / 1000;
    const watched = (owner, name, note) => {
        const does = owner[name];
        owner[name] = function (...given) {
            const begun = performance.now();
            const result = does.apply(this, given);
            seen.slowest = Math.max(seen.slowest, performance.now() - begun);
            note(...given);
            return result;
        };
    };
    const [CLOSE, VOLUME, WIDTH] = [4, 5, 7];
    watched(view, "onDelta", (numbers) => {
        const now = clock();
        for (let at = 0; at < numbers.length; at += WIDTH) seen.came.push([now, numbers[at + CLOSE], numbers[at + VOLUME]]);
    });
    watched(view.candles, "apply", (rows) => {
        const now = clock();
        seen.drawn.push(...rows.map((row) => [now, row.close, row.volume]));
    });
    watched(view, "onWhole", () => { seen.whole += 1; });
}"""

# Frames of a page for some seconds, and what holds it up for more than 50 ms.
_FRAMES = """async (seconds) => {
    const tasks = [];
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(Math.round(duration))));
    observer.observe({ type: "longtask" });
    const begun = performance.now();
    let frames = 0;
    await new Promise((done) => {
        const count = (now) => {
            if (now - begun >= seconds * 1000) return done();
            frames += 1;
            requestAnimationFrame(count);
        };
        requestAnimationFrame(count);
    });
    const rate = frames / ((performance.now() - begun) / 1000);
    observer.disconnect();
    return { rate, tasks };
}"""


def watch(notebook: Any) -> None:
    """Begin to watch the chart of a notebook, in its kernel and then in its page."""
    notebook.run(_KERNEL)
    notebook.page.wait_for_timeout(1_000)  # what came before is drawn by then
    notebook.page.evaluate(_PAGE)


def seen(notebook: Any) -> dict[str, Any]:
    """Return what the page has seen: updates that came and that were drawn, each with its moment; wholes; the slowest step, ms."""
    return notebook.page.evaluate("window.seen")


def came(notebook: Any) -> list[list[float]]:
    """Return what the kernel was sent: moment, close and volume of each update."""
    return json.loads(notebook.run(_CAME))


def frames(page: Any, seconds: float) -> dict[str, Any]:
    """Return a page's frames a second, and its tasks over 50 ms in milliseconds."""
    return page.evaluate(_FRAMES, seconds)


def heap(page: Any) -> float:
    """Return what a page's JavaScript holds, in bytes, after collecting garbage."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used
