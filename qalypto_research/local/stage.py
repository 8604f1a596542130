"""What a stand-in stands on: an archive or a log, what time it is there, and how it goes on."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qalypto_research.archive.manifest import read_manifest
from qalypto_research.archive.opening import check_roots, opening_moment_us
from qalypto_research.archive.sample import find_sample
from qalypto_research.clock import Clock, Reading, to_us
from qalypto_research.engine.embedded import EmbeddedEngine
from qalypto_research.errors import InputError
from qalypto_research.local.feed.archive import ArchiveSource
from qalypto_research.local.feed.log import LogSource
from qalypto_research.local.feed.source import Source
from qalypto_research.local.generator import continuation
from qalypto_research.local.generator.growth import MOST_SPEED, Growth
from qalypto_research.timerange import TimeLike, parse_time

_JUST_BEFORE_US: Final = 1


@dataclass(frozen=True, slots=True)
class Play:
    """What is played, and how.

    Attributes
    ----------
    archive : tuple of pathlib.Path
        Folders, or one file: a recorded log of the stream.
    at : time or None
        Where the clock stands, or begins to run; None for the archive's own moment, or the first of a log.
    speed : float or None
        Seconds of clock time a second of wall time, from the start on. None: the clock stands until someone subscribes
        to the stream, then it runs at true pace. 0: it is moved on by the stream, as fast as that is taken. Exactly 1, for
        the sample and without `at`: the sample is brought up to now, and the clock tells the time of day.
    ingestion_delay : datetime.timedelta
        How long after it was seen a row arrives in the tables.
    grown : pathlib.Path or None
        Where the sample is gone on with after its end; None for a temporary folder.
    led : bool
        Whether the clock is told by somebody else when to run.
    strict : bool
        Whether a damaged file is an error; else it is left out, with a warning.
    """

    archive: tuple[Path, ...]
    at: TimeLike | None = None
    speed: float | None = None
    ingestion_delay: dt.timedelta = dt.timedelta(0)
    grown: Path | None = None
    led: bool = False
    strict: bool = True

    def __post_init__(self) -> None:
        if self.speed is not None and not self.speed >= 0:
            raise InputError("speed", f"{self.speed!r} must be 0 (as fast as the stream is taken) or more; 1 is true pace")

    @property
    def paced(self) -> bool:
        """Whether the clock says when messages are sent."""
        return self.speed != 0

    @property
    def log(self) -> Path | None:
        """The log that is played, if it is one."""
        return next((path for path in self.archive if path.expanduser().is_file()), None)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stand-in stands on.

    Attributes
    ----------
    clock : Clock
        What time it is.
    source : Source
        What the stream is made of.
    engine : EmbeddedEngine or None
        What history is read from; a log has none.
    synthetic : bool
        Whether a generator made it.
    """

    clock: Clock
    source: Source
    engine: EmbeddedEngine | None
    synthetic: bool


@contextmanager
def set_up(play: Play, told: Callable[[str], None]) -> Iterator[Stage]:
    """Make ready what is played; its clock runs then where it is to run from the start.

    Parameters
    ----------
    play : Play
        What.
    told : callable
        Told of what takes its time.

    Raises
    ------
    ArchiveError, RangeError
        As by ``qr.connect``.
    InputError
        A log that cannot be played, or a speed that cannot be kept up with.
    """
    with ExitStack() as until_end:
        stage = _of_archive(play, told, until_end) if play.log is None else _of_log(play, play.log.expanduser())
        if play.speed and not play.led and not stage.clock.running:
            stage.clock.start()
        yield stage


def _of_log(play: Play, log: Path) -> Stage:
    if len(play.archive) > 1:
        raise InputError("archive", f"{log} is a log of the stream, which is played alone; leave out the rest")
    source = LogSource(log)
    begins = source.bounds_us[0] - _JUST_BEFORE_US if play.at is None else to_us(parse_time(play.at, "at"))
    return Stage(_clock(play, begins), source, None, synthetic=False)


def _of_archive(play: Play, told: Callable[[str], None], until_end: ExitStack) -> Stage:
    own = check_roots(play.archive)
    manifests = [read_manifest(root, None if play.strict else []) for root in own]
    roots, growth = own, None
    today = play.speed == 1 and play.at is None and not play.led
    if own == (find_sample(),):
        if play.speed is not None and play.speed > MOST_SPEED:
            raise InputError(
                "speed", f"{play.speed:g} is more than the sample can be gone on with ({MOST_SPEED:g}); serve a generated archive"
            )
        folder = play.grown or Path(until_end.enter_context(tempfile.TemporaryDirectory(prefix="qalypto-")))
        growth = _up_to_now(folder, told) if today else Growth(folder, speed=play.speed or 1.0)
        until_end.callback(growth.close)
        roots = (folder,) if today else (*own, folder)
    engine = EmbeddedEngine(roots, strict=play.strict)
    until_end.callback(engine.close)
    if growth is not None and today:
        clock = Clock(Reading(_wall_us(), _wall_us()))
    else:
        moment = None if play.at is None else parse_time(play.at, "at")
        clock = _clock(play, opening_moment_us(engine.seen_bounds_us(), own, manifests, moment, play.ingestion_delay))
    return Stage(clock, ArchiveSource(engine, growth), engine, synthetic=any(m.synthetic for m in manifests))


def _up_to_now(folder: Path, told: Callable[[str], None]) -> Growth:
    """Move the sample by whole days to just before now, and go on with it up to now."""
    now_us = _wall_us()
    days = (now_us - continuation.END_US) // continuation.DAY_US
    continuation.write_moved_sample(folder, days)
    growth = Growth(folder, days=days)
    try:
        blocks = -(-(now_us - growth.ends_us) // continuation.BLOCK_US)
        for done in range(blocks):
            told(f"generating the sample up to now: {done} of {blocks} half hours")
            growth.reach(growth.ends_us, growth.ends_us + 1)
    except BaseException:
        growth.close()
        raise
    return growth


def _clock(play: Play, moment_us: int) -> Clock:
    return Clock(Reading(moment_us, speed=play.speed or 1.0))


def _wall_us() -> int:
    return time.time_ns() // 1_000
