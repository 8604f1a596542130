"""A live buffer in a real kernel: widgets are served while a cell lets time pass, and nothing outlives a restart."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.notebook

PATIENCE_S = 60
BEGIN = """
import time
import qalypto_research as qr
con = qr.connect("sample")
live = qr.live("trade", "ticker")
live.wait(rows=1, timeout=30)
served = []
get_ipython().kernel.comm_manager.register_target("tick", lambda comm, message: served.append(time.monotonic()))
"""


class _ThisPython(KernelManager):
    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = _ThisPython()
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE_S)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def value(client: BlockingKernelClient, expression: str) -> str:
    """Return how a value of the kernel looks."""
    reply = client.execute("", user_expressions={"x": expression}, reply=True, timeout=PATIENCE_S)
    found = reply["content"]["user_expressions"]["x"]
    assert found["status"] == "ok", found
    return str(found["data"]["text/plain"])


def run(client: BlockingKernelClient, code: str) -> None:
    reply = client.execute(code, reply=True, timeout=PATIENCE_S)
    assert reply["content"]["status"] == "ok", reply["content"]


def test_widgets_are_served_while_a_cell_lets_time_pass(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    _, client = kernel
    run(client, BEGIN)
    cell = client.execute("begun = time.monotonic(); live.run(seconds=3); ended = time.monotonic()")
    until = time.monotonic() + 2
    sent = 0
    while time.monotonic() < until:
        opened = client.session.msg("comm_open", {"comm_id": f"c{sent}", "target_name": "tick", "data": {}})
        client.shell_channel.send(opened)
        sent += 1
        time.sleep(0.1)
    while client.get_shell_msg(timeout=PATIENCE_S)["parent_header"].get("msg_id") != cell:
        pass
    assert value(client, "ended - begun >= 3") == "True"
    # The kernel may have begun late, or this process not have come to send some in time.
    assert int(value(client, "sum(begun < at < ended for at in served)")) >= sent // 2
    assert value(client, "live.state") == "'live'"
    # Once more, and with the loop as it is now.
    run(client, "live.run(seconds=0.5); await live.arun(seconds=0.5)")
    assert int(value(client, "len(served)")) == sent


def test_an_interrupt_ends_the_wait_and_not_the_buffer(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    manager, client = kernel
    run(client, BEGIN)
    cell = client.execute("print('here', flush=True); live.run()")
    while client.get_iopub_msg(timeout=PATIENCE_S)["content"].get("text") != "here\n":
        pass
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=PATIENCE_S))["parent_header"].get("msg_id") != cell:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert value(client, "live.state") == "'live'"
    run(client, "before = live.intake.store.count(); live.run(seconds=2); assert live.intake.store.count() > before")


def test_running_a_cell_again_keeps_the_buffer_and_no_more_threads(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    _, client = kernel
    run(client, BEGIN)
    run(client, "first = live; import threading; before = threading.active_count()")
    for _ in range(3):
        run(client, 'live = qr.live("trade", "ticker"); live')
    assert value(client, "live is first") == "True"
    assert value(client, "threading.active_count() == before") == "True"
    page = value(client, "live._repr_html_()")
    assert "synthetic, not the market" in page
