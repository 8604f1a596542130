"""Texts that are none: an archive may declare as text what is not UTF-8."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import trade, write

import qalypto_research as qr
from qalypto_research.engine.arrow import own_texts


def with_bytes(root, column, value):
    """Write two trades, the second with `value` in a column that says it is text."""
    path = write(root, "trade", [trade("12:00"), trade("12:01")])
    table = pq.read_table(path, partitioning=None)
    first = table.column(column)[0].as_py().encode()
    raw = pa.array([first, value], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, text), path)


@pytest.mark.parametrize("column", ["trade_id", "side"])
@pytest.mark.parametrize("value", [b"\xff\xfe", b"ascii, then \xc3", b"12345678\x80"])
def test_bytes_that_are_no_text_are_refused_by_the_call_that_reads_them(connect, tmp_path, column, value):
    with_bytes(tmp_path, column, value)
    con = connect(tmp_path)
    with pytest.raises(qr.errors.QueryError, match=rf"column '{column}' holds bytes that are no text in UTF-8; select hex\({column}\)"):
        con.trades("BTCUSDT", limit=5)
    with pytest.raises(qr.errors.QueryError, match=f"column '{column}'"):
        con.sql(f"SELECT {column} FROM market_data_trade")
    assert con.sql(f"SELECT hex({column}) AS h FROM market_data_trade ORDER BY timestamp DESC")["h"].iloc[0] == value.hex().upper()
    assert len(con.trades("BTCUSDT", limit=5, columns="price")) == 2


@pytest.mark.parametrize("texts", [["é", "日本", ""], ["a" * 7, "b" * 8, "ü"], [], [None, "x"], ["1234567é"]])
def test_texts_beyond_ascii_are_texts(texts):
    assert own_texts("x", pa.chunked_array([pa.array(texts, pa.string())])).to_pylist() == texts
