"""What may lie in the repository, and what may stand in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    ".ci",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "data_samples",
    "notebooks",
    "pyproject.toml",
    "qalypto_research",
    "tests",
}
MOST_LINES = 420
SAMPLE_BYTES = 10_000_000

# One letter of each in brackets, so that this file does not find itself.
HOSTS = re.compile(
    r"py[p]i\.\w|python[h]osted|conda\.(?:o[r]g|an[a]conda)|anaconda\.(?:o[r]g|c[o]m)|npm[j]s|(?<!emit-)index-[u]rl\W*\w", re.IGNORECASE
)
MACHINE_PATHS = re.compile(r"(?<![\w.~}])/(?:r[o]ot|w[o]rk|h[o]me|U[s]ers|t[m]p)(?:/\w|\b$|[\"'`\s])|[A-Z]:\\\\?U[s]ers")


def ignored():
    """Return the simple names that .gitignore leaves out, and git's own folder."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return {".git"}, [line.strip("/") for line in lines]


def files():
    """Yield every file that git could hold."""
    names, patterns = ignored()
    for folder, inner, leaves in os.walk(ROOT):
        here = Path(folder)
        inner[:] = [n for n in inner if n not in names and not any(Path(n).match(p) for p in patterns)]
        yield from (here / leaf for leaf in leaves if leaf not in names and not any(Path(leaf).match(p) for p in patterns))


def texts():
    """Yield each text file and its text."""
    for path in files():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def lines_matching(pattern):
    return [f"{path}:{n}: {line.strip()}" for path, text in texts() for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def test_the_top_level_holds_what_it_should():
    names, patterns = ignored()
    there = {p.name for p in ROOT.iterdir() if p.name not in names and not any(p.match(pattern) for pattern in patterns)}
    assert there - TOP == set()
    assert TOP - there == set()


def test_no_text_names_a_package_index():
    assert lines_matching(HOSTS) == []


def test_no_text_names_a_path_of_one_machine():
    assert lines_matching(MACHINE_PATHS) == []


@pytest.mark.parametrize("text", ["https://Py|PI.org/x", "files.python|hosted.org", "--extra-index-|url=x", "index-|url = 'y'"])
def test_a_package_index_would_be_found(text):
    assert HOSTS.search(text.replace("|", ""))


@pytest.mark.parametrize("text", ["cd /|work/main", "'/|home/someone'", "C:\\|Users\\x", "/|tmp/x", "cd /|work"])
def test_a_path_of_one_machine_would_be_found(text):
    assert MACHINE_PATHS.search(text.replace("|", ""))


def test_modules_are_short():
    long = {}
    for path in sorted((ROOT / "qalypto_research").rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            long[str(path.relative_to(ROOT))] = lines
    assert long == {}


def test_notebooks_carry_no_outputs():
    dirty = []
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        dirty += [
            f"{path.name}, cell {n}" for n, cell in enumerate(cells, 1) if cell.get("outputs") or cell.get("execution_count") is not None
        ]
    assert dirty == []


def test_the_sample_stays_small():
    size = sum(p.stat().st_size for p in (ROOT / "data_samples").rglob("*") if p.is_file())
    assert size <= SAMPLE_BYTES


def test_the_lock_pins_and_names_no_place():
    lines = [line for line in (ROOT / ".ci" / "lock.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.match(r"^[a-z0-9.-]+==[\w.]+( ; [\w.'<>=! ()]+)?$", line)] == []
