"""The command line, each command once in a process of its own, and what people see of a connection."""

from __future__ import annotations

import subprocess
import sys

import pytest
from archives import trade, write

import qalypto_research as qr
from qalypto_research import cli
from qalypto_research.archive.manifest import Manifest


def run(*words):
    program = "import sys; from qalypto_research.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=100, check=False)


def test_the_demo_runs_and_says_that_it_is_not_the_market():
    done = run("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "synthetic. It is not the market." in done.stdout
    assert '>>> df = qr.klines("BTCUSDT", "1h", days=7)' in done.stdout or 'qr.klines("BTCUSDT", "1h", days=7)' in done.stdout
    assert "168 candles" in done.stdout


def test_help_says_which_commands_there_are():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "demo" in done.stdout
    assert "generate" in done.stdout


def test_a_generated_archive_opens(tmp_path):
    folder = tmp_path / "new archive"
    done = run(
        "generate",
        str(folder),
        "--hours",
        "0.1",
        "--trades",
        "300",
        "--symbols",
        "BTCUSDT,ETHUSDT",
        "--exchanges",
        "okx",
        "--tables",
        "trade,kline",
        "--block",
        "6m",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert str(folder) in done.stdout
    with qr.connect(folder) as con:
        assert con.synthetic
        assert set(con.symbols()["symbol"]) == {"BTCUSDT", "ETHUSDT"}
        assert set(con.symbols()["exchange"]) == {"okx"}
        assert len(con.trades(["BTCUSDT", "ETHUSDT"], limit=10_000)) > 0


@pytest.mark.parametrize(
    "words",
    [
        ("--symbols", "BTCUSD"),
        ("--exchanges", "kraken"),
        ("--tables", "trades"),
        ("--block", "1M"),
        ("--start", "yesterday"),
        ("--hours", "0"),
        ("--hours", "nan"),
        ("--rate", "-1"),
        ("--trades", "0"),
        ("--end", "2020-01-01"),
        ("--hours", "1", "--end", "2026-03-03"),
        ("--sample", "--seed", "2"),
    ],
)
def test_a_bad_word_is_one_line_on_stderr_and_nothing_is_written(tmp_path, capsys, words):
    assert cli.main(["generate", str(tmp_path / "new"), *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("qalypto: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new/**/*.parquet"))


def test_an_error_leaves_no_traceback_and_exit_code_1(tmp_path):
    done = run("generate", str(tmp_path / "new"), "--symbols", "BTCUSD")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("qalypto: symbols: 'BTCUSD' is not known; did you mean 'BTCUSDT'?")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [(), ("nope",), ("generate",), ("generate", "x", "--seed", "one")])
def test_words_that_are_no_command_show_the_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: qalypto" in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_demo", interrupted)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "qalypto: stopped\n"


# --- What people see of a connection --------------------------------------------------------------------------------


def test_a_connection_shows_where_it_stands_when_it_is_and_what_is_there():
    with qr.connect("sample") as con:
        for shown in (repr(con), con._repr_html_()):
            assert "sample (synthetic, not the market)" in shown
            assert "2026-03-02 13:00:30 UTC, standing" in shown
            assert "4 exchanges, 10 symbols" in shown
            assert "klines 1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d" in shown
            assert not [word for word in ("password", "PASSWORD", "token") if word in shown]


def test_html_of_a_connection_escapes_what_others_wrote(tmp_path):
    folder = tmp_path / "<b>bold"
    write(folder, "trade", [trade("12:00")])
    Manifest("<script>alert('x')</script> & co", synthetic=False).write(folder)
    with qr.connect(folder) as con:
        shown = con._repr_html_()
        assert "<script>" not in shown
        assert "<b>" not in shown
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; co" in shown
        assert "<script>" in repr(con)
        assert "not the market" not in repr(con)


def test_a_closed_connection_can_still_be_shown():
    con = qr.connect("sample")
    con.close()
    assert "closed" in repr(con)
    assert "closed" in con._repr_html_()
