"""SQL of the history calls: whatever the names, they are bound, and the statements run."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qalypto_research.archive.visibility import ARRIVAL
from qalypto_research.asked import parse_bytes, pick_columns, pick_interval
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import InputError
from qalypto_research.history.arguments import pick_exchanges, pick_symbols
from qalypto_research.history.query import Span, TableQuery, candle_query, to_parameter
from qalypto_research.schema.frames import KLINES, ORDERBOOK_TOPS, TICKERS, TRADES

FRAMES = (TRADES, TICKERS, KLINES, ORDERBOOK_TOPS)
NOW = pd.Timestamp("2026-03-02 13:00:30", tz="UTC")

# Names as an archive may hold them: anything but NUL, and sharp on purpose.
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["'", "\\", "\\'", "'; DROP TABLE x; --", "{x:String}", "%(a)s", '"', "`", "/*", "\n", "'')", "\\N", "NULL", "[]", "\\x27"]
)
moments = st.datetimes(pd.Timestamp("2000-01-01"), pd.Timestamp("2199-01-01")).map(lambda t: pd.Timestamp(t, tz="UTC").as_unit("us"))
spans = st.builds(Span, st.none() | moments, st.none() | moments)


@st.composite
def queries(draw, relation="relation"):
    frame = draw(st.sampled_from(FRAMES))
    columns = tuple(draw(st.lists(st.sampled_from(frame.columns), min_size=1, unique=True)))
    picked = [tuple(draw(st.lists(names, min_size=1, max_size=3, unique=True))) for _ in range(2)]
    return TableQuery(frame.table, relation, ARRIVAL, columns, *picked)


def statements(query, span, newest):
    yield query.select(span, newest=newest)
    yield query.count_by(span, 60_000)
    if query.table is KLINES.table:
        for final in (True, False):
            yield candle_query(query, "5m", NOW, final=final).select(span, newest=newest)
            yield candle_query(query, "5m", NOW, final=final).count_by(span, 1_000)


@given(query=queries(), other=queries(), span=spans, newest=st.none() | st.integers(1, 10**9))
def test_the_text_of_a_statement_does_not_depend_on_what_was_asked_for(query, other, span, newest):
    """Only how many names there are shows in the SQL, never which: every value is a parameter."""
    twin = TableQuery(
        query.table,
        query.relation,
        query.arrival,
        query.columns,
        tuple(f"x{i}" for i, _ in enumerate(query.exchanges)),
        tuple(f"y{i}" for i, _ in enumerate(query.symbols)),
    )
    for (sql, bound), (twin_sql, _) in zip(statements(query, span, newest), statements(twin, span, newest), strict=True):
        assert sql == twin_sql
        assert set(re.findall(r"\{(\w+):", sql)) == set(bound)
        assert bound["exchange"] == (query.exchanges[0] if len(query.exchanges) == 1 else list(query.exchanges))
        assert bound["symbol"] == (query.symbols[0] if len(query.symbols) == 1 else list(query.symbols))


@settings(max_examples=40)
@given(data=st.data(), span=spans, newest=st.none() | st.integers(1, 50))
def test_every_statement_runs_and_names_that_are_not_there_find_nothing(con, data, span, newest):
    with con.snapshot() as snapshot:
        query = data.draw(queries())
        there = set(query.exchanges) & {"binance", "bitget", "bybit", "okx"}
        query = TableQuery(query.table, snapshot.relation(query.table), ARRIVAL, query.columns, query.exchanges, query.symbols)
        for sql, bound in statements(query, span, newest):
            found = snapshot.fetch(sql, bound)
            assert found.num_rows == 0 or there


@given(moment=moments)
def test_a_bound_of_a_range_is_rounded_up_to_the_tables_milliseconds(moment):
    microseconds = moment.value // 1_000
    milliseconds = -(-microseconds // 1_000)
    assert pd.Timestamp(to_parameter(moment), tz="UTC").value == milliseconds * 1_000_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", to_parameter(moment))


def test_a_call_binds_every_value_it_was_given(con, monkeypatch):
    sent = []
    execute = EmbeddedEngine.execute
    monkeypatch.setattr(
        EmbeddedEngine, "execute", lambda self, sql, bound, *rest: sent.append((sql, bound)) or execute(self, sql, bound, *rest)
    )
    con.trades(["ETHUSDT", "XRPUSDT"], exchange="okx", start="2026-03-02 12:30:00.1234567", end="2026-03-02 12:40", limit=7)
    ((sql, bound),) = sent
    assert not re.search(r"ETHUSDT|XRPUSDT|okx|2026", sql)
    assert {k: bound[k] for k in ("exchange", "symbol", "start", "end")} == {
        "exchange": "okx",
        "symbol": ["ETHUSDT", "XRPUSDT"],
        "start": "2026-03-02 12:30:00.124",
        "end": "2026-03-02 12:40:00.000",
    }


# --- Arguments ------------------------------------------------------------------------------------------------------


class Known:
    """A series that is there."""

    def __init__(self, exchange, symbol):
        self.table, self.exchange, self.symbol, self.interval = "trade", exchange, symbol, ""


@pytest.mark.parametrize(
    ("there", "default", "asked", "expected"),
    [
        (["okx", "binance"], None, None, ("binance",)),
        (["okx"], None, None, ("okx",)),
        (["okx", "bybit"], "okx", None, ("okx",)),
        (["okx", "bybit"], "all", None, ("bybit", "okx")),
        (["okx", "bybit"], "okx", "bybit", ("bybit",)),
        (["okx", "bybit", "binance"], "okx", ["okx", "binance"], ("binance", "okx")),
        (["zeta", "okx"], None, "all", ("okx", "zeta")),
    ],
)
def test_exchanges_are_picked(there, default, asked, expected):
    assert pick_exchanges(asked, default, [Known(e, "BTCUSDT") for e in there]) == expected


def test_several_exchanges_without_binance_must_be_named():
    with pytest.raises(InputError, match=r"^exchange: .*name one of bybit, okx, or 'all'"):
        pick_exchanges(None, None, [Known("okx", "X"), Known("bybit", "X")])


def test_a_symbol_that_is_elsewhere_is_refused_with_where_it_is():
    known = [Known("okx", "BTCUSDT"), Known("binance", "ETHUSDT")]
    with pytest.raises(InputError, match=r"^symbols: 'ETHUSDT'.*it is on binance, not on okx"):
        pick_symbols("ethusdt", ["okx"], known)


def test_symbols_come_in_the_documented_order_and_others_after_them():
    known = [Known("okx", s) for s in ("ZZZ", "AAA", "ETHUSDT", "BTCUSDT")]
    assert pick_symbols(["zzz", "ethusdt", "aaa", "btcusdt", "ZZZ"], ["okx"], known) == ("BTCUSDT", "ETHUSDT", "AAA", "ZZZ")


@pytest.mark.parametrize(
    ("asked", "expected"), [("60s", "1m"), ("300s", "5m"), ("0.5h", "30m"), ("240m", "4h"), ("0.5d", "12h"), ("1d", "1d")]
)
def test_an_interval_is_a_length(asked, expected):
    assert pick_interval(asked) == expected


def test_columns_keep_the_order_of_the_table_and_are_given_once():
    assert [c.name for c in pick_columns(["price", "symbol", "price", "timestamp"], TRADES)] == ["symbol", "price"]
    assert [c.name for c in pick_columns("price", TRADES)] == ["price"]
    assert pick_columns("timestamp", TRADES) == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2GB", 2_000_000_000),
        ("1.5 kb", 1_500),
        ("512MiB", 536_870_912),
        ("1TiB", 1_099_511_627_776),
        ("1B", 1),
        ("1gb", 10**9),
        (5, 5),
        (10**20, 10**20),
    ],
)
def test_sizes_are_decimal_or_binary_as_written(text, count):
    assert parse_bytes(text, "max_bytes") == count
