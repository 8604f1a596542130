"""The table in the sample's README says what the recorded markets and the sample are: both columns are worked out again."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from market_figures import CASES, FIGURES, SERIES, Figure, Records, recorded_case, sample_series

ROOT = Path(__file__).parents[2] / "data_samples"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = README[README.index("| figure |") :].split("\n\n")[0]
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+ \| [^|]+) \| [^|]*\|$", TABLE, re.MULTILINE))


@pytest.fixture(scope="module")
def generated() -> dict[str, Records]:
    return {name: sample_series(ROOT, name) for name in SERIES}


@pytest.fixture(scope="module")
def real(recorded: Path) -> dict[str, Records]:
    for folder, *_ in CASES.values():
        if not (recorded / folder).is_dir():
            pytest.skip(f"no such recorded case: {recorded / folder}")
    return {name: recorded_case(recorded, name) for name in CASES}


def test_the_table_has_these_figures_and_no_other():
    assert list(ROWS) == ["figure", *(figure.name for figure in FIGURES)]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_the_generated_column_is_right(generated, figure: Figure):
    assert ROWS[figure.name].split(" | ")[1] == figure.cell(generated, figure.generated)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_the_recorded_column_is_right(real, figure: Figure):
    assert ROWS[figure.name].split(" | ")[0] == figure.cell(real, figure.recorded)


def test_the_turnover_told_below_it_is_right():
    chosen = [("exchange", "==", "binance"), ("symbol", "==", "BTCUSDT"), ("interval", "==", "1h"), ("is_final", "==", 1)]
    volume = pd.read_parquet(ROOT / "kline", filters=chosen).set_index("timestamp")["volume"]
    first, second = (volume[pd.Timestamp(f"2026-03-02 {hour}:00", tz="UTC")] for hour in (12, 13))
    assert f"({first:,.0f} and {second:,.0f} BTC on binance in the two\nhours)" in README
