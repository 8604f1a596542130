"""Who may ask a stand-in."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from qalypto_research.schema.wire import ACCESS_HEADERS


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account.

    Attributes
    ----------
    user, password : str
        ClickHouse's.
    cloudflare : tuple of str
        Id and secret that Cloudflare Access asks for.
    """

    user: str
    password: str = field(repr=False)
    cloudflare: tuple[str, str] = field(repr=False)

    @classmethod
    def made_up(cls, user: str) -> Self:
        """Return credentials of `user` that nobody else knows."""
        return cls(user, secrets.token_urlsafe(24), (f"{secrets.token_hex(16)}.access", secrets.token_hex(32)))

    def match(self, user: str, password: str) -> bool:
        """Whether these are ClickHouse's."""
        return _same(user, self.user) & _same(password, self.password)

    def pass_cloudflare(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers, their names in small letters, carries the service token."""
        return all(_same(headers.get(name.lower(), ""), value) for name, value in zip(ACCESS_HEADERS, self.cloudflare, strict=True))


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
