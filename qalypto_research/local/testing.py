"""Stand-ins for the service in tests of your own, as pytest fixtures.

Examples
--------
In a ``conftest.py``, or the test's own module:

>>> pytest_plugins = ["qalypto_research.local.testing"]

and then:

>>> def test_a_client_survives_a_busy_service(qalypto_standin):
...     standin = qalypto_standin("sample")
...     standin.fault("status", code=503, times=2)
...     client = make_client(standin.url, standin.username, standin.password, standin.ca_file)
...     assert client.ask("SELECT 1") == 1

>>> def test_a_client_of_the_stream_comes_back(qalypto_standin):
...     standin = qalypto_standin("sample")
...     standin.fault("drop", after=100, times=3)
...     client = listen(standin.stream_url + "/my-client", standin.stream_headers, standin.ca_file)
...     assert client.reconnects == 3

Without pytest:

>>> from qalypto_research.local.testing import StandIn
>>> with StandIn("sample") as standin:
...     print(standin.username)
quant

What can go wrong with the history:

=============  =======================================================================
cut            closes the connection ``after`` bytes of the body
denied         answers that the password is wrong (code 516)
exception      fails ``after`` bytes of the body, and says so in it (code 241)
extra          shows a ``table`` with one more ``column``, of type ``to``
hang           takes the query and never answers
missing        shows a ``table`` without its ``column``
quota          answers that the quota is used up (code 201)
redirect       sends the client to the address ``to`` (status 302)
renamed        shows a ``table`` with its ``column`` called ``to``
retyped        shows a ``table`` with its ``column`` of type ``to``
slow           sends ``rate`` bytes a second
status         answers with the status ``code``, and ``Retry-After`` where ``retry_after`` says so
=============  =======================================================================

and with the stream:

================  ====================================================================================================
break_handshake   breaks the connection off before the handshake is answered
refuse            answers the handshake with the status ``code``
unauthorized      answers the handshake as it does wrong credentials (403)
rate_limit        answers a control message with the documented error, and does not carry it out
drop              breaks the connection off instead
close             closes the connection with the ``code``, as a server does that goes away
silence           sends nothing any more, not even pings, the connection open: for so many ``seconds``, or for good
no_heartbeat      sends no ping and acknowledges no pong any more, but goes on with data: likewise
throttle          sends so many bytes a second (``rate``) from there on
duplicate         sends it twice
swap              sends it after the next one
late              sends it so many messages later (``behind``)
lose              does not send it
garbage           writes random bytes over some of it
invalid_json      breaks it off in its middle
unknown_type      gives it the type ``text``
wrong_type        puts a value of another type into one of its fields
oversized         makes it so many bytes long (``size``)
error             sends an error before it, saying ``text``
================  ====================================================================================================

``times`` and ``chance`` say how often; ``match`` that it meets only what contains a text, and ``after`` how many bytes of an
answer, or messages of data on a connection, come first (neither is for handshakes). The other details stand with
``qalypto_research.local.gateway.faults.Fault`` and ``qalypto_research.local.feed.faults.StreamFault``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from qalypto_research.errors import InputError
from qalypto_research.local.faults import to_fault
from qalypto_research.local.orders import to_faults_order
from qalypto_research.local.process import StandInProcess


class StandIn:
    """A stand-in for the service, history and stream, in a process of its own.

    Parameters
    ----------
    *archive : str or path
        "sample", the folders of an archive, or the file of a recorded log of the stream, which has no history.
    at : str, optional
        Where its clock stands, or begins to run, ISO 8601, UTC; as ``qr.connect``. A folder's stands just past its last row
        without, so that nothing is left to be streamed.
    speed : float, optional
        Seconds of clock time a second, from the start on; 0: as fast as the stream is taken. By default the clock stands
        until someone subscribes to the stream, and runs at true pace then. Exactly 1, for the sample and without `at`, brings
        the sample up to now, which takes a second or two for each half hour, of which there are up to 48.
    ingestion_delay : str, optional
        How long after it was seen a row arrives in the tables, such as "2s"; 0 by default.
    history : bool
        Whether history is served beside the stream.
    http : bool
        Whether it speaks http and ws instead of https and wss.
    forbid_settings : bool
        Whether it refuses every setting that a client sends (code 164).
    require_cloudflare : bool
        Whether it turns away questions without the Cloudflare headers; the stream asks for them anyway.

    Attributes
    ----------
    url, username, password : str
        Where and as whom to ask for history.
    stream_url : str
        Where the stream is, without a client's name behind it.
    stream_headers : dict of str to str
        What a handshake must carry.
    ca_file : str or None
        What to check its certificate by; None where it speaks http and ws.

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
        ingestion_delay: str | None = None,
        history: bool = True,
        http: bool = False,
        forbid_settings: bool = False,
        require_cloudflare: bool = False,
    ) -> None:
        words = [str(a) for a in archive or ("sample",)] + ["--port", "0", "--stream-port", "0"]
        given = {"--at": at, "--speed": speed, "--ingestion-delay": ingestion_delay}
        words += [word for name, value in given.items() if value is not None for word in (name, str(value))]
        flags = {
            "--no-history": not history,
            "--http": http,
            "--forbid-settings": forbid_settings,
            "--require-cloudflare": require_cloudflare,
        }
        words += [flag for flag, given in flags.items() if given]
        self._process = StandInProcess(words)

    @property
    def url(self) -> str:
        return self._process.environment["QALYPTO_CLICKHOUSE_URL"]

    @property
    def stream_url(self) -> str:
        return self._process.environment["QALYPTO_STREAM_URL"]

    @property
    def stream_headers(self) -> dict[str, str]:
        return self._process.stream_headers

    @property
    def username(self) -> str:
        return self._process.environment["QALYPTO_USERNAME"]

    @property
    def password(self) -> str:
        return self._process.environment["QALYPTO_PASSWORD"]

    @property
    def ca_file(self) -> str | None:
        return self._process.environment.get("QALYPTO_CA_FILE")

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self._process.running

    def environment(self) -> dict[str, str]:
        """Return the variables by which ``qr.connect("service")`` finds it."""
        return dict(self._process.environment)

    def fault(self, kind: str, **details: str | float) -> None:
        """Let something go wrong from now on, in place of what went wrong before.

        Parameters
        ----------
        kind : str
            One of those at the head of this module.
        **details
            Such as ``times=2``, ``match="market_data_trade"``, ``after=5000``.

        Raises
        ------
        InputError
            There is no such fault.
        """
        self.script(to_fault(kind, details).script)

    def script(self, faults: str) -> None:
        """Let several things go wrong, such as ``"seed=7; status:code=429,chance=0.3; drop:after=100"``; "" for nothing.

        Raises
        ------
        InputError
            It cannot be read.
        """
        said = self._process.order(to_faults_order(faults))
        if said:
            raise InputError("faults", said.removeprefix("faults: "))

    def heal(self) -> None:
        """Let nothing go wrong any more. What a client had to suffer it keeps: lost is lost, and closed is closed."""
        self.script("")

    def stop(self) -> None:
        """Stop it: its addresses are dead then. Stopping twice is fine."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = self.environment().get("QALYPTO_CLICKHOUSE_URL", self.stream_url)
        return f"<StandIn {where}, {'running' if self.running else 'stopped'}>"


@pytest.fixture(scope="session")
def qalypto_standin() -> Iterator[Callable[..., StandIn]]:
    """Return a function that takes what ``StandIn`` takes and returns one that runs, without faults.

    It starts a process for each choice of arguments, and stops them when the tests are over. A test that stops one
    itself gets another when it asks again. A clock that has been started runs on.
    """
    started: dict[object, StandIn] = {}

    def standin(*archive: str | Path, **options: object) -> StandIn:
        key = (archive, tuple(sorted(options.items())))
        if key in started and started[key].running:
            started[key].heal()
        else:
            started[key] = StandIn(*archive, **options)  # type: ignore[arg-type] # the constructor says what is wrong
        return started[key]

    yield standin
    for one in started.values():
        one.stop()
