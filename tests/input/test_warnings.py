"""Warnings point at the line of the user's code that asked, whichever way the call was made."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from pathlib import Path

import pytest
from archives import klines, trade, write

import qalypto_research as qr


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gappy")
    write(folder, "kline", [*klines("12:00", 3), *klines("12:05", 2)])
    write(folder, "trade", [trade("12:00")])
    with qr.connect(folder, at="2026-03-02 12:07:30") as connection:
        yield connection


CALLS = {
    "holes": (qr.errors.GapWarning, "2 candles of 1m are missing in 1 hole", lambda q: q.klines("BTCUSDT", "1m", start="2026-03-02 12:00")),
    "early": (qr.errors.GapWarning, "market_data_trade begins at 2026-03-02 12:00:00", lambda q: q.trades("BTCUSDT", days=1)),
    "format": (qr.errors.FormatDroppedWarning, "FORMAT TSV was dropped", lambda q: q.sql("SELECT 1 FORMAT TSV")),
    "wall": (qr.errors.WallClockWarning, r"now\(\) is wall time.*\{now\}", lambda q: q.sql("SELECT now()")),
}


@pytest.mark.parametrize("through", [lambda con: con, lambda _: qr], ids=["connection", "top level"])
@pytest.mark.parametrize("name", CALLS)
def test_a_warning_points_at_the_line_that_asked(gappy, name, through):
    category, said, call = CALLS[name]
    with pytest.warns(category, match=said) as caught:
        call(through(gappy))
    assert len(caught) == 1
    assert Path(caught[0].filename) == Path(__file__)
    assert caught[0].lineno == inspect.getsourcelines(call)[1]
    assert issubclass(category, qr.errors.QalyptoWarning)
    assert issubclass(category, UserWarning)


def test_a_warning_from_within_a_context_manager_of_the_user_points_there(gappy):
    @contextmanager
    def asking():
        yield gappy.sql("SELECT 1 FORMAT TSV")

    with pytest.warns(qr.errors.FormatDroppedWarning) as caught, asking():
        pass
    assert Path(caught[0].filename) == Path(__file__)


def test_gaps_can_be_an_error_that_holds_them(gappy):
    with pytest.raises(qr.errors.GapError, match="2 candles of 1m are missing") as caught:
        gappy.klines("BTCUSDT", "1m", start="2026-03-02 12:00", gaps="raise")
    holes = caught.value.holes
    assert [list(map(str, row)) for row in holes.itertuples(index=False)] == [
        ["binance", "BTCUSDT", "2026-03-02 12:03:00+00:00", "2026-03-02 12:05:00+00:00", "2"]
    ]


def test_gaps_can_be_ignored(gappy):
    assert len(gappy.klines("BTCUSDT", "1m", start="2026-03-02 12:00", gaps="ignore")) == 5  # warnings are errors
