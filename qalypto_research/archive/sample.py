"""Find the packaged sample, in a wheel as in a checkout."""

from __future__ import annotations

from pathlib import Path

from qalypto_research.archive.manifest import FILE_NAME
from qalypto_research.errors import ConfigurationError


def find_sample() -> Path | None:
    """Return the folder of the packaged sample, None where the installation came without it."""
    try:
        return sample_root()
    except ConfigurationError:
        return None


def sample_root() -> Path:
    """Return the folder of the packaged sample: inside the package in a wheel, beside it in a checkout.

    Raises
    ------
    ConfigurationError
        The installation came without it.
    """
    package = Path(__file__).resolve().parent.parent
    for root in (package / "data_samples", package.parent / "data_samples"):
        if (root / FILE_NAME).is_file():
            return root
    raise ConfigurationError(f"the packaged sample is not there ({package / 'data_samples'}); install qalypto_research again")
