"""What the other tests rely on: the zone asked for is in force, nothing is written outside the temporary folder, modules are shared out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

WINTER = 1_767_225_600  # 2026-01-01 00:00 UTC
OFFSETS = {"UTC": 0, "Asia/Tokyo": 9 * 3600, "America/New_York": -5 * 3600}


@pytest.mark.contract
def test_the_zone_asked_for_is_in_force():
    zone = os.environ.get("TZ")
    if zone not in OFFSETS:
        pytest.skip(f"TZ is {zone!r}; the suites set it to one of {', '.join(OFFSETS)}")
    assert time.localtime(WINTER).tm_gmtoff == OFFSETS[zone]


def test_settings_from_outside_are_gone():
    assert [name for name in os.environ if name.startswith("QALYPTO_")] == []


@pytest.mark.parametrize("write", [Path.touch, Path.mkdir, lambda path: path.write_text("", encoding="utf-8")])
def test_writing_into_the_repository_fails(root, write):
    with pytest.raises(PermissionError, match="outside its temporary folder"):
        write(root / "left_behind")
    assert not (root / "left_behind").exists()


def test_a_test_begins_in_an_empty_folder_and_home(tmp_path, tmp_path_factory):
    assert list(Path.cwd().iterdir()) == list(Path.home().iterdir()) == list(tmp_path.iterdir()) == []
    Path("file").write_text("text", encoding="utf-8")
    assert Path.cwd().is_relative_to(tmp_path_factory.getbasetemp())
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())


def test_modules_are_shared_out_between_processes(root, tmp_path):
    """A module that another has begun with is left out, the others are run whole, whether in the same folder or the next."""
    modules = ["tests/sql/test_params.py", "tests/sql/test_building.py", "tests/depth/test_levels.py"]
    (tmp_path / "tests.sql.test_building.py").touch()  # begun by another
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", f"--share={tmp_path}"]
    done = subprocess.run([*command, *modules], cwd=root, capture_output=True, text=True, timeout=100, check=False)
    again = subprocess.run([*command, *modules], cwd=root, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed in", done.stdout, re.MULTILINE), done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tests.depth.test_levels.py",
        "tests.sql.test_building.py",
        "tests.sql.test_params.py",
    ]
    assert "no tests ran" in again.stdout
