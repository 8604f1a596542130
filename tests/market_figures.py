"""What a trader looks at, figure by figure, from rows of the four tables: the same for recorded markets and for the sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd


def autocorrelation(x: np.ndarray, lags: range) -> float:
    x = x - x.mean()
    return float(np.mean([(x[lag:] * x[:-lag]).mean() / x.var() for lag in lags]))


def kurtosis(x: np.ndarray) -> float:
    return float(((x - x.mean()) ** 4).mean() / x.var() ** 2)


def milliseconds(times: pd.Series) -> np.ndarray:
    return pd.DatetimeIndex(times).as_unit("ms").asi8


@dataclass(frozen=True)
class Records:
    """The rows of one exchange and symbol, or one recorded case of them, read where they lie when first looked at."""

    folder: Path
    exchange: str
    symbol: str
    tick: float
    lot: float
    book: str = "orderbook"  # the folder, or file, of whole books
    prefix: str = ""  # of the other tables' files

    def _read(self, table: str) -> pd.DataFrame:
        chosen = [("exchange", "==", self.exchange), ("symbol", "==", self.symbol)]
        path = self.folder / table
        rows = pd.read_parquet(path if path.is_dir() else path.with_suffix(".parquet"), filters=chosen)
        return rows.sort_values("timestamp", kind="stable")

    @cached_property
    def trades(self) -> pd.DataFrame:
        trades = self._read(f"{self.prefix}trade")
        given = trades["trade_id"] != ""
        return trades[~given | ~trades["trade_id"].duplicated()]

    @cached_property
    def tickers(self) -> pd.DataFrame:
        return self._read(f"{self.prefix}ticker")

    @cached_property
    def minutes(self) -> pd.DataFrame:
        candles = self._read(f"{self.prefix}kline")
        return candles[(candles["interval"] == "1m") & (candles["is_final"] == 1)].drop_duplicates("timestamp")

    @cached_property
    def levels(self) -> np.ndarray:
        """Books as (rows, side, level, price and size), 20 levels a side."""
        books = self._read(self.book)
        sides = [[json.loads(text)[:20] for text in books[name]] for name in ("bids_json", "asks_json")]
        return np.array([pair for pair in zip(*sides, strict=True) if len(pair[0]) == len(pair[1]) == 20])

    @cached_property
    def quote(self) -> np.ndarray:
        return (self.trades["price"] * self.trades["amount"]).to_numpy()

    @cached_property
    def order_of(self) -> np.ndarray:
        """Number of each trade's order: what one taker did at once is of one side, in one millisecond, one after another."""
        t, buy = milliseconds(self.trades["timestamp"]), (self.trades["side"] == "buy").to_numpy()
        return np.cumsum(np.append(True, (np.diff(t) > 0) | (buy[1:] != buy[:-1])))

    @cached_property
    def orders(self) -> pd.DataFrame:
        trades = self.trades
        rows = pd.DataFrame(
            {"order": self.order_of, "price": trades["price"].array, "quote": self.quote, "buy": trades["side"].array == "buy"}
        )
        return rows.groupby("order").agg(prices=("price", "nunique"), quote=("quote", "sum"), buy=("buy", "first"))

    @cached_property
    def seconds(self) -> np.ndarray:
        """Returns of the middle of the quote from second to second, in hundredths of a percent."""
        middle = np.log((self.tickers["bid_price"] + self.tickers["ask_price"]) / 2).to_numpy()
        last = pd.Series(middle, self.tickers["timestamp"]).resample("1s").last().ffill()
        return last.diff().dropna().to_numpy() * 1e4

    @cached_property
    def minute_returns(self) -> np.ndarray:
        return np.log(self.minutes["close"]).diff().dropna().to_numpy() * 1e4


# --- The figures ----------------------------------------------------------------------------------------------------


def tight_share(m: Records) -> float:
    spread = np.rint((m.tickers["ask_price"] - m.tickers["bid_price"]) / m.tick)
    return float((spread == 1).mean())


def spread_ticks(m: Records) -> float:
    return float(np.rint((m.tickers["ask_price"] - m.tickers["bid_price"]) / m.tick).mean())


def spread_bp(m: Records) -> float:
    return float((1e4 * (m.tickers["ask_price"] / m.tickers["bid_price"] - 1)).median())


def pace_ms(m: Records) -> float:
    return float(np.median(np.diff(milliseconds(m.tickers["timestamp"]))))


def unmoved_seconds(m: Records) -> float:
    return float((m.seconds == 0).mean())


def second_bp(m: Records) -> float:
    return float(m.seconds.std())


def last_outside(m: Records) -> float:
    t = m.tickers
    return float(((t["last_price"] > t["ask_price"] + m.tick / 2) | (t["last_price"] < t["bid_price"] - m.tick / 2)).mean())


def last_outside_thinned(m: Records) -> float:
    """Return the same after orders were left out at random until two trades a second are left."""
    kept = np.random.Generator(np.random.PCG64(1)).random(len(m.orders) + 1) < min(2.0 / trades_a_second(m), 1.0)
    trades = m.trades[kept[m.order_of]][["timestamp", "price"]]
    t = pd.merge_asof(m.tickers, trades, on="timestamp").dropna(subset="price")
    return float(((t["price"] > t["ask_price"] + m.tick / 2) | (t["price"] < t["bid_price"] - m.tick / 2)).mean())


