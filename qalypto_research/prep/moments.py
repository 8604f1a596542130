"""Times as others write them: epochs of any unit, text, with a zone or without."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
import pandas as pd

from qalypto_research.errors import InputError, UnknownNameError

_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EARLIEST_S: Final = pd.Timestamp("2000-01-01", tz="UTC").timestamp()
"""Seconds before which no epoch is taken for one without its unit."""

_LATEST: Final = pd.Timestamp("2100-01-01", tz="UTC").timestamp()


def to_moments(given: pd.Series | pd.Index, said: str, tz: dt.tzinfo | str | None, unit: str | None) -> pd.DatetimeIndex:
    """Return times in UTC, in microseconds.

    Parameters
    ----------
    given : Series or Index
        Epochs, datetimes, or text in ISO 8601.
    said : str
        What to call them in an error.
    tz : tzinfo or str, optional
        Zone of those that do not say theirs.
    unit : str, optional
        Of epochs.

    Raises
    ------
    InputError
        They could mean several moments, or none.
    """
    values = pd.Series(given).reset_index(drop=True)
    if values.empty:
        return pd.DatetimeIndex(np.empty(0, "datetime64[us]")).tz_localize("UTC")
    if values.isna().any():
        raise InputError("df", f"has no time in row {int(np.asarray(values.isna()).argmax())} ({said}); drop such rows first")
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        if tz is not None:
            raise InputError("tz", f"means nothing for epochs, which count from 1970 UTC ({said}); leave it out")
        return _from_epochs(values, said, unit)
    if unit is not None:
        raise InputError("unit", f"is of epochs, and the {said} are {values.dtype}; leave it out")
    parsed = values if isinstance(values.dtype, pd.DatetimeTZDtype) or values.dtype.kind == "M" else _from_text(values, said)
    index = pd.DatetimeIndex(parsed)
    if index.tz is not None:
        if tz is not None:
            raise InputError("tz", f"is given, but the {said} say their zone themselves ({index.tz}); leave it out")
        return index.tz_convert("UTC").as_unit("us")
    if tz is None:
        raise InputError("tz", f"must be said: the {said} have no zone; tz='UTC', or where they are local, as tz='America/New_York'")
    try:
        return index.tz_localize(tz).tz_convert("UTC").as_unit("us")
    except ValueError as error:  # also what pandas raises of an hour that is there twice, or not at all
        raise InputError(
            "tz", f"{tz} leaves a time open or does not have it, as where clocks change ({error}); localize them yourself"
        ) from error


def _from_epochs(values: pd.Series, said: str, unit: str | None) -> pd.DatetimeIndex:
    numbers: Any = values.to_numpy()
    if unit is None:
        lowest, highest = float(numbers.min()), float(numbers.max())
        fitting = [name for name, per in _PER_SECOND.items() if lowest / per >= EARLIEST_S and highest / per < _LATEST]
        if not fitting:  # the ranges do not meet, so there is never more than one
            raise InputError(
                "unit",
                f"must be said: the {said} go from {lowest:g} to {highest:g}, which no unit puts between 2000 and 2100; unit='ms', say",
            )
        unit = fitting[0]
    elif unit not in _PER_SECOND:
        raise UnknownNameError("unit", unit, _PER_SECOND)
    per = _PER_SECOND[unit]
    if numbers.dtype.kind == "f":
        microseconds = np.round(numbers * (10**6 / per)).astype("int64")
    else:
        whole = numbers.astype("int64")
        microseconds = whole * (10**6 // per) if per <= 10**6 else whole // (per // 10**6)
    return pd.DatetimeIndex(microseconds.view("datetime64[us]")).tz_localize("UTC")


def _from_text(values: pd.Series, said: str) -> Any:
    try:
        return pd.to_datetime(values, format="ISO8601")
    except (TypeError, ValueError) as error:
        raise InputError("df", _not_iso(values, said)) from error


def _not_iso(values: pd.Series, said: str) -> str:
    """Return what is wrong with times of text, in one line: what pandas says of them has several, and options that are not here."""
    row = next((row for row, value in enumerate(values) if not _is_iso(value)), None)
    if row is None:
        return f"has times of several zones in {said}, or with and without one; parse them: pd.to_datetime(..., format='ISO8601', utc=True)"
    value = str(values.iloc[row])
    if value.strip().removeprefix("-").replace(".", "", 1).isdigit():
        return f"has epochs as text in {said}, as {value!r} in row {row}; make them numbers: pd.to_numeric(...)"
    return f"has times that are not ISO 8601 in {said}, as {value!r} in row {row}; parse them: pd.to_datetime(..., format=...)"


def _is_iso(value: object) -> bool:
    return isinstance(value, (str, dt.date)) and not pd.isna(pd.to_datetime(str(value), format="ISO8601", errors="coerce"))
