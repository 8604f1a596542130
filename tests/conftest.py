"""What every test gets: no settings from outside, a folder of its own, and no writing anywhere else."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import qalypto_research as qr

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(os.environ.get("QALYPTO_TEST_DATA") or ROOT.parent / "shared" / "data").resolve()

# A shell has what runs in the background ignore interrupts, and tests that send them start processes that would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before any fixture, however wide its scope, and for the processes that tests start.
for _name in [name for name in os.environ if name.startswith("QALYPTO_")]:
    del os.environ[_name]

hypothesis.settings.register_profile("local", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


# --- Fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Return the folder of recorded market data, one sub-folder a case; skip where there is none."""
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded market data: {RECORDED} is no folder; set QALYPTO_TEST_DATA to one")
    return RECORDED


@pytest.fixture
def connect() -> Generator[Callable[..., qr.Connection], None, None]:
    """Return `qr.connect`; whatever it opens is closed after the test."""
    opened: list[qr.Connection] = []

    def open_one(*args: Any, **options: Any) -> qr.Connection:
        opened.append(qr.connect(*args, **options))
        return opened[-1]

    yield open_one
    for connection in reversed(opened):
        connection.close()


@pytest.fixture(autouse=True)
def _isolated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put each test into an empty folder and home of its own, beside `tmp_path`, without settings."""
    around = tmp_path_factory.mktemp("around")
    for name in [name for name in os.environ if name.startswith("QALYPTO_")]:
        monkeypatch.delenv(name)
    here = around / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    # The wheel test installs from the index that the user's own configuration names, which may lie in the home folder.
    if "wheel" not in request.keywords:
        home = around / "home"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith(("XDG_", "JUPYTER_", "IPYTHON")) or name == "MPLCONFIGDIR"]:
        monkeypatch.delenv(name)


class _Share:
    """Several processes run the same tests, and each module is run by the first that comes to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mine: dict[Path, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        path = item.path
        if path not in self.mine:
            try:
                (self.folder / str(path.relative_to(ROOT)).replace(os.sep, ".")).touch(exist_ok=False)
                self.mine[path] = True
            except FileExistsError:
                self.mine[path] = False
        if self.mine[path]:
            return None
        # What was set up for this module's folder goes as it would have gone after its test, or the next folder's would find it there.
        item.session._setupstate.teardown_exact(nextitem)
        return True  # it has been seen to


# --- The same tests over the wire ------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--served", action="store_true", help="read archives over HTTPS, each from a stand-in in a process of its own")
    parser.addoption("--share", metavar="FOLDER", help="leave out modules that another process with the same folder has begun with")


def pytest_configure(config: pytest.Config) -> None:
    """With --served, let `qr.connect` reach an archive as it reaches the service."""
    if config.getoption("--served"):
        import served  # noqa: PLC0415 - starts a process

        qr.connect = served.connect
    if config.getoption("--share"):
        config.pluginmanager.register(_Share(Path(config.getoption("--share"))))


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the recorded data as `real`."""
    for item in items:
        if "recorded" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)


def pytest_report_header() -> list[str]:
    """Say what the outcome may depend on."""
    there = "there" if RECORDED.is_dir() else "absent, its tests are skipped"
    return [f"TZ: {os.environ.get('TZ', 'of the host')}", f"recorded market data: {there}"]


# --- No writing outside the temporary folder ------------------------------------------------------------------------
# Held for this process by Python's audit events; what a test starts has an empty home and a temporary working folder.

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_AUDITED = {  # where each event's arguments hold the path written to, and the open folder it may be relative to
    "open": (0, None),
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.truncate": (0, None),
}
_own: tuple[str, ...] | None = None  # where a test may write even inside the repository; None: no test is running
_ROOT = f"{ROOT}{os.sep}"
_ELSEWHERE = ("/dev/", "/proc/", f"{tempfile.gettempdir()}{os.sep}", f"{Path(tempfile.gettempdir()).resolve()}{os.sep}")


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _own is None or event not in _AUDITED:
        return
    at, folder = _AUDITED[event]
    path = args[at]
    if (
        not isinstance(path, (str, bytes, os.PathLike))
        or (folder is not None and args[folder] >= 0)
        or (event == "open" and not (isinstance(args[2], int) and args[2] & _WRITES))
    ):
        return
    full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (Path.resolve would cause audit events of its own)
    if full.startswith(_own) or "__pycache__" in full:
        return
    if full.startswith(_ROOT) or not full.startswith(_ELSEWHERE):
        raise PermissionError(f"a test writes outside its temporary folder: {event} {full}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Guard the run of each test, its fixtures included."""
    global _own  # noqa: PLW0603 (an audit hook takes no argument and cannot be removed)
    own = (item.config._tmp_path_factory.getbasetemp(), ROOT / ".hypothesis", ROOT / ".import_linter_cache")
    _own = tuple(f"{folder}{os.sep}" for folder in own)
    try:
        return (yield)
    finally:
        _own = None


sys.addaudithook(_watch)