def trades_a_second(m: Records) -> float:
    t = milliseconds(m.trades["timestamp"])
    return float(len(t) / (t[-1] - t[0]) * 1000)


def same_millisecond(m: Records) -> float:
    return float((np.diff(milliseconds(m.trades["timestamp"])) == 0).mean())


def count_dispersion(m: Records) -> float:
    t = milliseconds(m.trades["timestamp"])
    counts = np.bincount((t - t[0]) // 1000)[:-1]
    return float(counts.var() / counts.mean())


def median_trade(m: Records) -> float:
    return float(np.median(m.quote))


def mean_trade(m: Records) -> float:
    return float(m.quote.mean())


def mean_to_median(m: Records) -> float:
    return mean_trade(m) / median_trade(m)


def top_share(m: Records) -> float:
    return float(np.sort(m.quote)[-(len(m.quote) // 100) :].sum() / m.quote.sum())


def round_share(m: Records) -> float:
    """Sizes of at most two digits in lots, zeros behind them aside."""
    lots = np.rint(m.trades["amount"] / m.lot).astype(np.int64)
    return float(np.mean([len(str(n).rstrip("0")) <= 2 for n in lots]))


def several_prices(m: Records) -> float:
    return float((m.orders["prices"] > 1).mean())


def trades_an_order(m: Records) -> float:
    return len(m.quote) / len(m.orders)


def sign_after(m: Records, lag: int) -> float:
    return autocorrelation(np.where(m.orders["buy"], 1.0, -1.0), range(lag, lag + 1))


def turnover(m: Records) -> float:
    t = milliseconds(m.trades["timestamp"])
    return float(m.quote.sum() / (t[-1] - t[0]) * 60_000)


def level_to_best(m: Records, level: int) -> float:
    quote = np.median((m.levels[..., 0] * m.levels[..., 1]).reshape(-1, 20), axis=0)
    return float(quote[level - 1] / quote[0])


def best_to_order(m: Records) -> float:
    return float(np.median(m.levels[:, :, 0, 0] * m.levels[:, :, 0, 1]) / m.orders["quote"].mean())


def level_gap(m: Records) -> float:
    return float(np.rint(np.abs(np.diff(m.levels[..., 0], axis=2)) / m.tick).mean())


def depth_minutes(m: Records) -> float:
    """Turnover, in minutes, that stands on one side within 0.1% and twenty levels."""
    price, size = m.levels[..., 0], m.levels[..., 1]
    middle = price[:, :, 0].mean(axis=1)[:, None, None]
    near = np.abs(price / middle - 1) <= 1e-3
    return float(np.median((price * size * near).sum(axis=2))) / turnover(m)


def minute_bp(m: Records) -> float:
    return float(m.minute_returns.std())


def minute_kurtosis(m: Records) -> float:
    return kurtosis(m.minute_returns)


def minute_memory(m: Records) -> float:
    return autocorrelation(np.abs(m.minute_returns), range(1, 21))


def range_to_move(m: Records) -> float:
    reach = (m.minutes["high"] - m.minutes["low"]) / m.minutes["close"] * 1e4
    return float(reach.mean() / np.abs(m.minute_returns).mean())


def hours_apart(m: Records) -> float:
    returns = pd.Series(m.minute_returns).groupby(m.minutes["timestamp"].dt.hour.to_numpy()[1:]).std()
    return float(returns.max() / returns.min())


def volume_move(m: Records) -> float:
    return float(np.corrcoef(np.abs(m.minute_returns), np.log1p(m.minutes["volume"].to_numpy()[1:]))[0, 1])


def volume_tail(m: Records) -> float:
    return float(m.minutes["volume"].quantile(0.99) / m.minutes["volume"].median())


def empty_minutes(m: Records) -> float:
    return float((m.minutes["volume"] == 0).mean())


# --- Which of them are shown ----------------------------------------------------------------------------------------

CASES = {
    "ETH spot": ("binance_spot_20240808", "binance", "ETHUSDT", 0.01, 0.0001, "orderbook_top20_1s"),
    "BTC spot": ("binance_spot_btc_20210108", "binance", "BTCUSDT", 0.01, 0.000001, ""),
    "ADA": ("bybit_linear_20210417", "bybit", "ADAUSDT", 0.0001, 1.0, "orderbook_top20"),
    "XRP": ("bybit_linear_xrp_book_20241201", "bybit", "XRPUSDT", 0.0001, 1.0, "orderbook_top20"),
    "UNI": ("extra_bitget_mix_20220407", "bitget", "UNIUSDT", 0.001, 0.1, "orderbook_top20"),
    "DASH": ("extra_bitget_mix_20220407", "bitget", "DASHUSDT", 0.01, 0.01, "orderbook_top20"),
}
SERIES = {
    "BTC": ("binance", "BTCUSDT", 0.1, 0.001),
    "ETH": ("binance", "ETHUSDT", 0.01, 0.001),
    "XRP": ("bybit", "XRPUSDT", 0.0001, 0.1),
    "ADA": ("bybit", "ADAUSDT", 0.0001, 1.0),
    "LINK": ("bitget", "LINKUSDT", 0.001, 0.01),
}


def recorded_case(root: Path, name: str) -> Records:
    folder, exchange, symbol, tick, lot, book = CASES[name]
    return Records(root / folder, exchange, symbol, tick, lot, book, "market_data_")


def sample_series(root: Path, name: str) -> Records:
    return Records(root, *SERIES[name])


@dataclass(frozen=True)
class Figure:
    """A row of the table: what it is called, how it is worked out, and for whom."""

    name: str
    of: Callable[[Records], float]
    recorded: tuple[str, ...]
    generated: tuple[str, ...]
    digits: int = 2

    def cell(self, markets: dict[str, Records], names: tuple[str, ...]) -> str:
        return ", ".join(f"{name} {self.of(markets[name]):,.{self.digits}f}" for name in names)


_SPOT, _THIN, _BUSY = ("ETH spot", "BTC spot"), ("UNI", "DASH"), ("ETH", "BTC")
FIGURES = (
    Figure("spread is one tick, part of tickers", tight_share, (*_SPOT, "UNI"), ("ETH", "BTC", "LINK")),
    Figure("mean spread, ticks", spread_ticks, (*_SPOT, "UNI"), ("ETH", "BTC", "LINK"), 1),
    Figure("median spread, 0.01%", spread_bp, (*_SPOT, "UNI"), ("ETH", "BTC", "LINK"), 3),
    Figure("median ms between tickers", pace_ms, (*_SPOT, "UNI"), ("ETH", "BTC", "LINK"), 0),
    Figure("quote does not move in a second", unmoved_seconds, _SPOT, _BUSY),
    Figure("quote's move in a second, 0.01%", second_bp, _SPOT, _BUSY),
    Figure("last price outside the quote", last_outside, (*_SPOT, *_THIN), (*_BUSY, "LINK")),
    Figure("the same with trades thinned to 2 a second", last_outside_thinned, _SPOT, _BUSY),
    Figure("trades a second", trades_a_second, _SPOT, _BUSY, 1),
    Figure("trades in the millisecond of the one before", same_millisecond, _SPOT, _BUSY),
    Figure("variance to mean of trades a second", count_dispersion, _SPOT, _BUSY, 1),
    Figure("trades an order", trades_an_order, _SPOT, _BUSY, 1),
    Figure("orders that trade at several prices", several_prices, _SPOT, _BUSY),
    Figure("median trade, USD", median_trade, (*_SPOT, "UNI"), (*_BUSY, "LINK"), 0),
    Figure("mean trade, USD", mean_trade, (*_SPOT, "UNI"), (*_BUSY, "LINK"), 0),
    Figure("mean to median trade", mean_to_median, _SPOT, _BUSY, 1),
    Figure("largest percent of trades, part of turnover", top_share, _SPOT, _BUSY),
    Figure("sizes of one or two digits", round_share, ("ETH spot", "BTC spot"), _BUSY),
    Figure("side of the next order", partial(sign_after, lag=1), _SPOT, _BUSY),
    Figure("side of the tenth order after", partial(sign_after, lag=10), _SPOT, _BUSY),
    Figure("turnover a minute, USD", turnover, (*_SPOT, "UNI"), (*_BUSY, "LINK"), 0),
    Figure("best level to mean order", best_to_order, ("ETH spot",), _BUSY, 1),
    Figure("second level to best", partial(level_to_best, level=2), ("ETH spot", "ADA", "XRP", "UNI"), (*_BUSY, "ADA", "XRP", "LINK")),
    Figure("20th level to best", partial(level_to_best, level=20), ("ETH spot", "ADA", "XRP", "UNI"), (*_BUSY, "ADA", "XRP", "LINK")),
    Figure("ticks between levels", level_gap, ("ETH spot", "ADA", "XRP"), (*_BUSY, "ADA", "XRP"), 1),
    Figure("one side's 20 levels within 0.1%, minutes of turnover", depth_minutes, ("ETH spot",), _BUSY),
    Figure("1m return, 0.01%", minute_bp, _THIN, ("LINK", "BTC"), 1),
    Figure("kurtosis of 1m returns", minute_kurtosis, _THIN, ("LINK", "BTC"), 1),
    Figure("autocorrelation of their size, 1 to 20 minutes", minute_memory, _THIN, ("LINK", "BTC")),
    Figure("1m high to low against close to close", range_to_move, _THIN, ("LINK", "BTC")),
    Figure("most to least volatile hour", hours_apart, _THIN, ("LINK", "BTC"), 1),
    Figure("1m volume with size of move", volume_move, _THIN, ("LINK", "BTC")),
    Figure("99% of 1m volumes to median", volume_tail, _THIN, ("LINK", "BTC"), 1),
    Figure("minutes without a trade", empty_minutes, _THIN, ("LINK", "BTC"), 3),
)
