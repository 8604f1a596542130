"""Bundle the browser's part of the live charts, where node and npm are there; hatchling calls it for each build and install.

An install must not fail for want of it: the charts are drawn with matplotlib then, and say what is missing, in the words that are
left here in the bundle's folder. npm is given a copy in a temporary folder, so that nothing of it stays in the tree.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES: Final = Path("qalypto_research/charts/javascript")
BUNDLE: Final = Path("qalypto_research/charts/bundle")
LEFT_OUT: Final = "missing.txt"
MADE_OF: Final = "made_of.txt"
NPM: Final = ("ci", "--ignore-scripts", "--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000")
PATIENCE_S: Final = 120
MOST_SAID: Final = 300


class Bundling(BuildHookInterface):
    """Makes the bundle unless it is there and made of the sources as they are."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the same for each kind of build
        sources, bundle = Path(self.root) / SOURCES, Path(self.root) / BUNDLE
        digest = digest_of(sources)
        made_of = bundle / MADE_OF
        if made_of.is_file() and made_of.read_text(encoding="utf-8") == digest:
            return
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir(parents=True)
        try:
            build(sources, bundle)
        except (OSError, subprocess.SubprocessError) as error:
            why = to_reason(error)
            (bundle / LEFT_OUT).write_text(why, encoding="utf-8")
            self.app.display_warning(f"the interactive charts are left out: {why}")
        else:
            made_of.write_text(digest, encoding="utf-8")


def digest_of(sources: Path) -> str:
    """Return what tells one state of the sources from another."""
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            digest.update(f"{path.relative_to(sources).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def build(sources: Path, bundle: Path) -> None:
    """Build the bundle with the versions of the lock.

    Raises
    ------
    OSError, subprocess.SubprocessError
        A program is not there, or failed.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} was not found on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        copy, made = Path(folder) / "sources", Path(folder) / "made"
        shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("node_modules"))
        run(NPM, copy)
        run(("run", "--silent", "build"), copy, npm_config_outfile=str(made / "chart.js"))
        shutil.copy(copy / "node_modules" / "lightweight-charts" / "LICENSE", made / "LICENSE-lightweight-charts")
        shutil.copy(copy / "NOTICE", made / "NOTICE")
        for path in made.iterdir():
            shutil.copy(path, bundle / path.name)


def run(command: tuple[str, ...], folder: Path, **environment: str) -> None:
    """Run npm in a folder."""
    npm = shutil.which("npm") or "npm"
    subprocess.run(  # noqa: S603 - our own words
        [npm, *command], cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )


def to_reason(error: Exception) -> str:
    """Return in a line why there is no bundle."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"npm took longer than {PATIENCE_S} seconds"
    if isinstance(error, subprocess.CalledProcessError):
        said = next((line for line in (error.stderr or "").splitlines() if line.strip()), "it said nothing")
        return f"npm {error.cmd[1]} failed: {said[:MOST_SAID]}"
    return str(error)
