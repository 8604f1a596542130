"""Ctrl-C ends a query at once, and the connection goes on; an engine does not survive a fork. Processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
import weakref
from functools import partial
from types import SimpleNamespace

import pytest
from waiting import wait

from qalypto_research.engine import running
from qalypto_research.engine.running import run_cancellable

LONG = "SELECT count() FROM numbers(30000000000) WHERE cityHash64(number) = 1"
RUNNING = "SELECT query FROM system.processes WHERE query LIKE '%numbers(30000000000)%' AND query NOT LIKE '%system.processes%'"


def run(program, timeout=60, may_say=""):
    """Return what a process of its own printed, which must end well and say nothing else on stderr."""
    source = textwrap.dedent(program).replace("LONG", repr(LONG)).replace("RUNNING", repr(RUNNING))
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(may_say, done.stderr), done.stderr
    return done.stdout.split()


PREAMBLE = """
    import os, signal, threading, time
    import qalypto_research as qr
    con = qr.connect("sample")
    con.sql("SELECT 1")

    def gone():
        deadline = time.monotonic() + 20
        while len(con.sql(RUNNING)) and time.monotonic() < deadline:
            pass
        return not len(con.sql(RUNNING))
"""


def test_an_interrupt_in_the_middle_of_a_query_returns_at_once_and_ends_it():
    out = run(
        PREAMBLE
        + """
    def poke():
        with con.engine._pool.borrow() as client:
            while not client.query(RUNNING + " AND query NOT LIKE '%DESCRIBE%' AND elapsed > 0.2").result_rows:
                pass
        global since
        since = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=poke, daemon=True).start()
    try:
        con.sql(LONG)
    except KeyboardInterrupt:
        print(time.monotonic() - since < 5, gone(), len(con.klines("BTCUSDT", hours=2)), len(qr.connect("sample").symbols()))
    """
    )
    assert out == ["True", "True", "2", "40"]


def test_an_interrupt_at_any_moment_leaves_no_query_behind():
    """Also while the query is only being sent, when it cannot be found yet."""
    out = run(
        PREAMBLE
        + """
    def interrupt(*_):
        global since
        since = time.monotonic()
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    for milliseconds in (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 25, 50):
        try:
            # Again after two seconds, as a user would press again: one that falls into a weakref's callback is lost to Python.
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000, 2)
            con.sql(LONG)
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(time.monotonic() - since < 5 and gone())
    """,
        may_say=r"(Exception ignored in: .*\n(.*\n)*?KeyboardInterrupt: ?\n)*",
    )
    assert out == ["True"] * 13


def test_opening_an_archive_can_be_interrupted():
    out = run(
        """
    import signal, time
    import qalypto_research as qr
    from qalypto_research.engine import catalog
    qr.connect("sample").close()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    since = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        while True:
            qr.connect("sample").close()
    except KeyboardInterrupt:
        print(time.monotonic() - since < 5)
    with qr.connect("sample") as con:
        print(len(con.symbols()))
    """
    )
    assert out == ["True", "40"]


def test_after_a_fork_each_call_says_so_instead_of_hanging():
    out = run(
        """
    import os, signal
    import qalypto_research as qr
    con = qr.connect("sample")
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        calls = [lambda: con.trades("BTCUSDT", minutes=1), lambda: con.sql("SELECT 1")]
        for call in (*calls, lambda: qr.klines("BTCUSDT", days=1), lambda: qr.connect("sample")):
            try:
                call()
            except qr.errors.ClosedError as error:
                print("forked" in str(error) and "spawn" in str(error), flush=True)
        con.close()
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(con.klines("BTCUSDT", hours=2)))
    """
    )
    assert out == ["True"] * 4 + ["7", "2"]


def test_a_spawned_process_has_a_connection_of_its_own(tmp_path):
    path = tmp_path / "spawning.py"
    path.write_text(
        textwrap.dedent("""
            import multiprocessing
            import qalypto_research as qr

            def work(symbol):
                with qr.connect("sample") as con:
                    return len(con.klines(symbol, "1h", hours=5))

            if __name__ == "__main__":
                with qr.connect("sample") as con, multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.map(work, ["BTCUSDT", "ETHUSDT"]), len(con.symbols()))
        """),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[5, 5] 40\n")


# --- The waiting, without an engine ---------------------------------------------------------------------------------


def test_what_the_work_raises_is_raised_to_the_caller():
    error = LookupError("its own")
    with pytest.raises(LookupError) as caught:
        run_cancellable(lambda: (_ for _ in ()).throw(error), cancel=lambda: pytest.fail("nothing to cancel"))
    assert caught.value is error


def test_an_error_while_waiting_cancels_until_the_work_is_over():
    over, cancelled = threading.Event(), []

    def cancel():
        cancelled.append(1)
        if len(cancelled) == 3:  # the first two found no query yet
            over.set()

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cancellable(lambda: over.wait(60), cancel=cancel, waiting=interrupted)
    assert over.wait(60)
    assert len(cancelled) == 3


def test_work_that_does_not_end_is_left_and_cancelled_until_it_does():
    """As a query is that reaches its server long after its caller has gone on."""
    over, ended, cancelled = threading.Event(), threading.Event(), []

    def work():
        assert over.wait(60)
        ended.set()

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cancellable(work, cancel=lambda: cancelled.append(1), waiting=interrupted)
    left_after = len(cancelled)
    wait(lambda: len(cancelled) >= left_after + 2)
    over.set()
    assert ended.wait(60)


def test_what_the_work_holds_is_let_go_though_its_thread_ends_later(monkeypatch):
    may_end = threading.Event()

    class Lingering(threading.Event):
        """Keeps the thread that sets it."""

        def set(self):
            super().set()
            assert may_end.wait(60)

    class Held:
        pass

    held = Held()
    seen, work = weakref.ref(held), partial(isinstance, held, Held)
    monkeypatch.setattr(running, "threading", SimpleNamespace(Event=Lingering))
    try:
        assert run_cancellable(work, cancel=lambda: pytest.fail("nothing to cancel")) is True
        del held, work
        assert seen() is None
    finally:
        may_end.set()
