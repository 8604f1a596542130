"""Stand-ins for the service in tests of your own, as pytest fixtures.

Examples
--------
In a ``conftest.py``, or the test's own module:

>>> pytest_plugins = ["qalypto_research.local.testing"]

and then:

>>> def test_a_client_survives_a_busy_service(qalypto_gateway):
...     gateway = qalypto_gateway("sample")
...     gateway.fault("status", code=503, times=2)
...     client = make_client(gateway.url, gateway.username, gateway.password, gateway.ca_file)
...     assert client.ask("SELECT 1") == 1

Without pytest:

>>> from qalypto_research.local.testing import Gateway
>>> with Gateway("sample") as gateway:
...     print(gateway.username)
quant
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from qalypto_research.errors import ConfigurationError, InputError
from qalypto_research.local.gateway.faults import Fault
from qalypto_research.local.gateway.serving import ORDERS, READY

_STOP_S: Final = 5
_ERRORS_KEPT: Final = 50


class Gateway:
    """A stand-in for the service's history, in a process of its own.

    Parameters
    ----------
    *archive : str or path
        "sample", or the folders of an archive.
    at : str, optional
        Where its clock stands, or begins to run, ISO 8601, UTC; as ``qr.connect``.
    speed : float, optional
        Seconds of clock time a second; by default the clock stands.
    http : bool
        Whether it speaks http instead of https.
    forbid_settings : bool
        Whether it refuses every setting that a client sends (code 164).
    require_cloudflare : bool
        Whether it turns away requests without the Cloudflare headers.

    Attributes
    ----------
    url, username, password : str
        Where and as whom to ask.
    ca_file : str or None
        What to check its certificate by; None where it speaks http.

    Raises
    ------
    ConfigurationError
        It did not start; says why.
    """

    def __init__(
        self,
        *archive: str | Path,
        at: str | None = None,
        speed: float | None = None,
        http: bool = False,
        forbid_settings: bool = False,
        require_cloudflare: bool = False,
    ) -> None:
        words = [str(a) for a in archive or ("sample",)] + ["--port", "0", "--faults", ORDERS]
        words += ["--at", at] if at is not None else []
        words += ["--speed", str(speed)] if speed is not None else []
        flags = {"--http": http, "--forbid-settings": forbid_settings, "--require-cloudflare": require_cloudflare}
        words += [flag for flag, given in flags.items() if given]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "qalypto_research.cli", "serve", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("QALYPTO_")},
        )
        self._errors: deque[str] = deque(maxlen=_ERRORS_KEPT)
        self._listener = threading.Thread(target=self._listen, name="qalypto-gateway", daemon=True)
        self._listener.start()
        self._environment = dict(line.rstrip("\n").split("=", 1) for line in self._until_ready())

    @property
    def url(self) -> str:
        return self._environment["QALYPTO_CLICKHOUSE_URL"]

    @property
    def username(self) -> str:
        return self._environment["QALYPTO_USERNAME"]

    @property
    def password(self) -> str:
        return self._environment["QALYPTO_PASSWORD"]

    @property
    def ca_file(self) -> str | None:
        return self._environment.get("QALYPTO_CA_FILE")

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """Return the variables by which ``qr.connect("service")`` finds it."""
        return dict(self._environment)

    def fault(self, kind: str, **details: str | float) -> None:
        """Let something go wrong from now on, in place of what went wrong before.

        Parameters
        ----------
        kind : str
            One of cut, denied, exception, extra, hang, missing, quota, redirect, renamed, retyped, slow, status.
        **details
            Of ``qalypto_research.local.gateway.faults.Fault``, such as ``times=2``, ``match="market_data_trade"``, ``after=5000``.

        Raises
        ------
        InputError
            There is no such fault.
        """
        self.script(Fault(kind, **details).script)  # type: ignore[arg-type] # checked by the stand-in too

    def script(self, faults: str) -> None:
        """Let several things go wrong, such as ``"seed=7; status:code=429,chance=0.3; cut:after=5000"``; "" for nothing.

        Raises
        ------
        InputError
            It cannot be read.
        """
        if self._process.stdin is None or self._process.poll() is not None:
            raise ConfigurationError("the stand-in has stopped")
        self._process.stdin.write(f"{faults}\n")
        self._process.stdin.flush()
        said = self._until_ready(or_one=True)
        if said:
            raise InputError("faults", said[0].strip().removeprefix("faults: "))

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.script("")

    def stop(self) -> None:
        """Stop it: its address is dead then. Stopping twice is fine."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Gateway {self.url}, {'running' if self.running else 'stopped'}>"

    def _until_ready(self, *, or_one: bool = False) -> list[str]:
        """Return the lines it says before it is ready; the first alone where one means that it could not."""
        lines: list[str] = []
        if self._process.stdout is None:
            return lines
        for line in self._process.stdout:
            if line.rstrip("\n") == READY:
                return lines
            lines.append(line)
            if or_one:
                return lines
        self.stop()
        said = "".join(self._errors).strip().removeprefix("qalypto: ")
        raise ConfigurationError(f"the stand-in stopped: {said or 'it does not say why'}")

    def _listen(self) -> None:
        """Keep the last of what it has to complain about, lest it wait to be heard."""
        for line in self._process.stderr or ():
            self._errors.append(line)


@pytest.fixture(scope="session")
def qalypto_gateway() -> Iterator[Callable[..., Gateway]]:
    """Return a function that takes what ``Gateway`` takes and returns one that runs, without faults.

    It starts a process for each choice of arguments, and stops them when the tests are over. A test that stops one
    itself gets another when it asks again.
    """
    started: dict[object, Gateway] = {}

    def gateway(*archive: str | Path, **options: object) -> Gateway:
        key = (archive, tuple(sorted(options.items())))
        if key in started and started[key].running:
            started[key].heal()
        else:
            started[key] = Gateway(*archive, **options)  # type: ignore[arg-type] # the constructor says what is wrong
        return started[key]

    yield gateway
    for one in started.values():
        one.stop()
