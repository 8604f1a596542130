"""The live chart as a person has it: in JupyterLab, in a real browser, on the stand-in's stream."""

from __future__ import annotations

import nbconvert
import pytest
from live_view import VIEW, begin, load_again, settle, value, wait, wait_drawn, wait_said

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Twenty times as fast as the market: a candle takes three seconds, and changes four times in one.
BEGIN = """
import qalypto_research as qr
con = qr.connect("sample", speed=20)
live = con.live("kline:1m:btcusdt", "kline:1m:ethusdt", "kline:5m:ethusdt")
"""
CHART = "chart = live.chart('BTCUSDT', '1m')\nchart"
PLAIN = "plain = live.chart('BTCUSDT', '1m', interactive=False, height=260)\nplain"


@pytest.fixture(scope="module")
def running(open_notebook):
    """Return a notebook with both kinds of charts, running."""
    notebook = open_notebook("running", BEGIN, CHART, PLAIN)
    wait_drawn(notebook)
    settle(notebook, "chart")
    return notebook


@pytest.fixture
def notebook(running):
    """Return it with the chart as it was opened; no error may come of a test in the browser's console."""
    begin(running, "chart")
    yield running
    assert running.errors == []


def visible(notebook):
    found = value(notebook, "candles.chart.timeScale().getVisibleLogicalRange()")
    return found["from"], found["to"]


def close_of_newest(notebook):
    return value(notebook, "candles.newest.close")


# --- It appears and moves -------------------------------------------------------------------------------------------


def test_it_appears_and_moves(notebook, picture):
    box = notebook.page.locator(".qalypto-box").first
    assert box.bounding_box()["height"] == 420
    assert notebook.page.locator(".qalypto-badge").first.text_content() == "synthetic"
    before, missed, seen = value(notebook, "candles.times.length"), value(notebook, "link.missed"), box.screenshot()
    wait_drawn(notebook, 8)
    assert box.screenshot(path=picture("chart_light")) != seen
    wait(notebook, f"view.candles.times.length > {before}")
    wait(notebook, f"view.candles.times.at(-1) >= {notebook.run('print(chart._follower.rows[-1, 0])')}")
    both = "[candles.newest.close >= candles.newest.open, candles.series.options().priceLineColor]"
    rising, line = notebook.page.evaluate(f"(() => {{ const {{ candles }} = {VIEW}; return {both}; }})()")
    assert line == ("#1878b8" if rising else "#d9601a")
    assert value(notebook, "root.dataset.state") == "good"
    assert value(notebook, "link.missed") == missed


def test_the_candle_that_is_not_over_is_marked_and_a_missing_one_shaded(notebook):
    # What the kernel would send of a hole, and of late data in it.
    hole = "[{ time: 60 + last, state: 0 }, { time: 120 + last, open: 1, high: 1, low: 1, close: 1, volume: 1, state: 2 }]"
    late = "[{ time: 60 + last, open: 2, high: 2, low: 2, close: 2, volume: 1, state: 2 }]"
    older = "[{ time: view.candles.times[0] - 60, open: 3, high: 3, low: 3, close: 3, volume: 1, state: 2 }]"
    # In one look, once the newest alone is not over.
    told = notebook.page.wait_for_function(
        f"""() => {{
            const view = {VIEW};
            const last = view.candles.times.at(-1), told = [];
            const look = () => told.push(view.candles.shades.data().filter((point) => point.value === 1).map((point) => point.time - last));
            look();
            if (view.candles.rows.get(last).state !== 1 || told[0].join() !== "0") return false;
            view.candles.apply({hole}); look();
            view.candles.apply({late}); look();
            view.candles.apply({older}); told.push(view.candles.series.data()[0].close);
            view.link.askAgain();
            return told;
        }}"""
    ).json_value()
    assert told == [[0], [0, 60], [0], 3]
    wait(notebook, "view.candles.series.data()[0].close > 1000")


