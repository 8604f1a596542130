"""`rebuild`: whole books out of updates, held against recorded tops, a plain dict and literals."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import qalypto_research as qr

rebuild = qr.prep.rebuild

CASES = {
    "binance_spot_20240808": (["ETHUSDT"], "orderbook_top20_1s"),
    "bybit_linear_20210417": (["ADAUSDT", "DOTUSDT"], "orderbook_top20"),
    "bybit_linear_xrp_book_20241201": (["XRPUSDT"], "orderbook_top20"),
    "extra_bitget_mix_20220407": (["DASHUSDT", "UNIUSDT"], "orderbook_top20"),
}


def books(rows, levels=3, *, exchange="binance", symbol="BTCUSDT"):
    """Return a frame of books from (is_snapshot, sequence_id, bids, asks), a second apart."""
    index = pd.date_range("2026-03-02", periods=len(rows), freq="1s", tz="UTC", unit="us", name="timestamp")
    columns = {"exchange": pd.Categorical([exchange] * len(rows)), "symbol": pd.Categorical([symbol] * len(rows))}
    for level in range(levels):
        for side, place in (("bid", 2), ("ask", 3)):
            for field in (0, 1):
                values = [row[place][level][field] if level < len(row[place]) else np.nan for row in rows]
                columns[f"{side}_{('price', 'size')[field]}_{level}"] = np.array(values, "float64")
    columns["is_snapshot"] = np.array([bool(row[0]) for row in rows])
    columns["sequence_id"] = pd.Series([str(row[1]) for row in rows], dtype="str").array
    return pd.DataFrame(columns, index=index)


def side(frame, name, levels=3):
    return [
        [
            (frame[f"{name}_price_{i}"].iloc[row], frame[f"{name}_size_{i}"].iloc[row])
            for i in range(levels)
            if frame[f"{name}_price_{i}"].notna().iloc[row]
        ]
        for row in range(len(frame))
    ]


@pytest.mark.parametrize("name", CASES)
def test_recorded_updates_give_the_recorded_tops(recorded, connect, tmp_path, name):
    symbols, tops = CASES[name]
    if not (recorded / name).is_dir():
        pytest.skip(f"no such recorded case: {recorded / name}")
    (tmp_path / "orderbook").mkdir()
    shutil.copyfile(recorded / name / f"{tops}.parquet", tmp_path / "orderbook" / "x.parquet")
    updates = connect(recorded / name).orderbooks(symbols, depth=1_000, limit=5_000)
    expected = connect(tmp_path).orderbooks(symbols, depth=20, limit=5_000)

    out = rebuild(updates, depth=20)
    assert len(out) == len(updates)
    assert not out["crossed"].any()
    assert not out["stale"].any()
    keys = ["timestamp", "exchange", "symbol", "sequence_id"]
    both = expected.reset_index().merge(out.reset_index(), on=keys, suffixes=("", "_rebuilt"), validate="one_to_one")
    # Of binance a top a second was kept for minutes, the updates for twenty seconds.
    assert len(both) == (20 if name == "binance_spot_20240808" else len(updates))
    levels = [column for column in expected.columns if column.startswith(("bid_", "ask_"))]
    assert len(levels) == 80
    np.testing.assert_array_equal(both[[f"{column}_rebuilt" for column in levels]].to_numpy(), both[levels].to_numpy())


def test_before_the_recorded_snapshot_nothing_is_known(recorded, connect):
    name = "binance_spot_20240808"
    if not (recorded / name).is_dir():
        pytest.skip(f"no such recorded case: {recorded / name}")
    out = rebuild(connect(recorded / name).orderbooks("ETHUSDT", depth=1_000, limit=5_000), depth=5)
    assert out["is_snapshot"].tolist() == [False, False] + [True] * 198
    assert out["bid_price_0"].isna().tolist()[:3] == [True, True, False]
    assert out["bid_price_0"].iloc[-1] == 2682.56
    assert out["bid_size_0"].iloc[-1] == 5.9273
    assert out["ask_price_0"].iloc[-1] == 2682.57
    assert out["ask_size_0"].iloc[-1] == 25.5363


def test_levels_come_change_and_go():
    df = books(
        [
            (True, 1, [(10, 1), (9, 2)], [(11, 3)]),
            (False, 2, [(10, 5)], []),
            (False, 3, [(10, 0), (8, 4)], [(10.5, 7)]),
            (False, 4, [(7, 0)], [(10.5, 0)]),
        ]
    )
    out = rebuild(df)
    assert side(out, "bid") == [[(10, 1), (9, 2)], [(10, 5), (9, 2)], [(9, 2), (8, 4)], [(9, 2), (8, 4)]]
    assert side(out, "ask") == [[(11, 3)], [(11, 3)], [(10.5, 7), (11, 3)], [(11, 3)]]
    assert list(out.columns) == [*df.columns, "stale", "crossed"]
    assert out["is_snapshot"].tolist() == [True] * 4
    assert out["sequence_id"].tolist() == ["1", "2", "3", "4"]


def test_a_snapshot_replaces_the_book_even_with_a_lower_number():
    out = rebuild(
        books([(True, 50, [(10, 1)], [(11, 1)]), (False, 51, [(9, 1)], []), (True, 1, [(5, 1)], [(6, 1)]), (False, 2, [(4, 1)], [])])
    )
    assert side(out, "bid") == [[(10, 1)], [(10, 1), (9, 1)], [(5, 1)], [(5, 1), (4, 1)]]
    assert not out["stale"].any()


def test_stale_updates_are_ignored_and_marked():
    out = rebuild(
        books(
            [
                (True, 10, [(10, 1)], [(11, 1)]),
                (False, 10, [(10, 9)], []),  # the snapshot has it
                (False, 11, [(10, 2)], []),
                (False, 11, [(9, 3)], []),  # the other half of 11
                (False, 9, [(10, 7)], []),
                (False, 12, [(10, 4)], []),
            ]
        ),
        sequence=True,
    )
    assert out["stale"].tolist() == [False, True, False, False, True, False]
    assert side(out, "bid") == [[(10, 1)], [(10, 1)], [(10, 2)], [(10, 2), (9, 3)], [(10, 2), (9, 3)], [(10, 4), (9, 3)]]


def test_checksums_make_nothing_stale():
    rows = [(True, 5, [(10, 1)], [(11, 1)]), (False, -3, [(10, 2)], []), (False, 4, [(10, 3)], []), (False, -9, [(10, 4)], [])]
    assert rebuild(books(rows))["bid_size_0"].tolist() == [1, 2, 3, 4]
    texts = [(a, f"x{b}", c, d) for a, b, c, d in rows]
    assert rebuild(books(texts))["bid_size_0"].tolist() == [1, 2, 3, 4]
    unsigned = books([(a, abs(b), c, d) for a, b, c, d in rows])
    with pytest.raises(qr.errors.InputError, match="of binance BTCUSDT goes back at 2 of 3 steps to updates") as caught:
        rebuild(books([(a, n, c, d) for (a, _, c, d), n in zip(rows, [5, 3, 4, 2], strict=True)]))
    assert caught.value.argument == "sequence"
    assert rebuild(unsigned, sequence=False)["bid_size_0"].tolist() == [1, 2, 3, 4]
    assert rebuild(unsigned, sequence=True)["stale"].tolist() == [False, True, True, False]
    with pytest.raises(qr.errors.InputError, match="no whole number"):
        rebuild(books(texts), sequence=True)


def of_ids(*ids, snapshots=(0,)):
    """Return books of these ids, whose best bid has another size each time."""
    return books([(i in snapshots, number, [(10, i + 1)], [(11, 1)] if i in snapshots else []) for i, number in enumerate(ids)])


def test_what_may_be_checksums_is_asked_for():
    for ids, said in [((1000, 5000, 3000, 9000), "1 of 3"), ((1, 2, 3, 2), "1 of 3"), ((*range(19), 5), "1 of 19")]:
        with pytest.raises(qr.errors.InputError, match=f"goes back at {said} steps to updates") as caught:
            rebuild(of_ids(*ids))
        assert caught.value.argument == "sequence"
    assert rebuild(of_ids(1000, 5000, 3000, 9000), sequence=False)["bid_size_0"].tolist() == [1, 2, 3, 4]
    assert rebuild(of_ids(1000, 5000, 3000, 9000), sequence=True)["bid_size_0"].tolist() == [1, 2, 2, 4]


def test_of_many_ids_a_few_may_come_late():
    assert rebuild(of_ids(*range(20), 5))["stale"].tolist() == [False] * 20 + [True]
    assert rebuild(of_ids(*range(35), 5, *range(35, 39), 6))["bid_size_0"].tolist() == [*range(1, 36), 35, *range(37, 41), 40]


def test_a_snapshot_may_begin_another_count():
    assert not rebuild(of_ids(900, 901, 10, 11, 7, snapshots=(0, 2, 4)))["stale"].any()
    assert not rebuild(of_ids(9, 7, 8, 3, snapshots=(0, 1, 2, 3)))["stale"].any()  # checksums may be what they like in whole books


def test_series_keep_apart():
    a = books([(True, 1, [(10, 1)], [(11, 1)]), (False, 2, [(9, 1)], [])])
    b = books([(False, 7, [(99, 9)], []), (True, 8, [(100, 1)], [(101, 1)])], symbol="ETHUSDT")
    both = qr.concat([a, b]).sort_index(kind="stable")
    out = rebuild(both)
    assert side(out, "bid") == [[(10, 1)], [], [(10, 1), (9, 1)], [(100, 1)]]
    assert out["is_snapshot"].tolist() == [True, False, True, True]


def test_beyond_a_snapshot_that_fills_the_frame_nothing_is_known():
    out = rebuild(books([(True, 1, [(10, 1), (9, 1)], [(11, 1)]), (False, 2, [(10, 0)], []), (False, 3, [(8, 5)], [])], levels=2))
    assert side(out, "bid", 2) == [[(10, 1), (9, 1)], [(9, 1)], [(9, 1)]]  # what stood between 9 and 8 was never said


def test_crossed_books_are_named():
    df = books([(True, 1, [(10, 1)], [(11, 1)]), (False, 2, [(11, 1)], []), (False, 3, [(12, 1)], []), (False, 4, [(11, 0), (12, 0)], [])])
    with pytest.warns(qr.errors.CrossedBookWarning, match=r"2 of 4 rebuilt books .* 2026-03-02 00:00:01\+00:00 \(binance BTCUSDT\)"):
        out = rebuild(df)
    assert out["crossed"].tolist() == [False, True, True, False]


def test_whole_books_stay_as_they_are(connect):
    df = connect("sample").orderbooks("BTCUSDT", exchange="all", depth=30, minutes=10)
    out = rebuild(df)
    assert_frame_equal(out[df.columns], df)
    assert_frame_equal(rebuild(out[df.columns]), out)


def test_depth_of_the_result():
    df = books([(True, 1, [(10, 1), (9, 1)], [(11, 1)])])
    assert side(rebuild(df, depth=1), "bid", 1) == [[(10, 1)]]
    deeper = rebuild(df, depth=5)
    assert "bid_price_4" in deeper
    assert side(deeper, "bid", 5) == [[(10, 1), (9, 1)]]


def test_columns_of_live_frames_stay():
    df = books([(True, 1, [(10, 1)], [(11, 1)])])
    df["received"] = df.index
    assert rebuild(df)["received"].tolist() == df.index.tolist()


UPDATES = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=4, unique_by=lambda level: level[0]),
        st.lists(st.tuples(st.integers(11, 19), st.integers(0, 3)), max_size=4, unique_by=lambda level: level[0]),
    ),
    max_size=25,
)


@given(UPDATES)
@settings(max_examples=60)
def test_as_a_plain_dict_would(rows):
    """Books of at most nine levels a side, in a frame of ten."""
    df = books([(snapshot, i, bids, asks) for i, (snapshot, bids, asks) in enumerate(rows)], levels=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = rebuild(df)
    book = None
    for i, (snapshot, bids, asks) in enumerate(rows):
        book = ({}, {}) if snapshot else book
        for mine, levels in zip(book or (), (bids, asks), strict=False):
            mine.update(dict(levels))
        expected = [{p: s for p, s in mine.items() if s} for mine in book or ({}, {})]
        row = out.iloc[[i]]
        assert side(row, "bid", 10) == [sorted(expected[0].items(), reverse=True)]
        assert side(row, "ask", 10) == [sorted(expected[1].items())]


# --- Input ----------------------------------------------------------------------------------------------------------


def test_an_update_that_may_be_cut_off_is_refused():
    df = books([(True, 1, [(10, 1)], [(11, 1)]), (False, 2, [(9, 1), (8, 1), (7, 1)], [])])
    with pytest.raises(qr.errors.InputError, match=r"fill all 3 levels of the bids.*2026-03-02 00:00:01.*depth=1000|depth=1000.*00:00:01"):
        rebuild(df)


def test_frames_that_are_no_books():
    df = books([(True, 1, [(10, 1), (9, 1)], [(11, 1)]), (False, 2, [(9, 1)], [])])
    for wrong, said in [
        (df.drop(columns="is_snapshot"), "no column 'is_snapshot'"),
        (df.drop(columns="ask_size_1"), "no column 'ask_size_1'"),
        (df[["exchange", "symbol", "is_snapshot", "sequence_id"]], "has no levels"),
        (df.assign(bid_price_0=[np.nan, 9.0]), "before others that have one"),
        (df.assign(bid_size_0=[np.nan, 9.0]), "without a price or size"),
        (df.assign(bid_size_0=[-1.0, 9.0]), "negative sizes"),
        (df.assign(bid_size_0=["1", "2"]), "not of numbers"),
        (df[::-1], "sort_index"),
    ]:
        with pytest.raises(qr.errors.InputError, match=said):
            rebuild(wrong)
    with pytest.raises(qr.errors.InputError, match="depth"):
        rebuild(df, depth=0)


def test_the_given_frame_stays():
    df = books([(True, 1, [(10, 1)], [(11, 1)])])
    before = df.copy(deep=True)
    out = rebuild(df)
    out.loc[:, "bid_price_0"] = -1.0
    out.loc[:, "sequence_id"] = "x"
    assert_frame_equal(df, before)


def test_no_rows():
    out = rebuild(books([]))
    assert len(out) == 0
    assert out["bid_price_0"].dtype == "float64"
    assert out["stale"].dtype == out["crossed"].dtype == "bool"
