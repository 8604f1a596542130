"""The browser's part of the interactive charts, as the install left it; and what stands in their way where it is not there."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from qalypto_research.errors import DisplayError

FOLDER: Final = Path(__file__).resolve().parents[1] / "bundle"

_AGAIN: Final = "install node and npm, and then qalypto_research once more"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Script and style, as they are sent to the page."""

    script: str
    style: str


@cache
def read_bundle(folder: Path = FOLDER) -> Bundle:
    """Return the bundle.

    Raises
    ------
    OSError
        It is not there.
    """
    return Bundle(*((folder / f"chart.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")))


def find_obstacle(folder: Path = FOLDER) -> str:
    """Return what stands in the way of interactive charts, and the way out; empty where nothing does."""
    if not (folder / "chart.js").is_file():
        left = folder / "missing.txt"
        why = left.read_text(encoding="utf-8").strip() if left.is_file() else "it was never built"
        return f"their browser part is not here ({why}); {_AGAIN}"
    return ""


def check_kernel() -> None:
    """Refuse a kernel that loses what threads send.

    Raises
    ------
    DisplayError
        ipykernel 7.0.
    """
    kernel = sys.modules.get("ipykernel")
    version = str(getattr(kernel, "__version__", ""))
    if version == "7.0" or version.startswith("7.0."):
        raise DisplayError(
            f"live charts do not work on ipykernel {version}, which fails when a widget is changed from a thread; "
            "pip install --upgrade ipykernel, and restart the kernel"
        )