def test_late_and_corrected_candles_leave_those_beside_them(notebook):
    """The candles of a test's own: five, the third missing and the fourth without a volume; then the third comes, and others change."""
    told = notebook.page.evaluate(
        f"""() => {{
            const view = {VIEW}, {{ candles }} = view, before = [...candles.rows.values()];
            const row = (minute, close, state = 2, volume = 1) => (
                {{ time: 60 * minute, open: close, high: close, low: close, close, volume, state }}
            );
            const parts = {{ series: "close", volume: "value", shades: "value" }}, told = [];
            const look = () => told.push(Object.entries(parts).map(([name, part]) => Object.fromEntries(
                candles[name].data().map((point) => [point.time / 60, point[part]]),
            )));
            candles.setRows([row(1, 1), row(2, 2), row(3, NaN, 0, NaN), row(4, 4, 2, NaN), row(5, 5, 1)]);
            look();
            const late = [row(3, 3), row(2, 2.5), row(4, 4.5), row(3, Infinity, 3), row(1, 1, 2, NaN), row(5, 5.5, 1), row(3, 3.5)];
            for (const one of late) {{
                candles.apply([one]);
                look();
            }}
            candles.setRows(before);
            return told;
        }}"""
    )
    closes = {"1": 1, "2": 2, "4": 4, "5": 5}
    volumes = {"1": 1, "2": 1, "5": 1}
    expected = [[dict(closes), dict(volumes), {"3": 1, "5": 1}]]
    for close, volume, shades in [
        ({"3": 3}, {"3": 1}, {"5": 1}),
        ({"2": 2.5}, {}, {"5": 1}),
        ({"4": 4.5}, {"4": 1}, {"5": 1}),
        ({"3": None}, {"3": None}, {"3": 1, "5": 1}),
        ({}, {"1": None}, {"3": 1, "5": 1}),
        ({"5": 5.5}, {}, {"3": 1, "5": 1}),
        ({"3": 3.5}, {"3": 1}, {"5": 1}),
    ]:
        for there, change in ((closes, close), (volumes, volume)):
            there.update(change)
            for gone in [minute for minute, found in there.items() if found is None]:
                del there[gone]
        expected.append([dict(closes), dict(volumes), shades])
    assert told == expected


def test_it_follows_the_theme(notebook, picture):
    background = "getComputedStyle(document.querySelector('.qalypto-chart')).backgroundColor"
    assert notebook.page.evaluate(background) == "rgb(255, 255, 255)"
    notebook.theme("JupyterLab Dark")
    wait(notebook, "view.root.dataset.theme === 'dark'")
    assert notebook.page.evaluate(background) == "rgb(18, 23, 31)"
    wait_drawn(notebook)
    notebook.page.screenshot(path=picture("page_dark"))
    notebook.theme("JupyterLab Light")
    wait(notebook, "view.root.dataset.theme === 'light'")
    wait_drawn(notebook)
    notebook.page.screenshot(path=picture("page_light"))


def test_zoom_and_place_are_the_users_and_stay(notebook):
    box = notebook.page.locator(".qalypto-box").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    first = visible(notebook)
    notebook.page.mouse.move(x, y)
    for _ in range(4):
        notebook.page.mouse.wheel(0, -200)
    notebook.page.mouse.down()
    notebook.page.mouse.move(x + 300, y, steps=6)
    notebook.page.mouse.up()
    notebook.page.mouse.move(x, y + 600)
    notebook.page.wait_for_timeout(1_000)  # what the mouse set going comes to rest
    mine = visible(notebook)
    assert mine[1] - mine[0] < 0.9 * (first[1] - first[0])
    wait(notebook, f"view.candles.times.length >= {value(notebook, 'candles.times.length') + 2}")
    assert visible(notebook) == pytest.approx(mine)
    notebook.run("chart.begin_anew()")  # all of it afresh, as after a number that was missed
    wait(notebook, f"view.whole.sent > {value(notebook, 'whole.sent')}")
    wait_drawn(notebook)
    assert visible(notebook) == pytest.approx(mine)
    notebook.page.click("[data-does=newest]")
    wait(notebook, "view.candles.chart.timeScale().getVisibleLogicalRange().to > view.candles.times.length")


def test_the_legend_says_what_is_under_the_crosshair(notebook):
    box = notebook.page.locator(".qalypto-box").first.bounding_box()
    notebook.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 200)
    wait(notebook, "view.pointed !== undefined && view.pointed < view.candles.times.at(-10)")
    pointed = value(notebook, "candles.rows.get(view.pointed)".replace("view.", f"{VIEW}."))
    said = notebook.page.locator(".qalypto-legend").first.inner_text().replace("\n", "")
    assert f"C{pointed['close']:,.1f}" in said
    assert f"O{pointed['open']:,.1f}" in said
    notebook.page.mouse.move(5, 5)
    wait(notebook, "view.pointed === undefined")


