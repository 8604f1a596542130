"""The default connection: the last one opened, until it is closed."""

from __future__ import annotations

import pytest
from archives import trade, write

import qalypto_research as qr
from qalypto_research import default


@pytest.fixture
def folders(tmp_path):
    """Return four archives, the n-th with one trade at the price n."""
    for n in range(4):
        write(tmp_path / str(n), "trade", [trade("12:00", float(n))])
    return [tmp_path / str(n) for n in range(4)]


@pytest.fixture
def on():
    """Return a function that tells on which of the archives the top-level calls go."""

    def which():
        by_call = qr.trades("BTCUSDT", limit=1)["price"].item()
        assert qr.sql("SELECT price FROM market_data_trade")["price"].item() == by_call
        assert qr.symbols()["symbol"].to_list() == ["BTCUSDT"]
        return int(by_call)

    return which


def test_the_last_connection_opened_is_the_default(connect, folders, on):
    connect(folders[0])
    assert on() == 0
    connect(folders[1])
    assert on() == 1


def test_leaving_a_with_block_restores_the_one_before(folders, on):
    with qr.connect(folders[0]):
        with qr.connect(folders[1]):
            with qr.connect(folders[2]):
                assert on() == 2
            assert on() == 1
        assert on() == 0


def test_closing_gives_back_the_one_before(connect, folders, on):
    connect(folders[0])
    second = connect(folders[1])
    second.close()
    assert on() == 0
    second.close()
    assert on() == 0


def test_closing_one_that_is_not_the_default_leaves_the_default(connect, folders, on):
    first = connect(folders[0])
    connect(folders[1])
    first.close()
    assert on() == 1


def test_an_error_in_a_with_block_restores_the_one_before_too(connect, folders, on):
    connect(folders[0])
    with pytest.raises(ZeroDivisionError), qr.connect(folders[1]):
        _ = 1 / 0
    assert on() == 0


def test_connections_opened_inside_a_with_block_do_not_displace_it(folders, on):
    with qr.connect(folders[0]):
        inner = [qr.connect(folders[n]) for n in (1, 2, 3)]
        for connection in reversed(inner):
            connection.close()
        assert on() == 0


def test_a_with_block_inside_another_is_given_back_after_connections_in_it(folders, on):
    with qr.connect(folders[0]):
        with qr.connect(folders[1]):
            inner = [qr.connect(folders[n]) for n in (2, 3)]
            for connection in reversed(inner):
                connection.close()
            assert on() == 1
        assert on() == 0


def test_a_connection_that_could_not_be_opened_leaves_the_default(connect, folders, tmp_path, on):
    connect(folders[0])
    with pytest.raises(qr.errors.ArchiveError):
        qr.connect(tmp_path / "nowhere")
    with pytest.raises(qr.errors.RangeError):
        qr.connect(folders[1], at="2020-01-01")
    assert on() == 0


def test_a_closed_connection_says_so(folders):
    con = qr.connect(folders[0])
    con.close()
    with pytest.raises(qr.errors.ClosedError, match=r"qr\.connect"):
        con.trades("BTCUSDT", limit=1)
    with pytest.raises(qr.errors.ClosedError):
        con.sql("SELECT 1")


def test_without_any_connection_a_call_opens_the_sample_and_says_so_once(monkeypatch):
    monkeypatch.setattr(default, "_made", [])
    monkeypatch.setattr(default, "_kept", [])
    with pytest.warns(qr.errors.SampleDataWarning, match="synthetic") as said:
        frame = qr.klines("BTCUSDT", "1h", hours=3)
    assert len(said) == 1
    assert frame.attrs["qalypto"]["synthetic"] is True
    assert len(qr.klines("BTCUSDT", "1h", hours=3)) == 3
    default.default_connection().close()
