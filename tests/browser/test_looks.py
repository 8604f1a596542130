"""How live charts look: axes in a zone, small numbers, what fits into which page."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from live_view import VIEW, settle, wait

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BEGIN = "import qalypto_research as qr\ncon = qr.connect('sample', speed=2)\nlive = con.live('kline', 'trade', 'ticker', 'orderbook')"
CHART = "chart = live.chart('BTCUSDT', '1m')\nchart"
BOARD = "board = live.dashboard('BTCUSDT', '1m')\nboard"


@pytest.fixture(scope="module")
def of_chart(open_notebook):
    """Return a notebook with a chart."""
    notebook = open_notebook("looks", BEGIN, CHART)
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    settle(notebook, "chart")
    return notebook


@pytest.fixture(scope="module")
def of_board(open_notebook):
    """Return a notebook with a dashboard, all of whose panes have something to show."""
    notebook = open_notebook("panes", BEGIN, BOARD)
    notebook.page.wait_for_selector(".qalypto-board canvas")
    settle(notebook, "board")
    wait(notebook, "Object.values(view.panes).every((pane) => pane.part && !pane.part.why && !pane.body.hidden)")
    return notebook


@pytest.fixture
def chart(of_chart):
    """Return the one with a chart; hold that the test left no error in the browser's console."""
    of_chart.page.bring_to_front()
    of_chart.errors.clear()
    yield of_chart
    assert of_chart.errors == []


@pytest.fixture
def board(of_board):
    """Likewise the one with a dashboard."""
    of_board.page.bring_to_front()
    of_board.errors.clear()
    yield of_board
    assert of_board.errors == []


@pytest.fixture
def still(chart):
    """Return the notebook with the chart paused, so that candles of a test's own stay in it."""
    chart.run("chart.pause()")
    wait(chart, "view.model.get('paused')")
    yield chart
    before = chart.page.evaluate(f"{VIEW}.whole.sent")
    chart.run("chart.zone = 'UTC'\nchart.resume()\nchart.begin_anew()")
    # Or the next test would meet it half-way.
    wait(chart, f"view.zone.name === 'UTC' && !view.model.get('paused') && view.whole.sent > {before} && view.candles.newest.close > 1000")


LAY = f"""(begin, step, count) => {{
    const {{ candles }} = {VIEW};
    const candle = {{ open: 2, high: 4, low: 1, close: 3, volume: 1, state: 2 }};
    const rows = Array.from({{ length: count }}, (_, i) => ({{ ...candle, time: begin + i * step }}));
    candles.open(rows, {{ precision: 1, daily: step >= 86400, most: 3000 }});
}}"""
FRAMES = "for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame);"


def labels(notebook, zone, begin, step, count=200):
    """Return the marks of the axis as (begin of a candle, text), with candles of so many seconds in a zone."""
    notebook.run(f"chart.zone = {zone!r}")
    wait(notebook, f"view.zone.name === {zone!r}")
    found = notebook.page.evaluate(
        f"""async ([begin, step, count]) => {{
            const {{ candles, zone }} = {VIEW}, told = new Map(), axis = zone.axis;
            zone.axis = (...args) => {{ const text = axis.apply(zone, args); told.set(args[0], text); return text; }};
            ({LAY})(begin, step, count);
            candles.setZone(zone); // texts that were written before are written again
            candles.paint(candles.colours);
            {FRAMES}
            zone.axis = axis;
            return [...told];
        }}""",
        [begin, step, count],
    )
    assert len(found) > 4
    return sorted(found)


@pytest.mark.parametrize(
    ("zone", "begin", "step"),
    [
        ("Asia/Tokyo", "2026-02-01 00:00", 14_400),
        ("Asia/Kolkata", "2026-02-22 00:00", 3_600),
        ("America/New_York", "2026-10-31 20:00", 300),  # its clocks go back at 06:00 UTC of 1 November
        ("America/New_York", "2026-03-07 00:00", 900),
        ("UTC", "2026-02-01 00:00", 14_400),
    ],
)
def test_an_axis_names_the_day_where_it_begins_in_the_zone(still, zone, begin, step):
    first = dt.datetime.fromisoformat(f"{begin}+00:00")
    dates = 0
    for time, text in labels(still, zone, int(first.timestamp()), step):
        here = dt.datetime.fromtimestamp(time, ZoneInfo(zone))
        before = dt.datetime.fromtimestamp(time - step, ZoneInfo(zone))
        expected = f"{here.day} {here:%b}" if here.date() != before.date() else f"{here:%H:%M}"
        assert text == expected
        dates += here.date() != before.date()
    assert dates >= 1


