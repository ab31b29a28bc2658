"""What is drawn of a monitor: each statistic by window, with its limit and the windows that are outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.monitor.alerts import Standing
from provenote.monitor.record import Record

if TYPE_CHECKING:
    from provenote.view import Picture

MOST = 6
"""Charts in a notebook; a report has all that alarmed and as many more."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One statistic by window.

    Parameters
    ----------
    name : str
        Of the statistic: ``relation:temp:shift``.
    title : str
    windows : tuple of str
        Begin of each, in the order of time.
    values : tuple of float or None
    limits : tuple of float or None
    over : tuple of bool
    band : tuple of float or None
        Between which nine of ten own windows lie.
    """

    name: str
    title: str
    windows: tuple[str, ...]
    values: tuple[float | None, ...]
    limits: tuple[float | None, ...]
    over: tuple[bool, ...]
    band: tuple[float, float] | None = None


def charts(one: Standing) -> list[Chart]:
    """Return what there is to draw: first what was outside, then the rest."""
    made = _of(one.performance, ("error", "bias"))
    names = dict.fromkeys(
        name for record in one.data for name in record.values if not name.startswith(("error_", "contract"))
    )
    made += _of(one.data, tuple(names))
    drawn = [
        chart for chart in made if sum(value is not None for value in chart.values) > 1 or any(chart.over)
    ]
    return sorted(drawn, key=lambda chart: (not any(chart.over), chart.name.startswith("marginal")))


def _of(records: Sequence[Record], names: Sequence[str]) -> list[Chart]:
    found = []
    for name in names:
        taken = [(one.window, one.values.get(name)) for one in records if one.level != "not judged"]
        values = tuple(None if value is None else value[0] for _, value in taken)
        limits = tuple(None if value is None else value[1] for _, value in taken)
        over = tuple(bool(value and value[2]) for _, value in taken)
        windows = tuple(window for window, _ in taken)
        if windows:
            found.append(Chart(name, title(name), windows, values, limits, over, _band(taken)))
    return found


def _band(taken: Sequence[tuple[str, list[Any] | None]]) -> tuple[float, float] | None:
    last = next((value for _, value in reversed(taken) if value is not None), None)
    if last is None or len(last) < 5 or last[3] is None:
        return None
    return float(last[3]), float(last[4])


def title(name: str) -> str:
    """Say what a statistic is."""
    parts = name.split(":")
    words = {
        "error": "Error, as a share of the label",
        "bias": "Bias, as a share of the label (below zero: too low)",
        "clock": "Clock: correlation gained by moving the day",
        "repeated": "Share of rows that are there twice",
        "gap": "Share of times without a row",
    }
    if parts[0] in words:
        return words[parts[0]]
    column = ":".join(parts[1:2])
    if parts[0] == "relation":
        what = "off what the others tell" if parts[-1] == "shift" else "spread around what the others tell"
        return f"{column}: {what}"
    kinds = {
        "missing": "share missing",
        "range": "farthest value",
        "constant": "one value only",
        "absent": "not there",
        "unseen": "rows of new kinds",
        "marginal": "distance from the reference",
    }
    return f"{column}: {kinds.get(parts[0], parts[0])}"


def pictures(one: Standing) -> list[Picture]:
    """Draw the first charts for a notebook."""
    from provenote.render import windows

    shown = charts(one)[:MOST]
    return [
        windows.draw(chart.title, chart.windows, chart.values, chart.limits, chart.over, chart.band)
        for chart in shown
    ]
