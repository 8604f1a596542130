"""What a live chart or dashboard shows in a page, and waiting for it; each test begins with its chart as it was opened."""

from __future__ import annotations

import time

VIEW = "document.querySelector('.qalypto-chart').view"


def value(notebook, expression):
    """Return what a part of the view is."""
    return notebook.page.evaluate(f"{VIEW}.{expression}")


def wait(notebook, condition, seconds=60):
    """Wait until a condition on `view` holds."""
    notebook.page.wait_for_function(f"(() => {{ const view = {VIEW}; return {condition}; }})()", timeout=seconds * 1_000)


def wait_drawn(notebook, more=3):
    """Wait until there is a chart, and candles were drawn so often more."""
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    wait(notebook, f"view.drawn >= {value(notebook, 'drawn') + more}")


def wait_said(notebook, code, said, seconds=60):
    """Wait until code prints this in the kernel: what a page sets waits for what the kernel was told before."""
    until = time.monotonic() + seconds
    while (found := notebook.run(code).strip()) != said:
        assert time.monotonic() < until, f"{found!r}, and not {said!r}"
        notebook.page.wait_for_timeout(50)


def settle(notebook, name):
    """Wait until the page of the chart called `name` was heard, and has all that it asked for: what comes whole takes a test's own away."""
    ask = (
        "from qalypto_research.charts.widgets.painter import PAINTER\n"
        f"with PAINTER._painting: print({value(notebook, 'link.page')!r} in {name}._hearing._pages and not {name}._anew"
        f" and not getattr({name}, '_panes_anew', False), {name}.shown['sent'], getattr({name}, '_panes_number', 0))"
    )
    until = time.monotonic() + 60
    while True:
        wait(notebook, "view.link.asking === 0")
        through, sent, panes = notebook.run(ask).split()  # after what the page has said before
        if through == "True":
            break
        assert time.monotonic() < until, "the kernel does not hear this page, or does not answer it"
        notebook.page.wait_for_timeout(100)
    wait(notebook, f"view.whole.sent >= {sent} && (view.panesNumber ?? 0) >= {panes}")


def load_again(notebook, name):
    """Save the notebook and open it again, until the kernel hears the page of the chart called `name`.

    JupyterLab at times connects a page so that it gets all that is sent, and nothing of what it says reaches the kernel: on a busy
    machine once in some dozens of times. Another reload mends it.
    """
    notebook.save()
    for _ in range(4):
        notebook.open()
        notebook.page.wait_for_selector(".qalypto-chart canvas")
        page, until = value(notebook, "link.page"), time.monotonic() + 10
        while time.monotonic() < until:
            if notebook.run(f"print({page!r} in {name}._hearing._pages)").strip() == "True":
                settle(notebook, name)
                return
            notebook.page.wait_for_timeout(100)
    raise AssertionError("the kernel hears none of these pages")


def begin(notebook, name):
    """Bring the chart called `name` in the kernel to where it was when it was opened, and its page, whatever was done to them."""
    notebook.page.mouse.move(5, 5)
    if notebook.page.evaluate("document.body.dataset.jpThemeLight") != "true":
        notebook.theme("JupyterLab Light")
    # Candles that came while a connection was lost are in the history.
    series = notebook.run(
        f"{name}.resume()\n{name}.zone = 'UTC'\n{name}.switch('BTCUSDT', '1m', 'binance')\nprint({name}._follower.whole().series)"
    ).strip()
    shown = f"view.whole.series === {series} && view.zone.name === 'UTC' && view.pointed === undefined"
    wait(notebook, f"{shown} && view.root.dataset.theme === 'light' && view.told.textContent === 'live'")
    notebook.errors.clear()