def test_candles_of_days_keep_their_dates_in_every_zone(still):
    marks = labels(still, "America/New_York", int(dt.datetime(2025, 9, 1, tzinfo=dt.UTC).timestamp()), 86_400)
    assert all(
        dt.datetime.fromtimestamp(time, dt.UTC).strftime("%-d %b") == text for time, text in marks if text[0].isdigit() and " " in text
    )
    assert {(dt.datetime.fromtimestamp(time, dt.UTC).date().isoformat(), text) for time, text in marks} >= {
        ("2026-01-01", "2026"),
        ("2026-02-01", "Feb 2026"),
    }
    moment = f"{VIEW}.zone.moment(1772409600, true)"
    assert still.page.evaluate(moment) == "Mon, 2 Mar 2026, UTC"


def test_another_zone_leaves_the_candles_where_they_are(still):
    labels(still, "UTC", 1_770_000_000, 60, 400)
    where = f"{VIEW}.candles.chart.timeScale()"
    still.page.evaluate(f"{where}.scrollToPosition(-60, false)")
    still.page.wait_for_function(f"{where}.getVisibleLogicalRange().to < 350")  # with the next frame
    before = still.page.evaluate(f"{where}.getVisibleLogicalRange()")
    still.run("chart.zone = 'Asia/Tokyo'")
    wait(still, "view.zone.name === 'Asia/Tokyo'")
    assert still.page.evaluate(f"{where}.getVisibleLogicalRange()") == pytest.approx(before)
    assert still.page.locator(".qalypto-zone").text_content() == "Asia/Tokyo"


@pytest.mark.parametrize("scrolled", [-190, 3])
@pytest.mark.parametrize("then", ["candles.setZone(candles.zone)", "candles.reload([...candles.rows.values()])"])
def test_candles_that_were_just_opened_are_shown_from_the_newest_whatever_comes_with_them(still, scrolled, then):
    """All of it before the chart draws a frame, in which alone it moves."""
    seen = still.page.evaluate(
        f"""async (scrolled) => {{
            const {{ candles }} = {VIEW}, scale = candles.chart.timeScale();
            ({LAY})(1770000000, 60, 200);
            {FRAMES}
            scale.scrollToPosition(scrolled, false);
            {FRAMES}
            const before = scale.scrollPosition();
            ({LAY})(1771000000, 60, 300);
            {then};
            {FRAMES}
            const {{ from, to }} = scale.getVisibleLogicalRange();
            return [before, from, to];
        }}""",
        scrolled,
    )
    assert seen[0] == scrolled
    assert seen[1] > 100
    assert seen[2] == pytest.approx(299 + 6)


@pytest.mark.parametrize("first", ["candles.scrollTo(-60)", "scale.scrollToPosition(-60, false), await new Promise(requestAnimationFrame)"])
def test_where_one_has_scrolled_to_is_kept_by_what_comes_before_the_next_frame(still, first):
    seen = still.page.evaluate(
        f"""async () => {{
            const {{ candles }} = {VIEW}, scale = candles.chart.timeScale();
            ({LAY})(1770000000, 60, 200);
            {FRAMES}
            {first};
            candles.setZone(candles.zone);
            candles.reload([...candles.rows.values(), {{ ...candles.newest, time: 1770000000 + 200 * 60 }}]);
            {FRAMES}
            return scale.getVisibleLogicalRange().to;
        }}"""
    )
    assert seen == pytest.approx(199 - 60)


def test_zone_and_height_of_a_chart_are_set_from_code(chart):
    assert chart.page.locator(".qalypto-zone").text_content() == "UTC"
    chart.run("chart.height = 300\nchart.zone = 'Europe/Paris'")
    wait(chart, "view.zone.name === 'Europe/Paris' && view.box.offsetHeight === 300")
    chart.run("chart.height = 420\nchart.zone = 'UTC'")
    wait(chart, "view.zone.name === 'UTC' && view.box.offsetHeight === 420")


