"""The live buffer as a user has it, over a socket: on a connection to an archive, whose stream plays by its clock."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pandas as pd
import pytest
from archives import book, kline, ticker, trade, utc, write
from waiting import wait

import qalypto_research as qr
from qalypto_research.stream import hub as hubs
from qalypto_research.stream.hub import Hub

BEGIN, SPEED = "2026-03-02 12:00:00", 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return ten minutes of all tables: trades on two exchanges ten a second, the rest one a second."""
    root = tmp_path_factory.mktemp("archive")
    names = ("binance", "okx")
    tenths = [utc("12:00") + pd.Timedelta(milliseconds=100 * n) for n in range(6000)]
    write(root, "trade", [trade(at, 100.0 + n % 7, trade_id=str(n), exchange=names[n % 2], _seen=at) for n, at in enumerate(tenths)])
    seconds = tenths[::10]
    quotes = [ticker(at, 100.0, bid_price=99.0 - n % 3, ask_price=101.0 + n % 2, exchange=names[n % 2]) for n, at in enumerate(tenths[::4])]
    write(root, "ticker", quotes)
    write(
        root,
        "orderbook",
        [book(at, 99.0 - n % 5, symbol=("BTCUSDT", "ETHUSDT")[n % 2], sequence_id=str(n)) for n, at in enumerate(seconds)],
    )
    running = [
        kline(at.floor("min"), 100.0 + n, volume=1.0 + n % 60, is_final=int(at.second == 59), _seen=at) for n, at in enumerate(seconds)
    ]
    write(root, "kline", running)
    return root


@pytest.fixture(scope="module")
def con(folder):
    """Return a connection whose stream runs from the beginning on, fast, and over and over again for each test's own buffer."""
    with qr.connect(folder, at=BEGIN) as opened:
        yield opened


