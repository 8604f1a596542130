"""What becomes of a live chart when its kernel is restarted, and when its page is loaded again before it is stopped."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
from live_view import wait_drawn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BEGIN = """
import qalypto_research as qr
live = qr.connect("sample", speed=20).live("kline:1m:btcusdt")
"""
CHART = "chart = live.chart('BTCUSDT', '1m')\nchart"
ALT = "BTCUSDT 1m on binance, as it was when the chart was stopped"


def wait_idle(lab, notebook):
    """Wait until the kernel of a notebook that is open in no page has nothing to do."""
    until = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"{lab.address}/api/sessions", timeout=10) as answer:  # noqa: S310 - our own address
            kernel = next(one["kernel"] for one in json.load(answer) if one["path"] == notebook.path.name)
        if kernel["execution_state"] == "idle":
            return
        assert time.monotonic() < until, "it has not come to an end"


def run_again(notebook, count):
    """Run all cells again, up to the last's number."""
    notebook.run_all()
    last = "window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.executionCount"
    notebook.page.wait_for_function(f"{last} === {count}", timeout=60_000)
    notebook.wait_idle()


def outputs(saved):
    return [sorted(output["data"]) for cell in saved["cells"] for output in cell["outputs"]]


def test_a_restarted_kernel_leaves_no_error_and_running_the_cells_again_brings_a_new_chart(open_own):
    notebook = open_own("restarted", BEGIN, CHART)
    wait_drawn(notebook)
    notebook.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart() }")
    notebook.page.wait_for_function("document.querySelector('.qalypto-chart')?.dataset.state === 'bad'", timeout=30_000)
    assert notebook.page.locator(".qalypto-told").text_content().startswith("no word from the kernel")
    run_again(notebook, 2)
    wait_drawn(notebook)
    assert notebook.page.locator(".qalypto-chart").count() == 1
    assert notebook.errors == []


def test_stopped_in_a_page_that_was_loaded_again_the_picture_is_in_the_notebook(open_own):
    notebook = open_own("loaded", BEGIN, CHART, "chart")
    wait_drawn(notebook)
    notebook.save()
    notebook.open()
    wait_drawn(notebook)
    notebook.run("live.stop()")
    notebook.page.locator(".jp-OutputArea-output img").nth(1).wait_for()
    assert notebook.page.locator(".qalypto-chart").count() == 0
    saved = notebook.save()
    assert outputs(saved) == [["image/png", "text/plain"]] * 2
    assert [output["metadata"] for cell in saved["cells"] for output in cell["outputs"]] == [{"image/png": {"alt": ALT}}] * 2
    assert notebook.errors == []


def test_stopped_while_no_page_was_there_the_picture_comes_with_the_next(open_own, lab):
    notebook = open_own("away", BEGIN, CHART)
    wait_drawn(notebook)
    notebook.save()
    notebook.begin("import time\ntime.sleep(2)\nlive.stop()")
    notebook.page.goto("about:blank")
    wait_idle(lab, notebook)
    notebook.open()
    notebook.page.locator(".jp-OutputArea-output img").wait_for()
    assert outputs(notebook.save()) == [["image/png", "text/plain"]]
    assert notebook.errors == []


def test_a_plain_chart_whose_cell_is_run_again_after_that_is_a_picture_in_the_notebook(open_own):
    # A page that was loaded again no longer knows which output was displayed under which id, until it is displayed anew.
    notebook = open_own("shown_anew", BEGIN, CHART.replace("'1m')", "'1m', interactive=False)"))
    notebook.save()
    notebook.open()
    run_again(notebook, 4)
    notebook.run("live.stop()")
    notebook.page.locator(".jp-OutputArea-output.jp-RenderedImage img").wait_for()
    assert outputs(notebook.save()) == [["image/png", "text/plain"]]
    assert notebook.errors == []
