"""What the README shows is what a newcomer gets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_lines_print_what_the_readme_says() -> None:
    said = re.search(r"prints\n\n```text\n(.*?)\n```", README, re.DOTALL)
    assert said is not None
    assert run(BLOCKS[0]).rstrip() == said[1].rstrip()


@pytest.mark.parametrize("code", BLOCKS[1:])
def test_the_other_examples_run(code: str) -> None:
    run(f"import qalypto_research as qr\n{code}")
