"""Settings, read when a connection is made: environment, then ``.env``, below what is given as an argument."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where a connection should go when the call does not say.

    Attributes
    ----------
    target : str or None
        ``QALYPTO_TARGET``: "sample", "service", a folder or a URL.
    username : str or None
        ``QALYPTO_USERNAME``: its presence means that an account is configured.
    """

    model_config = SettingsConfigDict(env_prefix="QALYPTO_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    target: str | None = None
    username: str | None = None
