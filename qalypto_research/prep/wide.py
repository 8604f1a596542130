"""One column of many series, side by side."""

from __future__ import annotations

from typing import Final

import pandas as pd

from qalypto_research.asked import Names, names_of
from qalypto_research.errors import UnknownNameError
from qalypto_research.prep.checks import check_column, check_columns, check_frame
from qalypto_research.prep.saying import must_say
from qalypto_research.prep.series import SERIES, check_one, check_unique

_SIDES: Final = ("symbol", "exchange")


@must_say(
    column="what to lay out, as column='close'",
)
def panel(df: pd.DataFrame, column: str, *, by: Names = "symbol") -> pd.DataFrame:
    """Lay one column out wide: a row a time, a column a symbol or exchange.

    Nothing is filled: where a series has no row, there is NaN. Fill first, and on purpose, with ``qr.prep.fill``;
    ``panel(filled, "filled")`` then shows where.

    Parameters
    ----------
    df : pandas.DataFrame
        Rows of several series in order of time, as ``qr.klines`` gives them; of each series one row a time.
    column : str
        What to lay out, as "close".
    by : {"symbol", "exchange"} or list of both
        What becomes the columns. What else tells series apart must be one: of a frame with four exchanges,
        ``by="symbol"`` is refused.

    Returns
    -------
    pandas.DataFrame
        Index as in `df`, each time once, ascending. Columns: the names there are, in the order of their categories
        (a MultiIndex for a list), named `by`. Values as in `column`; flags become object where one is absent.

    Raises
    ------
    UnknownNameError
        No such column, or another `by`.
    InputError
        An unsorted frame, mixed series, two rows for one place.

    Examples
    --------
    >>> import qalypto_research as qr
    >>> closes = qr.prep.panel(qr.klines(["BTCUSDT", "ETHUSDT"], "1h", hours=3), "close")
    >>> list(closes.columns), len(closes)
    (['BTCUSDT', 'ETHUSDT'], 3)
    """
    check_frame(df)
    name = check_column(df, column, "column")
    keys = names_of("by", by)
    for key in keys:
        if key not in _SIDES:
            raise UnknownNameError("by", key, _SIDES)
    check_columns(df, keys)
    check_one(df, [other for other in SERIES if other not in keys], why=f"by={by!r} makes one column of each {keys[-1]}")
    check_unique(df, keys, mend="a panel has room for one: drop the others, as df[~df.index.duplicated()] for one series")
    long = df[[name]].set_index([df[key].astype("category") for key in keys], append=True)
    wide: pd.DataFrame = long[name].unstack(keys).sort_index(axis=1)  # noqa: PD010 - the index is made for it
    labels = [wide.columns.get_level_values(key).astype("str") for key in keys]
    wide.columns = labels[0] if len(keys) == 1 else pd.MultiIndex.from_arrays(labels, names=keys)
    wide.index.name = df.index.name
    return wide
