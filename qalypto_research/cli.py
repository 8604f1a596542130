"""The command line, ``qalypto``: show the package at work, generate synthetic archives, check the way to the service."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from qalypto_research.errors import QalyptoError

_DEMO = """\
import qalypto_research as qr
con = qr.connect("sample")
df = qr.klines("BTCUSDT", "1h", days=7)
df[["open", "high", "low", "close", "volume"]].tail()"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; by default those it was started with.

    Returns
    -------
    int
        0, or 1 where an error was printed.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except QalyptoError as error:
        print(f"qalypto: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("qalypto: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qalypto", description="Research on Qalypto market data.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="show candles, trades and a comparison from the packaged sample")
    demo.set_defaults(run=_demo)

    generate = commands.add_parser("generate", help="generate a synthetic archive, or go on with one")
    generate.add_argument("folder", help="the archive's folder; made if it is not there")
    generate.add_argument("--sample", action="store_true", help="make the packaged sample there; all else is given then")
    generate.add_argument("--seed", type=int, help="seed of all randomness (1)")
    generate.add_argument("--start", help="first moment of ticks, ISO 8601, UTC (2026-03-02 12:00)")
    generate.add_argument("--end", help="end of the ticks, exclusive")
    generate.add_argument("--hours", type=float, help="length of the ticks, instead of --end (1)")
    generate.add_argument("--rate", type=float, help="trades a second over all series (50)")
    generate.add_argument("--trades", type=int, help="trades to aim at, instead of --rate")
    generate.add_argument("--tables", help="of trade,ticker,kline,orderbook (all)")
    generate.add_argument("--symbols", help="of the documented ten (all)")
    generate.add_argument("--exchanges", help="of binance,bitget,bybit,okx (all)")
    generate.add_argument("--block", help="length of a file, such as 1h or 30m (1h; 10m with order books)")
    generate.set_defaults(run=_generate)

    doctor = commands.add_parser("doctor", help="check the way to the service step by step")
    doctor.set_defaults(run=_doctor)

    serve = commands.add_parser("serve", help="stand in for the service: its history and its stream, from the sample or an archive")
    serve.add_argument(
        "archive", nargs="*", default=["sample"], help="'sample', the folders of an archive, or a recorded log of the stream (sample)"
    )
    serve.add_argument("--at", help="where the clock stands, or begins to run: ISO 8601, UTC (as qr.connect)")
    serve.add_argument(
        "--speed",
        type=float,
        help="let the clock run from the start, so many seconds a second (it stands until someone subscribes); "
        "1 brings the sample up to now; 0: as fast as the stream is taken",
    )
    serve.add_argument("--ingestion-delay", metavar="TIME", help="how long after it was seen a row is in the tables, such as 2s (0s)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8443, help="port of the history, 0 for a free one (8443)")
    serve.add_argument("--stream-port", type=int, default=8444, help="port of the stream, 0 for a free one (8444)")
    serve.add_argument("--user", default="quant", help="who may ask; the password is made up (quant)")
    serve.add_argument("--http", action="store_true", help="speak http and ws, on the loopback only (https and wss)")
    serve.add_argument("--forbid-settings", action="store_true", help="refuse every setting a client sends, as a server may (code 164)")
    serve.add_argument("--require-cloudflare", action="store_true", help="turn away questions without the Cloudflare headers, too")
    serve.add_argument("--faults", default="", metavar="SCRIPT", help="what is to go wrong, as 'status:code=429,times=2; drop:after=100'")
    # For programs that start it: see local.standin and local.stage.
    serve.add_argument("--orders", action="store_true", help=argparse.SUPPRESS)
    serve.add_argument("--led", action="store_true", help=argparse.SUPPRESS)
    serve.add_argument("--grown", type=Path, help=argparse.SUPPRESS)
    serve.add_argument("--skip-damaged", dest="strict", action="store_false", help="leave damaged files out, instead of stopping at them")
    serve.add_argument("--no-history", dest="history", action="store_false", help="serve the stream alone")
    serve.set_defaults(run=_serve)
    return parser


def _demo(_: argparse.Namespace) -> None:
    # The engine and pandas are loaded only when a command needs them, so that --help answers at once.
    import pandas as pd  # noqa: PLC0415

    import qalypto_research as qr  # noqa: PLC0415

    with qr.connect("sample") as con, pd.option_context("display.width", 120, "display.max_columns", 12):
        print("The packaged sample is synthetic. It is not the market.\n")
        print("\n".join(f">>> {line}" for line in _DEMO.splitlines()))
        candles = con.klines("BTCUSDT", "1h", days=7)
        print(candles[["open", "high", "low", "close", "volume"]].tail())
        print(f"\n{len(candles)} candles, {candles.index[0]:%Y-%m-%d %H:%M} to {candles.index[-1]:%Y-%m-%d %H:%M} UTC.\n")
        print('>>> qr.trades("BTCUSDT", minutes=5)[["price", "amount", "side"]].tail(3)')
        print(con.trades("BTCUSDT", minutes=5)[["price", "amount", "side"]].tail(3))
        print(f"\nThe clock of the sample stands at {con.clock.now():%Y-%m-%d %H:%M:%S} UTC: what came later is not visible yet.")
        print("Next: notebooks/01_history.ipynb, or README.md.")


def _generate(given: argparse.Namespace) -> None:
    from qalypto_research.errors import InputError  # noqa: PLC0415
    from qalypto_research.local.generator import generate, generate_sample  # noqa: PLC0415

    options = {
        name: getattr(given, name)
        for name in ("seed", "start", "end", "hours", "rate", "trades", "tables", "symbols", "exchanges", "block")
        if getattr(given, name) is not None
    }
    for name in ("tables", "symbols", "exchanges"):
        if name in options:
            options[name] = [word.strip() for word in options[name].split(",")]
    if given.sample and options:
        raise InputError("--sample", f"fixes everything; leave out {', '.join(f'--{name}' for name in options)}")
    made = generate_sample(given.folder) if given.sample else generate(given.folder, **options, progress=_say)
    print(f"{given.folder}: {made}")


def _doctor(_: argparse.Namespace) -> None:
    from qalypto_research.doctor import examine  # noqa: PLC0415

    for finding in examine():
        print(f"{'ok  ' if finding.good else 'FAIL'}  {finding.step:<10}  {finding.said}", flush=True)
        if not finding.good:
            raise QalyptoError(f"doctor stopped at: {finding.step}")


def _serve(given: argparse.Namespace) -> None:
    # A service is in UTC; the engine asks for the host's zone as soon as it is loaded.
    os.environ["TZ"] = "UTC"
    time.tzset()
    from qalypto_research.archive.sample import sample_root  # noqa: PLC0415
    from qalypto_research.local.stage import Play  # noqa: PLC0415
    from qalypto_research.local.standin import Options, Tellers, serve  # noqa: PLC0415
    from qalypto_research.timerange import parse_duration  # noqa: PLC0415

    play = Play(
        archive=tuple(sample_root() if name == "sample" else Path(name) for name in given.archive),
        at=given.at,
        speed=given.speed,
        ingestion_delay=parse_duration(given.ingestion_delay, "--ingestion-delay") if given.ingestion_delay else dt.timedelta(0),
        grown=given.grown,
        led=given.led,
        strict=given.strict,
    )
    options = Options(
        play,
        host=given.host,
        port=given.port,
        stream_port=given.stream_port,
        history=given.history,
        user=given.user,
        plain=given.http,
        forbid_settings=given.forbid_settings,
        require_cloudflare=given.require_cloudflare,
        faults=given.faults,
        orders=given.orders,
    )
    serve(
        options,
        Tellers(
            say=_say_alone if sys.stderr.isatty() else lambda text: print(text, end="", flush=True),
            warn=lambda text: print(f"qalypto: {text}", file=sys.stderr, flush=True),
            show=_show if sys.stderr.isatty() else None,
        ),
    )
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _say_alone(text: str) -> None:
    """Print what is asked for, not behind what is being shown."""
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(text, end="", flush=True)


def _show(line: str) -> None:
    """Write over the line before."""
    print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)


def _say(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} blocks", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
