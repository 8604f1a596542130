"""Ctrl-C ends a query of the service at once, here and there; a forked process has a connection of its own. In processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

STREAM = "SELECT number FROM numbers(1000000000000) WHERE cityHash64(number) % 1000 = 0"
LONG = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"

PREAMBLE = """
    import os, signal, threading, time
    import qalypto_research as qr

    con = qr.connect("service")
    con.sql("SELECT 1")
    ids = []
    ask = con.engine._ask

    def noted(client, sql, parameters, query_id):
        ids.append(query_id)
        return ask(client, sql, parameters, query_id)

    con.engine._ask = noted

    def runs(query_id):
        "An id that is in use is refused."
        try:
            con.engine._open()[0].raw_query("SELECT 1", settings={"query_id": query_id})
        except Exception as error:
            assert "216" in str(error) or "394" in str(error), error  # or what ends the query has met this one
            return True
        return False

    def over():
        "Whether what was sent is gone at the server, and nothing waits for it here."
        deadline = time.monotonic() + 20
        while any(map(runs, ids)) or any(t.name == "qalypto-query" for t in threading.enumerate()):
            if time.monotonic() > deadline:
                return False
        return True
"""


def run(gateway, program, may_say=""):
    """Return what a process of its own printed, which must end well and say nothing else on stderr."""
    source = textwrap.dedent(PREAMBLE) + textwrap.dedent(program).replace("LONG", repr(LONG)).replace("STREAM", repr(STREAM))
    environment = os.environ | gateway.environment()
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(may_say, done.stderr), done.stderr
    return done.stdout.split()


def test_an_interrupt_in_the_middle_of_a_query_returns_at_once_and_ends_it_at_the_server(gateway):
    out = run(
        gateway,
        """
    client = con.engine._open()[0]
    stream = client.raw_stream

    def begun(sql, **options):
        global since
        response = stream(sql, **options)
        if STREAM in sql:  # its first bytes are here
            since = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)
        return response

    client.raw_stream = begun
    try:
        con.sql(STREAM)
    except KeyboardInterrupt:
        print(time.monotonic() - since < 5, over(), len(con.klines("BTCUSDT", hours=2)))
    """,
    )
    assert out == ["True", "True", "2"]


def test_an_interrupt_at_any_moment_leaves_no_query_behind(gateway):
    """Also while the query is only being sent, when it cannot be found yet."""
    out = run(
        gateway,
        """
    def interrupt(*_):
        global since
        since = time.monotonic()
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    for milliseconds in (1, 5, 10, 20, 30, 40, 60, 90):
        ids.clear()
        try:
            # Again after two seconds, as a user would press again: one that falls into a weakref's callback is lost to Python.
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000, 2)
            con.sql(LONG)
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(time.monotonic() - since < 5 and over())
    print(len(con.klines("BTCUSDT", hours=2)))
    """,
        may_say=r"(Exception ignored in: .*\n(.*\n)*?KeyboardInterrupt: ?\n)*",
    )
    assert out == ["True"] * 8 + ["2"]


def test_an_interrupt_while_the_service_says_nothing_returns_at_once(gateway):
    """Not even the order to end the query is answered."""
    gateway.script("hang:match=numbers(7); hang:match=KILL")
    out = run(
        gateway,
        """
    def poke():
        global since
        while len(ids) < 2:  # the clock is read first
            pass
        since = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    for call in (lambda: con.sql("SELECT * FROM numbers(7)"), lambda: con.sql("SELECT count() FROM numbers(7)")):
        ids.clear()
        threading.Thread(target=poke, daemon=True).start()
        try:
            call()
        except KeyboardInterrupt:
            print(time.monotonic() - since < 5, len(con.klines("BTCUSDT", hours=2)))
    """,
    )
    assert out == ["True", "2"] * 2


def test_connecting_can_be_interrupted(gateway):
    # What the client asks first, and nothing else; so much of it comes that the connection of the test itself is made.
    gateway.script(f"cut:match=version(),after={10**12},times=1; hang:match=version()")
    out = run(
        gateway,
        """
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for milliseconds in (1, 100, 300):
        since = time.monotonic()
        try:
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
            qr.connect("service")
        except KeyboardInterrupt:
            print(time.monotonic() - since < 5, len(con.klines("BTCUSDT", hours=2)))
    """,
    )
    assert out == ["True", "2"] * 3


def test_an_interrupted_iteration_goes_on(gateway):
    out = run(
        gateway,
        """
    from qalypto_research.history import parts
    parts.SLICE_ROWS = 500
    whole = con.trades("BTCUSDT", minutes=20)

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    batches, frames, interrupts = con.batches("trades", "BTCUSDT", minutes=20, rows=300), [], 0
    while True:
        signal.setitimer(signal.ITIMER_REAL, 0.02 if interrupts < 3 else 0)
        try:
            frame = next(batches, None)
        except KeyboardInterrupt:
            interrupts += 1
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if frame is None:
            break
        frames.append(frame)
    print(interrupts, qr.concat(frames).equals(whole))
    """,
        may_say=r"(Exception ignored in: .*\n(.*\n)*?KeyboardInterrupt: ?\n)*",
    )
    assert out == ["3", "True"]


def test_a_forked_process_opens_a_connection_of_its_own(gateway):
    out = run(
        gateway,
        """
    parent = con.engine._open()[0]
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        print(con.engine._open()[0] is not parent, len(con.klines("BTCUSDT", hours=2)), len(con.sql("SELECT 1")), flush=True)
        con.close()
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(con.klines("BTCUSDT", hours=3)), con.engine._open()[0] is parent)
    """,
    )
    assert out == ["True", "2", "1", "7", "3", "True"]


def test_what_a_thread_held_at_the_fork_does_not_hold_up_the_child(gateway):
    out = run(
        gateway,
        """
    with con.engine._lock, con.engine.known._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            os._exit(len(con.klines("BTCUSDT", hours=2)))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(con.klines("BTCUSDT", hours=3)))
    """,
    )
    assert out == ["2", "3"]
