"""Making live charts: the interactive one where it can be had, the plain one elsewhere."""

from __future__ import annotations

from qalypto_research.charts.widgets.bundle import check_kernel, find_obstacle
from qalypto_research.charts.widgets.chart import LiveChart
from qalypto_research.charts.widgets.follower import Follower
from qalypto_research.charts.widgets.looks import Looks
from qalypto_research.charts.widgets.source import BoardSource, Pick, Source
from qalypto_research.errors import DisplayError, PlainChartWarning, warn_caller


def open_chart(source: Source, pick: Pick, looks: Looks, *, interactive: bool | None = None) -> LiveChart:
    """Return a chart that follows `source`.

    Parameters
    ----------
    source : Source
        Where the candles come from.
    pick : Pick
        Which.
    looks : Looks
        How it is to look.
    interactive : bool, optional
        By default where the bundle is there.

    Raises
    ------
    DisplayError
        The kernel cannot show it, or `interactive` is True and the bundle is not there.
    InputError
        There are no such candles.
    """
    obstacle = _find_obstacle(interactive)
    follower = Follower(source, pick)
    if interactive is False or obstacle:
        from qalypto_research.charts.widgets.plain import PlainChart  # noqa: PLC0415 - matplotlib takes long to import

        return PlainChart(follower, looks)
    from qalypto_research.charts.widgets.interactive import InteractiveChart  # noqa: PLC0415 - likewise ipywidgets

    return InteractiveChart(follower, looks)


def open_board(source: BoardSource, pick: Pick, looks: Looks, stale_s: float, *, interactive: bool | None = None) -> LiveChart:
    """Return a dashboard that follows `source`; a quote is stale from an age of `stale_s` on. The rest is as for charts.

    Raises
    ------
    DisplayError
        The kernel cannot show it, or `interactive` is True and the bundle is not there.
    InputError
        There are no such candles.
    """
    obstacle = _find_obstacle(interactive)
    follower = Follower(source, pick)
    if interactive is False or obstacle:
        from qalypto_research.charts.widgets.plain_dashboard import PlainDashboard  # noqa: PLC0415 - as above

        return PlainDashboard(follower, source, looks, stale_s)
    from qalypto_research.charts.widgets.dashboard import Dashboard  # noqa: PLC0415

    return Dashboard(follower, source, looks, stale_s)


def _find_obstacle(interactive: object) -> str:
    """Return what stands in the way of an interactive chart, and warn of it, unless a plain one is asked for.

    Raises
    ------
    DisplayError
        Nothing else will do.
    """
    check_kernel()
    obstacle = "" if interactive is False else find_obstacle()
    if obstacle and interactive:
        raise DisplayError(f"interactive charts cannot be had: {obstacle}; or leave interactive=True out, for one drawn with matplotlib")
    if obstacle:
        warn_caller(
            f"this chart is drawn with matplotlib, without zoom: {obstacle}. interactive=False leaves this message out", PlainChartWarning
        )
    return obstacle
