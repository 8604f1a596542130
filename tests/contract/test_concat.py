"""``qr.concat`` unites categories; ``pd.concat`` suffices for documented symbols."""

from __future__ import annotations

import pandas as pd
import pytest
from archives import trade, write

import qalypto_research as qr

pytestmark = pytest.mark.contract

DOCUMENTED = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT", "DOTUSDT", "LINKUSDT", "AVAXUSDT"]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("concat")
    symbols = ["BTCUSDT", "ETHUSDT", "UNIUSDT", "DASHUSDT"]
    write(folder, "trade", [trade("12:00", n, symbol=s) for n, s in enumerate(symbols)])
    with qr.connect(folder) as con:
        yield {s: con.trades(s, limit=1) for s in symbols}


def test_pandas_keeps_the_category_of_documented_symbols(frames):
    whole = pd.concat([frames["BTCUSDT"], frames["ETHUSDT"]])
    assert list(whole["symbol"].cat.categories) == DOCUMENTED


def test_pandas_alone_loses_the_category_of_others(frames):
    """If this fails, pandas has learnt it and ``qr.concat`` has no purpose."""
    assert str(pd.concat([frames["BTCUSDT"], frames["UNIUSDT"]])["symbol"].dtype) != "category"


@pytest.mark.parametrize(
    "order", [["UNIUSDT", "BTCUSDT", "DASHUSDT"], ["BTCUSDT", "DASHUSDT", "UNIUSDT"], ["DASHUSDT", "UNIUSDT", "BTCUSDT"]]
)
def test_concat_unites_symbols_beyond_the_vocabulary(frames, order):
    whole = qr.concat([frames[s] for s in order])
    assert list(whole["symbol"].cat.categories) == [*DOCUMENTED, "DASHUSDT", "UNIUSDT"]
    assert whole["symbol"].cat.ordered is False
    assert list(whole["symbol"]) == order
    assert list(whole["price"]) == [{"BTCUSDT": 0.0, "UNIUSDT": 2.0, "DASHUSDT": 3.0}[s] for s in order]
    assert whole.drop(columns="symbol").dtypes.equals(frames["BTCUSDT"].drop(columns="symbol").dtypes)
    assert str(whole.index.dtype) == "datetime64[us, UTC]"


def test_concat_leaves_its_parts_alone(frames):
    part = frames["UNIUSDT"].copy(deep=True)
    qr.concat([frames["UNIUSDT"], frames["DASHUSDT"]])
    pd.testing.assert_frame_equal(frames["UNIUSDT"], part)


def test_concat_takes_an_iterator_and_empty_frames(frames):
    whole = qr.concat(f for f in (frames["UNIUSDT"].head(0), frames["BTCUSDT"]))
    assert list(whole["symbol"]) == ["BTCUSDT"]
    assert list(whole["symbol"].cat.categories) == [*DOCUMENTED, "UNIUSDT"]


@pytest.mark.parametrize("wrong", [[], [1], ["text"], [None]])
def test_concat_of_nothing_or_of_no_frames_is_an_error(wrong):
    with pytest.raises(qr.errors.InputError, match="frames"):
        qr.concat(wrong)
