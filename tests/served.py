"""An archive behind a stand-in, and a connection to it as to the service.

Each stand-in is a process of its own, forked from one that has everything imported: a tenth of the time of a fresh one.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from qalypto_research import Connection, default
from qalypto_research.archive.sample import sample_root
from qalypto_research.local.stage import Play
from qalypto_research.local.standin import Options, Tellers, serve

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["served", "clickhouse_connect.driver", "qalypto_research.default"])


def connect(target: Any = None, *, at: Any = None, exchange: str | None = None, **others: Any) -> Connection:
    """Do as `qr.connect`, and reach what is an archive over HTTPS."""
    if target is None or others or "://" in str(target):
        return default.connect(target, at=at, exchange=exchange, **others)
    listed = [target] if isinstance(target, (str, os.PathLike)) else target
    folders = tuple(sample_root() if folder == "sample" else Path(folder) for folder in listed)
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_serve, args=(folders, at, theirs))
    process.start()
    theirs.close()
    environment = dict(line.split("=", 1) for line in ours.recv().splitlines() if "=" in line)
    account = {name: environment[f"QALYPTO_{name.upper()}"] for name in ("username", "password", "ca_file")}
    con = default.connect(environment["QALYPTO_CLICKHOUSE_URL"], exchange=exchange, **account)
    let_go = con.engine.close

    def close() -> None:
        let_go()
        process.terminate()  # it clears up by itself; the interpreter waits for it at its end

    con.engine.close = close  # type: ignore[method-assign]
    return con


def _serve(folders: tuple[Path, ...], at: Any, pipe: Pipe) -> None:
    serve(Options(Play(folders, at=at)), Tellers(say=pipe.send, warn=print))
