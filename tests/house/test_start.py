"""What importing the package does not do. Each test looks at a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

LATE = ("chdb", "clickhouse_connect", "ipywidgets", "matplotlib", "IPython", "tqdm", "websockets", "pydantic_settings")
"""What takes long to import, or acts on being imported: loaded by what needs it."""

PROGRAM = """
    import json, os, sys, threading

    import qalypto_research
    loaded = sorted(sys.modules)
    threads = [t.name for t in threading.enumerate() if t is not threading.main_thread()]

    # Once more, everything else being loaded already: whatever is read or started now is by the package itself.
    for name in [n for n in sys.modules if n.partition(".")[0] == "qalypto_research"]:
        del sys.modules[name]

    def native_threads():
        return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0

    read, touched = [], []

    class Spy(type(os.environ)):
        def __getitem__(self, key):
            read.append(key)
            return super().__getitem__(key)

        def __iter__(self):
            read.append("*")
            return super().__iter__()

    def watch(event, args):
        if watching and (event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "_thread.start"))
                         or (event == "open" and str(args[0]).endswith((".env", ".json", ".parquet")))):
            touched.append(f"{event} {args!r}")

    watching = False
    sys.addaudithook(watch)
    native = native_threads()
    os.environ.__class__ = Spy
    watching = True
    import qalypto_research
    watching = False
    print(json.dumps({"loaded": loaded, "threads": threads, "read": read, "touched": touched, "native": native_threads() - native}))
"""


@pytest.fixture(scope="module")
def seen():
    """Return what a fresh process saw while it imported the package."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", LATE)
def test_import_does_not_load(seen, name):
    assert [module for module in seen["loaded"] if module.partition(".")[0] == name] == []


def test_import_starts_no_thread(seen):
    assert seen["threads"] == []
    assert seen["native"] == 0


def test_import_reads_no_environment(seen):
    assert seen["read"] == []


def test_import_opens_no_file_socket_or_process(seen):
    assert seen["touched"] == []
