"""The bundling of the charts' browser part: an install goes on without it, and leaves word why."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import stat
from pathlib import Path

import pytest

from qalypto_research.charts.widgets.bundle import FOLDER, find_obstacle

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "qalypto_research" / "charts" / "javascript"


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("bundle_hook", ROOT / ".ci" / "bundle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path):
    """Return a folder with the sources and nothing else of the project."""
    copy = tmp_path / "tree"
    shutil.copytree(SOURCES, copy / SOURCES.relative_to(ROOT))
    return copy


def bundle(hook, tree):
    hook.Bundling(str(tree), {}, None, None, "", "wheel").initialize("editable", {})
    return tree / hook.BUNDLE


def programs(folder, **scripts):
    """Make programs of these names, and nothing else, be found."""
    folder.mkdir()
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(folder)


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({}, "node was not found on the PATH"),
        ({"node": "exit 0"}, "npm was not found on the PATH"),
        ({"node": "exit 0", "npm": "echo 'npm error network' >&2; exit 1"}, "npm ci failed: npm error network"),
        ({"node": "exit 0", "npm": "exit 1"}, "npm ci failed: it said nothing"),
    ],
)
def test_without_node_or_npm_the_install_goes_on_and_leaves_word(hook, tree, tmp_path, monkeypatch, scripts, said):
    monkeypatch.setenv("PATH", programs(tmp_path / "programs", **scripts))
    left = bundle(hook, tree)
    assert sorted(path.name for path in left.iterdir()) == ["missing.txt"]
    assert said in find_obstacle(left)
    assert "install node and npm" in find_obstacle(left)


def test_an_old_bundle_is_not_taken_for_that_of_new_sources(hook, tree, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", programs(tmp_path / "programs"))
    old = tree / hook.BUNDLE
    old.mkdir()
    (old / "chart.js").write_text("old")
    (old / "made_of.txt").write_text(hook.digest_of(tree / hook.SOURCES))
    assert (bundle(hook, tree) / "chart.js").read_text() == "old", "it was made of these sources"
    source = next((tree / hook.SOURCES / "source").glob("*.js"))
    source.write_text(source.read_text() + "\n")
    assert sorted(path.name for path in bundle(hook, tree).iterdir()) == ["missing.txt"]


@pytest.mark.skipif(find_obstacle() != "", reason=find_obstacle() or "-")
def test_the_bundle_here_is_that_of_the_sources_here(hook):
    """Whoever changes the sources installs again: pip install --editable ."""
    assert (FOLDER / "made_of.txt").read_text() == hook.digest_of(SOURCES)
    assert {"chart.js", "chart.css", "LICENSE-lightweight-charts", "NOTICE"} <= {path.name for path in FOLDER.iterdir()}


def test_the_lock_pins_by_hash_and_names_no_place():
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    packages = {name: held for name, held in lock["packages"].items() if name}
    assert all(re.match(r"sha512-", held["integrity"]) for held in packages.values())
    assert [name for name, held in packages.items() if "resolved" in held] == []
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
