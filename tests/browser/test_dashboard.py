"""The dashboard as a person has it: in JupyterLab, in a real browser, on the stand-in's stream."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path

import pytest
from live_view import VIEW, begin, load_again, settle, value, wait, wait_drawn, wait_said

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BEGIN = "import qalypto_research as qr\ncon = qr.connect('sample', speed=2)\nlive = con.live('kline', 'trade', 'ticker', 'orderbook')"
BOARD = "board = live.dashboard('BTCUSDT', '1m', stale='8s')\nboard"

CHOICES = ("symbol", "interval", "exchange")
PANES = ("quotes", "book", "tape", "health", "events")
CORNER = "import io; from PIL import Image; print(Image.open(io.BytesIO(board.snapshot())).convert('RGB').getpixel((2, 2)))"
ORDER = "from qalypto_research.local.orders import to_faults_order\n"


SHOWN = f"{list(PANES)}.every((name) => view.panes[name].part && !view.panes[name].part.why && !view.panes[name].body.hidden)"


@pytest.fixture(scope="module")
def running(open_notebook):
    notebook = open_notebook("board", BEGIN, BOARD)
    wait_drawn(notebook)
    settle(notebook, "board")
    return notebook


@pytest.fixture
def notebook(running):
    """Return a notebook with a dashboard as it was opened, all of whose panes have something fresh to show; no error may come of a test."""
    running.page.evaluate(f"Object.values({VIEW}.panes).forEach((pane) => {{ pane.part = null; }})")  # told anew, as all of it is
    begin(running, "board")
    wait(running, f"{SHOWN} && view.panes.tape.part.exchange === 'binance' && view.panes.book.part.exchange === 'binance'")
    wait(running, "view.panes.quotes.part.symbol === 'BTCUSDT' && document.querySelectorAll('[data-stale=true]').length === 0")
    yield running
    assert running.errors == []


def pane(notebook, name):
    return notebook.page.locator(f".qalypto-board [data-pane={name}]")


def texts(notebook, name):
    """Return the texts of a pane's rows."""
    rows = pane(notebook, name).locator("tbody tr")
    return rows.evaluate_all("rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")


def number(text):
    return float(text.replace(",", ""))


def test_it_appears_with_all_its_panes(notebook, picture):
    rows = texts(notebook, "quotes")
    assert [row[0] for row in rows] == ["binance", "bitget", "bybit", "okx"]
    for _, bid, ask, bps, last, age in rows:
        assert number(bid) < number(ask) < 1.01 * number(last)
        assert number(bps) == pytest.approx(1e4 * (number(ask) - number(bid)) / number(bid), abs=0.01)
        assert re.fullmatch(r"\d\.\d s", age)
    wait(notebook, "view.panes.tape.body.textContent.includes('▲ buy') && view.panes.tape.body.textContent.includes('▼ sell')")
    tape = texts(notebook, "tape")
    assert [row[0] for row in tape] == sorted((row[0] for row in tape), reverse=True)
    assert {row[1] for row in tape} <= {"▲ buy", "▼ sell", "▲ buy liq", "▼ sell liq"}
    assert [row[0] for row in texts(notebook, "health")] == ["trade", "ticker", "kline", "orderbook"]
    assert ["live", "kline, orderbook, ticker, trade"] in [row[1:] for row in texts(notebook, "events")]
    assert notebook.page.locator(".qalypto-badge").text_content() == "synthetic"
    # A picture for whoever wants to see it; the one in notebooks/ was made by it.
    notebook.page.wait_for_timeout(3_000)
    path = picture("dashboard")
    notebook.page.locator(".qalypto-board").screenshot(path=path)
    assert 20_000 < Path(path).stat().st_size < 150_000


def test_it_shows_what_the_calls_return(notebook):
    read = "book = board._source.book(board.showing, 100)\nprint(book['bid_size_0'].iloc[0], book['ask_price_0'].iloc[0], len(live.events))"
    until = time.monotonic() + 60
    while True:
        size, ask, events = map(float, notebook.run(read).split())
        shown = notebook.page.evaluate(
            f"(() => {{ const {{ numbers, bids }} = {VIEW}.panes.book.part; return [numbers[1], numbers[2 * bids]]; }})()"
        )
        if shown == [size, ask]:
            break
        assert time.monotonic() < until, f"{shown}, and not {[size, ask]}"  # another book had come between the two
    wait(notebook, f"view.panes.events.part.events.length >= {min(events, 60)}")


