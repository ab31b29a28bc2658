"""The verb that screens data for poison."""

from __future__ import annotations

from provenote.checks.verdict import EXIT, Verdict
from provenote.commands.tree import Context, verb
from provenote.view import Cell, Column, Line, Mark, Part, Role, Table, View

_MARKS: dict[str, Mark] = {"passed": "ok", "failed": "warn", "not judged": "silent", "error": "failed"}
_ROLES: dict[str, Role] = {"passed": "ok", "failed": "warn", "error": "error"}
_ROWS = 10


@verb("data screen")
def screen(
    context: Context,
    path: str,
    *,
    label: str | None = None,
    by: str | None = None,
    without: list[str] | None = None,
    run: str | None = None,
    metric: str | None = None,
) -> View:
    """Look for signs of poisoned data: copies, corners, turned labels, triggers, changed bytes.

    Each source of rows is held against all others. What is concentrated in one is seen; what is spread evenly
    over all looks like noise, and is said not to be judged. Exit status: 0 no sign, 1 a sign to look at,
    3 something could not be judged.

    Parameters
    ----------
    path : str
        A file or folder of tables.
    label : str
        The target's column; default: what the contract of the data says.
    by : str
        What a source is: `author`, from the history of the pointer, or a column; default: the file, or a
        stretch of rows.
    without : list of str
        A column that no model gets, as a row number; may be repeated.
    run : str
        A run that is run again without each source, to see what the metric owes to it.
    metric : str
        Which metric of that run.
    """
    from provenote.screening import journey

    verdict = journey.screen(
        path, label=label, by=by, without=without or (), run=run, metric=metric, tell=context.tell
    )
    return shown(verdict)


def shown(verdict: Verdict) -> View:
    """Show what the screens found."""
    rows = [
        [Cell(one.name, "strong"), Cell(one.outcome, _ROLES.get(one.outcome, "muted")), Cell(one.why)]
        for one in verdict.findings
    ]
    marks = [_MARKS.get(one.outcome, "silent") for one in verdict.findings]
    parts: list[Part] = [Table([Column("screen"), Column(""), Column("what it saw")], rows, marks)]
    parts += [Line(f"{one.name}: {one.mend}", role="muted") for one in verdict.findings if one.mend]
    for one in verdict.findings:
        contradicted = one.evidence.get("rows")
        if one.name == "labels" and contradicted:
            cells = [
                [Cell(str(row[key])) for key in ("row", "source", "label")] for row in contradicted[:_ROWS]
            ]
            heads = [Column("row", "right"), Column("source"), Column("label")]
            foot = [f"and {len(contradicted) - _ROWS} more: `--json`"] if len(contradicted) > _ROWS else []
            parts.append(Table(heads, cells, caption="Labels contradicted most", foot=foot))
    parts.append(
        Line("Signs for a person to look at. That a screen saw nothing proves nothing", role="muted")
    )
    return View(parts, verdict.plain(), status=EXIT[verdict.outcome])
