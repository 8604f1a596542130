"""Seeded randomness: one generator a purpose, and noise that is a function of where it is asked for."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint64]


def label(*names: str) -> int:
    """Return a number for `names` that is the same in every process, unlike ``hash``."""
    return zlib.crc32("/".join(names).encode())


def rng(seed: int, purpose: str, *where: int) -> np.random.Generator:
    """Return the generator of one purpose at one place (block, series): draws elsewhere never shift it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, label(purpose), *where])))


def noise_bits(seed: int, *keys: Ints | int) -> Bits:
    """Return 64 random bits for each combination of `keys` (splitmix64), without any state.

    What is drawn for a price level or a minute so stays the same whenever and however often it is looked at.
    """
    with np.errstate(over="ignore"):
        bits = np.full((), seed & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
        for key in keys:
            bits = (bits ^ np.asarray(key, dtype=np.int64).astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            bits = bits ^ (bits >> np.uint64(31))
    return np.asarray(bits)


def noise_uniform(seed: int, *keys: Ints | int) -> Floats:
    """Return uniform noise in (0, 1) as a function of `keys`."""
    out: Floats = ((noise_bits(seed, *keys) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return out


def noise_normal(seed: int, *keys: Ints | int) -> Floats:
    """Return roughly normal noise (mean 0, variance 1, within +-3.5) as a function of `keys`: a sum of four uniforms."""
    bits = noise_bits(seed, *keys)
    total = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    out: Floats = (total / 65536.0 - 2.0 + 2.0**-15) * np.sqrt(3.0)
    return out


def smooth_noise(seed: int, series: int, t_ms: Ints, period_ms: int) -> Floats:
    """Return slowly moving noise of about unit size: normal at multiples of `period_ms`, linear between them."""
    node = t_ms // period_ms
    part = (t_ms - node * period_ms) / period_ms
    return (1.0 - part) * noise_normal(seed, series, node) + part * noise_normal(seed, series, node + 1)


def autoregress(start: Floats, shocks: Floats, keep: Floats) -> Floats:
    """Return x[t] = keep * x[t-1] + shocks[t] along the first axis, from x[-1] = `start`."""
    out = np.empty_like(shocks)
    state = start
    for i in range(len(shocks)):
        state = keep * state + shocks[i]
        out[i] = state
    return out