def test_it_moves_and_nothing_jumps(notebook):
    places = """() => [...document.querySelectorAll('.qalypto-board section')].map((one) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        return [x, y, width, height];
    })"""
    before, drawn, missed = notebook.page.evaluate(places), value(notebook, "panesDrawn"), value(notebook, "panesMissed")
    for name in ("quotes", "tape", "health"):
        notebook.page.wait_for_function(
            f"(seen) => {VIEW}.panes.{name}.body.textContent !== seen", arg=value(notebook, f"panes.{name}.body.textContent")
        )
    wait(notebook, f"view.panesDrawn > {drawn + 15}")
    assert notebook.page.evaluate(places) == before
    assert value(notebook, "panesMissed") == missed


def test_a_missed_number_is_asked_for_again(notebook):
    # The next message that is not of all panes, and not of events, comes after one that was missed.
    missed = notebook.page.evaluate(
        f"""() => new Promise((tell) => {{
            const view = {VIEW}, {{ onNews }} = view;
            view.onNews = (content, buffers) => {{
                const plain = content.kind === 'panes' && !content.whole && content.parts.every((part) => part.name !== 'events');
                const before = view.panesMissed;
                if (plain) {{
                    delete view.onNews;
                    view.panesNumber -= 3;
                    view.panes.events.part = null;
                }}
                onNews.call(view, content, buffers);
                if (plain) tell(view.panesMissed - before);
            }};
        }})"""
    )
    assert missed == 1
    wait(notebook, "view.panes.events.part !== null")
    after, drawn = value(notebook, "panesMissed"), value(notebook, "panesDrawn")
    wait(notebook, f"view.panesDrawn > {drawn + 5}")
    assert value(notebook, "panesMissed") == after


def test_it_is_switched_in_its_place(notebook):
    notebook.page.locator("[data-choice=symbol]").select_option("ETHUSDT")
    wait(notebook, "view.whole.symbol === 'ETHUSDT' && view.panes.quotes.part.symbol === 'ETHUSDT'")
    assert all(1_000 < number(row[1]) < 10_000 for row in texts(notebook, "quotes"))
    notebook.page.locator("[data-choice=exchange]").select_option("okx")
    wait(notebook, "view.panes.tape.part.exchange === 'okx' && view.panes.book.part.exchange === 'okx'")
    assert pane(notebook, "tape").locator(".qalypto-aside").text_content() == "okx"
    notebook.page.locator("[data-choice=interval]").select_option("5m")
    wait(notebook, "view.whole.interval === '5m' && view.candles.times.at(-1) - view.candles.times.at(-2) === 300")
    notebook.run("board.switch('BTCUSDT', exchange='binance')")
    wait(notebook, "view.whole.symbol === 'BTCUSDT' && view.panes.book.part.exchange === 'binance'")
    assert [notebook.page.locator(f"[data-choice={name}]").input_value() for name in CHOICES] == ["BTCUSDT", "5m", "binance"]


def test_the_zone_is_that_of_all_times(notebook):
    notebook.page.locator("[data-choice=zone]").select_option("Asia/Tokyo")
    wait(notebook, "view.zone.name === 'Asia/Tokyo'")
    told = "[view.panes.events.part.events[0][0], view.panes.tape.part.numbers.at(-5), view.panes.book.part.at, view.candles.times.at(-1)]"
    shown = "[...['events', 'tape'].map((name) => view.panes[name].body.querySelector('tbody').rows)]"
    seconds, (event, trade, book, axis) = notebook.page.evaluate(
        f"""() => {{
            const view = {VIEW}, [events, tape] = {shown}, at = {told};
            const axis = view.candles.chart.options().timeScale.tickMarkFormatter(at[3]);
            return [at, [[...events].at(-1).cells[0].textContent, tape[0].cells[0].textContent, view.panes.book.aside.textContent, axis]];
        }}"""
    )
    clocks = [f"{dt.datetime.fromtimestamp(at, dt.UTC) + dt.timedelta(hours=9):%H:%M:%S}" for at in seconds]
    assert (event, trade, book) == (clocks[0], clocks[1], f"binance  {clocks[2]}")
    assert axis == clocks[3][:5] or clocks[3].startswith("00:00")
    wait_said(notebook, "print(board.zone)", "Asia/Tokyo")


def test_pause_holds_the_panes_and_not_the_buffer(notebook):
    notebook.page.click(".qalypto-board [data-does=pause]")
    wait(notebook, "view.told.textContent === 'paused'")
    names = ("quotes", "tape", "health")
    shown, rows = [texts(notebook, name) for name in names], int(notebook.run("print(len(live.trades('BTCUSDT')))"))
    notebook.page.wait_for_timeout(2_500)
    assert [texts(notebook, name) for name in names] == shown
    assert int(notebook.run("print(len(live.trades('BTCUSDT')))")) > rows
    notebook.page.click(".qalypto-board [data-does=pause]")
    wait(notebook, "view.told.textContent === 'live'")
    drawn = value(notebook, "panesDrawn")
    wait(notebook, f"view.panesDrawn > {drawn + 5}")
    assert texts(notebook, "tape") != shown[1]


