"""An answer is whole or an error: Arrow streams cut, broken off and as they should be."""

from __future__ import annotations

import pyarrow as pa
import pytest

import qalypto_research as qr
from qalypto_research.engine.failures import forbids_settings
from qalypto_research.engine.streams import read_stream

EXCEPTION = b"Code: 241. DB::Exception: Memory limit (for query) exceeded: would use 1.00 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.9.2.1)"


def stream(batches=2, *, closed=True):
    schema = pa.schema([("x", pa.int64())])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for i in range(batches):
            writer.write_batch(pa.record_batch([[i]], schema=schema))
    whole = sink.getvalue().to_pybytes()
    return whole if closed else whole[:-8]


def test_a_whole_stream_is_read():
    assert read_stream(stream(), "q").column("x").to_pylist() == [0, 1]
    assert read_stream(stream(0), "q").num_rows == 0


def test_a_stream_cut_between_two_blocks_is_an_error_though_arrow_would_take_it():
    cut = stream(closed=False)
    assert pa.ipc.open_stream(cut).read_all().num_rows == 2  # what makes the check needed
    with pytest.raises(qr.errors.IncompleteAnswerError, match="nothing of it was kept"):
        read_stream(cut, "q")


@pytest.mark.parametrize("end", range(0, 400, 7))
def test_a_stream_cut_anywhere_is_an_error(end):
    whole = stream()
    assert len(whole) > 400
    with pytest.raises(qr.errors.IncompleteAnswerError) as caught:
        read_stream(whole[:end], "q7")
    assert caught.value.query_id == "q7"


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("after", [b"", b"\n126 abcd\r\n__exception__\r\n"])
def test_an_exception_behind_the_answer_is_the_one_that_is_raised(closed, after):
    with pytest.raises(qr.errors.QueryError, match=r"1\.00 GiB\. \(MEMORY_LIMIT_EXCEEDED\); ask for a shorter window") as caught:
        read_stream(stream(closed=closed) + b"__exception__\r\nabcd\r\n" + EXCEPTION + after, "q")
    assert (caught.value.code, caught.value.query_id) == (241, "q")


def test_bytes_that_are_no_arrow_are_an_error():
    with pytest.raises(qr.errors.IncompleteAnswerError, match="cannot be read"):
        read_stream(b"<html>welcome</html>" + b"\xff\xff\xff\xff\x00\x00\x00\x00", "q")


@pytest.mark.parametrize(
    ("said", "code", "forbidden"),
    [
        ("Cannot modify 'max_block_size' setting in readonly mode", 164, True),
        ("Setting max_block_size should not be changed", 452, True),
        ("Cannot execute query in readonly mode", 164, False),
        ("Unknown setting 'x'", 115, False),
    ],
)
def test_a_forbidden_setting_is_told_from_a_forbidden_statement(said, code, forbidden):
    assert forbids_settings(qr.errors.QueryError(said, code=code)) is forbidden
