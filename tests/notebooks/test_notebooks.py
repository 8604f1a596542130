"""Each notebook runs from top to bottom in a real kernel, says nothing on stderr and shows what it promises."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


class _ThisPython(AsyncKernelManager):
    """Starts a kernel of the environment under test, whatever kernels the host has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")


def run(notebook: Path, folder: Path, *, to_the_end: bool = False) -> nbformat.NotebookNode:
    """Execute a notebook; `to_the_end`, as who takes away the last cell's "#"."""
    content = nbformat.read(notebook, as_version=4)
    if to_the_end:
        content.cells[-1].source = content.cells[-1].source.replace("# ", "")
    client = nbclient.NotebookClient(content, timeout=100, kernel_manager_class=_ThisPython, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs(notebook))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_without_errors_or_warnings(notebook: Path, tmp_path: Path) -> None:
    shown = outputs(run(notebook, tmp_path))
    assert [o.text for o in shown if o.output_type == "stream" and o.name == "stderr"] == []
    assert [o for o in shown if o.output_type == "error"] == []


def test_history_shows_whole_candles_a_picture_and_the_holes(tmp_path: Path) -> None:
    executed = run(NOTEBOOKS[0], tmp_path)
    assert NOTEBOOKS[0].stem == "01_history"
    shown = text(executed)
    assert "168" in shown
    assert "synthetic, not the market" in shown
    assert "did you mean 'BTCUSDT'" in shown
    assert "2026-03-02 11:00:00+00:00" in shown  # the last whole candle known at 12:30
    assert any("image/png" in output.get("data", {}) for output in outputs(executed))


def test_charts_show_a_picture_after_each_call(tmp_path: Path) -> None:
    """A figure is no part of pyplot: it must show itself, or a reader would see its name in words."""
    executed = run(NOTEBOOKS[2], tmp_path)
    assert NOTEBOOKS[2].stem == "03_charts"
    calls = [cell for cell in executed.cells if cell.cell_type == "code" and "qr.charts." in cell.source and "except" not in cell.source]
    assert len(calls) > 10
    assert [cell.source for cell in calls if not any("image/png" in output.get("data", {}) for output in cell.outputs)] == []
    assert "holds several of exchange: binance, bitget, bybit, okx" in text(executed)


def test_backtest_goes_from_bars_to_trades_and_a_picture(tmp_path: Path) -> None:
    executed = run(next(notebook for notebook in NOTEBOOKS if notebook.stem == "05_backtest"), tmp_path)
    shown = text(executed)
    assert "(0, 99)" in shown  # nothing of the features looks ahead, and the label does
    assert re.search(r"^# Trades +[1-9]", shown, flags=re.MULTILINE)
    assert "EntryTime" in shown
    # Nothing that needs the net, or a kernel that is gone, to be shown.
    assert {kind for output in outputs(executed) for kind in output.get("data", {})} <= {"text/plain", "text/html", "image/png"}
    assert "BokehJS" not in str(executed)
    assert any("image/png" in output.get("data", {}) for output in outputs(executed))


def test_a_dashboard_lives_on_when_all_cells_have_run(tmp_path: Path) -> None:
    """Else who runs them all sees the dashboard for three seconds."""
    executed = run(NOTEBOOKS[3], tmp_path)
    (cell,) = (cell for cell in executed.cells if cell.source.endswith("\nboard"))
    assert ["image/png" in output["data"] for output in cell.outputs] == [False]


def test_a_stopped_dashboard_leaves_a_picture(tmp_path: Path) -> None:
    executed = run(NOTEBOOKS[3], tmp_path, to_the_end=True)
    assert NOTEBOOKS[3].stem == "04_dashboard"
    (cell,) = (cell for cell in executed.cells if cell.source.endswith("\nboard"))
    assert [sorted(output["data"]) for output in cell.outputs] == [["image/png", "text/plain"]]
    assert "ETHUSDT 1m on binance, as it was when the chart was stopped" in cell.outputs[0]["data"]["text/plain"]
