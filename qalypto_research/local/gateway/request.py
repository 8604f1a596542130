"""A request of ClickHouse's HTTP interface, read: what is asked, by whom, and how the answer is wanted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import parse_qsl

from qalypto_research.engine.raw import RawError
from qalypto_research.local.gateway.compression import decompressed
from qalypto_research.local.gateway.settings import TRANSPORT

_BIND: Final = "param_"
_TRUE: Final = ("1", "true")


@dataclass(frozen=True, slots=True)
class Request:
    """One query as it came.

    Attributes
    ----------
    sql : str
        The statement: of the address, then of the body.
    parameters : dict
        All parameters, of the address and of a form.
    headers : mapping
        Header fields, by lower-case name.
    """

    sql: str
    parameters: dict[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def binds(self) -> dict[str, str]:
        """Values of ``{name:Type}``, by name, escaped as in TabSeparated."""
        return {name.removeprefix(_BIND): value for name, value in self.parameters.items() if name.startswith(_BIND)}

    @property
    def settings(self) -> dict[str, str]:
        """Every other parameter that is not the transport's own."""
        return {name: value for name, value in self.parameters.items() if not name.startswith(_BIND) and name not in TRANSPORT}

    @property
    def database(self) -> str:
        """Where names without a database are looked up."""
        return self.parameters.get("database") or self.headers.get("x-clickhouse-database") or "default"

    @property
    def default_format(self) -> str:
        """The format of an answer whose query names none."""
        return self.parameters.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"

    @property
    def waits(self) -> bool:
        """Whether the answer is to begin only when the query is over."""
        return self.parameters.get("wait_end_of_query", "").lower() in _TRUE

    @property
    def compressed(self) -> bool:
        """Whether the answer may be compressed as the ``Accept-Encoding`` says."""
        return self.parameters.get("enable_http_compression", "").lower() in _TRUE


def read_request(query_string: bytes, headers: Mapping[str, str], body: bytes) -> Request:
    """Read a request.

    Raises
    ------
    RawError
        A body that cannot be decompressed, or that holds tables.
    """
    parameters = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    for name in ("compress", "decompress"):
        if parameters.get(name, "0").lower() in _TRUE:
            raise RawError(48, f"{name}=1 (ClickHouse's own compression) is not served; use Accept-Encoding. (NOT_IMPLEMENTED)")
    body = decompressed(body, headers.get("content-encoding", ""))
    if headers.get("content-type", "").lower().startswith("multipart/form-data"):
        parameters |= _form(headers["content-type"], body)
        body = b""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise RawError(62, "Syntax error: the query is not UTF-8. (SYNTAX_ERROR)") from None
    url = parameters.get("query", "")
    return Request(f"{url}\n{text}" if url and text else url or text, parameters, headers)


def _form(content_type: str, body: bytes) -> dict[str, str]:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    values = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        if part.get_filename() is not None:
            raise RawError(48, f"External table {name} is not served: the stand-in takes no data. (NOT_IMPLEMENTED)")
        payload = part.get_payload(decode=True)
        values[name] = payload.decode() if isinstance(payload, bytes) else ""
    return values


def read_credentials(parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the user and password given, ``default`` and nothing where there are none.

    Raises
    ------
    RawError
        They are given in two ways at once, or cannot be read.
    """
    basic = headers.get("authorization", "")
    by_header = "x-clickhouse-user" in headers or "x-clickhouse-key" in headers
    if by_header and basic:
        raise RawError(
            516,
            "Invalid authentication: it is not allowed to use X-ClickHouse HTTP headers and Authorization HTTP header simultaneously. "
            "(AUTHENTICATION_FAILED)",
        )
    if by_header:
        return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")
    if basic:
        scheme, _, token = basic.partition(" ")
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            scheme = ""
            user = password = ""
        if scheme.lower() != "basic":
            raise RawError(516, "Invalid authentication: Basic is the only HTTP scheme served. (AUTHENTICATION_FAILED)")
        return user, password
    return parameters.get("user", "default"), parameters.get("password", "")
