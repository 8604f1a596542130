"""The command line, ``qalypto``: show the package at work, generate synthetic archives, check the way to the service."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

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

    serve = commands.add_parser("serve", help="stand in for the service: ClickHouse over HTTP, from the sample or folders of your own")
    serve.add_argument("archive", nargs="*", default=["sample"], help="'sample', or the folders of an archive (sample)")
    serve.add_argument("--at", help="where the clock stands, or begins to run: ISO 8601, UTC (as qr.connect)")
    serve.add_argument("--speed", type=float, help="let the clock run, so many seconds a second (it stands)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8443, help="port to listen on, 0 for a free one (8443)")
    serve.add_argument("--user", default="quant", help="who may ask; the password is made up (quant)")
    serve.add_argument("--http", action="store_true", help="speak http, on the loopback only (https)")
    serve.add_argument("--forbid-settings", action="store_true", help="refuse every setting a client sends, as a server may (code 164)")
    serve.add_argument("--require-cloudflare", action="store_true", help="turn away requests without the Cloudflare headers")
    serve.add_argument("--faults", default="", metavar="SCRIPT", help="what is to go wrong, as 'status:code=429,times=2; cut:after=5000'")
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
    from pathlib import Path  # noqa: PLC0415

    from qalypto_research.archive.sample import sample_root  # noqa: PLC0415
    from qalypto_research.local.gateway.serving import Options, serve  # noqa: PLC0415

    options = Options(
        folders=tuple(sample_root() if name == "sample" else Path(name) for name in given.archive),
        at=given.at,
        speed=given.speed,
        host=given.host,
        port=given.port,
        user=given.user,
        plain=given.http,
        forbid_settings=given.forbid_settings,
        faults=given.faults,
        require_cloudflare=given.require_cloudflare,
    )
    serve(
        options,
        say=lambda text: print(text, end="", flush=True),
        warn=lambda text: print(f"qalypto: {text}", file=sys.stderr, flush=True),
    )


def _say(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} blocks", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
