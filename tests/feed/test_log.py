"""A recorded log of the stream, played byte for byte."""

from __future__ import annotations

import asyncio
import json

import pytest

from qalypto_research.errors import InputError
from qalypto_research.local.feed import log as played
from qalypto_research.local.feed.log import LogSource
from qalypto_research.local.testing import StandIn
from qalypto_research.schema.wire import Channel

CASES = [
    "binance_spot_20240808",
    "binance_spot_btc_20210108",
    "bybit_linear_20210417",
    "bybit_linear_xrp_book_20241201",
    "extra_bitget_mix_20220407",
]


def line(kind="trade", symbol="BTCUSDT", sent=1_772_460_105_301, **other):
    return json.dumps({"type": kind, "symbol": symbol, "data": {"_timestamps": {"websocket_sent": sent}}} | other)


@pytest.fixture
def log(tmp_path):
    """Return a function that writes lines and opens them as a source."""

    def write(*lines):
        path = tmp_path / "ws.jsonl"
        path.write_bytes(b"".join(text if isinstance(text, bytes) else f"{text}\n".encode() for text in lines))
        return LogSource(path)

    return write


FOR_EVER = 10**18


def all_of(source, after_us=-1, step_us=FOR_EVER):
    """Return the pieces that hold anything."""
    found = []
    while (piece := source.read(after_us, after_us + step_us)) is not None:
        found += [[(m.seen_us, m.payload(b"unused")) for m in piece.messages]] if piece.messages else []
        after_us = piece.until_us
    return found


def test_lines_are_played_as_they_are_in_their_order_by_when_they_were_sent(log):
    lines = [line(sent=1000), line(sent=1002.5), '{"type": "maintenance", "at": "noon"}', line(sent=1001), line(sent=2000)]
    source = log(*lines)
    assert source.bounds_us == (1_000_000, 2_000_000)
    # None overtakes another: one that says it was sent before the one ahead of it, or does not say, is due with that.
    assert all_of(source) == [list(zip([1_000_000, 1_002_500, 1_002_500, 1_002_500, 2_000_000], [t.encode() for t in lines], strict=True))]
    assert all_of(log(*lines), after_us=1_002_500) == [[(2_000_000, lines[-1].encode())]]
    assert [len(w) for w in all_of(log(*lines), after_us=999_999, step_us=500_000)] == [4, 1]


def test_spaces_and_letters_stay_and_ends_of_lines_go(log):
    odd = b'  {"type" : "trade","symbol":"\xc3\xa9","data":{"_timestamps":{"websocket_sent":1}}}  '
    assert all_of(log(odd + b"\r\n", b"\n", odd)) == [[(1000, odd), (1000, odd)]]


@pytest.mark.parametrize("sent", ["NaN", '"1772460105301"', "1e400", "true", "-5", "99999999999999"])
def test_a_moment_that_is_none_is_not_taken_for_one(log, sent):
    odd = line(sent=1).replace("1}", f"{sent}}}")
    assert [at for piece in all_of(log(line(sent=1000), odd, line(sent=1001))) for at, _ in piece] == [1_000_000, 1_000_000, 1_001_000]


def test_closing_it_ends_what_is_being_read(log):
    source = log(*(line(sent=n + 1) for n in range(50)))
    source.close()
    assert source.read(-1, FOR_EVER) is None


def test_each_line_has_a_channel(log):
    source = log(line(), line("kline", "solusdt", interval="1m"), line("kline", "solusdt"), '{"type": "maintenance"}', '{"error": "x"}')
    routes = [m.route for m in source.read(-1, FOR_EVER).messages]
    assert routes == [Channel("trade", "BTCUSDT"), Channel("kline", "SOLUSDT", "1m"), Channel("kline", "SOLUSDT"), Channel(), Channel()]
    assert source.symbols() == {"BTCUSDT", "SOLUSDT"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((line(), "no json"), r"ws\.jsonl, line 2: is no JSON"),
        ((line(), "[1]"), r"ws\.jsonl, line 2: is no JSON object; a log of the stream has one JSON object a line"),
        ((b"\xff\xfe\n",), r"ws\.jsonl, line 1: is no JSON"),
        (('{"type": "trade"}',), r"no line says when it was sent \(data\._timestamps\.websocket_sent\)"),
        ((), "no line says when it was sent"),
    ],
)
def test_what_is_no_log_says_where(log, lines, said):
    with pytest.raises(InputError, match=said):
        log(*lines)


def test_a_log_may_begin_with_its_welcome_and_be_long(log, monkeypatch):
    monkeypatch.setattr(played, "AT_ONCE", 3)
    lines = ['{"type": "connected"}', '{"type": "subscribed"}', *(line(sent=1000 + n // 2) for n in range(8))]
    assert log(*lines).bounds_us == (1_000_000, 1_003_000)
    moments = [[at // 1000 for at, _ in piece] for piece in all_of(log(*lines), after_us=999_999)]
    # Those of one moment stay together.
    assert moments == [[1000] * 4, [1001, 1001, 1002, 1002], [1003, 1003]]


# --- Over the wire -------------------------------------------------------------------------------------------------


def heard(listen, *archive, channels=("*",), **options):
    """Return what a client hears of a log, up to its end."""

    async def work(standin):
        async with listen(standin) as client:
            await client.subscribe(*channels)
            texts = await client.all()
            return texts, client.socket.close_code, client.socket.close_reason

    with StandIn(*archive, http=True, **options) as standin:
        assert "QALYPTO_CLICKHOUSE_URL" not in standin.environment()
        return asyncio.run(work(standin))


@pytest.mark.parametrize("case", CASES)
def test_recorded_markets_come_through_byte_for_byte(recorded, listen, case):
    path = recorded / case / "ws.jsonl"
    texts, code, reason = heard(listen, path, speed=0)
    assert b"".join(text + b"\n" for text in texts) == path.read_bytes()
    assert (code, reason) == (1000, "replay finished")


def test_at_a_pace_the_order_is_the_same(recorded, listen):
    path = recorded / "bybit_linear_xrp_book_20241201" / "ws.jsonl"
    texts, _, _ = heard(listen, path)
    assert b"".join(text + b"\n" for text in texts) == path.read_bytes()


def test_channels_choose_from_a_log(recorded, listen):
    path = recorded / "extra_bitget_mix_20220407" / "ws.jsonl"
    texts, _, _ = heard(listen, path, speed=0, channels=("trade:dashusdt", "kline:1h:uniusdt"))
    contents = [json.loads(text) for text in path.read_bytes().splitlines()]
    wanted = [
        text
        for text, c in zip(path.read_bytes().splitlines(), contents, strict=True)
        if (c["type"], c["symbol"]) == ("trade", "DASHUSDT") or (c["type"], c["symbol"], c.get("interval")) == ("kline", "UNIUSDT", "1h")
    ]
    assert wanted
    assert texts == wanted


def test_a_log_is_played_from_a_moment_on(recorded, listen):
    path = recorded / "binance_spot_btc_20210108" / "ws.jsonl"
    texts, _, _ = heard(listen, path, speed=0, at="2021-01-08 00:00:30")
    lines = path.read_bytes().splitlines()
    sent = [json.loads(text)["data"]["_timestamps"]["websocket_sent"] for text in lines]
    assert texts == [text for text, ms in zip(lines, sent, strict=True) if ms > 1_610_064_030_000]
