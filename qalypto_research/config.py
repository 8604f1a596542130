"""Settings, read when a connection is made: environment, then ``.env``, below what is given as an argument."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from qalypto_research.errors import ConfigurationError
from qalypto_research.schema.wire import ACCESS_HEADERS

CLICKHOUSE_URL: Final = "https://clickhouse.qalypto.com:8443"
STREAM_URL: Final = "wss://watchdog.qalypto.com/ws/stream"

_NEXT: Final = "set it in the environment, in a file .env in the working folder, or as an argument of qr.connect"
_PAIRS: Final = (("username", "password"), ("cf_access_client_id", "cf_access_client_secret"))


_SECRETS: Final = ("password", "cf_access_client_id", "cf_access_client_secret")


def variable(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return f"QALYPTO_{name.upper()}"


def masked(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings given as arguments with the secrets among them wrapped, so that they do not show."""
    return {name: SecretStr(value) if name in _SECRETS and isinstance(value, str) else value for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where ClickHouse answers: the parts of a URL that was checked."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """The URL again, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.secure else ''}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Access:
    """An account's way to its history: where, and as whom. Its secrets do not show."""

    endpoint: Endpoint
    username: str
    password: SecretStr
    headers: dict[str, SecretStr] = field(default_factory=dict)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class StreamAccess:
    """The way to a live stream: where, and as whom. Its secrets do not show.

    Attributes
    ----------
    url : str
        The stream's, such as ``wss://watchdog.qalypto.com/ws/stream``; the name of a client goes behind it.
    headers : dict of str to SecretStr
        What the handshake must carry.
    username : str
        Whose stream it is.
    client_id : str or None
        What the client is to call itself; None for a name of its own for each connection.
    ca_file : Path or None
        A certificate to trust beside the system's own.
    """

    url: str
    headers: dict[str, SecretStr]
    username: str
    client_id: str | None = None
    ca_file: Path | None = None

    def address(self) -> str:
        """Return where to open one connection: the URL with the client's name, by default another one each time."""
        name = self.client_id or f"{self.username}-{secrets.token_hex(4)}"
        return f"{self.url}/{quote(name, safe='')}"


class Settings(BaseSettings):
    """What a connection goes by when the call does not say.

    Each is read from the environment variable ``QALYPTO_`` and its name in capitals.

    Attributes
    ----------
    target : str or None
        "sample", "service", a folder or a URL.
    username, password : str and secret, or None
        The account at ClickHouse.
    cf_access_client_id, cf_access_client_secret : secret or None
        The account's service token; sent along with every request where there is one.
    client_id : str or None
        Name of this client at the stream; by default the user's name and a random ending.
    clickhouse_url, stream_url : str
        Where the service is.
    ca_file : Path or None
        A certificate to trust beside the system's own, such as that of a stand-in.
    """

    model_config = SettingsConfigDict(
        env_prefix="QALYPTO_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    target: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    cf_access_client_id: SecretStr | None = None
    cf_access_client_secret: SecretStr | None = None
    client_id: str | None = None
    clickhouse_url: str = CLICKHOUSE_URL
    stream_url: str = STREAM_URL
    ca_file: Path | None = None

    @classmethod
    def read(cls, given: dict[str, Any] | None = None) -> Self:
        """Return the settings, those `given` as arguments above all others.

        Raises
        ------
        ConfigurationError
            A value of the wrong kind, or a ``.env`` that cannot be read.
        """
        try:
            return cls(**(given or {}))
        except ValidationError as error:
            wrong = "; ".join(f"{variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors(include_input=False, include_url=False))
            raise ConfigurationError(wrong) from None
        except (SettingsError, OSError, UnicodeError) as error:
            # Not chained: what could not be read may be a secret.
            raise ConfigurationError(f".env cannot be read ({type(error).__name__}); mend or remove it") from None

    @property
    def account(self) -> bool:
        """Whether an account is configured, if only in part."""
        return any(getattr(self, name) is not None for pair in _PAIRS for name in pair)

    def access(self) -> Access:
        """Return the account's way to its history.

        Raises
        ------
        ConfigurationError
            A credential is missing, only half given, or a URL cannot be used; names the variable.
        """
        for one, other in (*_PAIRS, *(pair[::-1] for pair in _PAIRS)):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise ConfigurationError(f"{variable(one)} is set and {variable(other)} is not; {_NEXT}")
        if self.username is None or self.password is None:
            raise ConfigurationError(f"{variable('username')} and {variable('password')} are not set; {_NEXT} ('sample' needs no account)")
        headers: dict[str, SecretStr] = {}
        if self.cf_access_client_id is not None and self.cf_access_client_secret is not None:
            headers = dict(zip(ACCESS_HEADERS, (self.cf_access_client_id, self.cf_access_client_secret), strict=True))
        return Access(
            parse_endpoint(self.clickhouse_url, variable("clickhouse_url")), self.username, self.password, headers, self._checked_ca_file()
        )

    def stream_access(self) -> StreamAccess:
        """Return the account's way to its stream.

        Raises
        ------
        ConfigurationError
            As `access`; the stream needs the service token, too.
        """
        access = self.access()
        if not access.headers:
            names = " and ".join(variable(name) for name in _PAIRS[1])
            raise ConfigurationError(f"{names} are not set, which the stream asks for; {_NEXT}")
        url = parse_stream_url(self.stream_url, variable("stream_url"))
        return StreamAccess(url, access.headers, access.username, self.client_id, access.ca_file)

    def _checked_ca_file(self) -> Path | None:
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigurationError(
                f"{variable('ca_file')}: {self.ca_file} is no file; give the certificate's file in PEM form, or unset it"
            )
        return self.ca_file


def parse_endpoint(url: str, name: str) -> Endpoint:
    """Return where `url` leads to.

    Parameters
    ----------
    url : str
        Such as ``https://clickhouse.qalypto.com:8443``; plain http is for this machine alone.
    name : str
        Of the argument or variable, for the error.

    Raises
    ------
    ConfigurationError
        Not such a URL.
    """
    parts = _parsed(url, name, CLICKHOUSE_URL)
    return Endpoint(
        parts.scheme == "https", str(parts.hostname), parts.port or {"https": 8443, "http": 8123}[parts.scheme], parts.path.rstrip("/")
    )


def parse_stream_url(url: str, name: str) -> str:
    """Return the stream's `url`, without a slash at its end.

    Parameters
    ----------
    url : str
        Such as ``wss://watchdog.qalypto.com/ws/stream``; plain ws is for this machine alone.
    name : str
        Of the argument or variable, for the error.

    Raises
    ------
    ConfigurationError
        Not such a URL.
    """
    return _parsed(url, name, STREAM_URL).geturl().rstrip("/")


def _parsed(url: str, name: str, usual: str) -> SplitResult:
    """Return the parts of a URL that is of the kind of the `usual` one, encrypted or to this machine, and bears no secret."""
    secure = usual.partition(":")[0]
    plain = secure.removesuffix("s")
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # a number, if it is there
    except ValueError:
        raise ConfigurationError(f"{name}: not a URL; write {usual}") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        # Not shown again: it holds a secret.
        raise ConfigurationError(f"{name}: holds a user or a password; give them as {variable('username')} and {variable('password')}")
    if parts.scheme not in {secure, plain} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{name}: {url!r} cannot be used; write it as {usual}")
    if parts.scheme == plain and not is_loopback(parts.hostname):
        raise ConfigurationError(f"{name}: {url!r} would send the password in the clear; use {secure} ({plain} is for this machine alone)")
    return parts


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
