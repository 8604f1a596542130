"""What a dashboard's page is told while it is paused, switched, loaded again and silent; and the picture of a moment."""

from __future__ import annotations

import numpy as np
import pytest
from told_candles import paint_by_hand
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.widgets import board_picture, bundle
from qalypto_research.charts.widgets.source import Pick

pytestmark = pytest.mark.skipif(bool(bundle.find_obstacle()), reason=f"no interactive charts: {bundle.find_obstacle()}")


@pytest.fixture(scope="module")
def live():
    with qr.connect("sample", speed=10) as con, con.live("kline", "trade", "ticker", "orderbook") as made:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            wait(lambda: len(made.orderbooks(symbol, depth=1)) and len(made.trades(symbol)) > 5)  # noqa: B023 - it is waited for here
            wait(lambda: len(made.last(symbol)) == 4)  # noqa: B023
        yield made


class Told:
    """A dashboard that is painted by hand, and what its page was told."""

    def __init__(self, live):
        self.board = live.dashboard("BTCUSDT", "1m", interactive=True)
        self.sent = []
        self.board.send = lambda content, buffers=(): self.sent.append((content, [bytes(one) for one in buffers]))

    def paint(self):
        """Return the panes that were told with the next picture, by name, and of which series."""
        self.sent.clear()
        self.board._panes_due_s = float("-inf")
        self.board.paint()
        panes = [(content, buffers) for content, buffers in self.sent if content["kind"] == "panes"]
        return {
            part["name"]: (content["series"], part, np.frombuffer(numbers))
            for content, buffers in panes
            for part, numbers in zip(content["parts"], buffers, strict=True)
        }

    def hear(self, **content):
        self.board._hear(self.board, {"page": "p", **content}, [])


@pytest.fixture
def told(live, monkeypatch):
    paint_by_hand(monkeypatch)
    made = Told(live)
    yield made
    made.board.close()


def same(one, other):
    return all(one[name][1] == other[name][1] and np.array_equal(one[name][2], other[name][2], equal_nan=True) for name in other)


def test_switched_while_paused_it_tells_the_panes_of_the_new_candles_once(told):
    told.hear(kind="hello", series=1, number=0)
    told.paint()
    told.board.pause()
    assert told.paint() == {}
    told.board.switch("ETHUSDT")
    panes = told.paint()
    assert {name: series for name, (series, *_) in panes.items()} == dict.fromkeys(("quotes", "book", "tape", "health", "events"), 2)
    assert panes["quotes"][1]["symbol"] == "ETHUSDT"
    assert told.paint() == {}


def test_loaded_again_while_paused_it_tells_the_moment_of_the_pause(told, live):
    told.hear(kind="hello", series=1, number=0)
    first = told.paint()
    assert set(first) == {"quotes", "book", "tape", "health", "events"}
    told.board.pause()
    count = len(live.trades("BTCUSDT", exchange="binance"))
    wait(lambda: len(live.trades("BTCUSDT", exchange="binance")) > count + 5)
    told.hear(kind="hello", series=1, number=0)
    again = told.paint()
    assert set(again) == set(first)
    assert same(again, first)
    told.board.resume()
    wait(lambda: "tape" in (panes := told.paint()) and not same(first, {"tape": panes["tape"]}))


def test_a_switch_in_the_middle_of_a_picture_leaves_no_pane_out(told):
    told.hear(kind="hello", series=1, number=0)
    told.paint()
    told.board._follower.switch(Pick("ETHUSDT", "1m", "binance"))  # the painter may see so much of it
    assert set(told.paint()) == {"quotes", "book", "tape", "health", "events"}
    told.board.pause()
    told.board.begin_anew()
    assert set(told.paint()) == {"quotes", "book", "tape", "health", "events"}


def test_a_page_whose_greeting_was_lost_has_all_panes_by_the_next_word(told):
    told.hear(kind="hello", series=1, number=0)
    told.paint()
    told.board.pause()
    told.hear(kind="here", page="other", series=1, number=0)
    assert set(told.paint()) == {"quotes", "book", "tape", "health", "events"}
    told.hear(kind="here", page="other", series=1, number=0)
    assert told.paint() == {}


def test_paused_before_any_page_has_shown_it_it_has_panes_all_the_same(told):
    told.board.pause()
    told.hear(kind="hello", series=1, number=0)
    assert set(told.paint()) == {"quotes", "book", "tape", "health", "events"}


def test_where_no_page_is_heard_of_the_panes_are_told_seldom_and_not_never(told, monkeypatch):
    monkeypatch.setattr("qalypto_research.charts.widgets.hearing.UNHEARD_S", -1.0)
    monkeypatch.setattr("qalypto_research.charts.widgets.interactive.SELDOM_S", 0.0)
    assert told.paint()
    monkeypatch.setattr("qalypto_research.charts.widgets.interactive.SELDOM_S", 1e9)
    assert told.paint() == {}


def test_a_snapshot_is_of_now_all_of_it_and_disturbs_nothing(told, live, monkeypatch):
    told.paint()
    told.board.pause()
    whole = told.board._follower.whole()
    wait(lambda: live.klines("BTCUSDT", "1m", exchange="binance", final=False).index[-1].timestamp() > whole.rows[-1, 0])
    drawn = []
    monkeypatch.setattr(board_picture, "to_model", lambda rows, *_, **__: drawn.append(rows) or model(rows, *_, **__))
    assert told.board.snapshot()[:4] == b"\x89PNG"
    newest = live.klines("BTCUSDT", "1m", exchange="binance", final=False)
    assert drawn[0][-1, 0] > whole.rows[-1, 0]
    assert drawn[0][-1, 0] in (newest.index[-1].timestamp(), newest.index[-2].timestamp())
    assert told.board._follower.whole().number == whole.number
    assert np.array_equal(told.board._follower.whole().rows, whole.rows, equal_nan=True)


model = board_picture.to_model


def test_what_is_said_and_what_is_drawn_of_the_book_is_one_book(told, monkeypatch):
    read = []
    book = told.board._source.book
    monkeypatch.setattr(told.board._source, "book", lambda *arguments: read.append(book(*arguments)) or read[-1])
    drawn = []
    build = board_picture.build_book
    monkeypatch.setattr(board_picture, "build_book", lambda frame, **options: drawn.append(frame) or build(frame, **options))
    told.board.snapshot()
    assert len(read) == 1
    assert drawn[0] is read[0]


def test_what_it_was_stays_in_a_saved_notebook(told):
    assert told.board._said() == "dashboard of BTCUSDT 1m on binance"
