"""Coverage of recorded market data, against what is known of it."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

CASES = ["binance_spot_20240808", "bybit_linear_20210417", "binance_spot_btc_20210108", "extra_bitget_mix_20220407"]
TICKS = ["trade", "ticker", "orderbook"]


@pytest.fixture
def case(recorded, connect):
    """Return a function that gives coverage, truths and stored rows of a case."""

    def get(name):
        if not (recorded / name).is_dir():
            pytest.skip(f"no such recorded case: {recorded / name}")
        truths = json.loads((recorded / name / "truths.json").read_text())
        return (
            connect(recorded / name).coverage(),
            truths,
            lambda t: pq.ParquetFile(recorded / name / f"market_data_{t}.parquet").read().to_pandas(),
        )

    return get


@pytest.mark.parametrize("name", CASES)
def test_ticks(case, name):
    there, truths, stored = case(name)
    checked = 0
    for table in TICKS:
        groups = truths.get(f"market_data_{table}", {}).get("groups", {})
        mine = there.series[there.series["table"] == table]
        assert len(mine) == len(groups)
        for row in mine.to_dict("records"):
            truth = groups[f"{row['exchange']}/{row['symbol']}"]
            times = pd.to_datetime([truth["first_ts"], truth["last_ts"]])
            assert [row["first"], row["last"], row["rows"]] == [*times, truth["rows"]]
            if table == "trade":
                assert row["duplicated"] == truth["duplicate_trade_ids"]["extra_rows"] == 0
            else:
                part = stored(table)
                part = part[(part["symbol"] == row["symbol"]) & (part["exchange"] == row["exchange"])]
                columns = [c for c in part.columns if not c.startswith("_")]
                assert row["duplicated"] == part.duplicated(columns).sum()
            checked += 1
    assert checked >= 2


def test_tickers_of_one_millisecond_are_news(case):
    there, _, stored = case("binance_spot_20240808")
    assert stored("ticker")["timestamp"].duplicated().sum() > 100
    assert there.series.loc[there.series["table"] == "ticker", "duplicated"].sum() < 100


def test_busy_minutes_of_a_real_market_have_no_silence(case):
    there, *_ = case("binance_spot_20240808")
    trades = there.holes[there.holes["table"] == "trade"]
    assert trades.empty


def test_candles_repeated_and_never_finalised(case):
    there, truths, stored = case("extra_bitget_mix_20220407")
    groups = truths["market_data_kline"]["groups"]
    candles = stored("kline")
    mine = there.series[there.series["table"] == "kline"]
    assert mine["symbol"].tolist() == ["DASHUSDT", "UNIUSDT"]
    for row in mine.to_dict("records"):
        truth = groups[f"bitget/{row['symbol']}/1m"]
        # 00:08 forms when the recording ends: without a record of when its running rows were current, they are never seen.
        part = candles[(candles["symbol"] == row["symbol"]) & (candles["is_final"] == 1)]
        assert row["rows"] == len(part)
        assert row["first"] == pd.Timestamp(truth["first"])
        assert row["duplicated"] == len(part) - part["timestamp"].nunique()
        assert (row["expected"], row["zero_volume"]) == (truth["expected_if_complete"] - 1, 0)
    assert mine["missing"].tolist() == [1, 0]
    (hole,) = there.holes[there.holes["table"] == "kline"].to_dict("records")
    assert (hole["symbol"], hole["from"], hole["bars"]) == ("DASHUSDT", pd.Timestamp("2022-04-07 00:07", tz="UTC"), 1)
