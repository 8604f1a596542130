"""Clients that know nothing of this project get from the stand-in what the files hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

OUTSIDER = Path(__file__).with_name("outsider.py")
VISIBLE = pd.Timestamp("2026-03-02 12:30", tz="UTC")


def run_outsider(gateway, what, folder):
    """Run the client in a process of its own; nothing of this project is on its path."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QALYPTO_"))}
    done = subprocess.run(
        [sys.executable, "-I", str(OUTSIDER), what, str(folder)],
        env=around | gateway.environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "facts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def read(qalypto_standin, archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("read")
    return folder, run_outsider(qalypto_standin(archive, at="2026-03-02 12:30:00"), "read", folder)


@pytest.fixture
def facts(read):
    return read[1]


@pytest.fixture(scope="module")
def stored(archive):
    """Return the visible trades as pyarrow reads them from the file."""
    table = pq.read_table(archive / "trade" / "a.parquet")
    return table.filter(pc.less_equal(table.column("timestamp"), pa.scalar(VISIBLE.to_pydatetime(), pa.timestamp("ms", tz="UTC"))))


def test_the_client_finds_its_way(facts):
    assert facts["ping"] is True
    assert facts["zone"] == "UTC"
    assert facts["one"] == 1
    assert facts["tables"] == ["market_data_kline", "market_data_orderbook", "market_data_ticker", "market_data_trade"]
    assert facts["database"] == [[180]]


def test_the_documented_query_with_now_finds_rows_in_an_old_archive(facts):
    assert facts["hour"] == 60


def test_rows_frames_and_arrow_are_what_the_file_holds(read, stored):
    folder, facts = read
    wanted = stored.to_pydict()
    names = list(wanted)
    assert stored.num_rows == 180
    assert facts["rows"] == [
        [value.replace(tzinfo=None).isoformat() if name == "timestamp" else value for name, value in zip(names, row, strict=True)]
        for row in zip(*wanted.values(), strict=True)
    ]
    for name in ("df", "arrow"):
        got = pq.read_table(folder / f"{name}.parquet")
        assert got.column_names == names
        assert [t.replace(tzinfo=None) for t in got.column("timestamp").to_pylist()] == [
            t.replace(tzinfo=None) for t in wanted["timestamp"]
        ]
        for column in names[1:]:
            assert got.column(column).to_pylist() == wanted[column]


def test_streams_and_every_compression_give_all_rows(facts):
    assert facts["row blocks"] is True
    assert (facts["df stream"], facts["arrow stream"]) == (180, 180)
    assert {facts[f"compress {encoding}"] for encoding in ("lz4", "zstd", "gzip", "deflate", False)} == {180}


def test_no_rows_are_no_error_and_columns_are_known(facts, stored):
    assert facts["empty"] == 0
    assert facts["columns"] == stored.column_names


def test_bound_values_come_through_in_the_address_and_in_a_form(facts):
    assert facts["bound"] == [["a'b\\c\td", ["p'", "q\\"]]]
    assert facts["form"] == 5_000
    assert facts["settings"] == [[77]]


def test_errors_have_clickhouses_codes(facts):
    assert facts["syntax"] == ["DatabaseError", 62]
    assert facts["table"] == ["DatabaseError", 60]
    assert facts["insert"] == ["DatabaseError", 164]


@pytest.mark.parametrize("fault", ["cut:after=0", "cut:after=1", "cut:after=500", "cut:after=2000", "exception:after=700"])
def test_what_breaks_off_is_never_taken_for_whole(gateway, tmp_path, fault):
    gateway.script(f"{fault},match=ORDER BY")
    facts = run_outsider(gateway, "broken", tmp_path)
    assert set(facts) == {"query", "query_df", "row blocks", "df stream", "raw"}
    for way, outcome in facts.items():
        assert outcome not in (None, "NoneType"), way
    if fault.startswith("exception"):
        assert facts["row blocks"] == ["StreamFailureError", 241]
        assert facts["df stream"] == ["StreamFailureError", 241]
        assert facts["query"] == ["DatabaseError", 241]


def test_curl_as_in_the_documentation(http):
    answer = http.send(
        "GET",
        "/?query=SELECT%20timestamp%2C%20price%20FROM%20market_data.market_data_trade%20WHERE%20timestamp%20%3E%3D%20now()%20-%20INTERVAL%201"
        "%20HOUR%20ORDER%20BY%20timestamp%20DESC%20LIMIT%202%20FORMAT%20TabSeparated",
    )
    assert answer.data == b"2026-03-02 12:29:50.250\t129\n2026-03-02 12:29:40.250\t129\n"
