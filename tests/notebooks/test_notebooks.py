"""Each notebook runs from top to bottom in a real kernel, says nothing on stderr and shows what it promises."""

from __future__ import annotations

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


def run(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    content = nbformat.read(notebook, as_version=4)
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
