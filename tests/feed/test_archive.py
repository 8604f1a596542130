"""An archive as it is played: its order, the pieces it is read in, files that come, tables that are not there."""

from __future__ import annotations

import json
import os

import pytest
from archives import book, break_page, kline, ticker, trade, utc, write

from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import ArchiveError, DamagedArchiveWarning
from qalypto_research.local.feed import archive as played
from qalypto_research.local.feed.archive import ArchiveSource


@pytest.fixture
def source(tmp_path):
    """Return a function that opens the test's folder as a source."""
    engines = []

    def open_source():
        engines.append(EmbeddedEngine((tmp_path,)))
        return ArchiveSource(engines[-1])

    yield open_source
    for engine in engines:
        engine.close()


def us(when):
    return utc(when).value // 1000


def pieces_of(source, after="2026-03-01", step_s=86_400):
    """Yield the pieces, each message by its type and what tells it apart, and where each ends."""
    at = us(after)
    while (piece := source.read(at, at + step_s * 1_000_000)) is not None:
        assert at < piece.until_us <= at + step_s * 1_000_000
        assert all(at < m.seen_us <= piece.until_us for m in piece.messages)
        at = piece.until_us
        yield [_named(m) for m in piece.messages]


def windows(source, after="2026-03-01", step_s=86_400):
    """Return the pieces that hold anything."""
    return [piece for piece in pieces_of(source, after, step_s) if piece]


def _named(message):
    content = json.loads(message.payload(b'","data":{"_timestamps":{"websocket_sent":0'))
    data = content["data"]
    return data.get("trade_id") or data.get("sequence_id") or f"{content['type']} {data['timestamp'][11:]}"


def flat(pieces):
    return [name for piece in pieces for name in piece]


def test_the_order_is_that_of_seen_then_seq_whatever_the_table_and_the_file(tmp_path, source):
    write(
        tmp_path,
        "trade",
        [trade("12:00:03", trade_id="t3", _seen="12:00:09", _seq=7), trade("12:00:01", trade_id="t1", _seen="12:00:05", _seq=3)],
    )
    write(tmp_path, "trade", [trade("12:00:02", trade_id="t2", _seen="12:00:05", _seq=1)], name="b")
    write(
        tmp_path,
        "orderbook",
        [book("12:00:04", sequence_id="b1", _seen="12:00:05", _seq=2), book("12:00:00", sequence_id="b2", _seen="12:00:09", _seq=6)],
    )
    write(tmp_path, "ticker", [ticker("12:00:05", _seen="12:00:05.000001", _seq=5)])
    write(tmp_path, "kline", [kline("11:00", is_final=0, _seen="12:00:05.000001", _seq=4)])
    assert flat(windows(source())) == ["t2", "b1", "t1", "kline 11:00:00", "ticker 12:00:05", "b2", "t3"]


def test_without_arrivals_it_is_that_of_time_then_table_then_place(tmp_path, source):
    write(tmp_path, "orderbook", [book("12:00:01", sequence_id="b1")])
    write(tmp_path, "trade", [trade("12:00:01", trade_id=str(n)) for n in (9, 2, 5)])
    write(tmp_path, "trade", [trade("12:00:01", trade_id="1"), trade("12:00:00", trade_id="0")], name="b")
    write(tmp_path, "kline", [kline("11:59:01"), kline("11:58:00", is_final=0)])
    # A running candle without a record of when it was current is never shown; a final one once it is over.
    assert flat(windows(source())) == ["0", "9", "2", "5", "1", "kline 11:59:01", "b1"]


def test_it_begins_after_the_moment_it_is_asked_for(tmp_path, source):
    write(tmp_path, "trade", [trade(f"12:00:0{n}", trade_id=str(n)) for n in range(5)])
    assert flat(windows(source(), after="12:00:02")) == ["3", "4"]
    assert windows(source(), after="12:00:04") == []


def test_pieces_are_bounded_in_time_and_in_rows(tmp_path, source, monkeypatch):
    write(tmp_path, "trade", [trade(f"12:{m:02}:{s:02}", trade_id=f"{m}:{s}") for m in (0, 1) for s in (0, 1, 2, 3, 30)])
    assert [len(piece) for piece in windows(source(), after="11:59:59", step_s=60)] == [5, 5]
    assert [len(piece) for piece in windows(source())] == [10]
    monkeypatch.setattr(played, "AT_ONCE", 4)
    assert [len(piece) for piece in windows(source())] == [4, 4, 2]


def test_rows_that_come_while_it_is_played_are_played_also_between_others(tmp_path, source):
    write(tmp_path, "trade", [trade("12:00:01", trade_id="a"), trade("14:00:02", trade_id="c")])
    pieces = pieces_of(source(), after="12:00:00", step_s=300)
    assert next(pieces) == ["a"]
    write(tmp_path, "trade", [trade("12:30", trade_id="b"), trade("14:30", trade_id="d")], name="b")
    assert [piece for piece in pieces if piece] == [["b"], ["c"], ["d"]]


def test_a_file_that_breaks_while_it_is_played_is_an_error_that_names_it(tmp_path, source):
    write(tmp_path, "trade", [trade("12:00", trade_id="a")])
    write(tmp_path, "trade", [trade("14:00", trade_id="b")], name="b")
    pieces = pieces_of(source(), after="11:59", step_s=3600)
    next(pieces)
    (tmp_path / "trade" / "b.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ArchiveError, match=r"b\.parquet"):
        next(pieces)


def test_where_damaged_files_are_left_out_a_damaged_page_is_too(tmp_path):
    write(tmp_path, "trade", [trade(f"12:00:{s:02}", s * 1.5, trade_id=str(s)) for s in range(60)])
    broken = write(tmp_path, "trade", [trade(f"12:00:{s:02}.5", s * 1.5, trade_id=f"b{s}") for s in range(60)], name="b")
    engine = EmbeddedEngine((tmp_path,), strict=False)
    stat = broken.stat()
    break_page(broken, "price")
    os.utime(broken, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.warns(DamagedArchiveWarning):
        found = flat(windows(ArchiveSource(engine)))
    engine.close()
    assert found == [str(s) for s in range(60)]


def test_a_symbol_that_turns_up_is_known_from_then_on(tmp_path, source):
    write(tmp_path, "trade", [trade("12:00:01", symbol="BTCUSDT")])
    opened = source()
    symbols = opened.symbols()
    write(tmp_path, "trade", [trade("12:00:02", symbol="uniusdt")], name="b")
    messages = opened.read(us("12:00"), us("12:01")).messages
    assert symbols == {"BTCUSDT", "UNIUSDT"}
    assert [m.route.symbol for m in messages] == ["BTCUSDT", "UNIUSDT"]
    assert b'"symbol":"uniusdt"' in messages[1].head  # as it stands in the archive


def test_its_symbols_are_all_there_ever_are(tmp_path, source):
    write(tmp_path, "trade", [trade("12:00", symbol="BTCUSDT"), trade("14:00", symbol="dashUSDT")])
    write(tmp_path, "kline", [kline("12:00", symbol="UNIUSDT")])
    assert source().symbols() == {"BTCUSDT", "DASHUSDT", "UNIUSDT"}