def test_a_snapshot_is_a_picture_of_the_moment(notebook):
    with notebook.page.expect_download() as download:
        notebook.page.click(".qalypto-board [data-does=snapshot]")
    assert download.value.suggested_filename == "BTCUSDT_1m_on_binance.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    assert notebook.run("print(board.snapshot()[:4])").strip() == repr(b"\x89PNG")


def test_it_has_the_theme_of_jupyterlab(notebook):
    for theme, background, bids in [("Dark", "rgb(18, 23, 31)", "#4fb0ee"), ("Light", "rgb(255, 255, 255)", "#1878b8")]:
        notebook.theme(f"JupyterLab {theme}")
        wait(notebook, f"getComputedStyle(view.root).backgroundColor === '{background}'")
        assert value(notebook, "panes.book.colours.up") == bids
        wait_said(notebook, CORNER, background.removeprefix("rgb"))


def test_a_page_that_is_loaded_again_has_all_panes_again(notebook):
    load_again(notebook, "board")
    wait(notebook, f"{list(PANES)}.every((name) => view.panes[name].part)")
    assert len(texts(notebook, "events")) >= 1


def test_switched_and_loaded_again_while_it_is_paused_its_panes_go_with_the_candles(notebook):
    notebook.page.click(".qalypto-board [data-does=pause]")
    wait(notebook, "view.told.textContent === 'paused'")
    notebook.run("board.switch('ETHUSDT')")
    wait(notebook, "view.whole.symbol === 'ETHUSDT' && view.panes.quotes.part.symbol === 'ETHUSDT'")
    wait(notebook, "view.news.size === 0 && view.panes.tape.part.numbers.length > 0")
    shown = [texts(notebook, name) for name in ("book", "tape")]
    load_again(notebook, "board")
    wait(notebook, f"{list(PANES)}.every((name) => view.panes[name].part)")
    assert value(notebook, "whole.symbol") == value(notebook, "panes.quotes.part.symbol") == "ETHUSDT"
    assert [texts(notebook, name) for name in ("book", "tape")] == shown


def test_a_quote_turns_red_when_the_feed_is_silent(notebook):
    notebook.run(f"{ORDER}assert not con.stream._held.process.order(to_faults_order('silence:seconds=10,times=1'))")
    # Taken as it turns, in one look of the page: it is told with one decimal, so a first age beyond 8 s may read 8.0.
    shown = notebook.page.wait_for_function("""() => {
        const cell = document.querySelector('[data-exchange=okx][data-stale=true] td:last-child');
        const style = cell && getComputedStyle(cell);
        return cell && { age: cell.textContent, color: style.color, weight: Number(style.fontWeight) };
    }""").json_value()
    assert float(shown["age"].removesuffix(" s")) >= 8
    assert shown["color"] == "rgb(200, 30, 30)"
    assert shown["weight"] >= 700
    wait(notebook, "document.querySelectorAll('[data-stale=true]').length === 0")


def opened_few(open_notebook, name):
    """Return a notebook with the dashboard of a buffer that listens to candles alone."""
    board = "few = con.live('kline:1m:btcusdt')\nboard = few.dashboard()\nboard"
    return open_notebook(name, "import qalypto_research as qr\ncon = qr.connect('sample', speed=2)", board)


@pytest.fixture(scope="module")
def few(open_notebook):
    return opened_few(open_notebook, "few")


@pytest.mark.parametrize(("name", "channel"), [("quotes", "ticker"), ("book", "orderbook"), ("tape", "trade")])
def test_what_is_not_listened_to_says_so_in_its_place(few, name, channel):
    words = pane(few, name).locator(".qalypto-why")
    few.page.wait_for_function(f"document.querySelector('[data-pane={name}] .qalypto-why')?.textContent.includes('add ')")
    assert f"add '{channel}' to qr.live(...)" in words.text_content()
    assert few.errors == []


def test_stopped_it_leaves_a_picture(open_own):
    few = opened_few(open_own, "stopped")
    few.run("few.stop()")
    few.page.wait_for_selector(".qalypto-board", state="detached")
    kinds = [list(output["data"]) for cell in few.save()["cells"] for output in cell["outputs"]]
    assert kinds == [["image/png", "text/plain"]]
    few.page.wait_for_function("document.querySelector('.jp-OutputArea-output img')?.naturalWidth === 1260")
    wait_said(few, "import threading\nprint([t.name for t in threading.enumerate() if t.name == 'qalypto-painter'])", "[]")
    assert few.errors == []
