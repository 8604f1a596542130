"""Interleaved timing: what is compared runs in turn, so that a drift of the machine's speed falls on all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

RUNS = 7


def interleaved(**contenders: Callable[[], Any]) -> dict[str, list[float]]:
    """Return the seconds of each contender's runs, after one warm-up round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for counted in [False] + [True] * RUNS:
        for name, contender in contenders.items():
            gc.collect()
            begun = time.perf_counter()
            result = contender()
            took = time.perf_counter() - begun
            del result
            if counted:
                seconds[name].append(took)
    return seconds


def report(what: str, figures: list[float], bound: float, unit: str = "x") -> None:
    """Print the median with its spread beside the bound, and fail where the median is over it."""
    median = statistics.median(figures)
    verdict = "met" if median <= bound else "MISSED"
    spread = f"min {min(figures):.3g}, max {max(figures):.3g}, {len(figures)} runs"
    print(f"\n{what}: {median:.3g}{unit} ({spread}); bound {bound:g}{unit}: {verdict}")
    assert median <= bound, f"{what}: {median:.3g}{unit} is over {bound:g}{unit}"


def ratios(seconds: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    """Return the ratio of each pair of runs that stood side by side."""
    return [a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
