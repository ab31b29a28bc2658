"""What a check of an environment looks like: what counts first, then what is only told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from provenote.checks.verdict import EXIT, Finding, Verdict
from provenote.compare.numbers import counted
from provenote.environments.snapshot import FILE, OLD, Standing
from provenote.model import SCHEMA
from provenote.view import Cell, Column, Line, Mark, Part, Table, View

if TYPE_CHECKING:
    from provenote.data.storing import Added

_MARKS: dict[str, Mark] = {"failed": "failed", "not judged": "warn", "error": "killed", "skipped": "silent"}


def view(verdict: Verdict, what: str, *, everything: bool = False) -> View:
    """Lay out the verdict over an environment.

    Parameters
    ----------
    verdict : Verdict
    what : str
        Whose environment it was.
    everything : bool
        Also the packages that are the same.
    """
    packages = [one for one in verdict.findings if "change" in one.evidence]
    same = [one for one in packages if one.evidence["change"] == "same" and one.outcome == "passed"]
    shown = packages if everything else [one for one in packages if one not in same]
    rest = [one for one in verdict.findings if one not in packages]
    parts: list[Part] = [_head(verdict, what, len(packages), len(same))]
    if shown:
        parts.append(_table(shown))
    if same and not everything:
        text = f"{len(same)} the same: `--all`"
        parts.append(Line(text, "ok", "muted"))
    parts += [Line(one.why, _MARKS.get(one.outcome, ""), "plain" if one.outcome != "passed" else "muted")
              for one in rest]  # fmt: skip
    wanted = dict.fromkeys(one.mend for one in verdict.findings if one.mend and one.outcome == "failed")
    parts += [Line(f"Mend: {mend}", role="muted") for mend in list(wanted)[:3]]
    return View(parts, verdict.plain(), EXIT[verdict.outcome])


def advisories(here: Standing, added: Added | None = None) -> View:
    """Say which snapshot of known weaknesses is here, and what of it belongs into Git.

    Parameters
    ----------
    here : Standing
    added : Added, optional
        What DVC was told, when it was brought just now.
    """
    data = {"schema": SCHEMA, **{name: getattr(here, name) for name in here.__slots__}}
    if here.state != "there":
        mend = "Bring one: `provenote env advisories all.zip`"
        words = {
            "none": ("No snapshot of advisories is here, so nothing is checked", mend),
            "away": ("The bytes of the snapshot are not here, so nothing is checked",
                     f"Fetch them: `provenote data pull {FILE}`"),
            "damaged": (f"{FILE} is damaged, so nothing is checked", mend),
        }  # fmt: skip
        text, aside = words[here.state]
        return View([Line(text, "warn"), Line(aside, role="muted")], data)
    text = f"{counted(here.advisories, 'advisory', 'advisories')} about {counted(here.packages, 'package')}"
    old = here.days is None or here.days > OLD
    parts: list[Part] = [Line(f"{text}, {here.age}", "warn" if old else "ok")]
    if here.unread:
        parts.append(Line(f"{counted(here.unread, 'record')} could not be read", "warn"))
    if added is not None and added.state != "unchanged":
        files = [os.path.relpath(path) for path in added.files]
        data["files"] = files
        parts.append(Line(f"Keep it: `git add {' '.join(files)}`, `provenote data push`", role="muted"))
    return View(parts, data)


def _head(verdict: Verdict, what: str, all_of: int, same: int) -> Line:
    failed = sum(one.outcome == "failed" for one in verdict.findings)
    words = {
        "failed": f"{failed} that count {'differs' if failed == 1 else 'differ'} from the training of {what}",
        "passed": f"nothing that counts differs from the training of {what}",
        "not judged": f"it cannot be told whether the training of {what} was in this environment",
    }
    mark: Mark = {"failed": "failed", "passed": "ok"}.get(verdict.outcome, "warn")  # type: ignore[assignment]
    text = words.get(verdict.outcome, verdict.outcome)
    return Line(text[0].upper() + text[1:], mark, aside=f"{same} of {all_of} the same" if all_of else "")


def _table(found: Sequence[Finding]) -> Table:
    rows = [
        [
            Cell(one.name.removeprefix("package/"), "code"),
            Cell(str(one.evidence.get("then") or "")),
            Cell(str(one.evidence.get("now") or "none"), "strong"),
            Cell(str(one.evidence["change"]), "error" if one.outcome == "failed" else "muted"),
            Cell(_more(one), "muted"),
        ]
        for one in sorted(found, key=lambda one: one.outcome != "failed")
    ]
    heads = [Column(""), Column("then"), Column("here", keep=True), Column("", keep=True), Column("")]
    marks: list[Mark] = ["failed" if row[3].role == "error" else "" for row in rows]
    return Table(heads, rows, marks, caption="Python and the packages that the training imported")


def _more(one: Finding) -> str:
    if "files" in one.evidence:
        files = one.evidence["files"]
        return f"{files[0]}" + (f" and {counted(len(files) - 1, 'file')} more" if len(files) > 1 else "")
    return one.why.partition(", ")[2] if one.evidence["change"] in ("same", "edited") else ""
