"""Faults on purpose: what becomes of each message, how often, and what a script may say."""

from __future__ import annotations

import json

import pytest

from qalypto_research.errors import InputError
from qalypto_research.local.faults import parse_faults
from qalypto_research.local.feed.faults import HANDSHAKE, KINDS, MESSAGE, StreamFault, StreamFaults
from qalypto_research.local.feed.line import Line
from qalypto_research.local.gateway import faults as history

MESSAGES = [json.dumps({"type": "trade", "data": {"n": n, "side": "buy"}}).encode() for n in range(10)]


def through(script, messages=MESSAGES, now_s=0.0):
    """Return what comes of messages on a line with faults."""
    line = Line(parse_faults(script)[1])
    return [text for n, message in enumerate(messages) for text in line.pass_on(message, n, now_s)]


def numbers(texts):
    return [json.loads(text)["data"]["n"] for text in texts]


def test_without_faults_all_goes_through():
    assert through("") == MESSAGES
    assert Line(StreamFaults()).clear


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("duplicate:times=1,after=2", [0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("lose:times=2,after=3", [0, 1, 2, 5, 6, 7, 8, 9]),
        ("swap:times=1,after=4", [0, 1, 2, 3, 5, 4, 6, 7, 8, 9]),
        ("late:times=1,after=1,behind=3", [0, 2, 3, 4, 1, 5, 6, 7, 8, 9]),
        ('lose:match="n": 7', [0, 1, 2, 3, 4, 5, 6, 8, 9]),
        ("drop:after=4", [0, 1, 2, 3]),
        ("close:after=4", [0, 1, 2, 3]),
        ("silence:after=4", [0, 1, 2, 3]),
        ("no_heartbeat; throttle:rate=10", list(range(10))),
    ],
)
def test_which_messages_come_in_which_order(script, expected):
    assert numbers(through(script)) == expected


def test_a_line_with_nothing_left_to_happen_is_clear_once_all_is_out():
    line = Line(parse_faults("late:times=1,behind=2")[1])
    assert not line.clear
    assert line.pass_on(MESSAGES[0], 0, 0.0) == []
    assert not line.clear  # one is held back
    assert numbers(line.pass_on(MESSAGES[1], 1, 0.0)) == [1]
    assert numbers(line.pass_on(MESSAGES[2], 2, 0.0)) == [2, 0]
    assert line.clear


def test_it_is_silent_for_so_long_and_then_goes_on():
    line = Line(parse_faults("silence:times=1,seconds=5,after=1")[1])
    got = [line.pass_on(message, n, 2.0 * n) for n, message in enumerate(MESSAGES)]
    assert [bool(texts) for texts in got] == [True, False, False, False, True, True, True, True, True, True]
    assert [line.silent(now) for now in (6.9, 7.0)] == [True, False]


def test_the_heartbeat_alone_stops():
    line = Line(parse_faults("no_heartbeat:times=1,seconds=5")[1])
    assert line.pass_on(MESSAGES[0], 0, 10.0) == MESSAGES[:1]
    assert [line.heartless(now) for now in (14.9, 15.0)] == [True, False]
    assert not line.silent(12.0)


def test_how_a_connection_ends():
    for script, kind, status in (("drop", "drop", 0), ("close", "close", 1012), ("close:code=1001", "close", 1001)):
        line = Line(parse_faults(script)[1])
        assert line.pass_on(MESSAGES[0], 0, 0.0) == []
        assert (line.ending.kind, line.ending.status) == (kind, status)
        assert line.pass_on(MESSAGES[1], 1, 0.0) == []


