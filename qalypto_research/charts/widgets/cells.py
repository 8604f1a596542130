"""Which cells of a notebook made or displayed a chart, and whether they have been run again without it."""

from __future__ import annotations

from typing import Any, Final

from qalypto_research.charts.widgets.hearing import running_shell

_runs: Final[dict[str, str]] = {}
"""The last run of each cell in which a chart was made or displayed."""


def running() -> tuple[str, str]:
    """Return what names the cell that runs, and this run of it; empty where the notebook does not say."""
    parent: dict[str, Any] = getattr(running_shell(), "get_parent", dict)() or {}
    cell = parent.get("metadata", {}).get("cellId", "")
    return (str(cell), str(parent.get("header", {}).get("msg_id", ""))) if cell else ("", "")


class Cells:
    """Those of one chart."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}

    def note(self) -> str:
        """Take note of the cell that runs, and return what names it."""
        cell, run = running()
        if cell:
            _runs[cell] = self._own[cell] = run
        return cell

    @property
    def left(self) -> bool:
        """Whether each of them has been run again, and made or displayed others only: what it showed is gone from the notebook."""
        return bool(self._own) and all(_runs[cell] != run for cell, run in list(self._own.items()))
