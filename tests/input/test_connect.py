"""Bad input for `qr.connect`, and the settings it goes by when it is told nothing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from archives import trade, write

import qalypto_research as qr
from qalypto_research import default, targets
from qalypto_research.connection import open_sample


@pytest.fixture(autouse=True)
def _none_open(monkeypatch):
    """Let the test begin without a default connection."""
    monkeypatch.setattr(default, "_made", [])
    monkeypatch.setattr(default, "_kept", [])


@pytest.fixture
def archive(tmp_path):
    write(tmp_path / "archive", "trade", [trade("12:00"), trade("12:01")])
    return tmp_path / "archive"


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        *[({"target": value}, "target") for value in (5, b"x", [None], [], "", "  ", True, object(), ["ok", 5])],
        *[({"at": value}, "at") for value in ("x", 5, "", "now", math.nan, "2026-02-30", "1969-12-31", "2200-01-01", "2020-01-01")],
        *[({"speed": value}, "speed") for value in (0, -1, math.nan, math.inf, True, "1", None)],
        *[({"exchange": value}, "exchange") for value in (5, ["okx"], b"okx")],
        *[({"ingestion_delay": value}, "ingestion_delay") for value in ("x", 5, "-1s", "1M", "2s; DROP")],
        ({"ingestion_dealy": "2s"}, "settings"),
        ({"password": "secret"}, "password"),
    ],
)
def test_a_bad_argument_is_refused_by_name(options, argument):
    with pytest.raises(qr.errors.InputError) as caught:
        qr.connect(**{"target": "sample"} | options)
    assert caught.value.argument == argument
    assert default._kept == []


def test_a_misspelt_setting_is_refused_with_the_one_meant():
    with pytest.raises(qr.errors.UnknownNameError, match=r"^settings: 'ingestion_dealy'.*did you mean 'ingestion_delay'"):
        qr.connect("sample", ingestion_dealy="2s")


@pytest.mark.parametrize("exchange", ["kraken", "", "okx' OR 1", "{now}"])
def test_an_exchange_that_is_not_there_is_refused_when_connecting(exchange):
    with pytest.raises(qr.errors.UnknownNameError, match=r"^exchange: .*allowed: binance, bitget, bybit, okx, all") as caught:
        qr.connect("sample", exchange=exchange)
    assert (caught.value.argument, default._made) == ("exchange", [])


def test_a_misspelt_exchange_is_refused_with_the_one_meant():
    with pytest.raises(qr.errors.UnknownNameError, match="did you mean 'binance'"):
        qr.connect("sample", exchange="binanse")


@pytest.mark.parametrize("exchange", ["okx", "OKX", "all", "late"])
def test_an_exchange_that_is_there_may_be_the_default_also_one_the_clock_has_not_reached(tmp_path, exchange):
    rows = [trade("12:00", exchange="okx"), trade("13:00", exchange="late"), trade("12:00", exchange="binance")]
    write(tmp_path, "trade", rows)
    with qr.connect(tmp_path, at="2026-03-02 12:30", exchange=exchange) as con:
        assert con.exchange == exchange


@pytest.mark.parametrize("strict", [None, 0, "no"])
def test_strict_is_true_or_false(strict):
    with pytest.raises(qr.errors.InputError, match=r"^strict: .* must be True or False"):
        qr.connect("sample", strict=strict)


def test_the_sample_may_stand_in_a_list_beside_a_folder(archive):
    with qr.connect(["sample", archive], at="2026-03-02 13:00:30") as con:
        assert con.target == f"sample, {archive}"
        assert con.synthetic
        assert len(con.symbols()) == 40
        assert 100.0 in con.trades("BTCUSDT", start="2026-03-02 12:00", minutes=2)["price"].to_list()


def test_a_folder_that_is_not_there_names_the_argument_it_was_given_as(monkeypatch):
    with pytest.raises(qr.errors.ArchiveError, match=r"/nope: no such folder; target must be 'sample'"):
        qr.connect("/nope")
    monkeypatch.setenv("QALYPTO_TARGET", "/nope")
    with pytest.raises(qr.errors.ArchiveError, match="/nope: no such folder; QALYPTO_TARGET must be"):
        qr.connect()


def test_a_warning_made_an_error_leaves_no_connection_open(monkeypatch):
    made = []
    monkeypatch.setattr(targets, "open_sample", lambda options: made.append(open_sample(options)) or made[-1])
    with pytest.raises(qr.errors.SampleDataWarning):  # warnings are errors here
        qr.connect()
    assert [con.closed for con in made] == [True]
    assert default._made == []


@pytest.mark.parametrize("target", ["nowhere", "sample/", "SAMPLE", "a\0b", "~nosuchuser/x", "x" * 5000, "a;b", Path("nowhere")])
def test_a_folder_that_is_not_there_is_refused_by_its_path(target):
    with pytest.raises(qr.errors.ArchiveError) as caught:
        qr.connect(target)
    assert str(target).rstrip("/") in caught.value.path


@pytest.mark.parametrize("speed", [2, 0.5, 1e9, np.float64(3)])
def test_a_speed_is_any_number_above_zero(archive, speed):
    with qr.connect(archive, speed=speed) as con:
        assert con.clock.reading.speed == speed


def test_without_an_account_the_sample_answers_and_says_so_once():
    with pytest.warns(qr.errors.SampleDataWarning, match="synthetic and not the market") as said:
        first = qr.symbols()
    assert len(said) == 1
    assert Path(said[0].filename) == Path(__file__)
    assert len(first) == 40
    assert len(qr.klines("BTCUSDT", hours=2)) == 2  # warnings are errors: a second one would fail here
    default._kept.pop().close()


def test_connecting_without_a_target_warns_at_the_line_that_connects():
    with pytest.warns(qr.errors.SampleDataWarning) as said:
        con = qr.connect()
    assert Path(said[0].filename) == Path(__file__)
    assert (con.target, con.synthetic) == ("sample", True)
    con.close()


def test_the_sample_asked_for_by_name_is_no_surprise():
    with qr.connect("sample") as con:  # warnings are errors
        assert con.synthetic


def test_the_environment_may_name_the_target(archive, monkeypatch):
    monkeypatch.setenv("QALYPTO_TARGET", str(archive))
    with qr.connect() as con:
        assert (con.target, con.synthetic) == (str(archive), False)
        assert len(qr.trades("BTCUSDT", limit=9)) == 2


def test_an_env_file_in_the_working_folder_may_name_the_target(archive):
    Path(".env").write_text(f"QALYPTO_TARGET={archive}\nQALYPTO_OTHER=1\nPATH_OF_SOMEBODY=2\n", encoding="utf-8")
    with qr.connect() as con:
        assert con.target == str(archive)


def test_the_environment_outweighs_the_env_file(archive, monkeypatch):
    Path(".env").write_text("QALYPTO_TARGET=/nowhere\n", encoding="utf-8")
    monkeypatch.setenv("QALYPTO_TARGET", str(archive))
    with qr.connect() as con:
        assert con.target == str(archive)


def test_an_argument_outweighs_all_settings(archive, monkeypatch):
    monkeypatch.setenv("QALYPTO_TARGET", "/nowhere")
    monkeypatch.setenv("QALYPTO_USERNAME", "me")
    with qr.connect(archive) as con:
        assert con.target == str(archive)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("USERNAME", "me", "QALYPTO_USERNAME is set"), ("TARGET", "service", "QALYPTO_USERNAME and QALYPTO_PASSWORD are not set")],
)
def test_an_account_is_never_answered_by_the_sample(monkeypatch, name, value, said):
    monkeypatch.setenv(f"QALYPTO_{name}", value)
    with pytest.raises(qr.errors.ConfigurationError, match=said):
        qr.connect()
    with pytest.raises(qr.errors.ConfigurationError, match=said):
        qr.klines("BTCUSDT", days=1)
    assert default._kept == []


def test_a_setting_left_blank_is_not_set(monkeypatch):
    monkeypatch.setenv("QALYPTO_TARGET", "")
    monkeypatch.setenv("QALYPTO_USERNAME", "")
    with pytest.warns(qr.errors.SampleDataWarning):
        con = qr.connect()
    con.close()


def test_the_same_folder_under_two_names_is_read_once(archive, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(archive)
    with qr.connect([archive, str(archive) + "/", link]) as con:
        assert len(con.trades("BTCUSDT", limit=9)) == 2


def test_two_folders_are_one_archive(archive, tmp_path):
    write(tmp_path / "other", "trade", [trade("12:02", exchange="okx")])
    with qr.connect([archive, tmp_path / "other"]) as con:
        assert list(con.trades("BTCUSDT", exchange="all", limit=9)["exchange"]) == ["binance", "binance", "okx"]


def test_closing_gives_back_the_default_before(archive):
    with qr.connect("sample"):
        with qr.connect(archive):
            assert len(qr.symbols()) == 1
        assert len(qr.symbols()) == 40