def test_it_lets_go_of_the_oldest_and_the_users_place_stays(notebook):
    told = notebook.page.evaluate(
        f"""async () => {{
            const view = {VIEW}, {{ candles, link, model }} = view, scale = candles.chart.timeScale();
            model.off("msg:custom", link.onMessage); // what the kernel tells meanwhile is asked for again
            model.off("change:shown", link.onShown);
            const first = candles.times.at(-1) + 60, held = [], pending = [], places = [];
            const tell = (from, count) => view.onDelta(
                new Float64Array(Array.from({{ length: count }}, (_, n) => [first + 60 * (from + n), 2, 4, 1, 3, 5, 2]).flat())
            );
            const frames = async () => {{ for (let n = 0; n < 3; n += 1) await new Promise(requestAnimationFrame); }};
            const look = () => {{
                const {{ from, to }} = scale.getVisibleLogicalRange();
                places.push([candles.times[Math.round(from)] - first, to - from]);
            }};
            for (let from = 0; from < 6000; from += 50) {{
                tell(from, 50);
                view.draw();
                held.push(candles.times.length, candles.rows.size, candles.series.data().length, candles.shades.data().length);
                if (from === 4000) scale.scrollToPosition(-200, false);
                if (from >= 4000 && from <= 4500) await frames();
                if (from === 4000 || from === 4500) look();
            }}
            view.frame = 1; // as if this page was in the background, where there are no frames
            for (let from = 6000; from < 16000; from += 50) {{
                tell(from, 50);
                pending.push(view.pending.size);
            }}
            view.draw();
            const even = candles.times.every((time, n, all) => n === 0 || time - all[n - 1] === 60);
            const last = candles.times.at(-1) - first;
            model.on("msg:custom", link.onMessage);
            model.on("change:shown", link.onShown);
            link.askAgain();
            return [Math.max(...held), Math.max(...pending), places, even, last];
        }}"""
    )
    held, pending, (then, later), even, last = told
    assert 3_000 <= held <= 3_375
    assert pending <= 3_050
    assert then == pytest.approx(later)
    assert then[0] < 60 * 3_950
    assert (even, last) == (True, 60 * 15_999)
    wait(notebook, "view.candles.newest.close > 10000")


def test_what_is_missed_soon_after_another_is_asked_for_too(notebook):
    before = value(notebook, "whole.sent")
    notebook.page.evaluate(f"{VIEW}.link.askedAt = performance.now(); {VIEW}.link.askAgain()")
    wait(notebook, f"view.whole.sent > {before}")


def test_what_the_page_says_is_said_again_where_it_was_lost(notebook):
    """JupyterLab loses messages of a page while it connects it."""
    before = value(notebook, "whole.sent")
    notebook.page.evaluate(
        f"""() => {{
            const view = {VIEW}, {{ link }} = view, {{ model }} = link, {{ send }} = model;
            view.lost = new Set();
            model.send = (content, ...rest) => {{
                if (["again", "theme"].includes(content.kind) && !view.lost.has(content.kind)) view.lost.add(content.kind);
                else send.call(model, content, ...rest);
                if (view.lost.size === 2) model.send = send;
            }};
            link.number -= 3;
        }}"""
    )
    notebook.theme("JupyterLab Dark")
    wait(notebook, f"view.lost.size === 2 && view.whole.sent > {before}")
    wait_said(notebook, "print(chart.picture_theme())", "dark")


def test_a_page_that_the_kernel_does_not_hear_says_so(notebook):
    notebook.page.evaluate(
        f"""() => {{
            const {{ link }} = {VIEW}, {{ model }} = link;
            link.own = [link.page, model.send];
            link.page = "never heard of";
            model.send = () => {{}};
        }}"""
    )
    wait(notebook, "view.unheardAt > 0")
    assert value(notebook, "told.textContent") == "live"
    notebook.page.evaluate(f"{VIEW}.unheardAt -= 12000")
    wait(notebook, "view.told.textContent === 'the kernel does not hear this page: load it again' && view.root.dataset.state === 'bad'")
    notebook.page.evaluate(f"() => {{ const {{ link }} = {VIEW}; [link.page, link.model.send] = link.own; }}")
    wait(notebook, "view.told.textContent === 'live'")


# --- The controls ---------------------------------------------------------------------------------------------------


def test_pause_holds_the_picture_and_not_the_buffer(notebook):
    notebook.page.click("[data-does=pause]")
    wait(notebook, "view.told.textContent === 'paused'")
    drawn, shown = value(notebook, "drawn"), value(notebook, "candles.times.at(-1)")
    notebook.page.wait_for_timeout(4_000)
    assert (value(notebook, "drawn"), value(notebook, "candles.times.at(-1)")) == (drawn, shown)
    assert float(notebook.run("print(live.klines('BTCUSDT', '1m', final=False).index[-1].timestamp())")) > shown
    notebook.page.click("[data-does=pause]")
    wait(notebook, f"view.candles.times.at(-1) > {shown} && view.told.textContent === 'live'")
    wait(notebook, "view.candles.times.every((time, n, all) => n === 0 || time - all[n - 1] === 60)")


def test_pause_holds_at_once_also_while_a_cell_computes(notebook):
    notebook.begin("import time\nt = time.time()\nwhile time.time() < t + 4: pass")
    wait_drawn(notebook)
    notebook.page.click("[data-does=pause]")
    drawn = value(notebook, "drawn")
    notebook.page.wait_for_timeout(1_500)
    assert value(notebook, "drawn") == drawn
    notebook.page.click("[data-does=pause]")
    wait_drawn(notebook)


