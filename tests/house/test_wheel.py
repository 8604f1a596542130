"""The package as a user gets it: built from its source distribution, installed in a fresh environment, run elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / ".ci" / "lock.txt"

pytestmark = [pytest.mark.wheel, pytest.mark.slow, pytest.mark.timeout(210)]


def run(*command, cwd):
    """Run a program and return what it printed; the environment names no settings and no other Python."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("QALYPTO_", "PYTHON", "VIRTUAL_ENV", "COV_"))}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from the source distribution, as a publisher would."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--build-constraint", LOCK, "--wheel-dir", folder, sdist, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel under the lock into an environment of its own; return the folder of its programs."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--constraint", LOCK, wheel, cwd=folder.parent)
    return folder / "bin"


def test_wheel_holds_the_package_and_the_sample(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {str(p.relative_to(ROOT)) for p in (ROOT / "qalypto_research").rglob("*.py")}
    sample = {f"qalypto_research/{p.relative_to(ROOT)}" for p in (ROOT / "data_samples").rglob("*") if p.is_file()}
    assert sample
    assert (package | sample) - names == set()
    assert "qalypto_research/py.typed" in names
    assert [n for n in names if not n.startswith("qalypto_research")] == []


@pytest.mark.skipif(shutil.which("node") is None or shutil.which("npm") is None, reason="the charts are bundled by node and npm")
def test_wheel_holds_the_bundle_with_its_licences_and_not_its_sources(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name.rpartition("/")[2]: name for name in archive.namelist() if "/charts/bundle/" in name}
        assert {"chart.js", "chart.css", "LICENSE-lightweight-charts", "NOTICE"} <= set(held)
        assert b"TradingView" in archive.read(held["NOTICE"])
        assert b"TradingView Lightweight Charts" in archive.read(held["chart.js"])
        assert [name for name in archive.namelist() if "/javascript/" in name] == []


def test_installed_package_finds_its_bundle_or_says_why_not(installed, tmp_path):
    program = (
        "from qalypto_research.charts.widgets.bundle import find_obstacle, read_bundle; print(find_obstacle() or len(read_bundle().script))"
    )
    said = run(installed / "python", "-c", program, cwd=tmp_path)
    assert said.strip().isdigit() if shutil.which("npm") else "was not found on the PATH" in said


def test_installed_package_is_the_wheels(installed, tmp_path):
    where = run(installed / "python", "-c", "import qalypto_research; print(qalypto_research.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_demo_runs_from_another_folder(installed, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    said = run(installed / "qalypto", "demo", cwd=tmp_path)
    assert "BTCUSDT" in said
    assert sorted(tmp_path.rglob("*")) == before
