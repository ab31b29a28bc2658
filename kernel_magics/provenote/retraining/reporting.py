"""One try as a report: found by its id, shown, or written as one offline file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError, UsageError
from provenote.registry import reading
from provenote.retraining import prepared, record, rule_file, show
from provenote.retraining.record import Try

if TYPE_CHECKING:
    from provenote.compare.report_file import Written
    from provenote.view import View
    from provenote.workspace import Workspace


def find(workspace: Workspace, start: str) -> tuple[Try, str]:
    """Return a try of any rule, and how its prepared request stands; empty where it prepared none.

    Raises
    ------
    UsageError
        If there is none, or several.
    """
    found: dict[str, tuple[Try, list[Try]]] = {}
    for rule in rule_file.read(workspace.dvc_root):
        tries = list(record.history(workspace, rule).tries)
        found |= {one.id: (one, tries) for one in tries if len(start) >= 4 and one.id.startswith(start)}
    if len(found) != 1:
        many = "no try begins" if not found else f"{len(found)} tries begin"
        raise UsageError(f"{many} with {ascii(start[:80])}", "See: `provenote retrain log`")
    one, tries = next(iter(found.values()))
    if one.outcome != "prepared":
        return one, ""
    try:
        stands = prepared.told(
            (each for each in tries if each.outcome == "prepared"), reading.read(workspace)
        )
    except ProvenoteError:
        return one, ""
    return one, next((each.state for each in stands if each.made.id == one.id), "")


def view(one: Try, state: str) -> View:
    """Return a try as it is shown."""
    return show.report(one, state)


def write(one: Try, state: str, path: str, *, force: bool = False) -> Written:
    """Write a try as one offline file, HTML or Markdown.

    Raises
    ------
    UsageError, Refused, WorldError
        As `provenote.compare.report_file.write`.
    """
    from provenote.compare import report_file

    title = f"Retraining of {one.model} for {one.stage}, try {one.short}"
    parts = tuple(show.report(one, state).parts)
    return report_file.write(report_file.Titled(title, (("", parts),)), Path(path), force=force)
