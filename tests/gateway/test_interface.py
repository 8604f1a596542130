"""ClickHouse's HTTP interface: paths, ways to ask, ways to say who one is, formats, headers, compression."""

from __future__ import annotations

import gzip
import io
import json
import zlib

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3
from gateway_client import zstd

COUNT = "SELECT count() FROM market_data.market_data_trade"


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_health_needs_no_password(http, path):
    answer = http.send("GET", path, headers={})
    assert (answer.status, answer.data) == (200, b"Ok.\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("HEAD", "/", 200), ("OPTIONS", "/", 204), ("GET", "/nope", 404), ("PUT", "/", 404)]
)
def test_other_methods_and_paths(http, method, path, status):
    assert http.send(method, path).status == status


def test_a_query_in_the_address_in_the_body_or_in_both(http):
    assert http.send("GET", "/?query=SELECT%201").data == b"1\n"
    assert http.send("POST", "/", b"SELECT 1").data == b"1\n"
    assert http.send("POST", "/?query=SELECT", b"1").data == b"1\n"
    assert http.send("POST", "/?query=SELECT%201%20--", b"\n+1").data == b"2\n"


def test_a_body_in_chunks_and_a_form_typed_body_are_the_query(http):
    chunks = http.pool.request("POST", http.gateway.url, body=iter([b"SELECT ", b"1 + 1"]), headers=http.headers, chunked=True)
    assert chunks.data == b"2\n"
    curl = http.ask("SELECT 3", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert curl.data == b"3\n"


def test_an_empty_query_is_a_syntax_error(http):
    assert http.refused("") == (400, 62)


# --- Who asks -------------------------------------------------------------------------------------------------------


def ways_to_say_who(user, password):
    return [
        (urllib3.make_headers(basic_auth=f"{user}:{password}"), ""),
        ({"X-ClickHouse-User": user, "X-ClickHouse-Key": password}, ""),
        ({}, f"&user={user}&password={password}"),
    ]


@pytest.mark.parametrize("way", [0, 1, 2])
def test_three_ways_to_say_who_asks(http, way):
    headers, words = ways_to_say_who(http.gateway.username, http.gateway.password)[way]
    assert http.send("GET", f"/?query=SELECT%201{words}", headers=headers).data == b"1\n"
    for user, password in [(http.gateway.username, "wrong"), ("somebody", http.gateway.password), ("", "")]:
        headers, words = ways_to_say_who(user, password)[way]
        answer = http.send("GET", f"/?query=SELECT%201{words}", headers=headers)
        assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert b"AUTHENTICATION_FAILED" in answer.data
        assert http.gateway.password.encode() not in answer.data


def test_nobody_and_somebody_in_two_ways_are_turned_away(http):
    assert http.send("GET", "/?query=SELECT%201", headers={}).status == 403
    answer = http.ask("SELECT 1", headers={"X-ClickHouse-User": http.gateway.username, "X-ClickHouse-Key": http.gateway.password})
    assert answer.status == 403


def test_cloudflare_headers_may_be_there_and_can_be_required(http, qalypto_standin, archive):
    environment = http.gateway.environment()
    token = {
        "CF-Access-Client-Id": environment["QALYPTO_CF_ACCESS_CLIENT_ID"],
        "CF-Access-Client-Secret": environment["QALYPTO_CF_ACCESS_CLIENT_SECRET"],
    }
    assert http.ask("SELECT 1", headers=token).status == 200
    strict = type(http)(qalypto_standin(archive, require_cloudflare=True))
    environment = strict.gateway.environment()
    assert strict.ask("SELECT 1").status == 403
    assert strict.ask("SELECT 1", headers=token).status == 403
    token = {
        "CF-Access-Client-Id": environment["QALYPTO_CF_ACCESS_CLIENT_ID"],
        "CF-Access-Client-Secret": environment["QALYPTO_CF_ACCESS_CLIENT_SECRET"],
    }
    assert strict.ask("SELECT 1", headers=token).data == b"1\n"


# --- Answers --------------------------------------------------------------------------------------------------------


def test_headers_of_an_answer(http):
    answer = http.ask("SELECT timezone(), toString(toDateTime(0)) FORMAT CSV", query_id="mine")
    assert answer.data == b'"UTC","1970-01-01 00:00:00"\n'
    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8; header=absent"
    assert answer.headers["X-ClickHouse-Format"] == "CSV"
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert len(answer.headers["X-ClickHouse-Exception-Tag"]) == 16
    assert set(json.loads(answer.headers["X-ClickHouse-Summary"])) >= {"read_rows", "read_bytes", "result_rows", "elapsed_ns"}


def test_the_format_comes_from_the_query_else_the_parameter_else_the_header(http):
    assert http.text("SELECT 1 AS x") == "1\n"
    header = {"X-ClickHouse-Format": "JSONEachRow"}
    assert http.ask("SELECT 1 AS x", headers=header).data == b'{"x":1}\n'
    assert http.ask("SELECT 1 AS x", headers=header, default_format="CSVWithNames").data == b'"x"\n1\n'
    assert http.ask("SELECT 1 AS x FORMAT TabSeparatedWithNames", headers=header, default_format="CSV").data == b"x\n1\n"
    assert http.text("SELECT 1 AS x FORMAT TSVWithNames SETTINGS max_threads = 1;") == "x\n1\n"
    assert http.refused("SELECT 1 FORMAT Nonsense") == (404, 73)


SOME = "SELECT number AS n, toString(number) AS s FROM numbers({}) "


@pytest.mark.parametrize("rows", [0, 3, 200_000])
def test_formats_hold_the_same_rows(http, rows):
    sql = SOME.format(rows)
    wanted = [(n, str(n)) for n in range(rows)]
    assert [(r["n"], r["s"]) for r in map(json.loads, http.text(sql + "FORMAT JSONEachRow").splitlines())] == wanted
    assert [tuple(r) for r in json.loads(http.text(sql + "FORMAT JSONCompact"))["data"]] == wanted
    assert http.text(sql + "FORMAT CSV") == "".join(f'{n},"{s}"\n' for n, s in wanted)
    assert http.text(sql + "FORMAT TabSeparatedWithNamesAndTypes") == "n\ts\nUInt64\tString\n" + "".join(f"{n}\t{s}\n" for n, s in wanted)
    stream = pa.ipc.open_stream(http.ask(sql + "FORMAT ArrowStream").data)
    file = pa.ipc.open_file(http.ask(sql + "FORMAT Arrow").data)
    parquet = pq.read_table(io.BytesIO(http.ask(sql + "FORMAT Parquet").data))
    for table in (stream.read_all(), file.read_all(), parquet):
        assert table.column_names == ["n", "s"]
        assert table.column("n").to_pylist() == [n for n, _ in wanted]


FORMATS = ["Pretty", "Vertical", "XML", "Markdown", "RowBinary", "Native", "JSON", "JSONCompactEachRow", "Values", "Null"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_any_format_of_the_engine_is_answered(http, fmt):
    answer = http.ask(f"SELECT 1 AS x FORMAT {fmt}")
    assert (answer.status, answer.headers["X-ClickHouse-Format"]) == (200, fmt)
    assert bool(answer.data) == (fmt != "Null")


def test_an_arrow_stream_of_many_blocks_with_dictionaries_is_one_stream(http):
    sql = "SELECT toLowCardinality(toString(number % 3 + intDiv(number, 70000) * 3)) AS s FROM numbers(200000) FORMAT ArrowStream"
    answer = http.ask(sql, output_format_arrow_low_cardinality_as_dictionary="1", output_format_arrow_compression_method="none")
    table = pa.ipc.open_stream(answer.data).read_all()
    assert pa.types.is_dictionary(table.schema.field("s").type)
    assert table.column("s").cast(pa.string()).to_pylist() == [str(n % 3 + n // 70_000 * 3) for n in range(200_000)]


UNPACK = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
}
PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "lz4": lz4.frame.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("encoding", UNPACK)
@pytest.mark.parametrize("rows", [0, 1, 200_000])
def test_answers_are_compressed_where_the_client_says_so(http, encoding, rows):
    sql = f"SELECT number FROM numbers({rows})"
    answer = http.pool.request(
        "POST",
        f"{http.gateway.url}/?enable_http_compression=1",
        body=sql,
        headers=http.headers | {"Accept-Encoding": f"br, {encoding};q=0.9"},
        decode_content=False,
    )
    assert answer.headers["Content-Encoding"] == encoding
    assert UNPACK[encoding](answer.data) == b"".join(b"%d\n" % n for n in range(rows))
    plain = http.ask(sql, headers={"Accept-Encoding": encoding})
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("encoding", PACK)
def test_a_body_may_come_compressed_and_in_several_frames(http, encoding):
    body = b"".join(PACK[encoding](part) for part in (b"SELECT 'a", b"b", b"c' AS x"))
    assert http.ask(body, headers={"Content-Encoding": encoding}).data == b"abc\n"
    assert http.ask(body[:-3], headers={"Content-Encoding": encoding}).headers["X-ClickHouse-Exception-Code"] == "271"
    assert http.ask(body, headers={"Content-Encoding": "br"}).headers["X-ClickHouse-Exception-Code"] == "48"


def test_bound_parameters_in_the_address_and_in_a_form(http):
    assert http.text("SELECT {x:String}", param_x="a'b\\\\c\\td") == "a\\'b\\\\c\\td\n"
    assert http.text("SELECT {x:Array(String)}, {y:Nullable(String)}", param_x="['a','b']", param_y="\\N") == "['a','b']\t\\N\n"
    form = {"query": "SELECT {x:UInt64} + {y:UInt64}", "param_x": "40", "param_y": "2"}
    answer = http.pool.request("POST", f"{http.gateway.url}/?", fields=form, headers=http.headers)
    assert answer.data == b"42\n"
    missing = http.refused("SELECT {x:String}")
    assert missing == (500, 456)


def test_data_of_the_client_is_refused(http):
    answer = http.pool.request(
        "POST", f"{http.gateway.url}/?query=SELECT%201&x_structure=a%20Int8", fields={"x": ("x.tsv", b"1\n")}, headers=http.headers
    )
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (501, "48")


# --- Settings and sessions ------------------------------------------------------------------------------------------


def test_settings_hold_for_their_request_alone(http):
    ask = "SELECT getSetting('max_block_size')"
    usual = http.text(ask)
    assert http.text(ask, max_block_size="77") == "77\n"
    assert http.text(ask + " SETTINGS max_block_size = 78") == "78\n"
    assert http.text(ask) == usual
    assert http.refused(ask, nonsense="1") == (404, 115)


def test_a_session_keeps_its_settings(http):
    ask = "SELECT getSetting('max_block_size')"
    assert http.text("SET max_block_size = 79", session_id="one") == ""
    assert http.text(ask, session_id="one", session_check="1") == "79\n"
    assert http.text(ask, session_id="two") != "79\n"
    # A whole answer means that the session is free again.
    assert {http.text(ask, session_id="one") for _ in range(100)} == {"79\n"}
    assert http.refused(ask, session_id="three", session_check="1") == (500, 372)


def test_a_server_may_refuse_every_setting(http, qalypto_standin, archive):
    strict = type(http)(qalypto_standin(archive, forbid_settings=True))
    assert strict.text(COUNT)
    assert strict.refused("SELECT 1", max_block_size="77") == (500, 164)
    assert strict.refused("SELECT 1 SETTINGS max_block_size = 77") == (500, 164)
    assert strict.text("SELECT DISTINCT readonly FROM system.settings") == "1\n"
    assert http.text("SELECT readonly FROM system.settings WHERE name IN ('max_block_size', 'readonly') ORDER BY name") == "0\n1\n"


def test_plain_http_on_the_loopback(http, qalypto_standin, archive):
    plain = type(http)(qalypto_standin(archive, http=True))
    assert plain.gateway.url.startswith("http://127.0.0.1:")
    assert plain.gateway.ca_file is None
    assert plain.text("SELECT 1") == "1\n"
