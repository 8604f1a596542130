"""Nothing shows what was not known yet: a random archive, looked at from many moments, against pandas on its Parquet files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from archives import book, kline, ticker, trade, utc, write

import qalypto_research as qr

LENGTH = {"1m": 60, "5m": 300, "1h": 3_600}
HOUR = pd.Timedelta(hours=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return an archive of three hours; half of its files have a record of when a row was seen."""
    folder = tmp_path_factory.mktemp("ahead")
    random = np.random.default_rng(20260302)

    def times(count):
        return [utc("12:00") + pd.Timedelta(int(ms), "ms") for ms in random.integers(0, 3 * 3_600_000, count)]

    def seen(when):
        return {"_seen": when + pd.Timedelta(int(random.exponential(20e6)), "us")}

    pairs = [(e, s) for e in ("binance", "okx") for s in ("BTCUSDT", "ETHUSDT")]
    makers = {"trade": trade, "ticker": ticker, "orderbook": book}
    for table, make in makers.items():
        for recorded in (True, False):
            rows = []
            for n, when in enumerate(times(150)):
                exchange, symbol = pairs[random.integers(len(pairs))]
                rows.append(make(when, 1.0 + n, exchange=exchange, symbol=symbol, **(seen(when) if recorded else {})))
            write(folder, table, rows, name=f"{table}-{recorded}")
    bare, recorded = [], []
    for exchange, symbol in pairs:
        for interval, seconds in LENGTH.items():
            for opened in pd.date_range(utc("12:00"), utc("14:59"), freq=f"{seconds}s"):
                over = opened + pd.Timedelta(seconds, "s")
                key = {"exchange": exchange, "symbol": symbol, "interval": interval}
                bare.append(kline(opened, over.value % 1e9, **key))
                updates = [opened + pd.Timedelta(float(u), "s") for u in random.uniform(0, seconds, 2)]
                recorded += [kline(opened, 7.0, 0.5, is_final=0, _seen=u, **key) for u in updates]
    write(folder, "kline", bare, name="bare")
    write(folder, "kline", recorded, name="recorded")
    return folder


@pytest.fixture(scope="module")
def rows(root):
    """Return each table as pandas reads it, with the moment each row became known."""
    tables = {}
    for table in ("trade", "ticker", "kline", "orderbook"):
        parts = [pq.ParquetFile(f).read().to_pandas() for f in sorted((root / table).glob("*.parquet"))]
        whole = pd.concat(parts, ignore_index=True)
        known = whole["timestamp"].astype("datetime64[us, UTC]")
        if table == "kline":
            over = known + pd.to_timedelta(whole["interval"].map(LENGTH), unit="s").astype("timedelta64[us]")
            known = over.where(whole["is_final"] == 1, pd.NaT)
        whole["known"] = whole["_seen"].astype("datetime64[us, UTC]").fillna(known)
        tables[table] = whole
    assert not tables["kline"]["known"].isna().any()
    return tables


@pytest.fixture(scope="module")
def moments(rows):
    """Return moments between rows, at them, and a microsecond to either side."""
    random = np.random.default_rng(1)
    known = pd.concat([t["known"] for t in rows.values()])
    at = [known.iloc[i] for i in random.integers(0, len(known), 6)]
    step = pd.Timedelta(1, "us")
    some = [utc("12:30") + pd.Timedelta(int(us), "us") for us in random.integers(0, 9_000_000_000, 6)]
    candles = [utc("13:00"), utc("13:00") - step, utc("14:05") + step]
    return sorted({*[m - step for m in at[:3]], *at, *[m + step for m in at[:3]], *some, *candles})


@pytest.fixture(scope="module")
def con(root):
    with qr.connect(root) as connection:
        yield connection


CALLS = {
    "trades": ("trade", "price", "price"),
    "tickers": ("ticker", "last_price", "last_price"),
    "orderbook_tops": ("orderbook", "bid_price", "bids_price_0"),
    "orderbooks": ("orderbook", "bid_price_0", "bids_price_0"),
}


