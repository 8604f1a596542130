"""How old rows are, whatever jumps the clock makes."""

from __future__ import annotations

from typing import Final

JUMP_US: Final = 5_000_000
"""By so much more than time has passed a clock at true pace must move for it to be a jump; a faster one by so much more."""


class Horizon:
    """Tells the time by which rows are let go of: a jump of the clock ages nothing that was there before it."""

    def __init__(self) -> None:
        self._before_us: int | None = None
        self._lag_us = 0
        self._until_us = 0

    def at(self, now_us: int, passed_us: int, keep_us: int, pace: float = 1.0) -> tuple[int, int]:
        """Return the time to go by, and by how much the clock has jumped since it was looked at last.

        Parameters
        ----------
        now_us : int
            What the clock says.
        passed_us : int
            How much time has passed since it was looked at last.
        keep_us : int
            How long rows are kept; once those from before a jump are gone, the clock is right again.
        pace : float
            How many seconds the clock goes on in one.
        """
        before_us, self._before_us = self._before_us, now_us
        jump_us = 0 if before_us is None else now_us - before_us - passed_us
        if before_us is None or abs(jump_us) < JUMP_US * max(pace, 1.0):
            jump_us = 0
        elif jump_us > 0:
            self._lag_us += jump_us
            self._until_us = before_us
        if now_us - self._lag_us - keep_us > self._until_us:
            self._lag_us = 0
        return now_us - self._lag_us, jump_us
