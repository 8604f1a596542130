"""``qalypto serve`` as people see it: what it prints at a terminal and elsewhere, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from archives import trade, write
from websockets.sync.client import connect

SERVE = [sys.executable, "-m", "qalypto_research.cli", "serve"]
LOG = json.dumps({"type": "trade", "symbol": "BTCUSDT", "data": {"_timestamps": {"websocket_sent": 1_772_460_105_301}}})


@pytest.fixture
def small(tmp_path):
    write(tmp_path / "archive", "trade", [trade(f"12:00:{s:02}", trade_id=str(s)) for s in range(60)])
    return tmp_path / "archive"


@pytest.fixture
def at_terminal():
    """Return a function that starts the command with a terminal for what it says of itself; what it shows, and its environment."""
    started = []

    def start(*words):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*SERVE, *words], stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        started.append((process, ours))
        lines = iter(process.stdout.readline, "")
        environment = {}
        while "QALYPTO_CF_ACCESS_CLIENT_SECRET" not in environment:
            name, _, value = next(lines).rstrip("\n").partition("=")
            environment[name] = value
        return process, environment, ours

    yield start
    for process, ours in started:
        process.kill()
        process.communicate()
        with suppress(OSError):
            os.close(ours)


def shown_until(terminal, pattern):
    """Return what a terminal shows up to what is waited for."""
    shown = ""
    while not (found := re.search(pattern, shown)):
        shown += os.read(terminal, 4096).decode()
    return found


def test_at_a_terminal_it_shows_rates_over_one_another_as_it_runs(small, at_terminal):
    process, environment, terminal = at_terminal(str(small), "--at", "2026-03-02 12:00:10", "--port", "0", "--stream-port", "0", "--http")
    shown_until(terminal, r"\r2026-03-02 12:00:10 UTC \(standing\): 0 clients, 0 messages/s, 0\.00 MB/s, 0 queries\x1b\[K")
    headers = {
        "CF-Access-Client-Id": environment["QALYPTO_CF_ACCESS_CLIENT_ID"],
        "CF-Access-Client-Secret": environment["QALYPTO_CF_ACCESS_CLIENT_SECRET"],
    }
    with connect(f"{environment['QALYPTO_STREAM_URL']}/me", additional_headers=headers) as socket:
        socket.recv()
        socket.send('{"action": "subscribe", "channels": ["trade"]}')
        shown_until(terminal, r"\r2026-03-02 12:00:1\d UTC: 1 client, 1 messages/s, 0\.00 MB/s, 0 queries\x1b\[K")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0


def test_elsewhere_it_prints_the_environment_and_nothing_more(small):
    with subprocess.Popen(
        [*SERVE, str(small), "--port", "0", "--stream-port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        names = [p.stdout.readline().partition("=")[0] for _ in range(7)]
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=20)
    assert names[:2] == ["QALYPTO_CLICKHOUSE_URL", "QALYPTO_STREAM_URL"]
    assert (p.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{log}", "{small}"), "qalypto: archive: .*ws.jsonl is a log of the stream, which is played alone"),
        (("{small}", "--ingestion-delay", "soon"), "qalypto: --ingestion-delay: 'soon'"),
        (("{small}", "--faults", "drop:after=x"), "qalypto: faults: 'drop:after=x' cannot be read"),
        (("{small}", "--stream-port", "{taken}"), "qalypto: --host: 127.0.0.1, port .*; --stream-port 0 takes a free one"),
        (("{broken}",), "qalypto: archive: .*broken.jsonl, line 1: is no JSON"),
        (("{small}/nowhere.jsonl",), "qalypto: .*nowhere.jsonl: no such folder"),
    ],
)
def test_a_bad_word_is_one_line(small, tmp_path, words, said):
    from qalypto_research.local.listening import listening  # noqa: PLC0415 - takes a port

    (tmp_path / "ws.jsonl").write_text(f"{LOG}\n", encoding="utf-8")
    (tmp_path / "broken.jsonl").write_text("{\n", encoding="utf-8")
    with listening("127.0.0.1", 0) as taken:
        places = {"log": tmp_path / "ws.jsonl", "broken": tmp_path / "broken.jsonl", "small": small, "taken": taken.getsockname()[1]}
        given = [word.format(**places) for word in words]
        rest = ["--port", "0"] if "--stream-port" in given else ["--port", "0", "--stream-port", "0"]
        done = subprocess.run([*SERVE, *given, *rest], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(said, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
