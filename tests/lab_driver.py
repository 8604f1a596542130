"""JupyterLab in a real browser: a server on loopback, and a page that is driven as a person would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat

PATIENCE_S = 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def find_browser(playwright):
    """Return the path of a Chromium: the system's, else Playwright's own; None where there is none."""
    own = playwright.chromium.executable_path
    return next(filter(None, map(shutil.which, BROWSERS)), own if os.path.exists(own) else None)  # noqa: PTH110


class Server:
    """A JupyterLab server in a process of its own, whose files all lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "server.log"
        dirs = {
            name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
        }
        options = {
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.root,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": "",
            "LabApp.expose_app_in_browser": True,
            "LabApp.extension_manager": "readonly",
        }
        command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
        settings = folder / "JUPYTER_CONFIG_DIR" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | dirs, cwd=self.root)
        self.address = f"http://127.0.0.1:{self.port}"
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/api/status", timeout=5):  # noqa: S310 - our own address
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3_000:]}")

    def write(self, name: str, *cells: str) -> Path:
        """Write a notebook, and return where."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=KERNEL)
        path = self.root / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Notebook:
    """An open notebook."""

    def __init__(self, page, server: Server, path: Path) -> None:
        self.page = page
        self.server = server
        self.path = path
        self.errors: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open()

    def open(self) -> None:
        """Open it, or open it again as one does the next day."""
        self.page.goto(f"{self.server.address}/lab/tree/{self.path.name}?reset", timeout=PATIENCE_S * 1_000)
        # The indicator is idle before there is a kernel, and what is asked of it then is lost.
        self.page.wait_for_function(
            """(name) => {
                const shown = window.jupyterapp?.shell.currentWidget;
                const kernel = shown?.sessionContext?.session?.kernel;
                return shown?.context?.path === name && shown.context.isReady && shown.sessionContext.isReady
                    && kernel?.connectionStatus === "connected" && kernel.status === "idle";
            }""",
            arg=self.path.name,
            timeout=PATIENCE_S * 1_000,
        )
        self.wait_idle()
        if self.page.evaluate("document.querySelector('#jp-left-stack')?.offsetWidth > 0"):
            self.command("application:toggle-left-area")

    def wait_idle(self, seconds: float = PATIENCE_S) -> None:
        self.page.wait_for_function(
            "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'", timeout=seconds * 1_000
        )

    def command(self, name: str, **args) -> None:
        # Some commands never say that they are through.
        self.page.evaluate("([name, args]) => { window.jupyterapp.commands.execute(name, args) }", [name, args])

    def run_all(self) -> None:
        """Run all cells, and wait until they are through."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.content.widgets.every((cell) => cell.model.executionCount !== null)",
            timeout=PATIENCE_S * 1_000,
        )
        self.wait_idle()

    def run(self, code: str) -> str:
        """Run code in the kernel as a cell would, and return what it printed; raise where it failed."""
        return self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({ code, store_history: false });
                let said = "";
                future.onIOPub = (message) => { if (message.header.msg_type === "stream") said += message.content.text; };
                const reply = await future.done;
                if (reply.content.status !== "ok") throw new Error(reply.content.ename + ": " + reply.content.evalue);
                return said;
            }""",
            code,
        )

    def begin(self, code: str) -> None:
        """Run code in the kernel and do not wait for it."""
        self.page.evaluate(
            """(code) => {
                window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code, store_history: false });
            }""",
            code,
        )

    def save(self) -> dict:
        """Save it, and return what is in the file."""
        self.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.context.save() }")  # until it is written
        return json.loads(self.path.read_text(encoding="utf-8"))

    def shut_down(self) -> None:
        """End its kernel, and no other's."""
        self.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }")

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "(dark) => document.body.dataset.jpThemeLight === (dark ? 'false' : 'true')", arg="Dark" in name, timeout=PATIENCE_S * 1_000
        )