@pytest.mark.parametrize("call", CALLS)
def test_calls_show_exactly_the_rows_known(con, set_clock, rows, moments, call):
    table, column, stored = CALLS[call]
    whole = rows[table]
    for moment in moments:
        set_clock(con, moment)
        shown = getattr(con, call)(["BTCUSDT", "ETHUSDT"], exchange="all", start="2026-03-02 12:00", end="2026-03-02 15:00")
        expected = whole[whole["known"] <= moment]
        assert sorted(zip(shown.index, shown[column], strict=True)) == sorted(zip(expected["timestamp"], expected[stored], strict=True)), (
            moment
        )


@pytest.mark.parametrize("limit", [1, 20])
def test_the_newest_rows_are_the_newest_known(con, set_clock, rows, moments, limit):
    whole = rows["trade"].sort_values("timestamp", kind="stable")
    for moment in moments:
        set_clock(con, moment)
        shown = con.trades(["BTCUSDT", "ETHUSDT"], exchange="all", limit=limit)
        expected = whole[whole["known"] <= moment].tail(limit)
        assert list(shown["price"]) == list(expected["price"]), moment


@pytest.mark.parametrize("interval", LENGTH)
@pytest.mark.parametrize("final", [True, False])
def test_candles_are_those_over_by_now_and_the_forming_is_its_newest_known_update(con, set_clock, rows, moments, interval, final):
    whole = rows["kline"]
    mine = whole[(whole["exchange"] == "okx") & (whole["symbol"] == "ETHUSDT") & (whole["interval"] == interval)]
    length = pd.Timedelta(LENGTH[interval], "s")
    for moment in moments:
        set_clock(con, moment)
        shown = con.klines("ETHUSDT", interval, exchange="okx", start="2026-03-02 12:00", end="2026-03-02 16:00", final=final)
        over = mine[(mine["is_final"] == 1) & (mine["timestamp"] + length <= moment)]
        assert list(shown.index[shown["is_final"]]) == list(over["timestamp"]), moment
        running = mine[(mine["is_final"] == 0) & (mine["known"] <= moment) & (mine["timestamp"] + length > moment)]
        built_from_finer = len(running) == 0
        if not final and not built_from_finer:
            assert list(shown.index[~shown["is_final"]]) == [running["timestamp"].iloc[0]], moment
            assert shown["volume"].iloc[-1] == 0.5
        if final:
            assert shown["is_final"].all()


@pytest.mark.parametrize(
    "relation",
    [
        "market_data_trade",
        "market_data.market_data_trade",
        "`market_data`.`market_data_trade` AS t",
        '"market_data" . "market_data_trade"',
        "market_data /* no */ . /* way */ market_data_trade",
        "(SELECT * FROM market_data.market_data_trade WHERE price > 0)",
        "(SELECT * FROM market_data_trade WHERE side = 'buy' UNION ALL SELECT * FROM market_data.market_data_trade WHERE side <> 'buy')",
        "(SELECT t.* FROM market_data_trade AS t ANY INNER JOIN market_data.market_data_trade AS u USING (timestamp, price))",
        "(SELECT * FROM market_data_trade WHERE price IN (SELECT price FROM market_data.market_data_trade))",
        "(SELECT *, row_number() OVER (ORDER BY timestamp) AS n FROM market_data_trade)",
    ],
)
def test_sql_shows_exactly_the_rows_known_however_a_table_is_named(con, set_clock, rows, moments, relation):
    whole = rows["trade"]
    query = f"SELECT count() AS n, max(timestamp) AS last, sum(price) AS total FROM {relation}"
    for moment in moments[::3]:
        set_clock(con, moment)
        expected = whole[whole["known"] <= moment]
        shown = con.sql(query).iloc[0]
        assert tuple(shown) == (len(expected), expected["timestamp"].max(), expected["price"].sum()), moment


