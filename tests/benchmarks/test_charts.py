"""`qr.charts.candles` against mplfinance: from the frame to the pixels, candles and volume, in a figure of the same size."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from benchmarks.measure import interleaved, ratios, report
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

import qalypto_research as qr

mpl.use("Agg")
mplfinance = pytest.importorskip("mplfinance")
plt = pytest.importorskip("matplotlib.pyplot")

SIZE = (9.0, 5.0)


def candles(count: int) -> pd.DataFrame:
    random = np.random.default_rng(7)
    close = 60_000 + np.cumsum(random.normal(0, 20, count))
    opens = np.concatenate([close[:1], close[:-1]]) + random.normal(0, 2, count)
    return pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, close) + random.exponential(10, count),
            "low": np.minimum(opens, close) - random.exponential(10, count),
            "close": close,
            "volume": random.exponential(30, count),
        },
        index=pd.date_range("2026-03-02", periods=count, freq="min", tz="UTC", name="timestamp"),
    )


def ours(df: pd.DataFrame) -> Figure:
    figure = qr.charts.candles(df)
    FigureCanvasAgg(figure).draw()
    return figure


def theirs(df: pd.DataFrame) -> Figure:
    figure, _ = mplfinance.plot(df, type="candle", volume=True, returnfig=True, figsize=SIZE, warn_too_much_data=10**9)
    FigureCanvasAgg(figure).draw()
    plt.close(figure)
    return figure


def extents(ax: Axes, kind: type) -> np.ndarray:
    """Return the lowest and the highest price of each candle's body, or of its wicks, ascending."""
    paths = [
        path.vertices[:, 1] for c in ax.collections if isinstance(c, kind) and c.get_transform() == ax.transData for path in c.get_paths()
    ]
    return np.sort(np.array([(y.min(), y.max()) for y in paths if len(y) > 1]), axis=0)


# Of few candles most of the time is the figure's, ours and theirs: Axes, labels, layout.
@pytest.mark.parametrize("count", [1_000, 10_000])
def test_candles_from_frame_to_pixels(count: int) -> None:
    df = candles(count)
    named = df.rename(columns=str.title)
    mine, yours = ours(df).axes[0], theirs(named).axes[0]
    np.testing.assert_allclose(extents(mine, PolyCollection), extents(yours, PolyCollection))
    # Each draws a candle's wicks as two lines: from the body down and up.
    np.testing.assert_allclose(extents(mine, LineCollection), extents(yours, LineCollection))
    assert len(extents(mine, LineCollection)) == 2 * count

    seconds = interleaved(ours=lambda: ours(df), theirs=lambda: theirs(named))
    print("\nmedians in seconds:", {name: round(sorted(runs)[len(runs) // 2], 3) for name, runs in seconds.items()})
    report(f"{count:,} candles / mplfinance", ratios(seconds, "ours", "theirs"), 0.2)
