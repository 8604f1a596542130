"""The sample behaves like a market in ways that independent random walks of the same scale do not.

Each statement is one function of a `Market`; it must hold for the sample and must not hold for its control. Everything is
read from the Parquet files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import market_figures as figures
import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2] / "data_samples"
LEADER = "binance"
FOLLOWERS = ("okx", "bybit", "bitget")
LIQUID = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
FINE = ("BTCUSDT", "ETHUSDT", "BNBUSDT")  # whose tick is small against what prices move in a second


@dataclass(frozen=True)
class Market:
    minutes: pd.DataFrame  # log close of final 1m candles, a column a symbol
    hours: pd.DataFrame  # the same of 1h candles
    hourly_volume: pd.DataFrame
    sizes: dict[str, np.ndarray]  # quote value of trades by symbol
    ticks: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]  # (exchange, symbol): times in ms, log prices


def _candles(interval: str) -> pd.DataFrame:
    candles = pd.read_parquet(ROOT / "kline", filters=[("exchange", "==", LEADER), ("interval", "==", interval), ("is_final", "==", 1)])
    return candles.drop_duplicates(["symbol", "timestamp"])


@pytest.fixture(scope="module")
def sample() -> Market:
    minutes, hours = _candles("1m"), _candles("1h")
    trades = pd.read_parquet(ROOT / "trade").drop_duplicates(["exchange", "symbol", "trade_id"])
    ticks = {}
    for exchange in (LEADER, *FOLLOWERS):
        for symbol in FINE:
            mine = trades[(trades["exchange"] == exchange) & (trades["symbol"] == symbol)]
            last = mine.groupby("timestamp")["price"].last()
            ticks[exchange, symbol] = (last.index.as_unit("ms").asi8, np.log(last.to_numpy()))
    sizes = {s: (g["price"] * g["amount"]).to_numpy() for s, g in trades.groupby("symbol")}
    return Market(
        np.log(minutes.pivot(index="timestamp", columns="symbol", values="close")),
        np.log(hours.pivot(index="timestamp", columns="symbol", values="close")),
        hours.pivot(index="timestamp", columns="symbol", values="volume"),
        sizes,
        ticks,
    )


def _walk(like: pd.DataFrame, draws: np.random.Generator) -> pd.DataFrame:
    steps = draws.normal(size=like.shape) * like.diff().std().to_numpy()
    return pd.DataFrame(np.cumsum(steps, axis=0), like.index, like.columns)


@pytest.fixture(scope="module")
def control(sample: Market) -> Market:
    """Independent random walks and normal sizes of the sample's scale, traded at the sample's times."""
    draws = np.random.Generator(np.random.PCG64(5))
    volume = sample.hourly_volume
    sizes = {s: np.abs(draws.normal(size=len(v))) * v.mean() * np.sqrt(np.pi / 2) for s, v in sample.sizes.items()}
    ticks = {
        key: (t, np.cumsum(draws.normal(size=len(t)) * np.sqrt(np.diff(t, prepend=t[0]) * np.var(np.diff(p)) / np.diff(t).mean())))
        for key, (t, p) in sample.ticks.items()
    }
    flat = pd.DataFrame(np.abs(draws.normal(volume.mean(), volume.std() * 0.3, size=volume.shape)), volume.index, volume.columns)
    return Market(_walk(sample.minutes, draws), _walk(sample.hours, draws), flat, sizes, ticks)


def autocorrelation(x: np.ndarray, lags: range) -> float:
    x = x - x.mean()
    return float(np.mean([(x[lag:] * x[:-lag]).mean() / x.var() for lag in lags]))


def volatility_clusters(market: Market) -> bool:
    """Absolute returns are correlated over minutes and over hours, and signed ones are not."""
    minutes = [autocorrelation(market.minutes[s].diff().dropna().abs().to_numpy(), range(1, 21)) for s in LIQUID]
    hours = [autocorrelation(market.hours[s].diff().dropna().abs().to_numpy(), range(1, 7)) for s in LIQUID]
    signed = [autocorrelation(market.minutes[s].diff().dropna().to_numpy(), range(1, 21)) for s in LIQUID]
    return min(minutes) > 0.05 and min(hours) > 0.05 and max(map(abs, signed)) < 0.05


def returns_are_heavy_tailed(market: Market) -> bool:
    """Kurtosis of returns is well above the 3 of a normal distribution at both horizons."""
    returns = [frame[s].diff().dropna() for frame in (market.minutes, market.hours) for s in LIQUID]
    return min(float(((r - r.mean()) ** 4).mean() / r.var() ** 2) for r in returns) > 4.5


def sizes_are_heavy_tailed(market: Market) -> bool:
    """The largest percent of trades carries an eighth of the turnover, and its tail index (Hill) is that of a power law."""
    shares, indices = [], []
    for sizes in market.sizes.values():
        top = np.sort(sizes)[-len(sizes) // 100 :]
        shares.append(top.sum() / sizes.sum())
        indices.append(1.0 / np.log(top / top[0]).mean())
    return float(np.median(shares)) > 0.12 and 1.0 < float(np.median(indices)) < 3.2


def days_have_a_rhythm(market: Market) -> bool:
    """On nearly every weekday American hours trade more than late Asian ones, and move prices more on the average."""
    volume, moves = market.hourly_volume[list(LIQUID)], market.hours[list(LIQUID)].diff().abs()
    weekday = volume.index.day_of_week < 5
    busy, quiet = weekday & volume.index.hour.isin(range(13, 17)), weekday & volume.index.hour.isin(range(3, 7))
    day = volume.index.floor("D")
    more = volume[busy].groupby(day[busy]).sum() > volume[quiet].groupby(day[quiet]).sum()
    return float(more.to_numpy().mean()) > 0.85 and bool((moves[busy].mean() > 1.2 * moves[quiet].mean()).all())


SHIFTS = np.arange(-2000, 2001, 100)


def lead_of(market: Market, follower: str) -> tuple[float, float]:
    """Return by how many ms the leader is ahead of `follower`, and their correlation (Hayashi and Yoshida, with a shift).

    The estimator sums products of returns whose spans overlap; it needs no grid and does not take rare trading for delay.
    The lead is the vertex of a parabola through all shifts, which is much steadier than the shift of the largest value.
    """
    found = np.zeros(len(SHIFTS))
    for symbol in FINE:
        (a, x), (b, y) = market.ticks[LEADER, symbol], market.ticks[follower, symbol]
        scale = np.sqrt((np.diff(x) ** 2).sum() * (np.diff(y) ** 2).sum())
        for i, shift in enumerate(SHIFTS):
            upper = np.minimum(np.searchsorted(b - shift, a[1:], "left"), len(b) - 1)
            lower = np.maximum(np.searchsorted(b - shift, a[:-1], "right") - 1, 0)
            found[i] += (np.diff(x) * (y[upper] - y[lower])).sum() / scale / len(FINE)
    bend, slope, _ = np.polyfit(SHIFTS, found, 2)
    return float(-slope / (2.0 * bend)), float(found.max())


def exchanges_follow_the_leader(market: Market) -> bool:
    """Every other exchange moves with the leader, and after it, by some hundred ms on the average."""
    lags, correlations = zip(*(lead_of(market, f) for f in FOLLOWERS), strict=True)
    return min(correlations) > 0.5 and min(lags) > 50 and max(lags) < 1_000 and float(np.mean(lags)) > 150


STATEMENTS = [volatility_clusters, returns_are_heavy_tailed, sizes_are_heavy_tailed, days_have_a_rhythm, exchanges_follow_the_leader]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda f: f.__name__)
def test_the_sample_is_like_a_market(sample, statement):
    assert statement(sample)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda f: f.__name__)
def test_independent_random_walks_are_not(control, statement):
    assert not statement(control)


def test_one_walk_seen_everywhere_at_once_has_no_leader(sample):
    """Rare trading alone does not make a follower: all exchanges read one price without delay, at their own times."""
    draws = np.random.Generator(np.random.PCG64(6))
    ticks = {}
    for symbol in FINE:
        first = min(sample.ticks[e, symbol][0][0] for e in (LEADER, *FOLLOWERS))
        last = max(sample.ticks[e, symbol][0][-1] for e in (LEADER, *FOLLOWERS))
        walk = np.cumsum(draws.normal(size=int(last - first) + 1) * 1e-5)
        for exchange in (LEADER, *FOLLOWERS):
            times = sample.ticks[exchange, symbol][0]
            ticks[exchange, symbol] = (times, walk[times - first])
    together = replace(sample, ticks=ticks)
    assert not exchanges_follow_the_leader(together)
    assert all(correlation > 0.5 for _, correlation in (lead_of(together, f) for f in FOLLOWERS))


def test_the_slowest_exchange_is_the_slowest(sample):
    lags = {f: lead_of(sample, f)[0] for f in FOLLOWERS}
    assert lags["bitget"] > max(lags["okx"], lags["bybit"])


def test_signs_of_trades_persist():
    trades = pd.read_parquet(ROOT / "trade", filters=[("symbol", "==", "BTCUSDT"), ("exchange", "==", LEADER)])
    # One order makes several trades in a millisecond; only what comes after them says that orders are split.
    orders = trades.drop_duplicates("timestamp").sort_values("timestamp")
    signs = np.where(orders["side"] == "buy", 1.0, -1.0)
    assert autocorrelation(signs, range(1, 6)) > 0.05
    shuffled = np.random.Generator(np.random.PCG64(7)).permutation(signs)
    assert abs(autocorrelation(shuffled, range(1, 6))) < 0.02


def test_trades_come_in_bursts(sample):
    times = sample.ticks[LEADER, "BTCUSDT"][0]
    gaps = np.diff(times)
    # Without bursts the spread of the gaps would be their mean.
    assert gaps.std() > 1.5 * gaps.mean()


# What holds for the recorded markets that show it, and must for the sample: figure, recorded cases, series, from, to.
BOUNDS = {
    "the spread is the smallest one most of the time": (figures.tight_share, ["ETH spot"], ["BTC", "ETH", "XRP", "ADA", "LINK"], 0.80, 1.0),
    "and much wider now and then": (figures.spread_ticks, ["ETH spot"], ["ETH", "BTC"], 1.4, 4.0),
    "quotes stand": (figures.unmoved_seconds, ["ETH spot"], ["ETH", "BTC"], 0.30, 0.70),
    "the last price is often still within the quote": (figures.last_outside, ["ETH spot", "BTC spot", "UNI"], ["ETH", "BTC"], 0.0, 0.60),
    "trades share a millisecond": (figures.same_millisecond, ["ETH spot", "BTC spot"], ["ETH", "BTC", "XRP", "ADA", "LINK"], 0.30, 0.75),
    "they come in bursts": (figures.count_dispersion, ["ETH spot", "BTC spot"], ["ETH", "BTC"], 6.0, 50.0),
    "some orders go through several prices": (figures.several_prices, ["ETH spot", "BTC spot"], ["ETH", "BTC"], 0.08, 0.25),
    "the mean trade is far above the median": (figures.mean_to_median, ["ETH spot", "BTC spot"], ["ETH", "BTC"], 4.5, 50.0),
    "sides persist": (partial(figures.sign_after, lag=1), ["ETH spot", "BTC spot"], ["ETH", "BTC"], 0.25, 0.60),
    "over many orders": (partial(figures.sign_after, lag=10), ["ETH spot", "BTC spot"], ["ETH", "BTC"], 0.06, 0.20),
    "next to nothing stands behind the best price": (partial(figures.level_to_best, level=2), ["ETH spot"], ["ETH", "BTC"], 0.0, 0.25),
    "where ticks are coarse much does": (partial(figures.level_to_best, level=2), ["ADA", "XRP", "UNI"], ["ADA", "XRP", "LINK"], 0.35, 1.6),
    "and more farther out": (partial(figures.level_to_best, level=20), ["XRP", "UNI"], ["ADA", "XRP", "LINK"], 1.4, 6.0),
    "levels leave ticks out where ticks are fine": (figures.level_gap, ["ETH spot"], ["ETH", "BTC"], 1.8, 3.5),
    "the book is soon traded through": (figures.depth_minutes, ["ETH spot"], ["ETH", "BTC"], 0.1, 0.5),
    "minutes remember": (figures.minute_memory, ["UNI", "DASH"], ["BTC", "ETH", "LINK"], 0.05, 0.2),
    "they are heavy-tailed": (figures.minute_kurtosis, ["UNI", "DASH"], ["BTC", "ETH", "LINK"], 4.0, 12.0),
    "they go beyond their ends": (figures.range_to_move, ["UNI", "DASH"], ["BTC", "ETH", "LINK"], 1.4, 1.85),
    "volume comes with moves": (figures.volume_move, ["UNI", "DASH"], ["BTC", "ETH", "LINK"], 0.15, 0.5),
    "no minute is empty, or hardly any": (figures.empty_minutes, ["UNI", "DASH"], ["BTC", "ETH", "XRP", "ADA", "LINK"], 0.0, 0.02),
    "hours differ": (figures.hours_apart, ["UNI", "DASH"], ["BTC", "ETH", "LINK"], 2.0, 5.0),
}


@pytest.mark.parametrize("said", BOUNDS)
def test_the_sample_keeps_within_bounds(said):
    figure, _, series, least, most = BOUNDS[said]
    for name in series:
        assert least <= figure(figures.sample_series(ROOT, name)) <= most, name


@pytest.mark.parametrize("said", BOUNDS)
def test_recorded_markets_keep_within_them_too(recorded, said):
    figure, cases, _, least, most = BOUNDS[said]
    for name in cases:
        if not (recorded / figures.CASES[name][0]).is_dir():
            pytest.skip(f"no such recorded case: {recorded / figures.CASES[name][0]}")
        assert least <= figure(figures.recorded_case(recorded, name)) <= most, name


def test_turnover_is_of_life_s_size():
    """An hour of BTCUSDT on the largest exchange is some thousand coins, and no symbol's minute is pocket money."""
    hour = _candles("1h").set_index(["symbol", "timestamp"])["volume"]["BTCUSDT"]
    assert (hour[["2026-03-02 12:00+00:00", "2026-03-02 13:00+00:00"]].between(2_000, 12_000)).all()
    minutes = _candles("1m")
    assert (minutes["close"] * minutes["volume"]).groupby(minutes["symbol"]).mean().min() > 50_000
