"""The verdicts of a monitor's windows, newest first: what a notebook lets one choose among."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provenote.checks.verdict import Verdict, read
from provenote.monitor.alerts import Standing
from provenote.monitor.record import Record


def named(one: Standing) -> list[tuple[str, Mapping[str, Any]]]:
    """Return name and verdict of each window; what labels said later stands in the same one. Pure."""
    later = {each.begin: each for each in one.performance}
    accepted = {each.window for each in one.monitor.accepted}
    found: list[tuple[str, Mapping[str, Any]]] = []
    for each in reversed(one.data):
        word = "accepted" if each.window in accepted else each.level
        found.append((f"{each.window}, {word}", _together(each, later.get(each.begin))))
    return found


def _together(data: Record, labelled: Record | None) -> Mapping[str, Any]:
    if labelled is None:
        return data.verdict
    try:
        first, second = read(data.verdict), read(labelled.verdict)
    except (ValueError, KeyError, TypeError, IndexError):  # a later release's: what it says of the data
        return data.verdict
    return Verdict(first.name, first.subject, (*first.findings, *second.findings)).plain()
