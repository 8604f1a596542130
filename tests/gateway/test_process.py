"""The stand-in as a process: what it prints, whom it can be reached by, how it ends, what it keeps to itself."""

from __future__ import annotations

import doctest
import os
import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3
from archives import trade, write

from qalypto_research.errors import ConfigurationError
from qalypto_research.local import testing
from qalypto_research.local.testing import StandIn

EVERYWHERE = "0.0.0.0"  # noqa: S104 - to see that it is warned of
NAMES = ["CLICKHOUSE_URL", "STREAM_URL", "USERNAME", "PASSWORD", "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET", "CA_FILE"]


@pytest.fixture
def small(tmp_path):
    write(tmp_path / "archive", "trade", [trade("12:00")])
    return tmp_path / "archive"


@pytest.fixture
def serve(small):
    """Return a function that starts the command as people do and waits for what it prints."""
    processes = []

    def start(*words, lines=7, **environment):
        command = [sys.executable, "-m", "qalypto_research.cli", "serve", str(small), "--port", "0", "--stream-port", "0", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
        processes.append(process)
        printed = [process.stdout.readline() for _ in range(lines)]
        return process, dict(line.rstrip("\n").split("=", 1) for line in printed)

    yield start
    for process in processes:
        process.terminate()
        process.communicate()


def test_it_prints_the_environment_and_ends_at_a_signal_leaving_nothing(serve):
    for number, busy in ((signal.SIGTERM, False), (signal.SIGINT, True)):
        process, environment = serve()
        assert list(environment) == [f"QALYPTO_{name}" for name in NAMES]
        assert environment["QALYPTO_USERNAME"] == "quant"
        ca_file = Path(environment["QALYPTO_CA_FILE"])
        folder = ca_file.parent
        assert [f.name for f in folder.iterdir()] == ["ca.pem"]
        assert "PRIVATE" not in ca_file.read_text(encoding="utf-8")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        if busy:
            ask(environment, "SELECT number FROM numbers(1000000000000)", preload_content=False).read(100)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")
        assert not folder.exists()


def ask(environment, sql, **options):
    pool = urllib3.PoolManager(ca_certs=environment["QALYPTO_CA_FILE"], retries=False)
    user = f"{environment['QALYPTO_USERNAME']}:{environment['QALYPTO_PASSWORD']}"
    return pool.request("POST", environment["QALYPTO_CLICKHOUSE_URL"], body=sql, headers=urllib3.make_headers(basic_auth=user), **options)


def test_each_run_has_secrets_of_its_own_and_tells_them_to_nobody_else(serve):
    process, environment = serve("--user", "somebody")
    _, other = serve()
    secrets = [environment[f"QALYPTO_{name}"] for name in ("PASSWORD", "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET")]
    assert all(len(secret) >= 32 for secret in secrets)
    assert not set(secrets) & set(other.values())
    assert environment["QALYPTO_USERNAME"] == "somebody"
    for sql in ("SELECT 1", "SELECT 1 FROM", "SELECT throwIf(number = 500000) FROM numbers(1000000) SETTINGS max_block_size = 1000"):
        try:
            ask(environment, sql)
        except urllib3.exceptions.HTTPError:
            continue
    if Path("/proc").is_dir():
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        assert not [secret for secret in secrets if secret.encode() in seen]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (out, err) == ("", "")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_hosts_zone_does_not_matter(serve, zone):
    _, environment = serve(TZ=zone)
    answer = ask(environment, "SELECT timezone(), toHour(timestamp), toString(timestamp), now() FROM market_data.market_data_trade")
    assert answer.data == b"UTC\t12\t2026-03-02 12:00:00.000\t2026-03-02 12:00:00\n"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert ask(environment, "SELECT serverTimezone()").data in (b"UTC\n", b"Etc/UTC\n")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_its_certificate_is_checked_and_holds_for_the_loopbacks_names(gateway, name):
    url = gateway.url.replace("127.0.0.1", name)
    trusting = urllib3.PoolManager(ca_certs=gateway.ca_file, retries=False)
    assert trusting.request("GET", f"{url}/ping").data == b"Ok.\n"
    strict = ssl.create_default_context(cafile=gateway.ca_file)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert urllib3.PoolManager(ssl_context=strict, retries=False).request("GET", f"{url}/ping").status == 200
    with pytest.raises(urllib3.exceptions.SSLError):
        urllib3.PoolManager(retries=False).request("GET", f"{url}/ping")
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager(retries=False).request("GET", f"{url}/ping".replace("https", "http"))


def test_beyond_the_loopback_it_warns_and_speaks_https_alone(serve, small):
    process, environment = serve("--host", EVERYWHERE)
    assert environment["QALYPTO_CLICKHOUSE_URL"].startswith("https://0.0.0.0:")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[1].startswith("qalypto: 0.0.0.0 can be reached from other machines")
    command = [
        sys.executable,
        "-m",
        "qalypto_research.cli",
        "serve",
        str(small),
        "--port",
        "0",
        "--stream-port",
        "0",
        "--http",
        "--host",
        EVERYWHERE,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("qalypto: --http: is for the loopback only")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "203.0.113.1"), "qalypto: --host: 203.0.113.1, port 0, cannot be listened on"),
        (("--faults", "explode"), "qalypto: kind: 'explode' is not known"),
        (("--at", "yesterday"), "qalypto: at: "),
        (("--speed", "-1"), "qalypto: speed: "),
    ],
)
def test_a_bad_word_is_one_line(serve, small, words, said):
    command = [sys.executable, "-m", "qalypto_research.cli", "serve", str(small), "--port", "0", "--stream-port", "0", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


# --- As a fixture, and by hand --------------------------------------------------------------------------------------


def test_what_does_not_start_says_why(tmp_path):
    with pytest.raises(ConfigurationError, match=r"the stand-in stopped: .*holds no market data"):
        StandIn(tmp_path)


def test_by_hand(small):
    with StandIn(small) as gateway:
        assert gateway.running
        assert gateway.password not in repr(gateway)
        environment = gateway.environment()
        assert (gateway.url, gateway.username, gateway.password, gateway.ca_file) == tuple(
            environment[f"QALYPTO_{name}"] for name in ("CLICKHOUSE_URL", "USERNAME", "PASSWORD", "CA_FILE")
        )
        assert ask(environment, "SELECT 1").data == b"1\n"
    assert not gateway.running
    with pytest.raises(ConfigurationError, match="has stopped"):
        gateway.heal()


def test_the_fixture_gives_the_same_one_for_the_same_words(qalypto_standin, archive):
    one = qalypto_standin(archive, at="2026-03-02 12:30:00")
    one.fault("quota")
    assert qalypto_standin(archive, at="2026-03-02 12:30:00") is one
    assert ask(one.environment(), "SELECT 1").data == b"1\n"


def test_the_modules_examples_run():
    outcome = doctest.testmod(testing)
    assert outcome.failed == 0
    assert outcome.attempted == 5