@pytest.fixture
def live(con):
    """Return a function that makes buffers, and stops them after the test."""
    made = []

    def make(*channels, **options):
        made.append(con.live(*channels, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(autouse=True)
def threads():
    """Return a function that names the threads of streams and callbacks that were not there before the test."""
    before = set(threading.enumerate())
    return lambda: [t.name for t in threading.enumerate() if t.name in ("qalypto-stream", "qalypto-callback") and t not in before]


# --- The same as history --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(folder):
    """Return a connection whose stream has been played to its end, and the buffer that listened."""
    with qr.connect(folder, at=BEGIN, speed=SPEED) as con:
        live = con.live("*")
        wait(lambda: live.intake.store.count() and live.state == "finished", every_s=0.05)
        yield con, live


def columns_of(frame, other):
    return frame[list(other.columns)]


@pytest.mark.parametrize("call", ["trades", "tickers", "orderbook_tops", "orderbooks"])
def test_rows_are_those_of_history(played, call):
    con, live = played
    first = live.trades(exchange="all").index[0]
    options = {"depth": 2} if call == "orderbooks" else {}
    streamed = getattr(live, call)(exchange="all", **options)
    symbols, exchange = (["BTCUSDT", "ETHUSDT"], "binance") if "book" in call else ("BTCUSDT", "all")
    stored = getattr(con, call)(symbols, exchange=exchange, start=first, **options)
    assert len(stored) > 50
    pd.testing.assert_frame_equal(columns_of(streamed[streamed.index >= first], stored), stored)
    united = pd.concat([stored, columns_of(streamed, stored)])
    assert united.dtypes.to_dict() == stored.dtypes.to_dict()


def test_candles_are_those_of_history(played):
    con, live = played
    streamed = live.klines("BTCUSDT", "1m")
    stored = con.klines("BTCUSDT", "1m", start=streamed.index[0], minutes=len(streamed))
    assert len(stored) == (utc("12:10") - streamed.index[0]) // pd.Timedelta("1min")
    pd.testing.assert_frame_equal(columns_of(streamed, stored), stored)


def test_spreads_are_those_of_history(played):
    con, live = played
    streamed = live.spreads("BTCUSDT", every="10s").iloc[1:]  # the first may be partial
    stored = con.spreads("BTCUSDT", every="10s", start=streamed.index[0], end=streamed.index[-1] + pd.Timedelta("10s"))
    assert len(stored) == (utc("12:10") - streamed.index[0]) // pd.Timedelta("10s") >= 10
    pd.testing.assert_frame_equal(streamed, stored)


def test_at_the_end_of_a_replay_it_says_so_and_keeps_what_it_has(played):
    con, live = played
    assert live.events["what"].tolist() == ["live", "finished"]
    with pytest.raises(qr.errors.StreamError, match=r"the stream is finished .* with [\d,]+ of 1,000,000 rows"):
        live.wait(rows=1_000_000)
    with pytest.raises(qr.errors.StreamError, match="the stream is finished"):
        live.status()
    assert con.live("*") is live
    asyncio.run(live.arun())  # over at once
    assert asyncio.run(_all(live)) == []


async def _all(live):
    return [batch async for batch in live]


# --- Sharing --------------------------------------------------------------------------------------------------------


def test_one_connection_for_all_and_each_gets_its_own(live, threads):
    trades, books = live("trade:btcusdt"), live("orderbook:ethusdt", "ticker")
    trades.wait(np.int64(20), timeout=30)
    books.wait(5, timeout=30)
    assert trades.status()["client_id"] == books.status()["client_id"]
    assert sorted(books.status()["subscriptions"]) == ["orderbook:ethusdt", "ticker", "trade:btcusdt"]
    assert threads().count("qalypto-stream") == 1
    assert [one.events["what"].iloc[0] for one in (trades, books)] == ["live", "live"]  # also who comes later
    assert {key for key, _ in trades.intake.counts} == {"trade"}
    assert set(books.orderbook_tops(exchange="all")["symbol"]) == {"ETHUSDT"}
    books.stop()
    assert sorted(trades.status()["subscriptions"]) == ["trade:btcusdt"]
    trades.stop()
    assert threads() == []


def test_what_a_wider_channel_of_another_brings_is_left_out(live):
    narrow, wide = live("orderbook:ethusdt"), live("*")
    wide.wait(50, timeout=30)
    narrow.wait(2, timeout=30)
    assert narrow.status()["subscriptions"] == ["*"]
    assert set(narrow.intake.counts) == {("orderbook", "binance")}
    assert set(narrow.orderbook_tops()["symbol"]) == {"ETHUSDT"}


def test_a_cell_that_is_run_again_keeps_the_buffer(live, con):
    first = live("trade:btcusdt", "ticker", keep="1h", name="a")
    first.wait(5, timeout=30)
    assert live("ticker:*", "trade:BTCUSDT ", "ticker", name="a") is first  # however they are written
    second = live("trade:btcusdt", name="a")
    assert second is not first
    assert first.state == "stopped"  # for it has the same name
    second = live("trade:btcusdt", "ticker", keep="1h", name="a")
    again = live("trade:btcusdt", "ticker", keep="2h", max_bytes="1MB", name="a")
    assert again is second
    assert (again.intake.keep_us, again.intake.store.max_bytes) == (7_200_000_000, 1_000_000)
    assert live("trade:btcusdt", "ticker") is not again
    assert live("trade:btcusdt", "ticker", exchange="all", name="b") is not again
    again.stop()
    assert live("trade:btcusdt", "ticker", name="a") is not again


def test_what_nobody_holds_ends(con, threads):
    one = con.live("trade:btcusdt")
    one.wait(1, timeout=30)
    assert threads() == ["qalypto-stream"]
    del one
    gc.collect()
    wait(lambda: not threads())


def test_stopping_is_prompt_final_and_leaves_the_rows(live, threads):
    one = live("trade")
    one.wait(10, timeout=30)
    begun = time.monotonic()
    with one:
        pass
    one.stop()
    assert time.monotonic() - begun < 5
    assert (one.state, one.reason, threads()) == ("stopped", "", [])
    rows = one.trades(exchange="all")
    assert len(rows) >= 10
    assert one.events["what"].tolist()[-1] == "stopped"
    for call in (one.status, lambda: one.wait(10**6)):
        with pytest.raises(qr.errors.StreamError, match="the stream is stopped"):
            call()
    with pytest.raises(qr.errors.ClosedError, match="this buffer was stopped"):
        one.on("trade", print)
    assert live("trade") is not one


def test_closing_the_connection_stops_its_buffers(folder, threads):
    con = qr.connect(folder, at=BEGIN)
    one = con.live("trade")
    one.wait(1, timeout=30)
    con.close()
    assert (one.state, threads()) == ("stopped", [])
    with pytest.raises(qr.errors.ClosedError):
        con.live("trade")


def test_a_forked_process_has_none_of_the_buffers(folder):
    program = f"""
        import os
        import qalypto_research as qr
        con = qr.connect({str(folder)!r}, at={BEGIN!r})
        live = con.live("trade")
        live.wait(1, timeout=30)
        child = os.fork()
        if not child:
            print(live.state, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(live.state)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("stopped\nlive\n", "")


# --- Waiting and being told ----------------------------------------------------------------------------------------


def test_waiting_ends_in_time(live):
    one = live("orderbook:btcusdt")
    with pytest.raises(TimeoutError, match=r"^0 of 3 trades|of 100,000 rows came in 0.3 s; the stream is "):
        one.wait(100_000, timeout=0.3)
    assert one.wait(1, timeout=30, table="orderbook") is one


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rows": 0}, "rows: 0 must be a whole number"),
        ({"rows": 2.5}, "rows: 2.5 must be"),
        ({"timeout": 0}, "timeout: 0 must be a number of seconds above zero"),
        ({"timeout": np.int64(-1)}, "must be a number of seconds above zero"),
        ({"timeout": "5s"}, "timeout: '5s' must be a number"),
        ({"table": "ticker"}, "table: 'ticker' is not known; allowed: trade; that type is not listened to"),
        ({"table": "trades"}, "did you mean 'trade'?"),
    ],
)
def test_what_cannot_be_waited_for(live, asked, said):
    with pytest.raises(qr.errors.InputError) as refused:
        live("trade").wait(**asked)
    assert said in str(refused.value)


@pytest.mark.parametrize("timeout", [np.int64(30), np.float32(30)])
def test_seconds_may_be_of_numpy(live, timeout):
    assert len(live("trade").wait(timeout=timeout).trades(exchange="all"))


@pytest.mark.parametrize("channel", ["trade:btcusd", "kline:1m:btcusd"])
def test_a_symbol_that_an_archive_cannot_have_is_refused_at_once(live, channel):
    with pytest.raises(
        qr.errors.UnknownNameError, match=r"channels: 'BTCUSD' is not known; did you mean 'BTCUSDT'\?; allowed: "
    ) as refused:
        live(channel, "ticker:btcusdt")
    assert refused.value.argument == "channels"


def test_what_the_server_refuses_of_a_buffer_is_said(live, con, monkeypatch):
    monkeypatch.setattr(type(con), "stream_symbols", lambda _: None)  # as of the service, which alone knows its symbols
    made = live("trade:btcusd", "ticker:btcusdt").wait(table="ticker")
    wait(lambda: made.refused and made.state == "live")  # the quotes may come before it is refused
    said = "trade:btcusd: Unknown channel: trade:btcusd."
    assert (made.state, made.reason, made.refused) == ("live", said, {"trade:btcusd": said.removeprefix("trade:btcusd: ")})
    assert said in repr(made)
    assert len(made.tickers(exchange="all"))
    with pytest.raises(qr.errors.StreamError, match="no trades can come, as the server refuses what brings them: trade:btcusd: Unknown"):
        made.trades()
    with pytest.raises(qr.errors.WaitTimeoutError, match=r"0 of 1 trades came in 0.1 s; the stream is live .trade:btcusd: Unknown channel"):
        made.wait(table="trade", timeout=0.1)


def test_one_that_joins_as_the_others_are_refused_is_served(live, con, monkeypatch):
    """It asks for its channels of a connection that has just failed for want of the others'."""
    monkeypatch.setattr(type(con), "stream_symbols", lambda _: None)
    join, joining, failed = Hub.join, threading.Event(), threading.Event()

    def late(hub, listener):
        if hub._listeners:
            joining.set()
            assert failed.wait(60)
        return join(hub, listener)

    monkeypatch.setattr(Hub, "join", late)
    first = live("trade:btcusd", name="first")
    made = []
    second = threading.Thread(target=lambda: made.append(live("ticker:btcusdt", name="second")))
    # The first is refused after it was looked up, and before it is joined.
    monkeypatch.setattr(hubs, "FINAL", ())
    second.start()
    assert joining.wait(60)
    while first.state != "failed":
        pass
    monkeypatch.undo()
    failed.set()
    second.join(60)
    assert len(made[0].wait(timeout=60).tickers(exchange="all"))
    assert (first.state, made[0].state) == ("failed", "live")


@pytest.mark.parametrize(
    ("what", "callback", "said"),
    [
        ("trades", print, "what: 'trades' is not known; did you mean 'trade'?"),
        (["trade"], print, "what: ['trade'] is not known"),
        ("ticker", print, "this buffer listens to trade"),
        ("trade", None, "callback: None cannot be called"),
    ],
)
def test_what_cannot_be_called(live, what, callback, said):
    with pytest.raises(qr.errors.InputError) as refused:
        live("trade").on(what, callback)
    assert said in str(refused.value)


def test_callbacks_get_the_rows_each_once_off_the_receiving_thread(live):
    got, names, enough = [], set(), threading.Event()

    def take(frame):
        got.append(frame)
        names.add(threading.current_thread().name)
        if len(got) >= 5:
            enough.set()

    one = live("trade:btcusdt")
    end = one.on("trade", take)
    assert enough.wait(30)
    end()
    count = len(got)
    ids = pd.concat(got)["trade_id"].astype(int).tolist()
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert names == {"qalypto-callback"}
    one.wait(one.intake.store.count() + 20, timeout=30)
    assert len(got) == count


def _inner():
    def show(frame):
        pass

    return show


def test_a_function_takes_the_place_of_itself_where_its_cell_is_run_again(live):
    """Once for the same thing; a lambda, an inner function and one of another module are others each time."""
    cell = "def show(frame):\n    pass\n"
    one = live("trade:btcusdt", "ticker")

    def listeners():
        return sorted(caller.what for caller in one._callers)

    for _ in range(3):
        names = {"__name__": "__main__"}
        exec(cell, names)  # noqa: S102 - as a kernel does
        end = one.on("trade", names["show"])
    assert listeners() == ["trade"]
    one.on("ticker", names["show"])
    elsewhere = {"__name__": "another"}
    exec(cell, elsewhere)  # noqa: S102
    one.on("trade", elsewhere["show"])
    assert listeners() == ["ticker", "trade", "trade"]
    for _ in range(2):
        one.on("trade", lambda frame: frame.head())
        one.on("trade", _inner())
    assert listeners() == ["ticker", *["trade"] * 6]
    end()
    end()
    assert listeners() == ["ticker", *["trade"] * 5]


def test_a_callback_that_fails_is_reported_and_stops_nothing(live):
    one, told, good = live("trade"), [], []
    one.on("callback", told.append)  # first: a failure is told once, and may come at once
    one.on("trade", lambda _: 1 // 0)
    one.on("trade", good.append)
    wait(lambda: told and len(good) >= 5 and one.health().totals["callback_errors"] >= 4)
    assert one.events.query("what == 'callback'")["detail"].str.contains("ZeroDivisionError").sum() == 1
    assert told[0].what == "callback"
    assert "ZeroDivisionError" in told[0].detail
    assert one.state == "live"


def test_a_callback_that_would_end_its_thread_does_not(live):
    one = live("trade")
    end = one.on("trade", lambda _: sys.exit())
    wait(lambda: one.health().totals["callback_errors"] >= 3)
    end()
    assert one.events.query("what == 'callback'")["detail"].str.contains("SystemExit").sum() == 1


def test_a_callback_may_stop_the_buffer(live):
    one, done = live("trade"), threading.Event()

    def take(_):
        one.stop()
        done.set()

    one.on("trade", take)
    assert done.wait(30)
    assert one.state == "stopped"


def test_with_a_callback_it_goes_on_though_no_variable_holds_it(con):
    came = threading.Event()
    con.live("trade", name="held by its callback").on("trade", lambda _: came.set())
    gc.collect()
    assert came.wait(30)
    (one,) = [one for one in gc.get_objects() if isinstance(one, qr.Live) and one.name == "held by its callback"]
    one.stop()


def test_batches_come_while_the_loop_serves_others(live):
    one = live("trade:btcusdt")

    async def listen():
        seen, ticks = [], 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        async with asyncio.timeout(30):
            async for batch in one:
                seen += batch.trades["trade_id"].astype(int).tolist()
                if len(seen) > 30:
                    break
        ticking.cancel()
        return seen, ticks

    seen, ticks = asyncio.run(listen())
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert ticks > 20


def test_time_passes_in_a_coroutine_and_in_a_script(live):
    one = live("trade:btcusdt")
    one.wait(1, timeout=30)
    for run in (lambda: asyncio.run(one.arun(0.5)), lambda: one.run(0.5)):
        before = one.intake.store.count()

        def passes(run=run):
            begun = time.monotonic()
            run()
            assert time.monotonic() - begun >= 0.5
            return one.intake.store.count()

        wait(lambda: passes() > before)  # noqa: B023 - it is waited for here
    with pytest.raises(qr.errors.InputError, match="seconds: -1 must be"):
        one.run(-1)


def test_its_status_is_the_servers(live):
    one = live("trade:btcusdt")
    one.wait(1, timeout=30)
    assert one.status()["subscriptions"] == ["trade:btcusdt"]
    with pytest.raises(qr.errors.InputError, match="timeout"):
        one.status(timeout=0)


# --- How it looks ---------------------------------------------------------------------------------------------------


def test_it_says_what_it_is_doing(live, folder):
    one = live("trade:btcusdt", "ticker")
    one.wait(20, timeout=30)
    assert repr(one).startswith(f"<live: ticker, trade:btcusdt; of: {folder}; state: live; kept: ")
    page = one._repr_html_()
    assert "<td style='text-align:left'>live</td>" in page
    assert "binance" in page
    assert one.channels == ("ticker", "trade:btcusdt")
    series = one.health().series
    assert set(series["type"]) == {"trade", "ticker"}
    assert one.health().totals["rows"] >= 20
    assert one.health().totals["bytes"] > 20 * 200
    begun = time.monotonic()
    up = one.health().totals["uptime"]
    assert 0 < one.health().totals["uptime"] - up <= time.monotonic() - begun
    with pytest.raises(qr.errors.InputError, match="window"):
        one.health(window="long")
    one.stop()
    assert one.health().totals["uptime"] == 0


@pytest.mark.parametrize(
    ("channels", "options", "said"),
    [
        ((), {}, "channels: none was given"),
        ((["trade"],), {}, "channels: ['trade'] is not a channel"),
        (("trade:",), {}, "'trade:' cannot be read"),
        (("trade", "candle"), {}, "'candle' is not known"),
        (("trade",), {"keep": "0s"}, "keep: '0s' must be longer than zero"),
        (("trade",), {"max_bytes": "much"}, "max_bytes: 'much' is not a size"),
        (("trade",), {"exchange": "kraken"}, "exchange: 'kraken' is not known"),
        (("trade",), {"exchange": []}, "exchange: is empty"),
        (("trade",), {"name": 1}, "name: 1 must be a string"),
    ],
)
def test_what_cannot_be_listened_to(con, channels, options, said, threads):
    with pytest.raises(qr.errors.InputError) as refused:
        con.live(*channels, **options)
    assert said in str(refused.value)
    assert threads() == []


def test_a_process_that_ends_without_stopping_leaves_nothing(folder):
    program = f"""
        import qalypto_research as qr
        con = qr.connect({str(folder)!r}, at={BEGIN!r})
        live = qr.live("trade", "*")
        live.on("trade", lambda frame: None)
        print(live.wait(10, timeout=30).state)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("live\n", "", 0)