def test_an_unknown_type_a_wrong_type_an_error():
    (unknown,) = through("unknown_type:text=liquidation", MESSAGES[:1])
    assert json.loads(unknown) == {"type": "liquidation", "data": {"n": 0, "side": "buy"}}
    changed = {json.dumps(json.loads(text)["data"]) for text in through("wrong_type", MESSAGES * 5)}
    assert '{"n": "no number", "side": "buy"}' in changed
    assert any('"side": 17' in text for text in changed)
    nulls = json.dumps({"type": "ticker", "data": {"a": None, "b": 1.5, "c": None}}).encode()
    assert set(through("wrong_type", [nulls] * 20)) == {b'{"type":"ticker","data":{"a":null,"b":"no number","c":null}}'}
    assert through("error:text=Overloaded.,times=1", MESSAGES[:2]) == [b'{"error":"Overloaded."}', *MESSAGES[:2]]


def test_garbage_keeps_the_length_and_says_something_else():
    got = through("garbage", MESSAGES)
    assert [len(text) for text in got] == [len(message) for message in MESSAGES]
    assert all(text != message for text, message in zip(got, MESSAGES, strict=True))


def test_broken_json_is_broken():
    for text in through("invalid_json", MESSAGES * 20):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
            json.loads(text)


@pytest.mark.parametrize("size", [100, 5000])
def test_an_oversized_message_is_so_long_and_says_the_same(size):
    (text,) = through(f"oversized:size={size}", MESSAGES[:1])
    assert len(text) == size
    assert json.loads(text) == json.loads(MESSAGES[0]) | {"padding": " " * (size - len(MESSAGES[0]) - len(',"padding":""'))}


def test_chances_come_from_the_seed():
    one, again, other = (numbers(through(f"seed={seed}; lose:chance=0.5", MESSAGES * 10)) for seed in (7, 7, 8))
    assert one == again != other
    assert 30 < len(one) < 70


def test_the_first_that_meets_something_happens():
    assert numbers(through("lose:times=1; duplicate:times=1")) == [1, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_what_is_for_handshakes_does_not_meet_messages():
    faults = parse_faults("refuse:times=1")[1]
    assert faults.draw(MESSAGE) is None
    assert faults.draw(HANDSHAKE).kind == "refuse"
    assert faults.draw(HANDSHAKE) is None


# --- Scripts -------------------------------------------------------------------------------------------------------


def test_history_and_stream_share_a_script_and_no_name():
    assert not set(KINDS) & set(history.KINDS)
    of_history, of_stream = parse_faults("seed=3; status:code=429; drop:after=5; cut; late:behind=7,chance=0.25")
    assert of_history.faults == (history.Fault("status", code=429), history.Fault("cut"))
    assert of_stream.faults == (StreamFault("drop", after=5), StreamFault("late", behind=7, chance=0.25))


@pytest.mark.parametrize(
    "fault",
    [
        StreamFault("drop"),
        StreamFault("silence", seconds=2.5, times=3),
        StreamFault("error", text="No; not now, I'm 100% busy=so\nwait"),
        StreamFault("lose", match='"type":"kline","symbol":"SOLUSDT"'),
        StreamFault("refuse", code=520),
    ],
)
def test_a_fault_is_read_from_its_own_script(fault):
    assert parse_faults(fault.script)[1].faults == (fault,)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("dropp", "kind: 'dropp' is not known; did you mean 'drop'?"),
        ("drop:afterr=1", "faults: 'afterr' is not known; did you mean 'after'?"),
        ("drop:after=many", "faults: 'drop:after=many' cannot be read"),
        ("throttle:rate=0", "rate: 0 is too little"),
        ("refuse:code=101", "code: 101 refuses nothing"),
        ("close:code=1006", "code: 1006 cannot be sent"),
        ("lose:chance=50", "chance: 50.0 is no share"),
        ("refuse:after=3", "after: a handshake comes before all messages"),
        ("unauthorized:match=x", "match: a handshake comes before all messages"),
        ("seed=x", "faults: 'seed=x' cannot be read"),
    ],
)
def test_a_script_that_cannot_be_read_says_why(script, said):
    with pytest.raises(InputError) as caught:
        parse_faults(script)
    assert str(caught.value).startswith(said)