def test_zone_and_height_of_a_dashboard_are_set_from_code(board):
    board.run("board.height = 400\nboard.zone = 'Europe/Paris'")
    wait(board, "view.zone.name === 'Europe/Paris' && view.box.offsetHeight === 400")
    assert board.page.locator("[data-choice=zone]").input_value() == "Europe/Paris"
    board.run("board.height = 520\nboard.zone = 'UTC'")
    wait(board, "view.zone.name === 'UTC' && view.box.offsetHeight === 520")


def test_a_zone_that_the_browser_does_not_know_is_said(chart):
    chart.page.evaluate(f"{VIEW}.model.set('zone', 'Mars/Base')")
    wait(chart, "view.trouble.textContent.includes('does not know the zone Mars/Base; times are written in UTC')")
    chart.page.evaluate(f"{VIEW}.model.set('zone', 'UTC')")
    wait(chart, "view.trouble.textContent === ''")


def test_the_candle_that_is_not_over_is_pale(chart):
    # In one look: the one before may not be over for a moment, either.
    last, other = chart.page.wait_for_function(
        f"""() => {{
            const {{ candles }} = {VIEW}, states = candles.times.slice(-2).map((time) => candles.rows.get(time).state);
            return states.join() === "2,1" && candles.series.data().slice(-2).reverse();
        }}"""
    ).json_value()
    assert last["borderColor"] in ("#1878b880", "#d9601a80")
    assert last["wickColor"] == last["borderColor"]
    assert "borderColor" not in other


def test_a_candle_that_no_market_makes_is_not_drawn_and_said(chart):
    tell = f"""(changes) => {{
        const view = {VIEW}, {{ candles }} = view;
        view.kept ??= [-20, -19].map((place) => candles.rows.get(candles.times.at(place)));
        const rows = view.kept.map((row, n) => ({{ ...row, ...changes[n] }}));
        const names = ["time", "open", "high", "low", "close", "volume", "state"];
        view.onDelta(new Float64Array(rows.flatMap((row) => names.map((name) => Number(row[name])))));
    }}"""
    shown = f"""() => {{
        const view = {VIEW}, {{ candles, legend }} = view;
        const find = (series, time) => series.data().find((row) => row.time === time) ?? {{}};
        const parts = view.kept.map(({{ time }}) => [candles.series, candles.volume, candles.shades].map((series) => find(series, time)));
        const said = view.kept.map((row) => {{
            view.showLegend(row);
            return legend.textContent;
        }});
        view.showLegend({{}});
        return {{ parts, said, newest: candles.newest.state, top: candles.chart.priceScale("right").getVisibleRange().to }};
    }}"""
    chart.page.evaluate(tell, [{}, {}])
    before = chart.page.evaluate(shown)
    chart.page.evaluate(tell, [{"high": "Infinity", "state": 3}, {"volume": "NaN"}])
    wait(chart, "view.trouble.textContent === '1 candle is not drawn (red): no market can have such prices.'")
    after = chart.page.evaluate(shown)
    (candle, volume, shade), (known, unknown, _) = after["parts"]
    assert ("close" in candle, "value" in volume, shade["color"]) == (False, False, "#c2271d59")
    assert ("close" in known, "value" in unknown) == (True, False)
    assert "∞" in after["said"][0]
    assert after["said"][0].endswith("no market can have these prices")
    assert after["said"][1].endswith("Volnot known")
    assert after["newest"] in (1, 2)
    assert 60_000 < after["top"] < 80_000
    chart.page.evaluate(tell, [{}, {}])
    wait(chart, "view.trouble.textContent === ''")
    assert chart.page.evaluate(shown)["parts"] == before["parts"]


def test_sizes_are_written_as_in_the_picture(board):
    sizes = [4.2e-5, 0.00042, 0.0213, 0.5, 13.48, 999.96, 1_250.0, 999_960.0, 2.5e6, 1.2e9]
    shown = board.page.evaluate(
        f"""(sizes) => {{
            const {{ tape }} = {VIEW}.panes, {{ part }} = tape;
            const numbers = sizes.flatMap((size, n) => [1772409600 + n, 1, 2, size, n === 0 ? 1 : 0]);
            tape.take({{ ...part, numbers: new Float64Array(numbers) }}, tape.zone);
            const shown = [...tape.table.body.rows].map((row) => [row.cells[1].textContent, row.cells[3].textContent]).reverse();
            tape.take(part, tape.zone);
            return shown;
        }}""",
        sizes,
    )
    assert [size for _, size in shown] == ["0.000042", "0.00042", "0.0213", "0.5", "13.5", "1k", "1.25k", "1M", "2.5M", "1.2B"]
    assert [mark for mark, _ in shown] == ["▲ buy liq"] + 9 * ["▲ buy"]


