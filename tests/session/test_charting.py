"""``live.chart``: a buffer of a real stream joined with the charts."""

from __future__ import annotations

import datetime as dt
import gc
import threading
import time
import weakref
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from told_candles import paint_by_hand
from waiting import wait

import qalypto_research as qr
from qalypto_research.charts.widgets.painter import PAINTER
from qalypto_research.charts.widgets.source import Pick
from qalypto_research.session import charting
from qalypto_research.session.charting import LiveSource

BTC = Pick("BTCUSDT", "1m", "binance")


@pytest.fixture(scope="module")
def con():
    with qr.connect("sample", speed=20) as opened:
        yield opened


@pytest.fixture
def live(con):
    """Return a buffer; hold that its charts end with it."""
    with con.live("kline:1m:btcusdt", "kline:5m:ethusdt") as made:
        yield made
    assert len(PAINTER) == 0


def chart(live, *args, **options):
    return live.chart(*args, **{"interactive": False, **options})


def wait_until_collected(*held):
    """Wait until nothing holds these any more. Collecting holds the interpreter: in between the painter is to come to its next picture."""
    wait(lambda: gc.collect() is not None and all(one() is None for one in held), every_s=0.5)


def test_it_begins_with_the_history_and_goes_on_with_the_stream(con, live):
    made = chart(live, "btcusdt", "1m", before=50)
    assert made.showing == BTC
    first = pd.Timestamp(made._follower.rows[0, 0], unit="s", tz="UTC")
    known = len(made._follower.rows)
    assert known >= 50
    wait(lambda: made._follower.rows[-1, 0] > first.timestamp() + 60 * (known + 1))
    rows = made._follower.rows
    stored = con.klines("BTCUSDT", "1m", start=first, minutes=len(rows) - 2)
    assert rows[: len(stored), 1:6].tolist() == stored[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    assert (rows[: len(stored), 0] - first.timestamp()).tolist() == [60.0 * n for n in range(len(stored))]


def test_without_history_it_has_what_has_come(live):
    live.wait(rows=1, table="kline")
    wait(lambda: len(live.klines("BTCUSDT", "1m", exchange="binance", final=False)))
    made = chart(live, "BTCUSDT", before=0)
    assert 1 <= len(made._follower.rows) <= 20


def test_a_history_that_cannot_be_had_is_said_and_the_stream_is_shown(live, monkeypatch):
    def fail(*_, **__):
        raise qr.errors.ServiceError("nobody answers")

    monkeypatch.setattr("qalypto_research.session.charting.history.klines", fail)
    made = chart(live, "BTCUSDT")
    assert made._follower.whole().note == "without the candles before: nobody answers"


def test_a_closed_candle_of_the_history_is_not_undone_by_a_running_one(live):
    wait(lambda: len(live.klines("BTCUSDT", "1m", exchange="binance", final=False)) > 1)
    klines, _ = LiveSource(live, 50).klines(BTC)
    assert klines.index.is_monotonic_increasing
    assert klines.index.is_unique
    assert klines["is_final"].iloc[:-2].all()


def test_the_same_cell_again_has_the_same_chart(live):
    made = chart(live, "BTCUSDT")
    assert chart(live, "btcusdt", "1m", exchange="binance", tz="UTC") is made
    assert chart(live, "BTCUSDT", height=300) is not made
    made.stop()
    assert chart(live, "BTCUSDT") is not made


def test_a_chart_that_is_over_does_not_keep_its_buffer(con):
    live = con.live("kline:1m:btcusdt", name="nobody's")
    made = chart(live, "BTCUSDT")
    made.close()
    intake, mine = live.intake, weakref.ref(live)
    del live, made
    wait_until_collected(mine)
    assert intake.given_up


def test_stopping_the_buffer_stops_its_charts(con):
    live = con.live("kline:1m:btcusdt", name="to be stopped")
    made = chart(live, "BTCUSDT")
    assert len(PAINTER) == 1
    live.stop()
    assert made.ended
    assert len(PAINTER) == 0


def test_one_can_choose_what_is_listened_to(live):
    source = LiveSource(live, 0)
    choices = source.choices()
    assert (choices.symbols, choices.intervals) == (("BTCUSDT", "ETHUSDT"), ("1m", "5m"))
    live.wait(rows=4, table="kline")
    assert "binance" in LiveSource(live, 0).choices().exchanges


def test_news_are_of_the_chosen_candles_alone(live):
    source = LiveSource(live, 0)
    mark = source.mark()
    seen = []
    until = time.monotonic() + 20
    while len(seen) < 3:
        assert time.monotonic() < until
        news = source.news(BTC, mark)
        if news is not None:
            mark = news.mark
            seen += [news.klines] if len(news.klines) else []
        threading.Event().wait(0.02)
    together = pd.concat(seen)
    assert {tuple(row) for row in together[["symbol", "interval", "exchange"]].astype(str).to_numpy()} == {("BTCUSDT", "1m", "binance")}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["DOGEUSD"], {}, r"symbol: 'DOGEUSD' is not known; .*allowed: BTCUSDT, ETHUSDT"),
        (["SOLUSDT"], {}, r"symbol: 'SOLUSDT' is not known; .*listen to it: qr.live\('kline:"),
        (["BTCUSDT", "1h"], {}, r"interval: '1h' is not known; allowed: 1m, 5m; no such candles are listened to"),
        (["BTCUSDT", "90s"], {}, r"interval: '90s' is not known"),
        ([["BTCUSDT", "ETHUSDT"]], {}, r"symbol: \['BTCUSDT', 'ETHUSDT'\] must be one name; a chart shows one series"),
        (["BTCUSDT"], {"exchange": "kraken"}, r"exchange: 'kraken' is not known; allowed: binance"),
        (["BTCUSDT"], {"exchange": "all"}, r"exchange: a chart shows one exchange, not 'all'"),
        (["BTCUSDT"], {"tz": "Mars/Base"}, r"tz: 'Mars/Base' is not a time zone"),
        (["BTCUSDT"], {"tz": dt.timezone(dt.timedelta(hours=5))}, r"tz: .*timedelta.* has no name that a browser knows"),
        (["BTCUSDT"], {"theme": "drak"}, r"theme: 'drak' is not known; did you mean 'dark'"),
        (["BTCUSDT"], {"height": 20}, r"height: 20 must be a whole number from 160 to 4,000"),
        (["BTCUSDT"], {"before": -1}, r"before: -1 must be a whole number from 0 to 2,000"),
        (["BTCUSDT"], {"before": True}, r"before: True must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(live, arguments, options, message):
    with pytest.raises(qr.errors.InputError, match=message):
        chart(live, *arguments, **options)
    assert len(PAINTER) == 0


def test_a_buffer_without_candles_is_refused(con):
    with con.live("trade:btcusdt") as live, pytest.raises(qr.errors.InputError, match="which brings no klines; add 'kline' to"):
        live.chart("BTCUSDT")


@pytest.mark.parametrize("asked", [0, "no", []])
def test_interactive_is_true_or_false(live, asked):
    with pytest.raises(qr.errors.InputError, match=r"interactive: .* must be True or False"):
        live.chart("BTCUSDT", interactive=asked)
    assert len(PAINTER) == 0


def test_a_picture_that_fails_keeps_nothing_else_from_ending(con, monkeypatch):
    paint_by_hand(monkeypatch)  # or the painter may be the first to see that the buffer has stopped, and end the charts
    live = con.live("kline:1m:btcusdt", "kline:5m:ethusdt")
    bad, good = chart(live, "BTCUSDT"), chart(live, "ETHUSDT", "5m")
    for one in (bad, good):
        one._display_ids = {"cell": "shown"}
    monkeypatch.setattr(bad, "_to_picture", lambda: 1 / 0)
    monkeypatch.setattr(good, "_to_picture", lambda: b"png")
    monkeypatch.setattr(good, "replace_output", lambda _: None)
    live.on("kline", lambda _: None)
    with pytest.raises(ZeroDivisionError):
        live.stop()
    assert good._image.value == b"png"
    assert live.events["what"].iloc[-1] == "stopped"
    live.stop()
    wait(lambda: not any(thread.name.startswith("qalypto-callback") for thread in threading.enumerate()))


@pytest.mark.parametrize("tz", ["Asia/Tokyo", ZoneInfo("Asia/Tokyo")])
def test_times_are_written_in_the_display_zone(live, tz):
    assert chart(live, "BTCUSDT", tz=tz).zone == "Asia/Tokyo"
    assert chart(live, "BTCUSDT", tz=dt.UTC).zone == "UTC"


def test_a_cell_that_is_run_again_shows_what_it_says(live):
    made = chart(live, "BTCUSDT")
    made.switch("ETHUSDT", "5m")
    assert chart(live, "BTCUSDT") is made
    assert made.showing == BTC


def test_a_chart_of_a_buffer_that_was_stopped_ends_by_itself(con):
    live = con.live("kline:1m:btcusdt", name="stopped before")
    live.stop()
    made = chart(live, "BTCUSDT")
    wait(lambda: made.ended)
    wait(lambda: len(PAINTER) == 0)
    wait(lambda: live not in charting._charts)


def test_what_a_chart_cannot_show_is_not_offered_for_it(live):
    with pytest.raises(qr.errors.UnknownNameError) as caught:
        chart(live, "BTCUSDT", exchange="kraken")
    assert caught.value.allowed == ("binance", "bitget", "bybit", "okx")


class Shell:
    """Says which cell runs, as a notebook's shell does."""

    def __init__(self, monkeypatch):
        self.runs = 0
        monkeypatch.setattr("qalypto_research.charts.widgets.cells.running_shell", lambda: self)

    def get_parent(self):
        return {"header": {"msg_id": f"run {self.runs}"}, "metadata": {"cellId": "the cell"}}


def test_what_a_cell_made_the_time_before_is_closed_and_what_it_makes_again_goes_on(live, monkeypatch):
    shell = Shell(monkeypatch)
    same, *others = chart(live, "ETHUSDT", "5m"), *[chart(live, "BTCUSDT", height=height) for height in (300, 301)]
    shell.runs = 1
    assert chart(live, "ETHUSDT", "5m") is same
    new = chart(live, "BTCUSDT", height=302)
    wait(lambda: all(one.ended for one in others) and len(PAINTER) == 2)
    assert not same.ended
    assert not new.ended
    held = [weakref.ref(one) for one in others]
    others.clear()
    wait_until_collected(*held)
