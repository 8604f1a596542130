"""Which candles of a series are there, out of the words of bits that ClickHouse answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qalypto_research.history.census import WORD
from qalypto_research.schema.frames import runs

MISSING: Final = "rows missing"
UNFINISHED: Final = "never finalised"
UNTRADED: Final = "present without trades"
BEFORE: Final = "before the first row"

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Candles:
    """The candles expected of one series, by their place: how many candle lengths after 1970 they open.

    Attributes
    ----------
    begin : int
        Place of the first one expected.
    known, final, traded : numpy.ndarray of bool
        From there on: whether there is any row of it, a final one, a final one with volume.
    """

    begin: int
    known: npt.NDArray[np.bool_]
    final: npt.NDArray[np.bool_]
    traded: npt.NDArray[np.bool_]

    @property
    def expected(self) -> int:
        return len(self.final)

    @property
    def missing(self) -> int:
        return int((~self.final).sum())

    @property
    def zero_volume(self) -> int:
        return int((self.final & ~self.traded).sum())

    @property
    def late(self) -> int:
        """How many candles in front have no row at all."""
        return int(np.argmax(self.known)) if self.known.any() else self.expected

    def holes(self, *, first_ever: bool) -> list[tuple[int, int, str]]:
        """Return the holes in order of time: place of the first candle, place after the last, cause.

        Parameters
        ----------
        first_ever : bool
            Whether the series has no row before these: what lacks in front is then before its first.
        """
        lead = self.late if first_ever else 0
        found = [(0, lead, BEFORE)] if lead else []
        absent = ~self.known
        absent[:lead] = False
        for mask, cause in ((absent, MISSING), (self.known & ~self.final, UNFINISHED), (self.final & ~self.traded, UNTRADED)):
            found += [(a, b, cause) for a, b in runs(mask)]
        return [(self.begin + a, self.begin + b, cause) for a, b, cause in sorted(found)]


def read_candles_there(
    words: npt.NDArray[np.int64], known: Words, final: Words, traded: Words, *, begin: int | None, end: int, settling: bool
) -> Candles:
    """Return the candles of one series from `begin` to `end`, exclusive.

    Parameters
    ----------
    words : numpy.ndarray
        Which words these are, ascending; those in between have no candle.
    known, final, traded : numpy.ndarray
        Their bits.
    begin : int or None
        Place of the first candle expected; None: of the first with any row.
    end : int
        Place after the last candle that is over.
    settling : bool
        Whether the last one was over only just now: it is expected only if it is there.
    """
    first = int(words[0]) * WORD if len(words) else end
    masks = [_laid_out(words, bits) for bits in (known, final, traded)]
    if begin is None:
        begin = first + int(np.argmax(masks[0])) if masks[0].any() else end
    begin = min(begin, end)
    there = Candles(begin, *(_cut(mask, begin - first, end - first) for mask in masks))
    if settling and there.expected and not there.final[-1]:
        return Candles(begin, there.known[:-1], there.final[:-1], there.traded[:-1])
    return there


def _laid_out(words: npt.NDArray[np.int64], bits: Words) -> npt.NDArray[np.bool_]:
    """Return all bits from the first word to the last."""
    if not len(words):
        return np.empty(0, bool)
    dense = np.zeros(int(words[-1] - words[0]) + 1, "<u8")
    dense[words - words[0]] = bits
    return np.unpackbits(dense.view(np.uint8), bitorder="little").view(bool)


def _cut(mask: npt.NDArray[np.bool_], begin: int, end: int) -> npt.NDArray[np.bool_]:
    """Return the places of `mask` from `begin` to `end`, which may lie beyond it: there it is False."""
    cut = np.zeros(end - begin, bool)
    low, high = max(begin, 0), min(end, len(mask))
    if low < high:
        cut[low - begin : high - begin] = mask[low:high]
    return cut