def test_it_is_switched_in_its_place(notebook):
    assert close_of_newest(notebook) > 10_000
    notebook.page.locator("select[data-choice=symbol]").first.select_option("ETHUSDT")
    wait(notebook, "view.whole.symbol === 'ETHUSDT' && view.candles.newest.close < 10000")
    wait_drawn(notebook)
    assert notebook.page.locator(".qalypto-legend").first.inner_text().replace("\n", "").startswith("O1,")
    notebook.page.locator("select[data-choice=interval]").first.select_option("5m")
    wait(notebook, "view.whole.interval === '5m' && view.candles.times.at(-1) - view.candles.times.at(-2) === 300")
    notebook.run("chart.switch('BTCUSDT', '1m')")
    wait(notebook, "view.whole.symbol === 'BTCUSDT' && view.selects.symbol.value === 'BTCUSDT'")
    wait_drawn(notebook)


# --- What goes on around it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", ["time.sleep(0.5)", "t = time.time()\n    while time.time() < t + 0.5: pass"])
def test_it_moves_while_a_cell_sleeps_or_computes(notebook, lab, work):
    busy = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    over = lab.root / "over"
    notebook.begin(f"import time, pathlib\nwhile not pathlib.Path('over').exists():\n    {work}")
    notebook.page.wait_for_function(busy)
    try:
        wait_drawn(notebook)
        assert notebook.page.evaluate(busy), "it moved only when the cell was over"
    finally:
        over.touch()
        notebook.wait_idle()
        over.unlink()


def test_it_survives_a_lost_connection(notebook):
    order = "from qalypto_research.local.orders import to_faults_order\n"
    notebook.run(f"{order}assert not con.stream._held.process.order(to_faults_order('drop:times=1; break_handshake:times=1'))")
    wait(notebook, "view.told.textContent === 'connecting again' && view.root.dataset.state === 'waiting'")
    wait(notebook, "view.told.textContent === 'live'", 30)
    wait_drawn(notebook)
    assert "reconnect" in notebook.run("print(live.events['what'].tolist())")


def test_a_page_that_is_loaded_again_has_it_again(notebook):
    load_again(notebook, "chart")
    wait_drawn(notebook)
    wait(notebook, f"view.candles.times.at(-1) >= {notebook.run('print(chart._follower.rows[-1, 0])')}")
    wait(notebook, "view.candles.times.every((time, n, all) => n === 0 || time - all[n - 1] === 60)")


def test_the_plain_chart_moves_too(notebook):
    image = notebook.page.locator(".widget-image").first
    seen = image.get_attribute("src")
    notebook.page.wait_for_function("(seen) => document.querySelector('.widget-image').src !== seen", arg=seen)
    notebook.page.wait_for_function("document.querySelector('.widget-image').naturalWidth === 960")
    watch = (
        "import time\nseen = []\nplain._image.observe(seen.append, 'value')\ntime.sleep(3)\nplain._image.unobserve(seen.append, 'value')"
    )
    rate = notebook.run(f"{watch}\nprint(len(seen))")
    assert 1 <= int(rate) <= 32


def test_running_the_cell_again_leaves_one_chart_and_one_painter(notebook):
    for _ in range(3):
        notebook.run("again = live.chart('BTCUSDT', '1m')\nassert again is chart")
    said = notebook.run("import threading\nprint([t.name for t in threading.enumerate()].count('qalypto-painter'))")
    assert said.strip() == "1"


# --- What stays -----------------------------------------------------------------------------------------------------


def test_stopped_it_leaves_a_picture_in_the_notebook_and_in_its_export(open_own, lab, picture):
    notebook = open_own("stopped", BEGIN, CHART, PLAIN)
    wait_drawn(notebook)
    notebook.run("live.stop()")
    notebook.page.wait_for_selector(".qalypto-chart", state="detached")
    threads = "import threading\nprint([t.name for t in threading.enumerate() if t.name in ('qalypto-painter', 'qalypto-stream')])"
    wait_said(notebook, threads, "[]")
    saved = notebook.save()
    kinds = [list(output["data"]) for cell in saved["cells"] for output in cell["outputs"]]
    assert kinds == [["image/png", "text/plain"]] * 2
    texts = [output["metadata"]["image/png"]["alt"] for cell in saved["cells"] for output in cell["outputs"]]
    assert texts == ["BTCUSDT 1m on binance, as it was when the chart was stopped"] * 2
    page, _ = nbconvert.HTMLExporter().from_filename(str(notebook.path))
    assert page.count('src="data:image/png;base64,') == 2
    notebook.shut_down()
    notebook.open()
    for place in range(2):
        notebook.page.wait_for_function(f"document.querySelectorAll('.jp-OutputArea-output img')[{place}]?.naturalWidth === 960")
    notebook.page.screenshot(path=picture("reopened"))
    assert "Error displaying widget" not in notebook.page.content()
    assert notebook.errors == []
