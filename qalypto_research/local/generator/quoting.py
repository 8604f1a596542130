"""Tickers: the quote, the last trade, the last 24 hours, funding and open interest at one moment."""

from __future__ import annotations

from typing import Final

import numpy as np

from qalypto_research.local.generator.minutes import NOTHING_HIGH, NOTHING_LOW, Bars, join_two
from qalypto_research.local.generator.randomness import Floats, Ints, noise_bits, noise_normal, smooth_noise
from qalypto_research.local.generator.rows import Rows
from qalypto_research.local.generator.series import Series
from qalypto_research.local.generator.settings import MINUTE_MS
from qalypto_research.local.generator.tape import Tape

_DAY_MINUTES: Final = 1440
_FUNDING_MS: Final = 8 * 3_600_000
_FUNDING_STEP_MS: Final = 60_000
_MARK_MS: Final = 3_000
_NO_OPEN: Final = ("bybit",)
_NO_INTEREST_VALUE: Final = ("bybit",)
_NO_TURNOVER: Final = ("okx",)
_NO_SIZES: Final = ("bitget",)


def ticker_rows(series: Series, tape: Tape, every_ms: int, floor_us: int) -> Rows:
    """Return the tickers of one series over a block, one every `every_ms`; none is seen before `floor_us`."""
    at = _moments(series, tape, every_ms)
    so_far = tape.minute_up_to(at)
    day = join_two(_rest_of_day(tape).at((at - tape.start_ms) // MINUTE_MS), so_far)
    price, lot, exchange = series.ticks_per_unit, series.lots_per_unit, series.exchange
    (bid, bid_size), (ask, ask_size) = ([a[:, 0] for a in tape.standing(series, side, at, 1)] for side in ("bids", "asks"))
    nan = np.full(len(at), np.nan)
    return {
        "timestamp": at,
        # Carried through minutes without a trade, so it is the last trade's price.
        "last_price": so_far.close / price,
        "bid_price": bid / price,
        "ask_price": ask / price,
        "bid_size": nan if exchange in _NO_SIZES else bid_size / lot,
        "ask_size": nan if exchange in _NO_SIZES else ask_size / lot,
        "high_24h": day.high / price,
        "low_24h": day.low / price,
        "volume_24h": day.lots / lot,
        "quote_volume_24h": nan if exchange in _NO_TURNOVER else day.quote / (price * lot),
        "open_24h": nan if exchange in _NO_OPEN else day.open / price,
        **_contract(series, tape, at),
        "_seen": tape.delay.seen(at, series.salt("ticker delay"), floor_us),
    }


def _moments(series: Series, tape: Tape, every_ms: int) -> Ints:
    """Return the times of the block's tickers: evenly spaced with some jitter."""
    offset = int(noise_bits(series.seed, series.salt("ticker")) % np.uint64(every_ms))
    slots = np.arange(tape.start_ms - tape.start_ms % every_ms - every_ms + offset, tape.end_ms, every_ms, dtype=np.int64)
    jitter = noise_bits(series.seed, series.salt("ticker jitter"), slots) % np.uint64(max(every_ms // 3, 1))
    at = slots + jitter.astype(np.int64)
    return at[(at >= tape.start_ms) & (at < tape.end_ms)]


def _rest_of_day(tape: Tape) -> Bars:
    """Return, for each minute of the block, the 1439 whole minutes before it: a 24-hour window but for the running minute."""
    minutes, n, width = tape.minutes, tape.block_minutes, _DAY_MINUTES - 1
    skip = minutes.count.shape[-1] - n - width
    traded = minutes.count > 0

    def windows(values: Ints) -> Ints:
        return np.lib.stride_tricks.sliding_window_view(values[skip:], width)[:n]

    high = windows(np.where(traded, minutes.high, NOTHING_HIGH)).max(axis=-1)
    low = windows(np.where(traded, minutes.low, NOTHING_LOW)).min(axis=-1)
    lots, quote, count = (windows(a).sum(axis=-1) for a in (minutes.lots, minutes.quote, minutes.count))
    close = minutes.close[skip + width - 1 : skip + width - 1 + n]
    return Bars(minutes.open[skip : skip + n], high, low, close, lots, quote, count)


def _contract(series: Series, tape: Tape, at: Ints) -> Rows:
    """Return funding, mark, index and open interest at the moments `at`; exchanges reckon them anew every few seconds or minutes."""
    seed, instrument = series.seed, series.instrument
    period = at // _FUNDING_MS
    minute = at // _FUNDING_STEP_MS * _FUNDING_STEP_MS
    # The rate settles at the end of a period; the next one starts from its own level.
    level = 60.0 + 55.0 * noise_normal(seed, series.salt("funding"), period)
    rate = np.rint(10.0 * (level + 9.0 * smooth_noise(seed, series.salt("funding drift"), minute, 1_800_000))).astype(np.int64)
    fine = 10 * series.ticks_per_unit
    reckoned = at // _MARK_MS * _MARK_MS
    step = tape.quotes.step_of(reckoned)
    index = np.rint(_index(series, tape, reckoned) * fine)
    mid = 5.0 * (tape.quotes.bid[step] + tape.quotes.ask[step])
    mark = np.rint(mid + 0.25 * (index - mid))
    drift = 0.02 * smooth_noise(seed, series.salt("interest"), minute, 14_400_000) + 0.0006 * noise_normal(
        seed, series.salt("interest jitter"), minute
    )
    interest = np.rint(instrument.open_interest * series.venue.share * 2.0 * (1.0 + drift) * series.lots_per_unit).astype(np.int64)
    value = np.full(len(at), np.nan)
    if series.exchange not in _NO_INTEREST_VALUE:
        value = np.rint(interest / series.lots_per_unit * _index(series, tape, minute) * 100.0) / 100.0
    return {
        "funding_rate": rate / 10**7,
        "next_funding_time": (period + 1) * _FUNDING_MS,
        "mark_price": mark / fine,
        "index_price": index / fine,
        "open_interest": interest / series.lots_per_unit,
        "open_interest_value": value,
    }


def _index(series: Series, tape: Tape, at: Ints) -> Floats:
    """Return the price of the asset itself at the moments `at`: what all exchanges' contracts follow, a little above them."""
    drift: Floats = 1e-4 * smooth_noise(series.seed, series.salt("index"), at, 240_000)
    return np.exp(tape.log_price[tape.quotes.step_of(at)]) * (1.0 + 3e-4 + drift)