@pytest.mark.parametrize("table", ["trade", "ticker", "kline", "orderbook"])
def test_sql_counts_and_times_are_of_the_rows_known(con, set_clock, rows, moments, table):
    whole = rows[table]
    for moment in moments:
        set_clock(con, moment)
        expected = whole[whole["known"] <= moment]
        assert con.sql(f"SELECT count() FROM market_data.market_data_{table}").iloc[0, 0] == len(expected), moment
        assert con.sql(f"SELECT max(timestamp) FROM market_data_{table}").iloc[0, 0] == expected["timestamp"].max(), moment


@pytest.mark.parametrize("columns", ["price", "*"])
def test_the_largest_are_the_largest_known(con, set_clock, rows, moments, columns):
    whole = rows["trade"]
    query = f"SELECT {columns} FROM market_data.market_data_trade ORDER BY price DESC LIMIT 5"
    for moment in moments[::3]:
        set_clock(con, moment)
        expected = whole[whole["known"] <= moment].nlargest(5, "price")
        assert con.sql(query)["price"].to_list() == expected["price"].to_list(), moment


def test_groups_are_of_the_rows_known(con, set_clock, rows, moments):
    whole = rows["kline"]
    query = "SELECT `interval`, uniqExact(timestamp) AS n FROM market_data_kline GROUP BY `interval` ORDER BY n"
    for moment in moments[::3]:
        set_clock(con, moment)
        expected = whole[whole["known"] <= moment].groupby("interval")["timestamp"].nunique().sort_values()
        assert con.sql(query)["n"].to_list() == expected.to_list(), moment


def test_a_cte_sees_the_rows_known(con, set_clock, rows, moments):
    whole = rows["ticker"]
    query = """
        WITH quotes AS (SELECT exchange, last_price FROM market_data.market_data_ticker),
             best AS (SELECT exchange, max(last_price) AS top FROM quotes GROUP BY exchange)
        SELECT exchange, top FROM best ORDER BY exchange
    """
    for moment in moments[::3]:
        set_clock(con, moment)
        expected = whole[whole["known"] <= moment].groupby("exchange")["last_price"].max()
        shown = con.sql(query)
        assert dict(zip(shown["exchange"], shown["top"], strict=True)) == expected.to_dict(), moment


def test_two_tables_of_one_query_are_known_at_the_same_moment(con, set_clock, rows, moments):
    query = "SELECT (SELECT count() FROM market_data_trade) AS trades, (SELECT count() FROM market_data.market_data_kline) AS klines"
    for moment in moments[::3]:
        set_clock(con, moment)
        assert tuple(con.sql(query).iloc[0]) == tuple((rows[t]["known"] <= moment).sum() for t in ("trade", "kline")), moment


@pytest.mark.parametrize("column", ["known", "_seen", "_seq", "_path", "_row_number", "_file"])
def test_hidden_columns_cannot_be_asked_for(con, column):
    with pytest.raises(qr.errors.QueryError, match=column):
        con.sql(f"SELECT {column} FROM market_data_trade")


@pytest.mark.parametrize(
    "condition",
    ["throwIf(price > 1e6) = 0", "toUInt8(side) > 300", "accurateCast(price, 'UInt8') < 300", "toDate(trade_id) > '2020-01-01'"],
)
def test_an_error_in_a_condition_cannot_come_from_a_row_not_known(connect, tmp_path, condition):
    good = {"side": "1", "trade_id": "2026-03-02"}
    write(tmp_path, "trade", [trade("12:00", 1.0, **good), trade("13:00", 7e9, side="secret", trade_id="secret")])
    con = connect(tmp_path, at="2026-03-02 12:30")
    assert con.sql(f"SELECT count() AS n FROM market_data_trade WHERE {condition} OR 1 = 1")["n"].item() == 1
    assert con.sql(f"SELECT count() AS n FROM market_data_trade WHERE NOT ignore({condition}) OR 1 = 1")["n"].item() == 1
    con.sql(f"SELECT count() AS n FROM market_data_trade WHERE {condition}")
