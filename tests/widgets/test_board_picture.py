"""The picture of a dashboard: what its tables write, and that nothing is cut through."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from qalypto_research.charts.model.numbers import amount_text
from qalypto_research.charts.model.themes import LIGHT
from qalypto_research.charts.widgets.board_picture import _BoardPicture
from qalypto_research.charts.widgets.colours import COLOURS
from qalypto_research.charts.widgets.panes import DEPTH, Part, _quotes, _side, _tape

NAN = float("nan")
AT = 1_772_454_645.0  # 2026-03-02 12:30:45 UTC


@pytest.fixture
def picture():
    return _BoardPicture(LIGHT, dt.UTC)


def rows(picture, name):
    """Return the texts of a table, line by line."""
    lines = {}
    for text in picture._panes[name].texts:
        lines.setdefault(text.xyann[1], []).append(text)
    return [lines[place] for place in sorted(lines, reverse=True)]


def written(picture, name):
    return [[text.get_text() for text in row] for row in rows(picture, name)]


def boxes(picture, name):
    """Return the box of each text, and of the pane, in pixels."""
    renderer = picture.figure.canvas.get_renderer()
    texts = [text.get_window_extent(renderer) for row in rows(picture, name) for text in row]
    return texts, picture._panes[name].get_window_extent(renderer)


def test_who_is_stale_is_not_among_the_best():
    prices = np.array([[100.0, 102.0, 101.0], [101.0, 103.0, 102.0], [105.0, 100.5, NAN], [NAN, NAN, 99.0]])
    numbers = _quotes(prices, np.array([1.0, 5.0, 5.1, NAN]), 5.0)
    assert numbers[:, 5].tolist() == [0, 1, 0, 0]
    assert numbers[:, 6].tolist() == [1, 0, 0, 0]
    assert numbers[:2, 2] == pytest.approx([1e4 * 2 / 101, 1e4 * 2 / 102])
    assert numbers[:, 4].tolist()[:3] == [1.0, 5.0, 5.1]
    assert _quotes(np.full((2, 3), NAN), np.full(2, NAN), 5.0)[:, 5:].tolist() == [[0, 0], [0, 0]]


def test_quotes_are_written_as_in_the_page(picture):
    numbers = np.array([[100.0, 102.5, 246.9, 101.0, 1.26, 1, 0], [NAN, 99.5, NAN, NAN, 125.0, 0, 1]])
    facts = {"symbol": "BTCUSDT", "exchanges": ["binance", "okx"], "precision": 1, "stale": 60.0}
    picture.draw(Part("quotes", facts, numbers))
    assert written(picture, "quotes")[1:] == [
        ["binance", "100.0", "102.5", "246.90", "101.0", "1.3 s"],
        ["okx", "–", "99.5", "–", "–", "2 min"],  # noqa: RUF001
    ]
    _, fresh, stale = rows(picture, "quotes")
    assert [text.get_fontweight() for text in fresh] == ["normal", "bold", "normal", "normal", "normal", "normal"]
    assert [text.get_fontweight() for text in stale[2:]] == ["bold", "normal", "normal", "bold"]
    assert stale[5].get_color() == COLOURS["light"]["stale"]


def test_the_tape_tells_liquidations(picture):
    numbers = np.array([[AT, 1, 66_200.1, 0.000042, 0], [AT + 1, -1, 66_200.0, 1_250.0, 1], [AT + 2, 0, 66_200.0, NAN, 1]])
    picture.draw(Part("tape", {"exchange": "okx", "precision": 1}, numbers))
    assert written(picture, "tape")[1:] == [
        ["12:30:47", "liq", "66,200.0", "–"],  # noqa: RUF001
        ["12:30:46", "▼ sell liq", "66,200.0", "1.25k"],
        ["12:30:45", "▲ buy", "66,200.1", "0.000042"],
    ]


def test_no_row_and_no_word_is_cut_through(picture):
    long = "orderbook of binance, BTCUSDT: 1,250 messages between 12:30:45 and 12:31:10"
    picture.draw(Part("events", {"events": [[AT + i, "lost", long if i else "short"] for i in range(60)]}, np.empty(0)))
    picture.draw(Part("tape", {"exchange": "okx", "precision": 1}, np.tile([AT, 1, 66_200.1, 0.1, 0], (60, 1))))
    for name in ("events", "tape"):
        texts, pane = boxes(picture, name)
        assert min(box.y0 for box in texts) >= pane.y0 - 0.5
        assert max(box.x1 for box in texts) <= pane.x1 + 0.5
        # And there is no room for one row more.
        assert min(box.y0 for box in texts) < pane.y0 + 26
    detail = written(picture, "events")[0][2]
    assert detail.endswith("…")
    assert long.startswith(detail.removesuffix("…"))
    assert len(detail) > 20


def test_what_there_is_room_for_is_written_whole(picture):
    picture.draw(Part("events", {"events": [[AT, "live", "kline, orderbook, ticker, trade"]]}, np.empty(0)))
    assert written(picture, "events") == [["12:30:45", "live", "kline, orderbook, ticker, trade"]]


def test_sizes_have_three_digits_and_no_exponent():
    sizes = [4.2e-5, 0.00042, 0.0213, 0.5, 13.48, 999.96, 1_250.0, 999_960.0, 2.5e6, 1.2e9]
    assert [amount_text(size) for size in sizes] == ["0.000042", "0.00042", "0.0213", "0.5", "13.5", "1k", "1.25k", "1M", "2.5M", "1.2B"]


def test_sizes_that_cannot_be_are_not_in_the_panes():
    """Of a book of two levels, and of trades."""
    book = pd.DataFrame({f"bid_{field}_{level}": [NAN] for level in range(DEPTH) for field in ("price", "size")})
    for level, (price, size) in enumerate([(100.0, 2.0), (99.0, -50.0), (98.0, 3.0), (97.0, np.inf)]):
        book[[f"bid_price_{level}", f"bid_size_{level}"]] = price, size
    assert _side(book, "bid").tolist() == [[100.0, 2.0], [98.0, 3.0]]
    index = pd.DatetimeIndex(["2026-03-02 12:30:45"] * 3, tz="UTC", name="timestamp").as_unit("us")
    trades = pd.DataFrame({"price": 1.0, "amount": [5.0, -5.0, np.inf], "side": "buy", "is_liquidation": False}, index=index)
    assert np.array_equal(_tape(trades)[:, 3], [5.0, NAN, NAN], equal_nan=True)
