"""A JupyterLab and a Chromium for the tests of live charts; without either they are skipped, and say why."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab_driver import FLAGS, Notebook, Server, find_browser

from qalypto_research.charts.widgets.bundle import find_obstacle


@pytest.fixture(scope="session")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser installs it")
    with api.sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            pytest.skip("no Chromium is here, and none could be had: see what make browser said")
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed: make browser installs it")
    if obstacle := find_obstacle():
        pytest.skip(f"no interactive charts: {obstacle}")
    server = Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@contextmanager
def opening(chromium, lab):
    opened = []

    def make(name, *cells):
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        notebook = Notebook(page, lab, lab.write(name, *cells))
        opened.append(notebook)
        notebook.run_all()
        return notebook

    yield make
    for notebook in opened:
        notebook.shut_down()
        notebook.page.close()


@pytest.fixture(scope="module")
def open_notebook(chromium, lab):
    """Return a function that writes a notebook, opens it in a page of its own and runs all its cells."""
    with opening(chromium, lab) as make:
        yield make


@pytest.fixture
def open_own(chromium, lab):
    """Return the same for a notebook of one test, whose kernel ends with it."""
    with opening(chromium, lab) as make:
        yield make


@pytest.fixture
def picture(request):
    """Return where to leave a picture, where one is wanted (CHART_PICTURES)."""
    folder = os.environ.get("CHART_PICTURES") or request.getfixturevalue("tmp_path")
    return lambda name: str(Path(folder) / f"{name}.png")