@pytest.mark.parametrize("height", [160, 300, 340, 520])
@pytest.mark.parametrize("width", [700, 900, 1_400])
def test_all_panes_have_room(board, width, height):
    board.run(f"board.height = {height}")
    board.page.set_viewport_size({"width": width, "height": 1_300})
    wait(board, f"view.box.offsetHeight === {height}")
    settled = board.page.evaluate(
        """async () => {
            for (let i = 0; i < 10; i += 1) await new Promise(requestAnimationFrame);
            const board = document.querySelector('.qalypto-board'), cut = [];
            for (const cell of board.querySelectorAll('.qalypto-quotes td, .qalypto-tape td')) {
                if (cell.scrollWidth > cell.clientWidth) cut.push(cell.textContent);
            }
            const tape = board.querySelector('[data-pane=tape] .qalypto-content');
            const boxes = [...board.querySelectorAll('section')].map((pane) => pane.getBoundingClientRect());
            const over = boxes.some((a, i) => boxes.some((b, j) => i < j
                && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1));
            return { cut, over, rows: tape.clientHeight / 18 - 1, more: tape.scrollHeight > tape.clientHeight,
                depth: board.querySelector('.qalypto-depth').clientHeight,
                inside: boxes.every((one) => one.right <= board.getBoundingClientRect().right + 1) };
        }"""
    )
    assert settled["cut"] == []
    assert not settled["over"]
    assert settled["inside"]
    assert settled["rows"] >= 2
    assert settled["rows"] == int(settled["rows"])
    assert settled["depth"] >= 60


def test_the_tape_is_scrolled_to_trades_that_are_older(board):
    wait(board, "view.panes.tape.table.body.rows.length > 20")
    # In one look: trades come meanwhile.
    tape, head, last = board.page.evaluate(
        """() => {
            const tape = document.querySelector("[data-pane=tape] .qalypto-content"), last = [...tape.querySelectorAll("tbody tr")].at(-1);
            last.scrollIntoView({ block: "nearest" });
            return [tape, tape.querySelector("th"), last].map((one) => {
                const { top, bottom } = one.getBoundingClientRect();
                return { top, bottom };
            });
        }"""
    )
    assert tape["top"] <= last["top"]
    assert last["bottom"] <= tape["bottom"] + 1
    assert head["top"] == pytest.approx(tape["top"], abs=1)


# --- What ends --------------------------------------------------------------------------------------------------------


def test_a_chart_that_is_shown_after_its_end_leaves_nothing_that_goes_on(open_notebook):
    notebook = open_notebook("ended", BEGIN, CHART)
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    notebook.page.evaluate(
        """() => {
            window.going = new Set();
            const begin = window.setInterval, end = window.clearInterval;
            window.setInterval = (react, spacing) => {
                const id = begin(react, spacing);
                if (String(react).includes("showStatus")) going.add(id);
                return id;
            };
            window.clearInterval = (id) => { going.delete(id); end(id); };
        }"""
    )
    notebook.run("chart.stop()")
    notebook.page.wait_for_selector(".qalypto-chart", state="detached")
    shown = "document.querySelectorAll('.jp-RenderedImage img').length"
    for again in (1, 2):
        notebook.page.evaluate(
            """async () => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = content.widgets.length - 1;
                await window.jupyterapp.commands.execute("notebook:insert-cell-below");
                content.activeCell.model.sharedModel.setSource("chart");
                await window.jupyterapp.commands.execute("notebook:run-cell");
            }"""
        )
        notebook.page.wait_for_function(f"{shown} === 1 + {again}")
    assert notebook.page.evaluate("going.size") == 0


def test_where_nobody_answers_the_choice_goes_back_to_what_is_shown(open_notebook):
    notebook = open_notebook("silent", BEGIN, CHART)
    notebook.page.wait_for_selector(".qalypto-chart canvas")
    wait(notebook, "[...view.selects.symbol.options].some(({ value }) => value === 'SOLUSDT')")
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    wait(notebook, "view.told.textContent.startsWith('no word from the kernel')")
    notebook.page.locator("[data-choice=symbol]").select_option("SOLUSDT")
    wait(notebook, "view.selects.symbol.value === 'BTCUSDT' && view.told.textContent.startsWith('no word from the kernel')")
