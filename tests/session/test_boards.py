"""``live.dashboard``: a buffer of a real stream joined with the panes of a dashboard."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.panes import Panes
from qalypto_research.charts.widgets.source import Pick
from qalypto_research.schema.tables import TRADE
from qalypto_research.session.boards import BoardLiveSource

BTC = Pick("BTCUSDT", "1m", "binance")


@pytest.fixture(scope="module")
def con():
    with qr.connect("sample", speed=10) as opened:
        yield opened


@pytest.fixture(scope="module")
def live(con):
    """Return a buffer to which everything has come."""
    with con.live("kline", "trade", "ticker", "orderbook") as made:
        wait(lambda: len(made.orderbooks("BTCUSDT", depth=1)) and len(made.trades("BTCUSDT")) > 5)
        wait(lambda: len(made.last("BTCUSDT")) == 4)
        yield made
    assert len(PAINTER) == 0


def read(source, pick=BTC):
    return {part.name: part for part in Panes(source, 5.0).take(pick)}


def test_the_panes_show_what_the_calls_return(live):
    source = BoardLiveSource(live, 0)
    tops = live.orderbooks("BTCUSDT", depth=5, exchange="binance")
    parts = read(source)
    assert list(parts) == ["quotes", "book", "tape", "health", "events"]
    book = parts["book"]
    at = tops.index[-1].timestamp()
    assert book.facts["at"] >= at
    if book.facts["at"] == at:  # no other has come meanwhile
        assert book.numbers[:5, 0].tolist() == tops.iloc[-1][[f"bid_price_{n}" for n in range(5)]].tolist()
        assert book.numbers[book.facts["bids"] :][:5, 1].tolist() == tops.iloc[-1][[f"ask_size_{n}" for n in range(5)]].tolist()
    bids, asks = book.numbers[: book.facts["bids"], 0], book.numbers[book.facts["bids"] :, 0]
    assert (np.diff(bids) < 0).all()
    assert (np.diff(asks) > 0).all()
    assert bids[0] < asks[0]
    assert parts["quotes"].facts["exchanges"] == ["binance", "bitget", "bybit", "okx"]
    assert (parts["quotes"].numbers[:, 0] < parts["quotes"].numbers[:, 1]).all()
    assert parts["health"].facts["kinds"] == ["trade", "ticker", "kline", "orderbook"]
    assert parts["health"].numbers.shape == (16, 4)
    assert parts["events"].facts["events"][0][1] == "live"


def test_the_tape_goes_on_with_what_comes_and_repeats_nothing(live):
    source, panes = BoardLiveSource(live, 0), Panes(BoardLiveSource(live, 0), 5.0)
    mark = source.trades(BTC, None, 60)[1]
    tape = None
    until = time.monotonic() + 40
    while time.monotonic() < until:
        for part in panes.take(BTC):
            tape = part.numbers if part.name == "tape" else tape
        if len(source.trades(BTC, mark, 60)[0]) > 20:
            break
        threading.Event().wait(0.03)
    trades = live.trades("BTCUSDT", exchange="binance").sort_values("received", kind="stable")  # a late one stands where it came
    seconds = trades.index.as_unit("us").asi8 / 1e6
    known = list(zip(seconds.tolist(), trades["price"].tolist(), trades["amount"].tolist(), strict=True))
    shown = list(map(tuple, tape[:, [0, 2, 3]].tolist()))
    assert len(shown) > 20
    assert not Counter(shown) - Counter(known), "none that did not come, and none more often than it came"
    end = max(at for at, one in enumerate(known) if one in set(shown)) + 1
    assert not Counter(known[end - 20 : end]) - Counter(shown), "none is left out"


def test_a_part_without_news_is_not_told_again(live):
    panes = Panes(BoardLiveSource(live, 0), 5.0)
    begun = time.monotonic()
    panes.take(BTC)
    assert min(panes._due_s.values()) > begun
    panes._due_s = dict.fromkeys(panes._due_s, float("inf"))
    assert panes.take(BTC) == []  # not due
    panes._due_s = dict.fromkeys(panes._due_s, float("-inf"))
    assert "events" not in {part.name for part in panes.take(BTC)}
    assert {part.name for part in panes.take(Pick("ETHUSDT", "1m", "okx"))} == {"quotes", "book", "tape", "health", "events"}


def test_what_is_not_listened_to_says_so(con):
    with con.live("kline:1m:btcusdt", name="few") as few:
        parts = read(BoardLiveSource(few, 0))
        assert "brings no tickers; add 'ticker' to qr.live(...)" in parts["quotes"].facts["why"]
        assert "add 'orderbook'" in parts["book"].facts["why"]
        assert "add 'trade'" in parts["tape"].facts["why"]
        assert "why" not in parts["events"].facts


def test_of_a_symbol_that_is_not_listened_to_no_other_ones_quotes_are_shown(con):
    with con.live("kline", "ticker:btcusdt", name="quotes of one") as few:
        wait(lambda: len(few.last("BTCUSDT")))
        panes = Panes(BoardLiveSource(few, 0), 5.0)
        first = {part.name: part for part in panes.take(BTC)}
        assert first["quotes"].facts["symbol"] == "BTCUSDT"
        for _ in range(3):
            told = {part.name: part for part in panes.take(Pick("ETHUSDT", "1m", "binance"))}
            assert "quotes" not in told or "'ETHUSDT' is not known" in told["quotes"].facts["why"]
            panes._due_s["quotes"] = float("-inf")
        assert {part.name: part for part in panes.take(BTC)}["quotes"].facts["symbol"] == "BTCUSDT"


def test_without_quotes_the_others_are_told_all_the_same(con):
    with con.live("kline", name="candles alone") as few:
        panes = Panes(BoardLiveSource(few, 0), 5.0)
        first = {part.name: part.facts for part in panes.take(BTC)}
        assert "brings no ticker" in first["quotes"]["why"]
        assert "why" not in first["health"]
        panes._due_s = dict.fromkeys(panes._due_s, float("-inf"))
        again = {part.name: part.facts for part in panes.take(BTC)}
        assert set(again) <= {"health", "events"}, "what cannot be had is said once"


def test_a_pane_that_fails_says_so_in_its_place_and_is_whole_again_after(live, monkeypatch):
    source = BoardLiveSource(live, 0)
    panes = Panes(source, 5.0)
    panes.take(BTC)

    def fail():
        raise KeyError("of no use")

    panes._due_s = dict.fromkeys(panes._due_s, float("-inf"))
    monkeypatch.setattr(source, "events", fail)
    told = {part.name: part.facts for part in panes.take(BTC)}
    assert told["events"] == {"why": "KeyError: 'of no use'"}
    assert "totals" in told["health"]
    monkeypatch.undo()
    panes._due_s = dict.fromkeys(panes._due_s, float("-inf"))
    assert {part.name: part.facts for part in panes.take(BTC)}["events"]["events"][0][1] == "live"


def test_trades_that_come_while_the_tape_is_read_are_told_once(live, monkeypatch):
    source = BoardLiveSource(live, 0)
    panes = Panes(source, 5.0)
    store = live.intake.store
    begun = store.marks()
    since = store.since

    def late(*arguments):
        read = since(*arguments)
        end = store.marks()
        wait(lambda: len(since(TRADE, end, ("BTCUSDT",))[0]) > 5)
        return read

    for name in ("since", "frame"):  # whatever it is read by, more comes right before and after
        made = getattr(store, name)
        monkeypatch.setattr(store, name, late if name == "since" else lambda *a, _made=made, **k: (late(TRADE, begun), _made(*a, **k))[1])
    panes.take(BTC)
    monkeypatch.undo()
    wait(lambda: {"tape"} & {part.name for part in panes.take(BTC)})
    trades = live.trades("BTCUSDT", exchange="binance")
    known = Counter(zip((trades.index.as_unit("us").asi8 / 1e6).tolist(), trades["price"].tolist(), trades["amount"].tolist(), strict=True))
    shown = Counter(map(tuple, panes._tape[:, [0, 2, 3]].tolist()))
    assert sum(shown.values()) > 5
    assert not shown - known, "none more often than it came"


def test_the_tape_begins_with_the_newest_of_its_exchange_however_many_others_there_are(live):
    source = BoardLiveSource(live, 0)
    okx = Pick("BTCUSDT", "1m", "okx")
    wait(lambda: len(live.trades("BTCUSDT", exchange="okx")) > 3)
    frame, mark = source.trades(okx, None, 3)
    later = live.trades("BTCUSDT", exchange="okx")
    assert len(frame) == 3
    assert set(frame["exchange"].astype(str)) == {"okx"}
    at = later["trade_id"].tolist().index(frame["trade_id"].iloc[-1])
    assert frame["trade_id"].tolist() == later["trade_id"].iloc[at - 2 : at + 1].tolist()
    wait(lambda: len(source.trades(okx, mark, 3)[0]))
    assert source.trades(okx, mark, 3)[0]["trade_id"].iloc[0] == live.trades("BTCUSDT", exchange="okx")["trade_id"].iloc[at + 1]


def test_before_anything_has_come_there_is_a_picture_too(con):
    with con.live("orderbook:dotusdt", "kline:1d:dotusdt", name="nothing yet") as live:
        board = live.dashboard(interactive=False, before=0)
        assert Image.open(io.BytesIO(board.snapshot())).size == (1260, 790)
        assert board.showing.symbol == "DOTUSDT"


def test_a_book_of_which_only_updates_came_lately_is_the_last_whole_one(live):
    whole = live.orderbooks("BTCUSDT", depth=3, exchange="okx")
    book = BoardLiveSource(live, 0).book(Pick("BTCUSDT", "1m", "okx"), 3)
    assert len(book) == 1
    assert book["is_snapshot"].all()
    assert book.index[0] >= whole.index[whole["is_snapshot"]][-1]


def test_a_dashboard_without_a_bundle_is_a_picture(live):
    board = live.dashboard("btcusdt", interactive=False, tz="Asia/Tokyo", theme="dark")
    assert board.showing == BTC
    assert live.dashboard("BTCUSDT", "1m", interactive=False, tz="Asia/Tokyo", theme="dark") is board
    picture = Image.open(io.BytesIO(board.snapshot())).convert("RGB")
    assert picture.size == (1260, 790)
    assert picture.getpixel((2, 2)) == (0x12, 0x17, 0x1F)
    first = board._image.value
    wait(lambda: board._image.value != first)
    board.stop()
    assert board.ended


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbol": "DOGEUSD"}, r"symbol: 'DOGEUSD' is not known; did you mean 'DOGEUSDT'"),
        ({"symbol": "BTCUSDT", "stale": "soon"}, r"stale: 'soon'"),
        ({"symbol": "BTCUSDT", "theme": "drak"}, r"theme: 'drak' is not known; did you mean 'dark'"),
        ({"symbol": "BTCUSDT", "height": 20}, r"height: 20 must be a whole number from 160 to 4,000"),
    ],
)
def test_what_cannot_be_is_refused(live, options, message):
    with pytest.raises(qr.errors.InputError, match=message):
        live.dashboard(interactive=False, **options)


def test_a_buffer_without_candles_is_refused(con):
    with con.live("trade:btcusdt") as live, pytest.raises(qr.errors.InputError, match="which brings no klines; add 'kline' to"):
        live.dashboard()
